// What a protocol is called.
#pragma once

#include <string_view>

#include "stack/base/address.h"

namespace transom::tools {

// "IP" for one without a name here.
constexpr std::string_view protocol_name(IpProtocol protocol) {
  switch (protocol) {
    case IpProtocol::kTcp:
      return "TCP";
    case IpProtocol::kUdp:
      return "UDP";
    case IpProtocol::kIcmp:
      return "ICMP";
    case IpProtocol::kIgmp:
      return "IGMP";
    case IpProtocol::kIcmpv6:
      return "ICMPv6";
    default:
      return "IP";
  }
}

}  // namespace transom::tools
