// Counts values in buckets whose width grows with the value, so that a percentile is right to within 3 %
// whatever the range. Fixed memory; recording is a few instructions.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace transom::drivers::sim {

class Histogram {
 public:
  void record(std::uint64_t value) {
    ++buckets_[bucket_of(value)];
    ++count_;
  }
  std::uint64_t count() const { return count_; }
  // The smallest value that at least `percent` of all are not above, to within the width of its bucket. 0
  // when nothing was recorded.
  std::uint64_t percentile(double percent) const {
    const double wanted = static_cast<double>(count_) * percent / 100;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > 0 && static_cast<double>(seen) >= wanted) return middle_of(i);
    }
    return 0;
  }

 private:
  // 32 buckets for each power of two.
  static constexpr int kBits = 5;
  static constexpr std::size_t kSteps = std::size_t{1} << kBits;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < kSteps) return static_cast<std::size_t>(value);
    const int shift = static_cast<int>(std::bit_width(value)) - kBits - 1;
    return (static_cast<std::size_t>(shift) + 1) * kSteps + static_cast<std::size_t>(value >> shift) - kSteps;
  }
  static std::uint64_t middle_of(std::size_t bucket) {
    if (bucket < kSteps) return bucket;
    const std::size_t shift = bucket / kSteps - 1;
    const std::uint64_t low = static_cast<std::uint64_t>(bucket % kSteps + kSteps) << shift;
    return low + ((std::uint64_t{1} << shift) >> 1U);
  }

  std::array<std::uint32_t, (64 - kBits + 1) * kSteps> buckets_{};
  std::uint64_t count_ = 0;
};

}  // namespace transom::drivers::sim
