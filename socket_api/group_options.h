// The options by which a socket joins multicast groups: ip(7), ipv6(7), and those of RFC 3678 for either.
#pragma once

#include "socket_api/ip_settings.h"

namespace transom::sockets {

// IP_ADD_MEMBERSHIP and its kin, IP_MULTICAST_ALL among them, at level IPPROTO_IP or IPPROTO_IPV6.
bool is_group_option(int level, int name);
Outcome<void> set_group_option(Session& session, IpSettings& settings, int level, int name, Bytes value);
// `out` holds what was asked: the filters are got for a group that it names.
Outcome<std::size_t> get_group_option(Session& session, const IpSettings& settings, int level, int name,
                                      MutableBytes out);

// The interface that a membership is for: the one that is named, the one with that address, the one on the
// way to the group, or the first that is not the loopback interface; nullptr when there is none.
link::Interface* choose_group_interface(Session& session, int index, const IpAddress& address,
                                        const IpAddress& group);

// ip_mreqn, or its shorter forms ip_mreq and (for IP_MULTICAST_IF) in_addr.
Outcome<ip_mreqn> read_multicast_request(Bytes value, bool may_be_address);

}  // namespace transom::sockets
