#include "stack/wire/ipv4.h"

#include <cassert>

#include "stack/wire/checksum.h"

namespace transom::wire {

namespace {
constexpr std::uint16_t kDontFragment = 0x4000;
constexpr std::uint16_t kMoreFragments = 0x2000;
constexpr std::uint16_t kOffsetMask = 0x1fff;
constexpr std::size_t kChecksumOffset = 10;

// Fills `header` in place: copying one costs more than reading it. False, and `error` set, when it is
// malformed.
bool read_header(Reader& reader, Ipv4Header& header, ParseError& error) {
  const auto fail = [&error](ParseError reason) {
    error = reason;
    return false;
  };
  const Bytes fixed = reader.bytes(Ipv4Header::kMinSize);
  if (fixed.size() != Ipv4Header::kMinSize) return fail(ParseError::kTruncated);
  Reader fields(fixed.first<Ipv4Header::kMinSize>());  // a size known here spares a bounds check per field
  const std::uint8_t version_and_length = fields.u8();
  if (version_and_length >> 4 != 4) return fail(ParseError::kBadVersion);
  const std::size_t header_size = (version_and_length & 0x0fU) * std::size_t{4};
  if (header_size < Ipv4Header::kMinSize) return fail(ParseError::kBadLength);

  header.traffic_class = fields.u8();
  header.total_length = fields.u16();
  header.identification = fields.u16();
  const std::uint16_t flags_and_offset = fields.u16();
  header.dont_fragment = (flags_and_offset & kDontFragment) != 0;
  header.more_fragments = (flags_and_offset & kMoreFragments) != 0;
  header.fragment_offset = static_cast<std::uint16_t>((flags_and_offset & kOffsetMask) * 8U);
  header.ttl = fields.u8();
  header.protocol = static_cast<IpProtocol>(fields.u8());
  header.checksum = fields.u16();
  header.source = read_ipv4_address(fields);
  header.destination = read_ipv4_address(fields);
  if (header.total_length < header_size) return fail(ParseError::kBadLength);
  header.options = reader.bytes(header_size - Ipv4Header::kMinSize);
  return reader.ok() || fail(ParseError::kTruncated);
}
}  // namespace

std::expected<Ipv4Header, ParseError> Ipv4Header::parse_quoted(Reader& reader) {
  std::expected<Ipv4Header, ParseError> header;
  if (ParseError error{}; !read_header(reader, *header, error)) header = std::unexpected(error);
  return header;
}

std::expected<Ipv4Header, ParseError> Ipv4Header::parse(Reader& reader) {
  auto header = parse_quoted(reader);
  if (header && header->payload_size() > reader.remaining()) header = std::unexpected(ParseError::kTruncated);
  return header;
}

bool Ipv4Header::has_valid_checksum(Bytes header) { return wire::checksum(header) == 0; }

void Ipv4Header::write(Writer& writer) const {
  assert(size() <= kMaxSize && fragment_offset % 8 == 0);
  const MutableBytes octets = writer.take(size());
  if (octets.empty()) return;
  Writer fields(octets);
  fields.u8(static_cast<std::uint8_t>(4U << 4 | size() / 4));
  fields.u8(traffic_class);
  fields.u16(total_length);
  fields.u16(identification);
  fields.u16(static_cast<std::uint16_t>((dont_fragment ? kDontFragment : 0U) |
                                        (more_fragments ? kMoreFragments : 0U) | fragment_offset / 8U));
  fields.u8(ttl);
  fields.u8(static_cast<std::uint8_t>(protocol));
  fields.u16(0);  // for the checksum, when all else is in place
  write_ipv4_address(fields, source);
  write_ipv4_address(fields, destination);
  fields.bytes(options);
  fields.zeros(fields.remaining());  // End of Option List, and padding
  Writer(octets.subspan(kChecksumOffset)).u16(wire::checksum(octets));
}

IpAddress read_ipv4_address(Reader& reader) { return IpAddress::v4(reader.u32()); }
void write_ipv4_address(Writer& writer, const IpAddress& address) { writer.u32(address.v4_value()); }

bool Ipv4OptionWalk::next(Ipv4Option& option) {
  while (ok_ && reader_.remaining() > 0) {
    option.type = reader_.u8();
    if (option.type == Ipv4Option::kNoOperation) continue;
    if (option.type == Ipv4Option::kEndOfList) {
      reader_.rest();
      break;
    }
    const std::size_t length = reader_.u8();
    ok_ = length >= 2;  // RFC 1122 §3.2.1.8: the length counts type and length octet
    if (!ok_) break;
    option.data = reader_.bytes(length - 2);
    ok_ = reader_.ok();
    return ok_;
  }
  return false;
}

}  // namespace transom::wire
