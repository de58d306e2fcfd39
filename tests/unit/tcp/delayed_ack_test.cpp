// How long acknowledgments wait: RFC 9293 §3.8.6.3, RFC 5681 §4.2.
#include "stack/tcp/delayed_ack.h"

#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

using namespace std::chrono_literals;
using tcp::DelayedAck;

TEST(DelayedAck, WaitsFortyMillisecondsWhereSegmentsComeClosely) {
  DelayedAck ack;
  for (int i = 0; i < 10; ++i) ack.on_arrival(1ms, 300ms, 2);
  EXPECT_EQ(ack.delay(100ms), 40ms);
}

TEST(DelayedAck, WaitsLongerWhereItWaitedInVain) {
  DelayedAck ack;
  ack.on_expired(1s);
  EXPECT_EQ(ack.delay(1s), 80ms);
  for (int i = 0; i < 10; ++i) ack.on_expired(1s);
  EXPECT_EQ(ack.delay(1s), 200ms) << "never above";
  EXPECT_EQ(ack.delay(70ms), 70ms) << "nor above a round trip";
  EXPECT_EQ(ack.delay(1ms), 40ms);
  for (int i = 0; i < 10; ++i) ack.on_arrival(60ms, 1s, 2);
  EXPECT_LT(ack.delay(1s), 125ms) << "follows the intervals of the segments";
  for (int i = 0; i < 10; ++i) ack.on_arrival(1ms, 1s, 2);
  EXPECT_EQ(ack.delay(1s), 40ms);
}

TEST(DelayedAck, IsQuickAfterDisorderAndAfterAPause) {
  DelayedAck ack;
  ack.on_arrival(10ms, 300ms, 16);
  EXPECT_FALSE(ack.is_quick());
  ack.on_arrival(301ms, 300ms, 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(ack.is_quick()) << i;
    ack.on_sent();
  }
  EXPECT_FALSE(ack.is_quick());
  ack.on_disorder(100);
  for (std::uint32_t i = 0; i < DelayedAck::kMaxQuick; ++i) {
    EXPECT_TRUE(ack.is_quick()) << i;
    ack.on_sent();
  }
  EXPECT_FALSE(ack.is_quick());
}

TEST(DelayedAck, OfAConversationRidesOnTheAnswer) {
  DelayedAck ack;
  ack.go_quick(16);
  ack.on_data_sent(100ms);
  EXPECT_TRUE(ack.is_quick()) << "so late after the last arrival it was no answer";
  ack.on_data_sent(5ms);
  EXPECT_FALSE(ack.is_quick());
  ack.on_expired(1s);
  EXPECT_TRUE(ack.is_quick()) << "there was none";
  EXPECT_EQ(ack.delay(1s), 40ms);
}

class AckPolicy : public ::testing::Test {
 protected:
  AckPolicy() : connection(peer.connect_to(world.listen(80), {.maximum_segment_size = 1000})) {}
  // Until there are no quick acknowledgments left.
  void leave_quick_mode() {
    for (int i = 0; i < 20; ++i) {
      peer.send_next("A", letters(1000));
      world.advance(250ms);
      peer.send_next("A", letters(1000));
      peer.receive_all();
      read_all(world, connection);
    }
    for (int i = 0; i < 40; ++i) {
      world.advance(1ms);
      peer.send_next("A", letters(1000));
      peer.receive_all();
      read_all(world, connection);
    }
    peer.receive_all();
  }
  HostUnderTest world;
  ScriptedPeer peer{world, 4000, 80};
  tcp::Connection& connection;
};

TEST_F(AckPolicy, EverySecondFullSegmentIsAcknowledgedAtOnce) {  // SHLD-19
  leave_quick_mode();
  for (int i = 0; i < 10; ++i) {
    world.advance(1ms);
    peer.send_next("A", letters(1000));
    const bool is_answered_by_one = !peer.receive_all().empty();
    world.advance(1ms);
    peer.send_next("A", letters(1000));
    EXPECT_NE(is_answered_by_one, !peer.receive_all().empty());
  }
}

TEST_F(AckPolicy, AHoleIsReportedAtOnceAndSoIsWhatFollows) {  // RFC 5681 §4.2
  leave_quick_mode();
  const std::uint32_t hole = peer.next;
  peer.next += 1000;
  peer.send_next("A", letters(1000));
  EXPECT_EQ(peer.expect("A").acknowledgment(), hole);
  peer.send({.flags = "A", .sequence = hole, .acknowledgment = peer.expected, .payload = letters(1000)});
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  peer.send_next("A", letters(1000));
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next) << "the peer begins anew: quick acknowledgments";
}

TEST_F(AckPolicy, NothingWaitsLongerThanHalfASecond) {  // MUST-40
  leave_quick_mode();
  for (int i = 0; i < 30; ++i) {
    peer.send_next("A", letters(10));
    world.advance(499ms);
    ASSERT_EQ(peer.receive_all().size(), 1U) << i;
    world.advance(std::chrono::milliseconds(i * 7 % 90));
  }
}

}  // namespace
}  // namespace transom::test
