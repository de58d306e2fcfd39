#include "socket_api/socket_address.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace transom::sockets {

namespace {

// RFC 2133 had no sin6_scope_id, and Linux still takes that.
constexpr socklen_t kShortIpv6Address = 24;

template <typename Address>
Address copy_in(const sockaddr* address, socklen_t length) {
  Address copy{};
  std::memcpy(&copy, address, std::min<std::size_t>(length, sizeof copy));
  return copy;
}

template <typename Address>
void copy_out(const Address& from, sockaddr* address, socklen_t* length) {
  if (*length > 0) std::memcpy(address, &from, std::min<std::size_t>(*length, sizeof from));
  *length = sizeof from;
}

}  // namespace

IpAddress to_address(const in_addr& address) { return IpAddress::v4(ntohl(address.s_addr)); }

IpAddress to_address(const in6_addr& address) {
  std::array<std::uint8_t, 16> octets{};
  std::memcpy(octets.data(), &address, octets.size());
  return IpAddress::v6(octets);
}

in_addr to_in_addr(const IpAddress& address) {
  return {.s_addr = address.is_v4() ? htonl(address.v4_value()) : INADDR_ANY};
}

in6_addr to_in6_addr(const IpAddress& address) {
  in6_addr result{};
  std::memcpy(&result, address.octets().data(), sizeof result);
  return result;
}

bool is_unspecified_family(const sockaddr* address, socklen_t length) {
  return address != nullptr && length >= sizeof address->sa_family &&
         copy_in<sockaddr>(address, length).sa_family == AF_UNSPEC;
}

namespace {

Outcome<SocketAddress> read_link_address(const sockaddr* address, socklen_t length) {
  if (length < sizeof(sockaddr_ll)) return fail(EINVAL);
  const auto link = copy_in<sockaddr_ll>(address, length);
  if (link.sll_family != AF_PACKET) return fail(EINVAL);
  if (link.sll_ifindex < 0 || link.sll_ifindex > UINT16_MAX) return fail(ENODEV);
  if (link.sll_halen > sizeof link.sll_addr) return fail(EINVAL);
  SocketAddress result;
  result.link = {.protocol = ntohs(link.sll_protocol),
                 .interface = static_cast<InterfaceId>(link.sll_ifindex),
                 .hardware_type = link.sll_hatype,
                 .packet_type = link.sll_pkttype,
                 .length = link.sll_halen};
  std::memcpy(result.link.octets.data(), link.sll_addr, sizeof link.sll_addr);
  return result;
}

sockaddr_ll to_sockaddr(const LinkAddress& link) {
  sockaddr_ll result{};
  result.sll_family = AF_PACKET;
  result.sll_protocol = htons(link.protocol);
  result.sll_ifindex = static_cast<int>(link.interface);
  result.sll_hatype = link.hardware_type;
  result.sll_pkttype = link.packet_type;
  result.sll_halen = link.length;
  std::memcpy(result.sll_addr, link.octets.data(), sizeof result.sll_addr);
  return result;
}

// The family that is named, of an address that is no longer than any.
Outcome<sa_family_t> read_family(const sockaddr* address, socklen_t length) {
  if (address == nullptr) return fail(EFAULT);
  if (length < sizeof address->sa_family || length > sizeof(sockaddr_storage)) return fail(EINVAL);
  return copy_in<sockaddr>(address, length).sa_family;
}

Outcome<SocketAddress> read_ipv4(const sockaddr* address, socklen_t length) {
  if (length < sizeof(sockaddr_in)) return fail(EINVAL);
  const auto ipv4 = copy_in<sockaddr_in>(address, length);
  return SocketAddress{{to_address(ipv4.sin_addr), static_cast<Port>(ntohs(ipv4.sin_port))}};
}

Outcome<SocketAddress> read_ipv6(const sockaddr* address, socklen_t length) {
  if (length < kShortIpv6Address) return fail(EINVAL);
  const auto ipv6 = copy_in<sockaddr_in6>(address, length);
  SocketAddress result{{to_address(ipv6.sin6_addr), static_cast<Port>(ntohs(ipv6.sin6_port))}};
  if (result.endpoint.address.is_link_local()) result.scope = static_cast<InterfaceId>(ipv6.sin6_scope_id);
  return result;
}

}  // namespace

Outcome<SocketAddress> read_address(int domain, const sockaddr* address, socklen_t length) {
  const auto family = read_family(address, length);
  if (!family) return std::unexpected(family.error());
  if (domain == AF_PACKET) return read_link_address(address, length);
  const auto result = domain == AF_INET ? read_ipv4(address, length) : read_ipv6(address, length);
  if (result && *family != domain) return fail(EAFNOSUPPORT);
  return result;
}

Outcome<SocketAddress> read_bind_address(int domain, const sockaddr* address, socklen_t length) {
  const auto family = read_family(address, length);
  if (family && domain == AF_INET && *family == AF_UNSPEC) {
    const auto result = read_ipv4(address, length);
    if (result && !result->endpoint.address.is_unspecified()) return fail(EAFNOSUPPORT);
    return result;
  }
  return read_address(domain, address, length);
}

Outcome<SocketAddress> read_destination(int domain, const sockaddr* address, socklen_t length) {
  const auto family = read_family(address, length);
  if (!family) return std::unexpected(family.error());
  const bool is_ipv4 = domain == AF_INET ? *family == AF_INET || *family == AF_UNSPEC : *family == AF_INET;
  return is_ipv4 ? read_ipv4(address, length) : read_address(domain, address, length);
}

Outcome<void> write_address(int domain, const SocketAddress& from, sockaddr* address, socklen_t* length) {
  if (length == nullptr) return fail(EFAULT);
  if (static_cast<int>(*length) < 0) return fail(EINVAL);
  if (address == nullptr && *length > 0) return fail(EFAULT);
  const IpAddress& ip = from.endpoint.address;
  if (domain == AF_PACKET) {
    copy_out(to_sockaddr(from.link), address, length);
  } else if (domain == AF_INET) {
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(to_number(from.endpoint.port));
    ipv4.sin_addr.s_addr = ip.is_v4() ? htonl(ip.v4_value()) : INADDR_ANY;
    copy_out(ipv4, address, length);
  } else {
    sockaddr_in6 ipv6{};
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(to_number(from.endpoint.port));
    if (!ip.is_unspecified()) std::memcpy(&ipv6.sin6_addr, ip.octets().data(), sizeof ipv6.sin6_addr);
    if (ip.is_v6() && ip.is_link_local()) ipv6.sin6_scope_id = static_cast<std::uint32_t>(from.scope);
    copy_out(ipv6, address, length);
  }
  return {};
}

}  // namespace transom::sockets
