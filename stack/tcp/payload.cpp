#include "stack/tcp/payload.h"

#include <algorithm>

namespace transom::tcp {

void Payload::trim_front(std::uint32_t octets) {
  size_ -= octets;
  while (octets > 0) {
    Slice& slice = slices_[first_];
    const auto here = std::min(octets, static_cast<std::uint32_t>(slice.size()));
    slice.trim_front(here);
    octets -= here;
    if (slice.empty()) slices_[first_++] = Slice();
  }
}

void Payload::trim_back(std::uint32_t octets) {
  size_ -= octets;
  while (octets > 0) {
    Slice& slice = slices_[count_ - 1U];
    const auto here = std::min(octets, static_cast<std::uint32_t>(slice.size()));
    slice.trim_back(here);
    octets -= here;
    if (slice.empty()) slices_[--count_] = Slice();
  }
}

Payload Payload::split_front(std::uint32_t octets) {
  Payload front = *this;
  front.trim_back(size_ - octets);
  trim_front(octets);
  return front;
}

std::uint8_t Payload::at(std::uint32_t offset) const {
  std::size_t i = first_;
  while (offset >= slices_[i].size()) offset -= static_cast<std::uint32_t>(slices_[i++].size());
  return slices_[i].bytes()[offset];
}

}  // namespace transom::tcp
