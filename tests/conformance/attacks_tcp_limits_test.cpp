// Published attacks on what TCP counts, bounds and keeps secret: tests/conformance/attacks.csv.

#include <set>

#include "tests/conformance/conversation.h"

namespace transom::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// A segment to `port` from a peer that has no conversation, and what comes back.
std::vector<Answer> answers_to(HostUnderTest& world, std::uint16_t peer_port, std::uint16_t port,
                               const Script& script, IpFamily family = IpFamily::kIpv4) {
  ScriptedPeer peer(world, peer_port, port, family);
  peer.send(script);
  return peer.receive_all();
}

TEST(TcpAttacks, GuessedCookiesAreWorthNothing) {  // ATK-TCP-02
  HostConfig config;
  config.tcp.max_half_open = 4;
  HostUnderTest world(config);
  auto& listener = world.listen(80);
  const auto guess = [&](std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto answers = answers_to(world, static_cast<std::uint16_t>(1024 + i), 80,
                                      {.flags = ".", .sequence = 1001, .acknowledgment = i * 2654435761U});
      ASSERT_EQ(answers.size(), 1U);
      EXPECT_EQ(answers[0].flags(), "R");
    }
  };
  guess(200);
  // An overflow: for a while real cookies count.
  for (std::uint16_t port = 5000; port < 5020; ++port)
    EXPECT_EQ(answers_to(world, port, 80, {.flags = "S", .sequence = 1000}).size(), 1U);
  guess(2000);
  EXPECT_FALSE(world.with([&] { return listener.accept(); }));
}

TEST(TcpAttacks, HeadersOfAnswersAreFilledIn) {  // ATK-TCP-64
  HostUnderTest world;
  world.listen(80, {}, 16, IpFamily::kIpv6);
  for (const std::uint16_t port : std::initializer_list<std::uint16_t>{80, 81}) {
    ScriptedPeer peer(world, 4000, port, IpFamily::kIpv6);
    for (int i = 0; i < 5; ++i) {
      peer.send({.flags = "S", .sequence = 1000});
      const auto answer = peer.receive();
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->traffic_class, 0);
      EXPECT_EQ(answer->ttl, 64);
      EXPECT_EQ(answer->header.urgent_pointer, 0);
    }
  }
}

TEST(TcpAttacks, PortsCannotBeForetold) {  // ATK-TCP-66
  HostUnderTest world;
  std::vector<int> ports;
  for (std::uint16_t remote = 1000; remote < 1100; ++remote) {
    world.with([&] {
      tcp::PortHold none;
      const auto connection = world.host().tcp().connect(none, {HostUnderTest::kPeer, Port{remote}}, {});
      ASSERT_TRUE(connection);
      ports.push_back(static_cast<int>((*connection)->tuple().local.port));
    });
  }
  std::set<int> steps;
  for (std::size_t i = 1; i < ports.size(); ++i) steps.insert(ports[i] - ports[i - 1]);
  EXPECT_GT(steps.size(), 60U);
}

TEST(TcpAttacks, PortsThatRunOut) {  // ATK-SOCKETS-04
  HostConfig config;
  config.tcp.first_ephemeral_port = 50000;
  config.tcp.last_ephemeral_port = 50009;
  HostUnderTest world(config);
  const auto connect = [&](std::uint16_t port) {
    return world.with([&] {
      tcp::PortHold none;
      return world.host().tcp().connect(none, {HostUnderTest::kPeer, Port{port}}, {});
    });
  };
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(connect(80));
  EXPECT_EQ(connect(80).error(), Error::kAddressNotAvailable);
  EXPECT_TRUE(connect(81));  // another peer: the same ports do
}

TEST(TcpAttacks, TimeWaitIsBounded) {  // ATK-TCP-19
  HostConfig config;
  config.tcp.max_time_wait = 16;
  HostUnderTest world(config);
  auto& listener = world.listen(80);
  for (std::uint16_t port = 5000; port < 5100; ++port) {
    ScriptedPeer peer(world, port, 80);
    auto& connection = peer.connect_to(listener);
    world.with([&] { connection.close(); });
    peer.expected = peer.expect("FA").sequence() + 1;
    peer.send_next("FA");
    peer.expect("A");
    EXPECT_LE(world.host().tcp().time_wait_count(), 16U);
  }
  EXPECT_EQ(world.host().tcp().connection_count(), 0U);
}

TEST(TcpAttacks, ChallengesToOneConnectionSayNothingOfAnother) {  // ATK-TCP-29
  HostUnderTest world;
  auto& listener = world.listen(80);
  ScriptedPeer attacker(world, 4000, 80), victim(world, 4001, 80);
  attacker.connect_to(listener);
  victim.connect_to(listener);
  for (int i = 0; i < 1000; ++i) attacker.send({.flags = "S", .sequence = 7});
  EXPECT_LT(attacker.receive_all().size(), 20U);
  victim.send({.flags = "S", .sequence = 7});
  victim.expect("A");
}

TEST(TcpAttacks, AcksThatMakeNoSenseAreAnsweredNowAndThen) {  // ATK-TCP-33, -34, -81, -94
  Conversation talk;
  talk.peer.receive_all();
  std::size_t answers = 0;
  for (int i = 0; i < 1000; ++i) {
    talk.peer.send(
        {.flags = ".", .sequence = talk.peer.next + 0x10000000U, .acknowledgment = talk.peer.expected});
    talk.peer.send({.flags = ".", .sequence = talk.peer.next, .acknowledgment = talk.peer.expected + 100000});
    answers += talk.peer.receive_all().size();
    talk.world.advance(milliseconds(1));
  }
  EXPECT_LT(answers, 30U);
  EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished);
}

TEST(TcpAttacks, SegmentsDoNotBecomeTiny) {  // ATK-TCP-06, -09, -46, -73, -89
  for (const std::uint16_t mss : std::initializer_list<std::uint16_t>{0, 1, 48, 65535}) {
    Conversation talk({.peer = {.maximum_segment_size = mss}});
    talk.write(letters(20000));
    const auto segments = talk.peer.receive_all();
    ASSERT_FALSE(segments.empty());
    EXPECT_GE(segments[0].payload.size(), 216U) << mss;
    EXPECT_LE(segments[0].payload.size(), 1460U) << mss;
  }
}

TEST(TcpAttacks, ManySmallAcksCountAsWhatTheyAcknowledge) {  // ATK-TCP-36
  Conversation talk({.peer = modern_options(1460), .window = 2000});
  talk.write(letters(100000));
  const auto segments = talk.peer.receive_all();
  const std::uint64_t window = talk.connection.info().cwnd;
  const std::uint32_t base = segments[0].sequence();
  for (std::uint32_t acked = 10; acked <= 1440; acked += 10) talk.acknowledge(base + acked, 2000);
  EXPECT_LE(talk.connection.info().cwnd, window + 2 * 1460);
}

TEST(TcpAttacks, ManyDuplicateAcksReleaseNoFlood) {  // ATK-TCP-37
  Conversation talk({.peer = {.maximum_segment_size = 1000}});
  talk.write(letters(100000));
  const auto segments = talk.peer.receive_all();
  const std::uint32_t base = segments[0].sequence();
  for (int i = 0; i < 1000; ++i) talk.acknowledge(base);
  EXPECT_LE(talk.peer.receive_all().size(), segments.size() + 2);
  EXPECT_LE(talk.connection.info().cwnd, 2 * segments.size() * 1000);
}

TEST(TcpAttacks, AWindowThatStaysShutIsAskedAboutLessAndLess) {  // ATK-TCP-14, -80, -90
  Conversation talk;
  talk.write(letters(5000));
  talk.peer.receive_all();
  talk.acknowledge(talk.peer.expected + 5000, 0);
  talk.write(letters(5000));
  std::size_t probes = 0;
  for (int i = 0; i < 3600; ++i) {
    talk.world.advance(seconds(1));
    for (const Answer& probe : talk.peer.receive_all()) {
      ++probes;
      EXPECT_LE(probe.payload.size(), 1U);
      talk.acknowledge(talk.peer.expected + 5000, 0);
    }
  }
  EXPECT_GE(probes, 10U);
  EXPECT_LE(probes, 60U);
  EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished);
}

TEST(TcpAttacks, EchoedTimestampsThatLie) {  // ATK-TCP-84
  Conversation talk({.peer = modern_options(), .window = 500});
  for (const std::uint32_t echo : {0U, 1U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    talk.write(letters(1000));
    const auto segments = talk.peer.receive_all();
    ASSERT_FALSE(segments.empty());
    talk.peer.timestamp_echo = echo;
    talk.peer.expected =
        segments.back().sequence() + static_cast<std::uint32_t>(segments.back().payload.size());
    talk.world.advance(milliseconds(20));
    talk.acknowledge(talk.peer.expected, 500);
    EXPECT_GE(talk.connection.info().rto, milliseconds(200));
    EXPECT_LE(talk.connection.info().rto, seconds(10));
  }
}

TEST(TcpAttacks, NumbersAtTheWrap) {  // ATK-TCP-77, -88, -93
  for (const std::uint32_t irs : {0xffffffffU, 0xfffffffeU, 0x7fffffffU}) {
    Conversation talk({.peer = modern_options(), .irs = irs});
    talk.send_at(5, "later", "A");
    talk.peer.receive_all();
    talk.peer.send_next("PA", "first");
    EXPECT_EQ(talk.read(), "firstlater");
    talk.peer.next += 5;
    EXPECT_EQ(talk.settle().back().acknowledgment(), talk.peer.next);
  }
}

}  // namespace
}  // namespace transom::test
