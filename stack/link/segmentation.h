// The last step before a device that cannot do it: completing checksums and cutting TCP super-segments in
// software (what Linux calls GSO). Also used by whatever wants to see what is on the wire: captures, faults.
#pragma once

#include "stack/base/packet.h"
#include "stack/link/interface.h"

namespace transom::link {

// Completes a kPartial checksum in place. `packet` starts at its IP header, or at `ip_offset` octets before
// it. False when the headers do not parse; the packet is then unchanged.
bool complete_checksum(Packet& packet, std::size_t ip_offset);

// Appends to `out` the packets that `packet` stands for: itself when it is not a super-segment, else segments
// of at most info().segment_size octets of payload with sequence numbers, IP identification, FIN/PSH/CWR and
// lengths right. Checksums are completed when `checksums` is set. `ip_offset` octets of link header are
// repeated in front of each. Payload is referenced, not copied. False when out of buffers or when the headers
// are not those of a TCP segment: the packet is gone and nothing was appended.
bool segment(BufferPool& pool, Packet packet, std::size_t ip_offset, bool checksums, PacketQueue& out);

}  // namespace transom::link
