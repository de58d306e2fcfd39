// Half-open connections (RFC 9293 §3.10.7.4 in SYN-RECEIVED, RFC 4987), seen from outside.
#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SynQueue : public ::testing::Test {
 protected:
  static wire::TcpOptions mss() { return {.maximum_segment_size = 1460}; }
  std::size_t half_open() { return world.host().tcp().half_open_count(); }
  // A SYN that is answered.
  Answer begin(ScriptedPeer& peer, const wire::TcpOptions& options = mss()) {
    peer.send({.flags = "S", .sequence = peer.next, .options = options});
    const Answer answer = peer.expect("SA");
    peer.next += 1;
    peer.expected = answer.sequence() + 1;
    return answer;
  }

  HostUnderTest world;
};

TEST_F(SynQueue, KeepsOneRecordHoweverOftenTheSynComes) {
  world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  const Answer first = begin(peer);
  for (int i = 0; i < 5; ++i) {
    peer.send({.flags = "S", .sequence = 1000, .options = mss()});
    EXPECT_EQ(peer.expect("SA").sequence(), first.sequence());
  }
  EXPECT_EQ(half_open(), 1U);
}

TEST_F(SynQueue, RepeatsTheSynAckAfterOneTwoFourSecondsAndSoOn) {
  world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  const Answer first = begin(peer);
  Instant last = first.time;
  for (int wait = 1; wait <= 16; wait *= 2) {
    world.advance(seconds(wait) + milliseconds(1));
    const Answer again = peer.expect("SA");
    EXPECT_EQ(again.sequence(), first.sequence());
    EXPECT_LT(again.time - last - seconds(wait), milliseconds(20));
    last = again.time;
  }
  world.advance(seconds(33));
  peer.expect_silence();
  EXPECT_EQ(half_open(), 0U);
  EXPECT_EQ(world.counter(Counter::kTcpAttemptFails), 1U);
  EXPECT_EQ(world.counter(Counter::kTcpRetransSegs), 5U);
}

TEST_F(SynQueue, EachRecordHasItsOwnClock) {
  world.listen(80);
  ScriptedPeer early(world, 4000, 80), late(world, 4001, 80);
  begin(early);
  world.advance(milliseconds(500));
  begin(late);
  world.advance(milliseconds(600));
  early.expect("SA");
  late.expect_silence();
  world.advance(milliseconds(500));
  late.expect("SA");
}

TEST_F(SynQueue, AnswersANewSynInTheWindowSoThatARestartedPeerCanReset) {  // RFC 5961 §4.2
  world.listen(80);
  for (const std::uint32_t other : {1000U + 500, 1000U + 1000000, 1000U - 77}) {
    ScriptedPeer peer(world, 4000, 80);
    const Answer first = begin(peer);
    peer.send({.flags = "S", .sequence = other, .options = mss()});
    const Answer answer = peer.expect("SA");
    EXPECT_EQ(answer.sequence(), first.sequence());
    EXPECT_EQ(answer.acknowledgment(), 1001U) << "which is wrong for the new SYN";
    peer.send({.flags = "R", .sequence = answer.acknowledgment()});
    EXPECT_EQ(half_open(), 0U);
  }
}

TEST_F(SynQueue, AnAckMustCarryTheTimestampThatWasAgreedOn) {  // RFC 7323 §3.2
  auto& listener = world.listen(80);
  wire::TcpOptions options = mss();
  options.timestamps = wire::TcpTimestamps{100, 0};
  ScriptedPeer peer(world, 4000, 80);
  begin(peer, options);
  peer.send_next(".");
  EXPECT_FALSE(listener.readiness().readable);
  peer.timestamps = true;
  peer.timestamp_value = 100;
  peer.send_next(".");
  EXPECT_TRUE(listener.readiness().readable);
}

TEST_F(SynQueue, ASegmentWithoutAckChangesNothing) {
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  begin(peer);
  peer.send({.flags = "P", .sequence = 1001, .payload = "x"});
  peer.expect_silence();
  EXPECT_EQ(half_open(), 1U);
  EXPECT_FALSE(listener.readiness().readable);
}

TEST_F(SynQueue, WaitsForRoomInTheAcceptQueue) {
  auto& listener = world.listen(80, {}, 0);
  ScriptedPeer first(world, 4000, 80), second(world, 4001, 80);
  begin(first);
  first.send_next(".");
  ASSERT_TRUE(listener.readiness().readable);
  second.send({.flags = "S", .sequence = 1000, .options = mss()});
  second.expect_silence();
  EXPECT_EQ(world.counter(Counter::kTcpExtListenOverflows), 1U);
  EXPECT_EQ(half_open(), 0U);
  EXPECT_TRUE(world.with([&] { return listener.accept(); }));
  begin(second);
  second.send_next(".");
  EXPECT_TRUE(listener.readiness().readable);
}

TEST_F(SynQueue, ClosingTheListenerForgetsItsRecordsAndNoOthers) {
  auto& gone = world.listen(80);
  world.listen(81);
  ScriptedPeer one(world, 4000, 80), two(world, 4001, 80), other(world, 4002, 81);
  begin(one);
  world.advance(milliseconds(1001));
  one.expect("SA");
  begin(two);
  begin(other);
  world.with([&] { gone.close(); });
  EXPECT_EQ(half_open(), 1U);
  one.send_next(".");
  one.expect("R");
  world.advance(milliseconds(1001));
  other.expect("SA");
}

TEST_F(SynQueue, IsBoundedForEachListenerAndForAllTogether) {
  HostConfig config;
  config.tcp.max_half_open = 10;
  config.tcp.syn_cookies = false;
  HostUnderTest small(config);
  small.listen(80, {}, 6);
  small.listen(81, {}, 100);
  for (std::uint16_t i = 0; i < 50; ++i) {
    ScriptedPeer peer(small, static_cast<std::uint16_t>(4000 + i), static_cast<std::uint16_t>(80 + i % 2));
    peer.send({.flags = "S", .sequence = 1000, .options = mss()});
    peer.receive_all();
    ASSERT_LE(small.host().tcp().half_open_count(), 10U);
  }
  EXPECT_EQ(small.host().tcp().half_open_count(), 10U);
  EXPECT_EQ(small.counter(Counter::kTcpExtTCPReqQFullDrop), 40U);
}

}  // namespace
}  // namespace transom::test
