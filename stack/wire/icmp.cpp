#include "stack/wire/icmp.h"

#include "stack/wire/checksum.h"

namespace transom::wire {

namespace {

constexpr std::size_t kChecksumOffset = 2;

// The sum must cover everything but the message itself.
void complete_checksum(MutableBytes message, ChecksumSum sum) {
  if (message.size() < IcmpHeader::kSize) return;
  const MutableBytes field = message.subspan(kChecksumOffset, 2);
  Writer(field).u16(0);
  sum.add(message);
  Writer(field).u16(sum.checksum());
}

}  // namespace

std::expected<IcmpHeader, ParseError> IcmpHeader::parse(Reader& reader) {
  IcmpHeader header;
  header.type = reader.u8();
  header.code = reader.u8();
  header.checksum = reader.u16();
  header.rest = reader.u32();
  if (!reader.ok()) return std::unexpected(ParseError::kTruncated);
  return header;
}

void IcmpHeader::write(Writer& writer) const {
  writer.u8(type);
  writer.u8(code);
  writer.u16(checksum);
  writer.u32(rest);
}

void write_icmp_checksum(MutableBytes message) { complete_checksum(message, ChecksumSum()); }

void write_icmpv6_checksum(MutableBytes message, const IpAddress& source, const IpAddress& destination) {
  const auto length = static_cast<std::uint32_t>(message.size());
  complete_checksum(message, pseudo_header_sum(source, destination, IpProtocol::kIcmpv6, length));
}

}  // namespace transom::wire
