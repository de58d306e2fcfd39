#include "stack/tcp/windowed_min.h"

#include <gtest/gtest.h>

#include <deque>

#include "stack/base/random.h"
#include "stack/tcp/rtt_estimator.h"

namespace transom::tcp {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{7s};

TEST(WindowedMin, IsTheSmallestOfTheWindow) {
  WindowedMin min;
  min.update(30ms, kStart);
  min.update(20ms, kStart + 1s);
  min.update(25ms, kStart + 2s);
  EXPECT_EQ(min.value(), 20ms);
}

TEST(WindowedMin, ForgetsAPathThatIsNoLongerThere) {
  WindowedMin min;
  Instant now = kStart;
  for (; now < kStart + 60s; now += 100ms) min.update(10ms, now);
  const Instant changed = now;
  for (; now < changed + 4min; now += 100ms) min.update(80ms, now);
  EXPECT_EQ(min.value(), 10ms);
  for (; now < changed + 5min + 1s; now += 100ms) min.update(80ms, now);
  EXPECT_EQ(min.value(), 80ms);
}

TEST(WindowedMin, ForgetsEverythingAfterALongPause) {
  WindowedMin min;
  min.update(10ms, kStart);
  min.update(12ms, kStart + 1h);
  EXPECT_EQ(min.value(), 12ms);
}

// The filter may keep too little, but never a sample older than the window, and never misses a smaller one.
TEST(WindowedMin, LiesBetweenTheMinimaOfTheWindowAndOfItsLaterPart) {
  Random random(seed_from_number(5));
  std::deque<std::pair<Instant, Duration>> samples;
  WindowedMin min;
  Instant now = kStart;
  for (int i = 0; i < 20000; ++i) {
    now += std::chrono::milliseconds(static_cast<int>(random.below(2000)));
    const Duration value = std::chrono::microseconds(10000 + static_cast<int>(random.below(100000)));
    samples.emplace_back(now, value);
    min.update(value, now);
    while (now - samples.front().first > WindowedMin::kWindow) samples.pop_front();
    Duration of_window = Duration::max();
    for (const auto& [at, sample] : samples) of_window = std::min(of_window, sample);
    ASSERT_GE(min.value(), of_window) << i;
    Duration of_latest = Duration::max();
    for (const auto& [at, sample] : samples) {
      if (now - at <= WindowedMin::kWindow / 2) of_latest = std::min(of_latest, sample);
    }
    ASSERT_LE(min.value(), of_latest) << i;
  }
}

TEST(RttEstimator, MinimumIsOfTheLastFiveMinutes) {  // RFC 8985 §6.2 step 1
  RttEstimator rtt(200ms);
  rtt.sample(5ms, 1, kStart);
  for (Instant now = kStart; now < kStart + 6min; now += 1s) rtt.sample(50ms, 1, now);
  EXPECT_EQ(rtt.min_rtt(), 50ms);
}

}  // namespace
}  // namespace transom::tcp
