// Neighbour Discovery messages (RFC 4861 §4) behind the ICMPv6 header: solicitation, advertisement, router
// messages, redirect, and the options used here.
#pragma once

#include <array>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "stack/base/address.h"
#include "stack/wire/cursor.h"
#include "stack/wire/icmp.h"

namespace transom::wire {

// Prefix information, RFC 4861 §4.6.2.
struct NdpPrefixInformation {
  IpPrefix prefix;
  bool on_link = false;
  bool autonomous = false;
  std::uint32_t valid_lifetime = 0;      // seconds; 0xffffffff is for ever
  std::uint32_t preferred_lifetime = 0;  // seconds
};

// RFC 4191 §2.1: of a router, or of a way through it.
enum class RouterPreference : std::uint8_t { kHigh, kMedium, kLow };

// Route information, RFC 4191 §2.3.
struct NdpRoute {
  IpPrefix prefix;
  RouterPreference preference = RouterPreference::kMedium;
  std::uint32_t lifetime = 0;  // seconds; 0xffffffff is for ever
};

// Recursive DNS servers and search domains, RFC 8106 §5: what shares one lifetime.
struct NdpDnsServers {
  std::vector<IpAddress> servers;
  std::uint32_t lifetime = 0;  // seconds
};
struct NdpSearchDomains {
  std::vector<std::string> domains;  // "example.org", printable, lower case
  std::uint32_t lifetime = 0;
};

// The options of one message. A repeated option of which one is meaningful: the first counts. At most
// kMaxPrefixes prefixes are kept; a zero length or one that does not fit fails the whole message (RFC 4861
// §6.1).
struct NdpOptions {
  static constexpr std::size_t kMaxPrefixes = 8;
  static constexpr std::size_t kMaxRoutes = 8;
  static constexpr std::size_t kMaxDnsServers = 8;
  static constexpr std::size_t kMaxDomains = 8;

  std::optional<MacAddress> source_link_address;              // type 1
  std::optional<MacAddress> target_link_address;              // type 2
  std::array<NdpPrefixInformation, kMaxPrefixes> prefixes{};  // type 3
  std::size_t prefix_count = 0;
  std::optional<std::uint32_t> mtu;                  // type 5
  std::optional<std::array<std::uint8_t, 6>> nonce;  // type 14, RFC 3971 §5.3.2 as RFC 7527 uses it
  std::vector<NdpRoute> routes;                      // type 24; at most kMaxRoutes
  std::vector<NdpDnsServers> dns_servers;            // type 25; at most kMaxDnsServers addresses in all
  std::vector<NdpSearchDomains> search_domains;      // type 31; at most kMaxDomains names in all

  static std::expected<NdpOptions, ParseError> parse(Reader& reader);
  void write(Writer& writer) const;
  std::size_t size() const;
};

// NS and NA: header, reserved/flags, target, options. `message` starts at the ICMPv6 type octet.
struct NeighborSolicitation {
  IpAddress target;
  NdpOptions options;
  static std::expected<NeighborSolicitation, ParseError> parse(Bytes message);
  std::size_t size() const { return 24 + options.size(); }
  void write(Writer& writer) const;  // checksum left zero
};

struct NeighborAdvertisement {
  bool router = false;
  bool solicited = false;
  bool override_cache = false;
  IpAddress target;
  NdpOptions options;
  static std::expected<NeighborAdvertisement, ParseError> parse(Bytes message);
  std::size_t size() const { return 24 + options.size(); }
  void write(Writer& writer) const;
};

struct RouterSolicitation {
  NdpOptions options;
  static std::expected<RouterSolicitation, ParseError> parse(Bytes message);
  std::size_t size() const { return 8 + options.size(); }
  void write(Writer& writer) const;
};

struct RouterAdvertisement {
  std::uint8_t hop_limit = 0;  // 0: unspecified
  bool managed = false;
  bool other_config = false;
  RouterPreference preference = RouterPreference::kMedium;
  std::uint16_t router_lifetime = 0;  // seconds
  std::uint32_t reachable_time = 0;   // milliseconds; 0: unspecified
  std::uint32_t retrans_timer = 0;    // milliseconds; 0: unspecified
  NdpOptions options;
  static std::expected<RouterAdvertisement, ParseError> parse(Bytes message);
  std::size_t size() const { return 16 + options.size(); }
  void write(Writer& writer) const;
};

struct NdpRedirect {
  IpAddress target;
  IpAddress destination;
  NdpOptions options;
  static std::expected<NdpRedirect, ParseError> parse(Bytes message);
  std::size_t size() const { return 40 + options.size(); }
  void write(Writer& writer) const;
};

}  // namespace transom::wire
