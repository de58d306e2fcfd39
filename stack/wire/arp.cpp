#include "stack/wire/arp.h"

#include "stack/wire/ethernet.h"
#include "stack/wire/ipv4.h"

namespace transom::wire {

namespace {
constexpr std::uint16_t kHardwareEthernet = 1;
constexpr std::uint16_t kProtocolIpv4 = static_cast<std::uint16_t>(EtherType::kIpv4);
constexpr std::uint8_t kHardwareLength = 6;
constexpr std::uint8_t kProtocolLength = 4;
}  // namespace

std::expected<ArpPacket, ParseError> ArpPacket::parse(Reader& reader) {
  const Bytes octets = reader.bytes(kSize);
  if (octets.size() != kSize) return std::unexpected(ParseError::kTruncated);
  Reader fields(octets);
  const bool is_ipv4_over_ethernet = fields.u16() == kHardwareEthernet && fields.u16() == kProtocolIpv4 &&
                                     fields.u8() == kHardwareLength && fields.u8() == kProtocolLength;
  if (!is_ipv4_over_ethernet) return std::unexpected(ParseError::kBadValue);
  ArpPacket packet;
  packet.operation = static_cast<Operation>(fields.u16());
  if (packet.operation != Operation::kRequest && packet.operation != Operation::kReply) {
    return std::unexpected(ParseError::kBadValue);  // RARP and InARP among them
  }
  packet.sender_mac = read_mac(fields);
  packet.sender_ip = read_ipv4_address(fields);
  packet.target_mac = read_mac(fields);
  packet.target_ip = read_ipv4_address(fields);
  return packet;
}

void ArpPacket::write(Writer& writer) const {
  writer.u16(kHardwareEthernet);
  writer.u16(kProtocolIpv4);
  writer.u8(kHardwareLength);
  writer.u8(kProtocolLength);
  writer.u16(static_cast<std::uint16_t>(operation));
  write_mac(writer, sender_mac);
  write_ipv4_address(writer, sender_ip);
  write_mac(writer, target_mac);
  write_ipv4_address(writer, target_ip);
}

}  // namespace transom::wire
