// What an address means to this host: ours, somebody's, or nobody's. Also keeps the routes that our own
// addresses imply: the prefix of every usable address is on-link at its interface (RFC 1122 §3.3.1.1).
#pragma once

#include <vector>

#include "stack/ip/route_table.h"
#include "stack/link/link_layer.h"

namespace transom::ip {

class Addresses {
 public:
  Addresses(link::LinkLayer& link, RouteTable& routes) : link_(link), routes_(routes) {}

  // True for an address that is usable on any interface, and for 127/8 and ::1.
  bool is_local(const IpAddress& address) const;
  // Not unspecified, multicast, reserved (240/4) or broadcast of any kind.
  bool is_unicast(const IpAddress& address) const;
  // The interface to whose subnet `address` is the directed broadcast; nullptr when there is none.
  link::Interface* broadcast_interface(const IpAddress& address, InterfaceId bound = InterfaceId::kAny) const;

  link::Interface* loopback() const;
  // The first interface off this host with a usable address of this family, or the one asked for.
  link::Interface* default_interface(IpFamily family, InterfaceId bound) const;
  // The one and only interface off this host; nullptr when there are none or several.
  link::Interface* only_interface() const;

  // Addresses have come or gone: brings the connected routes up to date.
  void update();
  // Changes with every update(), from 1.
  std::uint64_t generation() const { return generation_; }

 private:
  link::LinkLayer& link_;
  RouteTable& routes_;
  std::uint64_t generation_ = 1;
  std::vector<Route> connected_;  // those that update() added
};

// Addresses that are in nobody's use as a unicast address whatever the host's configuration (RFC 1122
// §3.2.1.3, RFC 4291).
bool is_reserved(const IpAddress& address);

}  // namespace transom::ip
