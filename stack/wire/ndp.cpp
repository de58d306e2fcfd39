#include "stack/wire/ndp.h"

#include <algorithm>

#include "stack/wire/dns_name.h"
#include "stack/wire/ethernet.h"
#include "stack/wire/ipv6.h"

namespace transom::wire {

namespace {

enum OptionType : std::uint8_t {
  kSourceLinkAddress = 1,
  kTargetLinkAddress = 2,
  kPrefixInformation = 3,
  kMtu = 5,
  kNonce = 14,
  kRouteInformation = 24,
  kDnsServers = 25,
  kSearchDomains = 31,
};

constexpr std::size_t kUnit = 8;  // option lengths count units of 8 octets
constexpr std::size_t kPrefixSize = 32;

constexpr std::uint8_t kOnLink = 0x80;
constexpr std::uint8_t kAutonomous = 0x40;
constexpr std::uint8_t kRouter = 0x80;
constexpr std::uint8_t kSolicited = 0x40;
constexpr std::uint8_t kOverride = 0x20;
constexpr std::uint8_t kManaged = 0x80;
constexpr std::uint8_t kOtherConfig = 0x40;

std::array<std::uint8_t, 6> read_six(Reader& reader) { return read_mac(reader).octets(); }

// `reader` is behind the type and length octets of an option with all its octets.
void read_prefix(Reader& reader, NdpOptions& options) {
  NdpPrefixInformation information;
  information.prefix.length = reader.u8();
  const std::uint8_t flags = reader.u8();
  information.on_link = (flags & kOnLink) != 0;
  information.autonomous = (flags & kAutonomous) != 0;
  information.valid_lifetime = reader.u32();
  information.preferred_lifetime = reader.u32();
  reader.skip(4);
  information.prefix.address = read_ipv6_address(reader);
  // A prefix of IPv4-mapped addresses would be taken for an IPv4 one.
  if (information.prefix.length > 128 || information.prefix.address.is_v4()) return;
  if (options.prefix_count == NdpOptions::kMaxPrefixes) return;
  options.prefixes[options.prefix_count++] = information;
}

// RFC 4191 §2.1: the value 10 must be taken for medium.
RouterPreference preference_of(std::uint8_t flags) {
  switch (flags >> 3 & 3U) {
    case 1:
      return RouterPreference::kHigh;
    case 3:
      return RouterPreference::kLow;
    default:
      return RouterPreference::kMedium;
  }
}

std::uint8_t bits_of(RouterPreference preference) {
  constexpr std::uint8_t kBits[] = {1, 0, 3};
  return static_cast<std::uint8_t>(kBits[static_cast<std::size_t>(preference)] << 3);
}

// RFC 4191 §2.3: as many octets of the prefix as its length needs; 8 or 16 when there are some.
std::size_t route_size(std::uint8_t prefix_length) {
  return prefix_length == 0 ? kUnit : prefix_length <= 64 ? 2 * kUnit : 3 * kUnit;
}

void read_route(Reader& reader, std::size_t size, NdpOptions& options) {
  NdpRoute route;
  route.prefix.length = reader.u8();
  route.preference = preference_of(reader.u8());
  route.lifetime = reader.u32();
  if (route.prefix.length > 128 || size > 3 * kUnit || size < route_size(route.prefix.length)) return;
  std::array<std::uint8_t, 16> octets{};
  std::ranges::copy(reader.bytes(size - kUnit), octets.begin());
  route.prefix.address = IpAddress::v6(octets);
  if (route.prefix.address.is_v4() || options.routes.size() == NdpOptions::kMaxRoutes) return;
  route.prefix = route.prefix.network();
  options.routes.push_back(route);
}

// RFC 8106 §5.1: an odd length of three units or more.
void read_dns_servers(Reader& reader, std::size_t size, NdpOptions& options) {
  const std::size_t units = size / kUnit;
  if (units < 3 || units % 2 == 0) return;
  std::size_t known = 0;
  for (const NdpDnsServers& before : options.dns_servers) known += before.servers.size();
  reader.skip(2);
  NdpDnsServers list;
  list.lifetime = reader.u32();
  for (std::size_t i = 0; i < units / 2 && known < NdpOptions::kMaxDnsServers; ++i) {
    const IpAddress server = read_ipv6_address(reader);
    if (server.is_v4() || server.is_multicast() || server.is_unspecified()) continue;
    list.servers.push_back(server);
    ++known;
  }
  if (!list.servers.empty()) options.dns_servers.push_back(std::move(list));
}

// RFC 8106 §5.2: whole names, one behind the other, then zeros. With a bad one, none counts.
void read_search_domains(Reader& reader, std::size_t size, NdpOptions& options) {
  if (size < 2 * kUnit) return;
  std::size_t known = 0;
  for (const NdpSearchDomains& before : options.search_domains) known += before.domains.size();
  reader.skip(2);
  NdpSearchDomains list;
  list.lifetime = reader.u32();
  const Bytes names = reader.rest();
  std::size_t position = 0;
  while (position < names.size() && names[position] != 0) {
    auto name = read_dns_name(names, position, false);
    if (!name) return;
    if (known++ < NdpOptions::kMaxDomains) list.domains.push_back(std::move(*name));
  }
  if (!list.domains.empty()) options.search_domains.push_back(std::move(list));
}

// Takes over an option that is used here and has the size its type asks for; others are skipped (RFC 4861
// §4.6).
void read_option(std::uint8_t type, std::size_t size, Reader& reader, NdpOptions& options) {
  const bool is_one_unit = size == kUnit;
  switch (type) {
    case kSourceLinkAddress:
      if (is_one_unit && !options.source_link_address) options.source_link_address = read_mac(reader);
      break;
    case kTargetLinkAddress:
      if (is_one_unit && !options.target_link_address) options.target_link_address = read_mac(reader);
      break;
    case kPrefixInformation:
      if (size == kPrefixSize) read_prefix(reader, options);
      break;
    case kMtu:
      if (is_one_unit && !options.mtu) {
        reader.skip(2);
        options.mtu = reader.u32();
      }
      break;
    case kNonce:
      if (is_one_unit && !options.nonce) options.nonce = read_six(reader);
      break;
    case kRouteInformation:
      read_route(reader, size, options);
      break;
    case kDnsServers:
      read_dns_servers(reader, size, options);
      break;
    case kSearchDomains:
      read_search_domains(reader, size, options);
      break;
    default:
      break;
  }
}

void write_option_head(Writer& writer, OptionType type, std::size_t size) {
  writer.u8(type);
  writer.u8(static_cast<std::uint8_t>(size / kUnit));
}

void write_prefix(Writer& writer, const NdpPrefixInformation& information) {
  write_option_head(writer, kPrefixInformation, kPrefixSize);
  writer.u8(information.prefix.length);
  writer.u8(static_cast<std::uint8_t>((information.on_link ? kOnLink : 0U) |
                                      (information.autonomous ? kAutonomous : 0U)));
  writer.u32(information.valid_lifetime);
  writer.u32(information.preferred_lifetime);
  writer.u32(0);
  write_ipv6_address(writer, information.prefix.address);
}

void write_route(Writer& writer, const NdpRoute& route) {
  const std::size_t size = route_size(route.prefix.length);
  write_option_head(writer, kRouteInformation, size);
  writer.u8(route.prefix.length);
  writer.u8(bits_of(route.preference));
  writer.u32(route.lifetime);
  writer.bytes(Bytes(route.prefix.address.octets()).first(size - kUnit));
}

void write_dns_servers(Writer& writer, const NdpDnsServers& list) {
  write_option_head(writer, kDnsServers, kUnit + 16 * list.servers.size());
  writer.u16(0);
  writer.u32(list.lifetime);
  for (const IpAddress& server : list.servers) write_ipv6_address(writer, server);
}

std::size_t search_domains_size(const NdpSearchDomains& list) {
  std::size_t names = 0;
  for (const std::string& domain : list.domains) names += dns_name_size(domain);
  return kUnit + (names + kUnit - 1) / kUnit * kUnit;
}

void write_search_domains(Writer& writer, const NdpSearchDomains& list) {
  const std::size_t size = search_domains_size(list);
  write_option_head(writer, kSearchDomains, size);
  writer.u16(0);
  writer.u32(list.lifetime);
  std::size_t left = size - kUnit;
  for (const std::string& domain : list.domains) {
    write_dns_name(writer, domain);
    left -= dns_name_size(domain);
  }
  while (left-- > 0) writer.u8(0);
}

// Type, code 0, checksum: the front of every message. Reads up to and with the word behind them, the "rest".
std::expected<std::uint32_t, ParseError> read_front(Reader& reader, Icmpv6Type type) {
  const auto header = IcmpHeader::parse(reader);
  if (!header) return std::unexpected(header.error());
  if (header->type != static_cast<std::uint8_t>(type) || header->code != 0) {
    return std::unexpected(ParseError::kBadValue);  // RFC 4861 §6.1, §7.1, §8.1: ICMP code is 0
  }
  return header->rest;
}

void write_front(Writer& writer, Icmpv6Type type, std::uint32_t rest = 0) {
  IcmpHeader{.type = static_cast<std::uint8_t>(type), .rest = rest}.write(writer);
}

// RFC 4861 §7.1, §8.1: not a multicast address. An IPv4-mapped one would be taken for an IPv4 address.
std::expected<IpAddress, ParseError> read_unicast(Reader& reader) {
  const IpAddress address = read_ipv6_address(reader);
  if (!reader.ok()) return std::unexpected(ParseError::kTruncated);
  if (address.is_multicast() || address.is_v4()) return std::unexpected(ParseError::kBadValue);
  return address;
}

}  // namespace

std::expected<NdpOptions, ParseError> NdpOptions::parse(Reader& reader) {
  NdpOptions options;
  while (reader.remaining() > 0) {
    const std::uint8_t type = reader.u8();
    const std::size_t size = reader.u8() * kUnit;
    if (size == 0) return std::unexpected(ParseError::kBadOption);
    Reader contents(reader.bytes(size - 2));
    if (!reader.ok()) return std::unexpected(ParseError::kBadOption);
    read_option(type, size, contents, options);
  }
  return options;
}

void NdpOptions::write(Writer& writer) const {
  const auto write_link_address = [&writer](OptionType type, const std::optional<MacAddress>& mac) {
    if (!mac) return;
    write_option_head(writer, type, kUnit);
    write_mac(writer, *mac);
  };
  write_link_address(kSourceLinkAddress, source_link_address);
  write_link_address(kTargetLinkAddress, target_link_address);
  for (std::size_t i = 0; i < prefix_count; ++i) write_prefix(writer, prefixes[i]);
  if (mtu) {
    write_option_head(writer, kMtu, kUnit);
    writer.u16(0);
    writer.u32(*mtu);
  }
  if (nonce) {
    write_option_head(writer, kNonce, kUnit);
    writer.bytes(*nonce);
  }
  for (const NdpRoute& route : routes) write_route(writer, route);
  for (const NdpDnsServers& list : dns_servers) write_dns_servers(writer, list);
  for (const NdpSearchDomains& list : search_domains) write_search_domains(writer, list);
}

std::size_t NdpOptions::size() const {
  const std::size_t single =
      (source_link_address ? 1U : 0U) + (target_link_address ? 1U : 0U) + (mtu ? 1U : 0U) + (nonce ? 1U : 0U);
  std::size_t lists = 0;
  for (const NdpRoute& route : routes) lists += route_size(route.prefix.length);
  for (const NdpDnsServers& list : dns_servers) lists += kUnit + 16 * list.servers.size();
  for (const NdpSearchDomains& list : search_domains) lists += search_domains_size(list);
  return single * kUnit + prefix_count * kPrefixSize + lists;
}

std::expected<NeighborSolicitation, ParseError> NeighborSolicitation::parse(Bytes message) {
  Reader reader(message);
  if (const auto front = read_front(reader, Icmpv6Type::kNeighborSolicitation); !front)
    return std::unexpected(front.error());
  const auto target = read_unicast(reader);
  if (!target) return std::unexpected(target.error());
  const auto options = NdpOptions::parse(reader);
  if (!options) return std::unexpected(options.error());
  return NeighborSolicitation{.target = *target, .options = *options};
}

void NeighborSolicitation::write(Writer& writer) const {
  write_front(writer, Icmpv6Type::kNeighborSolicitation);
  write_ipv6_address(writer, target);
  options.write(writer);
}

std::expected<NeighborAdvertisement, ParseError> NeighborAdvertisement::parse(Bytes message) {
  Reader reader(message);
  const auto rest = read_front(reader, Icmpv6Type::kNeighborAdvertisement);
  if (!rest) return std::unexpected(rest.error());
  const std::uint32_t flags = *rest >> 24;
  const auto target = read_unicast(reader);
  if (!target) return std::unexpected(target.error());
  const auto options = NdpOptions::parse(reader);
  if (!options) return std::unexpected(options.error());
  return NeighborAdvertisement{.router = (flags & kRouter) != 0,
                               .solicited = (flags & kSolicited) != 0,
                               .override_cache = (flags & kOverride) != 0,
                               .target = *target,
                               .options = *options};
}

void NeighborAdvertisement::write(Writer& writer) const {
  const std::uint32_t flags =
      (router ? kRouter : 0U) | (solicited ? kSolicited : 0U) | (override_cache ? kOverride : 0U);
  write_front(writer, Icmpv6Type::kNeighborAdvertisement, flags << 24);
  write_ipv6_address(writer, target);
  options.write(writer);
}

std::expected<RouterSolicitation, ParseError> RouterSolicitation::parse(Bytes message) {
  Reader reader(message);
  if (const auto front = read_front(reader, Icmpv6Type::kRouterSolicitation); !front)
    return std::unexpected(front.error());
  const auto options = NdpOptions::parse(reader);
  if (!options) return std::unexpected(options.error());
  return RouterSolicitation{.options = *options};
}

void RouterSolicitation::write(Writer& writer) const {
  write_front(writer, Icmpv6Type::kRouterSolicitation);
  options.write(writer);
}

std::expected<RouterAdvertisement, ParseError> RouterAdvertisement::parse(Bytes message) {
  Reader reader(message);
  const auto rest = read_front(reader, Icmpv6Type::kRouterAdvertisement);
  if (!rest) return std::unexpected(rest.error());
  const std::uint32_t flags = *rest >> 16;
  RouterAdvertisement advertisement;
  advertisement.hop_limit = static_cast<std::uint8_t>(*rest >> 24);
  advertisement.managed = (flags & kManaged) != 0;
  advertisement.other_config = (flags & kOtherConfig) != 0;
  advertisement.preference = preference_of(static_cast<std::uint8_t>(flags));
  advertisement.router_lifetime = static_cast<std::uint16_t>(*rest);
  advertisement.reachable_time = reader.u32();
  advertisement.retrans_timer = reader.u32();
  if (!reader.ok()) return std::unexpected(ParseError::kTruncated);
  const auto options = NdpOptions::parse(reader);
  if (!options) return std::unexpected(options.error());
  advertisement.options = *options;
  return advertisement;
}

void RouterAdvertisement::write(Writer& writer) const {
  const std::uint32_t flags =
      (managed ? kManaged : 0U) | (other_config ? kOtherConfig : 0U) | bits_of(preference);
  write_front(writer, Icmpv6Type::kRouterAdvertisement,
              std::uint32_t{hop_limit} << 24 | flags << 16 | router_lifetime);
  writer.u32(reachable_time);
  writer.u32(retrans_timer);
  options.write(writer);
}

std::expected<NdpRedirect, ParseError> NdpRedirect::parse(Bytes message) {
  Reader reader(message);
  if (const auto front = read_front(reader, Icmpv6Type::kRedirect); !front)
    return std::unexpected(front.error());
  const auto target = read_unicast(reader);
  if (!target) return std::unexpected(target.error());
  const auto destination = read_unicast(reader);  // RFC 4861 §8.1: the destination is not multicast either
  if (!destination) return std::unexpected(destination.error());
  const auto options = NdpOptions::parse(reader);
  if (!options) return std::unexpected(options.error());
  return NdpRedirect{.target = *target, .destination = *destination, .options = *options};
}

void NdpRedirect::write(Writer& writer) const {
  write_front(writer, Icmpv6Type::kRedirect);
  write_ipv6_address(writer, target);
  write_ipv6_address(writer, destination);
  options.write(writer);
}

}  // namespace transom::wire
