#include "stack/wire/dhcp.h"

#include <algorithm>
#include <bit>
#include <map>

#include "stack/wire/dns_name.h"
#include "stack/wire/ethernet.h"
#include "stack/wire/ipv4.h"

namespace transom::wire {

namespace {

constexpr std::uint32_t kCookie = 0x63825363;
constexpr std::size_t kServerName = 44, kServerNameSize = 64;
constexpr std::size_t kFile = 108, kFileSize = 128;
constexpr std::size_t kOptions = 240;
constexpr std::uint8_t kEthernet = 1;
constexpr std::uint16_t kBroadcastFlag = 0x8000;
constexpr std::size_t kMaxText = 253;
constexpr std::size_t kMinSize = 300;  // RFC 1542 §2.1: some relays drop what is shorter

enum Option : std::uint8_t {
  kPad = 0,
  kMask = 1,
  kRouters = 3,
  kDnsServers = 6,
  kHostName = 12,
  kDomain = 15,
  kMtu = 26,
  kRequested = 50,
  kLease = 51,
  kOverload = 52,
  kType = 53,
  kServer = 54,
  kAsksFor = 55,
  kMaxSize = 57,
  kRenewal = 58,
  kRebinding = 59,
  kClientIdentifier = 61,
  kSearchDomains = 119,
  kRoutes = 121,
  kEnd = 255,
};

// Option number to octets; what comes several times is put together (RFC 3396 §7).
using Options = std::map<std::uint8_t, std::vector<std::uint8_t>>;

void collect(Bytes field, Options& options) {
  Reader reader(field);
  while (reader.remaining() > 0) {
    const std::uint8_t number = reader.u8();
    if (number == kPad) continue;
    if (number == kEnd) return;
    const Bytes value = reader.bytes(reader.u8());
    if (!reader.ok()) return;  // one that does not fit, and what follows, is not there
    options[number].insert(options[number].end(), value.begin(), value.end());
  }
}

std::optional<Bytes> find(const Options& options, std::uint8_t number, std::size_t size) {
  const auto found = options.find(number);
  if (found == options.end() || found->second.size() != size) return std::nullopt;
  return Bytes(found->second);
}

std::optional<std::uint32_t> number_of(const Options& options, std::uint8_t number) {
  const auto value = find(options, number, 4);
  return value ? std::optional(Reader(*value).u32()) : std::nullopt;
}

std::optional<IpAddress> address_of(const Options& options, std::uint8_t number) {
  const auto value = number_of(options, number);
  return value ? std::optional(IpAddress::v4(*value)) : std::nullopt;
}

// RFC 2132 §3.5, §3.8: four octets for each, and one at least.
std::vector<IpAddress> addresses_of(const Options& options, std::uint8_t number) {
  std::vector<IpAddress> addresses;
  const auto found = options.find(number);
  if (found == options.end() || found->second.size() % 4 != 0) return addresses;
  Reader reader(found->second);
  while (reader.remaining() > 0 && addresses.size() < DhcpMessage::kMaxList)
    addresses.push_back(read_ipv4_address(reader));
  return addresses;
}

// RFC 2132 §3.14, §3.17: no zero at the end, though some send one. Names that a shell or a terminal could
// stumble over are not names.
std::string text_of(const Options& options, std::uint8_t number) {
  const auto found = options.find(number);
  if (found == options.end()) return {};
  std::string text(found->second.begin(), found->second.end());
  while (!text.empty() && (text.back() == '\0' || text.back() == '.')) text.pop_back();
  const bool is_plain = text.size() <= kMaxText && std::ranges::all_of(text, [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                                 c == '-' || c == '.' || c == '_';
                        });
  return is_plain ? text : std::string();
}

// RFC 2132 §3.3: ones and then zeros.
std::optional<std::uint8_t> mask_of(const Options& options) {
  const auto mask = number_of(options, kMask);
  if (!mask) return std::nullopt;
  const int ones = std::countl_one(*mask);
  if (ones < 32 && *mask << ones != 0) return std::nullopt;
  return static_cast<std::uint8_t>(ones);
}

// RFC 3442: a width, as many octets of the network as it needs, and the router. With a bad one, none counts.
std::optional<std::vector<DhcpRoute>> routes_of(const Options& options) {
  const auto found = options.find(kRoutes);
  if (found == options.end()) return std::nullopt;
  std::vector<DhcpRoute> routes;
  Reader reader(found->second);
  while (reader.remaining() > 0) {
    DhcpRoute route;
    route.prefix.length = reader.u8();
    if (route.prefix.length > 32) return std::nullopt;
    std::uint32_t network = 0;
    for (unsigned i = 0; i < (route.prefix.length + 7U) / 8U; ++i)
      network |= std::uint32_t{reader.u8()} << (24 - 8 * i);
    route.prefix.address = IpAddress::v4(network);
    route.prefix = route.prefix.network();
    route.gateway = read_ipv4_address(reader);
    if (!reader.ok()) return std::nullopt;
    if (routes.size() < DhcpMessage::kMaxRoutes) routes.push_back(route);
  }
  return routes;
}

// RFC 3397 §2: one list, in which pointers lead back.
std::vector<std::string> search_domains_of(const Options& options) {
  std::vector<std::string> domains;
  const auto found = options.find(kSearchDomains);
  if (found == options.end()) return domains;
  const Bytes octets = found->second;
  std::size_t position = 0;
  while (position < octets.size() && domains.size() < DhcpMessage::kMaxList) {
    auto domain = read_dns_name(octets, position, true);
    if (!domain) return domains;
    domains.push_back(std::move(*domain));
  }
  return domains;
}

void write_octets(Writer& writer, std::uint8_t number, Bytes octets) {
  // RFC 3396 §5: what is longer than an option can be goes into several.
  do {
    const Bytes part = octets.first(std::min<std::size_t>(octets.size(), 255));
    writer.u8(number);
    writer.u8(static_cast<std::uint8_t>(part.size()));
    writer.bytes(part);
    octets = octets.subspan(part.size());
  } while (!octets.empty());
}

void write_number(Writer& writer, std::uint8_t number, const std::optional<std::uint32_t>& value) {
  if (!value) return;
  writer.u8(number);
  writer.u8(4);
  writer.u32(*value);
}

void write_address(Writer& writer, std::uint8_t number, const std::optional<IpAddress>& address) {
  if (address) write_number(writer, number, address->v4_value());
}

void write_addresses(Writer& writer, std::uint8_t number, const std::vector<IpAddress>& addresses) {
  if (addresses.empty()) return;
  writer.u8(number);
  writer.u8(static_cast<std::uint8_t>(4 * addresses.size()));
  for (const IpAddress& address : addresses) write_ipv4_address(writer, address);
}

void write_text(Writer& writer, std::uint8_t number, const std::string& text) {
  if (!text.empty())
    write_octets(writer, number, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::vector<std::uint8_t> encode_routes(const std::vector<DhcpRoute>& routes) {
  std::vector<std::uint8_t> octets;
  for (const DhcpRoute& route : routes) {
    octets.push_back(route.prefix.length);
    const auto& network = route.prefix.address.octets();
    octets.insert(octets.end(), network.begin() + 12, network.begin() + 12 + (route.prefix.length + 7) / 8);
    const auto& gateway = route.gateway.octets();
    octets.insert(octets.end(), gateway.begin() + 12, gateway.end());
  }
  return octets;
}

std::vector<std::uint8_t> encode_domains(const std::vector<std::string>& domains) {
  std::size_t size = 0;
  for (const std::string& domain : domains) size += dns_name_size(domain);
  std::vector<std::uint8_t> octets(size);
  Writer writer(octets);
  for (const std::string& domain : domains) write_dns_name(writer, domain);
  return octets;
}

// The options, without the end and the padding.
void write_options(Writer& writer, const DhcpMessage& message) {
  writer.u8(kType);
  writer.u8(1);
  writer.u8(static_cast<std::uint8_t>(message.type));
  if (!message.client_identifier.empty()) write_octets(writer, kClientIdentifier, message.client_identifier);
  write_address(writer, kRequested, message.requested);
  write_address(writer, kServer, message.server);
  write_number(writer, kLease, message.lease);
  write_number(writer, kRenewal, message.renewal);
  write_number(writer, kRebinding, message.rebinding);
  if (message.prefix_length) {
    const unsigned length = *message.prefix_length;
    write_number(writer, kMask, length == 0 ? 0 : ~std::uint32_t{0} << (32 - length));
  }
  write_addresses(writer, kRouters, message.routers);
  write_addresses(writer, kDnsServers, message.dns_servers);
  write_text(writer, kHostName, message.host_name);
  write_text(writer, kDomain, message.domain);
  const auto write_short = [&](std::uint8_t number, const std::optional<std::uint16_t>& value) {
    if (!value) return;
    writer.u8(number);
    writer.u8(2);
    writer.u16(*value);
  };
  write_short(kMtu, message.mtu);
  write_short(kMaxSize, message.max_size);
  if (!message.search_domains.empty())
    write_octets(writer, kSearchDomains, encode_domains(message.search_domains));
  if (message.routes) write_octets(writer, kRoutes, encode_routes(*message.routes));
  if (!message.asks_for.empty()) write_octets(writer, kAsksFor, message.asks_for);
}

}  // namespace

std::expected<DhcpMessage, ParseError> DhcpMessage::parse(Bytes octets) {
  if (octets.size() < kOptions) return std::unexpected(ParseError::kTruncated);
  Reader reader(octets);
  DhcpMessage message;
  const std::uint8_t op = reader.u8();
  const std::uint8_t hardware_type = reader.u8();
  const std::uint8_t hardware_size = reader.u8();
  reader.skip(1);
  message.is_reply = op == 2;
  message.transaction = reader.u32();
  message.seconds = reader.u16();
  message.broadcast = (reader.u16() & kBroadcastFlag) != 0;
  message.client = read_ipv4_address(reader);
  message.yours = read_ipv4_address(reader);
  reader.skip(4);
  message.relay = read_ipv4_address(reader);
  message.hardware = read_mac(reader);
  reader.skip(kOptions - 4 - reader.position());
  const bool is_ours = (op == 1 || op == 2) && hardware_type == kEthernet && hardware_size == 6;
  if (!is_ours || reader.u32() != kCookie) return std::unexpected(ParseError::kBadValue);

  Options options;
  collect(reader.rest(), options);
  // RFC 2131 §4.1: file first, then sname, where they hold options instead.
  if (const auto overload = find(options, kOverload, 1)) {
    const std::uint8_t where = (*overload)[0];
    if ((where & 1U) != 0) collect(octets.subspan(kFile, kFileSize), options);
    if ((where & 2U) != 0) collect(octets.subspan(kServerName, kServerNameSize), options);
  }
  const auto type = find(options, kType, 1);
  if (!type || (*type)[0] < 1 || (*type)[0] > 8) return std::unexpected(ParseError::kBadValue);
  message.type = static_cast<DhcpType>((*type)[0]);
  message.requested = address_of(options, kRequested);
  message.server = address_of(options, kServer);
  message.lease = number_of(options, kLease);
  message.renewal = number_of(options, kRenewal);
  message.rebinding = number_of(options, kRebinding);
  message.prefix_length = mask_of(options);
  message.routers = addresses_of(options, kRouters);
  message.dns_servers = addresses_of(options, kDnsServers);
  message.host_name = text_of(options, kHostName);
  message.domain = text_of(options, kDomain);
  if (const auto mtu = find(options, kMtu, 2)) message.mtu = Reader(*mtu).u16();
  if (const auto size = find(options, kMaxSize, 2)) message.max_size = Reader(*size).u16();
  message.search_domains = search_domains_of(options);
  message.routes = routes_of(options);
  if (const auto found = options.find(kClientIdentifier); found != options.end())
    message.client_identifier = found->second;
  if (const auto found = options.find(kAsksFor); found != options.end()) message.asks_for = found->second;
  return message;
}

std::size_t DhcpMessage::size() const {
  std::vector<std::uint8_t> room(65536);
  Writer writer(room);
  write_options(writer, *this);
  return std::max(kOptions + writer.position() + 1, kMinSize);
}

void DhcpMessage::write(Writer& writer) const {
  const std::size_t whole = size();
  const std::size_t start = writer.position();
  writer.u8(is_reply ? 2 : 1);
  writer.u8(kEthernet);
  writer.u8(6);
  writer.u8(0);
  writer.u32(transaction);
  writer.u16(seconds);
  writer.u16(broadcast ? kBroadcastFlag : std::uint16_t{0});
  write_ipv4_address(writer, client);
  write_ipv4_address(writer, yours);
  writer.u32(0);
  write_ipv4_address(writer, relay);
  write_mac(writer, hardware);
  writer.zeros(10 + kServerNameSize + kFileSize);
  writer.u32(kCookie);
  write_options(writer, *this);
  writer.u8(kEnd);
  if (writer.ok()) writer.zeros(whole - (writer.position() - start));
}

}  // namespace transom::wire
