// A packet that is nothing but its octets, from the IP header on.
#pragma once

#include "drivers/capture/captured_packet.h"

namespace transom::drivers::replay {

// Nothing of it was cut off.
inline CapturedPacket captured(Bytes octets) {
  CapturedPacket packet;
  packet.link_type = LinkType::kRaw;
  packet.octets = octets;
  packet.original_length = static_cast<std::uint32_t>(octets.size());
  return packet;
}

}  // namespace transom::drivers::replay
