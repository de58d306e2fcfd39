#include "stack/base/address.h"

#include <bit>
#include <charconv>
#include <vector>

namespace transom {

namespace {

template <typename Number>
std::optional<Number> parse_number(std::string_view text, int base, std::size_t max_digits) {
  if (text.empty() || text.size() > max_digits) return std::nullopt;
  Number value{};
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (status != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::array<std::uint8_t, 4>> parse_dotted_quad(std::string_view text) {
  std::array<std::uint8_t, 4> octets{};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t dot = i < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos) return std::nullopt;
    const auto part = text.substr(0, dot);
    if (part.size() > 1 && part.front() == '0')
      return std::nullopt;  // "010" is octal to some and ten to others
    const auto octet = parse_number<std::uint8_t>(part, 10, 3);
    if (!octet) return std::nullopt;
    octets[i] = *octet;
    text.remove_prefix(i < 3 ? dot + 1 : dot);
  }
  return octets;
}

// The groups of one side of "::", as octets.
std::optional<std::vector<std::uint8_t>> parse_groups(std::string_view text, bool may_end_in_quad) {
  std::vector<std::uint8_t> octets;
  if (text.empty()) return octets;
  for (;;) {
    const std::size_t colon = text.find(':');
    const auto group = text.substr(0, colon);
    if (colon == std::string_view::npos && may_end_in_quad && group.find('.') != std::string_view::npos) {
      const auto quad = parse_dotted_quad(group);
      if (!quad) return std::nullopt;
      octets.insert(octets.end(), quad->begin(), quad->end());
      return octets;
    }
    const auto value = parse_number<std::uint16_t>(group, 16, 4);
    if (!value) return std::nullopt;
    octets.push_back(static_cast<std::uint8_t>(*value >> 8));
    octets.push_back(static_cast<std::uint8_t>(*value));
    if (octets.size() > 16) return std::nullopt;
    if (colon == std::string_view::npos) return octets;
    text.remove_prefix(colon + 1);
  }
}

std::string v6_to_string(const IpAddress& address) {
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) {
    groups[i] = static_cast<unsigned>(address.octets()[2 * i] << 8 | address.octets()[2 * i + 1]);
  }
  // RFC 5952 §4.2: shorten the longest run of two or more zero groups, the first of equals.
  std::size_t best_start = 8;
  std::size_t best_length = 1;
  for (std::size_t start = 0; start < 8; ++start) {
    std::size_t length = 0;
    while (start + length < 8 && groups[start + length] == 0) ++length;
    if (length > best_length) {
      best_start = start;
      best_length = length;
    }
  }
  std::string text;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == best_start) {
      text += "::";
      i += best_length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    text += fmt::format("{:x}", groups[i]);
  }
  return text;
}

}  // namespace

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
  std::array<std::uint8_t, 6> octets{};
  if (text.size() != 17) return std::nullopt;
  for (std::size_t i = 0; i < 6; ++i) {
    const auto octet = parse_number<std::uint8_t>(text.substr(3 * i, 2), 16, 2);
    if (!octet || (i < 5 && text[3 * i + 2] != ':')) return std::nullopt;
    octets[i] = *octet;
  }
  return MacAddress(octets);
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.find(':') == std::string_view::npos) {
    const auto quad = parse_dotted_quad(text);
    if (!quad) return std::nullopt;
    return v4((*quad)[0], (*quad)[1], (*quad)[2], (*quad)[3]);
  }
  std::array<std::uint8_t, 16> octets{};
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    const auto all = parse_groups(text, true);
    if (!all || all->size() != 16) return std::nullopt;
    std::copy(all->begin(), all->end(), octets.begin());
    return v6(octets);
  }
  const auto front = parse_groups(text.substr(0, gap), false);
  const auto back = parse_groups(text.substr(gap + 2), true);
  if (!front || !back || front->size() + back->size() > 14) return std::nullopt;
  std::copy(front->begin(), front->end(), octets.begin());
  std::copy(back->begin(), back->end(), octets.end() - static_cast<std::ptrdiff_t>(back->size()));
  return v6(octets);
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return IpPrefix{*address, static_cast<std::uint8_t>(address->bits())};
  const auto length = parse_number<std::uint8_t>(text.substr(slash + 1), 10, 3);
  if (!length || *length > address->bits()) return std::nullopt;
  return IpPrefix{*address, *length};
}

bool IpPrefix::contains(const IpAddress& candidate) const {
  return candidate.family() == address.family() && common_prefix_length(address, candidate) >= length;
}

IpPrefix IpPrefix::network() const {
  auto octets = address.octets();
  const std::size_t kept = length + (address.is_v4() ? 96U : 0U);
  for (std::size_t bit = kept; bit < 128; ++bit)
    octets[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> (bit % 8)));
  return {IpAddress::v6(octets), length};
}

std::optional<IpAddress> IpPrefix::directed_broadcast() const {
  if (address.is_v6() || length > 30) return std::nullopt;
  const std::uint32_t host_bits = length == 0 ? 0xffffffffU : (1U << (32 - length)) - 1;
  return IpAddress::v4(address.v4_value() | host_bits);
}

int common_prefix_length(const IpAddress& a, const IpAddress& b) {
  int bits = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    const auto difference = static_cast<std::uint8_t>(a.octets()[i] ^ b.octets()[i]);
    bits += std::countl_zero(difference);
    if (difference != 0) break;
  }
  return a.is_v4() && b.is_v4() ? std::max(0, bits - 96) : bits;
}

std::string to_string(const MacAddress& mac) {
  const auto& o = mac.octets();
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", o[0], o[1], o[2], o[3], o[4], o[5]);
}

std::string to_string(const IpAddress& address) {
  if (address.is_v6()) return v6_to_string(address);
  const auto& o = address.octets();
  return fmt::format("{}.{}.{}.{}", o[12], o[13], o[14], o[15]);
}

std::string to_string(const IpPrefix& prefix) {
  return fmt::format("{}/{}", to_string(prefix.address), prefix.length);
}

std::string to_string(const Endpoint& endpoint) {
  const std::string address = to_string(endpoint.address);
  const std::uint16_t port = to_number(endpoint.port);
  return endpoint.address.is_v4() ? fmt::format("{}:{}", address, port)
                                  : fmt::format("[{}]:{}", address, port);
}

}  // namespace transom
