// Extension headers of IPv6 as options of a socket and as control messages: RFC 3542 §6 to §9, and the older
// forms of RFC 2292, as Linux has them.
#pragma once

#include "socket_api/outcome.h"
#include "stack/base/address.h"
#include "stack/base/bytes.h"
#include "stack/ip/extension_headers.h"

namespace transom::sockets {

struct Incoming;
struct IpSettings;
struct SocketKind;

// What a socket asks for of what it receives.
struct ReceivedExtensions {
  bool hop_by_hop = false;   // IPV6_RECVHOPOPTS
  bool destination = false;  // IPV6_RECVDSTOPTS
  bool routing = false;      // IPV6_RECVRTHDR
  bool old_hop_by_hop = false;
  bool old_destination = false;
  bool old_routing = false;
};

// Level IPPROTO_IPV6.
bool is_extension_option(int name);
// EINVAL for what is no such header, and for a routing header that may not be sent; EOPNOTSUPP for headers of
// TCP.
Outcome<void> set_extension_option(const SocketKind& kind, IpSettings& settings, int name, Bytes value);
Outcome<std::size_t> get_extension_option(const IpSettings& settings, int name, MutableBytes out);

// A control message of sendmsg(2): adds to `headers`. False for one that is not of this kind. EINVAL as
// above.
Outcome<bool> read_extension_control(ip::ExtensionHeaders& headers, int type, Bytes data);

// The control messages of one datagram that came with `headers`, the first of which is a `first`.
void write_extension_control(const ReceivedExtensions& wanted, Bytes headers, IpProtocol first,
                             Incoming& message);
void write_old_extension_control(const ReceivedExtensions& wanted, Bytes headers, IpProtocol first,
                                 Incoming& message);

}  // namespace transom::sockets
