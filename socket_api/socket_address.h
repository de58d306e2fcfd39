// sockaddr_in and sockaddr_in6 to and from the addresses of the stack.
//
// The stack keeps an IPv4 address in its IPv4-mapped form, which is how an AF_INET6 socket shows it: nothing
// to convert. sin6_scope_id is the number of an interface.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>

#include "socket_api/outcome.h"
#include "stack/base/address.h"

namespace transom::sockets {

// What struct sockaddr_ll holds: packet(7).
struct LinkAddress {
  std::uint16_t protocol = 0;  // ETH_P_..., in host order
  InterfaceId interface = InterfaceId::kAny;
  std::uint16_t hardware_type = 0;  // ARPHRD_...
  std::uint8_t packet_type = 0;     // PACKET_HOST, ...
  std::uint8_t length = 0;          // of the address, octets
  std::array<std::uint8_t, 8> octets{};
};

struct SocketAddress {
  Endpoint endpoint;
  InterfaceId scope = InterfaceId::kAny;  // of a link-local IPv6 address
  LinkAddress link = {};                  // of AF_PACKET instead of the others
};

IpAddress to_address(const in_addr& address);
IpAddress to_address(const in6_addr& address);
in_addr to_in_addr(const IpAddress& address);    // 0.0.0.0 for one that is not IPv4
in6_addr to_in6_addr(const IpAddress& address);  // IPv4-mapped for IPv4

constexpr IpFamily family_of(int domain) { return domain == AF_INET6 ? IpFamily::kIpv6 : IpFamily::kIpv4; }

// An address for a socket of `domain`, checked as bind(2), connect(2) and sendto(2) check it: EFAULT, EINVAL
// when too short, EAFNOSUPPORT.
Outcome<SocketAddress> read_address(int domain, const sockaddr* address, socklen_t length);
// The same of bind(2): AF_UNSPEC is as good as AF_INET with the address 0.0.0.0.
Outcome<SocketAddress> read_bind_address(int domain, const sockaddr* address, socklen_t length);
// The same of a datagram's destination: AF_UNSPEC is as good as AF_INET, and an IPv6 socket takes AF_INET
// too.
Outcome<SocketAddress> read_destination(int domain, const sockaddr* address, socklen_t length);
bool is_unspecified_family(const sockaddr* address,
                           socklen_t length);  // AF_UNSPEC: connect() then disconnects

// As getsockname(2): writes what fits of `*length` and says how long it really is. EINVAL for a negative
// length, EFAULT.
Outcome<void> write_address(int domain, const SocketAddress& from, sockaddr* address, socklen_t* length);

}  // namespace transom::sockets
