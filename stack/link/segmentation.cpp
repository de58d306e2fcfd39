#include "stack/link/segmentation.h"

#include <algorithm>
#include <array>
#include <optional>

#include "stack/link/segment_headers.h"

namespace transom::link {

namespace {

struct Layout {
  std::size_t transport = 0;  // offset of the transport header
  IpProtocol protocol{};
};

std::optional<Layout> find_headers(Bytes head, std::size_t ip_offset) {
  if (ip_offset >= head.size()) return std::nullopt;
  const Bytes packet = head.subspan(ip_offset);
  Layout layout;
  wire::Reader reader(packet);
  if (packet[0] >> 4 == 4) {
    const std::size_t size = std::size_t{packet[0] & 0x0fU} * 4;
    if (size < wire::Ipv4Header::kMinSize || packet.size() < size) return std::nullopt;
    reader.skip(9);
    layout.protocol = IpProtocol{reader.u8()};
    layout.transport = ip_offset + size;
    return layout;
  }
  if (packet[0] >> 4 != 6) return std::nullopt;
  reader.skip(6);
  IpProtocol next{reader.u8()};
  reader.skip(wire::Ipv6Header::kSize - 7);
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
  if (tcp_size < wire::TcpHeader::kMinSize || size > head.size() || size > SegmentHeaders::kMaxSize)
    return std::nullopt;
  return size;
}

// The data offset and the flags of one segment, of those of the super-segment.
std::uint16_t flags_of(std::uint16_t whole, bool is_first, bool is_last, bool repeats_cwr) {
  constexpr unsigned kFinAndPush = 0x09;
  constexpr unsigned kCwr = 0x80;
  unsigned left_out = is_last ? 0 : kFinAndPush;
  // RFC 3168 §6.1.2: a reduction of the window is told once.
  if (!is_first && !repeats_cwr) left_out |= kCwr;
  return static_cast<std::uint16_t>(whole & ~left_out);
}

// The whole checksum, or the pseudo-header's share of it for the device to go on from.
void write_checksum(Packet& segment, const SegmentHeaders& headers, const SegmentHeaders::Fields& fields) {
  if (segment.info().checksum == ChecksumState::kPartial)
    return headers.write_tcp_checksum(segment.head(), headers.pseudo_sum(fields).fold());
  wire::ChecksumSum sum = headers.tcp_sum(fields);
  wire::add_packet(sum, segment, headers.size());
  headers.write_tcp_checksum(segment.head(), sum.checksum());
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
      Slice part = slice;
      part.trim_back(slice.size() - here);
      segment.append_slice(std::move(part));
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

  const SegmentHeaders headers(packet.head().first(*header_size), ip_offset, layout->transport);
  const SegmentHeaders::Fields whole = headers.read(packet.head());
  PacketInfo info = packet.info();
  info.segment_size = 0;
  info.checksum = checksums ? ChecksumState::kUnknown : ChecksumState::kPartial;
  info.checksum_field = wire::TcpHeader::kChecksumOffset;
  packet.trim_front(*header_size);
  const std::size_t total = packet.size();
  PayloadSlices payload(std::move(packet));

  PacketQueue segments;
  std::size_t offset = 0;
  do {  // a super-segment without payload still is one segment
    const std::size_t length = std::min(segment_size, total - offset);
    SegmentHeaders::Fields fields;
    fields.ip_length = headers.size() - ip_offset + length;
    fields.identification = static_cast<std::uint16_t>(whole.identification + segments.size());
    fields.sequence = static_cast<std::uint32_t>(whole.sequence + offset);
    fields.offset_and_flags =
        flags_of(whole.offset_and_flags, offset == 0, offset + length == total, info.repeats_cwr);
    Packet piece = pool.allocate();
    if (!piece) return false;
    piece.info() = info;
    headers.write(piece.append(headers.size()), fields);
    if (!payload.move_to(piece, length)) return false;
    write_checksum(piece, headers, fields);
    segments.push(std::move(piece));
    offset += length;
  } while (offset < total);
  out.splice(segments);
  return true;
}

}  // namespace transom::link
