// Keep-alives: RFC 9293 §3.8.4; RFC 2525 §2.9, §2.11.
#include "tests/conformance/conversation.h"

namespace transom::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class TcpKeepAlive : public ::testing::Test {
 protected:
  void turn_on(std::uint32_t idle = 7200, std::uint32_t interval = 75, std::uint8_t count = 9) {
    talk.set([&](tcp::Options& options) {
      options.keep_alive = true;
      options.keep_idle = idle;
      options.keep_interval = interval;
      options.keep_count = count;
    });
  }
  // Seconds from now until the host sends something, or more than `limit`.
  int seconds_until_probe(int limit) {
    for (int i = 1; i <= limit; ++i) {
      world.advance(seconds(1));
      if (!world.host().transmit_queue(world.link()).empty()) return i;
    }
    return limit + 1;
  }

  Conversation talk;
  HostUnderTest& world = talk.world;
  ScriptedPeer& peer = talk.peer;
};

TEST_F(TcpKeepAlive, IsOffByDefault) {  // MUST-25
  world.advance(hours(30));
  peer.expect_silence();
  EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished);
}

TEST_F(TcpKeepAlive, IsSwitchedForEachConnection) {  // MUST-24, MAY-5
  ScriptedPeer other(world, 4001, 80);
  auto& silent = other.connect_to(talk.listener);
  turn_on(10);
  world.advance(seconds(11));
  const auto first = world.take();
  ASSERT_GE(first.size(), 40U);
  EXPECT_EQ(first[22] << 8 | first[23], 4000) << "to the one";
  world.advance(seconds(60));
  EXPECT_TRUE(world.take().empty());
  EXPECT_EQ(silent.state(), tcp::State::kEstablished);
  talk.set([](tcp::Options& options) { options.keep_alive = false; });
  world.advance(hours(3));
  EXPECT_TRUE(world.take().empty()) << "and off again";
}

TEST_F(TcpKeepAlive,
       ProbesAfterTwoHoursByDefaultWithAnEmptySegmentBelowTheWindow) {  // MUST-28, SHLD-12, MAY-6
  turn_on();
  EXPECT_EQ(seconds_until_probe(8000), 7200);
  const Answer probe = peer.expect("A");
  EXPECT_EQ(probe.sequence(), peer.expected - 1);
  EXPECT_EQ(probe.acknowledgment(), peer.next);
  EXPECT_TRUE(probe.payload.empty());
}

TEST_F(TcpKeepAlive, IntervalIsTheUsers) {  // MUST-27
  turn_on(10);
  EXPECT_EQ(seconds_until_probe(20), 10);
}

TEST_F(TcpKeepAlive, IsSentOnlyWhenNothingCameForTheInterval) {  // MUST-26
  turn_on(10);
  for (int i = 0; i < 20; ++i) {
    world.advance(seconds(9));
    peer.send_next("PA", "x");
    for (const auto& answer : talk.settle())
      EXPECT_EQ(answer.sequence(), peer.expected) << "an ACK, no probe";
  }
  EXPECT_EQ(seconds_until_probe(20), 10);
}

TEST_F(TcpKeepAlive, IsNotSentWhileDataIsOutstanding) {  // MUST-26
  turn_on(10, 1, 3);
  talk.write("in flight");
  peer.receive_all();
  for (int i = 0; i < 60; ++i) {
    world.advance(seconds(1));
    for (const auto& answer : peer.receive_all())
      EXPECT_EQ(answer.payload, "in flight") << "a retransmission, no probe";
  }
  EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished) << "retransmission decides";
}

TEST_F(TcpKeepAlive, OneSilenceIsNoProofOfDeath) {  // MUST-29
  turn_on(10, 5, 3);
  EXPECT_EQ(seconds_until_probe(20), 10);
  peer.expect("A");  // is lost
  EXPECT_EQ(seconds_until_probe(20), 5);
  peer.expect("A");
  talk.acknowledge(peer.expected);
  EXPECT_EQ(seconds_until_probe(20), 10) << "it lives: from the beginning";
  EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished);
}

TEST_F(TcpKeepAlive, OnlySoManySilencesInARowEndIt) {  // MUST-29, R2525-09
  turn_on(10, 5, 3);
  for (const int expected : {10, 5, 5}) {
    EXPECT_EQ(seconds_until_probe(20), expected);
    peer.expect("A");
    EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished);
  }
  world.advance(seconds(6));
  EXPECT_EQ(talk.connection.state(), tcp::State::kClosed);
  EXPECT_EQ(talk.connection.take_error(), Error::kTimedOut);
}

TEST_F(TcpKeepAlive, TakesMinutesToGiveUpByDefault) {  // R2525-09, R2525-11
  turn_on();
  EXPECT_EQ(seconds_until_probe(8000), 7200);
  peer.receive_all();
  for (int probe = 2; probe <= 9; ++probe) {
    EXPECT_EQ(seconds_until_probe(100), 75) << "never back to back";
    peer.receive_all();
  }
  EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished);
  world.advance(seconds(80));
  EXPECT_EQ(talk.connection.state(), tcp::State::kClosed);
}

TEST_F(TcpKeepAlive, OfThePeerIsAnswered) {  // SHLD-12: what the other side of it needs
  for (const std::string_view garbage : {"", "g"}) {
    peer.send({.flags = "A", .sequence = peer.next - 1, .acknowledgment = peer.expected, .payload = garbage});
    EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
    EXPECT_EQ(talk.read(), "");
  }
}

}  // namespace
}  // namespace transom::test
