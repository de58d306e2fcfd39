#include "stack/ip/raw_output.h"

#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"

namespace transom::ip {

namespace {

constexpr std::size_t kLengthOffset = 2, kIdentificationOffset = 4, kChecksumOffset = 10, kSourceOffset = 12;

std::uint16_t read_u16(Bytes octets, std::size_t offset) {
  wire::Reader reader(octets.subspan(offset));
  return reader.u16();
}
void write_u16(MutableBytes octets, std::size_t offset, std::uint16_t value) {
  wire::Writer writer(octets.subspan(offset));
  writer.u16(value);
}

}  // namespace

Result<void> complete_ipv4_header(Packet& packet, const IpAddress& source, std::uint16_t identification) {
  constexpr std::size_t kMaxLength = 65535;
  const MutableBytes head = packet.head();
  if (head.size() < wire::Ipv4Header::kMinSize || packet.size() > kMaxLength)
    return std::unexpected(Error::kInvalidArgument);
  const std::size_t size = (head[0] & 0x0fU) * std::size_t{4};
  if (size < wire::Ipv4Header::kMinSize || size > head.size())
    return std::unexpected(Error::kInvalidArgument);
  const MutableBytes header = head.first(size);
  write_u16(header, kLengthOffset, static_cast<std::uint16_t>(packet.size()));
  if (read_u16(header, kIdentificationOffset) == 0) write_u16(header, kIdentificationOffset, identification);
  wire::Reader source_field(Bytes(header).subspan(kSourceOffset));
  if (source_field.u32() == 0) {
    wire::Writer writer(header.subspan(kSourceOffset));
    wire::write_ipv4_address(writer, source);
  }
  write_u16(header, kChecksumOffset, 0);
  write_u16(header, kChecksumOffset, wire::checksum(header));
  return {};
}

Result<void> write_checksum_at(Packet& packet, std::size_t offset, const IpAddress& source,
                               const IpAddress& destination, IpProtocol protocol) {
  const MutableBytes head = packet.head();
  if (offset > head.size() || head.size() - offset < sizeof(std::uint16_t))
    return std::unexpected(Error::kInvalidArgument);
  write_u16(head, offset, 0);
  wire::ChecksumSum sum =
      wire::pseudo_header_sum(source, destination, protocol, static_cast<std::uint32_t>(packet.size()));
  wire::add_packet(sum, packet);
  const std::uint16_t checksum = sum.checksum();
  // RFC 768: of UDP, zero would say that there is none.
  write_u16(head, offset, checksum == 0 && protocol == IpProtocol::kUdp ? std::uint16_t{0xffff} : checksum);
  return {};
}

}  // namespace transom::ip
