#include "stack/link/segmentation.h"

#include <algorithm>
#include <array>
#include <optional>

#include "stack/link/octets_in_place.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"
#include "stack/wire/tcp.h"

namespace transom::link {

namespace {

constexpr std::size_t kMaxHeaders = 18 + wire::Ipv4Header::kMaxSize + wire::TcpHeader::kMaxSize;

struct Layout {
  bool is_v4 = false;
  std::size_t ip = 0;         // offset of the IP header
  std::size_t transport = 0;  // of the transport header
  IpProtocol protocol{};
  IpAddress source;
  IpAddress destination;
};

std::optional<Layout> find_headers(Bytes head, std::size_t ip_offset) {
  if (ip_offset >= head.size()) return std::nullopt;
  const Bytes packet = head.subspan(ip_offset);
  Layout layout;
  layout.ip = ip_offset;
  layout.is_v4 = packet[0] >> 4 == 4;
  wire::Reader reader(packet);
  if (layout.is_v4) {
    const std::size_t size = std::size_t{packet[0] & 0x0fU} * 4;
    if (size < wire::Ipv4Header::kMinSize || packet.size() < size) return std::nullopt;
    reader.skip(9);
    layout.protocol = IpProtocol{reader.u8()};
    reader.skip(2);
    layout.source = IpAddress::v4(reader.u32());
    layout.destination = IpAddress::v4(reader.u32());
    layout.transport = ip_offset + size;
    return layout;
  }
  if (packet[0] >> 4 != 6) return std::nullopt;
  reader.skip(6);
  IpProtocol next{reader.u8()};
  reader.skip(1);
  std::array<std::uint8_t, 16> octets{};
  const auto read_address = [&] {
    const Bytes bytes = reader.bytes(16);
    if (bytes.size() == 16) std::copy(bytes.begin(), bytes.end(), octets.begin());
    return IpAddress::v6(octets);
  };
  layout.source = read_address();
  layout.destination = read_address();
  while (reader.ok() && (next == IpProtocol::kHopByHop || next == IpProtocol::kRouting ||
                         next == IpProtocol::kDestinationOptions)) {
    next = IpProtocol{reader.u8()};
    const std::size_t size = (std::size_t{reader.u8()} + 1) * 8;
    reader.skip(size - 2);
  }
  if (!reader.ok()) return std::nullopt;
  layout.protocol = next;
  layout.transport = ip_offset + reader.position();
  return layout;
}

// Headers up to and with the TCP header; nullopt when they are not all there, or too long to be repeated.
std::optional<std::size_t> size_with_tcp_header(Bytes head, const Layout& layout) {
  if (head.size() < layout.transport + wire::TcpHeader::kMinSize) return std::nullopt;
  const std::size_t tcp_size = std::size_t{head[layout.transport + 12]} / 16 * 4;
  const std::size_t size = layout.transport + tcp_size;
  if (tcp_size < wire::TcpHeader::kMinSize || size > head.size() || size > kMaxHeaders) return std::nullopt;
  return size;
}

// One segment's place in the super-segment.
struct Place {
  std::size_t size = 0;    // of the whole frame
  std::size_t offset = 0;  // of its payload
  std::size_t index = 0;
  bool is_last = false;
  bool repeats_cwr = false;
};

// The lengths, the identification and the header checksum of one segment; its sequence number and flags.
void rewrite_headers(MutableBytes headers, const Layout& layout, const Place& place) {
  MutableBytes ip = headers.subspan(layout.ip);
  if (layout.is_v4) {
    put_u16(ip.subspan(2), static_cast<std::uint16_t>(place.size - layout.ip));
    put_u16(ip.subspan(4), static_cast<std::uint16_t>(get_u16(ip.subspan(4)) + place.index));
    put_u16(ip.subspan(10), 0);
    put_u16(ip.subspan(10), wire::checksum(ip.first(layout.transport - layout.ip)));
  } else {
    put_u16(ip.subspan(4), static_cast<std::uint16_t>(place.size - layout.ip - wire::Ipv6Header::kSize));
  }
  constexpr std::size_t kSequence = 4;
  constexpr std::size_t kFlags = 13;
  constexpr std::uint8_t kFinAndPush = 0x09;
  constexpr std::uint8_t kCwr = 0x80;
  MutableBytes tcp = headers.subspan(layout.transport);
  wire::Reader reader(tcp.subspan(kSequence));
  const auto sequence = static_cast<std::uint32_t>(reader.u32() + place.offset);
  wire::Writer writer(tcp.subspan(kSequence));
  writer.u32(sequence);
  if (!place.is_last) tcp[kFlags] &= static_cast<std::uint8_t>(~kFinAndPush);
  // RFC 3168 §6.1.2: a reduction of the window is told once.
  if (place.index != 0 && !place.repeats_cwr) tcp[kFlags] &= static_cast<std::uint8_t>(~kCwr);
}

// The whole checksum, or the pseudo-header's share of it for the device to go on from. `addresses`: what the
// pseudo-headers of all segments have in common.
void write_tcp_checksum(Packet& segment, const Layout& layout, wire::ChecksumSum addresses, bool whole) {
  addresses.add_u32(static_cast<std::uint32_t>(segment.size() - layout.transport));
  const MutableBytes field = segment.head().subspan(layout.transport + wire::TcpHeader::kChecksumOffset);
  put_u16(field, whole ? 0 : addresses.fold());
  if (!whole) return;
  wire::add_packet(addresses, segment, layout.transport);
  put_u16(field, addresses.checksum());
}

// The payload of a super-segment, handed out from front to back.
class PayloadSlices {
 public:
  explicit PayloadSlices(Packet packet) : count_(packet.into_slices(slices_)) {}

  // References to the next `length` octets, which are there. False when out of buffers.
  bool move_to(Packet& segment, std::size_t length) {
    while (length > 0 && next_ < count_) {
      Slice& slice = slices_[next_];
      const std::size_t here = std::min(length, slice.size());
      // Slices so short that one segment needs more of them than a packet can refer to are copied.
      if (segment.tail().size() == Packet::kMaxTail && !segment.linearize()) return false;
      segment.append_slice(slice.subslice(0, here));
      slice.trim_front(here);
      length -= here;
      if (slice.empty()) ++next_;
    }
    return true;
  }

 private:
  std::array<Slice, Packet::kMaxTail + 1> slices_;
  std::size_t count_ = 0;
  std::size_t next_ = 0;
};

}  // namespace

bool complete_checksum(Packet& packet, std::size_t ip_offset) {
  if (packet.info().checksum != ChecksumState::kPartial) return true;
  const auto layout = find_headers(packet.head(), ip_offset);
  if (!layout) return false;
  const std::size_t field = layout->transport + packet.info().checksum_field;
  if (field + 2 > packet.head().size()) return false;
  wire::ChecksumSum sum;  // the field holds the pseudo-header's share
  wire::add_packet(sum, packet, layout->transport);
  std::uint16_t checksum = sum.checksum();
  if (checksum == 0 && layout->protocol == IpProtocol::kUdp) checksum = 0xffff;  // RFC 768: zero means none
  put_u16(packet.head().subspan(field), checksum);
  packet.info().checksum = ChecksumState::kUnknown;
  return true;
}

bool segment(BufferPool& pool, Packet packet, std::size_t ip_offset, bool checksums, PacketQueue& out) {
  const std::size_t segment_size = packet.info().segment_size;
  if (segment_size == 0) {
    if (checksums && !complete_checksum(packet, ip_offset)) return false;
    out.push(std::move(packet));
    return true;
  }
  const auto layout = find_headers(packet.head(), ip_offset);
  if (!layout || layout->protocol != IpProtocol::kTcp) return false;
  const auto header_size = size_with_tcp_header(packet.head(), *layout);
  if (!header_size) return false;

  std::array<std::uint8_t, kMaxHeaders> header_octets;
  const MutableBytes headers = MutableBytes(header_octets).first(*header_size);
  std::copy_n(packet.head().begin(), *header_size, headers.begin());
  PacketInfo info = packet.info();
  info.segment_size = 0;
  info.checksum = checksums ? ChecksumState::kUnknown : ChecksumState::kPartial;
  info.checksum_field = wire::TcpHeader::kChecksumOffset;
  packet.trim_front(*header_size);
  const std::size_t total = packet.size();
  PayloadSlices payload(std::move(packet));

  const auto addresses = wire::pseudo_header_sum(layout->source, layout->destination, IpProtocol::kTcp, 0);
  PacketQueue segments;
  std::size_t offset = 0;
  do {  // a super-segment without payload still is one segment
    const std::size_t length = std::min(segment_size, total - offset);
    Packet piece = pool.allocate();
    if (!piece) return false;
    piece.info() = info;
    std::copy(headers.begin(), headers.end(), piece.append(headers.size()).begin());
    if (!payload.move_to(piece, length)) return false;
    rewrite_headers(piece.head(), *layout,
                    {.size = headers.size() + length,
                     .offset = offset,
                     .index = segments.size(),
                     .is_last = offset + length == total,
                     .repeats_cwr = info.repeats_cwr});
    write_tcp_checksum(piece, *layout, addresses, checksums);
    segments.push(std::move(piece));
    offset += length;
  } while (offset < total);
  out.splice(segments);
  return true;
}

}  // namespace transom::link
