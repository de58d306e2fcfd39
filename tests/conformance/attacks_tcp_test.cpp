// Published attacks on TCP (tests/conformance/attacks.csv) that no requirement's test covers. After each of
// them the Host must serve an honest peer.
#include "tests/conformance/conversation.h"

namespace transom::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// A new connection from an honest peer carries data both ways.
void expect_service(HostUnderTest& world, tcp::Listener& listener, std::uint16_t port = 60000) {
  while (!world.take().empty()) {
  }
  ScriptedPeer honest(world, port, 80);
  auto& connection = honest.connect_to(listener);
  honest.send_next("PA", "question");
  EXPECT_EQ(read_all(world, connection), "question");
  write(world, connection, "answer");
  EXPECT_EQ(payload_of(honest.receive_all()), "answer");
}

std::string flags_of(unsigned bits) {
  std::string flags;
  for (const char flag : std::string_view("FSRPAUEC")) {
    if (bits & 1U) flags += flag;
    bits >>= 1;
  }
  return flags;
}

TEST(TcpAttacks, EveryCombinationOfFlagsInEveryState) {  // ATK-TCP-04
  for (const tcp::State state :
       {tcp::State::kEstablished, tcp::State::kFinWait1, tcp::State::kFinWait2, tcp::State::kCloseWait,
        tcp::State::kClosing, tcp::State::kLastAck, tcp::State::kTimeWait}) {
    for (unsigned bits = 0; bits < 256; ++bits) {
      Conversation talk;
      talk.bring_to(state);
      const std::string flags = flags_of(bits);
      for (const std::uint32_t sequence : {talk.peer.next + 0x40000000U, talk.peer.next + 1, talk.peer.next})
        talk.peer.send(
            {.flags = flags, .sequence = sequence, .acknowledgment = talk.peer.expected, .payload = "x"});
      const bool resets = flags.find('R') != std::string::npos;
      const bool acknowledges = flags.find('A') != std::string::npos;
      const bool synchronises = flags.find('S') != std::string::npos;
      if (!resets && (!acknowledges || synchronises)) {
        EXPECT_EQ(talk.connection.state(), state) << flags;
      }
      if (bits % 32 == 0) expect_service(talk.world, talk.listener);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(TcpAttacks, EveryCombinationOfFlagsToAListenerAndAClosedPort) {  // ATK-TCP-04
  HostUnderTest world;
  auto& listener = world.listen(80);
  for (unsigned bits = 0; bits < 256; ++bits) {
    const std::string flags = flags_of(bits);
    for (const std::uint16_t port : std::array<std::uint16_t, 2>{80, 81}) {
      ScriptedPeer peer(world, static_cast<std::uint16_t>(4000 + bits), port);
      peer.send({.flags = flags, .sequence = 1, .acknowledgment = 77, .payload = "x"});
      const auto answers = peer.receive_all();
      EXPECT_LE(answers.size(), 1U);
      for (const auto& answer : answers) EXPECT_TRUE(answer.payload.empty());
      if (flags.find('R') != std::string::npos) {
        EXPECT_TRUE(answers.empty()) << flags;
      }
    }
    ScriptedPeer(world, static_cast<std::uint16_t>(4000 + bits), 80).send({.flags = "R", .sequence = 2});
  }
  EXPECT_EQ(world.host().tcp().half_open_count(), 0U);
  EXPECT_EQ(world.host().tcp().connection_count(), 0U);
  expect_service(world, listener);
}

TEST(TcpAttacks, ReportsOfSingleOctetsAllOverTheWindow) {  // ATK-TCP-07, ATK-TCP-08
  wire::TcpOptions options;
  options.maximum_segment_size = 1000;
  options.sack_permitted = true;
  Conversation talk({.peer = options});
  talk.grow_window(60);
  talk.write(letters(60000));
  const std::size_t sent = talk.peer.receive_all().size();
  const std::uint32_t base = talk.peer.expected;
  const std::uint32_t end = talk.connection.send_next().value();
  for (std::uint32_t at = base + 1; at + 8 < end; at += 8)
    talk.acknowledge(base, 65535, {block(at, at + 1), block(at + 2, at + 3), block(at + 4, at + 5)});
  EXPECT_LE(talk.peer.receive_all().size(), sent) << "no storm";
  EXPECT_LT(talk.connection.info().in_flight, 61000U);
  talk.acknowledge(talk.connection.send_next().value());
  EXPECT_LE(talk.connection.unacked_octets(), 60000U - (end - base));
  expect_service(talk.world, talk.listener);
}

TEST(TcpAttacks, TinySegmentsWithGapsUpToTheWindow) {  // ATK-TCP-10, ATK-TCP-12
  Conversation talk({.peer = modern_options(), .host = {.receive_buffer = 1 << 20}});
  for (std::uint32_t at = 2; at < 60000; at += 2) talk.send_at(at, "x");
  (void)talk.peer.receive_all();
  // The one that fills the hole is taken all the same.
  talk.send_at(0, "ab");
  EXPECT_EQ(talk.read().substr(0, 2), "ab");
  expect_service(talk.world, talk.listener);
}

TEST(TcpAttacks, AnOrphanWhosePeerKeepsItsWindowShutEnds) {  // ATK-TCP-13, ATK-TCP-14, ATK-TCP-15, ATK-TCP-16
  Conversation talk;
  talk.acknowledge(talk.peer.expected, 0);
  talk.write(letters(5000));
  talk.close();
  const Instant begin = talk.world.now();
  while (talk.world.now() - begin < hours(1) && talk.world.host().tcp().connection_count() > 0) {
    talk.world.advance(seconds(10));
    if (!talk.peer.receive_all().empty()) talk.acknowledge(talk.peer.expected, 0);
  }
  EXPECT_EQ(talk.world.host().tcp().connection_count(), 0U) << "nobody of ours waits for it any more";
  EXPECT_GE(talk.world.now() - begin, seconds(100)) << "R2";
  expect_service(talk.world, talk.listener);
}

TEST(TcpAttacks, AnOrphanWhosePeerHasVanishedEnds) {  // ATK-TCP-13, ATK-TCP-16
  for (const tcp::State state : {tcp::State::kFinWait1, tcp::State::kClosing, tcp::State::kLastAck}) {
    Conversation talk;
    talk.bring_to(state);
    talk.close();
    talk.world.advance(hours(1));
    EXPECT_EQ(talk.world.host().tcp().connection_count(), 0U) << to_string(state);
  }
}

TEST(TcpAttacks, HandshakesThatAreFinishedAndThenForgottenAreBounded) {  // ATK-TCP-17
  HostConfig config;
  config.tcp.max_connections = 50;
  HostUnderTest world(config);
  auto& listener = world.listen(80, {}, 10000);
  for (std::uint16_t port = 4000; port < 4100; ++port) {
    ScriptedPeer peer(world, port, 80);
    peer.send({.flags = "S", .sequence = 1});
    if (const auto answer = peer.receive())
      peer.send({.flags = "A", .sequence = 2, .acknowledgment = answer->sequence() + 1});
  }
  EXPECT_LE(world.host().tcp().connection_count(), 50U);
  while (const auto accepted = world.with([&] { return listener.accept(); }))
    world.with([&] { (*accepted)->abort(); });
  expect_service(world, listener);
}

TEST(TcpAttacks, ATimestampOutsideOfTheWindowIsNotTaken) {  // ATK-TCP-31
  Conversation talk({.peer = modern_options()});
  const auto poison = [&](std::uint32_t sequence) {
    Script script{.flags = "A", .sequence = sequence, .acknowledgment = talk.peer.expected, .payload = "x"};
    script.options.timestamps = wire::TcpTimestamps{0x7fff0000, 0};
    talk.peer.send(script);
  };
  poison(talk.peer.next - 1000);
  poison(talk.peer.next + 0x40000000);
  (void)talk.peer.receive_all();
  talk.peer.send_next("PA", "honest");
  EXPECT_EQ(talk.read(), "honest");
}

TEST(TcpAttacks, AThousandDuplicateAcksSendNoMoreThanIsInFlight) {  // ATK-TCP-37
  wire::TcpOptions options;
  options.maximum_segment_size = 1000;
  options.sack_permitted = true;
  Conversation talk({.peer = options});
  talk.grow_window(20);
  talk.write(letters(500000));
  const std::size_t flight = talk.peer.receive_all().size();
  const std::uint32_t base = talk.peer.expected;
  for (int i = 0; i < 1000; ++i) talk.acknowledge(base, 65535, {block(base + 1000, base + 5000)});
  EXPECT_LE(talk.peer.receive_all().size(), flight + 1);
}

TEST(TcpAttacks, AMalformedAuthenticationOptionTouchesNothing) {  // ATK-TCP-56, ATK-TCP-86
  HostUnderTest world;
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  peer.send({.flags = "S", .sequence = 1, .raw_options = {29, 1, 0, 0}});
  peer.send({.flags = "S", .sequence = 1, .raw_options = {29, 20, 0, 0}});
  peer.expect_silence();
  std::vector<std::uint8_t> signature(20, 1);
  signature[2] = 19;
  signature[3] = 18;
  peer.send({.flags = "S", .sequence = 1, .raw_options = signature});
  peer.expect("SA");  // there is no key: as if it were not there
  expect_service(world, listener);
}

TEST(TcpAttacks, UrgentDataInTheSynAckIsNoMark) {  // ATK-TCP-57
  HostUnderTest world;
  ScriptedPeer peer(world, 80, 5000);
  auto& connection = world.with([&]() -> tcp::Connection& {
    auto hold = world.host().tcp().bind({.local = peer.remote()});
    return **world.host().tcp().connect(*hold, peer.local(), {});
  });
  const Answer syn = peer.expect("S");
  peer.send({.flags = "SAU",
             .sequence = 1000,
             .acknowledgment = syn.sequence() + 1,
             .payload = "ab",
             .urgent_pointer = 0xffff});
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  peer.next = 1001;
  peer.expected = syn.sequence() + 1;
  peer.send_next("PA", "ab");
  EXPECT_EQ(read_all(world, connection), "ab");
}

TEST(TcpAttacks, StrayAcksDrawOneSmallResetEachAndKeepNothing) {  // ATK-TCP-61, ATK-TCP-63, ATK-TCP-65
  HostUnderTest world;
  auto& listener = world.listen(80);
  const std::string request = "GET / HTTP/1.0\r\n\r\n" + letters(500);
  for (std::uint32_t i = 0; i < 20000; ++i) {
    ScriptedPeer peer(world, static_cast<std::uint16_t>(1024 + i % 50000), i % 2 == 0 ? 80 : 81);
    peer.send({.flags = "PA", .sequence = i * 7919, .acknowledgment = i * 104729, .payload = request});
    const auto packet = world.take();
    ASSERT_LE(packet.size(), 40U) << "never more than a bare reset";
    ASSERT_TRUE(world.take().empty());
  }
  EXPECT_EQ(world.host().tcp().connection_count(), 0U);
  EXPECT_EQ(world.host().tcp().half_open_count(), 0U);
  expect_service(world, listener);
}

TEST(TcpAttacks, ASynThatIsNeverAnsweredReflectsLittle) {  // ATK-TCP-62
  HostUnderTest world;
  auto& listener = world.listen(80);
  ScriptedPeer victim(world, 4000, 80);
  victim.send({.flags = "S", .sequence = 1});
  world.advance(minutes(10));
  EXPECT_LE(victim.receive_all().size(), 6U);
  victim.send({.flags = "S", .sequence = 1});
  victim.expect("SA");
  victim.send({.flags = "R", .sequence = 2});
  world.advance(minutes(10));
  victim.expect_silence();
  expect_service(world, listener);
}

TEST(TcpAttacks, AReceiverThatHidesMarksIsStillHeldBackByLoss) {  // ATK-TCP-69
  HostConfig config;
  config.tcp.ecn = tcp::EcnMode::kAgree;
  Conversation talk({.config = config});
  talk.grow_window(40);
  const std::uint64_t before = talk.connection.info().cwnd;
  talk.write(letters(40000));
  (void)talk.peer.receive_all();
  for (int i = 0; i < 4; ++i) talk.acknowledge(talk.peer.expected);
  EXPECT_LT(talk.connection.info().cwnd, before);
}

TEST(TcpAttacks, DataInASynIsNotAcknowledgedAndComesAgain) {  // ATK-TCP-75
  HostUnderTest world;
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  const std::string text = letters(1000);
  peer.send({.flags = "S", .sequence = 1000, .payload = text});
  const Answer answer = peer.expect("SA");
  EXPECT_EQ(answer.acknowledgment(), 1001U);
  peer.next = 1001;
  peer.expected = answer.sequence() + 1;
  peer.send_next("PA", text);
  auto& connection = **world.with([&] { return listener.accept(); });
  EXPECT_EQ(read_all(world, connection), text);

  ScriptedPeer server(world, 80, 5000);
  auto& active = world.with([&]() -> tcp::Connection& {
    auto hold = world.host().tcp().bind({.local = server.remote()});
    return **world.host().tcp().connect(*hold, server.local(), {});
  });
  const Answer syn = server.expect("S");
  server.send({.flags = "SAF", .sequence = 2000, .acknowledgment = syn.sequence() + 1, .payload = text});
  EXPECT_EQ(read_all(world, active), text) << "text and FIN of a SYN-ACK count in their order";
  EXPECT_EQ(active.state(), tcp::State::kCloseWait);
}

TEST(TcpAttacks, AGuessedSimultaneousOpenNeedsTheRightAck) {  // ATK-TCP-76
  HostUnderTest world;
  ScriptedPeer peer(world, 80, 5000);
  auto& connection = world.with([&]() -> tcp::Connection& {
    auto hold = world.host().tcp().bind({.local = peer.remote()});
    return **world.host().tcp().connect(*hold, peer.local(), {});
  });
  const Answer syn = peer.expect("S");
  peer.send({.flags = "S", .sequence = 300});
  peer.expect("SA");
  for (const std::uint32_t guess : {syn.sequence(), syn.sequence() + 2, 0U}) {
    peer.send({.flags = "A", .sequence = 301, .acknowledgment = guess});
    peer.expect("R");
  }
  EXPECT_EQ(connection.state(), tcp::State::kSynReceived);
}

TEST(TcpAttacks, AConnectionToItselfIsASimultaneousOpen) {  // ATK-TCP-79, ATK-TCP-05
  HostUnderTest world;
  const Endpoint self{HostUnderTest::kHost, Port{5000}};
  auto& connection = world.with([&]() -> tcp::Connection& {
    auto hold = world.host().tcp().bind({.local = self});
    return **world.host().tcp().connect(*hold, self, {});
  });
  world.advance(seconds(1));
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  write(world, connection, "echo");
  world.advance(seconds(1));
  EXPECT_EQ(read_all(world, connection), "echo");
}

TEST(TcpAttacks, ASynFromItselfOnTheWireIsDropped) {  // ATK-TCP-05
  HostUnderTest world;
  auto& listener = world.listen(80);
  ScriptedPeer land(world, 80, 80);
  land.send({.flags = "S", .sequence = 1, .source = HostUnderTest::kHost});
  EXPECT_TRUE(world.take().empty());
  EXPECT_EQ(world.host().tcp().half_open_count(), 0U);
  expect_service(world, listener);
}

TEST(TcpAttacks, ARetransmissionIntoAClosedWindowIsNoStorm) {  // ATK-TCP-90
  Conversation talk;
  talk.write(letters(3000));
  (void)talk.peer.receive_all();
  talk.acknowledge(talk.peer.expected, 0);
  std::size_t sent = 0;
  for (int i = 0; i < 60; ++i) {
    sent += talk.settle(seconds(1)).size();
    talk.acknowledge(talk.peer.expected, 0);
  }
  EXPECT_GT(sent, 2U);
  EXPECT_LT(sent, 20U);
}

}  // namespace
}  // namespace transom::test
