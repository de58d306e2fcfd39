// Cutting a datagram into fragments (RFC 791 §3.2, RFC 8200 §4.5): the source does it, and for IPv4 routers
// too, even with what is a fragment already.
#pragma once

#include "stack/base/packet.h"
#include "stack/ip/extension_headers.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"

namespace transom::ip {

// Appends to `out` packets of at most `mtu` octets, each with its header, that together carry `payload`.
// Lengths, offsets and flags of `header` are filled in (offsets count on from its own); its identification is
// the caller's. False, and `out`
// as it was, when the pool is exhausted or the MTU leaves no room.
bool fragment_ipv4(const wire::Ipv4Header& header, const Packet& payload, std::uint32_t mtu,
                   PacketQueue& out);
// `chain`: what is to be in front of every fragment, with which `payload` starts.
bool fragment_ipv6(const wire::Ipv6Header& header, std::uint32_t identification, const Packet& payload,
                   std::uint32_t mtu, PacketQueue& out, const ExtensionChain& chain = {});

// Completes a checksum that was left for the device. `packet` starts at its transport header.
void complete_transport_checksum(Packet& packet);

}  // namespace transom::ip
