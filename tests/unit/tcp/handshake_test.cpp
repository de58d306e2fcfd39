// Opening a connection: RFC 9293 §3.5, §3.10.7.1 to §3.10.7.3; RFC 7323; RFC 2018; RFC 4987; RFC 6528.
#include <set>

#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

wire::TcpOptions modern_options() {
  wire::TcpOptions options;
  options.maximum_segment_size = 1460;
  options.sack_permitted = true;
  options.timestamps = wire::TcpTimestamps{100, 0};
  options.window_scale = 7;
  return options;
}

class Handshake : public ::testing::TestWithParam<IpFamily> {
 protected:
  HostUnderTest world;
};
INSTANTIATE_TEST_SUITE_P(BothFamilies, Handshake, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         [](const auto& family) { return family.param == IpFamily::kIpv4 ? "v4" : "v6"; });

TEST_P(Handshake, PassiveOpenReachesEstablishedAndDeliversData) {
  auto& listener = world.listen(80, {}, 16, GetParam());
  ScriptedPeer peer(world, 4000, 80, GetParam());
  auto& connection = peer.connect_to(listener, modern_options());
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  peer.timestamp_value = 101;
  peer.send_next("PA", "hello");
  EXPECT_EQ(read_all(world, connection), "hello");
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
}

TEST_P(Handshake,
       SynAckCarriesOurMssAndTheNegotiatedOptions) {  // MUST-14, MUST-67, SHLD-5, R7323-01, R2018-01
  auto& listener = world.listen(80, {}, 16, GetParam());
  (void)listener;
  ScriptedPeer peer(world, 4000, 80, GetParam());
  peer.send({.flags = "S", .sequence = 1000, .options = modern_options()});
  const auto answer = peer.expect("SA");
  EXPECT_EQ(answer.header.options.maximum_segment_size, GetParam() == IpFamily::kIpv4 ? 1460 : 1440);
  EXPECT_TRUE(answer.header.options.sack_permitted);
  ASSERT_TRUE(answer.header.options.timestamps);
  EXPECT_EQ(answer.header.options.timestamps->echo, 100U);
  EXPECT_TRUE(answer.header.options.window_scale);
  EXPECT_EQ(answer.acknowledgment(), 1001U);
}

TEST_P(Handshake, PassiveOpenMeasuresTheRoundTripWithoutTimestamps) {  // RFC 6298 §2
  auto& listener = world.listen(80, {}, 16, GetParam());
  ScriptedPeer peer(world, 4000, 80, GetParam());
  const auto& connection = peer.connect_to(listener, {}, 65535, milliseconds(70));
  EXPECT_EQ(connection.info().srtt, milliseconds(70));
  EXPECT_EQ(connection.info().rto, milliseconds(270));  // 200 ms above it
}

TEST_P(Handshake, PassiveOpenMeasuresNothingWhenTheSynAckWentOutTwice) {  // RFC 6298 §3
  auto& listener = world.listen(80, {}, 16, GetParam());
  ScriptedPeer peer(world, 4000, 80, GetParam());
  peer.send({.flags = "S", .sequence = 1000});
  peer.expect("SA");
  world.advance(milliseconds(70));
  peer.send({.flags = "S", .sequence = 1000});
  peer.expected = peer.expect("SA").sequence() + 1;
  world.advance(milliseconds(70));
  peer.next = 1001;
  peer.send_next(".");
  const auto connection = world.with([&] { return listener.accept(); });
  ASSERT_TRUE(connection);
  EXPECT_EQ((*connection)->info().srtt, Duration::zero());
}

TEST_P(Handshake, SynAckOffersNothingThatTheSynDidNot) {
  world.listen(80, {}, 16, GetParam());
  ScriptedPeer peer(world, 4000, 80, GetParam());
  peer.send({.flags = "S", .sequence = 1000});
  const auto answer = peer.expect("SA");
  EXPECT_FALSE(answer.header.options.sack_permitted);
  EXPECT_FALSE(answer.header.options.timestamps);
  EXPECT_FALSE(answer.header.options.window_scale);
}

TEST_P(Handshake, ActiveOpenReachesEstablished) {
  ScriptedPeer peer(world, 80, 5000, GetParam());
  auto& connection = peer.accept_from_host({}, modern_options());
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  EXPECT_EQ(write(world, connection, "hello"), 5U);
  EXPECT_EQ(peer.expect("PA").payload, "hello");
}

TEST_P(Handshake, SegmentToClosedPortDrawsReset) {  // R9293-01
  ScriptedPeer peer(world, 4000, 81, GetParam());
  peer.send({.flags = "S", .sequence = 1000});
  auto answer = peer.expect("RA");
  EXPECT_EQ(answer.sequence(), 0U);
  EXPECT_EQ(answer.acknowledgment(), 1001U);
  peer.send({.flags = ".", .sequence = 1000, .acknowledgment = 777, .payload = "abc"});
  answer = peer.expect("R");
  EXPECT_EQ(answer.sequence(), 777U);
  peer.send({.flags = "F", .sequence = 1000, .payload = "abc"});
  EXPECT_EQ(peer.expect("RA").acknowledgment(), 1004U);
  peer.send({.flags = "R", .sequence = 1000});  // R9293-12
  peer.expect_silence();
}

TEST_P(Handshake, ListenIgnoresResetAndAnswersAckWithReset) {  // R9293-02
  world.listen(80, {}, 16, GetParam());
  ScriptedPeer peer(world, 4000, 80, GetParam());
  peer.send({.flags = "R", .sequence = 1});
  peer.expect_silence();
  peer.send({.flags = ".", .sequence = 1, .acknowledgment = 555});
  EXPECT_EQ(peer.expect("R").sequence(), 555U);
  peer.send({.flags = "F", .sequence = 1});
  peer.expect_silence();
  peer.send({.flags = "SF", .sequence = 1});  // ATK-TCP-03
  peer.expect_silence();
}

TEST_P(Handshake, SynSentAnswersUnacceptableAckWithResetAndStays) {  // R9293-03, ATK-TCP-96
  ScriptedPeer peer(world, 80, 5000, GetParam());
  auto& connection = world.with([&]() -> tcp::Connection& {
    auto hold = world.host().tcp().bind({.local = peer.remote()});
    return **world.host().tcp().connect(*hold, peer.local(), {});
  });
  const auto syn = peer.expect("S");
  peer.send({.flags = "SA", .sequence = 1, .acknowledgment = syn.sequence()});
  EXPECT_EQ(peer.expect("R").sequence(), syn.sequence());
  peer.send({.flags = "R", .sequence = 1});
  peer.send({.flags = "RA", .sequence = 1, .acknowledgment = syn.sequence() + 5});
  peer.expect_silence();
  EXPECT_EQ(connection.state(), tcp::State::kSynSent);
  peer.send({.flags = "FA", .sequence = 1, .acknowledgment = syn.sequence() + 1});  // ATK-TCP-91
  peer.expect_silence();
  EXPECT_EQ(connection.state(), tcp::State::kSynSent);
  peer.send({.flags = "RA", .sequence = 1, .acknowledgment = syn.sequence() + 1});
  EXPECT_EQ(connection.state(), tcp::State::kClosed);
  EXPECT_EQ(connection.take_error(), Error::kConnectionRefused);
}

TEST_P(Handshake, SimultaneousOpenEndsInOneConnection) {  // MUST-10
  ScriptedPeer peer(world, 80, 5000, GetParam());
  auto& connection = world.with([&]() -> tcp::Connection& {
    auto hold = world.host().tcp().bind({.local = peer.remote()});
    return **world.host().tcp().connect(*hold, peer.local(), {});
  });
  const auto syn = peer.expect("S");
  peer.send({.flags = "S", .sequence = 300});
  const auto answer = peer.expect("SA");
  EXPECT_EQ(answer.sequence(), syn.sequence());
  EXPECT_EQ(answer.acknowledgment(), 301U);
  EXPECT_EQ(connection.state(), tcp::State::kSynReceived);
  peer.send({.flags = "SA", .sequence = 300, .acknowledgment = syn.sequence() + 1});
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  EXPECT_EQ(world.host().tcp().connection_count(), 1U);
  write(world, connection, "x");
  EXPECT_EQ(peer.receive_all().back().payload, "x");
}

TEST_P(Handshake, CloseDuringSimultaneousOpenSendsTheFinOnceEstablished) {  // RFC 9293 §3.10.4
  ScriptedPeer peer(world, 80, 5000, GetParam());
  auto& connection = world.with([&]() -> tcp::Connection& {
    auto hold = world.host().tcp().bind({.local = peer.remote()});
    return **world.host().tcp().connect(*hold, peer.local(), {});
  });
  const auto syn = peer.expect("S");
  peer.send({.flags = "S", .sequence = 300});
  peer.expect("SA");
  world.with([&] { connection.close(); });
  peer.expect_silence();
  peer.send({.flags = "A", .sequence = 301, .acknowledgment = syn.sequence() + 1});
  EXPECT_EQ(peer.expect("FA").sequence(), syn.sequence() + 1);
}

TEST_P(Handshake, SynIsRetransmittedWithDoublingIntervalForThreeMinutes) {  // MUST-22, MUST-23, R2525-07
  ScriptedPeer peer(world, 80, 5000, GetParam());
  auto& connection = world.with([&]() -> tcp::Connection& {
    auto hold = world.host().tcp().bind({.local = peer.remote()});
    return **world.host().tcp().connect(*hold, peer.local(), {});
  });
  world.advance(seconds(179));
  EXPECT_EQ(connection.state(), tcp::State::kSynSent);
  const auto syns = peer.receive_all();
  ASSERT_GE(syns.size(), 4U);
  world.advance(seconds(300));
  EXPECT_EQ(connection.state(), tcp::State::kClosed);
  EXPECT_EQ(connection.take_error(), Error::kTimedOut);
}

TEST_P(Handshake, HalfOpenConnectionRetransmitsSynAckAndGivesUp) {
  world.listen(80, {}, 16, GetParam());
  ScriptedPeer peer(world, 4000, 80, GetParam());
  peer.send({.flags = "S", .sequence = 1000});
  world.advance(seconds(100));
  EXPECT_EQ(peer.receive_all().size(), 6U);
  EXPECT_EQ(world.host().tcp().half_open_count(), 0U);
}

TEST_P(Handshake, ResetReturnsHalfOpenSilentlyToListen) {  // MUST-11, ATK-TCP-78, ATK-TCP-92
  auto& listener = world.listen(80, {}, 16, GetParam());
  ScriptedPeer peer(world, 4000, 80, GetParam());
  peer.send({.flags = "S", .sequence = 1000});
  const auto syn_ack = peer.expect("SA");
  peer.send({.flags = "R", .sequence = 5});  // outside the window
  EXPECT_EQ(world.host().tcp().half_open_count(), 1U);
  peer.send({.flags = ".", .sequence = 1001, .acknowledgment = syn_ack.sequence() + 1000});
  EXPECT_EQ(peer.expect("R").sequence(), syn_ack.sequence() + 1000);
  EXPECT_EQ(world.host().tcp().half_open_count(), 1U);
  peer.send({.flags = "R", .sequence = 1001});
  EXPECT_EQ(world.host().tcp().half_open_count(), 0U);
  peer.expect_silence();
  EXPECT_FALSE(listener.readiness().readable);
}

TEST_P(Handshake, WithoutMssOptionTheDefaultIsAssumed) {  // MUST-15, R2525-03
  auto& listener = world.listen(80, {}, 16, GetParam());
  ScriptedPeer peer(world, 4000, 80, GetParam());
  auto& connection = peer.connect_to(listener);
  write(world, connection, letters(20000));
  std::size_t largest = 0;
  for (const auto& answer : peer.receive_all()) largest = std::max(largest, answer.payload.size());
  EXPECT_EQ(largest, GetParam() == IpFamily::kIpv4 ? 536U : 1220U);
}

TEST_P(Handshake, WindowScaleOfFifteenCountsAsFourteen) {  // R7323-01, ATK-TCP-72
  auto& listener = world.listen(80, {}, 16, GetParam());
  ScriptedPeer peer(world, 4000, 80, GetParam());
  auto options = modern_options();
  options.window_scale = 255;
  auto& connection = peer.connect_to(listener, options);
  EXPECT_EQ(connection.info().send_scale, 14);
}

TEST_P(Handshake, AcceptQueueIsBoundedByTheBacklog) {  // POSIX-03, ATK-SOCKETS-03
  auto& listener = world.listen(80, {}, 2, GetParam());
  for (std::uint16_t i = 0; i < 10; ++i) {
    ScriptedPeer peer(world, static_cast<std::uint16_t>(4000 + i), 80, GetParam());
    peer.send({.flags = "S", .sequence = 1000});
    if (const auto answer = peer.receive()) {
      peer.send({.flags = ".", .sequence = 1001, .acknowledgment = answer->sequence() + 1});
    }
  }
  std::size_t accepted = 0;
  while (world.with([&] { return listener.accept(); })) ++accepted;
  EXPECT_EQ(accepted, 3U);  // as Linux: one more than the backlog
}

TEST_P(Handshake, SynFloodIsAnsweredWithCookiesThatKeepTheOptions) {  // R4987-01, R4987-02, ATK-TCP-01
  auto& listener = world.listen(80, {}, 4, GetParam());
  for (std::uint16_t i = 0; i < 2000; ++i) {
    ScriptedPeer attacker(world, static_cast<std::uint16_t>(10000 + i), 80, GetParam());
    attacker.send({.flags = "S", .sequence = i, .options = modern_options()});
    attacker.receive_all();
  }
  EXPECT_EQ(world.host().tcp().half_open_count(), 4U);
  ScriptedPeer peer(world, 4000, 80, GetParam());
  auto& connection = peer.connect_to(listener, modern_options());
  const auto info = connection.info();
  EXPECT_TRUE(info.sack);
  EXPECT_TRUE(info.timestamps);
  EXPECT_EQ(info.send_scale, 7);
  EXPECT_GE(info.send_mss, 1400U);
  EXPECT_GT(world.counter(Counter::kTcpExtSyncookiesRecv), 0U);
  // A made-up cookie draws a reset and no connection.
  ScriptedPeer forger(world, 4001, 80, GetParam());
  forger.send({.flags = ".", .sequence = 1, .acknowledgment = 0x12345678});
  forger.expect("R");
}

TEST_P(Handshake,
       InitialSequenceNumbersFollowClockAndDifferBetweenTuples) {  // MUST-8, SHLD-1, ATK-TCP-21..24
  std::set<std::uint32_t> seen;
  for (std::uint16_t port = 5000; port < 5100; ++port) {
    ScriptedPeer peer(world, 80, port, GetParam());
    world.with([&] {
      auto hold = world.host().tcp().bind({.local = peer.remote()});
      (void)world.host().tcp().connect(*hold, peer.local(), {});
    });
    seen.insert(peer.expect("S").sequence());
  }
  EXPECT_EQ(seen.size(), 100U);
}

TEST_P(Handshake, DataWithTheFinalAckIsDelivered) {
  auto& listener = world.listen(80, {}, 16, GetParam());
  ScriptedPeer peer(world, 4000, 80, GetParam());
  peer.send({.flags = "S", .sequence = 1000, .options = modern_options()});
  peer.expected = peer.expect("SA").sequence() + 1;
  peer.next = 1001;
  peer.timestamps = true;
  peer.timestamp_value = 100;
  peer.send_next("PA", "early");
  auto accepted = world.with([&] { return listener.accept(); });
  ASSERT_TRUE(accepted);
  EXPECT_EQ(read_all(world, **accepted), "early");
}

TEST_P(Handshake, ConnectRefusesAddressesThatAreNotUnicast) {  // MUST-46
  for (const char* text : {"224.0.0.1", "255.255.255.255", "ff02::1"}) {
    tcp::PortHold none;
    const auto result =
        world.with([&] { return world.host().tcp().connect(none, {*IpAddress::parse(text), Port{80}}, {}); });
    EXPECT_FALSE(result) << text;
  }
  ScriptedPeer peer(world, 80, 5000, GetParam());
  peer.expect_silence();
}

TEST_P(Handshake, ChallengesSynOnEstablishedConnectionWhateverItsNumber) {  // R5961-02, ATK-TCP-27
  auto& listener = world.listen(80, {}, 16, GetParam());
  ScriptedPeer peer(world, 4000, 80, GetParam());
  auto& connection = peer.connect_to(listener, modern_options());
  for (const std::uint32_t sequence : {peer.next, peer.next + 100, peer.next - 100000}) {
    world.advance(seconds(2));
    peer.send({.flags = "S", .sequence = sequence});
    EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  }
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
}

}  // namespace
}  // namespace transom::test
