// The IPv6 header and its extension headers (RFC 8200 §3, §4).
//
//   |Version| Traffic Class |           Flow Label                  |
//   |         Payload Length        |  Next Header  |   Hop Limit   |
//   |                    Source Address, 16 octets                  |
//   |                 Destination Address, 16 octets                |
#pragma once

#include <expected>

#include "stack/base/address.h"
#include "stack/wire/cursor.h"

namespace transom::wire {

struct Ipv6Header {
  static constexpr std::size_t kSize = 40;

  std::uint8_t traffic_class = 0;
  std::uint32_t flow_label = 0;  // 20 bits
  std::uint16_t payload_length = 0;
  IpProtocol next_header{};
  std::uint8_t hop_limit = 64;
  IpAddress source;
  IpAddress destination;

  // kTruncated also when payload_length exceeds the octets at hand.
  static std::expected<Ipv6Header, ParseError> parse(Reader& reader);
  // The same for the front of a packet, as an ICMPv6 error quotes it: payload_length may exceed the octets at
  // hand.
  static std::expected<Ipv6Header, ParseError> parse_quoted(Reader& reader);
  void write(Writer& writer) const;
};

// Does not judge: a packet with an IPv4-mapped address, which IpAddress takes for an IPv4 one, is the
// caller's to drop.
IpAddress read_ipv6_address(Reader& reader);
void write_ipv6_address(Writer& writer, const IpAddress& address);

// Hop-by-hop options, destination options and routing headers share this shape: next header, length in units
// of 8 octets beyond the first 8, then contents.
struct Ipv6ExtensionHeader {
  IpProtocol next_header{};
  Bytes body;  // everything behind the two first octets
  std::size_t size = 0;

  static std::expected<Ipv6ExtensionHeader, ParseError> parse(Reader& reader);
};

struct Ipv6RoutingHeader {
  static constexpr std::uint8_t kSegmentRouting = 4;  // RFC 8754

  std::uint8_t type = 0;
  std::uint8_t segments_left = 0;
  static std::expected<Ipv6RoutingHeader, ParseError> parse(Bytes body);
};

struct Ipv6FragmentHeader {
  static constexpr std::size_t kSize = 8;
  IpProtocol next_header{};
  std::uint16_t offset = 0;  // in octets, a multiple of 8
  bool more_fragments = false;
  std::uint32_t identification = 0;

  static std::expected<Ipv6FragmentHeader, ParseError> parse(Reader& reader);
  void write(Writer& writer) const;
};

// An option of a hop-by-hop or destination options header. The two upper bits of the type say what to do when
// it is unknown (RFC 8200 §4.2).
struct Ipv6Option {
  enum class IfUnknown : std::uint8_t {
    kSkip = 0,
    kDiscard = 1,
    kDiscardAndReport = 2,
    kDiscardAndReportUnicast = 3
  };
  static constexpr std::uint8_t kPad1 = 0;
  static constexpr std::uint8_t kPadN = 1;
  static constexpr std::uint8_t kRouterAlert = 5;
  static constexpr std::uint8_t kJumbo = 0xc2;

  std::uint8_t type = 0;
  Bytes data;
  std::size_t offset = 0;  // of the type octet, from the start of the walked octets

  IfUnknown if_unknown() const { return static_cast<IfUnknown>(type >> 6); }
};

class Ipv6OptionWalk {
 public:
  explicit Ipv6OptionWalk(Bytes options) : reader_(options) {}
  bool next(Ipv6Option& option);  // every option, padding included; false at the end or at an error
  bool ok() const { return ok_; }

 private:
  Reader reader_;
  bool ok_ = true;
};

}  // namespace transom::wire
