// What the routers of a link say, put to use (RFC 4861 §6.3, RFC 4191, RFC 8106): default routers and other
// routes, on-link prefixes, the link's parameters, DNS servers. Addresses are formed by Slaac (slaac.h).
//
//   start(interface) ─► solicitations, 4 s apart and then ever more, until a router answers (RFC 7559)
//   advertisement    ─► RouteTable, Interface::advertised(), Slaac, DnsConfiguration; each with its lifetime
//
// Everything that an advertisement can make grow has a limit; beyond it what is new is ignored, so that who
// floods cannot drive out what is in use. A router that is not known as such yet may not fill the tables:
// its advertisement is taken as a whole or not at all.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "stack/ip/route_table.h"
#include "stack/ip/slaac.h"
#include "stack/link/link_layer.h"

namespace transom::ip {

struct AutoconfigurationOptions {
  SlaacOptions addresses;
  // Before the first solicitation, at random (RFC 4861 §6.3.7: 1 s), so that hosts which start together do
  // not ask together.
  Duration solicitation_delay = std::chrono::seconds(1);
};

// What routers say of the DNS; the first heard first.
struct DnsConfiguration {
  std::vector<IpAddress> servers;
  std::vector<std::string> search_domains;
};

class RouterDiscovery {
 public:
  static constexpr std::size_t kMaxRoutes = 32;  // per interface: through routers and on-link
  static constexpr std::size_t kMaxDnsServers = 8;
  static constexpr std::size_t kMaxSearchDomains = 8;
  static constexpr std::uint32_t kMetric = 1024;  // of a route of medium preference, as Linux

  RouterDiscovery(Context& context, link::LinkLayer& link, RouteTable& routes)
      : context_(context), link_(link), routes_(routes), slaac_(context, link) {}
  RouterDiscovery(const RouterDiscovery&) = delete;
  RouterDiscovery& operator=(const RouterDiscovery&) = delete;

  // From now on, advertisements on this interface count.
  void start(link::Interface& interface, const AutoconfigurationOptions& options);
  bool is_started(InterfaceId interface) const { return states_.contains(interface); }
  // Whether a router has answered yet.
  bool has_router(InterfaceId interface) const;
  DnsConfiguration dns(InterfaceId interface) const;

  // A valid advertisement; false when it is not to be used.
  bool receive(link::Interface& interface, const IpAddress& router,
               const wire::RouterAdvertisement& advertisement);
  // Addresses have come, gone, or turned out to be another's.
  void follow_addresses() { slaac_.follow_addresses(); }

 private:
  struct LearntRoute {
    Route route;
    Instant until;
  };
  struct DnsServer {
    IpAddress address;
    Instant until;
  };
  struct SearchDomain {
    std::string name;
    Instant until;
  };
  struct State {
    State(RouterDiscovery& the_discovery, link::Interface& the_interface)
        : discovery(the_discovery), interface(the_interface) {}
    void on_solicitation() { discovery.solicit(*this); }
    void on_expiry() { discovery.expire(*this); }

    RouterDiscovery& discovery;
    link::Interface& interface;
    std::vector<LearntRoute> routes;
    std::vector<DnsServer> dns_servers;
    std::vector<SearchDomain> search_domains;
    Duration solicitation_interval{};
    Timer solicitation{call_member<&State::on_solicitation>, this};
    Timer expiry{call_member<&State::on_expiry>, this};
  };

  void solicit(State& state);
  void expire(State& state);
  void follow_loss(State& state, bool had_router);
  void restart(State& state);
  void take_link_parameters(State& state, const wire::RouterAdvertisement& advertisement);
  void take_prefixes(State& state, const wire::NdpOptions& options);
  void take_dns(State& state, const wire::NdpOptions& options);
  void set_route(State& state, const Route& route, std::uint32_t lifetime);
  bool has_room_for(const State& state, const IpAddress& router) const;
  void list_prefixes(State& state);
  Instant after(std::uint32_t seconds) const;

  Context& context_;
  link::LinkLayer& link_;
  RouteTable& routes_;
  Slaac slaac_;
  std::map<InterfaceId, State> states_;
};

}  // namespace transom::ip
