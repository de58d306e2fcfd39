// Timestamps and the protection against wrapped numbers: RFC 7323 §3 to §5.
#include <set>

#include "tests/conformance/conversation.h"

namespace transom::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class TcpTimestamps : public ::testing::Test {
 protected:
  Conversation talk{{.peer = modern_options()}};  // the SYN says 100
  ScriptedPeer& peer = talk.peer;
  void send(std::uint32_t value, std::string_view text, std::uint32_t offset = 0,
            std::string_view flags = "PA") {
    Script script{
        .flags = flags, .sequence = peer.next + offset, .acknowledgment = peer.expected, .payload = text};
    script.options.timestamps = wire::TcpTimestamps{value, peer.timestamp_echo};
    peer.send(script);
  }
  std::uint32_t echo() {
    talk.world.advance(milliseconds(100));
    const auto answers = peer.receive_all();
    return answers.empty() ? 0 : answers.back().header.options.timestamps->echo;
  }
};

TEST_F(TcpTimestamps, SegmentWithoutOneIsDropped) {  // R7323-06
  peer.send({.flags = "PA", .sequence = peer.next, .acknowledgment = peer.expected, .payload = "none"});
  EXPECT_EQ(talk.read(), "");
  EXPECT_EQ(talk.world.drops(DropReason::kTcpMissingTimestamp), 1U);
  send(100, "with");
  EXPECT_EQ(talk.read(), "with") << "what is expected has not moved";
}

TEST_F(TcpTimestamps, ResetWithoutOneOrWithAnOldOneCounts) {  // R7323-11, R7323-06
  {
    Conversation other({.peer = modern_options()});
    other.peer.send({.flags = "R", .sequence = other.peer.next});
    EXPECT_EQ(other.connection.state(), tcp::State::kClosed);
  }
  send(1, "", 0, "R");
  EXPECT_EQ(talk.connection.state(), tcp::State::kClosed);
}

TEST_F(TcpTimestamps, OlderThanTheLastDropsTheSegmentWithAnAck) {  // R7323-09
  send(99, "old");
  const Answer answer = peer.expect("A");
  EXPECT_EQ(answer.acknowledgment(), peer.next);
  EXPECT_EQ(answer.header.options.timestamps->echo, 100U);
  EXPECT_EQ(talk.read(), "");
  EXPECT_EQ(talk.world.counter(Counter::kTcpExtPAWSEstab), 1U);
}

TEST_F(TcpTimestamps, AreComparedModulo2To32) {  // R7323-09; PAWS compared without wrap is a known bug
  wire::TcpOptions options = modern_options();
  options.timestamps = wire::TcpTimestamps{0xffffff00, 0};
  Conversation other({.peer = options});
  other.peer.timestamp_value = 5;  // past zero: newer
  other.peer.send_next("PA", "newer");
  EXPECT_EQ(other.read(), "newer");
  other.peer.timestamp_value = 0xffffff80;
  other.peer.send_next("PA", "older");
  EXPECT_EQ(other.read(), "");
}

TEST_F(TcpTimestamps, EchoIsOfTheSegmentAtTheLeftEdge) {  // R7323-07
  send(150, "later", 100);                                // leaves a hole
  EXPECT_EQ(echo(), 100U);
  send(140, "fills", 0);
  EXPECT_EQ(echo(), 140U);
}

TEST_F(TcpTimestamps, EchoIsOfTheFirstOfWhatADelayedAckCovers) {  // R7323-07: Last.ACK.sent
  for (int i = 0; i < 40; ++i) {                                  // beyond the quick ACKs of the beginning
    send(100, "x");
    ++peer.next;
    (void)echo();
  }
  send(200, "a");
  ++peer.next;
  send(210, "b");
  ++peer.next;
  EXPECT_EQ(echo(), 200U);
}

TEST_F(TcpTimestamps, EchoDoesNotGoBack) {  // R7323-07
  send(200, "new");
  peer.next += 3;
  (void)echo();
  send(199, "old");
  EXPECT_EQ(peer.expect("A").header.options.timestamps->echo, 200U);
}

TEST_F(TcpTimestamps, ExpireAfter24Days) {  // R7323-10
  talk.world.advance(hours(23 * 24));
  send(50, "");
  (void)peer.receive_all();
  send(50, "no");
  EXPECT_EQ(talk.read(), "");
  talk.world.advance(hours(25 * 24));
  send(50, "yes");
  EXPECT_EQ(talk.read(), "yes");
}

TEST_F(TcpTimestamps, ClockIsOfAMillisecondAndSteady) {  // R7323-12
  const auto value_now = [&] {
    talk.write("x");
    const auto sent = talk.acknowledge_all(milliseconds(0));
    return sent.front().header.options.timestamps->value;
  };
  std::uint32_t last = value_now();
  for (const int step : {1, 10, 999, 60000}) {
    talk.world.advance(milliseconds(step));
    const std::uint32_t now = value_now();
    EXPECT_NEAR(now - last, step, 1);
    last = now;
  }
}

TEST_F(TcpTimestamps, OffsetIsAnotherForEachPairOfHosts) {  // R7323-12, R6191-01
  std::set<std::uint32_t> values;
  HostUnderTest world;
  world.listen(80);
  for (std::uint8_t i = 10; i < 60; ++i) {
    Script syn{.flags = "S", .sequence = 1, .options = modern_options()};
    syn.source = IpAddress::v4(10, 0, 0, i);
    ScriptedPeer other(world, 4000, 80);
    other.send(syn);
    const auto packet = world.take();
    ASSERT_GE(packet.size(), 60U);
    wire::Reader reader(packet);
    reader.skip(20);
    const auto header = wire::TcpHeader::parse(reader);
    ASSERT_TRUE(header && header->options.timestamps);
    values.insert(header->options.timestamps->value);
  }
  EXPECT_EQ(values.size(), 50U);
}

TEST_F(TcpTimestamps, GiveAnRttOfWhatWasSentTwice) {  // R7323-08, MUST-18
  talk.write(letters(900));
  (void)peer.receive_all();
  talk.world.advance(milliseconds(1500));
  const auto again = peer.receive_all();
  ASSERT_FALSE(again.empty());
  peer.timestamp_echo = again.back().header.options.timestamps->value;
  talk.world.advance(milliseconds(70));
  peer.expected += 900;
  talk.acknowledge(peer.expected);
  EXPECT_LT(talk.connection.info().rto, seconds(1)) << "a valid sample ends the back-off";
}

TEST_F(TcpTimestamps, ManyAcksPerRoundTripDoNotForgetThePast) {  // R7323-08: appendix G
  for (int i = 0; i < 20; ++i) {
    talk.write(letters(900));
    (void)talk.acknowledge_all(milliseconds(i % 2 == 0 ? 300 : 100));
  }
  const Duration varied = talk.connection.info().rttvar;
  talk.write(letters(30 * 988));
  (void)talk.acknowledge_all(milliseconds(200));
  EXPECT_GT(talk.connection.info().rttvar, varied / 4) << "one round trip of thirty ACKs";
}

TEST_F(TcpTimestamps, EchoThatWasMadeUpIsNoRttOfDays) {  // R7323-08
  const Duration srtt = talk.connection.info().srtt;
  talk.write(letters(900));
  (void)peer.receive_all();
  peer.timestamp_echo -= 0x40000000;
  peer.expected += 900;
  talk.world.advance(milliseconds(20));
  talk.acknowledge(peer.expected);
  EXPECT_LT(talk.connection.info().srtt, srtt + seconds(1));
}

}  // namespace
}  // namespace transom::test
