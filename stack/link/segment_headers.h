// The headers of the TCP segments that a super-segment is cut into (segmentation.h) or joined from
// (coalescing.h). They differ in few fields; the rest is kept, summed and compared as one.
#pragma once

#include <array>
#include <cstring>

#include "stack/link/octets_in_place.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"
#include "stack/wire/tcp.h"

namespace transom::link {

class SegmentHeaders {
 public:
  static constexpr std::size_t kMaxSize = 18 + wire::Ipv4Header::kMaxSize + wire::TcpHeader::kMaxSize;

  // What each segment has of its own, besides checksums.
  struct Fields {
    std::size_t ip_length = 0;         // octets of the IP packet
    std::uint16_t identification = 0;  // IPv4
    std::uint32_t sequence = 0;
    std::uint16_t offset_and_flags = 0;  // TCP's data offset, which is the same in all, and flags
  };

  // From the headers of any of the segments, or of the super-segment: whole, at most kMaxSize octets, TCP's
  // the last. `ip`, `transport`: where the IP and the TCP header begin.
  SegmentHeaders(Bytes headers, std::size_t ip, std::size_t transport);

  std::size_t size() const { return size_; }
  std::size_t ip() const { return ip_; }
  std::size_t transport() const { return transport_; }

  // `frame` has at least size() octets. Is all the same but what each segment has of its own?
  bool match(Bytes frame) const;

  Fields read(Bytes frame) const {
    const Bytes ip = frame.subspan(ip_);
    const Bytes tcp = frame.subspan(transport_);
    Fields fields;
    if (is_v4_) {
      fields.ip_length = get_u16(ip.subspan(kLength));
      fields.identification = get_u16(ip.subspan(kIdentification));
    } else {
      fields.ip_length = wire::Ipv6Header::kSize + get_u16(ip.subspan(kPayloadLength));
    }
    fields.sequence = get_u32(tcp.subspan(kSequence));
    fields.offset_and_flags = get_u16(tcp.subspan(kOffsetAndFlags));
    return fields;
  }

  // The first size() octets of `frame`, but for the TCP checksum.
  void write(MutableBytes frame, const Fields& fields) const {
    std::memcpy(frame.data(), octets_.data(), size_);
    const MutableBytes ip = frame.subspan(ip_);
    const MutableBytes tcp = frame.subspan(transport_);
    if (is_v4_) {
      put_u16(ip.subspan(kLength), static_cast<std::uint16_t>(fields.ip_length));
      put_u16(ip.subspan(kIdentification), fields.identification);
      put_u16(ip.subspan(kIpChecksum), ip_sum(fields).checksum());
    } else {
      put_u16(ip.subspan(kPayloadLength),
              static_cast<std::uint16_t>(fields.ip_length - wire::Ipv6Header::kSize));
    }
    put_u32(tcp.subspan(kSequence), fields.sequence);
    put_u16(tcp.subspan(kOffsetAndFlags), fields.offset_and_flags);
  }

  bool has_valid_ip_checksum(Bytes frame, const Fields& fields) const {
    if (!is_v4_) return true;
    wire::ChecksumSum sum = ip_sum(fields);
    sum.add_u16(get_u16(frame.subspan(ip_ + kIpChecksum)));
    return sum.checksum() == 0;
  }
  std::uint16_t tcp_checksum(Bytes frame) const { return get_u16(frame.subspan(tcp_checksum_at())); }
  void write_tcp_checksum(MutableBytes frame, std::uint16_t value) const {
    put_u16(frame.subspan(tcp_checksum_at()), value);
  }

  // The pseudo-header.
  wire::ChecksumSum pseudo_sum(const Fields& fields) const {
    wire::ChecksumSum sum = pseudo_sum_;
    sum.add_u32(static_cast<std::uint32_t>(fields.ip_length - (transport_ - ip_)));
    return sum;
  }
  // The pseudo-header, and the TCP header without its checksum.
  wire::ChecksumSum tcp_sum(const Fields& fields) const {
    wire::ChecksumSum sum = tcp_sum_;
    sum.add_u32(static_cast<std::uint32_t>(fields.ip_length - (transport_ - ip_)));
    sum.add_u32(fields.sequence);
    sum.add_u16(fields.offset_and_flags);
    return sum;
  }

 private:
  static constexpr std::size_t kLength = 2;  // offsets in the IPv4 header
  static constexpr std::size_t kIdentification = 4;
  static constexpr std::size_t kIpChecksum = 10;
  static constexpr std::size_t kPayloadLength = 4;  // in the IPv6 header
  static constexpr std::size_t kSequence = 4;       // in the TCP header
  static constexpr std::size_t kOffsetAndFlags = 12;

  std::size_t tcp_checksum_at() const { return transport_ + wire::TcpHeader::kChecksumOffset; }
  // The IPv4 header without its checksum.
  wire::ChecksumSum ip_sum(const Fields& fields) const {
    wire::ChecksumSum sum = ip_sum_;
    sum.add_u16(static_cast<std::uint16_t>(fields.ip_length));
    sum.add_u16(fields.identification);
    return sum;
  }

  std::array<std::uint8_t, kMaxSize> octets_;  // zero where each has its own
  std::array<std::uint8_t, kMaxSize> common_;  // a mask: which bits are not zero for that
  std::size_t size_;
  std::size_t ip_;
  std::size_t transport_;
  bool is_v4_;
  wire::ChecksumSum ip_sum_;  // all three without what each has of its own
  wire::ChecksumSum pseudo_sum_;
  wire::ChecksumSum tcp_sum_;  // the pseudo-header and the TCP header
};

}  // namespace transom::link
