// ICMP (RFC 792) and ICMPv6 (RFC 4443): the eight-octet header that both share. What follows is the echoed
// data or the quoted packet.
//
//   |     Type      |     Code      |           Checksum            |
//   |          Rest of header: identifier and sequence, MTU, pointer, unused         |
#pragma once

#include <expected>

#include "stack/base/address.h"
#include "stack/wire/cursor.h"

namespace transom::wire {

enum class IcmpType : std::uint8_t {
  kEchoReply = 0,
  kDestinationUnreachable = 3,
  kSourceQuench = 4,
  kRedirect = 5,
  kEchoRequest = 8,
  kTimeExceeded = 11,
  kParameterProblem = 12,
};

enum class Icmpv6Type : std::uint8_t {
  kDestinationUnreachable = 1,
  kPacketTooBig = 2,
  kTimeExceeded = 3,
  kParameterProblem = 4,
  kEchoRequest = 128,
  kEchoReply = 129,
  kMldQuery = 130,
  kMldReport = 131,
  kMldDone = 132,
  kRouterSolicitation = 133,
  kRouterAdvertisement = 134,
  kNeighborSolicitation = 135,
  kNeighborAdvertisement = 136,
  kRedirect = 137,
  kMldv2Report = 143,
};

// Destination unreachable codes, RFC 792 and RFC 1122 §3.2.2.1.
enum class IcmpUnreachable : std::uint8_t {
  kNetwork = 0,
  kHost = 1,
  kProtocol = 2,
  kPort = 3,
  kFragmentationNeeded = 4,
  kSourceRouteFailed = 5,
  kNetworkUnknown = 6,
  kHostUnknown = 7,
  kNetworkProhibited = 9,
  kHostProhibited = 10,
  kAdminProhibited = 13,
};
// RFC 4443 §3.1.
enum class Icmpv6Unreachable : std::uint8_t {
  kNoRoute = 0,
  kProhibited = 1,
  kBeyondScope = 2,
  kAddress = 3,
  kPort = 4
};

struct IcmpHeader {
  static constexpr std::size_t kSize = 8;

  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint16_t checksum = 0;  // as received, or as to be written
  std::uint32_t rest = 0;

  std::uint16_t identifier() const { return static_cast<std::uint16_t>(rest >> 16); }
  std::uint16_t sequence() const { return static_cast<std::uint16_t>(rest); }
  static constexpr std::uint32_t echo_rest(std::uint16_t identifier, std::uint16_t sequence) {
    return std::uint32_t{identifier} << 16 | sequence;
  }

  friend bool operator==(const IcmpHeader&, const IcmpHeader&) = default;
  static std::expected<IcmpHeader, ParseError> parse(Reader& reader);
  void write(Writer& writer) const;
};

// Fills in the checksum of a whole ICMP message (offset 2). For ICMPv6 the pseudo-header needs the addresses.
void write_icmp_checksum(MutableBytes message);
void write_icmpv6_checksum(MutableBytes message, const IpAddress& source, const IpAddress& destination);

}  // namespace transom::wire
