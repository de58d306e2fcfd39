// Which ICMP messages are errors: they quote the packet that they are about.
#pragma once

#include "stack/base/address.h"

namespace transom::drivers {

// RFC 792: unreachable, source quench, redirect, time exceeded, parameter problem. RFC 4443 §2.1: the high
// bit of the type is not set.
constexpr bool is_icmp_error(IpProtocol protocol, std::uint8_t type) {
  if (protocol == IpProtocol::kIcmpv6) return type < 128;
  return protocol == IpProtocol::kIcmp && (type == 3 || type == 4 || type == 5 || type == 11 || type == 12);
}

}  // namespace transom::drivers
