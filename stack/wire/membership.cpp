#include "stack/wire/membership.h"

#include <algorithm>
#include <bit>

#include "stack/wire/icmp.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"

namespace transom::wire {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kIgmpUnit = milliseconds(100);
constexpr Duration kMldUnit = milliseconds(1);
constexpr Duration kIgmpV1Response = seconds(10);  // RFC 9776 §8.3
constexpr std::uint8_t kSuppress = 0x08;
constexpr std::uint8_t kRobustnessMask = 0x07;

std::size_t address_size(IpFamily family) { return family == IpFamily::kIpv4 ? 4 : 16; }

IpAddress read_address(Reader& reader, IpFamily family) {
  return family == IpFamily::kIpv4 ? read_ipv4_address(reader) : read_ipv6_address(reader);
}

void write_address(Writer& writer, const IpAddress& address) {
  if (address.is_v4()) return write_ipv4_address(writer, address);
  write_ipv6_address(writer, address);
}

// An IPv6 message may not carry an IPv4-mapped address, which would be taken for an IPv4 one.
bool is_of(IpFamily family, const IpAddress& address) { return address.family() == family; }

// The sources that follow; kBadLength when they do not fit, kBadValue for one that no host has.
std::expected<std::vector<IpAddress>, ParseError> read_sources(Reader& reader, IpFamily family,
                                                               std::size_t count) {
  if (count * address_size(family) > reader.remaining()) return std::unexpected(ParseError::kBadLength);
  std::vector<IpAddress> sources;
  sources.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    sources.push_back(read_address(reader, family));
    if (!is_of(family, sources.back())) return std::unexpected(ParseError::kBadValue);
  }
  return sources;
}

std::uint32_t in_units(Duration time, Duration unit) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(time / unit, 0, UINT32_MAX));
}

// `mantissa_bits` of the code are the mantissa, the three above the exponent, the highest says so.
std::uint32_t decode(std::uint32_t code, int mantissa_bits) {
  const std::uint32_t highest = 8U << mantissa_bits;
  if (code < highest) return code;
  const std::uint32_t mantissa = code & ((1U << mantissa_bits) - 1);
  const std::uint32_t exponent = (code >> mantissa_bits) & 7U;
  return (mantissa | 1U << mantissa_bits) << (exponent + 3);
}

std::uint32_t encode(std::uint32_t value, int mantissa_bits) {
  const std::uint32_t highest = 8U << mantissa_bits;
  if (value < highest) return value;
  const int exponent = static_cast<int>(std::bit_width(value)) - mantissa_bits - 4;
  if (exponent > 7) return 2 * highest - 1;
  const std::uint32_t mantissa = (value >> (exponent + 3)) & ((1U << mantissa_bits) - 1);
  return highest | static_cast<std::uint32_t>(exponent) << mantissa_bits | mantissa;
}

}  // namespace

std::uint32_t decode_time_code8(std::uint8_t code) { return decode(code, 4); }
std::uint32_t decode_time_code16(std::uint16_t code) { return decode(code, 12); }
std::uint8_t encode_time_code8(std::uint32_t value) { return static_cast<std::uint8_t>(encode(value, 4)); }
std::uint16_t encode_time_code16(std::uint32_t value) {
  return static_cast<std::uint16_t>(encode(value, 12));
}

// ---------------------------------------------------------------- queries

std::expected<MembershipQuery, ParseError> MembershipQuery::parse(IpFamily family, Bytes message) {
  const bool is_v4 = family == IpFamily::kIpv4;
  const std::size_t short_size = is_v4 ? 8 : 24;
  const std::size_t full_size = short_size + 4;
  if (message.size() < short_size) return std::unexpected(ParseError::kTruncated);
  // RFC 9776 §7.1, RFC 9777 §8.1: between the two, it is no query at all.
  if (message.size() > short_size && message.size() < full_size)
    return std::unexpected(ParseError::kBadLength);
  Reader reader(message);
  const std::uint8_t type = reader.u8();
  const std::uint8_t code = reader.u8();
  reader.skip(2);
  const bool is_query = type == (is_v4 ? static_cast<std::uint8_t>(IgmpType::kQuery)
                                       : static_cast<std::uint8_t>(Icmpv6Type::kMldQuery));
  if (!is_query || (!is_v4 && code != 0)) return std::unexpected(ParseError::kBadValue);

  const bool is_short = message.size() == short_size;
  MembershipQuery query;
  if (is_v4) {
    const bool is_v1 = is_short && code == 0;
    query.version = is_v1      ? MembershipVersion::kV1
                    : is_short ? MembershipVersion::kV2
                               : MembershipVersion::kV3;
    query.max_response = is_v1 ? kIgmpV1Response : kIgmpUnit * (is_short ? code : decode_time_code8(code));
  } else {
    query.version = is_short ? MembershipVersion::kV2 : MembershipVersion::kV3;
    const std::uint16_t delay = reader.u16();
    query.max_response = kMldUnit * (is_short ? delay : decode_time_code16(delay));
    reader.skip(2);
  }
  query.group = read_address(reader, family);
  if (!is_of(family, query.group)) return std::unexpected(ParseError::kBadValue);
  if (!query.group.is_unspecified() && !query.group.is_multicast())
    return std::unexpected(ParseError::kBadValue);
  if (is_short) return query;
  const std::uint8_t flags = reader.u8();
  query.suppress = (flags & kSuppress) != 0;
  query.robustness = flags & kRobustnessMask;
  query.interval = seconds(1) * decode_time_code8(reader.u8());
  auto sources = read_sources(reader, family, reader.u16());
  if (!sources) return std::unexpected(sources.error());
  query.sources = std::move(*sources);
  return query;
}

std::size_t MembershipQuery::size() const {
  const bool is_v4 = group.is_v4();
  const std::size_t short_size = is_v4 ? 8 : 24;
  if (version != MembershipVersion::kV3) return short_size;
  return short_size + 4 + sources.size() * address_size(group.family());
}

void MembershipQuery::write(Writer& writer) const {
  const bool is_full = version == MembershipVersion::kV3;
  if (group.is_v4()) {
    const std::uint32_t time = in_units(max_response, kIgmpUnit);
    writer.u8(static_cast<std::uint8_t>(IgmpType::kQuery));
    writer.u8(version == MembershipVersion::kV1 ? std::uint8_t{0}
              : is_full                         ? encode_time_code8(time)
                                                : static_cast<std::uint8_t>(std::min(time, 255U)));
    writer.u16(0);
  } else {
    const std::uint32_t time = in_units(max_response, kMldUnit);
    writer.u8(static_cast<std::uint8_t>(Icmpv6Type::kMldQuery));
    writer.u8(0);
    writer.u16(0);
    writer.u16(is_full ? encode_time_code16(time) : static_cast<std::uint16_t>(std::min(time, 65535U)));
    writer.u16(0);
  }
  write_address(writer, group);
  if (!is_full) return;
  writer.u8(static_cast<std::uint8_t>((suppress ? kSuppress : 0U) | (robustness & kRobustnessMask)));
  writer.u8(encode_time_code8(in_units(interval, seconds(1))));
  writer.u16(static_cast<std::uint16_t>(sources.size()));
  for (const IpAddress& source : sources) write_address(writer, source);
}

// ---------------------------------------------------------------- reports

std::expected<MembershipReport, ParseError> MembershipReport::parse(IpFamily family, Bytes message) {
  Reader reader(message);
  const std::uint8_t type = reader.u8();
  reader.skip(5);
  const std::uint16_t count = reader.u16();
  if (!reader.ok()) return std::unexpected(ParseError::kTruncated);
  if (type != (family == IpFamily::kIpv4 ? static_cast<std::uint8_t>(IgmpType::kReportV3)
                                         : static_cast<std::uint8_t>(Icmpv6Type::kMldv2Report)))
    return std::unexpected(ParseError::kBadValue);
  MembershipReport report;
  for (unsigned i = 0; i < count; ++i) {
    MembershipRecord record;
    const std::uint8_t record_type = reader.u8();
    const std::size_t auxiliary = reader.u8() * 4U;
    const std::uint16_t source_count = reader.u16();
    record.group = read_address(reader, family);
    if (!reader.ok()) return std::unexpected(ParseError::kTruncated);
    auto sources = read_sources(reader, family, source_count);
    if (!sources) return std::unexpected(sources.error());
    reader.skip(auxiliary);
    if (!reader.ok()) return std::unexpected(ParseError::kTruncated);
    if (!is_of(family, record.group) || !record.group.is_multicast())
      return std::unexpected(ParseError::kBadValue);
    if (record_type < 1 || record_type > 6) continue;
    record.type = static_cast<MembershipRecord::Type>(record_type);
    record.sources = std::move(*sources);
    report.records.push_back(std::move(record));
  }
  if (report.records.empty()) return std::unexpected(ParseError::kBadValue);
  return report;
}

std::size_t MembershipReport::size() const {
  std::size_t total = 8;
  for (const MembershipRecord& record : records) total += record.size();
  return total;
}

void MembershipReport::write(Writer& writer) const {
  const bool is_v4 = records.front().group.is_v4();
  writer.u8(is_v4 ? static_cast<std::uint8_t>(IgmpType::kReportV3)
                  : static_cast<std::uint8_t>(Icmpv6Type::kMldv2Report));
  writer.u8(0);
  writer.u16(0);
  writer.u16(0);
  writer.u16(static_cast<std::uint16_t>(records.size()));
  for (const MembershipRecord& record : records) {
    writer.u8(static_cast<std::uint8_t>(record.type));
    writer.u8(0);
    writer.u16(static_cast<std::uint16_t>(record.sources.size()));
    write_address(writer, record.group);
    for (const IpAddress& source : record.sources) write_address(writer, source);
  }
}

// ---------------------------------------------------------------- IGMPv1, v2 and MLDv1

std::expected<OldMembershipMessage, ParseError> OldMembershipMessage::parse(IpFamily family, Bytes message) {
  Reader reader(message);
  const std::uint8_t type = reader.u8();
  reader.skip(family == IpFamily::kIpv4 ? 3 : 7);
  OldMembershipMessage parsed;
  parsed.group = read_address(reader, family);
  if (!reader.ok()) return std::unexpected(ParseError::kTruncated);
  if (family == IpFamily::kIpv4) {
    switch (static_cast<IgmpType>(type)) {
      case IgmpType::kReportV1:
        parsed.kind = Kind::kReportV1;
        break;
      case IgmpType::kReportV2:
        parsed.kind = Kind::kReport;
        break;
      case IgmpType::kLeave:
        parsed.kind = Kind::kLeave;
        break;
      default:
        return std::unexpected(ParseError::kBadValue);
    }
  } else {
    switch (static_cast<Icmpv6Type>(type)) {
      case Icmpv6Type::kMldReport:
        parsed.kind = Kind::kReport;
        break;
      case Icmpv6Type::kMldDone:
        parsed.kind = Kind::kLeave;
        break;
      default:
        return std::unexpected(ParseError::kBadValue);
    }
  }
  if (!is_of(family, parsed.group) || !parsed.group.is_multicast())
    return std::unexpected(ParseError::kBadValue);
  return parsed;
}

void OldMembershipMessage::write(Writer& writer) const {
  if (group.is_v4()) {
    writer.u8(static_cast<std::uint8_t>(kind == Kind::kReportV1 ? IgmpType::kReportV1
                                        : kind == Kind::kReport ? IgmpType::kReportV2
                                                                : IgmpType::kLeave));
    writer.u8(0);
    writer.u16(0);
  } else {
    writer.u8(
        static_cast<std::uint8_t>(kind == Kind::kLeave ? Icmpv6Type::kMldDone : Icmpv6Type::kMldReport));
    writer.u8(0);
    writer.u16(0);
    writer.u32(0);  // maximum response delay and reserved
  }
  write_address(writer, group);
}

}  // namespace transom::wire
