// Damage to a frame on its way.
#pragma once

#include "stack/base/packet.h"
#include "stack/link/interface.h"

namespace transom::drivers {

// Turns one bit, counted from the start of the IP header. Only octets that some checksum of IP or above
// covers can be hit: what hits the link header, the frame check sequence of a real link has already turned
// into loss, and an ARP packet has nothing else that could reveal the damage. False, and nothing changed,
// when there is no such bit, or no buffer.
bool flip_bit(Packet& frame, link::LinkType type, std::uint64_t bit);

}  // namespace transom::drivers
