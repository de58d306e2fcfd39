// ICMP errors that we send (RFC 792, RFC 1122 §3.2.2, RFC 4443 §2.4): whether one may be sent at all, how
// much it quotes, how many.
#pragma once

#include "stack/ip/output.h"
#include "stack/ip/rate_limiter.h"
#include "stack/ip/transport.h"

namespace transom::ip {

struct IcmpErrorMessage {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t rest = 0;          // pointer or MTU
  bool even_to_multicast = false;  // RFC 4443 §2.4(e.3): packet too big, and parameter problem code 2

  static IcmpErrorMessage port_unreachable(IpFamily family);
  // `pointer` is the offset of the octet that names the protocol; IPv6 only.
  static IcmpErrorMessage protocol_unreachable(IpFamily family, std::uint32_t pointer);
  static IcmpErrorMessage reassembly_timeout(IpFamily family);
  // What only routers say.
  static IcmpErrorMessage hop_limit_exceeded(IpFamily family);
  static IcmpErrorMessage no_route(IpFamily family);
  static IcmpErrorMessage host_unreachable(IpFamily family);
  static IcmpErrorMessage too_big(IpFamily family, std::uint32_t mtu);  // of the next link, octets
  static IcmpErrorMessage beyond_scope();                               // IPv6 only
  // RFC 4443 §3.4.
  enum class Problem : std::uint8_t { kHeaderField = 0, kNextHeader = 1, kOption = 2, kIncompleteChain = 3 };
  static IcmpErrorMessage parameter_problem(Problem problem, std::size_t pointer);
};

class IcmpErrors {
 public:
  IcmpErrors(Context& context, const IpConfig& config, const Addresses& addresses,
             DestinationCache& destinations, Output& output);

  // Reports to the sender of `original`, which starts at its IP header, if that is allowed.
  void send(const IcmpErrorMessage& message, const Received& cause, const Packet& original);

 private:
  bool may_be_reported(const IcmpErrorMessage& message, const Received& cause, const Packet& original) const;
  Packet compose(const IcmpErrorMessage& message, IpFamily family, const Packet& original) const;

  Context& context_;
  const Addresses& addresses_;
  DestinationCache& destinations_;
  Output& output_;
  RateLimiter limiter_;
};

}  // namespace transom::ip
