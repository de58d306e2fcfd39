// One direction of a link: when packets arrive, and which.
#include "drivers/sim/channel.h"

#include "tests/unit/drivers/sim/sim_packets.h"

namespace transom::drivers::sim {
namespace {

class ChannelTest : public ::testing::Test, protected SimPackets {
 protected:
  void make(const ChannelOptions& options) {
    auto made = Channel::make(options, link::LinkType::kPointToPoint, seed_from_number(5));
    ASSERT_TRUE(made) << made.error();
    channel_ = std::move(*made);
  }
  struct Arrival {
    Instant time;
    SeqNum sequence;
    Packet packet;
  };
  // Lets everything that is on the way arrive.
  std::vector<Arrival> drain() {
    std::vector<Arrival> arrivals;
    while (channel_->next_deadline() != kNever) {
      now_ = std::max(now_, channel_->next_deadline());
      PacketQueue out;
      channel_->take(out, now_);
      while (Packet packet = out.pop()) {
        const SeqNum sequence = sequence_of(packet);
        arrivals.push_back({now_, sequence, std::move(packet)});
      }
    }
    return arrivals;
  }
  std::vector<std::uint32_t> order() {
    std::vector<std::uint32_t> sequences;
    for (const Arrival& arrival : drain()) sequences.push_back(arrival.sequence.value());
    return sequences;
  }
  void put(std::uint32_t sequence, std::size_t octets = 1000) {
    channel_->put(segment({.sequence = sequence, .payload = octets - 40}), now_);
  }

  Instant now_{};
  std::unique_ptr<Channel> channel_;
};

TEST_F(ChannelTest, TimeIsLengthOverRatePlusDelay) {
  make({.rate = 8'000'000, .delay = 10ms});
  put(1);
  put(2);
  const auto arrivals = drain();
  ASSERT_EQ(arrivals.size(), 2U);
  EXPECT_EQ(arrivals[0].time, Instant(1ms + 10ms));
  EXPECT_EQ(arrivals[1].time, Instant(2ms + 10ms));
}

TEST_F(ChannelTest, LosesNoTimeToRounding) {
  make({.rate = 7'000'000, .queue = "pfifo limit 100000"});  // a packet takes 1142857.14 ns
  for (std::uint32_t i = 0; i < 7000; ++i) put(i);
  EXPECT_EQ(drain().back().time, Instant(8s));
}

TEST_F(ChannelTest, WithoutARateOnlyTheDelayCounts) {
  make({.delay = 3ms});
  for (std::uint32_t i = 0; i < 100; ++i) put(i);
  for (const Arrival& arrival : drain()) EXPECT_EQ(arrival.time, Instant(3ms));
}

TEST_F(ChannelTest, TheLimitIsOfWhatWaits) {
  make({.rate = 8'000'000, .delay = 1s, .queue = "pfifo limit 2"});
  for (std::uint32_t i = 0; i < 5; ++i) put(i);  // one is being sent, two wait
  EXPECT_EQ(order(), (std::vector<std::uint32_t>{0, 1, 2}));
}

TEST_F(ChannelTest, LosesWhatIsOnTheList) {
  make({.loss = *parse_loss("list 2 4-5")});
  for (std::uint32_t i = 1; i <= 6; ++i) put(i);
  EXPECT_EQ(order(), (std::vector<std::uint32_t>{1, 3, 6}));
  EXPECT_EQ(channel_->statistics().lost, 3U);
}

TEST_F(ChannelTest, LosesAtRandomAsOftenAsAsked) {
  make({.loss = *parse_loss("5%")});
  constexpr int kPackets = 20000;
  for (int i = 0; i < kPackets; ++i) {
    put(1);
    drain();
  }
  EXPECT_NEAR(static_cast<double>(channel_->statistics().lost), kPackets * 0.05, 150);
}

TEST_F(ChannelTest, BurstsOfLossAreAsLongAsTheModelSays) {  // Gilbert: mean length 1/r, share p/(p+r)
  make({.loss = *parse_loss("gemodel 1% 20%")});
  constexpr std::uint32_t kPackets = 50000;
  std::vector<bool> arrived(kPackets);
  for (std::uint32_t i = 0; i < kPackets; ++i) {
    put(i);
    for (const Arrival& arrival : drain()) arrived[arrival.sequence.value()] = true;
  }
  double lost = 0, bursts = 0;
  for (std::uint32_t i = 0; i < kPackets; ++i) {
    lost += arrived[i] ? 0 : 1;
    bursts += !arrived[i] && (i == 0 || arrived[i - 1]) ? 1 : 0;
  }
  EXPECT_NEAR(lost / bursts, 5, 0.6);
  EXPECT_NEAR(lost / kPackets, 0.01 / 0.21, 0.006);
}

TEST_F(ChannelTest, ReorderedPacketsSkipTheDelay) {  // tc-netem(8)
  make({.delay = 10ms, .reorder = 1, .reorder_gap = 3});
  for (std::uint32_t i = 1; i <= 6; ++i) put(i);
  EXPECT_EQ(order(), (std::vector<std::uint32_t>{3, 6, 1, 2, 4, 5}));
}

TEST_F(ChannelTest, JitterReordersUnlessOrderIsKept) {
  for (const bool keeps_order : {false, true}) {
    make({.delay = 10ms, .jitter = 5ms, .keeps_order = keeps_order});
    for (std::uint32_t i = 0; i < 100; ++i) put(i);
    const std::vector<Arrival> arrivals = drain();
    EXPECT_GE(arrivals.front().time, Instant(5ms));
    EXPECT_LE(arrivals.back().time - Instant{}, now_ - Instant{});
    EXPECT_EQ(std::ranges::is_sorted(arrivals, {}, [](const Arrival& a) { return a.sequence.value(); }),
              keeps_order);
    now_ = Instant{};
  }
}

TEST_F(ChannelTest, DuplicatesAndCorrupts) {
  make({.duplicate = 1, .corrupt = 1});
  Packet packet = segment();
  std::vector<std::uint8_t> before(packet.size());
  packet.copy_out(0, before);
  channel_->put(std::move(packet), now_);
  const auto arrivals = drain();
  ASSERT_EQ(arrivals.size(), 2U);
  std::vector<std::uint8_t> after(arrivals[0].packet.size());
  arrivals[0].packet.copy_out(0, after);
  int bits = 0;
  for (std::size_t i = 0; i < before.size(); ++i) bits += std::popcount<std::uint8_t>(before[i] ^ after[i]);
  EXPECT_EQ(bits, 1);
}

TEST_F(ChannelTest, WhatIsLongerThanTheMtuVanishes) {
  make({.mtu = 1000});
  put(1, 1000);
  put(2, 1001);
  EXPECT_EQ(order(), std::vector<std::uint32_t>{1});
  EXPECT_EQ(channel_->statistics().too_long, 1U);
}

TEST_F(ChannelTest, ChangesWithTime) {
  make({.rate = 8'000'000,
        .delay = 1ms,
        .changes = {{.at = Instant(5ms), .rate = 80'000'000},
                    {.at = Instant(10ms), .up = false},
                    {.at = Instant(20ms), .delay = 2ms, .up = true}}});
  put(1);
  EXPECT_EQ(drain().back().time, Instant(2ms));
  now_ = Instant(5ms);
  put(2);
  EXPECT_EQ(drain().back().time, Instant(5ms + 100us + 1ms));
  now_ = Instant(15ms);
  put(3);
  EXPECT_TRUE(drain().empty());
  now_ = Instant(20ms);
  put(4);
  EXPECT_EQ(drain().back().time, Instant(20ms + 100us + 2ms));
}

TEST_F(ChannelTest, DeliversAsTheTraceSays) {  // mahimahi: an opportunity is 1504 octets
  make({.trace = *DeliveryTrace::parse("2\n5\n5\n10\n")});
  for (std::uint32_t i = 1; i <= 5; ++i) put(i, 1500);
  std::vector<Duration> times;
  for (const Arrival& arrival : drain()) times.push_back(arrival.time - Instant{});
  EXPECT_EQ(times, (std::vector<Duration>{2ms, 5ms, 5ms, 10ms, 12ms}));
}

TEST_F(ChannelTest, SmallPacketsShareAnOpportunity) {
  make({.trace = *DeliveryTrace::parse("2\n4\n")});
  for (std::uint32_t i = 1; i <= 4; ++i) put(i, 500);
  std::vector<Duration> times;
  for (const Arrival& arrival : drain()) times.push_back(arrival.time - Instant{});
  EXPECT_EQ(times, (std::vector<Duration>{2ms, 2ms, 2ms, 4ms}));
}

TEST_F(ChannelTest, AnOpportunityThatNobodyUsesIsGone) {
  make({.trace = *DeliveryTrace::parse("2\n4\n")});
  now_ = Instant(3ms);
  put(1, 500);
  EXPECT_EQ(drain().back().time, Instant(4ms));
  now_ = Instant(1000ms + 1ms);
  put(2, 500);
  EXPECT_EQ(drain().back().time, Instant(1002ms));
}

TEST_F(ChannelTest, RefusesTracesThatGoBack) {
  EXPECT_THAT(DeliveryTrace::parse("2\n1\n").error(), testing::HasSubstr("line 2"));
  EXPECT_FALSE(DeliveryTrace::parse(""));
  EXPECT_FALSE(DeliveryTrace::parse("0\n"));
  EXPECT_FALSE(DeliveryTrace::parse("abc\n"));
}

TEST_F(ChannelTest, RefusesLossThatItDoesNotUnderstand) {
  for (const char* const text :
       {"", "5", "101%", "5% 5%", "gemodel", "gemodel 1% x", "list", "list 0", "list 5-4"})
    EXPECT_FALSE(parse_loss(text)) << text;
}

// ---------------------------------------------------------------- packet faults

class Faults : public ChannelTest {
 protected:
  void make(std::string_view fault) {
    const auto parsed = parse_packet_fault(fault);
    ASSERT_TRUE(parsed) << parsed.error();
    ChannelTest::make({.delay = 1ms, .faults = {*parsed}});
  }
};

TEST_F(Faults, DropTheThirdRetransmission) {
  make("drop the 3rd retransmission");
  for (const std::uint32_t sequence : {0U, 1000U, 2000U, 0U, 1000U, 2000U, 0U}) put(sequence, 1040);
  EXPECT_EQ(order(), (std::vector<std::uint32_t>{0, 1000, 2000, 0, 1000, 0}));
}

TEST_F(Faults, DuplicateTheFirstSynAck) {
  make("duplicate the first SYN-ACK");
  channel_->put(segment({.sequence = 1, .payload = 0, .flags = {.syn = true}}), now_);
  for (const std::uint32_t sequence : {2U, 3U})
    channel_->put(segment({.sequence = sequence, .payload = 0, .flags = {.syn = true, .ack = true}}), now_);
  EXPECT_EQ(order(), (std::vector<std::uint32_t>{1, 2, 2, 3}));
}

TEST_F(Faults, CorruptAByteOfADataSegment) {
  make("corrupt byte 20 of data segment 2");
  put(1);
  put(2);
  const auto arrivals = drain();
  ASSERT_EQ(arrivals.size(), 2U);
  EXPECT_EQ(arrivals[0].packet.head()[40], 0x5a);
  EXPECT_EQ(arrivals[1].packet.head()[40], 0xa5);
  EXPECT_EQ(arrivals[1].packet.head()[41], 0x5a);
}

TEST_F(Faults, DelaySomeSegments) {
  make("delay data segments 2-3 by 30ms");
  for (std::uint32_t i = 1; i <= 4; ++i) put(i);
  EXPECT_EQ(order(), (std::vector<std::uint32_t>{1, 4, 2, 3}));
  EXPECT_EQ(now_, Instant(31ms));
}

TEST_F(Faults, MarkEveryDataSegment) {
  make("mark every data segment");
  channel_->put(segment({.ecn = 2}), now_);
  EXPECT_EQ(codepoint(drain().front().packet), EcnCodepoint::kCe);
}

TEST_F(Faults, CountAcksFinsAndResetsByThemselves) {
  const auto kinds = {std::pair{"drop ack 1", wire::TcpFlags{.ack = true}},
                      {"drop the first fin", wire::TcpFlags{.fin = true, .ack = true}},
                      {"drop the first rst", wire::TcpFlags{.rst = true}},
                      {"drop packet 2", wire::TcpFlags{.ack = true}}};
  for (const auto& [words, flags] : kinds) {
    make(words);
    put(1);
    channel_->put(segment({.sequence = 2, .payload = 0, .flags = flags}), now_);
    EXPECT_EQ(order(), std::vector<std::uint32_t>{1}) << words;
  }
}

TEST_F(Faults, SayWhatIsNotUnderstood) {
  for (const char* const text : {"", "loose the 3rd syn", "drop", "drop the 3rd thing", "drop the 0th syn",
                                 "drop data 5-4", "corrupt data segment 7", "drop byte 3 of data 7",
                                 "delay the first syn", "drop the first syn by 3ms"}) {
    const auto fault = parse_packet_fault(text);
    ASSERT_FALSE(fault) << text;
    EXPECT_THAT(fault.error(), testing::HasSubstr("as in 'drop the 3rd retransmission'"));
  }
}

}  // namespace
}  // namespace transom::drivers::sim
