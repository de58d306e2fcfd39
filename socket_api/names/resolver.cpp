#include "socket_api/names/resolver.h"

#include <ares.h>
#include <netdb.h>

#include <algorithm>
#include <charconv>

#include "socket_api/names/dns_channel.h"
#include "socket_api/names/hosts_file.h"
#include "stack/ip/source_selection.h"

namespace transom::sockets {

namespace {

int error_of(int ares_status) {
  switch (ares_status) {
    case ARES_SUCCESS:
      return 0;
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_EBADNAME:
    case ARES_ENONAME:
      return EAI_NONAME;
    case ARES_ENOMEM:
      return EAI_MEMORY;
    case ARES_ETIMEOUT:
    case ARES_ECONNREFUSED:
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
      return EAI_AGAIN;
    default:
      return EAI_FAIL;
  }
}

bool is_wanted(const IpAddress& address, int family) {
  return family == AF_UNSPEC || (family == AF_INET) == address.is_v4();
}

// RFC 6761 §6.3: never asked of anybody.
bool is_localhost(const std::string& name) {
  const std::string plain = plain_name(name);
  return plain == "localhost" || plain.ends_with(".localhost");
}

// The address from which a destination would be spoken to; none when it cannot be reached.
std::optional<ip::SourceCandidate> source_for(Session& session, const IpAddress& address) {
  const auto destination = session.host().ip().destination(address);
  if (!destination) return std::nullopt;
  const IpAddress& source = (*destination)->source;
  for (const auto& interface : session.host().link().interfaces()) {
    if (const auto* entry = interface->usable_address(source)) {
      return ip::SourceCandidate{.prefix = entry->prefix,
                                 .is_deprecated = entry->state == link::AddressState::kDeprecated,
                                 .is_on_outgoing_interface = true,
                                 .is_temporary = entry->traits.is_temporary};
    }
  }
  return ip::SourceCandidate{.prefix = {source, static_cast<std::uint8_t>(source.bits())}};
}

std::vector<SocketAddress> sorted(Stack& stack, const std::vector<IpAddress>& addresses, Port port) {
  Session session(stack);
  std::vector<ip::DestinationCandidate> candidates;
  for (const IpAddress& address : addresses) candidates.push_back({address, source_for(session, address)});
  ip::sort_destinations(candidates);
  std::vector<SocketAddress> result;
  for (const ip::DestinationCandidate& candidate : candidates) result.push_back({{candidate.address, port}});
  return result;
}

std::optional<InterfaceId> find_zone(Stack& stack, const std::string& zone) {
  Session session(stack);
  for (const auto& interface : session.host().link().interfaces()) {
    if (interface->name() == zone || std::to_string(static_cast<unsigned>(interface->id())) == zone)
      return interface->id();
  }
  return std::nullopt;
}

}  // namespace

ResolverConfig effective_resolver(Stack& stack) {
  Session session(stack);
  ResolverConfig config = stack.resolver();
  const ip::DnsConfiguration heard = session.host().dns();
  if (config.servers.empty()) {
    for (const IpAddress& server : heard.servers) config.servers.push_back({server, Port::kNone});
  }
  if (!config.search_domains) config.search_domains = heard.search_domains;
  return config;
}

std::optional<SocketAddress> parse_numeric(Stack& stack, const std::string& text) {
  const std::size_t percent = text.find('%');
  const auto address = IpAddress::parse(std::string_view(text).substr(0, percent));
  if (!address) return std::nullopt;
  if (percent == std::string::npos) return SocketAddress{{*address, Port::kNone}};
  const auto zone = find_zone(stack, text.substr(percent + 1));
  if (!zone || address->is_v4()) return std::nullopt;
  return SocketAddress{{*address, Port::kNone}, *zone};
}

std::expected<Resolved, int> resolve(Stack& stack, const std::string& name, int family, Port port) {
  if (auto number = parse_numeric(stack, name)) {
    if (!is_wanted(number->endpoint.address, family)) return std::unexpected(EAI_ADDRFAMILY);
    number->endpoint.port = port;
    return Resolved{{*number}, name};
  }
  constexpr std::size_t kMaxName = 254;  // with a dot at the end
  const bool is_printable = std::ranges::all_of(name, [](char c) { return c > ' ' && c < '\x7f'; });
  if (name.empty() || name.size() > kMaxName || !is_printable) return std::unexpected(EAI_NONAME);
  std::vector<IpAddress> addresses;
  const ResolverConfig config = effective_resolver(stack);
  if (!config.hosts_file.empty()) addresses = HostsFile::read(config.hosts_file).addresses_of(name);
  if (addresses.empty() && is_localhost(name))
    addresses = {IpAddress::loopback(IpFamily::kIpv6), IpAddress::loopback(IpFamily::kIpv4)};
  std::string canonical = name;
  if (addresses.empty()) {
    if (config.servers.empty()) return std::unexpected(EAI_AGAIN);
    const DnsAnswer answer = DnsChannel(stack, config).addresses_of(name, family);
    if (answer.status != ARES_SUCCESS) return std::unexpected(error_of(answer.status));
    addresses = answer.addresses;
    if (!answer.name.empty()) canonical = answer.name;
  }
  std::erase_if(addresses, [family](const IpAddress& address) { return !is_wanted(address, family); });
  if (addresses.empty()) return std::unexpected(EAI_NONAME);
  return Resolved{sorted(stack, addresses, port), canonical};
}

std::expected<std::string, int> name_of(Stack& stack, const IpAddress& address) {
  const ResolverConfig config = effective_resolver(stack);
  if (!config.hosts_file.empty()) {
    std::string name = HostsFile::read(config.hosts_file).name_of(address);
    if (!name.empty()) return name;
  }
  if (address.is_loopback()) return "localhost";
  if (config.servers.empty()) return std::unexpected(EAI_AGAIN);
  const DnsAnswer answer = DnsChannel(stack, config).name_of(address);
  if (answer.status != ARES_SUCCESS) return std::unexpected(error_of(answer.status));
  return answer.name;
}

}  // namespace transom::sockets
