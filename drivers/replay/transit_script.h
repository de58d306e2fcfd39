// A recorded flow as it is played through a device between its two ends: what each end sent, and after how
// many packets of the other.
#pragma once

#include <map>
#include <vector>

#include "drivers/replay/cast.h"
#include "drivers/replay/endpoint_changes.h"

namespace transom::drivers::replay {

struct TransitPacket {
  std::uint64_t number = 0;          // in the capture
  Duration time{};                   // since the flow's first packet
  Duration think{};                  // since the last packet of either end before it
  std::size_t side = 0;              // 0 stands at the first port
  std::size_t awaits = 0;            // so many units of the other side had gone before
  std::size_t unit = 0;              // of those of its side
  std::vector<std::uint8_t> octets;  // from the IP header on
};

// What must come out whole: a packet, or all fragments of a datagram.
struct TransitUnit {
  std::vector<std::size_t> packets;  // of the script
  bool is_joined = false;            // fragments
  // --- TCP, in offsets of its direction
  std::int64_t end = 0;
  bool is_pure_ack = false;
};

struct TransitScript {
  std::size_t flow = 0;  // in the capture
  IpProtocol protocol{};
  std::array<Endpoint, 2> ends;  // by side
  Duration begin{};              // of the flow, since the beginning of the capture
  std::vector<TransitPacket> packets;
  std::array<std::vector<TransitUnit>, 2> units;  // by side
  std::uint64_t recut = 0;  // segments that no wire carries (offload), cut to what it does
};

// Of every flow that has one of our ends in the cast, which stand at the first port. `mtu`: longer TCP
// segments are cut.
std::expected<std::map<std::size_t, TransitScript>, CaptureError> make_transit_scripts(CaptureReader& reader,
                                                                                       const Scene& scene,
                                                                                       const Cast& cast,
                                                                                       std::uint32_t mtu);

}  // namespace transom::drivers::replay
