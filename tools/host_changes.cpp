#include "tools/host_changes.h"

#include "tools/failure.h"

namespace transom::tools {

namespace {

using nlohmann::json;

std::string word_of(const json& request, const char* key) { return request.value(key, std::string()); }

IpPrefix prefix_of(const json& request, const char* key) {
  const std::string written = word_of(request, key);
  if (written == "default")
    return {IpAddress::any(word_of(request, "family") == "inet6" ? IpFamily::kIpv6 : IpFamily::kIpv4), 0};
  const auto prefix = IpPrefix::parse(written);
  if (!prefix) fail(Exit::kUsage, "'{}' is no address; write 10.9.0.2/24 or fd09::2/64", written);
  return *prefix;
}

IpAddress address_of(const json& request, const char* key) {
  const auto address = IpAddress::parse(word_of(request, key));
  if (!address) fail(Exit::kUsage, "'{}' is no address; write 10.9.0.1 or fd09::1", word_of(request, key));
  return *address;
}

link::Interface& interface_of(Host& host, const json& request) {
  const std::string name = word_of(request, "interface");
  if (name.empty()) fail(Exit::kUsage, "which interface? write: dev NAME");
  for (const auto& interface : host.link().interfaces()) {
    if (interface->name() == name) return *interface;
  }
  fail(Exit::kUsage, "there is no interface '{}'; transom ip addr shows them", name);
}

void check(const Result<void>& done, const std::string& what) {
  if (!done) fail(Exit::kFailed, "{}: {}", what, to_string(done.error()));
}

void change_address(Host& host, const std::string& verb, const json& request) {
  link::Interface& interface = interface_of(host, request);
  if (verb == "flush") {
    const auto addresses = interface.addresses();
    for (const link::InterfaceAddress& entry : addresses)
      check(host.link().remove_address(interface, entry.prefix.address), to_string(entry.prefix));
    return;
  }
  const IpPrefix prefix = prefix_of(request, "prefix");
  check(verb == "delete" ? host.link().remove_address(interface, prefix.address)
                         : host.link().add_address(interface, prefix),
        to_string(prefix));
}

// The interface that is named, or the one on whose link the gateway is.
InterfaceId route_interface(Host& host, const json& request, const std::optional<IpAddress>& gateway) {
  if (!word_of(request, "interface").empty() || !gateway) return interface_of(host, request).id();
  for (const auto& interface : host.link().interfaces()) {
    if (interface->is_on_link(*gateway)) return interface->id();
  }
  fail(Exit::kUsage, "the gateway {} is on no link of the host; name one: dev NAME", to_string(*gateway));
}

void change_route(Host& host, const std::string& verb, const json& request) {
  ip::RouteTable& routes = host.ip().routes();
  ip::Route route{.prefix = prefix_of(request, "prefix").network()};
  if (!word_of(request, "gateway").empty()) route.gateway = address_of(request, "gateway");
  if (!word_of(request, "source").empty()) route.source = address_of(request, "source");
  route.metric = request.value("metric", 0U);
  if (verb == "delete") {  // the first that is as was said, as ip(8)
    for (const ip::Route& known : routes.routes()) {
      const auto agrees = [&](const char* key, bool is_same) { return !request.contains(key) || is_same; };
      const link::Interface* const interface = host.link().interface(known.interface);
      const std::string name = interface == nullptr ? "" : interface->name();
      if (known.prefix != route.prefix || !agrees("gateway", known.gateway == route.gateway) ||
          !agrees("metric", known.metric == route.metric) ||
          !agrees("interface", name == word_of(request, "interface")))
        continue;
      routes.remove(ip::Route(known));
      return;
    }
    fail(Exit::kFailed, "there is no such route to {}", to_string(route.prefix));
  }
  route.interface = route_interface(host, request, route.gateway);
  if (route.gateway && route.gateway->family() != route.prefix.address.family())
    fail(Exit::kUsage, "{} is of another family than {}", to_string(*route.gateway), to_string(route.prefix));
  if (verb == "replace") {
    const auto known = routes.routes();
    for (const ip::Route& other : known) {
      if (other.prefix == route.prefix && other.metric == route.metric) routes.remove(other);
    }
  }
  if (!routes.add(route)) fail(Exit::kFailed, "the route to {} exists", to_string(route.prefix));
}

void change_neighbour(Host& host, const std::string& verb, const json& request) {
  link::LinkLayer& link = host.link();
  if (verb == "flush") {
    for (const link::NeighbourInfo& neighbour : link.neighbours()) {
      link::Interface* const interface = link.interface(neighbour.interface);
      const std::string only = word_of(request, "interface");
      if (interface == nullptr || (!only.empty() && interface->name() != only) ||
          neighbour.state == link::NeighbourState::kPermanent)
        continue;
      (void)link.forget(*interface, neighbour.address);
    }
    return;
  }
  link::Interface& interface = interface_of(host, request);
  const IpAddress address = address_of(request, "address");
  if (verb == "delete") return check(link.forget(interface, address), to_string(address));
  const auto mac = MacAddress::parse(word_of(request, "mac"));
  if (!mac)
    fail(Exit::kUsage, "'{}' is no MAC address; write: lladdr 02:00:00:00:00:01", word_of(request, "mac"));
  check(link.set_permanent(interface, address, *mac), to_string(address));
}

void change_link(Host& host, const json& request) {
  constexpr std::uint32_t kLeast = 68, kMost = 65535;  // RFC 791 §3.2
  link::Interface& interface = interface_of(host, request);
  const auto mtu = request.value("mtu", 0U);
  if (mtu < kLeast || mtu > kMost) fail(Exit::kUsage, "an mtu is {} to {}, not {}", kLeast, kMost, mtu);
  interface.set_mtu(mtu);
  host.ip().routes().touch();  // what was found out about ways may be different now
}

}  // namespace

void change_host(Host& host, const json& request) {
  const std::string what = word_of(request, "change");
  const std::string verb = word_of(request, "verb");
  if (what == "address") return change_address(host, verb, request);
  if (what == "route") return change_route(host, verb, request);
  if (what == "neighbour") return change_neighbour(host, verb, request);
  if (what == "link") return change_link(host, request);
  fail(Exit::kUsage, "a host cannot change its '{}'", what);
}

json route_to(Host& host, const std::string& written) {
  const auto address = IpAddress::parse(written);
  if (!address) fail(Exit::kUsage, "'{}' is no address; write 10.9.0.1 or fd09::1", written);
  const auto way = host.ip().destination(*address);
  if (!way) fail(Exit::kFailed, "{}: {}", written, to_string(way.error()));
  ip::Destination& destination = **way;
  json route = {{"destination", written},
                {"family", address->is_v4() ? "inet" : "inet6"},
                {"interface", destination.interface == nullptr ? "" : destination.interface->name()},
                {"source", to_string(destination.source)},
                {"metric", 0},
                {"mtu", host.ip().path_mtu(destination)}};
  if (!destination.is_local && destination.next_hop != *address)
    route["gateway"] = to_string(destination.next_hop);
  return route;
}

}  // namespace transom::tools
