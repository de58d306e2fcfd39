// Two sequences laid beside each other: which element of one is which of the other, in order.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace transom::drivers::replay {

// Pairs (index in `a`, index in `b`), ascending in both, of equal keys. The longest such list for short
// sequences; for long ones the longest of pieces of them, so that time and memory stay linear.
std::vector<std::pair<std::size_t, std::size_t>> align(std::span<const std::uint64_t> a,
                                                       std::span<const std::uint64_t> b);

}  // namespace transom::drivers::replay
