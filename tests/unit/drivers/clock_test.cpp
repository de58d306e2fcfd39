#include "drivers/clock.h"

#include <gtest/gtest.h>

#include <chrono>

namespace transom::drivers {
namespace {

TEST(Clock, NeverGoesBack) {
  const Instant first = monotonic_now();
  EXPECT_GT(first, Instant{});
  EXPECT_LE(first, monotonic_now());
}

TEST(Clock, OffsetLeadsToWallClockTime) {
  const Duration wall = monotonic_now().time_since_epoch() + wall_clock_offset();
  const Duration reference = std::chrono::system_clock::now().time_since_epoch();
  EXPECT_LT(std::chrono::abs(wall - reference), std::chrono::seconds(1));
}

TEST(Clock, SeedsDiffer) { EXPECT_NE(system_seed(), system_seed()); }

}  // namespace
}  // namespace transom::drivers
