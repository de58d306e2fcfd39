// Accurate ECN feedback (RFC 9768): the handshake's encodings, the counter, and what is made of it.
#include "stack/tcp/accurate_ecn.h"

#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

using tcp::AccurateEcn;
using tcp::EcnMark;

wire::TcpFlags with_ace(std::uint32_t value) {
  wire::TcpFlags flags;
  tcp::set_ace(flags, static_cast<std::uint8_t>(value & 7U));
  return flags;
}

// ---------------------------------------------------------------- the counter

TEST(AccurateEcnCounter, CountsTheMarksThatItIsTold) {
  AccurateEcn sender;
  sender.start(EcnMark::kNotCapable, true, tcp::handshake_ace(EcnMark::kNotCapable));
  EXPECT_EQ(sender.on_acknowledgment(with_ace(5), 2), 0U);
  EXPECT_EQ(sender.on_acknowledgment(with_ace(6), 2), 1U);
  EXPECT_EQ(sender.on_acknowledgment(with_ace(8), 2), 2U) << "round the end of three bits";
  EXPECT_EQ(sender.on_acknowledgment(with_ace(8), 2), 0U);
}

TEST(AccurateEcnCounter, AssumesTheWorstWhenManyAreAcknowledgedAtOnce) {  // §3.2.2.5.2
  AccurateEcn sender;
  sender.start(EcnMark::kNotCapable, true, 0b010);
  EXPECT_EQ(sender.on_acknowledgment(with_ace(5 + 2), 20), 18U) << "2, 10 or 18 of 20";
  EXPECT_EQ(sender.on_acknowledgment(with_ace(5 + 2), 20), 0U) << "none is none";
}

TEST(AccurateEcnCounter, AMarkedSynAckCounts) {  // §3.2.2.1, table 3
  AccurateEcn client;
  client.start(EcnMark::kCongestion, true, 0b010);
  wire::TcpFlags flags;
  EXPECT_TRUE(client.prepare(flags));
  EXPECT_EQ(tcp::ace_of(flags), 0b110) << "the first ACK says how the SYN-ACK was marked";
  EXPECT_TRUE(client.prepare(flags));
  EXPECT_EQ(tcp::ace_of(flags), 6) << "and from then on the count";
}

TEST(AccurateEcnCounter, AZeroedFieldSwitchesItOff) {  // §3.2.2.4
  AccurateEcn server;
  server.start(EcnMark::kNotCapable, false, 0);
  server.on_acknowledgment(with_ace(0), 0);
  wire::TcpFlags flags;
  EXPECT_FALSE(server.prepare(flags)) << "data is not sent as capable";
}

TEST(AccurateEcnCounter, AsksForAnAckWhereMarksBeginAndEnd) {  // §3.2.2.5.1
  AccurateEcn receiver;
  receiver.start(EcnMark::kNotCapable, true, 0b010);
  EXPECT_FALSE(receiver.on_packet(EcnMark::kCapable0, true));
  EXPECT_TRUE(receiver.on_packet(EcnMark::kCongestion, true));
  wire::TcpFlags flags;
  receiver.prepare(flags);
  EXPECT_FALSE(receiver.on_packet(EcnMark::kCongestion, true));
  EXPECT_TRUE(receiver.on_packet(EcnMark::kCongestion, true)) << "two are not acknowledged";
  receiver.prepare(flags);
  EXPECT_TRUE(receiver.on_packet(EcnMark::kCapable0, true));
  EXPECT_FALSE(receiver.on_packet(EcnMark::kCongestion, false)) << "a pure ACK is counted, not acknowledged";
}

// ---------------------------------------------------------------- connections

class AccurateEcnConnection : public testing::Test {
 protected:
  static HostConfig config(tcp::EcnMode mode) {
    HostConfig config;
    config.tcp.ecn = mode;
    return config;
  }
  static wire::TcpOptions mss() {
    wire::TcpOptions options;
    options.maximum_segment_size = 1000;
    return options;
  }

  HostUnderTest world_{config(tcp::EcnMode::kAgreeAccurate)};
  ScriptedPeer peer_{world_, 4000, 80};
};

TEST_F(AccurateEcnConnection, SynAckSaysHowTheSynWasMarked) {  // §3.1.1, table 2
  const std::pair<std::uint8_t, const char*> cases[] = {{0, "SAC"}, {1, "SAEC"}, {2, "SAN"}, {3, "SACN"}};
  std::uint16_t port = 5000;
  world_.listen(80);
  for (const auto& [mark, flags] : cases) {
    ScriptedPeer peer(world_, port++, 80);
    peer.send({.flags = "SECN", .sequence = 1, .options = mss(), .traffic_class = mark});
    peer.expect(flags);
  }
}

TEST_F(AccurateEcnConnection, FallsBackToTheClassicKind) {
  world_.listen(80);
  peer_.send({.flags = "SEC", .sequence = 1, .options = mss()});
  peer_.expect("SAE");
}

TEST_F(AccurateEcnConnection, IsNotAgreedToByDefault) {
  HostUnderTest world(config(tcp::EcnMode::kAgree));
  ScriptedPeer peer(world, 4000, 80);
  world.listen(80);
  peer.send({.flags = "SECN", .sequence = 1, .options = mss()});
  peer.expect("SAE");
}

TEST_F(AccurateEcnConnection, CountsWhatArrivesMarked) {
  tcp::Listener& listener = world_.listen(80);
  peer_.send({.flags = "SECN", .sequence = peer_.next, .options = mss()});
  peer_.expected = peer_.expect("SAC").sequence() + 1;
  peer_.next += 1;
  peer_.send(
      {.flags = "AC", .sequence = peer_.next, .acknowledgment = peer_.expected});  // 010: was not marked
  ASSERT_TRUE(world_.with([&] { return listener.accept(); }));
  const auto send_text = [&](std::uint8_t mark) {
    peer_.send({.flags = "PAEN",  // 101: the initial count
                .sequence = peer_.next,
                .acknowledgment = peer_.expected,
                .payload = "octets",
                .traffic_class = mark});
    peer_.next += 6;
    world_.advance(std::chrono::milliseconds(100));
    const auto answer = peer_.receive();
    return answer ? tcp::ace_of(answer->header.flags) : 99;
  };
  EXPECT_EQ(send_text(2), 5);
  EXPECT_EQ(send_text(3), 6);
  EXPECT_EQ(send_text(2), 6);
  EXPECT_EQ(send_text(3), 7);
  EXPECT_EQ(send_text(3), 0);
}

TEST_F(AccurateEcnConnection, CubicReducesOncePerRoundTrip) {
  tcp::Listener& listener = world_.listen(80);
  peer_.send({.flags = "SECN", .sequence = peer_.next, .options = mss()});
  peer_.expected = peer_.expect("SAC").sequence() + 1;
  peer_.next += 1;
  peer_.send({.flags = "AC", .sequence = peer_.next, .acknowledgment = peer_.expected});
  tcp::Connection& connection = **world_.with([&] { return listener.accept(); });
  write(world_, connection, letters(10000));
  const auto sent = peer_.receive_all();
  ASSERT_EQ(sent.size(), 10U);
  for (const Answer& segment : sent) {
    EXPECT_EQ(segment.traffic_class, 2);
    EXPECT_EQ(tcp::ace_of(segment.header.flags), 5) << "in each segment of a super-segment";
  }
  const std::uint64_t before = connection.info().cwnd;
  peer_.expected += 1000;
  peer_.send({.flags = "ACN", .sequence = peer_.next, .acknowledgment = peer_.expected});  // 110: one more
  const std::uint64_t after = connection.info().cwnd;
  EXPECT_LT(after, before);
  peer_.expected += 1000;
  peer_.send({.flags = "AECN", .sequence = peer_.next, .acknowledgment = peer_.expected});
  EXPECT_EQ(connection.info().cwnd, after) << "the same round trip";
}

TEST_F(AccurateEcnConnection, DctcpAsksForItWhateverTheMode) {
  HostUnderTest world(config(tcp::EcnMode::kOff));
  ScriptedPeer peer(world, 4000, 80);
  tcp::PortHold hold;
  tcp::Options options;
  options.congestion_control = world.host().tcp().congestion_control("prague");
  ASSERT_NE(options.congestion_control, nullptr);
  const auto connection = world.with([&] { return world.host().tcp().connect(hold, peer.local(), options); });
  ASSERT_TRUE(connection);
  auto syn = world.take();
  ASSERT_GE(syn.size(), 40U);
  EXPECT_EQ(syn[32] & 1, 1) << "AE";
  EXPECT_EQ(syn[33] & 0xc2, 0xc2) << "CWR, ECE, SYN";
}

}  // namespace
}  // namespace transom::test
