#include "socket_api/ip_settings.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "socket_api/group_options.h"
#include "socket_api/option_value.h"
#include "socket_api/socket.h"
#include "stack/ip/ipv4_options.h"

namespace transom::sockets {

namespace {

template <typename T>
Outcome<void> set(T& place, const Outcome<int>& value) {
  if (!value) return std::unexpected(value.error());
  if constexpr (std::is_same_v<T, bool>) {
    place = *value != 0;
  } else {
    place = static_cast<T>(*value);
  }
  return {};
}

// ---------------------------------------------------------------- multicast

Outcome<void> set_multicast_interface(Session& session, IpSettings::Family& family, int index,
                                      const IpAddress& address) {
  if (index == 0 && address.is_unspecified()) {
    family.multicast_interface = InterfaceId::kAny;
    family.multicast_address = address;
    return {};
  }
  link::Interface* const interface = choose_group_interface(session, index, address, {});
  if (interface == nullptr) return index != 0 ? fail(ENODEV) : fail(EADDRNOTAVAIL);
  family.multicast_interface = interface->id();
  family.multicast_address = address;
  return {};
}

// ---------------------------------------------------------------- one level each

// The ECN bits of a stream are TCP's own: they cannot be set.
int settable(const SocketKind& kind, int traffic_class) {
  return traffic_class & (kind.type == SOCK_STREAM ? 0xfc : 0xff);
}

// <linux/in6.h>, which does not bear <netinet/in.h>.
constexpr int kFreeBindV6 = 78, kTransparentV6 = 75;

// RFC 1122 §3.2.1.8. As Linux pads: with the end of the list. Those of TCP are not sent.
Outcome<void> set_ipv4_header_options(const SocketKind& kind, IpSettings& settings, Bytes value) {
  constexpr std::size_t kMaxOptions = 40;
  if (kind.type == SOCK_STREAM && !value.empty()) return fail(EOPNOTSUPP);
  if (value.size() > kMaxOptions) return fail(EINVAL);
  std::vector<std::uint8_t> options(value.begin(), value.end());
  options.resize((options.size() + 3) / 4 * 4);
  if (!ip::may_send_ipv4_options(options)) return fail(EINVAL);
  settings.ipv4_options = std::move(options);
  return {};
}

Outcome<void> set_ipv4_option(Session& session, const SocketKind& kind, IpSettings& settings, int name,
                              Bytes value) {
  IpSettings::Family& family = settings.ipv4;
  switch (name) {
    case IP_TTL: {
      const auto ttl = read_ip_int(value, -1, 255);
      if (ttl && *ttl == 0) return fail(EINVAL);
      return set(family.hops, ttl);
    }
    case IP_TOS: {
      const auto tos = read_ip_int(value);
      return set(family.traffic_class, tos ? Outcome<int>(settable(kind, *tos)) : tos);
    }
    case IP_MTU_DISCOVER:
      return set(family.mtu_discover, read_ip_int(value, IP_PMTUDISC_DONT, IP_PMTUDISC_OMIT));
    case IP_PKTINFO:
      return set(family.receive_packet_info, read_ip_int(value));
    case IP_RECVTTL:
      return set(family.receive_hops, read_ip_int(value));
    case IP_RECVTOS:
      return set(family.receive_traffic_class, read_ip_int(value));
    case IP_RECVERR:
      return set(family.receive_errors, read_ip_int(value));
    case IP_RECVORIGDSTADDR:
      return set(family.receive_original_destination, read_ip_int(value));
    case IP_FREEBIND:
      return set(settings.free_bind, read_ip_int(value));
    case IP_TRANSPARENT: {
      const auto on = read_ip_int(value);
      return on && *on != 0 ? fail(EPERM) : Outcome<void>();
    }
    case IP_MINTTL: {
      const auto least = value.empty() ? fail(EINVAL) : read_ip_int(value, 0, 255);
      return set(family.min_hops, least);
    }
    case IP_OPTIONS:
      return set_ipv4_header_options(kind, settings, value);
    case IP_RECVOPTS:
      return set(settings.receive_ipv4_options, read_ip_int(value));
    case IP_BIND_ADDRESS_NO_PORT:
      return set(settings.bind_without_port, read_ip_int(value));
    case IP_MULTICAST_TTL: {
      const auto ttl = read_ip_int(value, -1, 255);
      return set(family.multicast_hops, ttl && *ttl == -1 ? Outcome<int>(1) : ttl);
    }
    case IP_MULTICAST_LOOP:
      return set(family.multicast_loop, read_ip_int(value));
    case IP_MULTICAST_IF: {
      const auto request = read_multicast_request(value, true);
      if (!request) return std::unexpected(request.error());
      return set_multicast_interface(session, family, request->imr_ifindex, to_address(request->imr_address));
    }
    default:
      return fail(ENOPROTOOPT);
  }
}

Outcome<std::size_t> get_ipv4_option(const IpSettings& settings, int name, MutableBytes out) {
  constexpr int kDefaultTtl = 64;
  const IpSettings::Family& family = settings.ipv4;
  switch (name) {
    case IP_TTL:
      return write_ip_int(out, family.hops < 0 ? kDefaultTtl : family.hops);
    case IP_TOS:
      return write_ip_int(out, family.traffic_class);
    case IP_MTU_DISCOVER:
      return write_ip_int(out, family.mtu_discover);
    case IP_PKTINFO:
      return write_ip_int(out, family.receive_packet_info);
    case IP_RECVTTL:
      return write_ip_int(out, family.receive_hops);
    case IP_RECVTOS:
      return write_ip_int(out, family.receive_traffic_class);
    case IP_RECVERR:
      return write_ip_int(out, family.receive_errors);
    case IP_RECVORIGDSTADDR:
      return write_ip_int(out, family.receive_original_destination);
    case IP_FREEBIND:
      return write_ip_int(out, settings.free_bind);
    case IP_TRANSPARENT:
      return write_ip_int(out, 0);
    case IP_MINTTL:
      return write_ip_int(out, family.min_hops);
    case IP_OPTIONS: {
      const std::size_t size = std::min(out.size(), settings.ipv4_options.size());
      std::copy_n(settings.ipv4_options.begin(), size, out.begin());
      return size;
    }
    case IP_RECVOPTS:
      return write_ip_int(out, settings.receive_ipv4_options);
    case IP_HDRINCL:
      return write_ip_int(out, 0);  // raw sockets have their own
    case IP_BIND_ADDRESS_NO_PORT:
      return write_ip_int(out, settings.bind_without_port);
    case IP_MULTICAST_TTL:
      return write_ip_int(out, family.multicast_hops);
    case IP_MULTICAST_LOOP:
      return write_ip_int(out, family.multicast_loop);
    case IP_MULTICAST_IF:
      return write_option(out, to_in_addr(family.multicast_address));
    default:
      return fail(ENOPROTOOPT);
  }
}

Outcome<void> set_ipv6_option(Session& session, const SocketKind& kind, IpSettings& settings, int name,
                              Bytes value) {
  IpSettings::Family& family = settings.ipv6;
  switch (name) {
    case IPV6_UNICAST_HOPS:
      return set(family.hops, read_int_option(value, -1, 255));
    case IPV6_TCLASS: {
      const auto traffic_class = read_int_option(value, -1, 255);
      return set(family.traffic_class,
                 traffic_class ? Outcome<int>(settable(kind, std::max(*traffic_class, 0))) : traffic_class);
    }
    case IPV6_MTU_DISCOVER:
      return set(family.mtu_discover, read_int_option(value, IPV6_PMTUDISC_DONT, IPV6_PMTUDISC_OMIT));
    case IPV6_DONTFRAG: {
      const auto on = read_option<int>(value);
      if (!on) return std::unexpected(on.error());
      family.mtu_discover = *on != 0 ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_WANT;
      return {};
    }
    case IPV6_RECVPKTINFO:
      return set(family.receive_packet_info, read_option<int>(value));
    case IPV6_RECVHOPLIMIT:
      return set(family.receive_hops, read_option<int>(value));
    case IPV6_2292PKTINFO:
      return set(family.receive_old_packet_info, read_option<int>(value));
    case IPV6_2292HOPLIMIT:
      return set(family.receive_old_hops, read_option<int>(value));
    case IPV6_RECVTCLASS:
      return set(family.receive_traffic_class, read_option<int>(value));
    case IPV6_RECVERR:
      return set(family.receive_errors, read_option<int>(value));
    case kFreeBindV6:
      return set(settings.free_bind, read_option<int>(value));
    case kTransparentV6: {
      const auto on = read_option<int>(value);
      return on && *on != 0 ? fail(EPERM) : Outcome<void>();
    }
    case IPV6_AUTOFLOWLABEL:
      return set(settings.auto_flow_label, read_option<int>(value));
    case IPV6_MINHOPCOUNT:
      return set(family.min_hops, read_int_option(value, 0, 255));
    case IPV6_RECVORIGDSTADDR:
      return set(family.receive_original_destination, read_option<int>(value));
    case IPV6_MULTICAST_HOPS: {
      const auto hops = read_int_option(value, -1, 255);
      return set(family.multicast_hops, hops && *hops == -1 ? Outcome<int>(1) : hops);
    }
    case IPV6_MULTICAST_LOOP:
      return set(family.multicast_loop, read_int_option(value, 0, 1));
    case IPV6_MULTICAST_IF: {
      const auto index = read_option<int>(value);
      if (!index) return std::unexpected(index.error());
      return set_multicast_interface(session, family, *index, IpAddress());
    }
    default:
      return fail(ENOPROTOOPT);
  }
}

Outcome<std::size_t> get_ipv6_option(const IpSettings& settings, int name, MutableBytes out) {
  constexpr int kDefaultHops = 64;
  const IpSettings::Family& family = settings.ipv6;
  switch (name) {
    case IPV6_V6ONLY:
      return write_bool_option(out, settings.v6_only);
    case IPV6_UNICAST_HOPS:
      return write_int_option(out, family.hops < 0 ? kDefaultHops : family.hops);
    case IPV6_TCLASS:
      return write_int_option(out, family.traffic_class);
    case IPV6_MTU_DISCOVER:
      return write_int_option(out, family.mtu_discover);
    case IPV6_DONTFRAG:
      return write_bool_option(out, family.mtu_discover == IPV6_PMTUDISC_DO);
    case IPV6_RECVPKTINFO:
      return write_bool_option(out, family.receive_packet_info);
    case IPV6_RECVHOPLIMIT:
      return write_bool_option(out, family.receive_hops);
    case IPV6_2292PKTINFO:
      return write_bool_option(out, family.receive_old_packet_info);
    case IPV6_2292HOPLIMIT:
      return write_bool_option(out, family.receive_old_hops);
    case IPV6_RECVTCLASS:
      return write_bool_option(out, family.receive_traffic_class);
    case IPV6_RECVERR:
      return write_bool_option(out, family.receive_errors);
    case kFreeBindV6:
      return write_bool_option(out, settings.free_bind);
    case kTransparentV6:
      return write_int_option(out, 0);
    case IPV6_AUTOFLOWLABEL:
      return write_bool_option(out, settings.auto_flow_label);
    case IPV6_MINHOPCOUNT:
      return write_int_option(out, family.min_hops);
    case IPV6_RECVORIGDSTADDR:
      return write_bool_option(out, family.receive_original_destination);
    case IPV6_MULTICAST_HOPS:
      return write_int_option(out, family.multicast_hops);
    case IPV6_MULTICAST_LOOP:
      return write_bool_option(out, family.multicast_loop);
    case IPV6_MULTICAST_IF:
      return write_int_option(out, static_cast<int>(family.multicast_interface));
    default:
      return fail(ENOPROTOOPT);
  }
}

// As Linux: a connection has one peer. Memberships of RFC 3678 are let be.
Outcome<void> check_of_stream(int level, int name, Bytes value) {
  if (level == IPPROTO_IP) {
    if (name == IP_MULTICAST_TTL || name == IP_MULTICAST_IF) return fail(EINVAL);
    return name == IP_ADD_MEMBERSHIP || name == IP_DROP_MEMBERSHIP ? fail(EPROTO) : Outcome<void>();
  }
  if (name == IPV6_MULTICAST_HOPS || name == IPV6_MULTICAST_IF) return fail(ENOPROTOOPT);
  const bool is_membership = name == IPV6_JOIN_GROUP || name == IPV6_LEAVE_GROUP;
  return is_membership && value.size() >= sizeof(ipv6_mreq) ? fail(EPROTO) : Outcome<void>();
}

}  // namespace

Outcome<void> set_ip_option(Session& session, const SocketKind& kind, IpSettings& settings, int level,
                            int name, Bytes value) {
  if (level == IPPROTO_IPV6 && kind.domain != AF_INET6) return fail(ENOPROTOOPT);
  if (kind.type == SOCK_STREAM) {
    if (const auto checked = check_of_stream(level, name, value); !checked) return checked;
  }
  if (is_group_option(level, name)) return set_group_option(session, settings, level, name, value);
  if (level == IPPROTO_IP) return set_ipv4_option(session, kind, settings, name, value);
  if (is_extension_option(name)) return set_extension_option(kind, settings, name, value);
  return set_ipv6_option(session, kind, settings, name, value);
}

Outcome<std::size_t> get_ip_option(Session& session, const SocketKind& kind, const IpSettings& settings,
                                   int level, int name, MutableBytes out) {
  if (level == IPPROTO_IPV6 && kind.domain != AF_INET6) return fail(ENOPROTOOPT);
  if (is_group_option(level, name)) return get_group_option(session, settings, level, name, out);
  if (level == IPPROTO_IP) return get_ipv4_option(settings, name, out);
  if (is_extension_option(name)) return get_extension_option(settings, name, out);
  return get_ipv6_option(settings, name, out);
}

}  // namespace transom::sockets
