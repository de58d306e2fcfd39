// The small parts of loss recovery, each by itself: RACK's window, PRR, signs of a needless recovery, rate
// samples.
#include <gtest/gtest.h>

#include "stack/tcp/delivery_rate.h"
#include "stack/tcp/prr.h"
#include "stack/tcp/rack.h"
#include "stack/tcp/spurious_recovery.h"

namespace transom::tcp {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kMss = 1000;

// ---------------------------------------------------------------- RACK (RFC 8985 §6.2)

class RackTest : public testing::Test {
 protected:
  RackTest() { rtt_.sample(40ms, 1, Instant{}); }

  RttEstimator rtt_{200ms};
  Rack rack_;
};

TEST_F(RackTest, NothingIsOvertakenBeforeAnythingWasDelivered) {
  EXPECT_FALSE(rack_.has_overtaken(Instant(1ms), SeqNum(1)));
}

TEST_F(RackTest, WhatWasSentBeforeTheLatestDeliveryWasOvertaken) {
  rack_.on_delivered(Instant(10ms), SeqNum(5000), Instant(50ms));
  EXPECT_TRUE(rack_.has_overtaken(Instant(9ms), SeqNum(9000)));
  EXPECT_FALSE(rack_.has_overtaken(Instant(11ms), SeqNum(1000)));
  EXPECT_TRUE(rack_.has_overtaken(Instant(10ms), SeqNum(4000)))
      << "of one instant, the lower number was sent first";
  EXPECT_FALSE(rack_.has_overtaken(Instant(10ms), SeqNum(6000)));
  EXPECT_EQ(rack_.deadline(Instant(9ms), 10ms), Instant(59ms)) << "sent + RTT of the delivered + window";
}

TEST_F(RackTest, AnOlderDeliveryChangesNothing) {
  rack_.on_delivered(Instant(10ms), SeqNum(5000), Instant(50ms));
  rack_.on_delivered(Instant(5ms), SeqNum(2000), Instant(60ms));
  EXPECT_EQ(rack_.last_deadline(0ms), Instant(50ms));
}

TEST_F(RackTest, WaitsAQuarterOfTheRoundTripUnlessItIsCertain) {
  EXPECT_EQ(rack_.reordering_window(rtt_, false), 10ms);
  EXPECT_EQ(rack_.reordering_window(rtt_, true), 0ms);
  rack_.on_reordering();
  EXPECT_EQ(rack_.reordering_window(rtt_, true), 10ms) << "on a path that reorders it is never certain";
}

TEST_F(RackTest, WidensOncePerRoundTripWithADuplicateUpToTheRtt) {  // R8985-02
  rack_.on_duplicate_reported(SeqNum(1000), SeqNum(9000));
  EXPECT_EQ(rack_.reordering_window(rtt_, false), 20ms);
  rack_.on_duplicate_reported(SeqNum(5000), SeqNum(12000));
  EXPECT_EQ(rack_.reordering_window(rtt_, false), 20ms) << "the same round trip";
  rack_.on_duplicate_reported(SeqNum(9000), SeqNum(15000));
  EXPECT_EQ(rack_.reordering_window(rtt_, false), 30ms);
  for (std::uint32_t i = 2; i < 12; ++i)
    rack_.on_duplicate_reported(SeqNum(i * 10000), SeqNum(i * 10000 + 9000));
  EXPECT_EQ(rack_.reordering_window(rtt_, false), 40ms) << "never more than a round trip";
}

TEST_F(RackTest, NarrowsAfterSixteenRecoveriesWithoutDuplicates) {
  rack_.on_duplicate_reported(SeqNum(1000), SeqNum(9000));
  for (int i = 0; i < 15; ++i) rack_.on_recovery_end();
  EXPECT_EQ(rack_.reordering_window(rtt_, false), 20ms);
  rack_.on_recovery_end();
  EXPECT_EQ(rack_.reordering_window(rtt_, false), 10ms);
}

// ---------------------------------------------------------------- PRR (RFC 9937)

TEST(Prr, SendsInProportionToWhatIsDelivered) {
  // 20 segments in flight, one lost, ssthresh 10: one is sent for two delivered.
  ProportionalRateReduction prr;
  prr.start(20 * kMss);
  std::uint64_t in_flight = 19 * kMss;
  std::uint64_t sent = 0;
  for (int acks = 1; acks <= 18; ++acks) {
    in_flight -= kMss;
    prr.on_ack(kMss, in_flight, 10 * kMss, kMss, false);
    while (prr.window() >= in_flight + kMss) {
      in_flight += kMss;
      ++sent;
      prr.on_sent(kMss);
    }
    EXPECT_NEAR(static_cast<double>(sent), acks / 2.0, 1.0) << "after " << acks << " ACKs";
  }
  EXPECT_EQ(in_flight, 10U * kMss) << "one round trip later it is at ssthresh";
}

TEST(Prr, AlwaysLetsTheFirstRetransmissionGo) {
  ProportionalRateReduction prr;
  prr.start(20 * kMss);
  prr.on_ack(100, 18 * kMss, 10 * kMss, kMss, false);
  EXPECT_EQ(prr.window(), 19U * kMss);
}

TEST(Prr, GrowsBackToSsthreshBySlowStartOnlyWhileThatIsSafe) {
  // Many losses: 4 in flight, ssthresh 10.
  ProportionalRateReduction prr;
  prr.start(20 * kMss);
  prr.on_sent(kMss);
  prr.on_ack(kMss, 4 * kMss, 10 * kMss, kMss, false);
  EXPECT_EQ(prr.window(), 5U * kMss) << "packet conservation";
  prr.on_sent(kMss);
  prr.on_ack(kMss, 4 * kMss, 10 * kMss, kMss, true);
  EXPECT_EQ(prr.window(), 6U * kMss) << "one more when the ACK moved on and found no further loss";
  prr.on_ack(10 * kMss, 4 * kMss, 10 * kMss, kMss, true);
  EXPECT_EQ(prr.window(), 10U * kMss) << "never beyond ssthresh";
}

// ---------------------------------------------------------------- needless recoveries

TEST(SpuriousRecovery, IsSeenByAnEchoOlderThanTheRetransmission) {  // RFC 3522
  SpuriousRecovery spurious;
  spurious.start(false);
  spurious.on_retransmitted(kMss, Instant(100ms));
  EXPECT_FALSE(spurious.is_spurious({.echoed_before = Instant(99ms), .moved_una = false}));
  EXPECT_TRUE(spurious.is_spurious({.echoed_before = Instant(99ms), .moved_una = true}));
  EXPECT_FALSE(spurious.is_spurious({.echoed_before = Instant(99ms), .moved_una = true}))
      << "it is said once";
}

TEST(SpuriousRecovery, IsDecidedByTheFirstAckThatMovesOn) {
  SpuriousRecovery spurious;
  spurious.start(false);
  spurious.on_retransmitted(kMss, Instant(100ms));
  EXPECT_FALSE(spurious.is_spurious({.echoed_before = Instant(101ms), .moved_una = true}));
  EXPECT_FALSE(spurious.is_spurious({.echoed_before = Instant(99ms), .moved_una = true}));
}

TEST(SpuriousRecovery, IsSeenWhenEveryRetransmissionArrivedTwice) {  // RFC 3708
  SpuriousRecovery spurious;
  spurious.start(false);
  spurious.on_retransmitted(2 * kMss, Instant(100ms));
  spurious.on_duplicate_reported(kMss);
  EXPECT_FALSE(spurious.is_spurious({}));
  spurious.on_duplicate_reported(kMss);
  EXPECT_TRUE(spurious.is_spurious({}));
}

TEST(SpuriousRecovery, AfterATimeoutIsSeenWhenOriginalsArrive) {  // RFC 5682
  SpuriousRecovery spurious;
  spurious.start(true);
  spurious.on_retransmitted(kMss, Instant(1s));
  EXPECT_TRUE(spurious.is_spurious({.moved_una = true, .delivered_original = true}));
  spurious.start(false);
  spurious.on_retransmitted(kMss, Instant(1s));
  EXPECT_FALSE(spurious.is_spurious({.moved_una = true, .delivered_original = true}))
      << "no sign in fast recovery";
}

TEST(SpuriousRecovery, AfterATimeoutIsSeenBySecondAckWhereTheFirstTellsNothing) {  // RFC 5682 §2.1
  const auto after_first_ack = [] {
    SpuriousRecovery spurious;
    spurious.start(true);
    spurious.on_retransmitted(kMss, Instant(1s));
    EXPECT_FALSE(spurious.is_spurious({.moved_una = true}));
    EXPECT_TRUE(spurious.wants_new_data());
    return spurious;
  };
  SpuriousRecovery spurious = after_first_ack();
  EXPECT_TRUE(spurious.is_spurious({.moved_una = true, .delivered_original = true}));
  spurious = after_first_ack();
  EXPECT_FALSE(spurious.is_spurious({})) << "a duplicate";
  EXPECT_FALSE(spurious.wants_new_data());
  spurious = after_first_ack();
  spurious.on_retransmitted(kMss, Instant(2s));
  EXPECT_FALSE(spurious.is_spurious({.moved_una = true, .delivered_original = true}))
      << "there was no new data, so it was sent again after all";
}

TEST(SpuriousRecovery, NeedsARetransmission) {
  SpuriousRecovery spurious;
  spurious.start(true);
  EXPECT_FALSE(spurious.is_spurious({.moved_una = true, .delivered_original = true}));
}

// ---------------------------------------------------------------- rate samples

TEST(DeliveryRate, MeasuresASteadyFlow) {
  DeliveryRate rate;
  std::vector<std::pair<Instant, RateStamp>> flight;
  RateSample sample;
  // One segment per millisecond, 20 ms of round trip: 1 MB/s.
  for (int n = 0; n < 100; ++n) {
    const Instant now(n * 1ms);
    if (n >= 20) {
      const auto& [sent, stamp] = flight[static_cast<std::size_t>(n - 20)];
      sample = rate.on_delivered(kMss, 0, stamp, sent, now, 20ms);
    }
    flight.emplace_back(now, rate.on_sent({.in_flight = n == 0 ? 0U : kMss, .octets = kMss, .lost = 0}, now));
  }
  EXPECT_EQ(sample.rate(), 1'000'000U);
  EXPECT_FALSE(sample.application_limited);
}

TEST(DeliveryRate, AcksThatComeTogetherDoNotLookFast) {
  DeliveryRate rate;
  const RateStamp first = rate.on_sent({.in_flight = 0, .octets = kMss, .lost = 0}, Instant(0ms));
  const RateStamp last = rate.on_sent({.in_flight = kMss, .octets = kMss, .lost = 0}, Instant(9ms));
  rate.on_delivered(kMss, 0, first, Instant(0ms), Instant(30ms), 20ms);
  const auto sample = rate.on_delivered(9 * kMss, 0, last, Instant(9ms), Instant(30ms), 20ms);
  EXPECT_LE(sample.rate(), 10U * kMss * 1000 / 30) << "10 segments in the 30 ms since the flight began";
}

TEST(DeliveryRate, SaysWhenTheApplicationWasTheLimit) {
  DeliveryRate rate;
  const RateStamp before = rate.on_sent({.in_flight = 0, .octets = kMss, .lost = 0}, Instant(0ms));
  rate.on_application_limited(kMss);
  const RateStamp during = rate.on_sent({.in_flight = kMss, .octets = kMss, .lost = 0}, Instant(1ms));
  EXPECT_FALSE(before.application_limited);
  EXPECT_TRUE(during.application_limited);
  rate.on_delivered(kMss, 0, before, Instant(0ms), Instant(20ms), 20ms);
  EXPECT_TRUE(rate.on_delivered(kMss, 0, during, Instant(1ms), Instant(21ms), 20ms).application_limited);
  EXPECT_FALSE(rate.on_sent({.in_flight = 0, .octets = kMss, .lost = 0}, Instant(22ms)).application_limited)
      << "what was limited has been delivered";
}

TEST(DeliveryRate, AnIntervalBelowTheRoundTripIsNoSample) {
  DeliveryRate rate;
  const RateStamp stamp = rate.on_sent({.in_flight = 0, .octets = kMss, .lost = 0}, Instant(0ms));
  EXPECT_EQ(rate.on_delivered(kMss, 0, stamp, Instant(0ms), Instant(10ms), 20ms).rate(), 0U);
}

}  // namespace
}  // namespace transom::tcp
