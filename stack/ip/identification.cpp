#include "stack/ip/identification.h"

#include <utility>

#include "stack/ip/address_words.h"

namespace transom::ip {

std::uint16_t Identification::next_v4(Destination& destination) const {
  const auto counter = static_cast<std::uint16_t>(destination.next_identification++);
  return static_cast<std::uint16_t>(permute(counter, 8, destination.address));
}

std::uint32_t Identification::next_v6(Destination& destination) const {
  return permute(destination.next_identification++, 16, destination.address);
}

std::uint16_t Identification::next_run(Destination& destination, std::uint32_t count) {
  const auto first = static_cast<std::uint16_t>(destination.next_identification);
  destination.next_identification += count;
  return first;
}

// A Feistel network: whatever the round function, each round can be undone, so no two values become one.
std::uint32_t Identification::permute(std::uint32_t value, int half_bits, const IpAddress& tweak) const {
  constexpr std::uint64_t kRounds = 4;
  const std::uint32_t mask = (1U << half_bits) - 1U;
  std::uint32_t left = value >> half_bits & mask;
  std::uint32_t right = value & mask;
  const auto [high, low] = words_of(tweak);
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    const std::uint64_t words[] = {high, low, round << 32 | right};
    left = std::exchange(right, left ^ (static_cast<std::uint32_t>(siphash_words(key_, words)) & mask));
  }
  return left << half_bits | right;
}

}  // namespace transom::ip
