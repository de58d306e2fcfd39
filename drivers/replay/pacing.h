// How fast a replay goes, in tcpreplay's words.
#pragma once

#include <cstdint>
#include <optional>

#include "stack/base/time.h"

namespace transom::drivers::replay {

struct Speed {
  double multiplier = 1;                      // -x: recorded gaps are divided by it
  bool top_speed = false;                     // -t: no gaps
  std::optional<double> packets_per_second;   // -p
  std::optional<double> megabits_per_second;  // -M
  Duration longest_sleep = Duration::max();   // --maxsleep: of one gap
  bool one_at_a_time = false;                 // -o: only as many steps as were allowed
};

// Each packet's instant follows from an anchor, not from the sum of gaps: errors do not add up.
class Pacing {
 public:
  explicit Pacing(const Speed& speed) : speed_(speed) {}

  // A recorded gap, as it is now.
  Duration gap(Duration recorded) const {
    if (speed_.top_speed || recorded <= Duration::zero()) return Duration::zero();
    if (speed_.packets_per_second || speed_.megabits_per_second) return Duration::zero();
    const auto scaled = std::chrono::duration_cast<Duration>(
        std::chrono::duration<double, std::nano>(static_cast<double>(recorded.count()) / speed_.multiplier));
    return scaled < speed_.longest_sleep ? scaled : speed_.longest_sleep;
  }
  // The earliest instant for the next packet by --pps and --mbps; kNever while it is not allowed.
  Instant earliest(Instant anchor) const {
    if (speed_.one_at_a_time && steps_ >= allowed_) return kNever;
    double seconds = 0;
    if (speed_.packets_per_second) seconds = static_cast<double>(packets_) / *speed_.packets_per_second;
    if (speed_.megabits_per_second) {
      const double bits = static_cast<double>(octets_) * 8 / (*speed_.megabits_per_second * 1e6);
      seconds = bits > seconds ? bits : seconds;
    }
    return anchor + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  }
  void sent(std::size_t octets) {
    ++packets_;
    octets_ += octets;
  }
  void took_step() { ++steps_; }
  void allow(std::uint64_t steps) { allowed_ += steps; }
  std::uint64_t packets() const { return packets_; }

 private:
  Speed speed_;
  std::uint64_t packets_ = 0;
  std::uint64_t octets_ = 0;
  std::uint64_t steps_ = 0, allowed_ = 0;
};

}  // namespace transom::drivers::replay
