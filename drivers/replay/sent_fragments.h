// Sends a datagram in fragments that are cut where recorded ones were.
#pragma once

#include <span>

#include "drivers/replay/segment_joiner.h"
#include "stack/host.h"

namespace transom::drivers::replay {

// `datagram`: what stands behind the IP header; its checksum may be left to a device. Where it is longer or
// shorter than the recorded one, the last fragment is. Within Host::enter() and leave().
void send_fragments(Host& host, ip::Destination& destination, const IpAddress& from, IpProtocol protocol,
                    Packet datagram, std::span<const FragmentRange> fragments);

}  // namespace transom::drivers::replay
