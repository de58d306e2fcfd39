// Losses, how they are found and repaired: RFC 2018, 2883, 3042, 5681 §3.2, 5682, 6582, 6675, 8985, 9937; RFC
// 2525 §2.4, §2.8.
#include "tests/conformance/conversation.h"

namespace transom::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

HostConfig with_reno() {
  HostConfig config;
  config.tcp.congestion_control = "reno";
  return config;
}

wire::TcpOptions with_sack() {
  wire::TcpOptions options;
  options.maximum_segment_size = 1000;
  options.sack_permitted = true;
  return options;
}

// A connection whose congestion window is large, with ten segments of 1000 octets in flight that left at one
// instant.
class Flight {
 public:
  explicit Flight(ConversationOptions options, std::size_t segments = 10) : talk(options) {
    talk.grow_window(40);
    base = peer.expected;
    talk.write(letters(segments * 1000));
    sent = peer.receive_all();
    EXPECT_EQ(sent.size(), segments);
    talk.world.advance(milliseconds(10));  // the round trip
  }
  std::uint32_t at(std::uint32_t segment) const { return base + segment * 1000; }
  wire::SackBlock segments(std::uint32_t from, std::uint32_t to) const { return block(at(from), at(to)); }
  // The numbers of the segments that have been sent since, counted from the first in flight.
  std::vector<std::uint32_t> sent_again() {
    std::vector<std::uint32_t> numbers;
    for (const auto& answer : peer.receive_all()) {
      if (answer.payload.empty()) continue;
      EXPECT_EQ(answer.payload, text_at(answer.sequence() - base, answer.payload.size()))
          << "R2525-04: other octets than before";
      numbers.push_back((answer.sequence() - base) / 1000);
    }
    return numbers;
  }
  std::uint64_t cwnd() const { return talk.connection.info().cwnd; }
  std::uint64_t ssthresh() const { return talk.connection.info().ssthresh; }

  Conversation talk;
  ScriptedPeer& peer = talk.peer;
  std::uint32_t base = 0;
  std::vector<Answer> sent;

 private:
  std::string text_at(std::size_t offset, std::size_t size) {
    if (offset >= 1000 * sent.size())
      return letters(offset - 1000 * sent.size() + size).substr(offset - 1000 * sent.size());
    return letters(1000 * sent.size()).substr(offset, size);
  }
};
using Numbers = std::vector<std::uint32_t>;

// ---------------------------------------------------------------- without SACK

TEST(TcpFastRetransmit, ComesWithTheThirdDuplicateAck) {  // R5681-04
  Flight flight({.config = with_reno()});
  const std::uint64_t before = flight.cwnd();
  for (int i = 0; i < 2; ++i) {
    flight.talk.acknowledge(flight.base);
    EXPECT_TRUE(flight.sent_again().empty());
  }
  flight.talk.acknowledge(flight.base);
  EXPECT_EQ(flight.sent_again(), Numbers{0});
  EXPECT_EQ(flight.ssthresh(), std::max<std::uint64_t>(10000 / 2, 2000)) << "half of what is in flight";
  EXPECT_LT(flight.cwnd(), before);
}

TEST(TcpFastRetransmit, LeavesTheWindowAtSsthreshWhenAllIsRepaired) {  // R5681-04, R2525-08
  Flight flight({.config = with_reno()});
  for (int i = 0; i < 9; ++i) flight.talk.acknowledge(flight.base);
  (void)flight.sent_again();
  flight.talk.acknowledge(flight.at(10));
  EXPECT_EQ(flight.cwnd(), flight.ssthresh());
  flight.talk.write(letters(40000));
  EXPECT_EQ(flight.peer.receive_all().size(), 5U) << "no burst";
}

TEST(TcpFastRetransmit, NeedsDuplicatesThatAreOne) {  // R5681-05
  Flight flight({});
  for (std::uint32_t i = 0; i < 5; ++i) flight.talk.acknowledge(flight.base, 60000 - i);  // window updates
  for (int i = 0; i < 5; ++i) flight.peer.send_next("A", "data", 59996);
  EXPECT_TRUE(flight.sent_again().empty());
  Conversation idle;
  for (int i = 0; i < 5; ++i) idle.acknowledge(idle.peer.expected);
  EXPECT_TRUE(idle.peer.receive_all().empty()) << "nothing is outstanding";
}

TEST(TcpFastRetransmit, OfTwoLossesInOneWindowReducesOnce) {  // R6582-01
  Flight flight({.config = with_reno()});
  for (int i = 0; i < 8; ++i) flight.talk.acknowledge(flight.base);
  EXPECT_EQ(flight.sent_again(), Numbers{0});
  const std::uint64_t ssthresh = flight.ssthresh();
  flight.talk.acknowledge(flight.at(4));  // partial: the fifth is missing as well
  EXPECT_EQ(flight.sent_again().front(), 4U);
  EXPECT_EQ(flight.ssthresh(), ssthresh) << "still the same recovery";
  for (int i = 0; i < 5; ++i) flight.talk.acknowledge(flight.at(4));
  EXPECT_EQ(flight.ssthresh(), ssthresh);
  flight.talk.acknowledge(flight.at(10));
  EXPECT_EQ(flight.ssthresh(), ssthresh);
  EXPECT_LE(flight.cwnd(), ssthresh);
}

TEST(TcpFastRetransmit, IsNotStartedByDuplicatesOfWhatATimeoutSentAgain) {  // R6582-01: the variable recover
  Flight flight({.config = with_reno()});
  flight.talk.world.advance(seconds(1));
  (void)flight.sent_again();
  const std::uint64_t ssthresh = flight.ssthresh();
  for (int i = 0; i < 6; ++i) flight.talk.acknowledge(flight.base);
  EXPECT_EQ(flight.ssthresh(), ssthresh);
}

TEST(TcpLimitedTransmit, SendsNewDataOnTheFirstTwoDuplicates) {  // R3042-01
  Conversation talk({.config = with_reno()});
  talk.write(letters(30000));
  ASSERT_EQ(talk.peer.receive_all().size(), 10U) << "the window is full";
  for (std::uint32_t i = 0; i < 2; ++i) {
    talk.acknowledge(talk.peer.expected);
    const auto sent = talk.peer.receive_all();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].sequence(), talk.peer.expected + 10000 + i * 1000)
        << "new data, beyond the window of before";
  }
}

// ---------------------------------------------------------------- with SACK

TEST(TcpSelectiveRecovery, StartsWithTheThirdSegmentReportedAboveAHoleAndRepairsItOnce) {  // R6675-01
  Flight flight({.peer = with_sack()});
  flight.talk.acknowledge(flight.base, 65535, {flight.segments(1, 2)});
  flight.talk.acknowledge(flight.base, 65535, {flight.segments(1, 3)});
  EXPECT_TRUE(flight.sent_again().empty());
  Numbers again;
  for (std::uint32_t i = 4; i <= 10; ++i) {
    flight.talk.acknowledge(flight.base, 65535, {flight.segments(1, i)});
    for (const auto number : flight.sent_again()) again.push_back(number);
  }
  EXPECT_EQ(again, Numbers{0});
}

TEST(TcpSelectiveRecovery,
     StartsAtOnceWhenOneBlockSaysEnough) {  // R6675-01: DupThresh segments in one report
  Flight flight({.peer = with_sack()});
  flight.talk.acknowledge(flight.base, 65535, {flight.segments(1, 10)});
  EXPECT_EQ(flight.sent_again(), Numbers{0});
}

TEST(TcpSelectiveRecovery,
     RepairsHolesInOrderThenSendsNewDataAndStaysBelowTheWindow) {  // R6675-02, R6937-01, R6937-02
  Flight flight({.peer = with_sack()}, 20);
  flight.talk.write(letters(100000));
  (void)flight.peer.receive_all();
  const std::uint64_t cwnd_before = flight.cwnd();
  const auto check = [&] {
    const auto info = flight.talk.connection.info();
    EXPECT_LE(info.in_flight, std::max<std::uint64_t>(info.cwnd, 1000)) << "pipe <= cwnd";
  };
  Numbers again;
  // 0, 3 and 7 are lost.
  for (std::uint32_t end = 9; end <= 20; ++end) {
    flight.talk.acknowledge(flight.base, 65535,
                            {flight.segments(8, end), flight.segments(4, 7), flight.segments(1, 3)});
    for (const auto number : flight.sent_again()) again.push_back(number);
    check();
  }
  ASSERT_GE(again.size(), 3U);
  EXPECT_EQ((Numbers{again[0], again[1], again[2]}), (Numbers{0, 3, 7}));
  for (std::size_t i = 3; i < again.size(); ++i) EXPECT_GE(again[i], 20U) << "then new data";
  EXPECT_LT(flight.ssthresh(), cwnd_before);
}

TEST(TcpSelectiveRecovery, SpreadsWhatItSendsOverTheAcks) {  // R6937-01, R6937-02
  Flight flight({.peer = with_sack(), .config = with_reno()}, 30);
  flight.talk.write(letters(100000));
  (void)flight.peer.receive_all();
  std::size_t most = 0;
  std::size_t sent = 0;
  for (std::uint32_t end = 2; end <= 30; ++end) {
    flight.talk.acknowledge(flight.base, 65535, {flight.segments(1, end)});
    const std::size_t now = flight.sent_again().size();
    most = std::max(most, now);
    sent += now;
  }
  EXPECT_LE(most, 2U) << "no burst";
  EXPECT_GE(sent, 5U) << "and no silence";
}

TEST(TcpSelectiveRecovery, DoesNotBelieveBlocksThatMakeNoSense) {  // R2018-05
  Flight flight({.peer = with_sack()});
  const std::uint64_t cwnd = flight.cwnd();
  for (const auto& nonsense :
       std::vector<wire::SackBlock>{block(flight.at(3), flight.at(2)), block(flight.at(8), flight.at(900)),
                                    block(flight.base - 5000, flight.at(3)), block(flight.base, flight.base),
                                    block(flight.at(5) + 0x80000000U, flight.at(6) + 0x80000000U)}) {
    for (int i = 0; i < 3; ++i) flight.talk.acknowledge(flight.base, 65535, {nonsense, nonsense, nonsense});
  }
  EXPECT_TRUE(flight.sent_again().empty());
  EXPECT_EQ(flight.cwnd(), cwnd);
  flight.talk.acknowledge(flight.at(10));
  EXPECT_EQ(flight.talk.connection.unacked_octets(), 0U);
}

TEST(TcpSelectiveRecovery, SendsAgainWhatThePeerHadAndThrewAway) {  // R2018-04
  Flight flight({.peer = with_sack()});
  flight.talk.acknowledge(flight.base, 65535, {flight.segments(1, 10)});
  EXPECT_EQ(flight.sent_again(), Numbers{0});
  flight.talk.acknowledge(flight.at(1));  // and reports nothing any more
  Numbers again;
  for (int i = 0; i < 40; ++i) {
    flight.talk.world.advance(milliseconds(200));
    for (const auto number : flight.sent_again()) {
      again.push_back(number);
      flight.talk.acknowledge(flight.at(number + 1));
    }
  }
  for (std::uint32_t number = 1; number < 10; ++number)
    EXPECT_NE(std::find(again.begin(), again.end(), number), again.end()) << "segment " << number;
  EXPECT_EQ(flight.talk.connection.unacked_octets(), 0U);
}

TEST(TcpSelectiveRecovery, AfterATimeoutDoesNotReduceTwiceForOneWindow) {  // R6675-03
  Flight flight({.peer = with_sack(), .config = with_reno()});
  flight.talk.acknowledge(flight.base, 65535, {flight.segments(1, 4)});
  EXPECT_EQ(flight.sent_again(), Numbers{0});
  flight.talk.world.advance(seconds(1));
  (void)flight.sent_again();
  const std::uint64_t ssthresh = flight.ssthresh();
  for (std::uint32_t end = 5; end <= 9; ++end)
    flight.talk.acknowledge(flight.base, 65535, {flight.segments(1, end)});
  (void)flight.sent_again();
  EXPECT_EQ(flight.ssthresh(), ssthresh);
}

TEST(TcpDuplicateReport, HurtsNothing) {  // R2883-02
  Flight flight({.peer = with_sack()});
  const std::uint64_t cwnd = flight.cwnd();
  // Below SND.UNA; and inside of a block above it.
  flight.talk.acknowledge(flight.at(5), 65535, {flight.segments(0, 1)});
  flight.talk.acknowledge(flight.at(5), 65535, {flight.segments(7, 8), flight.segments(6, 8)});
  EXPECT_TRUE(flight.sent_again().empty());
  EXPECT_GE(flight.cwnd(), cwnd);
}

TEST(TcpDuplicateReport, TakesANeedlessRecoveryBack) {  // R2883-02, R9438-03
  Flight flight({.peer = with_sack()});
  const std::uint64_t cwnd = flight.cwnd();
  const std::uint64_t ssthresh = flight.ssthresh();
  flight.talk.acknowledge(flight.base, 65535, {flight.segments(1, 10)});
  EXPECT_EQ(flight.sent_again(), Numbers{0});
  EXPECT_LT(flight.cwnd(), cwnd);
  flight.talk.acknowledge(flight.at(10));                                  // the first copy came late
  flight.talk.acknowledge(flight.at(10), 65535, {flight.segments(0, 1)});  // and the second for nothing
  flight.talk.write(letters(1000));
  EXPECT_GE(flight.cwnd(), cwnd);
  EXPECT_EQ(flight.ssthresh(), ssthresh);
}

// ---------------------------------------------------------------- what a receiver reports

class TcpReports : public ::testing::TestWithParam<bool> {
 protected:
  TcpReports() : talk({.peer = GetParam() ? modern_options() : with_sack()}) {}
  std::size_t room() const { return GetParam() ? 3 : 4; }
  Answer arrive(std::uint32_t offset) {
    talk.send_at(offset, letters(100));
    return talk.peer.expect("A");
  }
  Conversation talk;
};
INSTANTIATE_TEST_SUITE_P(Tcp, TcpReports, ::testing::Bool(), [](const auto& timestamps) {
  return timestamps.param ? "WithTimestamps" : "Plain";
});

TEST_P(TcpReports, NameTheLatestArrivalFirstThenTheMostRecentOthers) {  // R2018-02, R2018-03
  const std::uint32_t base = talk.peer.next;
  std::vector<std::uint32_t> order;
  for (const std::uint32_t offset : {200U, 1000U, 600U, 1400U, 400U, 800U}) {
    const Answer answer = arrive(offset);
    order.insert(order.begin(), offset);
    const auto sacks = answer.header.options.sacks();
    ASSERT_EQ(sacks.size(), std::min(order.size(), room()));
    for (std::size_t i = 0; i < sacks.size(); ++i)
      EXPECT_EQ(sacks[i], block(base + order[i], base + order[i] + 100));
  }
}

TEST_P(TcpReports, JoinWhatTouches) {  // R2018-02
  const std::uint32_t base = talk.peer.next;
  arrive(200);
  arrive(400);
  const Answer answer = arrive(300);
  ASSERT_EQ(answer.header.options.sack_count, 1);
  EXPECT_EQ(answer.header.options.sack_blocks[0], block(base + 200, base + 500));
}

TEST_P(TcpReports, AreOnEveryAckWhileThereIsAHole) {  // R2018-03
  arrive(200);
  talk.send_at(0, letters(50));
  EXPECT_EQ(talk.peer.expect("A").header.options.sack_count, 1);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(arrive(200).header.options.sack_count, GetParam() ? 2 : 2)
        << "the duplicate, and what holds it";
}

TEST_P(TcpReports, NameADuplicateFirst) {  // R2883-01
  talk.peer.send_next("A", letters(300));
  (void)talk.settle();
  const std::uint32_t next = talk.peer.next;
  talk.peer.next -= 300;
  talk.send_at(100, letters(100));
  Answer answer = talk.peer.expect("A");
  talk.peer.next = next;
  ASSERT_EQ(answer.header.options.sack_count, 1);
  EXPECT_EQ(answer.header.options.sack_blocks[0], block(next - 200, next - 100))
      << "below the acknowledgment";
  arrive(500);
  answer = arrive(500);
  ASSERT_EQ(answer.header.options.sack_count, 2);
  EXPECT_EQ(answer.header.options.sack_blocks[0], block(next + 500, next + 600))
      << "and within a block, which follows";
  EXPECT_EQ(answer.header.options.sack_blocks[1], block(next + 500, next + 600));
  answer = arrive(700);
  EXPECT_EQ(answer.header.options.sack_blocks[0], block(next + 700, next + 800)) << "it is said once";
}

TEST_P(TcpReports, EndWhenTheHoleIsFilled) {  // R2018-02, SHLD-31
  const std::uint32_t base = talk.peer.next;
  for (const std::uint32_t offset : {300U, 200U, 100U}) arrive(offset);
  const Answer answer = arrive(0);
  EXPECT_EQ(answer.acknowledgment(), base + 400);
  EXPECT_EQ(answer.header.options.sack_count, 0);
}

TEST(TcpHeldData,
     SurvivesThePeerCuttingItsSegmentsAnew) {  // R2525-05; out-of-order data lost then is a known bug
  Conversation talk({.peer = with_sack()});
  const std::string text = letters(5000);
  const std::string_view all = text;
  for (const std::uint32_t at : {1000U, 3000U}) talk.send_at(at, all.substr(at, 1000));
  // After a timeout the peer sends from the start, in segments of another size.
  for (std::uint32_t at = 0; at < 5000; at += 700) talk.send_at(at, all.substr(at, 700));
  EXPECT_EQ(talk.read(), text);
}

// ---------------------------------------------------------------- RACK and tail loss probes

TEST(TcpRack, ToleratesReorderingBelowAQuarterOfTheRoundTrip) {  // R8985-01
  Conversation talk({.peer = with_sack()});
  for (int i = 0; i < 10; ++i) {
    talk.write(letters(1000));
    (void)talk.acknowledge_all(milliseconds(100));
  }
  const std::uint32_t base = talk.peer.expected;
  talk.write(letters(2000));
  ASSERT_EQ(talk.peer.receive_all().size(), 2U);
  talk.world.advance(milliseconds(100));
  talk.acknowledge(base, 65535, {block(base + 1000, base + 2000)});
  talk.world.advance(milliseconds(20));
  talk.peer.expect_silence();
  talk.acknowledge(base + 2000);  // it was only late
  EXPECT_TRUE(talk.settle(seconds(3)).empty());
  EXPECT_EQ(talk.connection.info().bytes_retransmitted, 0U);
}

TEST(TcpRack, CallsLostWhatIsLater) {  // R8985-01: with one segment reported only
  Conversation talk({.peer = with_sack()});
  for (int i = 0; i < 10; ++i) {
    talk.write(letters(1000));
    (void)talk.acknowledge_all(milliseconds(100));
  }
  const std::uint32_t base = talk.peer.expected;
  talk.write(letters(2000));
  ASSERT_EQ(talk.peer.receive_all().size(), 2U);
  talk.world.advance(milliseconds(100));
  talk.acknowledge(base, 65535, {block(base + 1000, base + 2000)});
  talk.world.advance(milliseconds(27));
  const auto again = talk.peer.receive_all();
  ASSERT_EQ(again.size(), 1U) << "a quarter of 100 ms later";
  EXPECT_EQ(again[0].sequence(), base);
}

class TcpTailLossProbe : public ::testing::Test {
 protected:
  TcpTailLossProbe() {
    for (int i = 0; i < 30; ++i) {
      talk.write(letters(1000));
      (void)talk.acknowledge_all(milliseconds(100));
    }
    base = talk.peer.expected;
  }
  Conversation talk{{.peer = with_sack()}};
  ScriptedPeer& peer = talk.peer;
  std::uint32_t base = 0;
};

TEST_F(TcpTailLossProbe, RepeatsTheLastSegmentAfterTwoRoundTrips) {  // R8985-03
  talk.write(letters(5000));
  ASSERT_EQ(peer.receive_all().size(), 5U);
  talk.world.advance(milliseconds(198));
  peer.expect_silence();
  talk.world.advance(milliseconds(8));
  const auto probe = peer.receive_all();
  ASSERT_EQ(probe.size(), 1U);
  EXPECT_EQ(probe[0].sequence(), base + 4000);
}

TEST_F(TcpTailLossProbe, FindsALossAtTheEndWithoutATimeout) {  // R8985-03
  talk.write(letters(5000));
  (void)peer.receive_all();
  talk.world.advance(milliseconds(100));
  talk.acknowledge(base + 2000);  // the last three are lost
  talk.world.advance(milliseconds(206));
  ASSERT_EQ(peer.receive_all().size(), 1U) << "the probe";
  talk.world.advance(milliseconds(100));
  talk.acknowledge(base + 2000, 65535, {block(base + 4000, base + 5000)});
  talk.world.advance(milliseconds(30));
  const auto again = peer.receive_all();
  ASSERT_GE(again.size(), 1U);
  EXPECT_EQ(again[0].sequence(), base + 2000);
  EXPECT_EQ(talk.world.counter(Counter::kTcpExtTCPTimeouts), 0U);
}

TEST_F(TcpTailLossProbe, ThatRepairedALossReducesTheWindowOnce) {  // R8985-04
  const std::uint64_t cwnd = talk.connection.info().cwnd;
  talk.write(letters(5000));
  (void)peer.receive_all();
  talk.world.advance(milliseconds(100));
  talk.acknowledge(base + 4000);
  talk.world.advance(milliseconds(306));
  ASSERT_EQ(peer.receive_all().size(), 1U);
  talk.write(letters(1000));
  (void)peer.receive_all();
  talk.world.advance(milliseconds(100));
  talk.acknowledge(base + 6000);
  EXPECT_LT(talk.connection.info().cwnd, cwnd);
}

TEST_F(TcpTailLossProbe, ThatWasNotNeededDoesNot) {  // R8985-04
  const std::uint64_t cwnd = talk.connection.info().cwnd;
  talk.write(letters(5000));
  (void)peer.receive_all();
  talk.world.advance(milliseconds(206));
  ASSERT_EQ(peer.receive_all().size(), 1U);
  talk.acknowledge(base + 5000);                                            // they were only late
  talk.acknowledge(base + 5000, 65535, {block(base + 4000, base + 5000)});  // and the probe for nothing
  talk.write(letters(1000));
  (void)talk.acknowledge_all(milliseconds(100));
  EXPECT_GE(talk.connection.info().cwnd, cwnd);
}

// ---------------------------------------------------------------- timeouts that were none

TEST(TcpSpuriousTimeout, IsSeenByTwoAcksThatMoveOnWithoutTheRetransmission) {  // R5682-01
  Flight flight({.config = with_reno()});
  const std::uint64_t cwnd = flight.cwnd();
  const Duration rto = flight.talk.connection.info().rto;
  flight.talk.world.advance(rto + milliseconds(2));
  EXPECT_EQ(flight.sent_again(), Numbers{0});
  // The ACKs were held up; the originals have all arrived.
  flight.talk.write(letters(5000));
  flight.talk.acknowledge(flight.at(1));
  flight.talk.acknowledge(flight.at(2));
  for (std::uint32_t i = 3; i <= 10; ++i) flight.talk.acknowledge(flight.at(i));
  for (const auto number : flight.sent_again()) EXPECT_GE(number, 10U) << "new data only: no go-back-N";
  EXPECT_GE(flight.cwnd(), cwnd);
}

TEST(TcpSpuriousTimeout, IsSeenByTheTimestampThatIsEchoed) {  // R5682-01, RFC 3522
  Flight flight({.peer = modern_options(1012), .config = with_reno()});
  const std::uint64_t cwnd = flight.cwnd();
  const std::uint32_t echo_of_first = flight.sent[0].header.options.timestamps->value;
  flight.talk.world.advance(seconds(1));
  (void)flight.peer.receive_all();
  flight.peer.timestamp_echo = echo_of_first;
  flight.talk.acknowledge(flight.at(1));
  EXPECT_GE(flight.cwnd(), cwnd);
}

}  // namespace
}  // namespace transom::test
