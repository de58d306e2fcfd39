// The routing table: longest prefix first, then lowest metric, then the oldest. Linear storage sorted by
// prefix length; looked up once per destination, not per packet (see destination.h).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "stack/base/address.h"

namespace transom::ip {

struct Route {
  IpPrefix prefix;                                  // host bits cleared
  std::optional<IpAddress> gateway = std::nullopt;  // none: on-link
  InterfaceId interface{};
  std::uint32_t metric = 0;
  std::optional<IpAddress> source = std::nullopt;  // preferred source address

  friend bool operator==(const Route&, const Route&) = default;
};

class RouteTable {
 public:
  // False when an equal route (prefix, gateway, interface, metric) exists.
  bool add(Route route);
  bool remove(const Route& route);
  void remove_interface(InterfaceId interface);

  // The best route to `destination`, restricted to `interface` unless that is kAny.
  const Route* lookup(const IpAddress& destination, InterfaceId interface = InterfaceId::kAny) const;
  // The same, but among routes of the best prefix length the first that `is_alive` says yes to; when none is,
  // the best.
  template <typename IsAlive>
  const Route* lookup(const IpAddress& destination, InterfaceId interface, IsAlive is_alive) const {
    const Route* const best = lookup(destination, interface);
    if (best == nullptr || is_alive(*best)) return best;
    for (const Route& route : routes_) {
      const bool is_equal =
          route.prefix == best->prefix && (interface == InterfaceId::kAny || route.interface == interface);
      if (is_equal && is_alive(route)) return &route;
    }
    return best;
  }

  const std::vector<Route>& routes() const { return routes_; }
  // Changes whenever the table does.
  std::uint64_t generation() const { return generation_; }
  void touch() { ++generation_; }

 private:
  std::vector<Route> routes_;  // the best first
  std::uint64_t generation_ = 1;
};

}  // namespace transom::ip
