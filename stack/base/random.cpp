#include "stack/base/random.h"

namespace transom {

std::uint64_t Random::below(std::uint64_t bound) {
  if (bound == 0) return 0;
  // Discard the incomplete last run of `bound` values, so that each result is equally likely.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  for (;;) {
    const std::uint64_t value = next();
    if (value < limit) return value % bound;
  }
}

Duration Random::between(Duration low, Duration high) {
  if (high <= low) return low;
  return low +
         Duration(static_cast<std::int64_t>(below(static_cast<std::uint64_t>((high - low).count()) + 1)));
}

bool Random::chance(double probability) {
  constexpr double kScale = 1.0 / 9007199254740992.0;  // 2^-53
  return static_cast<double>(next() >> 11) * kScale < probability;
}

}  // namespace transom
