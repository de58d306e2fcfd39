// The scoreboard: step by step, and against a model that keeps one entry for each octet.
#include "stack/tcp/scoreboard.h"

#include <gtest/gtest.h>

#include <vector>

#include "stack/base/random.h"

namespace transom::tcp {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kMss = 1000;
constexpr Instant kAlways = kNever;  // whatever was sent again, its ACK may be of that

class ScoreboardTest : public testing::Test {
 protected:
  // Segments number `first` to `last`, 1 ms apart from 1 ms on: segment n is sent at n ms.
  void send(std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t n = first; n <= last; ++n) board_.on_sent(at(n), kMss, false, {}, sent_at(n));
  }
  static SeqNum at(std::uint32_t n) {
    return SeqNum(0xfffff000U) + n * kMss;
  }  // it wraps within a few segments
  static Instant sent_at(std::uint32_t n) { return Instant(n * 1ms); }
  Scoreboard::Delivered report(std::uint32_t first, std::uint32_t end) {
    const wire::SackBlock block{at(first), at(end)};
    return board_.apply_sacks({&block, 1}, kMss, kAlways);
  }
  // What RACK makes of segment n having been delivered at `now`.
  Scoreboard::Losses detect(std::uint32_t delivered, Instant now, Duration window = 0ms) {
    rack_.on_delivered(sent_at(delivered), at(delivered + 1), now);
    return board_.detect_losses(rack_, window, now);
  }

  Scoreboard board_;
  Rack rack_;
};

TEST_F(ScoreboardTest, CountsWhatIsOutstandingAndTakesAwayWhatIsAcknowledged) {
  send(0, 9);
  EXPECT_EQ(board_.in_flight(), 10U * kMss);
  const auto delivered = board_.acknowledge(at(4), kAlways);
  EXPECT_EQ(delivered.acked, 4U * kMss);
  EXPECT_EQ(delivered.newly_delivered, 4U * kMss);
  EXPECT_EQ(delivered.sent, sent_at(3)) << "the latest of them";
  EXPECT_EQ(board_.in_flight(), 6U * kMss);
}

TEST_F(ScoreboardTest, WhatIsReportedIsNotInFlightAndIsDeliveredOnce) {
  send(0, 9);
  EXPECT_EQ(report(2, 5).newly_delivered, 3U * kMss);
  EXPECT_EQ(report(2, 6).newly_delivered, 1U * kMss);
  EXPECT_EQ(board_.in_flight(), 6U * kMss);
  EXPECT_EQ(board_.acknowledge(at(6), kAlways).newly_delivered, 2U * kMss) << "the rest was reported before";
  EXPECT_EQ(board_.sacked(), 0U);
}

TEST_F(ScoreboardTest, CutsASuperSegmentAtWholeSegments) {
  board_.on_sent(at(0), 10 * kMss, false, {}, sent_at(0));
  EXPECT_EQ(report(3, 7).newly_delivered, 4U * kMss);
  EXPECT_EQ(board_.in_flight(), 6U * kMss);
  // A block that covers parts of segments only counts for those that it covers whole.
  const wire::SackBlock block{at(7) + 1, at(9) - 1};
  EXPECT_EQ(board_.apply_sacks({&block, 1}, kMss, kAlways).newly_delivered, 0U);
}

// ATK-TCP-37: a peer that repeats its ACK for ever would otherwise release as many segments as it likes.
TEST_F(ScoreboardTest, DuplicateAcksVouchForNoMoreThanWasOutstandingAtTheFirst) {
  send(0, 9);
  for (std::uint32_t n = 10; n < 40; ++n) {
    board_.on_duplicate_ack(kMss);
    send(n, n);
  }
  EXPECT_EQ(board_.in_flight(), 30U * kMss);
  // With what is new acknowledged, the next row of them counts again.
  board_.acknowledge(at(20), kAlways);
  EXPECT_EQ(board_.in_flight(), 20U * kMss);
  for (int i = 0; i < 5; ++i) board_.on_duplicate_ack(kMss);
  EXPECT_EQ(board_.in_flight(), 15U * kMss);
}

TEST_F(ScoreboardTest, IgnoresBlocksThatMakeNoSense) {  // RFC 2018 §5, ATK-TCP
  send(0, 4);
  const wire::SackBlock blocks[] = {{at(3), at(2)}, {at(2), at(2)}, {at(0) - 1, at(1)}, {at(4), at(6)}};
  for (const auto& block : blocks)
    EXPECT_EQ(board_.apply_sacks({&block, 1}, kMss, kAlways).newly_delivered, 0U);
  EXPECT_EQ(board_.in_flight(), 5U * kMss);
}

TEST_F(ScoreboardTest, WhatWasOvertakenIsLost) {  // RFC 8985 §6.2, step 5
  send(0, 9);
  report(3, 4);
  const auto losses = detect(3, sent_at(3) + 20ms);
  EXPECT_EQ(losses.begin, at(0));
  EXPECT_EQ(losses.end, at(3));
  EXPECT_EQ(losses.octets, 3U * kMss);
  EXPECT_FALSE(losses.some_wait);
  EXPECT_EQ(board_.in_flight(), 6U * kMss);
  EXPECT_EQ(detect(3, sent_at(3) + 20ms).octets, 0U) << "it is lost once";
}

TEST_F(ScoreboardTest, WhatWasOvertakenMayComeWithinTheReorderingWindow) {
  send(0, 9);
  report(3, 4);
  // RTT 20 ms, window 5 ms: segment n is lost at n + 25 ms.
  auto losses = detect(3, sent_at(3) + 20ms, 5ms);
  EXPECT_EQ(losses.octets, 0U) << "at 23 ms none is due";
  EXPECT_TRUE(losses.some_wait);
  losses = board_.detect_losses(rack_, 5ms, Instant(26ms));
  EXPECT_EQ(losses.octets, 2U * kMss) << "0 and 1 are due at 25 and 26 ms";
  EXPECT_TRUE(losses.some_wait);
  EXPECT_EQ(board_.detect_losses(rack_, 5ms, rack_.last_deadline(5ms)).octets, kMss);
}

TEST_F(ScoreboardTest, ALostRetransmissionIsFoundToo) {
  send(0, 9);
  report(3, 4);
  detect(3, Instant(23ms));
  board_.on_retransmitted(at(0), kMss, {}, Instant(23ms));
  board_.on_retransmitted(at(1), kMss, {}, Instant(24ms));
  board_.on_sent(at(10), kMss, false, {}, Instant(25ms));
  report(10, 11);  // sent after both retransmissions
  rack_.on_delivered(Instant(25ms), at(11), Instant(45ms));
  const auto losses = board_.detect_losses(rack_, 0ms, Instant(45ms));
  EXPECT_EQ(losses.retransmissions, 2U * kMss);
}

TEST_F(ScoreboardTest, ARetransmissionOfTheSameInstantWasNotOvertaken) {
  send(0, 9);
  report(3, 4);
  detect(3, Instant(23ms));
  board_.on_retransmitted(at(0), kMss, {}, Instant(25ms));
  board_.on_sent(at(10), kMss, false, {}, Instant(25ms));
  report(10, 11);
  rack_.on_delivered(Instant(25ms), at(11), Instant(45ms));
  EXPECT_EQ(board_.detect_losses(rack_, 0ms, Instant(45ms)).retransmissions, 0U);
}

TEST_F(ScoreboardTest, SaysWhenSomethingArrivedOutOfOrder) {
  send(0, 9);
  EXPECT_FALSE(report(3, 4).reordered);
  EXPECT_TRUE(report(1, 2).reordered);
  EXPECT_FALSE(report(5, 6).reordered);
  EXPECT_TRUE(board_.acknowledge(at(1), kAlways).reordered) << "0, behind 5";
}

TEST_F(ScoreboardTest,
       WhatOneAckReportsTogetherIsNotOutOfOrder) {  // the latest block stands first in the option
  send(0, 9);
  const std::array<wire::SackBlock, 3> blocks{wire::SackBlock{at(8), at(9)}, {at(4), at(7)}, {at(1), at(3)}};
  EXPECT_FALSE(board_.apply_sacks(blocks, kMss, kAlways).reordered);
}

TEST_F(ScoreboardTest, ARetransmissionIsNoSignOfReordering) {
  send(0, 9);
  report(3, 4);
  detect(3, Instant(23ms));
  board_.on_retransmitted(at(0), kMss, {}, Instant(23ms));
  EXPECT_FALSE(board_.acknowledge(at(1), kAlways).reordered);
}

TEST_F(ScoreboardTest, AnAckTooEarlyForTheRetransmissionSaysNothingAboutItsTime) {  // RFC 8985 §6.2, step 1
  send(0, 1);
  board_.mark_front_lost(kMss);
  board_.on_retransmitted(at(0), kMss, {}, Instant(100ms));
  EXPECT_FALSE(board_.acknowledge(at(1), Instant(90ms)).latest)
      << "sent at 100 ms, and at 90 ms is the last it can answer";
  EXPECT_EQ(board_.acknowledge(at(2), Instant(90ms)).latest, sent_at(1));
}

TEST_F(ScoreboardTest, AfterATimeoutEverythingUnreportedIsLost) {
  send(0, 9);
  report(4, 6);
  const auto losses = board_.mark_all_lost();
  EXPECT_FALSE(losses.reneged);
  EXPECT_EQ(losses.octets, 8U * kMss);
  EXPECT_EQ(board_.in_flight(), 0U);
  EXPECT_EQ(board_.sacked(), 2U * kMss);
}

TEST_F(ScoreboardTest, ReportsThatWereTakenBackDoNotCount) {  // RFC 2018 §8
  send(0, 9);
  report(1, 5);
  board_.acknowledge(at(1), kAlways);  // 1 to 4 should be acknowledged with it
  const auto losses = board_.mark_all_lost();
  EXPECT_TRUE(losses.reneged);
  EXPECT_EQ(board_.sacked(), 0U);
  EXPECT_EQ(losses.octets, 9U * kMss);
}

TEST_F(ScoreboardTest, GivesTheLostOutInOrderAndJoinsNeighbours) {
  send(0, 9);
  report(8, 10);
  report(4, 5);
  detect(9, Instant(40ms));
  auto range = board_.next_lost(10 * kMss);
  ASSERT_TRUE(range);
  EXPECT_EQ(range->begin, at(0));
  EXPECT_EQ(range->length, 4 * kMss);
  board_.on_retransmitted(at(0), 4 * kMss, {}, Instant(40ms));
  range = board_.next_lost(2 * kMss);
  ASSERT_TRUE(range);
  EXPECT_EQ(range->begin, at(5));
  EXPECT_EQ(range->length, 2 * kMss) << "not more than the limit";
  EXPECT_EQ(board_.in_flight(), 4U * kMss);
}

TEST_F(ScoreboardTest, ForgetsLossesThatWereNone) {
  send(0, 4);
  board_.mark_all_lost();
  board_.on_retransmitted(at(0), kMss, {}, Instant(1s));
  board_.forget_losses();
  EXPECT_FALSE(board_.has_lost());
  EXPECT_EQ(board_.in_flight(), 5U * kMss);
}

TEST_F(ScoreboardTest, AProbeRepeatsTheLastSegment) {
  board_.on_sent(at(0), 5 * kMss + 300, false, {}, sent_at(0));
  const SentSegment last = board_.last(kMss);
  EXPECT_EQ(last.length, kMss);
  EXPECT_EQ(last.end(), at(5) + 300);
  board_.on_retransmitted(last.begin, last.length, {}, Instant(1s));
  EXPECT_EQ(board_.in_flight(), 5U * kMss + 300) << "it is in flight as before";
}

// ---------------------------------------------------------------- against a model

// One entry for each octet from snd_una on.
struct Model {
  struct Octet {
    bool sacked = false;
    bool lost = false;
  };
  std::vector<Octet> octets;

  std::uint32_t in_flight() const {
    return static_cast<std::uint32_t>(
        std::ranges::count_if(octets, [](const Octet& octet) { return !octet.sacked && !octet.lost; }));
  }
  std::uint32_t sacked() const {
    return static_cast<std::uint32_t>(
        std::ranges::count_if(octets, [](const Octet& octet) { return octet.sacked; }));
  }
};

class ScoreboardModel : public testing::TestWithParam<std::uint64_t> {};

TEST_P(ScoreboardModel, AgreesWithOneEntryPerOctet) {
  SCOPED_TRACE(testing::Message() << "to repeat: test_tcp --gtest_filter='*AgreesWithOneEntryPerOctet/"
                                  << GetParam() << "'");
  constexpr std::uint32_t kSmall = 10;  // the MSS here: a model of octets stays small
  Random random(Seed{GetParam(), 7});
  Scoreboard board;
  Model model;
  SeqNum una = SeqNum(static_cast<std::uint32_t>(-300));
  SeqNum nxt = una;
  Instant now{};
  for (int step = 0; step < 400; ++step) {
    now += 1ms;
    const auto whole_segments = [&](std::uint64_t limit) {
      return static_cast<std::uint32_t>(random.below(limit)) * kSmall;
    };
    switch (random.below(6)) {
      case 0:
      case 1: {
        const std::uint32_t length = kSmall + whole_segments(8);
        board.on_sent(nxt, length, false, {}, now);
        nxt += length;
        model.octets.resize(model.octets.size() + length);
        break;
      }
      case 2: {
        if (model.octets.empty()) break;
        const std::uint32_t acked = std::min<std::uint32_t>(whole_segments(6), octets_between(una, nxt));
        una += acked;
        board.acknowledge(una, now);
        model.octets.erase(model.octets.begin(), model.octets.begin() + acked);
        break;
      }
      case 3: {
        if (model.octets.empty()) break;
        const std::uint32_t size = static_cast<std::uint32_t>(model.octets.size());
        const std::uint32_t begin = static_cast<std::uint32_t>(random.below(size / kSmall)) * kSmall;
        const std::uint32_t end = std::min(size, begin + kSmall + whole_segments(5));
        const wire::SackBlock block{una + begin, una + end};
        board.apply_sacks({&block, 1}, kSmall, now);
        for (std::uint32_t i = begin; i < end; ++i) model.octets[i] = {.sacked = true, .lost = false};
        break;
      }
      case 4: {
        const auto range = board.next_lost(kSmall * 3);
        if (!range) break;
        board.on_retransmitted(range->begin, range->length, {}, now);
        for (std::uint32_t i = 0; i < range->length; ++i) {
          auto& octet = model.octets[octets_between(una, range->begin) + i];
          EXPECT_TRUE(octet.lost);
          octet.lost = false;
        }
        break;
      }
      default: {
        if (model.octets.empty() || model.octets.front().sacked) break;
        const auto losses = board.mark_front_lost(kSmall);
        for (std::uint32_t i = 0; i < losses.octets; ++i) model.octets[i].lost = true;
        break;
      }
    }
    ASSERT_EQ(board.outstanding(), model.octets.size()) << "step " << step;
    ASSERT_EQ(board.sacked(), model.sacked()) << "step " << step;
    ASSERT_EQ(board.in_flight(), model.in_flight()) << "step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ScoreboardModel, testing::Range<std::uint64_t>(0, 50),
                         [](const auto& seed) { return std::to_string(seed.param); });

}  // namespace
}  // namespace transom::tcp
