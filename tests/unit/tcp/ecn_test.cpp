// Explicit congestion notification (RFC 3168 §6.1).
#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

constexpr std::uint8_t kEct0 = 2;
constexpr std::uint8_t kCe = 3;

HostConfig with_ecn(tcp::EcnMode mode) {
  HostConfig config;
  config.tcp.ecn = mode;
  return config;
}

class Ecn : public testing::Test {
 protected:
  // A connection that the peer has opened with `syn_flags`, which the host answered with `expected`.
  tcp::Connection& open(std::string_view syn_flags, std::string_view expected) {
    tcp::Listener& listener = world_.listen(80);
    peer_.send({.flags = syn_flags, .sequence = peer_.next, .options = mss()});
    const Answer answer = peer_.expect(expected);
    peer_.next += 1;
    peer_.expected = answer.sequence() + 1;
    peer_.send({.flags = "A", .sequence = peer_.next, .acknowledgment = peer_.expected});
    const auto connection = world_.with([&] { return listener.accept(); });
    EXPECT_TRUE(connection.has_value());
    return **connection;
  }
  static wire::TcpOptions mss() {
    wire::TcpOptions options;
    options.maximum_segment_size = 1000;
    return options;
  }
  void acknowledge(std::string_view flags, std::uint32_t octets) {
    peer_.expected += octets;
    peer_.send({.flags = flags, .sequence = peer_.next, .acknowledgment = peer_.expected});
  }

  HostUnderTest world_{with_ecn(tcp::EcnMode::kAgree)};
  ScriptedPeer peer_{world_, 4000, 80};
};

TEST_F(Ecn, IsAgreedToWhenAskedFor) { open("SEC", "SAE"); }
TEST_F(Ecn, IsNotBroughtUpByThePassiveSide) { open("S", "SA"); }
TEST_F(Ecn, NeedsBothFlagsInTheSyn) { open("SE", "SA"); }

// §6.1.1: who has heard a SYN without it as well marks nothing, though the first one asked.
TEST_F(Ecn, IsGivenUpWhenTheSynComesAgainWithoutIt) {
  tcp::Listener& listener = world_.listen(80);
  peer_.send({.flags = "SEC", .sequence = peer_.next, .options = mss()});
  const Answer answer = peer_.expect("SAE");
  peer_.send({.flags = "S", .sequence = peer_.next, .options = mss()});
  EXPECT_EQ(peer_.expect("SA").sequence(), answer.sequence());
  peer_.next += 1;
  peer_.expected = answer.sequence() + 1;
  peer_.send({.flags = "A", .sequence = peer_.next, .acknowledgment = peer_.expected});
  tcp::Connection& connection = **world_.with([&] { return listener.accept(); });
  write(world_, connection, "data");
  EXPECT_EQ(peer_.expect("PA").traffic_class & 3, 0);
}

TEST_F(Ecn, IsRefusedWhenSwitchedOff) {
  HostUnderTest world(with_ecn(tcp::EcnMode::kOff));
  ScriptedPeer peer(world, 4000, 80);
  world.listen(80);
  peer.send({.flags = "SEC", .sequence = 1, .options = mss()});
  peer.expect("SA");
}

TEST_F(Ecn, IsAskedForOnceAndThenDoneWithout) {  // §6.1.1.1
  HostUnderTest world(with_ecn(tcp::EcnMode::kRequest));
  ScriptedPeer peer(world, 4000, 80);
  tcp::PortHold hold;
  ASSERT_TRUE(world.with([&] { return world.host().tcp().connect(hold, peer.local(), {}); }));
  const auto first = world.take();
  ASSERT_GE(first.size(), 40U);
  EXPECT_EQ(first[33] & 0xc2, 0xc2) << "SYN with ECE and CWR";
  world.advance(std::chrono::milliseconds(1001));
  const auto second = world.take();
  ASSERT_GE(second.size(), 40U);
  EXPECT_EQ(second[33] & 0xc2, 0x02) << "the retransmitted SYN is a plain one";
}

TEST_F(Ecn, MarksNewDataAsCapableAndNothingElse) {
  tcp::Connection& connection = open("SEC", "SAE");
  write(world_, connection, letters(1000));
  EXPECT_EQ(peer_.expect("PA").traffic_class, kEct0);
  world_.advance(std::chrono::seconds(2));
  const Answer again = peer_.expect("PA");
  EXPECT_EQ(again.traffic_class, 0) << "§6.1.5: a retransmission must not be capable";
  acknowledge("A", 1000);
  peer_.receive_all();
  peer_.send_next("PA", "question");
  world_.advance(std::chrono::milliseconds(100));
  EXPECT_EQ(peer_.expect("A").traffic_class, 0) << "§6.1.4: nor a pure ACK";
}

TEST_F(Ecn, MarksNothingWithoutAgreement) {
  tcp::Connection& connection = open("S", "SA");
  write(world_, connection, letters(1000));
  EXPECT_EQ(peer_.expect("PA").traffic_class, 0);
}

TEST_F(Ecn, EchoesCongestionInEveryAckUntilTheSenderHasReduced) {  // §6.1.3
  open("SEC", "SAE");
  const auto data = [&](std::string_view flags, std::uint8_t mark) {
    peer_.send({.flags = flags,
                .sequence = peer_.next,
                .acknowledgment = peer_.expected,
                .payload = "octets",
                .traffic_class = mark});
    peer_.next += 6;
    world_.advance(std::chrono::milliseconds(100));
    return peer_.receive().value_or(Answer{}).flags();
  };
  EXPECT_EQ(data("PA", kEct0), "A");
  EXPECT_EQ(data("PA", kCe), "AE");
  EXPECT_EQ(data("PA", kEct0), "AE");
  EXPECT_EQ(data("PA", kEct0), "AE");
  EXPECT_EQ(data("PAC", kEct0), "A");
  EXPECT_EQ(data("PAC", kCe), "AE") << "marked again: CWR is about the marks before it";
}

TEST_F(Ecn, ReducesOncePerRoundTripAndSaysSo) {  // §6.1.2
  tcp::Connection& connection = open("SEC", "SAE");
  write(world_, connection, letters(10000));
  EXPECT_EQ(peer_.receive_all().size(), 10U);
  const std::uint64_t before = connection.info().cwnd;
  acknowledge("AE", 1000);
  const std::uint64_t after = connection.info().cwnd;
  EXPECT_LT(after, before);
  EXPECT_GE(after, before / 2);
  acknowledge("AE", 1000);
  EXPECT_EQ(connection.info().cwnd, after) << "the second echo is of the same round trip";
  acknowledge("AE", 8000);
  peer_.receive_all();
  write(world_, connection, letters(2000));
  const auto sent = peer_.receive_all();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_TRUE(sent[0].header.flags.cwr);
  EXPECT_FALSE(sent[1].header.flags.cwr) << "it is said once";
}

TEST_F(Ecn, IgnoresEchoesWithoutAgreement) {
  tcp::Connection& connection = open("S", "SA");
  write(world_, connection, letters(10000));
  peer_.receive_all();
  const std::uint64_t before = connection.info().cwnd;
  acknowledge("AE", 1000);
  EXPECT_GE(connection.info().cwnd, before);
}

}  // namespace
}  // namespace transom::test
