// Addresses and ports as types. Above stack/wire everything is in host order; an address is a sequence of
// octets and has no byte order.
//
// IpAddress holds either family in 16 octets: an IPv4 address is kept in its IPv4-mapped form
// (::ffff:a.b.c.d, RFC 4291 §2.5.5.2). That form never appears on a wire (such packets are dropped as
// martians), so the two cannot be confused, and keys, tables and comparisons need no branch on the family.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace transom {

// Index of an interface within its Host, starting at 1. 0 means "any" where a choice is possible.
enum class InterfaceId : std::uint16_t { kAny = 0 };

// A UDP or TCP port in host order. 0 means "none" or "choose one".
enum class Port : std::uint16_t { kNone = 0 };
constexpr std::uint16_t to_number(Port port) { return static_cast<std::uint16_t>(port); }

// Assigned internet protocol numbers that the stack acts on. Other values are legal and unknown.
enum class IpProtocol : std::uint8_t {
  kHopByHop = 0,
  kIcmp = 1,
  kIgmp = 2,
  kTcp = 6,
  kUdp = 17,
  kRouting = 43,
  kFragment = 44,
  kEsp = 50,
  kAuthentication = 51,
  kIcmpv6 = 58,
  kNoNextHeader = 59,
  kDestinationOptions = 60,
};

enum class IpFamily : std::uint8_t { kIpv4 = 4, kIpv6 = 6 };

class MacAddress {
 public:
  constexpr MacAddress() = default;
  explicit constexpr MacAddress(std::array<std::uint8_t, 6> octets) : octets_(octets) {}

  static constexpr MacAddress broadcast() { return MacAddress({0xff, 0xff, 0xff, 0xff, 0xff, 0xff}); }
  // "02:00:00:00:00:01", six two-digit groups.
  static std::optional<MacAddress> parse(std::string_view text);

  constexpr const std::array<std::uint8_t, 6>& octets() const { return octets_; }
  constexpr bool is_group() const { return (octets_[0] & 1) != 0; }  // multicast or broadcast
  constexpr bool is_broadcast() const { return *this == broadcast(); }
  constexpr bool is_zero() const { return *this == MacAddress(); }

  friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;

 private:
  std::array<std::uint8_t, 6> octets_{};
};

class IpAddress {
 public:
  // The unspecified IPv6 address "::".
  constexpr IpAddress() = default;

  static constexpr IpAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
    IpAddress address;
    address.octets_ = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
    return address;
  }
  static constexpr IpAddress v4(std::uint32_t value) {
    return v4(static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
              static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value));
  }
  static constexpr IpAddress v6(const std::array<std::uint8_t, 16>& octets) {
    IpAddress address;
    address.octets_ = octets;
    return address;
  }
  static constexpr IpAddress any(IpFamily family) { return family == IpFamily::kIpv4 ? v4(0) : IpAddress(); }
  static constexpr IpAddress loopback(IpFamily family) {
    return family == IpFamily::kIpv4 ? v4(127, 0, 0, 1)
                                     : v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  }
  // Dotted quad or RFC 4291 §2.2 text, no zone, no port. "::ffff:1.2.3.4" gives the IPv4 address.
  static std::optional<IpAddress> parse(std::string_view text);

  constexpr bool is_v4() const {
    constexpr std::array<std::uint8_t, 4> kMark{0, 0, 0xff, 0xff};  // the octets 8 to 11 of the mapped form
    const auto words = std::bit_cast<std::array<std::uint32_t, 4>>(octets_);
    return (words[0] | words[1]) == 0 && words[2] == std::bit_cast<std::uint32_t>(kMark);
  }
  constexpr bool is_v6() const { return !is_v4(); }
  constexpr IpFamily family() const { return is_v4() ? IpFamily::kIpv4 : IpFamily::kIpv6; }
  constexpr int bits() const { return is_v4() ? 32 : 128; }

  // The four octets of an IPv4 address as a number in host order. Requires is_v4().
  constexpr std::uint32_t v4_value() const {
    return (std::uint32_t{octets_[12]} << 24) | (std::uint32_t{octets_[13]} << 16) |
           (std::uint32_t{octets_[14]} << 8) | octets_[15];
  }
  // All 16 octets, mapped form for IPv4.
  constexpr const std::array<std::uint8_t, 16>& octets() const { return octets_; }

  constexpr bool is_unspecified() const { return *this == IpAddress() || *this == v4(0); }  // 0.0.0.0 or ::
  constexpr bool is_loopback() const {
    return is_v4() ? octets_[12] == 127 : *this == loopback(IpFamily::kIpv6);
  }
  constexpr bool is_multicast() const { return is_v4() ? (octets_[12] & 0xf0) == 0xe0 : octets_[0] == 0xff; }
  constexpr bool is_limited_broadcast() const { return *this == v4(0xffffffff); }
  // 169.254/16 or fe80::/10.
  constexpr bool is_link_local() const {
    return is_v4() ? octets_[12] == 169 && octets_[13] == 254
                   : octets_[0] == 0xfe && (octets_[1] & 0xc0) == 0x80;
  }

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;
  // As two words: addresses are compared several times for every packet.
  friend constexpr bool operator==(const IpAddress& a, const IpAddress& b) {
    using Words = std::array<std::uint64_t, 2>;
    const auto x = std::bit_cast<Words>(a.octets_), y = std::bit_cast<Words>(b.octets_);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
  }

 private:
  std::array<std::uint8_t, 16> octets_{};
};

// ff02::1:ffXX:XXXX for the low 24 bits of an IPv6 address (RFC 4291 §2.7.1).
constexpr IpAddress solicited_node_multicast(const IpAddress& address) {
  const auto& o = address.octets();
  return IpAddress::v6({0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, o[13], o[14], o[15]});
}
inline constexpr IpAddress kAllNodes = IpAddress::v6({0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
inline constexpr IpAddress kAllRouters = IpAddress::v6({0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2});

// A block of addresses: all that share the first `length` bits of `address`.
struct IpPrefix {
  IpAddress address;
  std::uint8_t length = 0;  // 0..32 for IPv4, 0..128 for IPv6

  // "10.9.0.2/24"; without "/length" the prefix is the single address. Host bits are kept as written.
  static std::optional<IpPrefix> parse(std::string_view text);
  bool contains(const IpAddress& candidate) const;  // false for the other family
  IpPrefix network() const;                         // host bits cleared
  // The subnet-directed broadcast address; nullopt for IPv6 and for IPv4 prefixes longer than /30.
  std::optional<IpAddress> directed_broadcast() const;

  friend constexpr auto operator<=>(const IpPrefix&, const IpPrefix&) = default;
};

// Number of leading bits that two addresses of one family share.
int common_prefix_length(const IpAddress& a, const IpAddress& b);

struct Endpoint {
  IpAddress address;
  Port port = Port::kNone;

  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

std::string to_string(const MacAddress& mac);
std::string to_string(const IpAddress& address);  // RFC 5952 canonical text
std::string to_string(const IpPrefix& prefix);
std::string to_string(const Endpoint& endpoint);  // "10.0.0.1:80", "[fe80::1]:80"

}  // namespace transom

template <typename T>
  requires std::same_as<T, transom::MacAddress> || std::same_as<T, transom::IpAddress> ||
           std::same_as<T, transom::IpPrefix> || std::same_as<T, transom::Endpoint>
struct fmt::formatter<T> : fmt::formatter<std::string> {
  auto format(const T& value, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(to_string(value), context);
  }
};
