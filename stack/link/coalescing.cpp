#include "stack/link/coalescing.h"

#include <algorithm>
#include <cstring>

#include "stack/link/octets_in_place.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ethernet.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"
#include "stack/wire/tcp.h"

namespace transom::link {

namespace {

constexpr std::size_t kLargestIpPacket = 65535;
constexpr std::size_t kSequence = 4;  // offsets in the TCP header
constexpr std::size_t kDataOffset = 12;
constexpr std::size_t kFlags = 13;
constexpr std::size_t kWindow = 14;
constexpr std::size_t kUrgentPointer = 18;
constexpr std::uint8_t kPush = 0x08;
constexpr std::uint8_t kAck = 0x10;

bool is_v4(Bytes ip) { return ip[0] >> 4 == 4; }

bool same(Bytes a, Bytes b, std::size_t begin, std::size_t end) {
  return std::memcmp(a.data() + begin, b.data() + begin, end - begin) == 0;
}

// The same for a size known here, which spares the call.
template <std::size_t size>
bool same(Bytes a, Bytes b, std::size_t begin) {
  return std::memcmp(a.data() + begin, b.data() + begin, size) == 0;
}

// The pseudo-header's share, from the headers as they lie there; without the length.
wire::ChecksumSum pseudo_header(Bytes ip) {
  wire::ChecksumSum sum;
  sum.add(is_v4(ip) ? ip.subspan(12, 8) : ip.subspan(8, 32));
  sum.add_u16(static_cast<std::uint16_t>(IpProtocol::kTcp));
  return sum;
}

}  // namespace

// Only what forms the bulk of traffic: no IP options or extension headers, no fragments, flags that say no
// more than ACK and PSH, some payload.
bool SegmentRun::parse(const Packet& frame, Segment& segment) const {
  const Bytes head = frame.head();
  if (frame.info().segment_size != 0 || head.size() < ip_offset_ + wire::Ipv4Header::kMinSize) return false;
  const Bytes ip = head.subspan(ip_offset_);
  std::size_t ip_header = wire::Ipv4Header::kMinSize;
  std::size_t length = 0;
  if (ip[0] == 0x45) {
    constexpr std::uint16_t kOnlyDontFragment = 0x4000;
    if (ip[9] != static_cast<std::uint8_t>(IpProtocol::kTcp) || get_u16(ip.subspan(6)) != kOnlyDontFragment)
      return false;
    length = get_u16(ip.subspan(2));
  } else {
    ip_header = wire::Ipv6Header::kSize;
    if (ip[0] >> 4 != 6 || ip.size() < ip_header || ip[6] != static_cast<std::uint8_t>(IpProtocol::kTcp))
      return false;
    length = ip_header + get_u16(ip.subspan(4));
  }
  if (ip_offset_ == wire::EthernetHeader::kSize &&
      get_u16(head.subspan(12)) !=
          static_cast<std::uint16_t>(is_v4(ip) ? wire::EtherType::kIpv4 : wire::EtherType::kIpv6))
    return false;
  if (ip.size() < ip_header + wire::TcpHeader::kMinSize) return false;
  const Bytes tcp = ip.subspan(ip_header);
  const std::size_t tcp_header = std::size_t{tcp[kDataOffset]} / 16 * 4;
  if (tcp_header < wire::TcpHeader::kMinSize || tcp_header > tcp.size()) return false;
  if ((tcp[kFlags] & ~kPush) != kAck) return false;
  segment.transport = ip_offset_ + ip_header;
  segment.headers = segment.transport + tcp_header;
  if (ip_offset_ + length <= segment.headers || ip_offset_ + length > frame.size()) return false;
  segment.payload = ip_offset_ + length - segment.headers;
  segment.sequence = get_u32(tcp.subspan(kSequence));
  segment.is_pushed = (tcp[kFlags] & kPush) != 0;
  return true;
}

// The headers are those of the first segment, but for what each segment has of its own.
bool SegmentRun::continues(Bytes headers, const Segment& segment) const {
  const Bytes ours = packet_.head();
  const std::size_t ip = ip_offset_;
  const std::size_t tcp = first_.transport;
  if (segment.headers != first_.headers || segment.transport != tcp || ours[ip] != headers[ip]) return false;
  const bool same_ip = is_v4(ours.subspan(ip)) ? same<2>(ours, headers, ip) &&          // not the length
                                                     same<4>(ours, headers, ip + 6) &&  // nor the checksum
                                                     same<8>(ours, headers, ip + 12)
                                               : same<4>(ours, headers, ip) &&  // not the length
                                                     same<34>(ours, headers, ip + 6);
  return same_ip && same<4>(ours, headers, tcp) && same<5>(ours, headers, tcp + kSequence + 4) &&
         same<2>(ours, headers, tcp + kWindow) && same<2>(ours, headers, tcp + kUrgentPointer) &&
         same(ours, headers, tcp + wire::TcpHeader::kMinSize, first_.headers) && same(ours, headers, 0, ip);
}

// Copies the payload behind the packet. False when there is no room, or a checksum says that it was damaged.
bool SegmentRun::append(const Packet& frame, const Segment& segment) {
  if (segment.payload > packet_.tail_room()) return false;
  const Bytes head = frame.head();
  const Bytes ip = head.subspan(ip_offset_);
  const std::size_t ip_header = segment.transport - ip_offset_;
  if (is_v4(ip) && !wire::Ipv4Header::has_valid_checksum(ip.first(ip_header))) return false;
  wire::ChecksumSum sum = pseudo_sum_;
  sum.add_u32(static_cast<std::uint32_t>(segment.headers - segment.transport + segment.payload));
  sum.add(head.subspan(segment.transport, segment.headers - segment.transport));
  MutableBytes out = packet_.append(segment.payload);
  const auto copy = [&](Bytes octets) {
    const std::size_t here = std::min(octets.size(), out.size());
    if (here == 0) return;
    sum.add_and_copy(octets.first(here), out.first(here));
    out = out.subspan(here);
  };
  copy(head.subspan(segment.headers));
  for (const Slice& slice : frame.tail()) copy(slice.bytes());
  if (frame.info().checksum != ChecksumState::kUnknown || sum.checksum() == 0) return true;
  packet_.trim_back(segment.payload);
  return false;
}

// Both move to a large buffer.
bool SegmentRun::join_two(const Packet& frame, const Segment& segment) {
  Packet first = std::exchange(packet_, pool_.allocate(BufferSize::kSuperFrame, packet_.head_room()));
  if (packet_) {
    const Bytes headers = std::as_const(first).head().first(first_.headers);
    std::ranges::copy(headers, packet_.append(headers.size()).begin());
    packet_.info() = first.info();
    pseudo_sum_ = pseudo_header(headers.subspan(ip_offset_));
    is_joined_ = append(first, first_) && append(frame, segment);
  }
  if (!is_joined_) packet_ = std::move(first);
  return is_joined_;
}

bool SegmentRun::join(const Packet& frame) {
  Segment segment;
  if (has_ended_ || !parse(frame, segment)) return false;
  if (!is_joined_) {
    has_ended_ = !parse(packet_, first_) || first_.is_pushed;
    next_sequence_ = first_.sequence + static_cast<std::uint32_t>(first_.payload);
  }
  if (has_ended_ || segment.sequence != next_sequence_ || segment.payload > first_.payload ||
      !continues(frame.head(), segment))
    return false;
  if (packet_.size() - ip_offset_ + segment.payload > kLargestIpPacket) return false;
  if (!(is_joined_ ? append(frame, segment) : join_two(frame, segment))) {
    has_ended_ = true;
    return false;
  }
  next_sequence_ += static_cast<std::uint32_t>(segment.payload);
  if (segment.is_pushed) packet_.head()[first_.transport + kFlags] |= kPush;
  has_ended_ = segment.is_pushed || segment.payload < first_.payload;
  return true;
}

// The lengths and checksums of the whole. That of TCP is left as a sender would leave it to its device.
Packet SegmentRun::take() && {
  if (!is_joined_) return std::move(packet_);
  const std::size_t ip_length = packet_.size() - ip_offset_;
  MutableBytes ip = packet_.head().subspan(ip_offset_);
  if (is_v4(ip)) {
    const MutableBytes header = ip.first(wire::Ipv4Header::kMinSize);
    put_u16(header.subspan(2), static_cast<std::uint16_t>(ip_length));
    put_u16(header.subspan(10), 0);
    put_u16(header.subspan(10), wire::checksum(header));
  } else {
    put_u16(ip.subspan(4), static_cast<std::uint16_t>(ip_length - wire::Ipv6Header::kSize));
  }
  pseudo_sum_.add_u32(static_cast<std::uint32_t>(packet_.size() - first_.transport));
  put_u16(packet_.head().subspan(first_.transport + wire::TcpHeader::kChecksumOffset), pseudo_sum_.fold());
  packet_.info().checksum = ChecksumState::kPartial;
  packet_.info().checksum_field = wire::TcpHeader::kChecksumOffset;
  packet_.info().segment_size = static_cast<std::uint16_t>(first_.payload);
  return std::move(packet_);
}

}  // namespace transom::link
