// Congestion windows that are not used neither grow nor stay.
#include "stack/tcp/window_validation.h"

#include <gtest/gtest.h>

#include "stack/tcp/congestion/cubic.h"
#include "stack/tcp/congestion/reno.h"

namespace transom::tcp {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{5s};
constexpr std::uint64_t kNoThreshold = 1 << 30;

WindowValidation::Use use(std::uint32_t una, std::uint32_t nxt, std::uint64_t cwnd, std::uint64_t ssthresh) {
  return {.una = SeqNum(una), .nxt = SeqNum(nxt), .in_flight = nxt - una, .cwnd = cwnd, .ssthresh = ssthresh};
}

TEST(WindowValidation, AWindowThatWasFullOnceInARoundTripIsUsed) {
  WindowValidation validation;
  validation.start(SeqNum(1));
  validation.on_sent(use(1, 10001, 10000, 5000), true, kStart);
  validation.on_sent(use(5001, 12001, 10000, 5000), false, kStart + 10ms);
  EXPECT_TRUE(validation.is_used(10000, 5000));
  validation.on_sent(use(10001, 12001, 10000, 5000), false, kStart + 20ms);
  EXPECT_FALSE(validation.is_used(10000, 5000)) << "the next round trip";
}

TEST(WindowValidation, InSlowStartHalfIsEnoughSinceItDoubles) {
  WindowValidation validation;
  validation.start(SeqNum(1));
  validation.on_sent(use(1, 6001, 10000, kNoThreshold), false, kStart);
  EXPECT_TRUE(validation.is_used(10000, kNoThreshold));
  EXPECT_FALSE(validation.is_used(12000, kNoThreshold));
  EXPECT_FALSE(validation.is_used(10000, 8000));
}

TEST(WindowValidation, UnderuseIsToldOnceInATimeout) {
  WindowValidation validation;
  validation.start(SeqNum(1));
  validation.on_sent(use(1, 10001, 10000, 5000), true, kStart);
  EXPECT_FALSE(validation.take_underuse(300ms, kStart + 299ms));
  validation.on_sent(use(10001, 13001, 10000, 5000), false, kStart + 300ms);
  validation.on_sent(use(13001, 14001, 10000, 5000), false, kStart + 310ms);
  EXPECT_EQ(validation.take_underuse(300ms, kStart + 310ms), 3000U);
  EXPECT_FALSE(validation.take_underuse(300ms, kStart + 600ms));
}

template <typename Algorithm>
void expect_half_way() {
  Algorithm algorithm({.initial_window = 10'000});
  CongestionView view{.now = kStart, .mss = 1000, .srtt = 10ms, .min_rtt = 10ms, .cwnd_limited = true};
  for (int i = 0; i < 30; ++i) algorithm.on_ack(view, {.acked = 1000, .rtt = 10ms});
  const std::uint64_t full = algorithm.output().cwnd;
  ASSERT_GT(full, 20'000U);
  algorithm.on_underuse(view, full);
  EXPECT_EQ(algorithm.output().cwnd, full);
  algorithm.on_underuse(view, 12'000);
  EXPECT_EQ(algorithm.output().cwnd, (full + 12'000) / 2);
  EXPECT_GE(algorithm.output().ssthresh, full / 4 * 3) << "slow start is the way back";
  for (int i = 0; i < 50; ++i) algorithm.on_underuse(view, 0);
  EXPECT_NEAR(static_cast<double>(algorithm.output().cwnd), 10'000, 1) << "never below the initial window";
}

TEST(WindowValidation, UnusedWindowsComeDownHalfTheWayToWhatWasUsed) {  // RFC 2861 §3
  expect_half_way<Reno>();
  expect_half_way<Cubic>();
}

}  // namespace
}  // namespace transom::tcp
