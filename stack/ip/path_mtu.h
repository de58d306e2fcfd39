// Path MTU discovery (RFC 1191, RFC 8201): what the path to a destination takes, lowered by validated
// reports, forgotten after a while so that a better path is found again. The interface's own MTU counts at
// once.
#pragma once

#include "stack/base/context.h"
#include "stack/ip/destination.h"

namespace transom::ip {

class PathMtu {
 public:
  // RFC 8200 §5, RFC 8201 §4: no report may take an IPv6 path below this.
  static constexpr std::uint32_t kMinIpv6 = 1280;

  PathMtu(Context& context, Duration timeout, std::uint32_t min_v4)
      : context_(context), timeout_(timeout), min_v4_(min_v4) {}

  std::uint32_t current(Destination& destination) const;
  // Takes a report to heart; never raises. False when it changes nothing.
  bool learn(Destination& destination, std::uint32_t mtu) const;

 private:
  Context& context_;
  Duration timeout_;
  std::uint32_t min_v4_;
};

// The next smaller of the MTUs in use, for a router that does not tell its own (RFC 1191 §7): what to try
// when a packet of `size` octets was too big.
std::uint32_t plateau_below(std::uint32_t size);

}  // namespace transom::ip
