// ioctl(2) about interfaces: netdevice(7). The stack's interfaces, to look at.
#pragma once

#include "socket_api/outcome.h"
#include "socket_api/stack_instance.h"

struct ifreq;
struct ifconf;

namespace transom::sockets {

// SIOCGIFNAME, SIOCGIFINDEX, SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFNETMASK, SIOCGIFBRDADDR, SIOCGIFDSTADDR,
// SIOCGIFMTU, SIOCGIFHWADDR, SIOCGIFMETRIC, SIOCGIFTXQLEN.
bool is_interface_query(unsigned long request);
// ENODEV for an unknown interface, EADDRNOTAVAIL for one without an IPv4 address.
Outcome<void> query_interface(Session& session, unsigned long request, ifreq& argument);
// SIOCGIFCONF: the interfaces that have an IPv4 address.
Outcome<void> list_interfaces(Session& session, ifconf& argument);

}  // namespace transom::sockets
