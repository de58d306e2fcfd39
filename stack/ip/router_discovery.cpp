#include "stack/ip/router_discovery.h"

#include <algorithm>

namespace transom::ip {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// RFC 7559 §2.1.
constexpr Duration kFirstInterval = seconds(4);
constexpr Duration kLastInterval = seconds(3600);
constexpr std::uint32_t kForEver = 0xffffffff;

std::uint32_t metric_of(wire::RouterPreference preference) {
  return RouterDiscovery::kMetric - 1 + static_cast<std::uint32_t>(preference);  // the high one is first
}

constexpr IpPrefix kEverything{IpAddress(), 0};

template <typename Entries>
void drop_expired(Entries& entries, Instant now) {
  std::erase_if(entries, [now](const auto& entry) { return entry.until <= now; });
}

template <typename Entries>
Instant first_expiry(const Entries& entries, Instant next) {
  for (const auto& entry : entries) next = std::min(next, entry.until);
  return next;
}

}  // namespace

Instant RouterDiscovery::after(std::uint32_t lifetime) const {
  return lifetime == kForEver ? kNever : context_.now + seconds(lifetime);
}

// ---------------------------------------------------------------- asking

void RouterDiscovery::start(link::Interface& interface, const AutoconfigurationOptions& options) {
  slaac_.start(interface, options.addresses);
  const auto [place, is_new] = states_.try_emplace(interface.id(), *this, interface);
  if (!is_new) return;
  State& state = place->second;
  state.solicitation.start(
      context_.timers, context_.now + context_.random.between(Duration::zero(), options.solicitation_delay));
}

// RFC 7559 §2: again, each time twice as late, give or take a tenth of the time before.
void RouterDiscovery::solicit(State& state) {
  link_.solicit_routers(state.interface);
  const Duration before = state.solicitation_interval;
  Duration next = 2 * before;
  Duration spread = before / 10;
  if (before == Duration::zero() || next > kLastInterval) {
    next = before == Duration::zero() ? kFirstInterval : kLastInterval;
    spread = next / 10;
  }
  state.solicitation_interval = context_.random.between(next - spread, next + spread);
  state.solicitation.start(context_.timers, context_.now + state.solicitation_interval);
}

bool RouterDiscovery::has_router(InterfaceId interface) const {
  const auto state = states_.find(interface);
  return state != states_.end() && std::ranges::any_of(state->second.routes, [](const LearntRoute& learnt) {
           return learnt.route.gateway && learnt.route.prefix == kEverything;
         });
}

// ---------------------------------------------------------------- what is said

bool RouterDiscovery::has_room_for(const State& state, const IpAddress& router) const {
  const bool is_known = std::ranges::any_of(
      state.routes, [&](const LearntRoute& learnt) { return learnt.route.gateway == router; });
  return is_known || state.routes.size() < kMaxRoutes;
}

bool RouterDiscovery::receive(link::Interface& interface, const IpAddress& router,
                              const wire::RouterAdvertisement& advertisement) {
  const auto found = states_.find(interface.id());
  if (found == states_.end()) return false;
  State& state = found->second;
  if (!has_room_for(state, router)) return false;
  const bool had_router = has_router(interface.id());
  Route route{.prefix = kEverything,
              .gateway = router,
              .interface = interface.id(),
              .metric = metric_of(advertisement.preference)};
  set_route(state, route, advertisement.router_lifetime);
  // RFC 7559 §2.1: until one answers that is a default router.
  if (advertisement.router_lifetime != 0) state.solicitation.cancel();
  take_link_parameters(state, advertisement);
  take_prefixes(state, advertisement.options);
  for (const wire::NdpRoute& more : advertisement.options.routes) {
    route.prefix = more.prefix;
    route.metric = metric_of(more.preference);
    if (more.prefix.length == 0 || !more.prefix.address.is_link_local())
      set_route(state, route, more.lifetime);
  }
  take_dns(state, advertisement.options);
  follow_loss(state, had_router);
  restart(state);
  return true;
}

// RFC 4861 §6.3.4: zero is "not said"; what cannot be is not believed.
void RouterDiscovery::take_link_parameters(State& state, const wire::RouterAdvertisement& advertisement) {
  constexpr std::uint32_t kMinMtu = 1280;
  constexpr std::uint32_t kMaxReachable = 3'600'000;  // RFC 4861 §6.2.1
  link::AdvertisedLink& link = state.interface.advertised();
  if (advertisement.hop_limit != 0) link.hop_limit = advertisement.hop_limit;
  if (advertisement.reachable_time != 0 && advertisement.reachable_time <= kMaxReachable)
    link.reachable_time = milliseconds(advertisement.reachable_time);
  // Less would let a router make us shout, more would leave us mute.
  if (advertisement.retrans_timer != 0)
    link.retrans_timer =
        std::clamp<Duration>(milliseconds(advertisement.retrans_timer), milliseconds(100), seconds(10));
  const auto mtu = advertisement.options.mtu;
  if (mtu && *mtu >= kMinMtu && *mtu <= state.interface.mtu() && *mtu != link.mtu) {
    link.mtu = *mtu;
    routes_.touch();
  }
}

void RouterDiscovery::take_prefixes(State& state, const wire::NdpOptions& options) {
  for (std::size_t i = 0; i < options.prefix_count; ++i) {
    const wire::NdpPrefixInformation& information = options.prefixes[i];
    const IpPrefix prefix = information.prefix.network();
    if (prefix.address.is_link_local() || prefix.address.is_multicast()) continue;
    if (information.on_link) {
      const Route route{.prefix = prefix, .interface = state.interface.id(), .metric = kMetric};
      set_route(state, route, information.valid_lifetime);
    }
    if (information.autonomous)
      slaac_.advertised(state.interface, prefix, information.valid_lifetime, information.preferred_lifetime);
  }
}

// RFC 8106 §5.3.1: what is new goes to the end, and only if there is room.
void RouterDiscovery::take_dns(State& state, const wire::NdpOptions& options) {
  for (const wire::NdpDnsServers& list : options.dns_servers) {
    for (const IpAddress& server : list.servers) {
      const auto known = std::ranges::find(state.dns_servers, server, &DnsServer::address);
      if (known != state.dns_servers.end()) {
        known->until = after(list.lifetime);
      } else if (list.lifetime != 0 && state.dns_servers.size() < kMaxDnsServers) {
        state.dns_servers.push_back({server, after(list.lifetime)});
      }
    }
  }
  for (const wire::NdpSearchDomains& list : options.search_domains) {
    for (const std::string& domain : list.domains) {
      const auto known = std::ranges::find(state.search_domains, domain, &SearchDomain::name);
      if (known != state.search_domains.end()) {
        known->until = after(list.lifetime);
      } else if (list.lifetime != 0 && state.search_domains.size() < kMaxSearchDomains) {
        state.search_domains.push_back({domain, after(list.lifetime)});
      }
    }
  }
}

// The same way, by whatever preference it was known before. A lifetime of zero takes it away.
void RouterDiscovery::set_route(State& state, const Route& route, std::uint32_t lifetime) {
  const auto known = std::ranges::find_if(state.routes, [&](const LearntRoute& learnt) {
    return learnt.route.prefix == route.prefix && learnt.route.gateway == route.gateway;
  });
  if (known != state.routes.end()) {
    known->until = after(lifetime);
    if (lifetime != 0 && known->route.metric == route.metric) return;
    routes_.remove(known->route);
    if (lifetime == 0) {
      state.routes.erase(known);
      return list_prefixes(state);
    }
    known->route = route;
  } else {
    if (lifetime == 0 || state.routes.size() >= kMaxRoutes) return;
    state.routes.push_back({route, after(lifetime)});
  }
  routes_.add(route);
  list_prefixes(state);
}

void RouterDiscovery::list_prefixes(State& state) {
  std::vector<IpPrefix>& prefixes = state.interface.advertised().prefixes;
  prefixes.clear();
  for (const LearntRoute& learnt : state.routes) {
    if (!learnt.route.gateway) prefixes.push_back(learnt.route.prefix);
  }
}

DnsConfiguration RouterDiscovery::dns(InterfaceId interface) const {
  DnsConfiguration configuration;
  const auto state = states_.find(interface);
  if (state == states_.end()) return configuration;
  for (const DnsServer& server : state->second.dns_servers) configuration.servers.push_back(server.address);
  for (const SearchDomain& domain : state->second.search_domains)
    configuration.search_domains.push_back(domain.name);
  return configuration;
}

// ---------------------------------------------------------------- lifetimes

void RouterDiscovery::expire(State& state) {
  const bool had_router = has_router(state.interface.id());
  for (const LearntRoute& learnt : state.routes) {
    if (learnt.until <= context_.now) routes_.remove(learnt.route);
  }
  drop_expired(state.routes, context_.now);
  drop_expired(state.dns_servers, context_.now);
  drop_expired(state.search_domains, context_.now);
  list_prefixes(state);
  follow_loss(state, had_router);
  restart(state);
}

// Nobody is left to lead out, or somebody says so who may lie: ask again, from the start.
void RouterDiscovery::follow_loss(State& state, bool had_router) {
  if (!had_router || has_router(state.interface.id())) return;
  state.solicitation_interval = Duration::zero();
  solicit(state);
}

void RouterDiscovery::restart(State& state) {
  const Instant next =
      first_expiry(state.search_domains, first_expiry(state.dns_servers, first_expiry(state.routes, kNever)));
  if (next == kNever) return state.expiry.cancel();
  state.expiry.start(context_.timers, next);
}

}  // namespace transom::ip
