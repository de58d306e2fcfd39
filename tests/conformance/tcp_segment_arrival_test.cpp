// SEGMENT ARRIVES in every synchronised state, check by check: RFC 9293 §3.10.7.4; RFC 5961 §3 to §5.
#include "tests/conformance/conversation.h"

namespace transom::test {
namespace {

using enum tcp::State;
using std::chrono::seconds;

class InEveryState : public ::testing::TestWithParam<tcp::State> {
 protected:
  InEveryState() { talk.bring_to(GetParam()); }

  bool may_receive() const {
    return GetParam() == kEstablished || GetParam() == kFinWait1 || GetParam() == kFinWait2;
  }
  tcp::State state() const { return talk.connection.state(); }

  Conversation talk;
  ScriptedPeer& peer = talk.peer;
};
INSTANTIATE_TEST_SUITE_P(Synchronised, InEveryState, ::testing::ValuesIn(kSynchronisedStates),
                         [](const auto& state) { return name_of(state.param); });

TEST_P(InEveryState, DataBelowTheWindowIsAnsweredWithAnAckThatSaysWhatIsExpected) {  // R9293-05
  peer.send({.flags = "A", .sequence = peer.next - 5, .acknowledgment = peer.expected, .payload = "again"});
  const Answer answer = peer.expect("A");
  EXPECT_EQ(answer.acknowledgment(), peer.next);
  EXPECT_EQ(answer.sequence(), talk.connection.send_next().value());
  EXPECT_EQ(state(), GetParam());
  EXPECT_EQ(talk.read(), "");
}

TEST_P(InEveryState, DataBeyondTheWindowIsAnsweredWithAnAckAndNotTaken) {  // R9293-04, R9293-05
  const std::uint32_t beyond = talk.receive_window();
  talk.send_at(beyond, "too far");
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  EXPECT_EQ(talk.read(), "");
}

TEST_P(InEveryState, AResetOutsideOfTheWindowIsNotAnswered) {  // R9293-04, R5961-01, R9293-12
  const std::uint32_t window = talk.receive_window();
  for (const std::uint32_t sequence : {peer.next - 1, peer.next + window, peer.next + 0x80000000U}) {
    peer.send({.flags = "R", .sequence = sequence});
    peer.send({.flags = "RA", .sequence = sequence, .acknowledgment = peer.expected});
  }
  peer.expect_silence();
  EXPECT_EQ(state(), GetParam());
}

TEST_P(InEveryState, AResetInTheWindowButNotAtItsEdgeDrawsAChallengeAck) {  // R5961-01
  peer.send({.flags = "R", .sequence = peer.next + 1});
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  EXPECT_EQ(state(), GetParam());
}

TEST_P(InEveryState, AResetAtTheEdgeOfTheWindowEndsIt) {  // R5961-01, R9293-12
  peer.send({.flags = "R", .sequence = peer.next});
  peer.expect_silence();
  EXPECT_EQ(state(), kClosed);
  EXPECT_EQ(talk.world.host().tcp().connection_count(), 0U);
}

TEST_P(InEveryState, ASynDrawsAChallengeAckWhateverItsNumber) {  // R5961-02
  for (const std::uint32_t sequence : {peer.next, peer.next - 1, peer.next + 1, peer.next + 0x40000000U}) {
    talk.world.advance(seconds(2));
    peer.receive_all();
    peer.send({.flags = "S", .sequence = sequence});
    const Answer answer = peer.expect("A");
    EXPECT_EQ(answer.acknowledgment(), peer.next);
    EXPECT_EQ(answer.sequence(), talk.connection.send_next().value());
    EXPECT_EQ(state(), GetParam());
  }
}

TEST_P(InEveryState, ASegmentWithoutAckIsDropped) {  // R9293-09
  peer.send({.flags = "P", .sequence = peer.next, .payload = "no ack"});
  peer.send({.flags = "F", .sequence = peer.next});
  peer.expect_silence();
  EXPECT_EQ(state(), GetParam());
  EXPECT_EQ(talk.read(), "");
}

TEST_P(InEveryState, AnAckOfWhatWasNeverSentIsAnsweredAndItsDataNotTaken) {  // R9293-07
  const std::uint32_t beyond = talk.connection.send_next().value() + 1;
  peer.send({.flags = "PA", .sequence = peer.next, .acknowledgment = beyond, .payload = "lies"});
  const Answer answer = peer.expect("A");
  EXPECT_EQ(answer.acknowledgment(), peer.next);
  EXPECT_EQ(state(), GetParam());
  EXPECT_EQ(talk.read(), "");
}

TEST_P(InEveryState,
       AnAckOlderThanTheLargestWindowDrawsAChallengeAckAndItsDataIsNotTaken) {  // R5961-03, MAY-12
  const std::uint32_t una = GetParam() == kFinWait2 ? peer.expected : talk.connection.send_next().value();
  peer.send({.flags = "PA", .sequence = peer.next, .acknowledgment = una - 65535 - 2, .payload = "injected"});
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  EXPECT_EQ(talk.read(), "");
  EXPECT_EQ(state(), GetParam());
}

TEST_P(InEveryState, ADuplicateAckOfTheLastWindowIsIgnored) {  // RFC 9293 §3.10.7.4, fifth check; MAY-12
  peer.send({.flags = "A", .sequence = peer.next, .acknowledgment = peer.expected - 1});
  peer.expect_silence();
  EXPECT_EQ(state(), GetParam());
}

TEST_P(InEveryState,
       DataInTheWindowIsTakenUnlessThePeerHasClosed) {  // R9293-13, RFC 9293 §3.10.7.4, seventh check
  peer.send({.flags = "PA", .sequence = peer.next, .acknowledgment = peer.expected, .payload = "text"});
  EXPECT_EQ(talk.read(), may_receive() ? "text" : "");
}

TEST_P(InEveryState, AFinMovesOnAsTheDiagramSays) {  // R9293-10
  if (!may_receive()) {                              // it has arrived before: again it changes nothing
    peer.send({.flags = "FA", .sequence = peer.next - 1, .acknowledgment = peer.expected});
    EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
    EXPECT_EQ(state(), GetParam());
    return;
  }
  peer.send_next("FA");
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  EXPECT_EQ(state(), GetParam() == kEstablished ? kCloseWait
                     : GetParam() == kFinWait1  ? kClosing
                                                : kTimeWait);
}

TEST_P(InEveryState, ACorruptSegmentChangesNothing) {  // MUST-3
  peer.send({.flags = "R", .sequence = peer.next, .corrupt_checksum = true});
  peer.send(
      {.flags = "FA", .sequence = peer.next, .acknowledgment = peer.expected, .corrupt_checksum = true});
  peer.expect_silence();
  EXPECT_EQ(state(), GetParam());
  EXPECT_EQ(talk.world.counter(Counter::kTcpInCsumErrors), 2U);
}

// ---------------------------------------------------------------- the acceptance test, case by case

// A connection whose receive window is `window`, which the peer has filled to that extent.
class Acceptance : public ::testing::Test {
 protected:
  explicit Acceptance(std::uint32_t buffer = 4096) : talk({.host = {.receive_buffer = buffer}}) {}
  bool is_accepted(std::uint32_t offset, std::string_view text) {
    talk.send_at(offset, text);
    const bool in_window = talk.world.drops(DropReason::kTcpOutOfWindow) == dropped_;
    dropped_ = talk.world.drops(DropReason::kTcpOutOfWindow);
    return in_window;
  }
  void fill() {
    while (talk.receive_window() > 0)
      talk.peer.send_next("A", letters(std::min<std::size_t>(talk.receive_window(), 1000)));
    talk.peer.receive_all();
  }

  Conversation talk;
  ScriptedPeer& peer = talk.peer;

 private:
  std::uint64_t dropped_ = 0;
};

TEST_F(Acceptance, WithoutDataTheSequenceNumberMustLieInTheWindow) {  // R9293-04
  const std::uint32_t window = talk.receive_window();
  EXPECT_TRUE(is_accepted(0, ""));
  EXPECT_TRUE(is_accepted(window - 1, ""));
  EXPECT_TRUE(is_accepted(window, "")) << "where the pure ACKs of a peer stand that has filled the window";
  EXPECT_FALSE(is_accepted(window + 1, ""));
  EXPECT_FALSE(is_accepted(0U - 1, ""));
}

TEST_F(Acceptance, OfDataTheFirstOrTheLastOctetMustLieInTheWindow) {  // R9293-04
  const std::uint32_t window = talk.receive_window();
  EXPECT_TRUE(is_accepted(window - 1, "xy"));
  EXPECT_FALSE(is_accepted(window, "xy"));
  EXPECT_FALSE(is_accepted(0U - 2, "xy"));
  EXPECT_TRUE(is_accepted(0U - 1, "xy"));
}

TEST_F(Acceptance, WithAClosedWindowOnlyAnEmptySegmentAtItsEdgeIsAccepted) {  // R9293-04
  fill();
  EXPECT_TRUE(is_accepted(0, ""));
  EXPECT_FALSE(is_accepted(1, ""));
  EXPECT_FALSE(is_accepted(0U - 1, ""));
}

TEST_F(Acceptance, WithAClosedWindowDataIsAnsweredAndNotTaken) {  // R9293-04, MAY-8
  fill();
  const std::size_t held = talk.connection.readable_octets();
  talk.send_at(0, "probe");
  const Answer answer = peer.expect("A");
  EXPECT_EQ(answer.acknowledgment(), peer.next);
  EXPECT_EQ(answer.header.window, 0);
  EXPECT_EQ(talk.connection.readable_octets(), held);
}

TEST_F(Acceptance, WithAClosedWindowResetAcknowledgmentAndUrgentPointerAreProcessed) {  // MUST-66
  talk.write("unacknowledged");
  peer.receive_all();
  fill();
  talk.acknowledge(peer.expected + 14);
  EXPECT_EQ(talk.connection.unacked_octets(), 0U);
  EXPECT_FALSE(talk.connection.readiness().priority);
  peer.send({.flags = "AU",
             .sequence = peer.next,
             .acknowledgment = peer.expected + 14,
             .payload = "!",
             .urgent_pointer = 1});
  EXPECT_TRUE(talk.connection.readiness().priority);
  peer.send({.flags = "R", .sequence = peer.next});
  EXPECT_EQ(talk.connection.state(), kClosed);
}

TEST_F(Acceptance, WhatExceedsTheWindowIsCutOffAndNotAcknowledged) {  // R9293-06
  const std::uint32_t window = talk.receive_window();
  for (std::uint32_t sent = 0; sent + 1000 <= window; sent += 1000) peer.send_next("A", letters(1000));
  const std::uint32_t left = talk.receive_window();
  ASSERT_LT(left, 1000U);
  peer.receive_all();
  talk.send_at(0, letters(1000));
  EXPECT_EQ(talk.settle().back().acknowledgment(), peer.next + left);
  EXPECT_EQ(talk.read().size(), window);
}

TEST_F(Acceptance, OverlappingSegmentsDeliverEachOctetOnce) {  // R9293-06
  talk.send_at(2, "cdef");
  talk.send_at(0, "abcd");
  talk.send_at(4, "efgh");
  EXPECT_EQ(talk.read(), "abcdefgh");
}

TEST(WindowUpdate, OfAnOlderSegmentIsNotTaken) {  // R9293-08
  Conversation talk;
  ScriptedPeer& peer = talk.peer;
  talk.write(letters(3000));
  const auto sent = peer.receive_all();
  ASSERT_EQ(sent.size(), 3U);
  // Two ACKs of the peer change their order on the way: the later one, with data before it, comes first.
  peer.send(
      {.flags = "A", .sequence = peer.next + 10, .acknowledgment = peer.expected + 3000, .window = 5000});
  EXPECT_EQ(talk.connection.info().send_window, 5000U);
  peer.send({.flags = "A", .sequence = peer.next, .acknowledgment = peer.expected + 3000, .window = 9});
  EXPECT_EQ(talk.connection.info().send_window, 5000U) << "WL1: an older sequence number";
  peer.send({.flags = "A", .sequence = peer.next + 10, .acknowledgment = peer.expected + 2000, .window = 9});
  EXPECT_EQ(talk.connection.info().send_window, 5000U) << "WL2: an older acknowledgment";
  peer.send(
      {.flags = "A", .sequence = peer.next + 10, .acknowledgment = peer.expected + 3000, .window = 7000});
  EXPECT_EQ(talk.connection.info().send_window, 7000U) << "equal numbers count";
}

TEST(WindowUpdate, IsComparedModulo2To32) {  // R9293-08, R9293-15; WL1 compared without wrap is a known bug
  Conversation talk({.irs = 0xfffffff0});
  ScriptedPeer& peer = talk.peer;
  peer.send({.flags = "PA",
             .sequence = peer.next,
             .acknowledgment = peer.expected,
             .window = 4000,
             .payload = letters(30)});
  EXPECT_EQ(talk.connection.info().send_window, 4000U);
  peer.next += 30;  // past zero
  peer.send({.flags = "A", .sequence = peer.next, .acknowledgment = peer.expected, .window = 6000});
  EXPECT_EQ(talk.connection.info().send_window, 6000U);
  peer.send({.flags = "A", .sequence = peer.next - 20, .acknowledgment = peer.expected, .window = 9});
  EXPECT_EQ(talk.connection.info().send_window, 6000U);
}

}  // namespace
}  // namespace transom::test
