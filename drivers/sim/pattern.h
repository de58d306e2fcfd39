// What a flow sends: a stream of octets in which each position has its value, so that its receiver can tell
// lost, repeated and swapped octets from the right ones.
#pragma once

#include <cstring>
#include <vector>

#include "stack/base/bytes.h"
#include "stack/base/random.h"

namespace transom::drivers::sim {

class Pattern {
 public:
  // The longest piece that can be had at once.
  static constexpr std::size_t kMaxPiece = 65536;

  explicit Pattern(std::uint64_t number) : octets_(kPeriod + kMaxPiece) {
    Random random(seed_from_number(number));
    for (std::size_t i = 0; i < kPeriod; i += 8) {
      const std::uint64_t word = random.next();
      for (std::size_t j = i; j < std::min(i + 8, kPeriod); ++j)
        octets_[j] = static_cast<std::uint8_t>(word >> (8 * (j - i)));
    }
    std::memcpy(octets_.data() + kPeriod, octets_.data(), kMaxPiece);
  }

  Bytes at(std::uint64_t position, std::size_t octets) const {
    return Bytes(octets_).subspan(static_cast<std::size_t>(position % kPeriod), std::min(octets, kMaxPiece));
  }
  // Whether `octets` are those at `position`; at most kMaxPiece.
  bool equals(std::uint64_t position, Bytes octets) const {
    return std::memcmp(at(position, octets.size()).data(), octets.data(), octets.size()) == 0;
  }

 private:
  static constexpr std::size_t kPeriod = 65537;  // prime: no power of two hides a shift

  std::vector<std::uint8_t> octets_;
};

}  // namespace transom::drivers::sim
