// The packets of a capture, or of what a host does while it runs, as records: flow by flow, each end's by
// themselves. Two of these are held against each other.
#pragma once

#include "drivers/replay/flow_table.h"
#include "drivers/replay/packet_record.h"
#include "drivers/replay/segment_joiner.h"
#include "drivers/replay/sequence_offsets.h"

namespace transom::drivers::replay {

class FlowRecords {
 public:
  struct Entry {
    Flow flow;
    std::array<std::vector<PacketRecord>, 2> sent;  // by end
    std::array<std::optional<SeqNum>, 2> initial;   // of their SYNs
  };

  struct Placed {
    std::size_t flow = 0, side = 0;
    PacketRecord record;
  };

  // `time`: since the beginning. Of TCP in fragments there is one record when all of them are there.
  void add(const CapturedPacket& packet, const PacketView& view, Duration time) {
    if (const auto placed = place(packet, view, time)) keep(*placed);
  }
  // The same in two steps: what is not kept has been counted all the same.
  std::optional<Placed> place(const CapturedPacket& packet, const PacketView& view, Duration time);
  void keep(const Placed& placed) { flows_[placed.flow].sent[placed.side].push_back(placed.record); }
  // Would place() begin a flow for it?
  bool begins_flow(const CapturedPacket& packet, const PacketView& view) const {
    return table_.begins_flow(packet, view);
  }

  // In the order of their first packets: the numbers of a Scene of the same packets.
  const std::vector<Entry>& flows() const { return flows_; }
  // The latest between these ends, whichever was heard first. Null when there was none.
  const Entry* find(const Flow& flow) const;

 private:
  struct Counting {  // of TCP
    std::array<std::optional<SequenceOffsets>, 2> offsets;
    std::array<std::optional<std::uint8_t>, 2> scale;  // that the SYNs offered
  };

  PacketRecord tcp_record(std::size_t flow, std::size_t side, const CapturedPacket& packet,
                          const PacketView& view);

  FlowTable table_;
  SegmentJoiner joiner_;
  std::vector<Entry> flows_;
  std::vector<Counting> counting_;
};

}  // namespace transom::drivers::replay
