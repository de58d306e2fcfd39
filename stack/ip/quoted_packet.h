// The front of a packet, whole or as an ICMP error quotes it: who speaks to whom, and where the transport
// header begins. Nothing in it is trusted; lengths may exceed what is there.
#pragma once

#include <optional>

#include "stack/base/address.h"
#include "stack/base/bytes.h"

namespace transom::ip {

struct QuotedPacket {
  IpAddress source;
  IpAddress destination;
  IpProtocol protocol{};
  std::uint32_t total_length = 0;  // as claimed
  bool is_first = true;            // false for a fragment that does not begin with the transport header
  Bytes transport;                 // what there is from the transport header on
};

// nullopt when the headers do not parse, or the IPv6 header chain does not end within what is there.
std::optional<QuotedPacket> parse_quoted_packet(Bytes octets);

// RFC 1122 §3.2.2, RFC 4443 §2.4(e): an ICMP message that must not be answered with an error: an error
// itself, or a redirect.
bool is_icmp_error(const QuotedPacket& packet);

}  // namespace transom::ip
