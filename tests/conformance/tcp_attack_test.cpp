// What attackers off the path and floods may and may not achieve: RFC 5961 §7; RFC 4987.
#include <set>

#include "tests/conformance/conversation.h"

namespace transom::test {
namespace {

using std::chrono::seconds;

TEST(TcpChallengeAck, IsLimitedForEachConnectionAlone) {  // R5961-04
  Conversation talk;
  ScriptedPeer other_peer(talk.world, 4001, 80);
  auto& other = other_peer.connect_to(talk.listener);
  const auto challenges = [&](ScriptedPeer& peer, int attempts) {
    for (int i = 0; i < attempts; ++i) peer.send({.flags = "R", .sequence = peer.next + 100});
    return peer.receive_all().size();
  };
  EXPECT_LE(challenges(talk.peer, 1000), 5U) << "a flood draws a few";
  EXPECT_GE(challenges(other_peer, 1), 1U) << "and takes nothing from another: nobody can count";
  EXPECT_EQ(other.state(), tcp::State::kEstablished);
  talk.world.advance(seconds(2));
  EXPECT_GE(challenges(talk.peer, 1), 1U) << "in the next second there are more";
}

TEST(TcpChallengeAck, LimitIsNotTheSameEachSecond) {  // R5961-04: randomised
  Conversation talk;
  std::set<std::size_t> counts;
  for (int second = 0; second < 50; ++second) {
    for (int i = 0; i < 50; ++i) talk.peer.send({.flags = "R", .sequence = talk.peer.next + 100});
    counts.insert(talk.peer.receive_all().size());
    talk.world.advance(seconds(1));
  }
  EXPECT_GT(counts.size(), 1U);
}

TEST(TcpChallengeAck, DoesNotMakeTwoHostsShoutAtEachOther) {  // R5961-04: an ACK loop ends
  Conversation talk;
  std::size_t answers = 0;
  for (int i = 0; i < 1000; ++i) {  // each of ours is answered by one that is out of the window as well
    talk.peer.send({.flags = "A", .sequence = talk.peer.next - 5, .acknowledgment = talk.peer.expected});
    answers += talk.peer.receive_all().size();
  }
  EXPECT_LE(answers, 5U);
}

class TcpSynFlood : public ::testing::Test {
 protected:
  void flood(int count) {
    for (int i = 0; i < count; ++i) {
      ScriptedPeer attacker(world, static_cast<std::uint16_t>(10000 + i % 50000), 80);
      Script syn{.flags = "S", .sequence = static_cast<std::uint32_t>(i), .options = modern_options()};
      syn.source = IpAddress::v4(10, 0, 0, static_cast<std::uint8_t>(100 + i / 50000));
      attacker.send(syn);
      while (!world.take().empty()) {
      }
    }
  }
  HostUnderTest world;
  tcp::Listener& listener = world.listen(80, {}, 8);
};

TEST_F(TcpSynFlood, OfAHundredThousandKeepsNoMoreThanTheBacklogAndLetsOthersIn) {  // R4987-01
  flood(100000);
  EXPECT_LE(world.host().tcp().half_open_count(), 8U);
  ScriptedPeer peer(world, 4000, 80);
  auto& connection = peer.connect_to(listener, modern_options());
  EXPECT_TRUE(connection.info().sack);
  EXPECT_TRUE(connection.info().timestamps);
  EXPECT_EQ(connection.info().send_scale, 7);
  peer.send_next("PA", "hello");
  EXPECT_EQ(read_all(world, connection), "hello");
}

TEST_F(TcpSynFlood, CookieIsCheckedAndExpires) {  // R4987-02
  flood(100);
  const auto answer_of = [&](ScriptedPeer& peer) {
    peer.send({.flags = "S", .sequence = 1000, .options = modern_options()});
    return peer.expect("SA");
  };
  ScriptedPeer forger(world, 4000, 80);
  const Answer cookie = answer_of(forger);
  const auto acknowledge = [&](std::uint32_t number) {
    Script ack{.flags = "A", .sequence = 1001, .acknowledgment = number};
    ack.options.timestamps = wire::TcpTimestamps{100, cookie.header.options.timestamps->value};
    forger.send(ack);
  };
  acknowledge(cookie.sequence() + 2);
  forger.expect("R");
  acknowledge(0x12345678);
  forger.expect("R");
  ScriptedPeer thief(world, 4001, 80);
  thief.send({.flags = "A", .sequence = 1001, .acknowledgment = cookie.sequence() + 1});
  thief.expect("R");  // it was made for another
  EXPECT_FALSE(world.with([&] { return listener.accept(); }));
  world.advance(seconds(300));
  flood(100);  // so that cookies are believed at all
  acknowledge(cookie.sequence() + 1);
  forger.expect("R");
  EXPECT_FALSE(world.with([&] { return listener.accept(); }));
}

}  // namespace
}  // namespace transom::test
