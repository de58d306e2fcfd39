#include "drivers/replay/flow_records.h"

#include <algorithm>

namespace transom::drivers::replay {

std::optional<FlowRecords::Placed> FlowRecords::place(const CapturedPacket& packet, const PacketView& view,
                                                      Duration time) {
  const Place place = table_.place(packet, view);
  if (place.flow == flows_.size()) {
    flows_.push_back({.flow = table_.flows()[place.flow], .sent = {}, .initial = {}});
    counting_.emplace_back();
  }
  Placed placed{place.flow, place.side, {}};
  if (SegmentJoiner::is_wanted(view)) {
    const auto whole = joiner_.add(packet, view);
    if (!whole) return std::nullopt;
    placed.record = tcp_record(place.flow, place.side, whole->packet, whole->view);
  } else {
    placed.record =
        view.tcp ? tcp_record(place.flow, place.side, packet, view) : make_record(packet, view, 0, 0, 0);
  }
  placed.record.time = time;
  return placed;
}

PacketRecord FlowRecords::tcp_record(std::size_t flow, std::size_t side, const CapturedPacket& packet,
                                     const PacketView& view) {
  const wire::TcpHeader& header = *view.tcp;
  auto& [offsets, scale] = counting_[flow];
  auto &own = offsets[side], &others = offsets[1 - side];
  std::optional<SeqNum>& initial = flows_[flow].initial[side];
  if (header.flags.syn) {
    if (!initial) own = SequenceOffsets(*(initial = header.sequence));
    scale[side] = header.options.window_scale;
  }
  // Of a connection that had begun before, the first octet that is seen is the first of all.
  if (!own) own = SequenceOffsets(header.sequence - 1);
  if (!others && header.flags.ack) others = SequenceOffsets(header.acknowledgment - 1);
  const std::int64_t sequence = own->of(header.sequence);
  // Sequence numbers of resets may be anything.
  if (!header.flags.rst) own->see(header.sequence + view.sequence_length());
  const std::int64_t acknowledgment = header.flags.ack ? others->of(header.acknowledgment) : 0;
  const std::uint8_t shift = scale[0] && scale[1] ? std::min<std::uint8_t>(*scale[side], 14) : 0;
  return make_record(packet, view, sequence, acknowledgment, shift);
}

const FlowRecords::Entry* FlowRecords::find(const Flow& flow) const {
  const auto number = table_.find(flow);
  return number ? &flows_[*number] : nullptr;
}

}  // namespace transom::drivers::replay
