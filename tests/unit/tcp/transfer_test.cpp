// Data in both directions, seen from the wire: RFC 9293 §3.7, §3.8; RFC 5681; RFC 6298; RFC 7323; RFC 2018;
// RFC 2883; RFC 6675.
#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

wire::TcpOptions options_of_peer(bool sack, bool timestamps) {
  wire::TcpOptions options;
  options.maximum_segment_size = 1000;
  options.sack_permitted = sack;
  if (timestamps) options.timestamps = wire::TcpTimestamps{100, 0};
  return options;
}

class TransferFixture : public ::testing::Test {
 protected:
  explicit TransferFixture(const wire::TcpOptions& peer_options, std::uint32_t window = 65535,
                           const tcp::Options& options = {})
      : listener(world.listen(80, options)), connection(peer.connect_to(listener, peer_options, window)) {}

  // What the host sends, with the peer acknowledging nothing.
  std::string payload_of(const std::vector<Answer>& answers) {
    std::string text;
    for (const auto& answer : answers) text += answer.payload;
    return text;
  }
  void acknowledge_to(std::uint32_t number, std::uint32_t window = 65535,
                      std::vector<wire::SackBlock> sacks = {}) {
    Script script{.flags = ".", .sequence = peer.next, .acknowledgment = number, .window = window};
    for (const auto& block : sacks) script.options.add_sack(block);
    if (peer.timestamps)
      script.options.timestamps = wire::TcpTimestamps{peer.timestamp_value, peer.timestamp_echo};
    peer.send(script);
  }
  // The congestion window grown by a transfer that is acknowledged segment by segment.
  void grow_window(std::size_t segments) {
    write(world, connection, letters(segments * 1000));
    std::size_t done = 0;
    while (done < segments) {
      const auto sent = peer.receive_all();
      ASSERT_FALSE(sent.empty());
      done += sent.size();
      world.advance(milliseconds(10));
      peer.expected = sent.back().sequence() + static_cast<std::uint32_t>(sent.back().payload.size());
      acknowledge_to(peer.expected);
    }
  }

  HostUnderTest world;
  ScriptedPeer peer{world, 4000, 80};
  tcp::Listener& listener;
  tcp::Connection& connection;
};

class Plain : public TransferFixture {
 protected:
  Plain() : TransferFixture(options_of_peer(false, false)) {}
};
class WithSack : public TransferFixture {
 protected:
  WithSack() : TransferFixture(options_of_peer(true, false)) {}
};
class WithTimestamps : public TransferFixture {
 protected:
  WithTimestamps() : TransferFixture(options_of_peer(true, true)) {}
};

// ---------------------------------------------------------------- receiving

TEST_F(Plain, CorruptSegmentIsDroppedInSilenceAndCounted) {  // MUST-3
  peer.send({.flags = "PA",
             .sequence = peer.next,
             .acknowledgment = peer.expected,
             .payload = "xxxx",
             .corrupt_checksum = true});
  peer.expect_silence();
  EXPECT_EQ(world.counter(Counter::kTcpInCsumErrors), 1U);
  peer.send_next("PA", "yyyy");
  EXPECT_EQ(read_all(world, connection), "yyyy");
}

TEST_F(Plain, OldDuplicateIsAcknowledgedAtOnceAndNotDeliveredAgain) {  // R9293-05
  peer.send_next("PA", "once");
  peer.receive_all();
  peer.send({.flags = "PA", .sequence = peer.next - 4, .acknowledgment = peer.expected, .payload = "once"});
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  EXPECT_EQ(read_all(world, connection), "once");
}

TEST_F(Plain, OverlapAtTheLeftEdgeIsTrimmed) {  // R9293-06
  peer.send_next("PA", "abcd");
  peer.send({.flags = "PA", .sequence = peer.next - 2, .acknowledgment = peer.expected, .payload = "cdef"});
  peer.next += 2;
  EXPECT_EQ(read_all(world, connection), "abcdef");
  EXPECT_EQ(peer.receive_all().back().acknowledgment(), peer.next);
}

TEST_F(Plain, OutOfOrderDataIsHeldAndAcknowledgedInOneJump) {  // SHLD-31, R2525-05, MUST-59, R5681-06
  const std::uint32_t base = peer.next;
  for (std::uint32_t i = 4; i >= 1; --i) {
    peer.send({.flags = "A",
               .sequence = base + i * 100,
               .acknowledgment = peer.expected,
               .payload = letters(500).substr(i * 100, 100)});
    EXPECT_EQ(peer.expect("A").acknowledgment(), base);
  }
  peer.send({.flags = "A",
             .sequence = base,
             .acknowledgment = peer.expected,
             .payload = letters(500).substr(0, 100)});
  EXPECT_EQ(peer.expect("A").acknowledgment(), base + 500);
  EXPECT_EQ(read_all(world, connection), letters(500));
}

TEST_F(Plain, SegmentWithoutAckBitIsDropped) {  // R9293-09
  peer.send({.flags = "P", .sequence = peer.next, .payload = "data"});
  EXPECT_EQ(read_all(world, connection), "");
  peer.expect_silence();
}

TEST_F(Plain, AckOfUnsentDataDrawsAckAndChangesNothing) {  // R9293-07, ATK-TCP-35
  peer.send({.flags = "PA", .sequence = peer.next, .acknowledgment = peer.expected + 1, .payload = "data"});
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  EXPECT_EQ(read_all(world, connection), "");
}

TEST_F(Plain, DataWithAncientAckDrawsChallenge) {  // R5961-03, ATK-TCP-28
  peer.send(
      {.flags = "PA", .sequence = peer.next, .acknowledgment = peer.expected - 70000, .payload = "inject"});
  peer.expect("A");
  EXPECT_EQ(read_all(world, connection), "");
}

TEST_F(
    Plain,
    SecondFullSegmentIsAcknowledgedAtOnceAndASingleOneWithin500ms) {  // SHLD-18, SHLD-19, MUST-40, R2525-13
  for (int i = 0; i < 20; ++i) peer.send_next("A", letters(1000));    // uses up the quick ACKs
  read_all(world, connection);
  world.advance(milliseconds(190));  // less than a timeout: the peer does not begin anew
  peer.receive_all();
  peer.send_next("A", letters(1000));
  peer.expect_silence();
  peer.send_next("A", letters(1000));
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  peer.send_next("A", letters(1000));
  peer.expect_silence();
  world.advance(milliseconds(499));
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
}

TEST_F(Plain, ZeroWindowIsAnnouncedProbesAreAnsweredAndReadingReopens) {  // MAY-8, MUST-66, MUST-39
  std::size_t sent = 0;
  std::uint32_t window = 65535;
  while (window > 0) {
    const auto piece = std::min<std::size_t>(window, 1000);
    peer.send_next("A", letters(piece));
    sent += piece;
    world.advance(milliseconds(250));
    for (const auto& answer : peer.receive_all()) window = answer.header.window;
    ASSERT_LT(sent, 20U << 20);
  }
  EXPECT_EQ(sent, connection.receive_buffer());
  peer.send({.flags = "A", .sequence = peer.next, .acknowledgment = peer.expected, .payload = "x"});
  const auto answer = peer.expect("A");
  EXPECT_EQ(answer.header.window, 0);
  EXPECT_EQ(answer.acknowledgment(), peer.next);
  std::array<std::uint8_t, 100> little;
  world.with([&] { return connection.receive(little); });
  peer.expect_silence();  // silly window avoidance: 100 octets are not worth an update
  read_all(world, connection);
  EXPECT_GT(peer.expect("A").header.window, 1000);
}

TEST_F(Plain, UrgentOctetIsSignalledAndReadByItself) {  // MUST-30..33, MUST-62
  peer.send({.flags = "PAU",
             .sequence = peer.next,
             .acknowledgment = peer.expected,
             .payload = "abX",
             .urgent_pointer = 3});
  peer.next += 3;
  EXPECT_TRUE(connection.readiness().priority);
  peer.send_next("PA", "cd");
  EXPECT_FALSE(connection.at_urgent_mark());
  std::array<std::uint8_t, 10> buffer;
  EXPECT_EQ(*world.with([&] { return connection.receive(buffer); }), 2U);  // up to the mark
  EXPECT_TRUE(connection.at_urgent_mark());
  EXPECT_EQ(*world.with([&] { return connection.receive_urgent(); }), 'X');
  EXPECT_EQ(read_all(world, connection), "cd");
  EXPECT_EQ(world.with([&] { return connection.receive_urgent(); }).error(), Error::kInvalidArgument);
}

TEST_F(Plain, UrgentPointersThatPointNowhereAreHarmless) {  // ATK-TCP-53, 54, 55, 60
  peer.send({.flags = "AU",
             .sequence = peer.next,
             .acknowledgment = peer.expected,
             .payload = "a",
             .urgent_pointer = 0});
  peer.next += 1;
  EXPECT_EQ(read_all(world, connection), "a");
  peer.send({.flags = "AU",
             .sequence = peer.next,
             .acknowledgment = peer.expected,
             .payload = "b",
             .urgent_pointer = 0xffff});
  peer.next += 1;
  EXPECT_EQ(read_all(world, connection), "b");
  peer.send_next("PA", "c");
  EXPECT_EQ(read_all(world, connection), "c");
}

// ---------------------------------------------------------------- sending

TEST_F(Plain, FirstFlightIsTheInitialWindow) {  // R5681-01, R6928-01, R2525-01
  write(world, connection, letters(50000));
  const auto sent = peer.receive_all();
  EXPECT_EQ(sent.size(), 10U);
  for (const auto& answer : sent) EXPECT_EQ(answer.payload.size(), 1000U);
}

TEST_F(Plain, SlowStartDoublesTheWindowEachRoundTrip) {  // MUST-19
  write(world, connection, letters(200000));
  std::size_t expected = 10;
  for (int round = 0; round < 3; ++round) {
    const auto sent = peer.receive_all();
    EXPECT_EQ(sent.size(), expected);
    world.advance(milliseconds(20));
    for (const auto& answer : sent) acknowledge_to(answer.sequence() + 1000);
    expected *= 2;
  }
}

TEST_F(Plain, NagleHoldsSmallSegmentsWhileOneIsOut) {  // SHLD-7
  for (int i = 0; i < 10; ++i) write(world, connection, "x");
  EXPECT_EQ(peer.expect("PA").payload, "x");
  peer.expect_silence();
  acknowledge_to(peer.expected + 1);
  EXPECT_EQ(peer.expect("PA").payload, "xxxxxxxxx");
}

TEST_F(Plain, NoDelaySendsEachSmallSegmentAtOnce) {  // MUST-17
  tcp::Options options = connection.options();
  options.no_delay = true;
  world.with([&] { connection.set_options(options); });
  for (int i = 0; i < 5; ++i) {
    write(world, connection, "x");
    EXPECT_EQ(peer.expect("PA").payload, "x");
  }
}

TEST_F(Plain, CorkHoldsAPartialSegmentForAtMost200ms) {
  tcp::Options options = connection.options();
  options.cork = true;
  world.with([&] { connection.set_options(options); });
  write(world, connection, "half");
  peer.expect_silence();
  world.advance(milliseconds(201));
  EXPECT_EQ(peer.expect("PA").payload, "half");
}

TEST_F(Plain, LostSegmentIsRetransmittedAfterTheRtoWithBackOff) {  // R6298-03, R2525-14, MUST-18
  write(world, connection, letters(5000));
  ASSERT_EQ(peer.receive_all().size(), 5U);
  std::vector<Instant> times;
  for (int i = 0; i < 4; ++i) {
    while (world.host().transmit_queue(world.link()).empty()) world.advance(milliseconds(10));
    const auto again = peer.receive_all();
    ASSERT_EQ(again.size(), 1U);  // one segment, not a burst
    EXPECT_EQ(again[0].sequence(), peer.expected);
    EXPECT_EQ(again[0].payload, letters(5000).substr(0, 1000));  // R2525-04
    times.push_back(again[0].time);
  }
  const auto first = times[2] - times[1];
  const auto second = times[3] - times[2];
  EXPECT_NEAR(static_cast<double>(second.count()) / static_cast<double>(first.count()), 2.0, 0.1);
}

TEST_F(Plain, SilentPeerIsGivenUpNotBefore100Seconds) {  // MUST-20, SHLD-11
  write(world, connection, "anyone there?");
  world.advance(seconds(99));
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  world.advance(hours(1));
  EXPECT_EQ(connection.state(), tcp::State::kClosed);
  EXPECT_EQ(connection.take_error(), Error::kTimedOut);
}

TEST_F(Plain, UserTimeoutIsHonoured) {  // MUST-21
  tcp::Options options = connection.options();
  options.user_timeout = 5000;
  world.with([&] { connection.set_options(options); });
  write(world, connection, "x");
  world.advance(seconds(4));
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  world.advance(seconds(6));
  EXPECT_EQ(connection.state(), tcp::State::kClosed);
}

TEST_F(Plain, ThirdDuplicateAckTriggersFastRetransmit) {  // R5681-04
  grow_window(20);
  write(world, connection, letters(10000));
  const auto sent = peer.receive_all();
  ASSERT_GE(sent.size(), 5U);
  for (int i = 0; i < 2; ++i) {
    acknowledge_to(peer.expected);
    for (const auto& answer : peer.receive_all()) EXPECT_NE(answer.sequence(), peer.expected);
  }
  acknowledge_to(peer.expected);
  const auto again = peer.receive_all();
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again[0].sequence(), peer.expected);
}

TEST_F(Plain, AcksThatChangeTheWindowOrCarryDataAreNoDuplicates) {  // R5681-05
  grow_window(20);
  write(world, connection, letters(10000));
  peer.receive_all();
  for (std::uint32_t i = 0; i < 5; ++i) acknowledge_to(peer.expected, 60000 - i);
  for (int i = 0; i < 5; ++i) peer.send_next("A", "d", 59996);
  for (const auto& answer : peer.receive_all()) EXPECT_TRUE(answer.payload.empty());
}

TEST_F(Plain, PartialAckRetransmitsTheNextHole) {  // R6582-01
  grow_window(20);
  write(world, connection, letters(10000));
  const auto sent = peer.receive_all();
  ASSERT_GE(sent.size(), 8U);
  for (int i = 0; i < 3; ++i) acknowledge_to(peer.expected);
  EXPECT_EQ(peer.receive_all()[0].sequence(), peer.expected);
  peer.expected += 3000;  // the fourth is missing too
  acknowledge_to(peer.expected);
  const auto again = peer.receive_all();
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again[0].sequence(), peer.expected);
}

TEST_F(WithSack, HolesReportedBySackAreRetransmittedAndNothingElse) {  // R6675-01, R8985-01
  grow_window(20);
  write(world, connection, letters(20000));
  const auto sent = peer.receive_all();
  ASSERT_GE(sent.size(), 10U);
  const std::uint32_t base = peer.expected;
  const auto block = [&](std::uint32_t from, std::uint32_t to) {
    return wire::SackBlock{SeqNum(base + from * 1000), SeqNum(base + to * 1000)};
  };
  // Segments 0 and 4 are lost.
  acknowledge_to(base, 65535, {block(1, 2)});
  acknowledge_to(base, 65535, {block(1, 3)});
  acknowledge_to(base, 65535, {block(1, 4)});
  acknowledge_to(base, 65535, {block(5, 9), block(1, 4)});
  acknowledge_to(base, 65535, {block(5, 14), block(1, 4)});  // now the window has room for the second
  std::vector<std::uint32_t> retransmitted;
  for (const auto& answer : peer.receive_all()) {
    if (static_cast<std::int32_t>(answer.sequence() - (base + 9000)) < 0)
      retransmitted.push_back((answer.sequence() - base) / 1000);
  }
  EXPECT_EQ(retransmitted, (std::vector<std::uint32_t>{0, 4}));
}

TEST_F(WithSack, OutOfOrderArrivalIsReportedInSackBlocksLatestFirst) {  // R2018-02, R2018-03
  const std::uint32_t base = peer.next;
  const auto arrive = [&](std::uint32_t at) {
    peer.send(
        {.flags = "A", .sequence = base + at, .acknowledgment = peer.expected, .payload = letters(100)});
    return peer.expect("A");
  };
  arrive(200);
  arrive(600);
  const auto answer = arrive(400);
  ASSERT_EQ(answer.header.options.sack_count, 3);
  EXPECT_EQ(answer.header.options.sack_blocks[0].left.value(), base + 400);
  EXPECT_EQ(answer.header.options.sack_blocks[1].left.value(), base + 600);
  EXPECT_EQ(answer.header.options.sack_blocks[2].left.value(), base + 200);
}

TEST_F(WithSack, DuplicateDataIsReportedAsDsack) {  // R2883-01
  peer.send_next("PA", "duplicate");
  peer.receive_all();
  peer.send(
      {.flags = "PA", .sequence = peer.next - 9, .acknowledgment = peer.expected, .payload = "duplicate"});
  const auto answer = peer.expect("A");
  ASSERT_EQ(answer.header.options.sack_count, 1);
  EXPECT_EQ(answer.header.options.sack_blocks[0],
            (wire::SackBlock{SeqNum(peer.next - 9), SeqNum(peer.next)}));
}

TEST_F(WithSack, TheBlockAroundADuplicateComesSecondAlsoWhenAnotherGrewLater) {  // R2883-01
  const std::uint32_t base = peer.next;
  const auto arrive = [&](std::uint32_t at) {
    peer.send(
        {.flags = "A", .sequence = base + at, .acknowledgment = peer.expected, .payload = letters(100)});
  };
  arrive(200);
  arrive(300);
  peer.receive_all();
  world.batch([&] {
    arrive(300);
    arrive(600);
  });
  const auto answer = peer.expect("A");
  ASSERT_EQ(answer.header.options.sack_count, 3);
  const auto block = [&](std::uint32_t from, std::uint32_t to) {
    return wire::SackBlock{SeqNum(base + from), SeqNum(base + to)};
  };
  EXPECT_EQ(answer.header.options.sack_blocks[0], block(300, 400));
  EXPECT_EQ(answer.header.options.sack_blocks[1], block(200, 400));
  EXPECT_EQ(answer.header.options.sack_blocks[2], block(600, 700));
}

TEST_F(WithSack, InvalidSackBlocksDoNothing) {  // R2018-05, ATK-TCP-39, 40, 88
  write(world, connection, letters(5000));
  peer.receive_all();
  const std::uint32_t base = peer.expected;
  acknowledge_to(base, 65535,
                 {{SeqNum(base + 3000), SeqNum(base + 2000)}, {SeqNum(base + 4000), SeqNum(base + 900000)}});
  acknowledge_to(base, 65535, {{SeqNum(base - 5000), SeqNum(base - 1000)}, {SeqNum(base), SeqNum(base)}});
  for (const auto& answer : peer.receive_all()) EXPECT_NE(answer.sequence(), base);
  acknowledge_to(base + 5000);
  EXPECT_EQ(connection.unacked_octets(), 0U);
}

TEST_F(Plain, ShrunkenWindowStopsNewDataAndHurtsNothing) {  // MUST-34, SHLD-15, ATK-TCP-70, 95
  write(world, connection, letters(9000));
  ASSERT_EQ(peer.receive_all().size(), 9U);
  acknowledge_to(peer.expected, 100);
  write(world, connection, letters(9000));
  peer.expect_silence();
  acknowledge_to(peer.expected + 9000, 65535);
  EXPECT_EQ(payload_of(peer.receive_all()).size(), 9000U);
}

TEST_F(Plain, ZeroWindowIsProbedForeverWhileAnswered) {  // MUST-36, MUST-37, SHLD-29, SHLD-30, R2525-12
  write(world, connection, letters(1000));
  peer.receive_all();
  acknowledge_to(peer.expected + 1000, 0);
  peer.expected += 1000;
  write(world, connection, letters(3000));
  peer.expect_silence();
  int probes = 0;
  for (int minute = 0; minute < 60; ++minute) {
    world.advance(std::chrono::minutes(1));
    for (const auto& probe : peer.receive_all()) {
      ++probes;
      EXPECT_TRUE(probe.payload.empty());  // nothing beyond the window
      acknowledge_to(peer.expected, 0);
    }
  }
  EXPECT_GT(probes, 20);
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  acknowledge_to(peer.expected, 65535);
  EXPECT_EQ(payload_of(peer.receive_all()).size(), 3000U);
}

TEST_F(
    Plain,
    SmallWindowIsUsedAfterTheOverrideTimeout) {  // RFC 9293 §3.8.6.2.1; a lost window update is no deadlock
  grow_window(20);
  write(world, connection, letters(5000));
  peer.receive_all();
  acknowledge_to(peer.expected + 5000, 1000 - 1);
  write(world, connection, letters(3000));
  EXPECT_TRUE(peer.receive_all().empty()) << "a window below one segment is not worth it at once";
  world.advance(std::chrono::seconds(1));
  const auto sent = peer.receive_all();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].payload.size(), 999U);
}

TEST_F(Plain, NoMoreIsTakenThanTheLowWaterMarkOfUnsentOctets) {  // TCP_NOTSENT_LOWAT
  tcp::Options options = connection.options();
  options.not_sent_low_water = 5000;
  world.with([&] { connection.set_options(options); });
  EXPECT_EQ(write(world, connection, letters(20000)), 5000U) << "nothing was sent yet";
  EXPECT_EQ(write(world, connection, letters(20000)), 5000U) << "that has been sent meanwhile";
  EXPECT_TRUE(connection.readiness().writable) << "the first flight takes these too";
  EXPECT_EQ(write(world, connection, letters(20000)), 5000U);
  EXPECT_FALSE(connection.readiness().writable) << "the congestion window is full, and so is the mark";
  peer.receive_all();
  acknowledge_to(peer.expected + 10000);
  EXPECT_TRUE(connection.readiness().writable);
}

TEST_F(WithTimestamps, RttOfARetransmissionIsNoFinerThanTheTimestampClock) {
  write(world, connection, letters(1000));
  peer.receive_all();
  world.advance(seconds(3));
  const auto again = peer.receive_all();
  ASSERT_FALSE(again.empty());
  peer.timestamp_echo = again.back().header.options.timestamps->value;
  acknowledge_to(again.back().sequence() + 1000);
  EXPECT_GE(connection.info().srtt, milliseconds(1));
}

TEST_F(Plain, WindowOpeningByAByteAtATimeIsNotFollowed) {  // MUST-38, ATK-TCP-71
  write(world, connection, letters(1000));
  peer.receive_all();
  peer.expected += 1000;
  acknowledge_to(peer.expected, 0);
  write(world, connection, letters(3000));
  for (std::uint32_t window = 1; window < 50; ++window) acknowledge_to(peer.expected, window);
  peer.expect_silence();
}

TEST_F(Plain, KeepAliveIsOffByDefault) {  // MUST-25
  world.advance(hours(3));
  peer.expect_silence();
}

TEST_F(Plain,
       KeepAliveProbesAnIdlePeerAndGivesUpOnlyAfterManySilences) {  // MUST-24, 26..29, SHLD-12, R2525-09
  tcp::Options options = connection.options();
  options.keep_alive = true;
  world.with([&] { connection.set_options(options); });
  world.advance(seconds(7199));
  peer.expect_silence();
  world.advance(seconds(2));
  const auto probe = peer.expect("A");
  EXPECT_EQ(probe.sequence(), peer.expected - 1);
  EXPECT_TRUE(probe.payload.empty());
  acknowledge_to(peer.expected);
  world.advance(seconds(7201 + 75 * 8));
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  world.advance(seconds(300));
  EXPECT_EQ(connection.state(), tcp::State::kClosed);
  EXPECT_EQ(connection.take_error(), Error::kTimedOut);
}

TEST_F(Plain, UrgentSendSetsThePointerBehindTheOctet) {  // MUST-62
  write(world, connection, "!", {.urgent = true});
  const auto answer = peer.expect("PAU");
  EXPECT_EQ(answer.header.urgent_pointer, 1);
}

TEST_F(Plain, PushMarksTheSegmentThatEmptiesTheQueue) {  // MUST-61
  write(world, connection, letters(2500));
  const auto sent = peer.receive_all();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_FALSE(sent[0].header.flags.psh);
  EXPECT_TRUE(sent[2].header.flags.psh);
}

TEST_F(WithTimestamps, EverySegmentCarriesTimestampsAndTheMssLeavesRoom) {  // R7323-05, R6691-01, R2525-18
  write(world, connection, letters(3000));
  for (const auto& answer : peer.receive_all()) {
    ASSERT_TRUE(answer.header.options.timestamps);
    EXPECT_LE(answer.payload.size(), 988U);
  }
}

TEST_F(WithTimestamps, SegmentWithoutTimestampIsDropped) {  // R7323-06
  peer.send({.flags = "PA", .sequence = peer.next, .acknowledgment = peer.expected, .payload = "none"});
  EXPECT_EQ(read_all(world, connection), "");
}

TEST_F(WithTimestamps, OldTimestampIsDroppedWithAnAck) {  // R7323-09, R7323-07
  peer.timestamp_value = 50;
  peer.send({.flags = "PA",
             .sequence = peer.next,
             .acknowledgment = peer.expected,
             .payload = "old",
             .options = {.timestamps = wire::TcpTimestamps{50, 0}}});
  peer.expect("A");
  EXPECT_EQ(read_all(world, connection), "");
  EXPECT_EQ(world.counter(Counter::kTcpExtPAWSEstab), 1U);
}

TEST_F(WithTimestamps, TimestampExpiresAfter24DaysOfSilence) {  // R7323-10
  world.advance(hours(25 * 24));
  peer.send({.flags = "PA",
             .sequence = peer.next,
             .acknowledgment = peer.expected,
             .payload = "late",
             .options = {.timestamps = wire::TcpTimestamps{50, 0}}});
  EXPECT_EQ(read_all(world, connection), "late");
}

TEST_F(WithTimestamps, ResetIsExemptFromPaws) {  // R7323-11
  peer.send({.flags = "R", .sequence = peer.next, .options = {.timestamps = wire::TcpTimestamps{1, 0}}});
  EXPECT_EQ(connection.state(), tcp::State::kClosed);
}

TEST_F(WithTimestamps, OutOfOrderSegmentDoesNotUpdateTheTimestampToEcho) {  // R7323-07
  peer.send({.flags = "A",
             .sequence = peer.next + 100,
             .acknowledgment = peer.expected,
             .payload = "later",
             .options = {.timestamps = wire::TcpTimestamps{900, 0}}});
  EXPECT_EQ(peer.expect("A").header.options.timestamps->echo, 100U);
}

TEST(SequenceWrap, TransferAcrossZero) {  // R9293-15, ATK-TCP-77, 93
  HostUnderTest world;
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  peer.next = 0xffffffff;
  auto& connection = peer.connect_to(listener, options_of_peer(true, true));
  const std::string text = letters(50000);
  std::string received;
  for (std::size_t i = 0; i < text.size(); i += 1000) {
    peer.send_next("A", std::string_view(text).substr(i, 1000));
    received += read_all(world, connection);
  }
  EXPECT_EQ(received, text);
}

}  // namespace
}  // namespace transom::test
