// The header, its checksum and its options, octet by octet: RFC 9293 §3.1, §3.2; RFC 7323 §2; RFC 2018 §2.
#include "tests/conformance/conversation.h"

namespace transom::test {
namespace {

using std::chrono::seconds;

// Sums 16-bit words as RFC 1071 §1 writes it down, with nothing of the stack.
std::uint16_t sum_of(const std::vector<std::uint8_t>& octets, std::size_t begin, std::uint32_t sum) {
  for (std::size_t i = begin; i < octets.size(); i += 2)
    sum += static_cast<std::uint32_t>(octets[i] << 8 | (i + 1 < octets.size() ? octets[i + 1] : 0));
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

// Over the pseudo-header, which ends with protocol and length, and the segment: all ones when it is right.
bool has_right_checksum(const std::vector<std::uint8_t>& packet) {
  const bool v4 = packet[0] >> 4 == 4;
  const std::size_t header = v4 ? 20 : 40;
  std::uint32_t sum = 6 + static_cast<std::uint32_t>(packet.size() - header);
  for (std::size_t i = v4 ? 12 : 8; i < header; i += 2)
    sum += static_cast<std::uint32_t>(packet[i] << 8 | packet[i + 1]);
  return sum_of(packet, header, sum) == 0xffff;
}

class TcpChecksum : public ::testing::TestWithParam<IpFamily> {};
INSTANTIATE_TEST_SUITE_P(Tcp, TcpChecksum, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         [](const auto& family) { return family.param == IpFamily::kIpv4 ? "v4" : "v6"; });

TEST_P(TcpChecksum, EverySegmentHasAChecksumOverPseudoHeaderHeaderAndData) {  // MUST-2
  Conversation talk({.peer = modern_options(), .family = GetParam()});
  const auto all_are_right = [&] {
    std::size_t count = 0;
    for (auto packet = talk.world.take(); !packet.empty(); packet = talk.world.take()) {
      EXPECT_TRUE(has_right_checksum(packet)) << "packet of " << packet.size();
      ++count;
    }
    return count;
  };
  for (const std::size_t size : {1U, 2U, 3U, 700U, 701U, 5001U}) {
    talk.set([](tcp::Options& options) { options.no_delay = true; });
    talk.write(letters(size));
    EXPECT_GT(all_are_right(), 0U);
  }
  talk.send_at(1, "hole");
  EXPECT_EQ(all_are_right(), 1U) << "an ACK with SACK blocks";
  talk.world.with([&] { talk.connection.abort(); });
  EXPECT_EQ(all_are_right(), 1U) << "a reset";
  ScriptedPeer stranger(talk.world, 5000, 81, GetParam());
  stranger.send({.flags = "S", .sequence = 1});
  EXPECT_EQ(all_are_right(), 1U) << "a reset out of the blue";
}

TEST_P(TcpChecksum, ASegmentWithAnyBitOfItFlippedIsDroppedInSilence) {  // MUST-3
  Conversation talk({.family = GetParam()});
  talk.peer.send({.flags = "PA",
                  .sequence = talk.peer.next,
                  .acknowledgment = talk.peer.expected,
                  .payload = "x",
                  .corrupt_checksum = true});
  talk.peer.expect_silence();
  EXPECT_EQ(talk.world.counter(Counter::kTcpInCsumErrors), 1U);
  talk.peer.send_next("PA", "x");
  EXPECT_EQ(talk.read(), "x");
}

// ---------------------------------------------------------------- options that arrive

constexpr std::uint8_t kEnd = 0;
constexpr std::uint8_t kNop = 1;

class TcpOptionsReceived : public ::testing::Test {
 protected:
  // The host's answer to a SYN with these options, and the MSS that it then has.
  std::optional<Answer> answer_to(const std::vector<std::uint8_t>& options) {
    ScriptedPeer peer(world, port_++, 80);
    peer.send({.flags = "S", .sequence = 1000, .raw_options = options});
    auto answer = peer.receive();
    if (!answer) return answer;
    Script ack{.flags = "A", .sequence = 1001, .acknowledgment = answer->sequence() + 1};
    ack.options.timestamps = answer->header.options.timestamps;
    if (ack.options.timestamps) std::swap(ack.options.timestamps->value, ack.options.timestamps->echo);
    peer.send(ack);
    if (const auto accepted = world.with([&] { return listener.accept(); })) {
      info = (*accepted)->info();
      write(world, **accepted, letters(3000));
      for (const auto& data : peer.receive_all()) largest = std::max(largest, data.payload.size());
    }
    return answer;
  }

  HostUnderTest world;
  tcp::Listener& listener = world.listen(80);
  tcp::Info info;
  std::size_t largest = 0;

 private:
  std::uint16_t port_ = 4000;
};

TEST_F(TcpOptionsReceived, MssIsFoundBetweenNoOperationsAndEndOfList) {  // MUST-4
  answer_to({kNop, kNop, 2, 4, 700 >> 8, 700 & 0xff, kEnd, 0});
  EXPECT_EQ(info.send_mss, 700U);
  answer_to({2, 4, 701 >> 8, 701 & 0xff, kNop, kNop, kNop, kEnd});
  EXPECT_EQ(info.send_mss, 701U);
  answer_to({kNop, kNop, kNop, kNop, 2, 4, 702 >> 8, 702 & 0xff});
  EXPECT_EQ(info.send_mss, 702U);
}

TEST_F(TcpOptionsReceived, NothingIsReadBehindEndOfList) {  // MUST-4
  answer_to({kEnd, kNop, kNop, kNop, 2, 4, 700 >> 8, 700 & 0xff});
  EXPECT_EQ(info.send_mss, 536U);
}

TEST_F(TcpOptionsReceived, AreReadAtOddOffsets) {  // MUST-64
  const auto answer = answer_to({kNop, 2, 4, 700 >> 8, 700 & 0xff, 8, 10, 0, 0, 0, 77, 0, 0, 0, 0, kNop});
  EXPECT_EQ(info.send_mss, 700U - 12);
  ASSERT_TRUE(answer && answer->header.options.timestamps);
  EXPECT_EQ(answer->header.options.timestamps->echo, 77U);
}

TEST_F(TcpOptionsReceived, OfUnknownKindsAreSkippedByTheirLength) {  // MUST-6
  answer_to({200, 6, 2, 4, 0, 9, 254, 2, 2, 4, 700 >> 8, 700 & 0xff});
  EXPECT_EQ(info.send_mss, 700U);
}

TEST_F(TcpOptionsReceived, OfIllegalLengthEndNothingButTheirSegment) {  // MUST-7
  for (const auto& options : std::vector<std::vector<std::uint8_t>>{{2, 0, 5, 0xb4},
                                                                    {8, 1, kNop, kNop},
                                                                    {5, 255, kNop, kNop},
                                                                    {200, 0, 0, 0},
                                                                    {kNop, kNop, kNop, 2},
                                                                    {2, 5, 5, 0xb4}}) {
    EXPECT_FALSE(answer_to(options)) << "kind " << int{options[0]} << " length " << int{options[1]};
  }
  EXPECT_TRUE(answer_to({2, 4, 700 >> 8, 700 & 0xff})) << "and the next is answered";
  EXPECT_EQ(info.send_mss, 700U);
}

TEST(TcpOptionsOfData,
     AreAcceptedWhereTheyAreUnknownAndDropTheSegmentWhereTheyAreIllegal) {  // MUST-5, MUST-7
  Conversation talk;
  ScriptedPeer& peer = talk.peer;
  const auto send = [&](std::vector<std::uint8_t> options, std::string_view text) {
    peer.send({.flags = "PA",
               .sequence = peer.next,
               .acknowledgment = peer.expected,
               .payload = text,
               .raw_options = std::move(options)});
  };
  send({kNop, 253, 4, 7, 7, kNop, kNop, kNop}, "one ");
  EXPECT_EQ(talk.read(), "one ");
  peer.next += 4;
  for (const auto& options : std::vector<std::vector<std::uint8_t>>{
           {253, 0, 0, 0}, {253, 1, 0, 0}, {253, 5, 0, 0}, {kNop, kNop, kNop, 253}}) {
    send(options, "bad");
    EXPECT_EQ(talk.read(), "");
  }
  EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished);
  peer.send_next("PA", "two");
  EXPECT_EQ(talk.read(), "two");
}

TEST(TcpOptionsOfData, ThatBelongInASynChangeNothing) {  // R7323-01, R2018-01, MUST-65
  Conversation talk;
  ScriptedPeer& peer = talk.peer;
  peer.send({.flags = "A",
             .sequence = peer.next,
             .acknowledgment = peer.expected,
             .window = 5000,
             .raw_options = {2, 4, 1, 0, 3, 3, 9, 4, 2, kNop, kNop, kNop}});
  EXPECT_EQ(talk.connection.info().send_window, 5000U);
  EXPECT_EQ(talk.connection.info().send_mss, 1000U);
  EXPECT_FALSE(talk.connection.info().sack);
}

// ---------------------------------------------------------------- options that are sent

// What a life of a connection with these options of the peer's SYN looks like: all that the host sends.
std::vector<Answer> all_of_a_life(const wire::TcpOptions& options) {
  std::vector<Answer> all;
  HostUnderTest world;
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  const auto collect = [&] {
    for (auto& answer : peer.receive_all()) all.push_back(std::move(answer));
  };
  peer.timestamps = options.timestamps.has_value();
  peer.timestamp_value = 100;
  peer.send({.flags = "S", .sequence = 1000, .options = options});
  const Answer syn_ack = peer.expect("SA");
  all.push_back(syn_ack);
  peer.next = 1001;
  peer.expected = syn_ack.sequence() + 1;
  peer.send_next(".");
  auto& connection = **world.with([&] { return listener.accept(); });
  const std::string text = letters(10);
  const auto at = [&](std::uint32_t offset) {
    Script script{
        .flags = "A", .sequence = peer.next + offset, .acknowledgment = peer.expected, .payload = text};
    if (options.timestamps)
      script.options.timestamps = wire::TcpTimestamps{peer.timestamp_value, peer.timestamp_echo};
    peer.send(script);
    collect();
  };
  for (const std::uint32_t offset : {20U, 40U, 60U, 80U, 100U}) at(offset);
  at(0);
  at(0);
  write(world, connection, letters(7000), {.urgent = true});
  collect();
  world.advance(seconds(5));
  collect();
  world.with([&] { connection.shutdown_send(); });
  world.advance(seconds(30));
  collect();
  world.with([&] { connection.abort(); });
  collect();
  return all;
}

std::vector<wire::TcpOptions> mixes() {
  std::vector<wire::TcpOptions> mixes;
  for (int bits = 0; bits < 16; ++bits) {
    wire::TcpOptions options;
    if (bits & 1) options.maximum_segment_size = 1000;
    if (bits & 2) options.window_scale = 7;
    if (bits & 4) options.sack_permitted = true;
    if (bits & 8) options.timestamps = wire::TcpTimestamps{100, 0};
    mixes.push_back(options);
  }
  return mixes;
}

TEST(TcpOptionsSent, AllHaveALengthAndArePaddedWithZerosBehindEndOfList) {  // MUST-68, MUST-69
  for (const auto& mix : mixes()) {
    for (const Answer& answer : all_of_a_life(mix)) {
      const auto& raw = answer.raw_options;
      EXPECT_EQ(raw.size() % 4, 0U);
      std::size_t at = 0;
      while (at < raw.size() && raw[at] != kEnd) {
        if (raw[at] == kNop) {
          ++at;
          continue;
        }
        ASSERT_LT(at + 1, raw.size()) << "an option without a length";
        ASSERT_GE(raw[at + 1], 2);
        at += raw[at + 1];
      }
      ASSERT_LE(at, raw.size()) << "an option beyond the header";
      EXPECT_TRUE(std::all_of(raw.begin() + static_cast<std::ptrdiff_t>(at), raw.end(),
                              [](auto octet) { return octet == 0; }));
    }
  }
}

TEST(TcpOptionsSent, OfTheHandshakeAreOnSynsOnly) {  // MUST-65, R2018-01, R7323-01
  for (const auto& mix : mixes()) {
    for (const Answer& answer : all_of_a_life(mix)) {
      const wire::TcpOptions& options = answer.header.options;
      if (answer.header.flags.syn) {
        EXPECT_TRUE(options.maximum_segment_size) << "MUST-14";
        EXPECT_EQ(options.sack_permitted, mix.sack_permitted);
        EXPECT_EQ(options.window_scale.has_value(), mix.window_scale.has_value());
        continue;
      }
      EXPECT_FALSE(options.maximum_segment_size || options.window_scale || options.sack_permitted);
    }
  }
}

TEST(TcpOptionsSent, SelectiveAcknowledgmentsOnlyWhereThePeerPermits) {  // R2018-02
  for (const auto& mix : mixes()) {
    bool any = false;
    for (const Answer& answer : all_of_a_life(mix)) any |= answer.header.options.sack_count > 0;
    EXPECT_EQ(any, mix.sack_permitted);
  }
}

TEST(TcpOptionsSent, TimestampsOnEverySegmentOnceAgreedOnAndOnNoneElse) {  // R7323-05
  for (const auto& mix : mixes()) {
    for (const Answer& answer : all_of_a_life(mix)) {
      if (!answer.header.flags.rst) {
        EXPECT_EQ(answer.header.options.timestamps.has_value(), mix.timestamps.has_value());
      }
    }
  }
}

TEST(TcpOptionsSent, AnActiveOpenOffersThemAll) {  // MUST-14, SHLD-5, MAY-3, R2018-01, R7323-01
  HostUnderTest world;
  ScriptedPeer peer(world, 80, 5000);
  world.with([&] {
    auto hold = world.host().tcp().bind({.local = peer.remote()});
    (void)world.host().tcp().connect(*hold, peer.local(), {});
  });
  const Answer syn = peer.expect("S");
  EXPECT_EQ(syn.header.options.maximum_segment_size, 1460);
  EXPECT_TRUE(syn.header.options.sack_permitted);
  EXPECT_TRUE(syn.header.options.window_scale);
  ASSERT_TRUE(syn.header.options.timestamps);
  EXPECT_EQ(syn.header.options.timestamps->echo, 0U)
      << "an echo means something with ACK only (RFC 7323 §3.2)";
}

// ---------------------------------------------------------------- the window field

TEST(TcpWindowField, IsUnsigned) {  // MUST-1
  for (const std::uint32_t window : {0x8000U, 0xffffU}) {
    Conversation talk({.window = window});
    talk.grow_window(100);
    talk.acknowledge(talk.peer.expected, window);
    talk.write(letters(100000));
    const std::size_t sent = payload_of(talk.peer.receive_all()).size();
    EXPECT_LE(sent, window);
    EXPECT_GT(sent, window - 1000);
  }
}

TEST(TcpWindowField, IsKeptIn32BitsWithItsScale) {  // REC-1, R7323-01
  wire::TcpOptions options = modern_options();
  options.window_scale = 14;
  Conversation talk({.peer = options});
  EXPECT_EQ(talk.connection.info().send_window, std::uint64_t{65535} << 14);
}

TEST(TcpWindowField, OfASynIsNeverScaled) {  // R7323-02
  wire::TcpOptions options = modern_options();
  HostUnderTest world;
  auto& listener = world.listen(80, {.receive_buffer = 6 << 20});
  ScriptedPeer peer(world, 4000, 80);
  peer.send({.flags = "S", .sequence = 1000, .window = 3000, .options = options});
  const Answer syn_ack = peer.expect("SA");
  EXPECT_EQ(syn_ack.header.window, 65535) << "ours neither";
  (void)listener;

  ScriptedPeer server(world, 80, 5000);
  auto& connection = server.accept_from_host({}, options, 3000);
  EXPECT_EQ(connection.info().send_window, 3000U);
  EXPECT_EQ(connection.info().send_scale, 7);
  write(world, connection, letters(10000));
  EXPECT_EQ(payload_of(server.receive_all()).size() / 988, 3U) << "no more than the window of the SYN-ACK";
}

}  // namespace
}  // namespace transom::test
