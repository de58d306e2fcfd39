// Spreads transmissions over time: each takes as long as its octets at the pacing rate, and the next one
// waits for that. Time that passed unused is not made up for, except for the lateness of a timer.
#pragma once

#include <algorithm>
#include <cstdint>

#include "stack/base/time.h"

namespace transom::tcp {

class Pacer {
 public:
  // When the next transmission may begin; not after now: at once.
  Instant next() const { return next_; }

  // `rate` in octets per second; 0: not paced.
  void on_sent(std::uint64_t octets, std::uint64_t rate, Instant now) {
    if (rate == 0) {
      next_ = now;
      return;
    }
    const auto takes = static_cast<std::int64_t>(octets * 1'000'000'000 / rate);
    const bool was_paused = now - next_ > kTimerSlack;
    next_ = (was_paused ? now : next_) + Duration(takes);
  }

  // How much goes out at once: about a millisecond's worth, at least two segments (one where even that takes
  // long, as draft-ietf-ccwg-bbr §4.6.3).
  static std::uint32_t burst(std::uint64_t rate, std::uint32_t mss) {
    constexpr std::uint64_t kSlow = 150'000;  // 1.2 Mbit/s
    constexpr std::uint64_t kMaxBurst = 65536;
    const std::uint64_t least = std::uint64_t{mss} * (rate < kSlow ? 1 : 2);
    return static_cast<std::uint32_t>(std::max(std::min(rate / 1000, kMaxBurst) / mss * mss, least));
  }

 private:
  static constexpr Duration kTimerSlack = std::chrono::milliseconds(1);

  Instant next_{};
};

}  // namespace transom::tcp
