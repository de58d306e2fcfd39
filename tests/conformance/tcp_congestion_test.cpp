// How much may be in flight: RFC 5681; RFC 6928; RFC 7661; RFC 2525 §2.1, §2.2, §2.3, §2.6.
#include "tests/conformance/conversation.h"

namespace transom::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

HostConfig with_control(std::string_view name) {
  HostConfig config;
  config.tcp.congestion_control = name;
  return config;
}

// One round trip with everything acknowledged segment by segment; returns how many segments it had.
std::size_t round_trip(Conversation& talk, Duration rtt = milliseconds(50)) {
  return data_segments(talk.acknowledge_all(rtt));
}

TEST(TcpCongestion, StartsWithTenSegmentsOfWhateverSize) {  // R6928-01, R5681-01, R2525-01, R2525-03
  struct Case {
    std::optional<std::uint16_t> mss;
    std::size_t segments;
  };
  // min(10 MSS, max(2 MSS, 14600))
  for (const auto& [mss, segments] :
       {Case{1460, 10}, Case{536, 10}, Case{std::nullopt, 10}, Case{4000, 3}, Case{9000, 2}}) {
    Conversation talk({.peer = {.maximum_segment_size = mss}, .mtu = 9500});
    talk.write(letters(100000));
    const auto sent = talk.peer.receive_all();
    EXPECT_EQ(sent.size(), segments) << "MSS " << mss.value_or(0);
    for (const auto& answer : sent) EXPECT_EQ(answer.payload.size(), mss.value_or(536));
  }
}

TEST(TcpCongestion, StartsWithOneSegmentWhereTheSynWasLost) {  // R6928-01
  HostUnderTest world;
  ScriptedPeer peer(world, 80, 5000);
  auto& connection = world.with([&]() -> tcp::Connection& {
    auto hold = world.host().tcp().bind({.local = peer.remote()});
    return **world.host().tcp().connect(*hold, peer.local(), {});
  });
  peer.expect("S");
  world.advance(milliseconds(1005));
  const Answer again = peer.expect("S");
  peer.send({.flags = "SA",
             .sequence = 1,
             .acknowledgment = again.sequence() + 1,
             .options = {.maximum_segment_size = 1000}});
  peer.expect("A");
  write(world, connection, letters(50000));
  EXPECT_EQ(peer.receive_all().size(), 1U);
}

TEST(TcpCongestion,
     GrowsByDoublingUntilSsthreshThenByOneSegmentPerRoundTrip) {  // MUST-19, R5681-01, R5681-02, R2525-06
  Conversation talk({.window = 65535, .config = with_control("reno")});
  talk.write(letters(4000000));
  std::size_t expected = 10;
  for (int i = 0; i < 2; ++i, expected *= 2) EXPECT_EQ(round_trip(talk), expected) << "slow start";

  // A loss: three duplicates of the first of 40.
  const auto sent = talk.peer.receive_all();
  ASSERT_EQ(sent.size(), 40U);
  for (int i = 0; i < 39; ++i) talk.acknowledge(talk.peer.expected);
  talk.peer.expected += 40000;
  (void)talk.peer.receive_all();
  talk.world.advance(milliseconds(50));
  // What was sent in recovery arrives as well.
  talk.peer.expected = talk.connection.send_next().value();
  talk.acknowledge(talk.peer.expected);
  EXPECT_EQ(talk.connection.info().cwnd, talk.connection.info().ssthresh);
  const std::uint64_t before = talk.connection.info().cwnd;
  for (int i = 0; i < 20; ++i) (void)round_trip(talk);
  const std::uint64_t growth = (talk.connection.info().cwnd - before) / 1000;
  EXPECT_LE(growth, 21U) << "no constant on top";
  EXPECT_GE(growth, 18U);
}

TEST(TcpCongestion, SlowStartGrowsByNoMoreThanASegmentPerAck) {  // R5681-01: cwnd += min(N, SMSS)
  Conversation talk({.config = with_control("reno")});
  talk.write(letters(100000));
  ASSERT_EQ(talk.peer.receive_all().size(), 10U);
  const std::uint64_t before = talk.connection.info().cwnd;
  talk.world.advance(milliseconds(50));
  for (std::uint32_t i = 1; i <= 10; ++i)
    talk.acknowledge(talk.peer.expected + i * 100);  // one segment in ten ACKs
  EXPECT_LE(talk.connection.info().cwnd, before + 1000) << "ACKs that split a segment open nothing";
}

TEST(TcpCongestion, IsOneSegmentAfterATimeoutAndDoublesAgain) {  // MUST-19, R5681-03, R2525-02
  // With timestamps, so that the first ACK says at once that the timeout was none too early.
  Conversation talk({.peer = {.maximum_segment_size = 1012, .timestamps = wire::TcpTimestamps{100, 0}},
                     .config = with_control("reno")});
  talk.grow_window(40);
  talk.write(letters(400000));
  const std::size_t flight = talk.peer.receive_all().size();
  ASSERT_GE(flight, 30U);
  talk.world.advance(seconds(1));
  (void)talk.peer.receive_all();
  auto info = talk.connection.info();
  EXPECT_EQ(info.cwnd, 1000U);
  EXPECT_EQ(info.ssthresh, flight * 1000 / 2) << "half of what was in flight";
  talk.world.advance(seconds(3));
  (void)talk.peer.receive_all();
  EXPECT_EQ(talk.connection.info().ssthresh, info.ssthresh) << "the same loss again: not again";
  EXPECT_EQ(talk.connection.info().cwnd, 1000U);
  // From here the peer gets each segment once: 1, 2, 4, 8.
  talk.peer.expected += 1000;
  talk.acknowledge(talk.peer.expected);
  std::vector<std::size_t> rounds;
  for (int i = 0; i < 3; ++i) rounds.push_back(round_trip(talk));
  EXPECT_EQ(rounds, (std::vector<std::size_t>{2, 4, 8}));
}

TEST(TcpCongestion, OfSsthreshIsNeverBelowTwoSegments) {  // R5681-03
  Conversation talk({.config = with_control("reno")});
  talk.write(letters(1000));
  talk.world.advance(seconds(5));
  EXPECT_EQ(talk.connection.info().ssthresh, 2000U);
}

TEST(TcpCongestion, StartsAnewAfterAnIdleTime) {  // R5681-07
  for (const std::string_view name : {"reno", "cubic"}) {
    Conversation talk({.config = with_control(name)});
    talk.grow_window(60);
    EXPECT_GT(talk.connection.info().cwnd, 20000U);
    talk.world.advance(seconds(10));
    talk.write(letters(60000));
    EXPECT_LE(talk.peer.receive_all().size(), 10U) << name;
  }
}

TEST(TcpCongestion,
     LimitsWhatIsInFlightAndNotEachSend) {  // a window that limited each send alone is a known bug
  Conversation talk;
  for (int i = 0; i < 50; ++i) talk.write(letters(2000));
  EXPECT_EQ(payload_of(talk.peer.receive_all()).size(), 10000U);
  for (int i = 0; i < 50; ++i) talk.write(letters(2000));
  talk.peer.expect_silence();
}

TEST(TcpCongestion, CountsOctetsInFlightAndNotAcks) {  // flight size counted per ACK is a known bug
  Conversation talk;
  talk.write(letters(10000));
  (void)talk.peer.receive_all();
  EXPECT_EQ(talk.connection.info().in_flight, 10000U);
  talk.acknowledge(talk.peer.expected + 7000);
  EXPECT_EQ(talk.connection.info().in_flight, 3000U);
  talk.acknowledge(talk.peer.expected + 7500);
  EXPECT_EQ(talk.connection.info().in_flight, 2500U);
}

TEST(TcpCongestion, DoesNotGrowWhileTheApplicationIsTheLimit) {  // R7661-01
  Conversation talk({.config = with_control("reno")});
  for (int i = 0; i < 100; ++i) {
    talk.write(letters(1000));
    (void)talk.acknowledge_all(milliseconds(50));
  }
  EXPECT_LE(talk.connection.info().cwnd, 12000U);
}

TEST(TcpWrap, OfBothDirectionsIsNotNoticed) {  // R9293-15, R7323-12
  // The peer's numbers and its timestamps wrap within a second; ours wrap as well, since 8 MB are sent from
  // anywhere near enough: the clock of the host is set so that the first number lies just below zero.
  wire::TcpOptions options = modern_options();
  options.timestamps = wire::TcpTimestamps{0xfffffff0, 0};
  const std::uint32_t first = Conversation({.peer = options, .irs = 0xfffffc00}).peer.expected;
  HostUnderTest world;
  world.advance(std::chrono::microseconds(4) * (0xfffff000U - first));
  auto& listener = world.listen(80, {.send_buffer = 1 << 20});
  ScriptedPeer peer(world, 4000, 80);
  peer.next = 0xfffffc00;
  auto& connection = peer.connect_to(listener, options);
  ASSERT_GT(peer.expected, 0xffffe000U) << "ours are about to wrap";
  const std::string text = letters(50000);
  std::string received;
  std::string sent;
  write(world, connection, text);
  for (std::size_t i = 0; i < text.size(); i += 1000) {
    peer.timestamp_value += 1;
    peer.send_next("A", std::string_view(text).substr(i, 1000));
    received += read_all(world, connection);
    world.advance(milliseconds(1));
    for (const auto& answer : peer.receive_all()) {
      if (answer.sequence() != peer.expected || answer.payload.empty()) continue;
      sent += answer.payload;
      peer.expected += static_cast<std::uint32_t>(answer.payload.size());
    }
  }
  for (int i = 0; i < 50 && sent.size() < text.size(); ++i) {
    peer.send_next("A");
    for (const auto& answer : peer.receive_all()) {
      if (answer.sequence() != peer.expected || answer.payload.empty()) continue;
      sent += answer.payload;
      peer.expected += static_cast<std::uint32_t>(answer.payload.size());
    }
  }
  EXPECT_EQ(received, text);
  EXPECT_EQ(sent, text);
  EXPECT_EQ(connection.info().bytes_retransmitted, 0U);
}

}  // namespace
}  // namespace transom::test
