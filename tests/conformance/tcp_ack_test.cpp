// When acknowledgments and small segments leave: RFC 9293 §3.7.4, §3.8.6.3, §3.9.1.2, §3.10.7.4; RFC 5681
// §4.2; RFC 2525 §2.13.
#include "tests/conformance/conversation.h"

namespace transom::test {
namespace {

using std::chrono::milliseconds;

class TcpDelayedAck : public ::testing::Test {
 protected:
  TcpDelayedAck() {  // the first segments of a connection are acknowledged at once
    for (int i = 0; i < 40; ++i) {
      peer.send_next("A", letters(1000));
      world.advance(milliseconds(100));
    }
    talk.read();
    (void)talk.settle();
  }
  Conversation talk;
  HostUnderTest& world = talk.world;
  ScriptedPeer& peer = talk.peer;
};

TEST_F(TcpDelayedAck, OfOneSegmentComesWithinHalfASecond) {  // SHLD-18, MUST-40
  peer.send_next("A", letters(1000));
  peer.expect_silence();
  world.advance(milliseconds(499));
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
}

TEST_F(TcpDelayedAck, RidesOnDataThatGoesAnyway) {  // SHLD-18, MUST-58
  peer.send_next("PA", "question");
  talk.write("answer");
  const Answer answer = peer.expect("PA");
  EXPECT_EQ(answer.acknowledgment(), peer.next);
  EXPECT_TRUE(talk.settle().empty());
}

TEST_F(TcpDelayedAck, OfTheSecondFullSegmentLeavesAtOnce) {  // SHLD-19, R2525-13
  for (int i = 0; i < 10; ++i) {
    peer.send_next("A", letters(1000));
    peer.expect_silence();
    peer.send_next("A", letters(1000));
    EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
    talk.read();
  }
}

TEST_F(TcpDelayedAck, OfTwentySegmentsAreTenAtLeast) {  // R2525-13
  std::size_t acks = 0;
  for (int i = 0; i < 20; ++i) {
    peer.send_next("A", letters(1000));
    world.advance(milliseconds(1));
    acks += peer.receive_all().size();
    talk.read();
  }
  EXPECT_GE(acks, 10U);
}

TEST_F(TcpDelayedAck, OfWhatLeavesAHoleIsNotDelayed) {  // R5681-06, MAY-13
  talk.send_at(1000, letters(1000));
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  talk.send_at(2000, letters(10));
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
}

TEST_F(TcpDelayedAck, OfWhatFillsAHoleIsNotDelayed) {  // R5681-06, SHLD-31, MUST-59
  for (std::uint32_t i = 1; i <= 10; ++i) talk.send_at(i * 100, letters(100));
  (void)peer.receive_all();
  talk.send_at(0, letters(100));
  const Answer answer = peer.expect("A");
  EXPECT_EQ(answer.acknowledgment(), peer.next + 1100) << "one for all eleven";
  peer.expect_silence();
}

TEST_F(TcpDelayedAck, OfAFinIsNotDelayed) {  // RFC 9293 §3.10.7.4, eighth check
  peer.send_next("FA");
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
}

TEST_F(TcpDelayedAck, OfABatchIsOneForAll) {  // MUST-58, MUST-59
  world.batch([&] {
    for (int i = 0; i < 20; ++i) peer.send_next("A", letters(1000));
  });
  const auto answers = peer.receive_all();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].acknowledgment(), peer.next);
}

TEST_F(TcpDelayedAck,
       IsNotWantedByAPeerThatSendsTinySegments) {  // SHLD-18: nor is every one of them worth an ACK
  std::size_t acks = 0;
  for (int i = 0; i < 100; ++i) {
    peer.send_next("PA", "x");
    world.advance(milliseconds(1));
    acks += peer.receive_all().size();
  }
  EXPECT_LE(acks, 10U);
}

// ---------------------------------------------------------------- what is sent, and when

class TcpSmallSegments : public ::testing::Test {
 protected:
  Conversation talk;
  ScriptedPeer& peer = talk.peer;
};

TEST_F(TcpSmallSegments, WaitWhileOneIsNotAcknowledged) {  // SHLD-7, SHLD-27
  for (int i = 0; i < 10; ++i) talk.write("x");
  EXPECT_EQ(peer.expect("PA").payload, "x");
  peer.expect_silence();
  talk.acknowledge(++peer.expected);
  EXPECT_EQ(peer.expect("PA").payload, "xxxxxxxxx") << "collapsed into one";
}

TEST_F(TcpSmallSegments, DoNotWaitOnceTheyAreFull) {  // SHLD-7
  talk.write("x");
  peer.expect("PA");
  talk.write(letters(999));
  peer.expect_silence();
  talk.write("y");
  EXPECT_EQ(peer.expect("PA").payload.size(), 1000U);
}

TEST_F(TcpSmallSegments, LeaveAtOnceWhereTheUserSaysSo) {  // MUST-17
  talk.set([](tcp::Options& options) { options.no_delay = true; });
  for (int i = 0; i < 10; ++i) {
    talk.write("x");
    EXPECT_EQ(peer.expect("PA").payload, "x");
  }
  Conversation other;
  for (int i = 0; i < 2; ++i) other.write("x");
  EXPECT_EQ(other.peer.receive_all().size(), 1U) << "for that connection only";
}

TEST_F(TcpSmallSegments, LeaveWhenTheUserChangesHisMind) {  // MUST-17
  talk.write("a");
  peer.expect("PA");
  talk.write("b");
  peer.expect_silence();
  talk.set([](tcp::Options& options) { options.no_delay = true; });
  EXPECT_EQ(peer.expect("PA").payload, "b");
}

TEST_F(TcpSmallSegments, AreNotKeptForEver) {  // MUST-60
  talk.write("lonely");
  EXPECT_EQ(peer.expect("PA").payload, "lonely") << "alone it leaves at once";
  peer.expected += 6;
  talk.acknowledge(peer.expected);
  talk.set([](tcp::Options& options) { options.cork = true; });
  talk.write("corked");
  peer.expect_silence();
  EXPECT_EQ(payload_of(talk.settle(milliseconds(250))), "corked") << "even then";
}

TEST_F(TcpSmallSegments, MayWaitForMoreWhereTheUserSaysSo) {  // MAY-16
  talk.write("head ", {.more = true});
  peer.expect_silence();
  talk.write("body");
  EXPECT_EQ(peer.expect("PA").payload, "head body");
}

TEST_F(TcpSmallSegments, SayPushWhereTheQueueEnds) {  // MUST-61, MAY-15
  talk.write(letters(3500));
  const auto sent = peer.receive_all();
  ASSERT_EQ(sent.size(), 4U);
  for (std::size_t i = 0; i < sent.size(); ++i) EXPECT_EQ(sent[i].header.flags.psh, i == 3);
}

TEST_F(TcpSmallSegments, AreDeliveredWithOrWithoutPush) {  // MAY-17
  peer.send_next("A", "no push, ");
  EXPECT_EQ(talk.read(), "no push, ");
  peer.send_next("PA", "push");
  EXPECT_EQ(talk.read(), "push");
}

}  // namespace
}  // namespace transom::test
