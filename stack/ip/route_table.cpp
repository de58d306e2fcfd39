#include "stack/ip/route_table.h"

#include <algorithm>

namespace transom::ip {

namespace {

bool is_better(const Route& a, const Route& b) {
  if (a.prefix.length != b.prefix.length) return a.prefix.length > b.prefix.length;
  return a.metric < b.metric;
}

bool is_same(const Route& a, const Route& b) {
  return a.prefix == b.prefix && a.gateway == b.gateway && a.interface == b.interface && a.metric == b.metric;
}

}  // namespace

bool RouteTable::add(Route route) {
  route.prefix = route.prefix.network();
  if (std::ranges::any_of(routes_, [&](const Route& other) { return is_same(route, other); })) return false;
  routes_.insert(std::ranges::upper_bound(routes_, route, is_better),
                 route);  // behind its equals: the oldest wins
  touch();
  return true;
}

bool RouteTable::remove(const Route& route) {
  const auto found = std::ranges::find_if(routes_, [&](const Route& other) { return is_same(route, other); });
  if (found == routes_.end()) return false;
  routes_.erase(found);
  touch();
  return true;
}

void RouteTable::remove_interface(InterfaceId interface) {
  if (std::erase_if(routes_, [&](const Route& route) { return route.interface == interface; }) > 0) touch();
}

const Route* RouteTable::lookup(const IpAddress& destination, InterfaceId interface) const {
  const auto found = std::ranges::find_if(routes_, [&](const Route& route) {
    return (interface == InterfaceId::kAny || route.interface == interface) &&
           route.prefix.contains(destination);
  });
  return found == routes_.end() ? nullptr : &*found;
}

}  // namespace transom::ip
