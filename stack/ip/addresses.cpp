#include "stack/ip/addresses.h"

#include <algorithm>

namespace transom::ip {

namespace {

bool is_off_host(const link::Interface& interface) { return interface.type() != link::LinkType::kLoopback; }

bool has_usable(const link::Interface& interface, IpFamily family) {
  return std::ranges::any_of(interface.addresses(), [&](const link::InterfaceAddress& entry) {
    return entry.is_usable() && entry.prefix.address.family() == family;
  });
}

}  // namespace

bool is_reserved(const IpAddress& address) {
  if (address.is_v6()) return address.is_unspecified();
  const std::uint32_t first_octet = address.v4_value() >> 24;
  return first_octet == 0 || first_octet >= 240;  // "this network"; class E with the limited broadcast
}

bool Addresses::is_local(const IpAddress& address) const {
  if (address.is_loopback()) return true;
  return std::ranges::any_of(link_.interfaces(), [&](const auto& interface) {
    return interface->usable_address(address) != nullptr;
  });
}

bool Addresses::is_unicast(const IpAddress& address) const {
  return !is_reserved(address) && !address.is_multicast() && broadcast_interface(address) == nullptr;
}

link::Interface* Addresses::broadcast_interface(const IpAddress& address, InterfaceId bound) const {
  if (address.is_v6()) return nullptr;
  for (const auto& interface : link_.interfaces()) {
    if (bound != InterfaceId::kAny && interface->id() != bound) continue;
    if (interface->is_directed_broadcast(address)) return interface.get();
  }
  return nullptr;
}

link::Interface* Addresses::loopback() const {
  for (const auto& interface : link_.interfaces()) {
    if (!is_off_host(*interface)) return interface.get();
  }
  return nullptr;
}

link::Interface* Addresses::default_interface(IpFamily family, InterfaceId bound) const {
  for (const auto& interface : link_.interfaces()) {
    if (bound != InterfaceId::kAny && interface->id() != bound) continue;
    if (bound == interface->id() || (is_off_host(*interface) && has_usable(*interface, family)))
      return interface.get();
  }
  return nullptr;
}

link::Interface* Addresses::only_interface() const {
  link::Interface* only = nullptr;
  for (const auto& interface : link_.interfaces()) {
    if (!is_off_host(*interface)) continue;
    if (only != nullptr) return nullptr;
    only = interface.get();
  }
  return only;
}

void Addresses::update() {
  ++generation_;
  std::vector<Route> wanted;
  for (const auto& interface : link_.interfaces()) {
    if (!is_off_host(*interface)) continue;
    for (const link::InterfaceAddress& entry : interface->addresses()) {
      if (!entry.is_usable() || !entry.traits.has_link_prefix) continue;
      Route route{.prefix = entry.prefix.network(),
                  .gateway = std::nullopt,
                  .interface = interface->id(),
                  .metric = 0,
                  .source = std::nullopt};
      if (std::ranges::find(wanted, route) == wanted.end()) wanted.push_back(route);
    }
  }
  for (const Route& route : connected_) {
    if (std::ranges::find(wanted, route) == wanted.end()) routes_.remove(route);
  }
  for (const Route& route : wanted) routes_.add(route);
  connected_ = std::move(wanted);
  routes_.touch();  // sources may have changed where routes have not
}

}  // namespace transom::ip
