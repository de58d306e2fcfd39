// Finds the way to an address: interface, next hop and source. Done once per destination and change of
// routes, not per packet.
//
// Our own addresses are reached through the loopback interface, by whichever interface they belong to; 127/8
// and ::1 never by another (RFC 1122 §3.2.1.3). Link-local destinations are on-link, never behind a gateway
// (RFC 3927 §2.6.2), and need an interface unless there is only one. A gateway that does not answer is passed
// over for an equal one (RFC 1122 §3.3.1.4).
#pragma once

#include <vector>

#include "stack/base/context.h"
#include "stack/base/error.h"
#include "stack/ip/addresses.h"
#include "stack/ip/destination.h"
#include "stack/ip/route_table.h"

namespace transom::ip {

class Routing {
 public:
  Routing(Context& context, link::LinkLayer& link, RouteTable& routes, const Addresses& addresses)
      : context_(context), link_(link), routes_(routes), addresses_(addresses) {}

  // Fills in the answer for destination.address and bound. kNetworkUnreachable, kAddressNotAvailable.
  Result<void> resolve(Destination& destination) const;

  // Nobody answers for `next_hop`: for a while it is not used as a gateway where there is another.
  void gateway_failed(const link::Interface& interface, const IpAddress& next_hop);

 private:
  struct Way {
    link::Interface* interface = nullptr;
    IpAddress next_hop;
    std::optional<IpAddress> source;
  };
  struct DeadGateway {
    IpAddress address;
    InterfaceId interface;
    Instant until;
  };

  Result<void> resolve_local(Destination& destination) const;
  Way group_way(const Destination& destination) const;
  Way unicast_way(const Destination& destination) const;
  std::optional<IpAddress> choose_source(const link::Interface& outgoing, const IpAddress& destination) const;
  bool is_alive(const Route& route) const;

  Context& context_;
  link::LinkLayer& link_;
  RouteTable& routes_;
  const Addresses& addresses_;
  std::vector<DeadGateway> dead_gateways_;  // at most one per gateway of the route table
};

}  // namespace transom::ip
