#include "drivers/capture/edit/rewrite_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace transom::drivers {

namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t start = 0;
  while (true) {
    const std::size_t end = text.find(separator, start);
    parts.push_back(text.substr(start, end - start));
    if (end == std::string::npos) return parts;
    start = end + 1;
  }
}

template <typename Number>
std::optional<Number> number_of(std::string_view text, Number low, Number high) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high)
    return std::nullopt;
  return value;
}

// "FROM:TO", where either may be in brackets; what is in them may hold colons.
std::optional<std::pair<std::string, std::string>> halves(const std::string& text) {
  std::size_t colon = text.find(':');
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string::npos) return std::nullopt;
    colon = close + 1;
  }
  if (colon >= text.size() || text[colon] != ':') return std::nullopt;
  const auto bare = [](std::string part) {
    if (part.size() >= 2 && part.starts_with('[') && part.ends_with(']'))
      part = part.substr(1, part.size() - 2);
    return part;
  };
  return std::pair(bare(text.substr(0, colon)), bare(text.substr(colon + 1)));
}

}  // namespace

std::optional<IpAddress> NetworkMapping::apply(const IpAddress& address) const {
  if (!from.contains(address)) return std::nullopt;
  auto octets = to.address.octets();
  const auto& old = address.octets();
  const int first = address.is_v4() ? 96 : 0;
  for (int bit = first + to.length; bit < 128; ++bit) {
    const auto place = static_cast<std::size_t>(bit) / 8;
    const auto mask = static_cast<std::uint8_t>(0x80U >> bit % 8);
    octets[place] = static_cast<std::uint8_t>((octets[place] & ~mask) | (old[place] & mask));
  }
  return address.is_v4() ? IpAddress::v4(octets[12], octets[13], octets[14], octets[15])
                         : IpAddress::v6(octets);
}

std::expected<std::vector<NetworkMapping>, std::string> RewriteRules::parse_networks(
    const std::string& text) {
  std::vector<NetworkMapping> mappings;
  for (const std::string& part : split(text, ',')) {
    const auto both = halves(part);
    const auto from = both ? IpPrefix::parse(both->first) : std::nullopt;
    const auto to = both ? IpPrefix::parse(both->second) : std::nullopt;
    if (!from || !to || from->address.is_v4() != to->address.is_v4())
      return std::unexpected(
          fmt::format("'{}' maps no network to another of its family; write 10.0.0.0/8:172.16.0.0/12 or "
                      "[2001:db8::/32]:[fd00::/32]",
                      part));
    mappings.push_back({*from, *to});
  }
  return mappings;
}

std::expected<void, std::string> RewriteRules::add_ports(const std::string& text) {
  for (const std::string& part : split(text, ',')) {
    const auto both = halves(part);
    const auto to = both ? number_of<std::uint16_t>(both->second, 0, 65535) : std::nullopt;
    const std::size_t dash = both ? both->first.find('-') : std::string::npos;
    const auto low = both ? number_of<std::uint16_t>(std::string_view(both->first).substr(0, dash), 0, 65535)
                          : std::nullopt;
    const auto high = both && dash != std::string::npos
                          ? number_of<std::uint16_t>(std::string_view(both->first).substr(dash + 1), 0, 65535)
                          : low;
    if (!to || !low || !high || *low > *high)
      return std::unexpected(
          fmt::format("'{}' maps no port to another; write 80:8080 or 1000-1999:2000", part));
    for (unsigned port = *low; port <= *high; ++port) ports[static_cast<std::uint16_t>(port)] = *to;
  }
  return {};
}

std::expected<void, std::string> RewriteRules::set_ttl(const std::string& text) {
  const bool is_change = text.starts_with('+') || text.starts_with('-');
  const auto value = number_of<int>(std::string_view(text).substr(text.starts_with('+') ? 1 : 0), -255, 255);
  if (!value || (!is_change && *value < 1))
    return std::unexpected(fmt::format("'{}' is no TTL; write 64, +1 or -1", text));
  if (is_change)
    ttl_change = *value;
  else
    ttl = *value;
  return {};
}

IpAddress RewriteChanges::map(const std::vector<NetworkMapping>& mappings, const IpAddress& address) {
  for (const NetworkMapping& mapping : mappings) {
    if (const auto mapped = mapping.apply(address)) return *mapped;
  }
  return address;
}

MacAddress RewriteChanges::map(const MacAddress& mac) const {
  const auto known = rules_.macs.find(mac);
  return known == rules_.macs.end() ? mac : known->second;
}

MacAddress RewriteChanges::source_mac(const MacAddress& mac) { return rules_.source_mac.value_or(map(mac)); }

// Groups keep their address: who asked for them has not changed.
MacAddress RewriteChanges::destination_mac(const MacAddress& mac) {
  if (mac.is_group() || mac.is_zero()) return mac;
  return rules_.destination_mac.value_or(map(mac));
}

std::uint16_t RewriteChanges::port(std::uint16_t port) {
  const auto known = rules_.ports.find(port);
  return known == rules_.ports.end() ? port : known->second;
}

std::uint8_t RewriteChanges::hop_limit(std::uint8_t hop_limit) {
  return static_cast<std::uint8_t>(rules_.ttl.value_or(
      rules_.ttl_change == 0 ? hop_limit : std::clamp(hop_limit + rules_.ttl_change, 1, 255)));
}

std::uint8_t RewriteChanges::traffic_class(std::uint8_t traffic_class) {
  return rules_.traffic_class.value_or(traffic_class);
}

}  // namespace transom::drivers
