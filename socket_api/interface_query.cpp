#include "socket_api/interface_query.h"

#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "socket_api/socket_address.h"

namespace transom::sockets {

namespace {

const link::Interface* find(Session& session, std::string_view name) {
  for (const auto& interface : session.host().link().interfaces()) {
    if (interface->name() == name) return interface.get();
  }
  return nullptr;
}

const IpPrefix* ipv4_of(const link::Interface& interface) {
  for (const link::InterfaceAddress& address : interface.addresses()) {
    if (address.prefix.address.is_v4()) return &address.prefix;
  }
  return nullptr;
}

void write(sockaddr& place, std::uint32_t address) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_addr.s_addr = htonl(address);
  std::memcpy(&place, &result, sizeof result);
}

std::uint32_t mask_of(const IpPrefix& prefix) {
  const int length = static_cast<int>(prefix.length);
  return length == 0 ? 0 : ~std::uint32_t{0} << (32 - length);
}

Outcome<void> write_address(unsigned long request, const link::Interface& interface, ifreq& argument) {
  const IpPrefix* const prefix = ipv4_of(interface);
  if (prefix == nullptr) return fail(EADDRNOTAVAIL);
  const std::uint32_t address = prefix->address.v4_value();
  switch (request) {
    case SIOCGIFNETMASK:
      write(argument.ifr_netmask, mask_of(*prefix));
      return {};
    case SIOCGIFBRDADDR:
      write(argument.ifr_broadaddr,
            interface.type() == link::LinkType::kEthernet ? address | ~mask_of(*prefix) : 0);
      return {};
    default:
      write(argument.ifr_addr, address);
      return {};
  }
}

short flags_of(const link::Interface& interface) {
  switch (interface.type()) {
    case link::LinkType::kLoopback:
      return IFF_UP | IFF_RUNNING | IFF_LOOPBACK;
    case link::LinkType::kPointToPoint:
      return IFF_UP | IFF_RUNNING | IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST;
    case link::LinkType::kEthernet:
      break;
  }
  return IFF_UP | IFF_RUNNING | IFF_BROADCAST | IFF_MULTICAST;
}

void write_hardware_address(const link::Interface& interface, sockaddr& place) {
  place = {};
  switch (interface.type()) {
    case link::LinkType::kLoopback:
      place.sa_family = ARPHRD_LOOPBACK;
      return;
    case link::LinkType::kPointToPoint:
      place.sa_family = ARPHRD_NONE;
      return;
    case link::LinkType::kEthernet:
      place.sa_family = ARPHRD_ETHER;
      std::memcpy(place.sa_data, interface.mac().octets().data(), interface.mac().octets().size());
  }
}

}  // namespace

bool is_interface_query(unsigned long request) {
  switch (request) {
    case SIOCGIFNAME:
    case SIOCGIFINDEX:
    case SIOCGIFFLAGS:
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFNETMASK:
    case SIOCGIFBRDADDR:
    case SIOCGIFMTU:
    case SIOCGIFHWADDR:
    case SIOCGIFMETRIC:
    case SIOCGIFTXQLEN:
      return true;
    default:
      return false;
  }
}

Outcome<void> query_interface(Session& session, unsigned long request, ifreq& argument) {
  if (request == SIOCGIFNAME) {
    const int number = argument.ifr_ifindex;
    const link::Interface* const interface =
        number > 0 && number <= UINT16_MAX ? session.host().link().interface(static_cast<InterfaceId>(number))
                                           : nullptr;
    if (interface == nullptr) return fail(ENODEV);
    std::memset(argument.ifr_name, 0, sizeof argument.ifr_name);
    interface->name().copy(argument.ifr_name, sizeof argument.ifr_name - 1);
    return {};
  }
  const link::Interface* const interface =
      find(session, std::string_view(argument.ifr_name, strnlen(argument.ifr_name, IFNAMSIZ)));
  if (interface == nullptr) return fail(ENODEV);
  switch (request) {
    case SIOCGIFINDEX:
      argument.ifr_ifindex = static_cast<int>(interface->id());
      return {};
    case SIOCGIFFLAGS:
      argument.ifr_flags = flags_of(*interface);
      return {};
    case SIOCGIFMTU:
      argument.ifr_mtu = static_cast<int>(interface->mtu());
      return {};
    case SIOCGIFHWADDR:
      write_hardware_address(*interface, argument.ifr_hwaddr);
      return {};
    case SIOCGIFMETRIC:
      argument.ifr_metric = 0;
      return {};
    case SIOCGIFTXQLEN:
      argument.ifr_qlen = static_cast<int>(interface->config().transmit_limit);
      return {};
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFNETMASK:
    case SIOCGIFBRDADDR:
      return write_address(request, *interface, argument);
    default:
      return fail(ENOTTY);
  }
}

Outcome<void> list_interfaces(Session& session, ifconf& argument) {
  if (argument.ifc_len < 0) return fail(EINVAL);
  const std::size_t room = static_cast<std::size_t>(argument.ifc_len) / sizeof(ifreq);
  std::size_t count = 0;
  for (const auto& interface : session.host().link().interfaces()) {
    const IpPrefix* const prefix = ipv4_of(*interface);
    if (prefix == nullptr) continue;
    if (argument.ifc_req != nullptr) {
      if (count == room) break;
      ifreq& one = argument.ifc_req[count];
      one = {};
      interface->name().copy(one.ifr_name, sizeof one.ifr_name - 1);
      write(one.ifr_addr, prefix->address.v4_value());
    }
    ++count;
  }
  argument.ifc_len = static_cast<int>(count * sizeof(ifreq));
  return {};
}

}  // namespace transom::sockets
