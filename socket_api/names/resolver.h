// Names to addresses and back, for a Stack: numbers, the hosts file, the DNS; sorted as RFC 6724 §6 says,
// which needs the Stack's own addresses.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "socket_api/names/resolver_config.h"
#include "socket_api/socket_address.h"
#include "socket_api/stack_instance.h"

namespace transom::sockets {

class Socket;

struct Resolved {
  std::vector<SocketAddress> addresses;  // the best first; at least one
  std::string canonical_name;
};

// The configuration of the Stack, with what DHCP and routers have said where that leaves it open.
ResolverConfig effective_resolver(Stack& stack);

// `family`: AF_INET, AF_INET6 or AF_UNSPEC. The error is one of netdb.h's: EAI_NONAME, EAI_AGAIN (no answer
// for now), EAI_FAIL, EAI_ADDRFAMILY (a number of another family), EAI_MEMORY. Blocks; not within a Session.
std::expected<Resolved, int> resolve(Stack& stack, const std::string& name, int family = AF_UNSPEC,
                                     Port port = Port::kNone);
// A number alone, as "10.9.0.1", "fd09::1" or "fe80::1%eth0", where the zone is a name or number of an
// interface of the Stack.
std::optional<SocketAddress> parse_numeric(Stack& stack, const std::string& text);

// The name of an address: of the hosts file, else of the DNS. EAI_NONAME, EAI_AGAIN, EAI_FAIL.
std::expected<std::string, int> name_of(Stack& stack, const IpAddress& address);

// Connects a TCP socket to the first address of a name that answers (RFC 8305): both families in turn, the
// next one after 250 ms or when one has failed; the first to be connected stays. `error` is an errno:
// that of the last attempt that got an answer or none in time, else of the last; or ETIMEDOUT when `limit`
// has passed, or 0 when `lookup_error` is one of resolve().
struct ConnectFailure {
  int error = 0;
  int lookup_error = 0;
};
std::expected<std::shared_ptr<Socket>, ConnectFailure> connect_by_name(Stack& stack, const std::string& name,
                                                                       Port port, Duration limit);
// RFC 8305 §4: alternates the families, beginning with that of the first.
std::vector<SocketAddress> interleave(const std::vector<SocketAddress>& sorted);

}  // namespace transom::sockets
