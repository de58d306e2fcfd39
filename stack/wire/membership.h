// Group membership messages: IGMP (RFC 1112, RFC 2236, RFC 9776 §4) for IPv4, MLD (RFC 2710, RFC 9777 §5)
// for IPv6. They say the same; addresses differ in size, IPv6's are ICMPv6 messages, and IGMP's times are in
// tenths of a second where MLD's are in thousandths.
//
//   query    |Type | Max Resp Code |Checksum| Group |Resv|S|QRV| QQIC | Sources (N) | Source 1 ... N
//            IGMPv1, v2 and MLDv1 end behind the group
//   report   |Type | Reserved |Checksum| Reserved | Records (M) | Record 1 ... M         (IGMPv3, MLDv2)
//   record   |Record Type | Aux Data Len | Sources (N) | Group | Source 1 ... N | Auxiliary Data
//   others   as a short query: reports of a group, and that it was left                  (IGMPv1, v2, MLDv1)
//
// IGMPv2 reports, and MLDv1's, are told from each other by their types.
#pragma once

#include <expected>
#include <optional>
#include <vector>

#include "stack/base/address.h"
#include "stack/base/time.h"
#include "stack/wire/cursor.h"

namespace transom::wire {

enum class IgmpType : std::uint8_t {
  kQuery = 0x11,
  kReportV1 = 0x12,
  kReportV2 = 0x16,
  kLeave = 0x17,
  kReportV3 = 0x22,
};

// By the version of IGMP; MLDv1 is like kV2, MLDv2 like kV3.
enum class MembershipVersion : std::uint8_t { kV1 = 1, kV2 = 2, kV3 = 3 };

struct MembershipQuery {
  MembershipVersion version = MembershipVersion::kV3;
  Duration max_response{};  // IGMPv1 says none: 10 s
  IpAddress group;          // unspecified: a general query
  bool suppress = false;    // for routers
  std::uint8_t robustness = 0;
  Duration interval{};  // between general queries
  std::vector<IpAddress> sources;

  // `message` starts at the type octet. kBadLength for a length that is none of a query's, or too short for
  // the number of sources; octets behind the sources are ignored (RFC 9776 §4.1.10). Checksums are the
  // caller's.
  static std::expected<MembershipQuery, ParseError> parse(IpFamily family, Bytes message);
  std::size_t size() const;
  // Checksum left zero. Times go into their codes rounded down; an IGMPv1 query has none.
  void write(Writer& writer) const;
};

struct MembershipRecord {
  enum class Type : std::uint8_t {
    kIsInclude = 1,
    kIsExclude = 2,
    kToInclude = 3,
    kToExclude = 4,
    kAllow = 5,
    kBlock = 6,
  };
  Type type{};
  IpAddress group;
  std::vector<IpAddress> sources;

  std::size_t size() const { return 4 + (1 + sources.size()) * (group.is_v4() ? 4U : 16U); }
  friend bool operator==(const MembershipRecord&, const MembershipRecord&) = default;
};

// A report of IGMPv3 or MLDv2; not empty. Records of unknown types are skipped (RFC 9776 §4.2.12).
struct MembershipReport {
  std::vector<MembershipRecord> records;

  static std::expected<MembershipReport, ParseError> parse(IpFamily family, Bytes message);
  std::size_t size() const;
  void write(Writer& writer) const;  // checksum left zero
};

// What IGMPv1, v2 and MLDv1 have besides queries: a member, or that it has left.
struct OldMembershipMessage {
  enum class Kind : std::uint8_t { kReportV1, kReport, kLeave };
  Kind kind{};
  IpAddress group;

  static std::expected<OldMembershipMessage, ParseError> parse(IpFamily family, Bytes message);
  std::size_t size() const { return group.is_v4() ? 8 : 24; }
  void write(Writer& writer) const;  // checksum left zero
};

// RFC 9776 §4.1.1, §4.1.7 and RFC 9777 §5.1.3: small numbers as they are, others as a mantissa with its
// highest bit left out, and an exponent.
std::uint32_t decode_time_code8(std::uint8_t code);
std::uint32_t decode_time_code16(std::uint16_t code);
std::uint8_t encode_time_code8(std::uint32_t value);  // the largest code that is not above
std::uint16_t encode_time_code16(std::uint32_t value);

}  // namespace transom::wire
