// Time as the stack knows it: given by the caller, never asked for.
//
// `Timeline` is a std::chrono clock without now(): an Instant can be compared, moved and subtracted, but no
// code in the stack can read one from the machine. Resolution is 1 ns; the origin is whatever the driver
// of the Host chose (boot time on a real device, zero in a simulation).
#pragma once

#include <chrono>
#include <cstdint>

namespace transom {

struct Timeline {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<Timeline>;
  static constexpr bool is_steady = true;
};

using Duration = Timeline::duration;
using Instant = Timeline::time_point;

// "No deadline." Later than every instant that a run can reach (292 years).
inline constexpr Instant kNever = Instant::max();

constexpr std::int64_t to_milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace transom
