#include "stack/link/segment_headers.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace transom::link {

SegmentHeaders::SegmentHeaders(Bytes headers, std::size_t ip, std::size_t transport)
    : size_(headers.size()), ip_(ip), transport_(transport), is_v4_(headers[ip] >> 4 == 4) {
  assert(size_ <= kMaxSize);
  std::memcpy(octets_.data(), headers.data(), size_);
  std::memset(common_.data(), 0xff, size_);
  const auto each_has_its_own = [this](std::size_t offset, std::size_t octets) {
    std::fill_n(octets_.begin() + static_cast<std::ptrdiff_t>(offset), octets, std::uint8_t{0});
    std::fill_n(common_.begin() + static_cast<std::ptrdiff_t>(offset), octets, std::uint8_t{0});
  };
  if (is_v4_) {
    each_has_its_own(ip + kLength, 2);
    each_has_its_own(ip + kIdentification, 2);
    each_has_its_own(ip + kIpChecksum, 2);
  } else {
    each_has_its_own(ip + kPayloadLength, 2);
  }
  each_has_its_own(transport + kSequence, 4);
  each_has_its_own(transport + kOffsetAndFlags, 2);
  each_has_its_own(tcp_checksum_at(), 2);

  const Bytes common = Bytes(octets_).first(size_);
  if (is_v4_) ip_sum_.add(common.subspan(ip, transport - ip));
  pseudo_sum_.add(is_v4_ ? common.subspan(ip + 12, 8) : common.subspan(ip + 8, 32));  // both addresses
  pseudo_sum_.add_u16(static_cast<std::uint16_t>(IpProtocol::kTcp));
  tcp_sum_ = pseudo_sum_;
  tcp_sum_.add(common.subspan(transport));
}

bool SegmentHeaders::match(Bytes frame) const {
  // Words, the last of which may overlap the one before.
  const auto differs_at = [&](std::size_t offset) {
    std::uint64_t theirs, ours, mask;
    std::memcpy(&theirs, frame.data() + offset, sizeof theirs);
    std::memcpy(&ours, octets_.data() + offset, sizeof ours);
    std::memcpy(&mask, common_.data() + offset, sizeof mask);
    return (theirs & mask) != ours;
  };
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  for (std::size_t offset = 0; offset + kWord <= size_; offset += kWord)
    if (differs_at(offset)) return false;
  return !differs_at(size_ - kWord);
}

}  // namespace transom::link
