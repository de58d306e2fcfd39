// Several UDP datagrams in one frame, as a program hands them over with UDP_SEGMENT and as the kernel passes
// them on along a veth pair (its "UDP GSO"): the headers are those of all, the payloads stand one behind the
// other.
//
//   | ethernet | ip | udp | payload 1 | payload 2 | ... | the last, which may be shorter |
#pragma once

#include "stack/base/packet.h"
#include "stack/link/interface.h"

namespace transom::drivers {

// Appends each datagram to `out` as a frame of its own, with `payload` octets in each but the last, and a
// partial checksum as in the frame. False, and nothing is appended, when the headers are not those of UDP, it
// would be more datagrams than the kernel makes of one call (128), or there is no memory.
bool cut_datagrams(const Packet& frame, link::LinkType type, std::uint16_t payload, PacketQueue& out);

}  // namespace transom::drivers
