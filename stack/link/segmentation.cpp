#include "stack/link/segmentation.h"

#include <algorithm>
#include <array>
#include <cstring>
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
};

// The headers of all segments of a super-segment: what they have in common is kept, and summed, once.
class SegmentHeaders {
 public:
  // `headers`: those of the super-segment, up to and with that of TCP.
  SegmentHeaders(Bytes headers, const Layout& layout, bool repeats_cwr)
      : size_(headers.size()), layout_(layout), repeats_cwr_(repeats_cwr) {
    std::memcpy(octets_.data(), headers.data(), size_);
    const MutableBytes ip = MutableBytes(octets_).subspan(layout.ip);
    if (layout.is_v4) {
      identification_ = get_u16(ip.subspan(kIdentification));
      for (const std::size_t own : {kLength, kIdentification, kIpChecksum}) put_u16(ip.subspan(own), 0);
      ip_sum_.add(ip.first(layout.transport - layout.ip));
    }
    const MutableBytes tcp = MutableBytes(octets_).first(size_).subspan(layout.transport);
    sequence_ = get_u32(tcp.subspan(kSequence));
    offset_and_flags_ = get_u16(tcp.subspan(kOffsetAndFlags));
    put_u32(tcp.subspan(kSequence), 0);
    put_u16(tcp.subspan(kOffsetAndFlags), 0);
    put_u16(tcp.subspan(wire::TcpHeader::kChecksumOffset), 0);
    pseudo_sum_ = wire::pseudo_header_sum(layout.source, layout.destination, IpProtocol::kTcp, 0);
    tcp_sum_ = pseudo_sum_;
    tcp_sum_.add(tcp);
  }

  std::size_t size() const { return size_; }

  // Those of one segment, without the TCP checksum.
  void write(MutableBytes out, const Place& place) const {
    std::memcpy(out.data(), octets_.data(), size_);
    const MutableBytes ip = out.subspan(layout_.ip);
    const auto length = static_cast<std::uint16_t>(place.size - layout_.ip);
    if (layout_.is_v4) {
      const auto identification = static_cast<std::uint16_t>(identification_ + place.index);
      wire::ChecksumSum sum = ip_sum_;
      sum.add_u16(length);
      sum.add_u16(identification);
      put_u16(ip.subspan(kLength), length);
      put_u16(ip.subspan(kIdentification), identification);
      put_u16(ip.subspan(kIpChecksum), sum.checksum());
    } else {
      put_u16(ip.subspan(kPayloadLength), static_cast<std::uint16_t>(length - wire::Ipv6Header::kSize));
    }
    const MutableBytes tcp = out.subspan(layout_.transport);
    put_u32(tcp.subspan(kSequence), sequence(place));
    put_u16(tcp.subspan(kOffsetAndFlags), offset_and_flags(place));
  }

  // The whole checksum, or the pseudo-header's share of it for the device to go on from. The headers are
  // written, and the payload is in place.
  void write_tcp_checksum(Packet& segment, const Place& place, bool whole) const {
    wire::ChecksumSum sum = whole ? tcp_sum_ : pseudo_sum_;
    sum.add_u32(static_cast<std::uint32_t>(place.size - layout_.transport));
    if (whole) {
      sum.add_u32(sequence(place));
      sum.add_u16(offset_and_flags(place));
      wire::add_packet(sum, segment, size_);
    }
    put_u16(segment.head().subspan(layout_.transport + wire::TcpHeader::kChecksumOffset),
            whole ? sum.checksum() : sum.fold());
  }

 private:
  static constexpr std::size_t kLength = 2;  // offsets in the IPv4 header
  static constexpr std::size_t kIdentification = 4;
  static constexpr std::size_t kIpChecksum = 10;
  static constexpr std::size_t kPayloadLength = 4;  // in the IPv6 header
  static constexpr std::size_t kSequence = 4;       // in the TCP header
  static constexpr std::size_t kOffsetAndFlags = 12;

  std::uint32_t sequence(const Place& place) const {
    return static_cast<std::uint32_t>(sequence_ + place.offset);
  }
  std::uint16_t offset_and_flags(const Place& place) const {
    constexpr unsigned kFinAndPush = 0x09;
    constexpr unsigned kCwr = 0x80;
    unsigned cleared = place.is_last ? 0 : kFinAndPush;
    // RFC 3168 §6.1.2: a reduction of the window is told once.
    if (place.index != 0 && !repeats_cwr_) cleared |= kCwr;
    return static_cast<std::uint16_t>(offset_and_flags_ & ~cleared);
  }

  std::array<std::uint8_t, kMaxHeaders> octets_;  // zero where each segment has its own
  std::size_t size_;
  Layout layout_;
  bool repeats_cwr_;
  std::uint16_t identification_ = 0;
  std::uint32_t sequence_ = 0;
  std::uint16_t offset_and_flags_ = 0;
  wire::ChecksumSum ip_sum_;
  wire::ChecksumSum pseudo_sum_;  // without the length
  wire::ChecksumSum tcp_sum_;     // with the TCP header
};

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

  const SegmentHeaders headers(packet.head().first(*header_size), *layout, packet.info().repeats_cwr);
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
    const Place place = {.size = headers.size() + length,
                         .offset = offset,
                         .index = segments.size(),
                         .is_last = offset + length == total};
    Packet piece = pool.allocate();
    if (!piece) return false;
    piece.info() = info;
    headers.write(piece.append(headers.size()), place);
    if (!payload.move_to(piece, length)) return false;
    headers.write_tcp_checksum(piece, place, checksums);
    segments.push(std::move(piece));
    offset += length;
  } while (offset < total);
  out.splice(segments);
  return true;
}

}  // namespace transom::link
