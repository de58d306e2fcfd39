// The urgent mechanism: RFC 9293 §3.8.5; RFC 6093.
#include "tests/conformance/conversation.h"

namespace transom::test {
namespace {

class Told : public ReadinessListener {
 public:
  void on_readiness() override { ++times; }
  int times = 0;
};

class TcpUrgent : public ::testing::Test {
 protected:
  void send_urgent(std::string_view text, std::uint16_t pointer) {
    peer.send({.flags = "AU",
               .sequence = peer.next,
               .acknowledgment = peer.expected,
               .payload = text,
               .urgent_pointer = pointer});
    peer.next += static_cast<std::uint32_t>(text.size());
  }
  std::string read_up_to_mark() {
    std::array<std::uint8_t, 200000> buffer;
    const auto count = talk.world.with([&] { return talk.connection.receive(buffer); });
    return count ? std::string(reinterpret_cast<const char*>(buffer.data()), *count) : "";
  }
  Result<std::uint8_t> read_urgent() {
    return talk.world.with([&] { return talk.connection.receive_urgent(); });
  }

  Conversation talk;
  ScriptedPeer& peer = talk.peer;
};

TEST_F(TcpUrgent, PointerThatIsSentPointsBehindTheLastUrgentOctet) {  // MUST-62, MUST-30, R6093-01
  talk.set([](tcp::Options& options) { options.no_delay = true; });
  talk.write("!", {.urgent = true});
  Answer answer = peer.expect("PAU");
  EXPECT_EQ(answer.header.urgent_pointer, 1);
  talk.acknowledge_all();
  peer.expected = answer.sequence() + 1;
  talk.acknowledge(peer.expected);
  talk.write("three", {.urgent = true});
  EXPECT_EQ(peer.expect("PAU").header.urgent_pointer, 5);
}

TEST_F(TcpUrgent, DataOfAnyLengthIsAnnouncedInEachSegmentUpToItsEnd) {  // MUST-31, MUST-62
  talk.grow_window(100);
  constexpr std::uint32_t kLength = 70000;
  const std::uint32_t begin = peer.expected;
  talk.write(letters(kLength), {.urgent = true});
  talk.write("and what is not urgent");
  std::size_t urgent = 0;
  for (int round = 0; round < 5; ++round) {
    for (const auto& answer : talk.acknowledge_all()) {
      if (answer.payload.empty()) continue;
      const std::uint32_t left = begin + kLength - answer.sequence();
      const bool before_end = static_cast<std::int32_t>(left) > 0;
      EXPECT_EQ(answer.header.flags.urg, before_end);
      if (!before_end) continue;
      EXPECT_EQ(answer.header.urgent_pointer, std::min(left, 65535U));
      ++urgent;
    }
  }
  EXPECT_EQ(urgent, 70U);
}

TEST_F(TcpUrgent, MarkIsFollowedThroughManySegmentsWhileThePointerMovesOn) {  // MUST-31, MUST-33
  constexpr std::uint32_t kLength = 100000;  // more than a pointer can say at once
  const std::uint32_t end = peer.next + kLength;
  std::size_t received = 0;
  while (peer.next != end) {
    send_urgent(letters(1000), static_cast<std::uint16_t>(std::min(end - peer.next, 65535U)));
    EXPECT_TRUE(talk.connection.readiness().priority) << "more urgent data is to come";
    received += read_up_to_mark().size();
  }
  EXPECT_EQ(received, kLength - 1) << "all but the last octet, which is the urgent one";
  EXPECT_TRUE(talk.connection.at_urgent_mark());
  EXPECT_EQ(read_urgent(), letters(1000).back());
  EXPECT_FALSE(talk.connection.readiness().priority);
}

TEST_F(TcpUrgent, UserIsToldWhenDataBecomesUrgentAndWhenThePointerAdvancesAndNotAgain) {  // MUST-32
  Told told;
  talk.world.with([&] { talk.connection.set_listener(&told); });
  send_urgent("", 100);
  EXPECT_EQ(told.times, 1) << "there was none before";
  send_urgent("", 100);
  send_urgent("", 50);
  EXPECT_EQ(told.times, 1) << "the same, or one before it, is no news";
  send_urgent("", 200);
  EXPECT_EQ(told.times, 2) << "it has moved on";
  talk.world.with([&] { talk.connection.set_listener(nullptr); });
}

TEST_F(TcpUrgent, UserCanAskWhetherTheMarkIsReached) {  // MUST-33, MUST-30
  send_urgent("before!", 7);
  peer.send_next("PA", "behind");
  EXPECT_FALSE(talk.connection.at_urgent_mark());
  EXPECT_EQ(read_up_to_mark(), "before") << "a read stops at the mark";
  EXPECT_TRUE(talk.connection.at_urgent_mark());
  EXPECT_EQ(read_urgent(), '!');
  EXPECT_EQ(read_up_to_mark(), "behind");
  EXPECT_FALSE(talk.connection.at_urgent_mark());
}

TEST_F(TcpUrgent, DataInLineIsNotLost) {  // R6093-01, MUST-30
  talk.set([](tcp::Options& options) { options.out_of_band_inline = true; });
  send_urgent("before!", 7);
  peer.send_next("PA", "behind");
  EXPECT_TRUE(talk.connection.readiness().priority) << "MUST-32";
  EXPECT_EQ(read_up_to_mark(), "before");
  EXPECT_TRUE(talk.connection.at_urgent_mark());
  EXPECT_EQ(read_up_to_mark(), "!behind");
  EXPECT_FALSE(talk.connection.readiness().priority);
  EXPECT_EQ(read_urgent().error(), Error::kInvalidArgument);
}

TEST_F(TcpUrgent, OctetThatNobodyAsksForIsSkippedAndOthersAreNot) {  // R6093-01
  send_urgent("a!", 2);
  send_urgent("b?", 2);
  EXPECT_EQ(read_up_to_mark(), "a!b") << "only the latest is out of band";
  EXPECT_EQ(read_urgent(), '?');
}

}  // namespace
}  // namespace transom::test
