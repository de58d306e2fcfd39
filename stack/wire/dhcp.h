// DHCPv4 messages (RFC 2131 §2, RFC 2132): the fixed part of BOOTP, the magic cookie, and options.
//
//   |op 1|htype 1|hlen 1|hops 1| xid 4 |secs 2|flags 2| ciaddr 4 | yiaddr 4 | siaddr 4 | giaddr 4 |
//   | chaddr 16 | sname 64 | file 128 | cookie 4 | options ...
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "stack/base/address.h"
#include "stack/wire/cursor.h"

namespace transom::wire {

enum class DhcpType : std::uint8_t {
  kDiscover = 1,
  kOffer = 2,
  kRequest = 3,
  kDecline = 4,
  kAck = 5,
  kNak = 6,
  kRelease = 7,
  kInform = 8,
};

// RFC 3442: a way to a network. A gateway of 0.0.0.0: on the link.
struct DhcpRoute {
  IpPrefix prefix;
  IpAddress gateway = IpAddress::v4(0);
  friend bool operator==(const DhcpRoute&, const DhcpRoute&) = default;
};

// Parsing is strict about what would be used: an option of impossible length counts as not there. Option
// overload (52) is followed, and the parts of a long option are put together (RFC 3396) before they are read.
// Lists have at most kMaxList entries.
struct DhcpMessage {
  static constexpr std::size_t kMaxList = 8;
  static constexpr std::size_t kMaxRoutes = 32;

  bool is_reply = false;  // op: BOOTREPLY
  std::uint32_t transaction = 0;
  std::uint16_t seconds = 0;
  bool broadcast = false;
  IpAddress client = IpAddress::v4(0);  // ciaddr
  IpAddress yours = IpAddress::v4(0);   // yiaddr
  IpAddress relay = IpAddress::v4(0);   // giaddr
  MacAddress hardware;                  // chaddr

  DhcpType type = DhcpType::kDiscover;                          // 53
  std::optional<IpAddress> requested = std::nullopt;            // 50
  std::optional<IpAddress> server = std::nullopt;               // 54
  std::optional<std::uint32_t> lease = std::nullopt;            // 51, seconds
  std::optional<std::uint32_t> renewal = std::nullopt;          // 58
  std::optional<std::uint32_t> rebinding = std::nullopt;        // 59
  std::optional<std::uint8_t> prefix_length = std::nullopt;     // 1, as a mask
  std::vector<IpAddress> routers = {};                          // 3
  std::vector<IpAddress> dns_servers = {};                      // 6
  std::string host_name = {};                                   // 12
  std::string domain = {};                                      // 15
  std::optional<std::uint16_t> mtu = std::nullopt;              // 26
  std::vector<std::string> search_domains = {};                 // 119, RFC 3397
  std::optional<std::vector<DhcpRoute>> routes = std::nullopt;  // 121
  std::vector<std::uint8_t> client_identifier = {};             // 61
  std::vector<std::uint8_t> asks_for = {};                      // 55
  std::optional<std::uint16_t> max_size = std::nullopt;         // 57

  // kTruncated below the fixed part with its cookie; kBadValue for another cookie, op, kind of hardware, or
  // without a message type.
  static std::expected<DhcpMessage, ParseError> parse(Bytes octets);
  std::size_t size() const;
  // Of the options, those that a client or a server of ours gives: all above.
  void write(Writer& writer) const;
};

}  // namespace transom::wire
