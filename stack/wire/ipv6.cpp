#include "stack/wire/ipv6.h"

#include <algorithm>

namespace transom::wire {

namespace {
constexpr std::uint32_t kFlowLabelMask = 0xfffff;
}  // namespace

std::expected<Ipv6Header, ParseError> Ipv6Header::parse_quoted(Reader& reader) {
  std::expected<Ipv6Header, ParseError> header;  // the one object of every return, so that it is never copied
  const Bytes octets = reader.bytes(kSize);
  if (octets.size() != kSize) {
    header = std::unexpected(ParseError::kTruncated);
    return header;
  }
  Reader fields(octets.first<kSize>());  // a size known here spares a bounds check per field
  const std::uint32_t first = fields.u32();
  if (first >> 28 != 6) {
    header = std::unexpected(ParseError::kBadVersion);
    return header;
  }
  header->traffic_class = static_cast<std::uint8_t>(first >> 20);
  header->flow_label = first & kFlowLabelMask;
  header->payload_length = fields.u16();
  header->next_header = static_cast<IpProtocol>(fields.u8());
  header->hop_limit = fields.u8();
  header->source = read_ipv6_address(fields);
  header->destination = read_ipv6_address(fields);
  return header;
}

std::expected<Ipv6Header, ParseError> Ipv6Header::parse(Reader& reader) {
  auto header = parse_quoted(reader);
  if (header && header->payload_length > reader.remaining()) header = std::unexpected(ParseError::kTruncated);
  return header;
}

void Ipv6Header::write(Writer& writer) const {
  writer.u32(6U << 28 | std::uint32_t{traffic_class} << 20 | (flow_label & kFlowLabelMask));
  writer.u16(payload_length);
  writer.u8(static_cast<std::uint8_t>(next_header));
  writer.u8(hop_limit);
  write_ipv6_address(writer, source);
  write_ipv6_address(writer, destination);
}

IpAddress read_ipv6_address(Reader& reader) {
  std::array<std::uint8_t, 16> octets{};
  std::ranges::copy(reader.bytes(octets.size()), octets.begin());
  return IpAddress::v6(octets);
}

void write_ipv6_address(Writer& writer, const IpAddress& address) { writer.bytes(address.octets()); }

std::expected<Ipv6ExtensionHeader, ParseError> Ipv6ExtensionHeader::parse(Reader& reader) {
  Ipv6ExtensionHeader header;
  header.next_header = static_cast<IpProtocol>(reader.u8());
  header.size = (std::size_t{reader.u8()} + 1) * 8;
  header.body = reader.bytes(header.size - 2);
  if (!reader.ok()) return std::unexpected(ParseError::kTruncated);
  return header;
}

std::expected<Ipv6RoutingHeader, ParseError> Ipv6RoutingHeader::parse(Bytes body) {
  Reader reader(body);
  Ipv6RoutingHeader header;
  header.type = reader.u8();
  header.segments_left = reader.u8();
  if (!reader.ok()) return std::unexpected(ParseError::kTruncated);
  return header;
}

std::expected<Ipv6FragmentHeader, ParseError> Ipv6FragmentHeader::parse(Reader& reader) {
  Ipv6FragmentHeader header;
  header.next_header = static_cast<IpProtocol>(reader.u8());
  reader.skip(1);
  const std::uint16_t offset_and_flags = reader.u16();
  header.offset = offset_and_flags & 0xfff8U;  // counted in units of 8 octets, three bits up: octets already
  header.more_fragments = (offset_and_flags & 1U) != 0;
  header.identification = reader.u32();
  if (!reader.ok()) return std::unexpected(ParseError::kTruncated);
  return header;
}

void Ipv6FragmentHeader::write(Writer& writer) const {
  writer.u8(static_cast<std::uint8_t>(next_header));
  writer.u8(0);
  writer.u16(static_cast<std::uint16_t>((offset & 0xfff8U) | (more_fragments ? 1U : 0U)));
  writer.u32(identification);
}

bool Ipv6OptionWalk::next(Ipv6Option& option) {
  if (!ok_ || reader_.remaining() == 0) return false;
  option.offset = reader_.position();
  option.type = reader_.u8();
  option.data = {};
  if (option.type == Ipv6Option::kPad1) return true;  // RFC 8200 §4.2: the one option without a length
  option.data = reader_.bytes(reader_.u8());
  ok_ = reader_.ok();
  return ok_;
}

}  // namespace transom::wire
