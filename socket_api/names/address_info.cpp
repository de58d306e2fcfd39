// transom_getaddrinfo(), transom_getnameinfo() and what belongs to them.
#include <netdb.h>

#include <array>
#include <charconv>
#include <cstring>
#include <string>

#include "socket_api/c_call.h"
#include "socket_api/names/resolver.h"

namespace transom::sockets {

namespace {

// A sockaddr behind its addrinfo: one piece of memory.
struct Entry {
  addrinfo info{};
  sockaddr_storage address{};
};

struct Kind {
  int type;
  int protocol;
};
constexpr Kind kKinds[] = {{SOCK_STREAM, IPPROTO_TCP}, {SOCK_DGRAM, IPPROTO_UDP}};

bool fits(const Kind& kind, const addrinfo& hints) {
  return (hints.ai_socktype == 0 || hints.ai_socktype == kind.type) &&
         (hints.ai_protocol == 0 || hints.ai_protocol == kind.protocol);
}

// A number, or a name of services(5) for this kind of socket.
std::expected<Port, int> find_port(const char* service, const Kind& kind, int flags) {
  if (service == nullptr) return Port::kNone;
  const std::string_view text(service);
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size())
    return number <= UINT16_MAX ? std::expected<Port, int>(static_cast<Port>(number))
                                : std::unexpected(EAI_SERVICE);
  if ((flags & AI_NUMERICSERV) != 0) return std::unexpected(EAI_NONAME);
  servent storage{};
  servent* found = nullptr;
  std::array<char, 1024> room{};
  const char* const protocol = kind.protocol == IPPROTO_TCP ? "tcp" : "udp";
  if (getservbyname_r(service, protocol, &storage, room.data(), room.size(), &found) != 0 || found == nullptr)
    return std::unexpected(EAI_SERVICE);
  return static_cast<Port>(ntohs(static_cast<std::uint16_t>(found->s_port)));
}

// AI_ADDRCONFIG: the stack has an address of this family, beside those of the loopback interface.
bool has_family(Stack& stack, IpFamily family) {
  Session session(stack);
  for (const auto& interface : session.host().link().interfaces()) {
    if (interface->type() == link::LinkType::kLoopback) continue;
    for (const auto& entry : interface->addresses()) {
      if (entry.is_usable() && entry.prefix.address.family() == family) return true;
    }
  }
  return false;
}

std::expected<Resolved, int> find_addresses(Stack& stack, const char* node, const addrinfo& hints) {
  if (node == nullptr) {
    Resolved here;
    for (const IpFamily family : {IpFamily::kIpv6, IpFamily::kIpv4}) {
      if (hints.ai_family == (family == IpFamily::kIpv4 ? AF_INET6 : AF_INET)) continue;
      const bool is_passive = (hints.ai_flags & AI_PASSIVE) != 0;
      here.addresses.push_back(
          {{is_passive ? IpAddress::any(family) : IpAddress::loopback(family), Port::kNone}});
    }
    if (!hints.ai_family && (hints.ai_flags & AI_PASSIVE) != 0)
      std::swap(here.addresses[0], here.addresses[1]);
    return here;
  }
  if ((hints.ai_flags & AI_NUMERICHOST) != 0 && !parse_numeric(stack, node))
    return std::unexpected(EAI_NONAME);
  const bool maps = hints.ai_family == AF_INET6 && (hints.ai_flags & AI_V4MAPPED) != 0;
  auto found = resolve(stack, node, maps ? AF_UNSPEC : hints.ai_family);
  if (!found) return found;
  if (maps) {
    // IPv4 addresses, as mapped ones, count where there is no other, or with AI_ALL.
    const auto is_v4 = [](const SocketAddress& address) { return address.endpoint.address.is_v4(); };
    const bool has_v6 = !std::ranges::all_of(found->addresses, is_v4);
    if (has_v6 && (hints.ai_flags & AI_ALL) == 0) std::erase_if(found->addresses, is_v4);
  }
  if ((hints.ai_flags & AI_ADDRCONFIG) != 0 && !parse_numeric(stack, node)) {
    for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
      if (has_family(stack, family)) continue;
      std::erase_if(found->addresses, [family](const SocketAddress& address) {
        return address.endpoint.address.family() == family && !address.endpoint.address.is_loopback();
      });
    }
    if (found->addresses.empty()) return std::unexpected(EAI_NONAME);
  }
  return found;
}

void append(addrinfo*** tail, const SocketAddress& address, const Kind& kind, int family_hint) {
  auto* const entry = new Entry;
  const bool is_v4 = address.endpoint.address.is_v4() && family_hint != AF_INET6;
  socklen_t length = sizeof entry->address;
  (void)write_address(is_v4 ? AF_INET : AF_INET6, address, reinterpret_cast<sockaddr*>(&entry->address),
                      &length);
  entry->info.ai_family = is_v4 ? AF_INET : AF_INET6;
  entry->info.ai_socktype = kind.type;
  entry->info.ai_protocol = kind.protocol;
  entry->info.ai_addrlen = length;
  entry->info.ai_addr = reinterpret_cast<sockaddr*>(&entry->address);
  **tail = &entry->info;
  *tail = &entry->info.ai_next;
}

int get_address_info(Stack& stack, const char* node, const char* service, const addrinfo& hints,
                     addrinfo** result) {
  constexpr int kKnownFlags =
      AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST | AI_V4MAPPED | AI_ALL | AI_ADDRCONFIG | AI_NUMERICSERV;
  if (node == nullptr && service == nullptr) return EAI_NONAME;
  if ((hints.ai_flags & ~kKnownFlags) != 0 || ((hints.ai_flags & AI_CANONNAME) != 0 && node == nullptr))
    return EAI_BADFLAGS;
  if (hints.ai_family != AF_UNSPEC && hints.ai_family != AF_INET && hints.ai_family != AF_INET6)
    return EAI_FAMILY;
  std::vector<std::pair<Kind, Port>> kinds;
  int service_error = EAI_SOCKTYPE;
  for (const Kind& kind : kKinds) {
    if (!fits(kind, hints)) continue;
    const auto port = find_port(service, kind, hints.ai_flags);
    if (port) {
      kinds.emplace_back(kind, *port);
    } else {
      service_error = port.error();
    }
  }
  if (kinds.empty()) return service_error;
  auto found = find_addresses(stack, node, hints);
  if (!found) return found.error();
  addrinfo* first = nullptr;
  addrinfo** tail = &first;
  for (SocketAddress& address : found->addresses) {
    for (const auto& [kind, port] : kinds) {
      address.endpoint.port = port;
      append(&tail, address, kind, hints.ai_family);
    }
  }
  if ((hints.ai_flags & AI_CANONNAME) != 0) first->ai_canonname = strdup(found->canonical_name.c_str());
  *result = first;
  return 0;
}

// Everything, or EAI_OVERFLOW.
int put(const std::string& text, char* out, socklen_t size) {
  if (text.size() + 1 > size) return EAI_OVERFLOW;
  std::memcpy(out, text.c_str(), text.size() + 1);
  return 0;
}

std::string service_name(Port port, int flags) {
  if ((flags & NI_NUMERICSERV) == 0) {
    servent storage{};
    servent* found = nullptr;
    std::array<char, 1024> room{};
    const int number = htons(to_number(port));
    const char* const protocol = (flags & NI_DGRAM) != 0 ? "udp" : "tcp";
    if (getservbyport_r(number, protocol, &storage, room.data(), room.size(), &found) == 0 &&
        found != nullptr)
      return found->s_name;
  }
  return std::to_string(to_number(port));
}

int get_name_info(Stack& stack, const sockaddr* address, socklen_t length, char* host, socklen_t host_size,
                  char* service, socklen_t service_size, int flags) {
  if (address == nullptr || (host == nullptr && service == nullptr)) return EAI_NONAME;
  if (address->sa_family != AF_INET && address->sa_family != AF_INET6) return EAI_FAMILY;
  const auto read = read_address(address->sa_family, address, length);
  if (!read) return EAI_FAMILY;
  if (host != nullptr && host_size > 0) {
    std::string text = to_string(read->endpoint.address);
    if (read->scope != InterfaceId::kAny && read->endpoint.address.is_link_local()) {
      Session session(stack);
      const link::Interface* const interface = session.host().link().interface(read->scope);
      if (interface != nullptr) text += "%" + interface->name();
    }
    if ((flags & NI_NUMERICHOST) == 0) {
      const auto name = name_of(stack, read->endpoint.address);
      if (name) {
        text = *name;
      } else if ((flags & NI_NAMEREQD) != 0) {
        return name.error();
      }
    } else if ((flags & NI_NAMEREQD) != 0) {
      return EAI_NONAME;
    }
    if (const int error = put(text, host, host_size); error != 0) return error;
  }
  if (service != nullptr && service_size > 0)
    return put(service_name(read->endpoint.port, flags), service, service_size);
  return 0;
}

// Runs `call`; no exception leaves the library.
template <typename Call>
int guarded(Call call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return EAI_MEMORY;
  }
}

std::vector<std::string> texts(const char* const* list) {
  std::vector<std::string> all;
  for (; list != nullptr && *list != nullptr; ++list) all.emplace_back(*list);
  return all;
}

Outcome<ResolverConfig> read_config(const transom_resolver& given) {
  ResolverConfig config;
  for (const std::string& text : texts(given.servers)) {
    // An address, or an address and a port: "10.9.0.1", "10.9.0.1:5353", "[fd09::1]:5353".
    std::string address = text;
    unsigned port = 0;
    const std::size_t colon = text.rfind(':');
    const bool is_bracketed = text.starts_with('[');
    if (colon != std::string::npos && (is_bracketed || text.find(':') == colon)) {
      const char* const end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, port);
      if (error != std::errc() || stop != end || port == 0 || port > UINT16_MAX) return fail(EINVAL);
      address = is_bracketed ? text.substr(1, colon - 2) : text.substr(0, colon);
    }
    const auto parsed = IpAddress::parse(address);
    if (!parsed) return fail(EINVAL);
    config.servers.push_back({*parsed, static_cast<Port>(port)});
  }
  if (given.search != nullptr) config.search_domains = texts(given.search);
  if (given.ndots > 0) config.ndots = static_cast<int>(given.ndots);
  if (given.timeout > 0) config.timeout = std::chrono::milliseconds(given.timeout);
  if (given.attempts > 0) config.attempts = static_cast<int>(given.attempts);
  if (given.hosts_file != nullptr) config.hosts_file = given.hosts_file;
  return config;
}

}  // namespace

}  // namespace transom::sockets

int transom_set_resolver(transom_stack* stack, const transom_resolver* resolver) {
  using namespace transom::sockets;
  return report(with_session(stack, [&](Session&) -> Outcome<void> {
    if (resolver == nullptr) return fail(EFAULT);
    auto config = read_config(*resolver);
    if (!config) return std::unexpected(config.error());
    stack->stack.set_resolver(std::move(*config));
    return {};
  }));
}

int transom_getaddrinfo(transom_stack* stack, const char* node, const char* service, const addrinfo* hints,
                        addrinfo** result) {
  using namespace transom::sockets;
  return guarded([&] {
    return get_address_info(stack->stack, node, service, hints != nullptr ? *hints : addrinfo{}, result);
  });
}

void transom_freeaddrinfo(addrinfo* result) {
  while (result != nullptr) {
    addrinfo* const next = result->ai_next;
    free(result->ai_canonname);
    delete reinterpret_cast<transom::sockets::Entry*>(result);
    result = next;
  }
}

int transom_getnameinfo(transom_stack* stack, const sockaddr* address, socklen_t length, char* host,
                        socklen_t host_size, char* service, socklen_t service_size, int flags) {
  using namespace transom::sockets;
  return guarded([&] {
    return get_name_info(stack->stack, address, length, host, host_size, service, service_size, flags);
  });
}

int transom_connect_by_name(transom_stack* stack, const char* node, unsigned short port, int timeout,
                            int* lookup_error) {
  using namespace transom::sockets;
  try {
    const transom::Duration limit =
        timeout < 0 ? transom::Duration::max() : transom::Duration(std::chrono::milliseconds(timeout));
    const auto connected = connect_by_name(stack->stack, node, static_cast<transom::Port>(port), limit);
    if (lookup_error != nullptr) *lookup_error = connected ? 0 : connected.error().lookup_error;
    if (!connected) {
      errno = connected.error().lookup_error != 0 ? EHOSTUNREACH : connected.error().error;
      return -1;
    }
    Session session(stack->stack);
    const auto number = stack->descriptors.add(*connected);
    if (!number) (*connected)->close(session);
    return report(number);
  } catch (const std::bad_alloc&) {
    errno = ENOMEM;
    return -1;
  }
}
