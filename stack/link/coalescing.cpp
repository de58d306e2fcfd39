#include "stack/link/coalescing.h"

#include <algorithm>

#include "stack/wire/ethernet.h"

namespace transom::link {

namespace {

constexpr std::size_t kLargestIpPacket = 65535;
constexpr std::size_t kDataOffset = 12;  // in the TCP header
constexpr std::size_t kFlags = 13;
constexpr std::uint8_t kPush = 0x08;
constexpr std::uint8_t kAck = 0x10;

bool is_pushed(const SegmentHeaders::Fields& fields) { return (fields.offset_and_flags & kPush) != 0; }

bool differ_in_more_than_push(const SegmentHeaders::Fields& a, const SegmentHeaders::Fields& b) {
  return ((a.offset_and_flags ^ b.offset_and_flags) & ~kPush) != 0;
}

}  // namespace

// Those of the first frame, if others may follow it. Only what forms the bulk of traffic: no IP options or
// extension headers, no fragments, no flag but ACK, some payload.
std::optional<SegmentHeaders> SegmentRun::headers_to_join() const {
  const Bytes head = packet_.head();
  if (packet_.info().segment_size != 0 || head.size() < ip_offset_ + wire::Ipv4Header::kMinSize)
    return std::nullopt;
  const Bytes ip = head.subspan(ip_offset_);
  std::size_t ip_header = wire::Ipv4Header::kMinSize;
  auto type = wire::EtherType::kIpv4;
  if (ip[0] == 0x45) {
    constexpr std::uint16_t kOnlyDontFragment = 0x4000;
    if (ip[9] != static_cast<std::uint8_t>(IpProtocol::kTcp) || get_u16(ip.subspan(6)) != kOnlyDontFragment)
      return std::nullopt;
  } else {
    ip_header = wire::Ipv6Header::kSize;
    type = wire::EtherType::kIpv6;
    if (ip[0] >> 4 != 6 || ip.size() < ip_header || ip[6] != static_cast<std::uint8_t>(IpProtocol::kTcp))
      return std::nullopt;
  }
  if (ip_offset_ == wire::EthernetHeader::kSize &&
      get_u16(head.subspan(12)) != static_cast<std::uint16_t>(type))
    return std::nullopt;
  if (ip.size() < ip_header + wire::TcpHeader::kMinSize) return std::nullopt;
  const Bytes tcp = ip.subspan(ip_header);
  const std::size_t tcp_header = std::size_t{tcp[kDataOffset]} / 16 * 4;
  if (tcp_header < wire::TcpHeader::kMinSize || tcp_header > tcp.size()) return std::nullopt;
  if (tcp[kFlags] != kAck) return std::nullopt;
  const std::size_t transport = ip_offset_ + ip_header;
  const std::size_t size = transport + tcp_header;
  if (packet_.size() == size) return std::nullopt;
  return SegmentHeaders(head.first(size), ip_offset_, transport);
}

// What the headers of a segment say. False when they are not those of the run, or there is no payload.
bool SegmentRun::read(const Packet& frame, Segment& segment) const {
  const Bytes head = frame.head();
  if (frame.info().segment_size != 0 || head.size() < headers_->size() || !headers_->match(head))
    return false;
  segment.fields = headers_->read(head);
  const std::size_t end = ip_offset_ + segment.fields.ip_length;
  if (end <= headers_->size() || end > frame.size()) return false;
  segment.payload = end - headers_->size();
  return true;
}

// With the first frame. False when nothing can follow it.
bool SegmentRun::begin() {
  headers_ = headers_to_join();
  if (!headers_ || !read(packet_, first_)) return false;
  next_sequence_ = first_.fields.sequence + static_cast<std::uint32_t>(first_.payload);
  return true;
}

// Copies the payload behind the packet. False when there is no room, or a checksum says that it was damaged.
bool SegmentRun::append(const Packet& frame, const Segment& segment) {
  if (segment.payload > packet_.tail_room()) return false;
  const Bytes head = frame.head();
  if (!headers_->has_valid_ip_checksum(head, segment.fields)) return false;
  wire::ChecksumSum sum = headers_->tcp_sum(segment.fields);
  sum.add_u16(headers_->tcp_checksum(head));
  MutableBytes out = packet_.append(segment.payload);
  const auto copy = [&](Bytes octets) {
    const std::size_t here = std::min(octets.size(), out.size());
    if (here == 0) return;
    sum.add_and_copy(octets.first(here), out.first(here));
    out = out.subspan(here);
  };
  copy(head.subspan(headers_->size()));
  for (const Slice& slice : frame.tail()) copy(slice.bytes());
  if (frame.info().checksum != ChecksumState::kUnknown || sum.checksum() == 0) return true;
  packet_.trim_back(segment.payload);
  return false;
}

// Both move to a large buffer. The headers are written when all have come.
bool SegmentRun::join_two(const Packet& frame, const Segment& segment) {
  Packet first = std::exchange(packet_, pool_.allocate(BufferSize::kSuperFrame, packet_.head_room()));
  if (packet_) {
    packet_.append(headers_->size());
    packet_.info() = first.info();
    is_joined_ = append(first, first_) && append(frame, segment);
  }
  if (!is_joined_) packet_ = std::move(first);
  return is_joined_;
}

bool SegmentRun::join(const Packet& frame) {
  if (!has_ended_ && !is_joined_) has_ended_ = !begin();
  Segment segment;
  if (has_ended_ || !read(frame, segment)) return false;
  if (segment.fields.sequence != next_sequence_ || segment.payload > first_.payload ||
      differ_in_more_than_push(segment.fields, first_.fields))
    return false;
  if (packet_.size() - ip_offset_ + segment.payload > kLargestIpPacket) return false;
  if (!(is_joined_ ? append(frame, segment) : join_two(frame, segment))) {
    has_ended_ = true;
    return false;
  }
  next_sequence_ += static_cast<std::uint32_t>(segment.payload);
  first_.fields.offset_and_flags |= segment.fields.offset_and_flags;
  has_ended_ = is_pushed(segment.fields) || segment.payload < first_.payload;
  return true;
}

// The headers are those of the first segment, but for the length. TCP's checksum is left as a sender would
// leave it to its device.
Packet SegmentRun::take() && {
  if (!is_joined_) return std::move(packet_);
  SegmentHeaders::Fields fields = first_.fields;
  fields.ip_length = packet_.size() - ip_offset_;
  headers_->write(packet_.head(), fields);
  headers_->write_tcp_checksum(packet_.head(), headers_->pseudo_sum(fields).fold());
  packet_.info().checksum = ChecksumState::kPartial;
  packet_.info().checksum_field = wire::TcpHeader::kChecksumOffset;
  packet_.info().segment_size = static_cast<std::uint16_t>(first_.payload);
  return std::move(packet_);
}

}  // namespace transom::link
