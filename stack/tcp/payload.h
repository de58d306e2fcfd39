// The octets of one arriving segment, taken out of its packet as slices, so that they can be trimmed at both
// ends and queued without a copy.
#pragma once

#include <array>
#include <cstdint>

#include "stack/base/packet.h"

namespace transom::tcp {

class Payload {
 public:
  Payload() = default;
  explicit Payload(Packet packet) {
    count_ = static_cast<std::uint8_t>(packet.into_slices(slices_));
    for (std::size_t i = 0; i < count_; ++i) size_ += static_cast<std::uint32_t>(slices_[i].size());
  }

  std::uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // At most size() octets.
  void trim_front(std::uint32_t octets);
  void trim_back(std::uint32_t octets);
  // The first `octets` as a payload of their own; they leave this one.
  Payload split_front(std::uint32_t octets);
  // Hands the slices to `consume(Slice)`, in order, and empties this.
  template <typename Consume>
  void drain(Consume consume) {
    for (std::size_t i = first_; i < count_; ++i) consume(std::move(slices_[i]));
    first_ = count_ = 0;
    size_ = 0;
  }
  // The octet at `offset`, which is below size().
  std::uint8_t at(std::uint32_t offset) const;

 private:
  std::array<Slice, Packet::kMaxTail + 1> slices_;
  std::uint8_t first_ = 0;
  std::uint8_t count_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace transom::tcp
