// Flow control from both sides: RFC 9293 §3.8.6; RFC 7323 §2; RFC 2525 §2.12.
#include "stack/base/random.h"
#include "tests/conformance/conversation.h"

namespace transom::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// ---------------------------------------------------------------- the window that is offered

// The right edge of the window in what the host sends: it must not move to the left.
class RightEdge {
 public:
  explicit RightEdge(int scale) : scale_(scale) {}
  void look_at(const std::vector<Answer>& answers) {
    for (const Answer& answer : answers) {
      if (answer.header.flags.syn || answer.header.flags.rst) continue;
      const SeqNum edge = answer.header.acknowledgment + (std::uint32_t{answer.header.window} << scale_);
      if (seen_) {
        EXPECT_GE(edge - edge_, 0) << "moved left by " << edge_ - edge;
      }
      edge_ = edge;
      seen_ = true;
    }
  }

 private:
  int scale_;
  SeqNum edge_;
  bool seen_ = false;
};

class TcpOfferedWindow : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Tcp, TcpOfferedWindow, ::testing::Values(0, 2, 7),
                         ::testing::PrintToStringParamName());

TEST_P(TcpOfferedWindow, NeverShrinksWhateverIsSentReadOrSet) {  // SHLD-14, R7323-03
  const int scale = GetParam();
  wire::TcpOptions options = modern_options();
  if (scale == 0) options.window_scale.reset();
  const std::uint32_t buffer = scale == 0 ? 60000 : 65535U << (scale - 1);
  Conversation talk({.peer = options, .host = {.receive_buffer = buffer}});
  RightEdge edge(talk.connection.info().receive_scale);
  Random random(seed_from_number(7));
  std::vector<std::uint8_t> out(20000);
  for (int step = 0; step < 3000; ++step) {
    const std::uint32_t window = talk.receive_window();
    switch (random.below(8)) {
      case 0:
        talk.world.with(
            [&] { (void)talk.connection.receive(MutableBytes(out).first(1 + random.below(20000))); });
        break;
      case 1:
        talk.world.advance(milliseconds(50));
        break;
      case 2:
        talk.set([&](tcp::Options& all) {
          all.receive_buffer = static_cast<std::uint32_t>(2000 + random.below(buffer));
        });
        break;
      default:
        if (window > 0) {
          const auto size = static_cast<std::size_t>(1 + random.below(std::min(window, 1400U)));
          talk.peer.send_next("A", letters(size));
        }
    }
    edge.look_at(talk.peer.receive_all());
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(TcpWindowOffer,
     IsZeroAndNothingElseWhereMoreIsHeldThanTheBufferTakes) {  // an underflow into the flags is a known bug
  Conversation talk({.host = {.receive_buffer = 60000}});
  const std::uint32_t offered = talk.receive_window();
  for (std::uint32_t sent = 0; sent < offered; sent += 1000)
    talk.peer.send_next("A", letters(std::min(offered - sent, 1000U)));
  (void)talk.settle();
  talk.set([](tcp::Options& options) { options.receive_buffer = 4000; });
  talk.send_at(0, "probe");
  const Answer answer = talk.peer.expect("A");
  EXPECT_EQ(answer.header.window, 0);
  EXPECT_EQ(answer.header.urgent_pointer, 0);
}

TEST(TcpWindowOffer, AcceptsAllThatWasEverOffered) {  // R7323-04, SHLD-14
  Conversation talk({.host = {.receive_buffer = 60000}});
  const std::uint32_t offered = talk.receive_window();
  talk.set([](tcp::Options& options) { options.receive_buffer = 4000; });
  for (std::uint32_t sent = 0; sent < offered; sent += 1000)
    talk.peer.send_next("A", letters(std::min(offered - sent, 1000U)));
  EXPECT_EQ(talk.read().size(), offered);
}

TEST(TcpWindowOffer, IsKeptInOctetsAndShiftedOnTheWireOnly) {  // R7323-03
  Conversation talk({.peer = modern_options(), .host = {.receive_buffer = 1 << 20}});
  const auto scale = talk.connection.info().receive_scale;
  ASSERT_GT(scale, 0);
  for (const std::size_t size : {1U, 777U, 1000U, 333U}) {
    talk.peer.send_next("PA", letters(size));
    const auto answers = talk.settle();
    ASSERT_FALSE(answers.empty());
    const std::uint32_t on_the_wire = std::uint32_t{answers.back().header.window} << scale;
    EXPECT_EQ(on_the_wire, talk.receive_window());
  }
}

TEST(TcpWindowOffer, ReopensOnlyWhenThatIsWorthASegment) {  // MUST-39
  Conversation talk({.host = {.receive_buffer = 20000}});
  while (talk.receive_window() > 0) talk.peer.send_next("A", letters(std::min(talk.receive_window(), 1000U)));
  (void)talk.settle();
  std::array<std::uint8_t, 1> one;
  std::size_t read = 0;
  std::optional<Answer> update;
  while (!update && read < 20000) {
    talk.world.with([&] { return talk.connection.receive(one); });
    ++read;
    update = talk.peer.receive();
  }
  ASSERT_TRUE(update);
  EXPECT_GE(read, 1460U) << "min(half the buffer, our MSS)";
  EXPECT_GE(update->header.window, 1460);
}

TEST(TcpWindowOffer, ShowsNoSliverToAProbe) {  // MUST-39
  Conversation talk({.host = {.receive_buffer = 20000}});
  while (talk.receive_window() > 0) talk.peer.send_next("A", letters(std::min(talk.receive_window(), 1000U)));
  (void)talk.settle();
  std::array<std::uint8_t, 700> some;
  talk.world.with([&] { return talk.connection.receive(some); });
  talk.send_at(0, "?");
  EXPECT_EQ(talk.peer.expect("A").header.window, 0);
}

TEST(TcpWindowOffer, MayStayClosedForEverWhileProbesAreAnswered) {  // MAY-8
  Conversation talk({.host = {.receive_buffer = 4096}});
  while (talk.receive_window() > 0) talk.peer.send_next("A", letters(std::min(talk.receive_window(), 1000U)));
  (void)talk.settle();
  for (int i = 0; i < 100; ++i) {
    talk.world.advance(minutes(1));
    talk.send_at(0, "?");
    const Answer answer = talk.peer.expect("A");
    EXPECT_EQ(answer.header.window, 0);
    EXPECT_EQ(answer.acknowledgment(), talk.peer.next);
  }
  EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished);
}

// ---------------------------------------------------------------- the window of the peer shrinks

class TcpShrunkenWindow : public ::testing::Test {
 protected:
  // Nine segments are in flight, and only `window` octets of them are wanted any more.
  void shrink_to(std::uint32_t window) {
    talk.write(letters(9000));
    ASSERT_EQ(peer.receive_all().size(), 9U);
    talk.acknowledge(peer.expected, window);
  }
  Conversation talk;
  ScriptedPeer& peer = talk.peer;
};

TEST_F(TcpShrunkenWindow, GetsNoNewData) {  // MUST-34, SHLD-15
  shrink_to(4500);
  talk.write(letters(9000));
  peer.expect_silence();
  talk.acknowledge(peer.expected + 2000, 2500);
  peer.expect_silence();
  const std::uint32_t limit = peer.expected + 4500;
  for (const auto& answer : talk.settle(seconds(10))) {
    const SeqNum end = SeqNum(answer.sequence()) + static_cast<std::uint32_t>(answer.payload.size());
    EXPECT_LE(end - SeqNum(limit), 0) << "nothing beyond the new edge";
  }
  EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished);
}

TEST_F(TcpShrunkenWindow, StillGetsOldDataInsideOfItAgain) {  // SHLD-16, MAY-7
  shrink_to(4500);
  const auto again = talk.settle(seconds(5));
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again[0].sequence(), peer.expected);
  EXPECT_EQ(again[0].payload, letters(9000).substr(0, 1000));
}

TEST_F(TcpShrunkenWindow, IsNoReasonToGiveUpWhileThePeerAnswers) {  // SHLD-17
  shrink_to(0);
  const Instant begin = talk.world.now();
  while (talk.world.now() - begin < hours(2)) {
    talk.world.advance(seconds(30));
    for (const auto& answer : peer.receive_all()) {
      (void)answer;
      talk.acknowledge(peer.expected, 0);
    }
    ASSERT_EQ(talk.connection.state(), tcp::State::kEstablished);
  }
  talk.acknowledge(peer.expected, 65535);
  std::string text;
  for (int i = 0; i < 20 && text.size() < 9000; ++i) {
    for (const auto& answer : talk.settle(seconds(130))) {
      if (answer.sequence() != peer.expected) continue;
      text += answer.payload;
      peer.expected += static_cast<std::uint32_t>(answer.payload.size());
      talk.acknowledge(peer.expected);
    }
  }
  EXPECT_EQ(text, letters(9000));
}

TEST_F(TcpShrunkenWindow, IsProbedWhenItIsClosed) {  // MUST-35
  shrink_to(0);
  EXPECT_FALSE(talk.settle(seconds(5)).empty());
}

TEST_F(TcpShrunkenWindow, NeverMakesTheUsableWindowHuge) {  // MUST-34: it is negative, not four billion
  for (std::uint32_t window = 9000; window > 0; window -= 1000) {
    if (window == 9000) {
      shrink_to(8000);
      talk.write(letters(30000));
    } else {
      talk.acknowledge(peer.expected, window - 1000);
    }
    peer.expect_silence();
  }
}

// ---------------------------------------------------------------- the window of the peer is closed

class TcpZeroWindow : public ::testing::Test {
 protected:
  TcpZeroWindow() {
    talk.write(letters(1000));
    (void)talk.settle(milliseconds(100));
    peer.expected += 1000;
    talk.acknowledge(peer.expected, 0);
    talk.write(letters(3000));
  }
  Duration time_until_sent() {
    const Instant begin = talk.world.now();
    while (talk.world.host().transmit_queue(talk.world.link()).empty() &&
           talk.world.now() - begin < minutes(10))
      talk.world.advance(milliseconds(1));
    return talk.world.now() - begin;
  }

  Conversation talk;
  ScriptedPeer& peer = talk.peer;
};

TEST_F(TcpZeroWindow, IsProbedFirstAfterOneTimeoutThenAtGrowingIntervals) {  // MUST-36, SHLD-29, SHLD-30
  const Duration rto = talk.connection.info().rto;
  EXPECT_EQ(time_until_sent(), rto);
  Duration expected = rto;
  for (int i = 0; i < 6; ++i) {
    const auto probes = peer.receive_all();
    ASSERT_EQ(probes.size(), 1U);
    EXPECT_TRUE(probes[0].payload.empty()) << "nothing beyond the window";
    talk.acknowledge(peer.expected, 0);
    expected *= 2;
    EXPECT_EQ(time_until_sent(), expected);
  }
}

TEST_F(TcpZeroWindow, ProbeDrawsAnAckFromAnyPeer) {  // MUST-36: it lies outside of the window
  (void)time_until_sent();
  const Answer probe = peer.expect("A");
  EXPECT_EQ(probe.sequence(), peer.expected - 1);
}

TEST_F(TcpZeroWindow, KeepsTheConnectionWhileProbesAreAnswered) {  // MUST-37
  const Instant begin = talk.world.now();
  while (talk.world.now() - begin < hours(5)) {
    talk.world.advance(seconds(20));
    if (!peer.receive_all().empty()) talk.acknowledge(peer.expected, 0);
  }
  EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished);
}

TEST_F(TcpZeroWindow, OfAPeerThatNeverAnswersEndsTheConnection) {  // MUST-20, MUST-37
  talk.world.advance(seconds(100));
  EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished);
  talk.world.advance(hours(1));
  EXPECT_EQ(talk.connection.state(), tcp::State::kClosed);
  EXPECT_EQ(talk.connection.take_error(), Error::kTimedOut);
}

TEST_F(TcpZeroWindow, EndsWhenTheAnswerToAProbeOpensIt) {  // MUST-36, R2525-12: the update itself was lost
  (void)time_until_sent();
  peer.expect("A");
  talk.acknowledge(peer.expected, 65535);
  EXPECT_EQ(payload_of(peer.receive_all()), letters(3000));
}

TEST_F(TcpZeroWindow, IsNoDeadlockWhenAnswersAreLostToo) {  // R2525-12
  for (int i = 0; i < 3; ++i) {
    (void)time_until_sent();
    peer.expect("A");  // the answer is lost
  }
  (void)time_until_sent();
  peer.expect("A");
  talk.acknowledge(peer.expected, 65535);
  EXPECT_EQ(payload_of(peer.receive_all()), letters(3000));
}

TEST_F(TcpZeroWindow, AndDataOfThePeerGetOnTogether) {  // R2525-12: a probe and data cross
  (void)time_until_sent();
  peer.expect("A");
  peer.send_next("PA", "while closed", 0);
  EXPECT_EQ(talk.read(), "while closed");
  EXPECT_EQ(talk.settle().back().acknowledgment(), peer.next);
  peer.send_next("PA", "and open", 65535);
  EXPECT_EQ(payload_of(talk.settle()), letters(3000));
}

// ---------------------------------------------------------------- silly windows

TEST(TcpSillyWindow, IsNotFollowedByASender) {  // MUST-38
  Conversation talk;
  talk.grow_window(20);
  talk.acknowledge(talk.peer.expected, 0);
  talk.write(letters(5000));
  for (std::uint32_t window = 1; window < 1000; ++window) talk.acknowledge(talk.peer.expected, window);
  talk.peer.expect_silence();
  talk.acknowledge(talk.peer.expected, 1000);
  EXPECT_EQ(payload_of(talk.peer.receive_all()).size(), 1000U) << "a full segment";
}

TEST(TcpSillyWindow, IsUsedFromHalfTheLargestOn) {  // MUST-38: for peers with tiny buffers
  Conversation talk({.window = 600});
  talk.write(letters(600));
  (void)talk.peer.receive_all();
  talk.peer.expected += 600;
  talk.acknowledge(talk.peer.expected, 0);
  talk.write(letters(5000));
  talk.acknowledge(talk.peer.expected, 299);
  talk.peer.expect_silence();
  talk.acknowledge(talk.peer.expected, 300);
  EXPECT_EQ(payload_of(talk.peer.receive_all()).size(), 300U);
}

TEST(TcpSillyWindow, IsUsedInTheEndAnyhow) {  // MUST-38: the override timer
  Conversation talk;
  talk.grow_window(20);
  talk.acknowledge(talk.peer.expected, 0);
  talk.write(letters(5000));
  talk.acknowledge(talk.peer.expected, 700);
  talk.peer.expect_silence();
  EXPECT_EQ(payload_of(talk.settle(talk.connection.info().rto + milliseconds(5))).size(), 700U);
}

TEST(TcpSillyWindow,
     IsNoStallWithSuperSegments) {  // a send stall with SWS avoidance on super-frames is a known bug
  Conversation talk({.peer = modern_options(1460)});
  std::size_t received = 0;
  talk.write(letters(4000000));
  for (int round = 0; round < 2000 && received < 4000000; ++round) {
    received += payload_of(talk.acknowledge_all(milliseconds(20))).size();
    ++talk.peer.timestamp_value;
  }
  EXPECT_EQ(received, 4000000U);
}

}  // namespace
}  // namespace transom::test
