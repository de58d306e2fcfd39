// The queueing disciplines, each against what its document says it does under a load that is too high.
#include "drivers/sim/queue.h"

#include "tests/unit/drivers/sim/sim_packets.h"

namespace transom::drivers::sim {
namespace {

constexpr std::uint8_t kEct0 = 2, kEct1 = 1;

class Queues : public ::testing::Test, protected SimPackets {
 protected:
  std::unique_ptr<Queue> make(std::string_view words) {
    auto queue = make_queue(words, link::LinkType::kPointToPoint, seed_from_number(3));
    EXPECT_TRUE(queue) << queue.error();
    return std::move(*queue);
  }
  static std::string complaint(std::string_view words) {
    const auto queue = make_queue(words, link::LinkType::kPointToPoint, seed_from_number(3));
    return queue ? std::string() : queue.error();
  }

  struct Load {
    Duration lasting;
    Duration between_arrivals;
    Duration between_departures;
    SegmentFields packet;
  };
  struct Outcome {
    Duration longest_wait{};  // in the second half
    std::uint64_t sent = 0;
  };
  // Packets of 1000 octets arrive and leave at two rates. Each carries its time of arrival as its sequence
  // number, in microseconds.
  Outcome run(Queue& queue, const Load& load) {
    Outcome outcome;
    Instant arrival = now_, departure = now_;
    const Instant end = now_ + load.lasting, middle = now_ + load.lasting / 2;
    while (now_ < end) {
      now_ = std::min(arrival, departure);
      if (arrival <= departure) {
        SegmentFields fields = load.packet;
        fields.payload = 960;
        fields.sequence = microseconds(now_);
        queue.put(segment(fields), now_);
        arrival += load.between_arrivals;
        continue;
      }
      departure += load.between_departures;
      const Packet packet = queue.take(now_);
      if (!packet) continue;
      ++outcome.sent;
      const auto waited = std::chrono::microseconds(microseconds(now_) - sequence_of(packet).value());
      if (now_ > middle) outcome.longest_wait = std::max<Duration>(outcome.longest_wait, waited);
    }
    return outcome;
  }
  static std::uint32_t microseconds(Instant time) {
    return static_cast<std::uint32_t>(time.time_since_epoch() / 1us);
  }

  Instant now_{};
};

TEST_F(Queues, PfifoKeepsOrderAndDropsWhatComesWhenItIsFull) {
  const auto queue = make("pfifo limit 3");
  for (std::uint32_t i = 0; i < 5; ++i) queue->put(segment({.sequence = i}), now_);
  EXPECT_EQ(queue->packets(), 3U);
  EXPECT_EQ(queue->octets(), 3 * 140U);
  EXPECT_EQ(queue->statistics().dropped_full, 2U);
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(sequence_of(queue->take(now_)), SeqNum(i));
  EXPECT_FALSE(queue->take(now_));
  EXPECT_EQ(queue->octets(), 0U);
}

TEST_F(Queues, BfifoCountsOctets) {
  const auto queue = make("bfifo limit 1000");
  queue->put(of_size(600), now_);
  queue->put(of_size(500), now_);  // too much
  queue->put(of_size(400), now_);
  EXPECT_EQ(queue->packets(), 2U);
  EXPECT_EQ(queue->statistics().dropped_full, 1U);
}

TEST_F(Queues, RedDropsMoreAndMoreBetweenItsThresholds) {
  const auto queue = make("red limit 400kb min 30kb max 90kb probability 0.1 bandwidth 8mbit");
  // 25 % too much: the average must settle between the thresholds.
  const Outcome outcome = run(*queue, {20s, 800us, 1ms, {}});
  EXPECT_GT(queue->statistics().dropped_early, 1000U);
  EXPECT_EQ(queue->statistics().dropped_full, 0U);
  EXPECT_LT(outcome.longest_wait, 110ms);  // max and what its average lags behind
  EXPECT_GT(outcome.longest_wait, 30ms);
}

TEST_F(Queues, RedMarksThoseThatUnderstand) {
  const auto queue = make("red limit 400kb min 30kb max 90kb probability 1 ecn");
  for (int i = 0; i < 200; ++i) queue->put(segment({.ecn = kEct0, .payload = 960}), now_);
  EXPECT_EQ(queue->statistics().dropped_early, 0U);
  EXPECT_GT(queue->statistics().marked, 10U);
}

TEST_F(Queues, CodelLetsABurstPass) {  // RFC 8289 §3: a queue that drains within an interval is a good queue
  const auto queue = make("codel limit 1000 target 5ms interval 100ms");
  for (int i = 0; i < 60; ++i) queue->put(of_size(1000), now_);
  for (int i = 0; i < 60; ++i) {
    now_ += 1ms;
    EXPECT_TRUE(queue->take(now_));
  }
  EXPECT_EQ(queue->statistics().dropped_early, 0U);
}

TEST_F(Queues, CodelDropsEverSoonerWhileTheQueueStands) {  // RFC 8289 §5.3: interval / sqrt(count)
  const auto queue = make("codel limit 10000 target 5ms interval 100ms");
  (void)run(*queue, {1s, 900us, 1ms, {}});
  const std::uint64_t in_first = queue->statistics().dropped_early;
  (void)run(*queue, {1s, 900us, 1ms, {}});
  const std::uint64_t in_second = queue->statistics().dropped_early - in_first;
  EXPECT_GT(in_first, 3U);
  EXPECT_GT(in_second, in_first + 5);
}

TEST_F(Queues, CodelMarksInsteadOfDropping) {
  const auto queue = make("codel ecn");
  (void)run(*queue, {1s, 900us, 1ms, {.ecn = kEct0}});
  EXPECT_EQ(queue->statistics().dropped_early, 0U);
  EXPECT_GT(queue->statistics().marked, 3U);
}

TEST_F(Queues, CodelMarksAllAboveItsThreshold) {
  const auto queue = make("codel ce_threshold 1ms");
  for (int i = 0; i < 10; ++i) queue->put(segment({.ecn = kEct1}), now_);
  now_ += 2ms;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(codepoint(queue->take(now_)), EcnCodepoint::kCe);
}

TEST_F(Queues, FqCodelServesFlowsInTurn) {  // RFC 8290 §4.2
  const auto queue = make("fq_codel flows 1024 quantum 1514");
  for (int i = 0; i < 100; ++i) queue->put(segment({.flow = 1, .payload = 1460}), now_);
  queue->put(segment({.flow = 2, .sequence = 7, .payload = 1460}), now_);
  // The new flow does not wait behind the hundred.
  std::vector<SeqNum> first_three;
  for (int i = 0; i < 3; ++i) first_three.push_back(sequence_of(queue->take(now_)));
  EXPECT_NE(std::ranges::find(first_three, SeqNum(7)), first_three.end());
}

TEST_F(Queues, FqCodelDropsFromTheLongestWhenItIsFull) {  // RFC 8290 §4.1
  const auto queue = make("fq_codel limit 50");
  queue->put(segment({.flow = 2}), now_);
  for (int i = 0; i < 100; ++i) queue->put(segment({.flow = 1}), now_);
  EXPECT_LE(queue->packets(), 50U);
  std::size_t of_the_other = 0;
  while (const Packet packet = queue->take(now_)) of_the_other += packet.head()[21] == 2 ? 1 : 0;
  EXPECT_EQ(of_the_other, 1U);
}

TEST_F(Queues, PieHoldsItsTarget) {  // RFC 8033 §4
  const auto queue = make("pie limit 10000 target 15ms");
  const Outcome outcome = run(*queue, {60s, 900us, 1ms, {}});
  EXPECT_GT(queue->statistics().dropped_early, 1000U);
  EXPECT_LT(outcome.longest_wait, 60ms);
  EXPECT_GT(static_cast<double>(outcome.sent), 0.98 * 60000);  // and the link is busy
}

TEST_F(Queues, PieAllowsAShortBurst) {  // RFC 8033 §4.4: 150 ms
  const auto queue = make("pie limit 10000");
  (void)run(*queue, {140ms, 500us, 1ms, {}});
  EXPECT_EQ(queue->statistics().dropped_early, 0U);
}

TEST_F(Queues, DualPi2KeepsTheLowLatencyQueueShort) {  // RFC 9332 §2.1
  const auto queue = make("dualpi2");
  for (int i = 0; i < 50; ++i) queue->put(segment({.flow = 1, .payload = 1460}), now_);
  queue->put(segment({.ecn = kEct1, .flow = 2, .sequence = 7}), now_);
  EXPECT_EQ(sequence_of(queue->take(now_)), SeqNum(7));
}

TEST_F(Queues, DualPi2MarksAboveTheStep) {
  const auto queue = make("dualpi2 step_thresh 1ms");
  for (int i = 0; i < 4; ++i) queue->put(segment({.ecn = kEct1}), now_);
  now_ += 2ms;
  EXPECT_EQ(codepoint(queue->take(now_)), EcnCodepoint::kCe);
}

TEST_F(Queues, DualPi2SquaresTheProbabilityForTheClassicQueue) {  // RFC 9332 §2.1: p_C = p'^2, p_CL = 2 p'
  const auto queue = make("dualpi2 limit 100000");
  // Half and half, 20 % too much.
  Instant arrival = now_, departure = now_;
  std::uint64_t sent_low = 0, marked_low = 0, arrived_classic = 0;
  for (bool is_low = false; now_ < Instant(60s);) {
    now_ = std::min(arrival, departure);
    if (arrival <= departure) {
      arrived_classic += is_low ? 0 : 1;
      queue->put(segment({.ecn = is_low ? kEct1 : std::uint8_t{0},
                          .flow = is_low ? std::uint16_t{2} : std::uint16_t{1}}),
                 now_);
      is_low = !is_low;
      arrival += 833us;
      continue;
    }
    departure += 1ms;
    const Packet packet = queue->take(now_);
    if (!packet || packet.head()[21] != 2) continue;
    ++sent_low;
    marked_low += codepoint(packet) == EcnCodepoint::kCe ? 1 : 0;
  }
  const double classic =
      static_cast<double>(queue->statistics().dropped_early) / static_cast<double>(arrived_classic);
  EXPECT_GT(static_cast<double>(marked_low) / static_cast<double>(sent_low),
            std::min(1.0, 2 * std::sqrt(classic)) * 0.8);
}

TEST_F(Queues, SayWhatIsWrongWithTheWords) {
  EXPECT_THAT(complaint(""), testing::HasSubstr("no queue is named"));
  EXPECT_THAT(complaint("fifo"), testing::HasSubstr("unknown queue 'fifo'; known are pfifo"));
  EXPECT_THAT(complaint("pfifo limit"), testing::HasSubstr("limit takes a count, not ''"));
  EXPECT_THAT(complaint("codel target 5"), testing::HasSubstr("target takes a time, not '5'"));
  EXPECT_THAT(complaint("codel speed 5ms"), testing::HasSubstr("unknown word 'speed'"));
  EXPECT_THAT(complaint("red min 90kb max 30kb"), testing::HasSubstr("min must be below max"));
  EXPECT_THAT(complaint("fq_codel flows 0"), testing::HasSubstr("flows must be 1"));
  EXPECT_EQ(complaint("fq_codel limit 10240 flows 1024 quantum 1514 target 5ms interval 100ms noecn"), "");
}

}  // namespace
}  // namespace transom::drivers::sim
