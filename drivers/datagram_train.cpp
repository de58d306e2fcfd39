#include "drivers/datagram_train.h"

#include <algorithm>

#include "drivers/frame_layout.h"
#include "stack/wire/checksum.h"
#include "stack/wire/cursor.h"

namespace transom::drivers {

namespace {

constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kMostDatagrams = 128;
constexpr std::uint16_t kChecksumField = 6;

std::uint16_t read16(Bytes octets, std::size_t at) {
  wire::Reader reader(octets.subspan(at, 2));
  return reader.u16();
}
void write16(MutableBytes octets, std::size_t at, std::size_t value) {
  wire::Writer writer(octets.subspan(at, 2));
  writer.u16(static_cast<std::uint16_t>(value));
}

// Lengths, identification and checksums of the datagram number `index`. `head` begins with the IP header and
// has `headers` octets of it and of UDP.
void rewrite(MutableBytes head, IpFamily family, std::size_t headers, std::size_t payload,
             std::size_t index) {
  if (family == IpFamily::kIpv4) {
    const std::size_t header = (head[0] & 0x0fU) * 4U;
    write16(head, 2, headers + payload);
    write16(head, 4, read16(head, 4) + index);
    write16(head, 10, 0);
    write16(head, 10, wire::checksum(head.first(header)));
  } else {
    constexpr std::size_t kIpv6Header = 40;
    write16(head, 4, headers - kIpv6Header + payload);
  }
  const MutableBytes udp = head.subspan(headers - kUdpHeader, kUdpHeader);
  const std::uint16_t before = read16(udp, 4);
  write16(udp, 4, kUdpHeader + payload);
  // The pseudo-header's sum has the length, too (RFC 1624).
  wire::ChecksumSum sum;
  sum.add_u16(read16(udp, kChecksumField));
  sum.add_u16(static_cast<std::uint16_t>(~before));
  sum.add_u16(read16(udp, 4));
  write16(udp, kChecksumField, sum.fold());
}

Packet datagram_of(const Packet& frame, std::size_t headers, std::size_t offset, std::size_t payload) {
  const bool is_small = Packet::kHeadRoom + headers + payload <= BufferPool::capacity(BufferSize::kFrame);
  Packet datagram = frame.pool().allocate(is_small ? BufferSize::kFrame : BufferSize::kSuperFrame);
  if (!datagram || datagram.tail_room() < headers + payload) return {};
  const MutableBytes octets = datagram.append(headers + payload);
  frame.copy_out(0, octets.first(headers));
  frame.copy_out(headers + offset, octets.subspan(headers));
  datagram.info().checksum = ChecksumState::kPartial;
  datagram.info().checksum_field = kChecksumField;
  return datagram;
}

}  // namespace

bool cut_datagrams(const Packet& frame, link::LinkType type, std::uint16_t payload, PacketQueue& out) {
  const auto layout = layout_of(frame.head(), type);
  if (payload == 0 || !layout || layout->is_fragment || layout->protocol != IpProtocol::kUdp) return false;
  const std::size_t headers = layout->transport_offset + kUdpHeader;
  if (headers > frame.head().size()) return false;
  const std::size_t total = frame.size() - headers;
  if (total > kMostDatagrams * payload) return false;
  PacketQueue cut;
  for (std::size_t offset = 0; offset < total; offset += payload) {
    const std::size_t here = std::min<std::size_t>(payload, total - offset);
    Packet datagram = datagram_of(frame, headers, offset, here);
    if (!datagram) return false;
    rewrite(datagram.head().subspan(layout->ip_offset), layout->family, headers - layout->ip_offset, here,
            offset / payload);
    cut.push(std::move(datagram));
  }
  out.splice(cut);
  return true;
}

}  // namespace transom::drivers
