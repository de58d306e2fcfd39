// The retransmission timer and giving up: RFC 9293 §3.8.1, §3.8.3; RFC 6298; RFC 2525 §2.7, §2.10, §2.14.
#include "tests/conformance/conversation.h"
#include "tests/support/two_hosts.h"

namespace transom::test {
namespace {

using std::chrono::duration_cast;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// The timer wheel of the host turns in steps of about a millisecond.
void expect_about(Duration time, Duration expected) {
  EXPECT_GE(time, expected - milliseconds(2));
  EXPECT_LE(time, expected + milliseconds(2));
}

// How long the host takes to send something.
Duration time_until_sent(HostUnderTest& world, Duration limit = minutes(5)) {
  const Instant begin = world.now();
  while (world.host().transmit_queue(world.link()).empty() && world.now() - begin < limit)
    world.advance(std::min(std::max(world.host().next_deadline() - world.now(), Duration(milliseconds(1))),
                           Duration(seconds(10))));
  return world.now() - begin;
}

// A peer that answers each segment after `rtt`, so that the host has measured it.
void measure(Conversation& talk, Duration rtt, int samples = 30) {
  for (int i = 0; i < samples; ++i) {
    talk.write("x");
    (void)talk.acknowledge_all(rtt);
  }
}

// ---------------------------------------------------------------- the timeout

TEST(TcpTimeout, IsOneSecondBeforeAnythingIsMeasured) {  // R6298-01, R2525-07
  HostUnderTest world;
  ScriptedPeer peer(world, 80, 5000);
  begin_to_connect(world, peer);
  peer.expect("S");
  expect_about(time_until_sent(world), seconds(1));
}

TEST(TcpTimeout, FollowsTheFirstMeasurement) {  // R6298-01: SRTT = R, RTTVAR = R/2, RTO = SRTT + 4 RTTVAR
  HostUnderTest world;
  ScriptedPeer peer(world, 80, 5000);
  auto& connection = begin_to_connect(world, peer);
  const Answer syn = peer.expect("S");
  world.advance(milliseconds(400));
  peer.send({.flags = "SA", .sequence = 1, .acknowledgment = syn.sequence() + 1});
  EXPECT_EQ(connection.info().srtt, milliseconds(400));
  EXPECT_EQ(connection.info().rttvar, milliseconds(200));
  EXPECT_EQ(connection.info().rto, milliseconds(1200));
  peer.receive_all();
  write(world, connection, "x");
  peer.expect("PA");
  expect_about(time_until_sent(world), milliseconds(1200));
}

TEST(TcpTimeout, FollowsEachFurtherMeasurement) {  // R6298-01, MUST-18: alpha 1/8, beta 1/4
  HostUnderTest world;
  ScriptedPeer peer(world, 80, 5000);
  auto& connection = begin_to_connect(world, peer);
  peer.expected = peer.expect("S").sequence() + 1;
  double srtt = 400;
  double rttvar = 200;
  world.advance(milliseconds(400));
  peer.send({.flags = "SA", .sequence = 1, .acknowledgment = peer.expected});
  for (const int sample : {300, 500, 450, 100, 380}) {
    peer.receive_all();
    write(world, connection, "x");
    peer.expect("PA");
    world.advance(milliseconds(sample));
    peer.send({.flags = "A", .sequence = 2, .acknowledgment = ++peer.expected});
    rttvar += (std::abs(sample - srtt) - rttvar) / 4;
    srtt += (sample - srtt) / 8;
    const auto info = connection.info();
    EXPECT_NEAR(static_cast<double>(duration_cast<std::chrono::microseconds>(info.srtt).count()), srtt * 1000,
                2);
    EXPECT_NEAR(static_cast<double>(duration_cast<std::chrono::microseconds>(info.rttvar).count()),
                rttvar * 1000, 2);
    EXPECT_NEAR(static_cast<double>(duration_cast<std::chrono::microseconds>(info.rto).count()),
                (srtt + 4 * rttvar) * 1000, 10);
  }
}

TEST(TcpTimeout, HasAFloorThatIsConfigured) {  // R6298-02
  for (const auto floor : {milliseconds(200), milliseconds(1000)}) {
    HostConfig config;
    config.tcp.min_rto = floor;
    Conversation talk({.config = config});
    measure(talk, milliseconds(1));
    const auto info = talk.connection.info();
    EXPECT_LT(4 * info.rttvar, floor);
    EXPECT_EQ(info.rto, info.srtt + floor);
    talk.write("x");
    talk.peer.receive_all();
    expect_about(time_until_sent(talk.world), info.rto);
  }
}

TEST(TcpTimeout, TakesNoSampleFromWhatWasSentTwice) {  // MUST-18 (Karn), R6298-01
  Conversation talk;
  measure(talk, milliseconds(50));
  const Duration srtt = talk.connection.info().srtt;
  talk.write("x");
  talk.peer.receive_all();
  talk.world.advance(seconds(2));
  ASSERT_FALSE(talk.peer.receive_all().empty());
  talk.acknowledge(++talk.peer.expected);
  EXPECT_EQ(talk.connection.info().srtt, srtt) << "of which transmission was that?";
}

TEST(TcpTimeout, StaysBackedOffUntilSomethingIsMeasured) {  // R2525-10, MUST-18, R6298-03
  Conversation talk;
  measure(talk, milliseconds(50));
  const Duration rto = talk.connection.info().rto;
  talk.write("x");
  talk.peer.receive_all();
  for (int i = 0; i < 2; ++i) {
    (void)time_until_sent(talk.world);
    talk.peer.receive_all();
  }
  talk.acknowledge(++talk.peer.expected);  // of a retransmission: says nothing about time
  EXPECT_EQ(talk.connection.info().rto, 4 * rto);
  talk.write("y");
  talk.peer.receive_all();
  expect_about(time_until_sent(talk.world), 4 * rto);
  talk.peer.receive_all();
  talk.acknowledge(++talk.peer.expected);
  talk.write("z");
  talk.peer.receive_all();
  talk.world.advance(milliseconds(50));
  talk.acknowledge(++talk.peer.expected);  // this is a sample
  EXPECT_LT(talk.connection.info().rto, 2 * rto);
}

TEST(TcpTimeout, IsThreeSecondsWhereTheSynWasLost) {  // R6298-04
  HostUnderTest world;
  ScriptedPeer peer(world, 80, 5000);
  auto& connection = begin_to_connect(world, peer);
  peer.expect("S");
  expect_about(time_until_sent(world), seconds(1));
  const Answer again = peer.expect("S");
  peer.send({.flags = "SA", .sequence = 1, .acknowledgment = again.sequence() + 1});
  peer.expect("A");
  write(world, connection, "x");
  peer.expect("PA");
  expect_about(time_until_sent(world), seconds(3));
}

// ---------------------------------------------------------------- the timer

class TcpTimer : public ::testing::Test {
 protected:
  TcpTimer() { measure(talk, milliseconds(100)); }
  Duration rto() const { return talk.connection.info().rto; }

  Conversation talk;
  HostUnderTest& world = talk.world;
  ScriptedPeer& peer = talk.peer;
};

TEST_F(TcpTimer, StartsWithWhatIsSentFirst) {  // R6298-03 (5.1)
  talk.write(letters(1000));
  peer.receive_all();
  world.advance(rto() / 2);
  talk.write(letters(1000));
  ASSERT_EQ(peer.receive_all().size(), 1U);
  const Duration expected = rto() - rto() / 2;
  expect_about(time_until_sent(world), expected);  // what is sent later does not restart it
}

TEST_F(TcpTimer, RestartsWhenNewDataIsAcknowledged) {  // R6298-03 (5.3)
  talk.write(letters(3000));
  peer.receive_all();
  const Duration whole = rto();
  world.advance(whole * 3 / 4);
  talk.acknowledge(peer.expected + 1000);
  const Duration expected = rto();
  expect_about(time_until_sent(world), expected);
}

TEST_F(TcpTimer, DoesNotRestartWhenNothingNewIsAcknowledged) {  // R6298-03 (5.3)
  talk.write(letters(3000));
  peer.receive_all();
  world.advance(rto() / 2);
  talk.acknowledge(peer.expected);
  const Duration expected = rto() - rto() / 2;
  expect_about(time_until_sent(world), expected);
}

TEST_F(TcpTimer, StopsWhenAllIsAcknowledged) {  // R6298-03 (5.2)
  talk.write(letters(3000));
  talk.acknowledge_all();
  world.advance(hours(1));
  peer.expect_silence();
}

TEST_F(TcpTimer, DoublesEachTimeUpToTwoMinutes) {  // R6298-03 (5.5), MUST-19
  talk.write("x");
  peer.receive_all();
  Duration expected = rto();
  expect_about(time_until_sent(world), expected);
  peer.receive_all();
  for (int i = 0; i < 8; ++i) {
    expected = std::min<Duration>(2 * expected, seconds(120));
    expect_about(time_until_sent(world), expected);
    EXPECT_EQ(peer.receive_all().size(), 1U);
  }
}

TEST_F(TcpTimer, SendsTheOneSegmentThatIsMissingFirst) {  // R6298-03 (5.4), R2525-14, R2525-02
  talk.grow_window(20);
  talk.write(letters(10000));
  ASSERT_EQ(peer.receive_all().size(), 10U);
  (void)time_until_sent(world);
  const auto again = peer.receive_all();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].sequence(), peer.expected);
  EXPECT_EQ(again[0].payload, letters(10000).substr(0, 1000));
}

// ---------------------------------------------------------------- giving up

TEST(TcpGivingUp, SynsAreSentAgainAtDoublingIntervalsForThreeMinutesAtLeast) {  // MUST-22, MUST-23
  HostUnderTest world;
  ScriptedPeer peer(world, 80, 5000);
  auto& connection = begin_to_connect(world, peer);
  const Instant begin = world.now();
  const std::uint32_t number = peer.expect("S").sequence();
  for (int interval = 1; interval <= 64; interval *= 2) {
    expect_about(time_until_sent(world), seconds(interval));
    EXPECT_EQ(peer.expect("S").sequence(), number);
  }
  while (connection.state() == tcp::State::kSynSent && world.now() - begin < hours(1))
    world.advance(seconds(1));
  EXPECT_GE(world.now() - begin, minutes(3));
  EXPECT_EQ(connection.take_error(), Error::kTimedOut);
}

TEST(TcpGivingUp, OnDataTakesHundredSecondsAtLeast) {  // MUST-20, SHLD-11
  Conversation talk;
  measure(talk, milliseconds(10));
  talk.write("anyone there?");
  talk.world.advance(seconds(100));
  EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished);
  talk.world.advance(hours(1));
  EXPECT_EQ(talk.connection.state(), tcp::State::kClosed);
  EXPECT_EQ(talk.connection.take_error(), Error::kTimedOut);
}

TEST(TcpGivingUp, TakesAsLongAsTheUserSays) {  // MUST-21
  for (const auto limit : {seconds(5), seconds(60), seconds(3600)}) {
    Conversation talk;
    talk.set([&](tcp::Options& options) {
      options.user_timeout = static_cast<std::uint32_t>(limit.count()) * 1000;
    });
    measure(talk, milliseconds(10));
    talk.write("x");
    talk.world.advance(limit - milliseconds(1));
    EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished);
    talk.world.advance(limit / 2 + seconds(125));  // the timer that finds out may be one back-off late
    EXPECT_EQ(talk.connection.state(), tcp::State::kClosed);
  }
}

TEST(TcpGivingUp, IsNotHastenedByASuccessBefore) {  // MUST-20: what counts is the time without progress
  Conversation talk;
  measure(talk, milliseconds(10));
  for (int i = 0; i < 5; ++i) {
    talk.write("x");
    talk.world.advance(seconds(300));
    (void)talk.peer.receive_all();
    talk.acknowledge(++talk.peer.expected);
    EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished);
  }
}

TEST(TcpGivingUp, NotBeforeThreeRetransmissionsIsTheNeighbourSuspected) {  // MUST-20 (R1), SHLD-10
  std::size_t solicitations = 0;
  std::size_t data = 0;
  bool cut = false;
  const auto lose = [&](const Packet& frame) {
    const Bytes head = frame.head();
    const std::uint32_t type = static_cast<std::uint32_t>(head[12] << 8 | head[13]);
    if (!cut) return false;
    if (type == 0x0806) ++solicitations;
    if (type == 0x0800 && head[6 + 5] == 1) {  // from the left
      ++data;
      if (data <= 3) {
        EXPECT_EQ(solicitations, 0U) << "after " << data << " transmissions";
      }
    }
    return true;
  };
  TwoHosts network({.lose = lose});
  auto* listener = network.with(network.right(), [&] {
    auto hold = network.right().tcp().bind({.local = {TwoHosts::kRight, Port{80}}});
    return *network.right().tcp().listen(*hold, 16, {});
  });
  auto* connection = network.with(network.left(), [&] {
    tcp::PortHold none;
    return *network.left().tcp().connect(none, {TwoHosts::kRight, Port{80}}, {});
  });
  ASSERT_TRUE(network.run([&] { return listener->readiness().readable; }, seconds(5)));
  cut = true;
  const std::string text = "into the void";
  network.with(network.left(), [&] {
    const Bytes bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    (void)connection->send({&bytes, 1});
  });
  (void)network.run([] { return false; }, seconds(30));
  EXPECT_GE(data, 4U);
  EXPECT_GT(solicitations, 0U) << "the neighbour is asked whether it is still there";
}

TEST(TcpGivingUp, BetweenTheThresholdsTheUserSeesTheTrouble) {  // SHLD-9, as Linux: TCP_INFO
  Conversation talk;
  measure(talk, milliseconds(10));
  EXPECT_EQ(talk.connection.info().backoff, 0);
  talk.write("x");
  talk.world.advance(seconds(10));
  EXPECT_GE(talk.connection.info().backoff, 3);
  EXPECT_EQ(talk.connection.info().timer, "on");
  EXPECT_GT(talk.connection.info().bytes_retransmitted, 0U);
}

}  // namespace
}  // namespace transom::test
