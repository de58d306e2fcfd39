#include "drivers/replay/stream_check.h"

#include <algorithm>
#include <cstring>

namespace transom::drivers::replay {

void StreamCheck::append(Half& half, std::uint64_t position, Bytes octets) {
  if (position + octets.size() <= half.end) return;
  const Bytes fresh = octets.subspan(static_cast<std::size_t>(half.end - position));
  half.waiting.insert(half.waiting.end(), fresh.begin(), fresh.end());
  half.end += fresh.size();
}

void StreamCheck::add(Side side, std::uint64_t position, Bytes octets) {
  Half& half = of(side);
  if (octets.empty() || position + octets.size() <= half.end) return;
  if (position > half.end) {
    if (held_ + octets.size() > kMaxHeld) {
      given_up_ += octets.size();
      return;
    }
    auto& held = half.beyond[position];
    if (held.size() >= octets.size()) return;
    held_ += octets.size() - held.size();
    held.insert(held.end(), octets.begin() + static_cast<std::ptrdiff_t>(held.size()), octets.end());
    return;
  }
  append(half, position, octets);
  while (!half.beyond.empty() && half.beyond.begin()->first <= half.end) {
    const auto first = half.beyond.begin();
    held_ -= first->second.size();
    append(half, first->first, first->second);
    half.beyond.erase(first);
  }
  compare();
}

void StreamCheck::compare() {
  Half &a = halves_[0], &b = halves_[1];
  const std::size_t size = std::min(a.waiting.size() - a.consumed, b.waiting.size() - b.consumed);
  if (size == 0) return;
  const std::uint8_t *const x = a.waiting.data() + a.consumed, *const y = b.waiting.data() + b.consumed;
  if (std::memcmp(x, y, size) != 0) {
    for (std::size_t i = 0; i < size; ++i) {
      if (x[i] == y[i]) continue;
      if (!first_difference_) first_difference_ = compared_ + i;
      ++different_;
    }
  }
  compared_ += size;
  for (Half* half : {&a, &b}) {
    half->consumed += size;
    if (half->consumed < half->waiting.size() / 2) continue;
    half->waiting.erase(half->waiting.begin(),
                        half->waiting.begin() + static_cast<std::ptrdiff_t>(half->consumed));
    half->consumed = 0;
  }
}

}  // namespace transom::drivers::replay
