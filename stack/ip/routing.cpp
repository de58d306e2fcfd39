#include "stack/ip/routing.h"

#include <algorithm>

#include "stack/ip/source_selection.h"

namespace transom::ip {

namespace {

constexpr Duration kGatewayDeadTime = std::chrono::seconds(60);

void assign(Destination& destination, link::Interface& interface, const IpAddress& next_hop,
            const IpAddress& source) {
  // What was learnt about the old path says nothing about another.
  if (destination.interface != &interface || destination.next_hop != next_hop) {
    destination.learnt_mtu = 0;
    destination.mtu_is_locked = false;
    destination.neighbour = {};
  }
  destination.interface = &interface;
  destination.next_hop = next_hop;
  destination.source = source;
}

}  // namespace

Result<void> Routing::resolve(Destination& destination) const {
  const IpAddress& address = destination.address;
  destination.is_multicast = address.is_multicast();
  destination.is_broadcast =
      address.is_limited_broadcast() || addresses_.broadcast_interface(address, destination.bound) != nullptr;
  destination.is_local = addresses_.is_local(address);
  if (destination.is_local) return resolve_local(destination);
  if (is_reserved(address) && !destination.is_broadcast) return std::unexpected(Error::kNetworkUnreachable);

  Way way = destination.is_multicast || destination.is_broadcast ? group_way(destination)
                                                                 : unicast_way(destination);
  if (way.interface == nullptr) return std::unexpected(Error::kNetworkUnreachable);
  const auto source = way.source ? way.source : choose_source(*way.interface, address);
  if (!source) return std::unexpected(Error::kAddressNotAvailable);
  if (destination.redirect) {
    if (way.interface == destination.interface && way.next_hop == destination.redirect->routed_hop) {
      way.next_hop = destination.redirect->target;
    } else {
      destination.redirect.reset();  // the routes have changed: they know better
    }
  }
  assign(destination, *way.interface, way.next_hop, *source);
  destination.generation = routes_.generation();
  return {};
}

Result<void> Routing::resolve_local(Destination& destination) const {
  link::Interface* const loopback = addresses_.loopback();
  if (loopback == nullptr) return std::unexpected(Error::kNetworkUnreachable);
  const IpAddress& address = destination.address;
  assign(destination, *loopback, address,
         address.is_loopback() ? IpAddress::loopback(address.family()) : address);
  destination.generation = routes_.generation();
  return {};
}

Routing::Way Routing::group_way(const Destination& destination) const {
  const IpAddress& address = destination.address;
  if (destination.is_broadcast && !address.is_limited_broadcast()) {
    return {addresses_.broadcast_interface(address, destination.bound), address, std::nullopt};
  }
  // A configured multicast route decides; a default route does not.
  const Route* const route = routes_.lookup(address, destination.bound);
  if (route != nullptr && route->prefix.length > 0)
    return {link_.interface(route->interface), address, route->source};
  return {addresses_.default_interface(address.family(), destination.bound), address, std::nullopt};
}

Routing::Way Routing::unicast_way(const Destination& destination) const {
  const IpAddress& address = destination.address;
  if (address.is_v6() && address.is_link_local()) {
    link::Interface* interface = destination.bound == InterfaceId::kAny ? addresses_.only_interface()
                                                                        : link_.interface(destination.bound);
    if (interface != nullptr && interface->type() == link::LinkType::kLoopback) interface = nullptr;
    return {interface, address, std::nullopt};
  }
  const Route* const route = routes_.lookup(address, destination.bound,
                                            [this](const Route& candidate) { return is_alive(candidate); });
  if (route == nullptr) return {};
  const bool is_direct = !route->gateway || address.is_link_local();
  std::optional<IpAddress> source = route->source;
  if (source && !addresses_.is_local(*source)) source.reset();
  return {link_.interface(route->interface), is_direct ? address : *route->gateway, source};
}

// RFC 6724 §4: the candidates are the addresses of the outgoing interface; where that has none for the
// destination's family, all others off this host (an unnumbered link).
std::optional<IpAddress> Routing::choose_source(const link::Interface& outgoing,
                                                const IpAddress& destination) const {
  std::vector<SourceCandidate> candidates;
  const auto collect = [&](const link::Interface& interface) {
    for (const link::InterfaceAddress& entry : interface.addresses()) {
      if (!entry.is_usable() || entry.prefix.address.family() != destination.family()) continue;
      candidates.push_back({entry.prefix, entry.state == link::AddressState::kDeprecated,
                            &interface == &outgoing, entry.traits.is_temporary});
    }
  };
  collect(outgoing);
  if (candidates.empty()) {
    for (const auto& interface : link_.interfaces()) {
      if (interface->type() != link::LinkType::kLoopback) collect(*interface);
    }
    std::erase_if(candidates,
                  [](const SourceCandidate& candidate) { return candidate.prefix.address.is_link_local(); });
  }
  return select_source(candidates, destination);
}

bool Routing::is_alive(const Route& route) const {
  if (!route.gateway) return true;
  return std::ranges::none_of(dead_gateways_, [&](const DeadGateway& dead) {
    return dead.address == *route.gateway && dead.interface == route.interface && context_.now < dead.until;
  });
}

void Routing::gateway_failed(const link::Interface& interface, const IpAddress& next_hop) {
  const bool is_gateway = std::ranges::any_of(routes_.routes(), [&](const Route& route) {
    return route.gateway == next_hop && route.interface == interface.id();
  });
  if (!is_gateway) return;
  std::erase_if(dead_gateways_, [&](const DeadGateway& dead) { return dead.until <= context_.now; });
  const bool is_known = std::ranges::any_of(dead_gateways_, [&](const DeadGateway& dead) {
    return dead.address == next_hop && dead.interface == interface.id();
  });
  if (is_known) return;
  dead_gateways_.push_back({next_hop, interface.id(), context_.now + kGatewayDeadTime});
  routes_.touch();
}

}  // namespace transom::ip
