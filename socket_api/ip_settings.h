// The options of levels IPPROTO_IP and IPPROTO_IPV6 that a socket keeps: ip(7), ipv6(7).
#pragma once

#include <netinet/in.h>

#include <memory>
#include <optional>

#include "socket_api/extension_options.h"
#include "socket_api/outcome.h"
#include "socket_api/stack_instance.h"
#include "stack/base/address.h"
#include "stack/base/bytes.h"
#include "stack/ip/group_member.h"

namespace transom::sockets {

struct SocketKind;

struct IpSettings {
  // What one family of packets has. An AF_INET6 socket with IPv4-mapped addresses uses both.
  struct Family {
    int hops = -1;          // IP_TTL, IPV6_UNICAST_HOPS; -1: the default of the stack
    int traffic_class = 0;  // IP_TOS, IPV6_TCLASS
    int multicast_hops = 1;
    bool multicast_loop = true;
    InterfaceId multicast_interface = InterfaceId::kAny;
    IpAddress multicast_address;          // by which the interface was named, for IP_MULTICAST_IF
    int mtu_discover = IP_PMTUDISC_WANT;  // IPV6_PMTUDISC_... have the same values
    int min_hops = 0;                     // IP_MINTTL, IPV6_MINHOPCOUNT
    bool receive_packet_info = false;
    bool receive_hops = false;
    bool receive_traffic_class = false;
    bool receive_errors = false;
    bool receive_original_destination = false;
    bool receive_old_packet_info = false;  // IPV6_2292PKTINFO
    bool receive_old_hops = false;         // IPV6_2292HOPLIMIT
  };

  Family ipv4;
  Family ipv6;
  std::vector<std::uint8_t> ipv4_options;  // IP_OPTIONS: of what is sent, in whole 32-bit words
  bool receive_ipv4_options = false;       // IP_RECVOPTS
  std::shared_ptr<const ip::ExtensionHeaders> extension_headers;  // of what is sent; nullptr: none
  ReceivedExtensions receive_extensions;
  bool free_bind = false;       // IP_FREEBIND: an address may be bound that is not ours (yet)
  bool auto_flow_label = true;  // IPV6_AUTOFLOWLABEL
  bool v6_only = false;
  bool bind_without_port = false;           // IP_BIND_ADDRESS_NO_PORT: kept; a port is chosen all the same
  std::shared_ptr<ip::GroupMember> groups;  // once one is joined; of this socket alone

  Family& of(IpFamily family) { return family == IpFamily::kIpv4 ? ipv4 : ipv6; }
  const Family& of(IpFamily family) const { return family == IpFamily::kIpv4 ? ipv4 : ipv6; }
  std::uint8_t hops_or_default(IpFamily family) const {  // 0: the default
    return static_cast<std::uint8_t>(std::max(of(family).hops, 0));
  }
};

// `level` is IPPROTO_IP or IPPROTO_IPV6; the latter fails with ENOPROTOOPT on an AF_INET socket.
Outcome<void> set_ip_option(Session& session, const SocketKind& kind, IpSettings& settings, int level,
                            int name, Bytes value);
Outcome<std::size_t> get_ip_option(Session& session, const SocketKind& kind, const IpSettings& settings,
                                   int level, int name, MutableBytes out);

}  // namespace transom::sockets
