// CUBIC's curve, worked out from the formulas of RFC 9438.
#include <gtest/gtest.h>

#include <cmath>

#include "stack/tcp/congestion/cubic.h"

namespace transom::tcp {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kMss = 1000;

// An ideal path: each round trip delivers one window.
class CubicTest : public testing::Test {
 protected:
  CongestionView view() {
    return {.now = now_,
            .mss = kMss,
            .in_flight = cubic_.output().cwnd,
            .srtt = rtt_,
            .min_rtt = rtt_,
            .cwnd_limited = limited_};
  }
  void ack(std::uint64_t octets) {
    delivered_ += octets;
    cubic_.on_ack(view(),
                  {.acked = octets,
                   .rtt = rtt_,
                   .total_delivered = delivered_,
                   .rate = {.delivered = octets, .interval = rtt_, .prior_delivered = delivered_ - octets}});
  }
  // One round trip, in which every segment is acknowledged on its own.
  void round() {
    const std::uint64_t window = cubic_.output().cwnd / kMss;
    for (std::uint64_t i = 0; i < window; ++i) {
      now_ += rtt_ / static_cast<int>(window);
      ack(kMss);
    }
  }
  void run_for(Duration duration) {
    const Instant end = now_ + duration;
    while (now_ < end) round();
  }
  void grow_to(std::uint64_t segments) {
    while (cubic_.output().cwnd < segments * kMss)
      ack(std::min<std::uint64_t>(kMss, segments * kMss - cubic_.output().cwnd));
  }
  void lose() {
    cubic_.on_loss(view(), LossKind::kFastRecovery);
    cubic_.on_recovery_end(view());
  }
  double segments() const { return static_cast<double>(cubic_.output().cwnd) / kMss; }

  Instant now_ = Instant(1s);
  Duration rtt_ = 100ms;
  bool limited_ = true;
  std::uint64_t delivered_ = 0;
  Cubic cubic_{{.initial_window = 10 * kMss}};
};

TEST_F(CubicTest, StartsSlowlyByDoubling) {
  EXPECT_EQ(segments(), 10);
  round();
  EXPECT_EQ(segments(), 20);
}

TEST_F(CubicTest, ComesDownToSevenTenthsAtALoss) {  // RFC 9438 §4.6
  grow_to(1000);
  lose();
  EXPECT_EQ(segments(), 700);
}

TEST_F(CubicTest, ComesDownToOneSegmentAtATimeout) {
  grow_to(1000);
  cubic_.on_loss(view(), LossKind::kTimeout);
  EXPECT_EQ(segments(), 1);
  EXPECT_EQ(cubic_.output().ssthresh, 700U * kMss);
}

TEST_F(CubicTest, IsBackAtTheOldWindowAfterK) {  // §4.2: K = cbrt(300/0.4) = 9.086 s
  grow_to(1000);
  lose();
  const double k = std::cbrt(300 / 0.4);
  run_for(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(k)));
  EXPECT_NEAR(segments(), 1000, 5);
}

TEST_F(CubicTest, FollowsTheCubicOnBothSidesOfThePlateau) {
  grow_to(1000);
  lose();
  const double k = std::cbrt(300 / 0.4);
  const Instant epoch = now_;
  for (int i = 0; i < 16; ++i) {
    run_for(1s);
    const double t = std::chrono::duration<double>(now_ - epoch).count();
    EXPECT_NEAR(segments(), 0.4 * std::pow(t - k, 3) + 1000, 12) << t << " s after the loss";
  }
}

TEST_F(CubicTest, TakesFewerThanBeforeWhenItLosesBelowItsLastWindow) {  // §4.7, fast convergence
  grow_to(1000);
  lose();
  lose();  // at 700: w_max becomes 700 * (1 + 0.7)/2 = 595
  Metric metrics[1];
  ASSERT_EQ(cubic_.metrics(metrics), 1U);
  EXPECT_EQ(metrics[0].value, 595 * kMss);
  EXPECT_EQ(segments(), 490);
}

TEST_F(CubicTest, GrowsAsRenoWouldOnAShortPath) {  // §4.3: at 1 ms and 20 segments Reno is faster
  rtt_ = 1ms;
  grow_to(20);
  lose();
  EXPECT_EQ(segments(), 14);
  for (int i = 0; i < 9; ++i) round();
  EXPECT_NEAR(segments(), 14 + 9 * 9.0 / 17, 1);  // α = 9/17 segments per round trip
  // From the old window on with α = 1.
  while (segments() < 20) round();
  const double before = segments();
  for (int i = 0; i < 10; ++i) round();
  EXPECT_NEAR(segments(), before + 10, 1.5);
}

TEST_F(CubicTest, DoesNotGrowWhileTheWindowIsNotUsed) {  // §5.8
  grow_to(1000);
  lose();
  run_for(1s);
  const double before = segments();
  limited_ = false;
  run_for(30s);
  EXPECT_EQ(segments(), before);
  limited_ = true;
  round();
  EXPECT_LT(segments(), before + 60) << "the idle time counted towards the growth";
}

TEST_F(CubicTest, ForgetsALossThatWasNone) {  // §4.9
  grow_to(1000);
  lose();
  cubic_.on_undo(view());
  EXPECT_EQ(segments(), 1000);
  EXPECT_EQ(cubic_.output().ssthresh, kMaxCongestionWindow);
}

TEST_F(CubicTest, StartsOverAfterAnIdleTime) {
  grow_to(1000);
  cubic_.on_idle(view());
  EXPECT_EQ(segments(), 10);
}

TEST_F(CubicTest, NeverExceedsWhatTcpCanExpress) {
  ack(std::uint64_t{1} << 32);
  for (int i = 0; i < 10; ++i) ack(std::uint64_t{1} << 32);
  EXPECT_LE(cubic_.output().cwnd, kMaxCongestionWindow);
}

// ---------------------------------------------------------------- HyStart++

class HyStartTest : public testing::Test {
 protected:
  // One round of 20 segments with this RTT.
  void round(Duration rtt) {
    const std::uint64_t begin = delivered_;
    for (int i = 0; i < 20; ++i) {
      delivered_ += kMss;
      growth_ += hystart_.growth({.acked = kMss,
                                  .rtt = rtt,
                                  .total_delivered = delivered_,
                                  .rate = {.delivered = kMss, .interval = rtt, .prior_delivered = begin}});
    }
  }

  HyStart hystart_;
  std::uint64_t delivered_ = 0;
  std::uint64_t growth_ = 0;
};

TEST_F(HyStartTest, GrowsByWhatIsAcknowledgedWhileTheRttStays) {
  for (int i = 0; i < 10; ++i) round(50ms);
  EXPECT_EQ(growth_, 10U * 20 * kMss);
  EXPECT_FALSE(hystart_.is_conservative());
}

TEST_F(HyStartTest, TurnsConservativeWhenTheRttGrowsByAnEighth) {  // RFC 9406 §4.2
  round(50ms);
  round(50ms);
  round(56ms);
  EXPECT_FALSE(hystart_.is_conservative()) << "6 ms is less than an eighth of 50 ms";
  round(63ms + 100us);
  EXPECT_TRUE(hystart_.is_conservative());
  growth_ = 0;
  round(64ms);
  EXPECT_EQ(growth_, 20U * kMss / 4);
}

TEST_F(HyStartTest, IgnoresGrowthBelowFourMilliseconds) {
  round(1ms);
  round(1ms);
  round(4ms);
  EXPECT_FALSE(hystart_.is_conservative());
}

TEST_F(HyStartTest, IsDoneAfterFiveConservativeRounds) {
  round(50ms);
  round(50ms);
  round(70ms);
  for (int i = 0; i < 4; ++i) round(70ms);
  EXPECT_FALSE(hystart_.is_done());
  round(70ms);
  round(70ms);
  EXPECT_TRUE(hystart_.is_done());
}

TEST_F(HyStartTest, ReturnsToSlowStartWhenTheRttComesDownAgain) {
  round(50ms);
  round(50ms);
  round(70ms);
  ASSERT_TRUE(hystart_.is_conservative());
  round(52ms);
  EXPECT_FALSE(hystart_.is_conservative());
}

}  // namespace
}  // namespace transom::tcp
