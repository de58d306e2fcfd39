// An acknowledgment that the recorded peer would have sent, had it got less.
#pragma once

#include <vector>

#include "drivers/capture/packet_view.h"

namespace transom::drivers::replay {

// A pure ACK of `acknowledgment`, otherwise as `like`: its link header, addresses, ports, sequence number,
// window and timestamps.
std::vector<std::uint8_t> partial_ack(const CapturedPacket& like, const PacketView& view,
                                      SeqNum acknowledgment);

}  // namespace transom::drivers::replay
