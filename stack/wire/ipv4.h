// The IPv4 header (RFC 791 §3.1).
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |Version|  IHL  |   DSCP    |ECN|          Total Length         |
//   |         Identification        |0|D|M|     Fragment Offset     |
//   |  Time to Live |    Protocol   |        Header Checksum        |
//   |                        Source Address                         |
//   |                     Destination Address                       |
//   |                    Options, 0 to 40 octets                    |
#pragma once

#include <expected>

#include "stack/base/address.h"
#include "stack/wire/cursor.h"

namespace transom::wire {

struct Ipv4Header {
  static constexpr std::size_t kMinSize = 20;
  static constexpr std::size_t kMaxSize = 60;

  std::uint8_t traffic_class = 0;  // DSCP in the upper six bits, ECN in the lower two
  std::uint16_t total_length = 0;  // header and payload, octets
  std::uint16_t identification = 0;
  bool dont_fragment = false;
  bool more_fragments = false;
  std::uint16_t fragment_offset = 0;  // in octets, a multiple of 8
  std::uint8_t ttl = 64;
  IpProtocol protocol{};
  std::uint16_t checksum = 0;  // as received; write() computes it
  IpAddress source = IpAddress::v4(0);
  IpAddress destination = IpAddress::v4(0);
  Bytes options;  // a view; padded to a multiple of 4 by write()

  std::size_t size() const { return kMinSize + (options.size() + 3) / 4 * 4; }
  std::size_t payload_size() const { return total_length - size(); }
  bool is_fragment() const { return more_fragments || fragment_offset != 0; }

  // Checks version, header length and total length against each other and against the octets at hand. The
  // checksum is checked by has_valid_checksum().
  static std::expected<Ipv4Header, ParseError> parse(Reader& reader);
  // The same for the front of a packet, as an ICMP error quotes it: total_length may exceed the octets at
  // hand.
  static std::expected<Ipv4Header, ParseError> parse_quoted(Reader& reader);
  static bool has_valid_checksum(Bytes header);
  // Writes size() octets with the right header checksum.
  void write(Writer& writer) const;
};

IpAddress read_ipv4_address(Reader& reader);
void write_ipv4_address(Writer& writer, const IpAddress& address);

// Walks IPv4 options. `next()` gives each option but End of List and No Operation; ok() turns false at an
// illegal length.
struct Ipv4Option {
  static constexpr std::uint8_t kEndOfList = 0;
  static constexpr std::uint8_t kNoOperation = 1;
  static constexpr std::uint8_t kRecordRoute = 7;
  static constexpr std::uint8_t kTimestamp = 68;
  static constexpr std::uint8_t kLooseSourceRoute = 131;
  static constexpr std::uint8_t kStrictSourceRoute = 137;
  static constexpr std::uint8_t kRouterAlert = 148;

  std::uint8_t type = 0;
  Bytes data;  // behind type and length
};

class Ipv4OptionWalk {
 public:
  explicit Ipv4OptionWalk(Bytes options) : reader_(options) {}
  bool next(Ipv4Option& option);  // false at the end or at an error
  bool ok() const { return ok_; }

 private:
  Reader reader_;
  bool ok_ = true;
};

}  // namespace transom::wire
