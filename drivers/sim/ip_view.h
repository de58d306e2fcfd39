// What a link of the simulated network needs to know of a packet that it carries, and the one thing that it
// may change in it: the congestion mark (RFC 3168 §5).
#pragma once

#include <cstdint>

#include "drivers/frame_layout.h"
#include "stack/base/packet.h"

namespace transom::drivers::sim {

// The two ECN bits of the IP header.
enum class EcnCodepoint : std::uint8_t { kNotEct = 0, kEct1 = 1, kEct0 = 2, kCe = 3 };

EcnCodepoint ecn_of(const Packet& packet, link::LinkType type);
// Sets "congestion experienced". False when the packet says that its ends do not understand it.
bool mark_congestion(Packet& packet, link::LinkType type);

// Equal for packets of one flow: addresses, protocol and ports (of a fragment: without ports).
std::uint64_t flow_hash(const Packet& packet, link::LinkType type, std::uint64_t salt);

}  // namespace transom::drivers::sim
