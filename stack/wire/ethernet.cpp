#include "stack/wire/ethernet.h"

#include <algorithm>

namespace transom::wire {

std::expected<EthernetHeader, ParseError> EthernetHeader::parse(Reader& reader) {
  EthernetHeader header;
  header.destination = read_mac(reader);
  header.source = read_mac(reader);
  header.type = static_cast<EtherType>(reader.u16());
  if (header.type == EtherType::kVlan) {  // IEEE 802.1Q §9.6: priority 3, drop eligible 1, identifier 12
    const std::uint16_t control = reader.u16();
    header.tag = VlanTag{.priority = static_cast<std::uint8_t>(control >> 13),
                         .drop_eligible = (control & 0x1000U) != 0,
                         .id = static_cast<std::uint16_t>(control & 0x0fffU)};
    header.type = static_cast<EtherType>(reader.u16());
  }
  if (!reader.ok()) return std::unexpected(ParseError::kTruncated);
  return header;
}

void EthernetHeader::write(Writer& writer) const {
  write_mac(writer, destination);
  write_mac(writer, source);
  if (tag) {
    writer.u16(static_cast<std::uint16_t>(EtherType::kVlan));
    writer.u16(static_cast<std::uint16_t>((tag->priority & 7U) << 13 | (tag->drop_eligible ? 0x1000U : 0U) |
                                          (tag->id & 0x0fffU)));
  }
  writer.u16(static_cast<std::uint16_t>(type));
}

MacAddress read_mac(Reader& reader) {
  std::array<std::uint8_t, 6> octets{};
  std::ranges::copy(reader.bytes(octets.size()), octets.begin());
  return MacAddress(octets);
}

void write_mac(Writer& writer, const MacAddress& mac) { writer.bytes(mac.octets()); }

MacAddress multicast_mac(const IpAddress& group) {
  const auto& o = group.octets();
  if (group.is_v4())
    return MacAddress({0x01, 0x00, 0x5e, static_cast<std::uint8_t>(o[13] & 0x7fU), o[14], o[15]});
  return MacAddress({0x33, 0x33, o[12], o[13], o[14], o[15]});
}

}  // namespace transom::wire
