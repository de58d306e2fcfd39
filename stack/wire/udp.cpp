#include "stack/wire/udp.h"

namespace transom::wire {

std::expected<UdpHeader, ParseError> UdpHeader::parse(Reader& reader) {
  UdpHeader header;
  header.source_port = static_cast<Port>(reader.u16());
  header.destination_port = static_cast<Port>(reader.u16());
  header.length = reader.u16();
  header.checksum = reader.u16();
  if (!reader.ok()) return std::unexpected(ParseError::kTruncated);
  if (header.length < kSize) return std::unexpected(ParseError::kBadLength);
  return header;
}

void UdpHeader::write(Writer& writer) const {
  writer.u16(to_number(source_port));
  writer.u16(to_number(destination_port));
  writer.u16(length);
  writer.u16(checksum);
}

}  // namespace transom::wire
