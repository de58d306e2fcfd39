// Octets taken out of a TCP stream, as if the application had never written them.
#pragma once

#include <span>
#include <vector>

#include "drivers/capture/kept_packet.h"

namespace transom::drivers {

// The packets with the payload of the one at `place` cut to its first `size` octets, and every later number
// of that stream as much lower: sequence numbers of its sender, acknowledgments and SACK blocks of its
// receiver. Copies of the octets in other packets stay. Empty when there is nothing to cut: no whole TCP
// segment, or no longer than `size`.
std::vector<KeptPacket> cut_stream(std::span<const KeptPacket> packets, std::size_t place,
                                   std::uint32_t size);
// The same, but no other packet changes.
std::vector<KeptPacket> cut_payload(std::span<const KeptPacket> packets, std::size_t place,
                                    std::uint32_t size);

}  // namespace transom::drivers
