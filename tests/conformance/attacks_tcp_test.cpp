// Published attacks on TCP: tests/conformance/attacks.csv. What a single misbehaving peer does is elsewhere
// too: tests/unit/tcp and the other conformance tests.

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

std::size_t frames(HostUnderTest& world) {
  return world.pool().in_use(BufferSize::kFrame) + world.pool().in_use(BufferSize::kSuperFrame);
}

// ---------------------------------------------------------------- without a connection

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

TEST(TcpAttacks, EveryCombinationOfFlagsToAClosedPort) {  // ATK-TCP-03, -04, -61, -63
  HostUnderTest world;
  for (int bits = 0; bits < 64; ++bits) {
    std::string flags;
    for (int i = 0; i < 6; ++i) {
      if ((bits & 1 << i) != 0) flags += "FSRPAU"[i];
    }
    const auto answers = answers_to(
        world, static_cast<std::uint16_t>(2000 + bits), 81,
        {.flags = flags, .sequence = 1000, .acknowledgment = 77, .payload = "GET / HTTP/1.0\r\n\r\n"});
    const bool is_reset = flags.find('R') != std::string::npos;
    ASSERT_LE(answers.size(), is_reset ? 0U : 1U) << flags;
    for (const Answer& answer : answers) {
      EXPECT_TRUE(answer.header.flags.rst) << flags;
      EXPECT_TRUE(answer.payload.empty()) << flags;
    }
  }
}

TEST(TcpAttacks, EveryCombinationOfFlagsToAListener) {  // ATK-TCP-03, -04, -63
  HostUnderTest world;
  auto& listener = world.listen(80);
  std::size_t half_open = 0;
  for (int bits = 0; bits < 64; ++bits) {
    std::string flags;
    for (int i = 0; i < 6; ++i) {
      if ((bits & 1 << i) != 0) flags += "FSRPAU"[i];
    }
    const auto has = [&](char flag) { return flags.find(flag) != std::string::npos; };
    const auto answers = answers_to(
        world, static_cast<std::uint16_t>(2000 + bits), 80,
        {.flags = flags, .sequence = 1000, .acknowledgment = 77, .payload = "GET / HTTP/1.0\r\n\r\n"});
    EXPECT_LE(answers.size(), 1U) << flags;
    for (const Answer& answer : answers) EXPECT_TRUE(answer.payload.empty()) << flags;
    if (has('S') && !has('A') && !has('R') && !has('F')) ++half_open;
    EXPECT_EQ(world.host().tcp().half_open_count(), half_open) << flags;
  }
  EXPECT_FALSE(world.with([&] { return listener.accept(); }));
}

TEST(TcpAttacks, BareAcksFromEverywhere) {  // ATK-TCP-61, ATK-TCP-65
  HostUnderTest world;
  world.listen(80);
  const std::size_t before = frames(world);
  for (std::uint32_t i = 0; i < 20000; ++i) {
    const auto port = static_cast<std::uint16_t>(1024 + i % 60000);
    const auto answers = answers_to(world, port, i % 2 == 0 ? 80 : 81,
                                    {.flags = ".", .sequence = i * 77777U, .acknowledgment = i * 99991U});
    EXPECT_LE(answers.size(), 1U);
  }
  EXPECT_EQ(frames(world), before);
  EXPECT_EQ(world.host().tcp().connection_count(), 0U);
}

TEST(TcpAttacks, SynAcksThatNobodyWants) {  // ATK-TCP-62
  HostUnderTest world;
  world.listen(80);
  ScriptedPeer victim(world, 4000, 80);
  victim.send({.flags = "S", .sequence = 1000});
  world.advance(minutes(10));
  EXPECT_LE(victim.receive_all().size(), 6U);
  EXPECT_EQ(world.host().tcp().half_open_count(), 0U);
  // Who says that it does not want them gets no more.
  victim.send({.flags = "S", .sequence = 5000});
  victim.expect("SA");
  victim.send({.flags = "R", .sequence = 5001});
  world.advance(minutes(10));
  victim.expect_silence();
}

TEST(TcpAttacks, DataAndFinInTheSyn) {  // ATK-TCP-75
  HostUnderTest world;
  auto& listener = world.listen(80);
  const std::string data = pattern(1000);
  ScriptedPeer peer(world, 4000, 80);
  peer.send({.flags = "S", .sequence = 1000, .payload = data});
  const Answer answer = peer.expect("SA");
  EXPECT_EQ(answer.acknowledgment(), 1001U);
  peer.next = 1001;
  peer.expected = answer.sequence() + 1;
  peer.send_next(".", data);
  const auto connection = world.with([&] { return listener.accept(); });
  ASSERT_TRUE(connection);
  EXPECT_EQ(read_all(world, **connection), data);
  EXPECT_TRUE(answers_to(world, 4001, 80, {.flags = "SF", .sequence = 1000, .payload = data}).empty());
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

TEST(TcpAttacks, ConnectingToOneself) {  // ATK-TCP-79
  HostUnderTest world;
  world.with([&] {
    auto hold = world.host().tcp().bind({.local = {HostUnderTest::kHost, Port{7777}}});
    ASSERT_TRUE(hold);
    (void)world.host().tcp().connect(*hold, {HostUnderTest::kHost, Port{7777}}, {});
  });
  world.advance(minutes(5));
  EXPECT_LE(world.host().tcp().connection_count(), 1U);
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

// ---------------------------------------------------------------- blind, beside a connection

TEST(TcpAttacks, EveryCombinationOfFlagsOutsideOfTheWindow) {  // ATK-TCP-04, ATK-TCP-30
  Conversation talk({.peer = modern_options()});
  for (int bits = 0; bits < 64; ++bits) {
    std::string flags;
    for (int i = 0; i < 6; ++i) {
      if ((bits & 1 << i) != 0) flags += "FSRPAU"[i];
    }
    talk.peer.send({.flags = flags,
                    .sequence = talk.peer.next + 0x70000000U,
                    .acknowledgment = talk.peer.expected,
                    .payload = "x",
                    .options = {.timestamps = wire::TcpTimestamps{talk.peer.timestamp_value, 0}}});
    EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished) << flags;
  }
  EXPECT_LE(talk.peer.receive_all().size(), 64U);
  EXPECT_EQ(talk.read(), "");
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

TEST(TcpAttacks, TimestampsOfForgedSegmentsArePutAside) {  // ATK-TCP-31
  Conversation talk({.peer = modern_options()});
  const std::uint32_t honest = talk.peer.timestamp_value + 10;
  for (const std::uint32_t offset : {0x10000000U, 0x90000000U}) {
    talk.peer.send({.flags = ".",
                    .sequence = talk.peer.next + offset,
                    .acknowledgment = talk.peer.expected,
                    .payload = "forged",
                    .options = {.timestamps = wire::TcpTimestamps{honest + 0x40000000U, 0}}});
  }
  talk.peer.receive_all();
  talk.peer.timestamp_value = honest;
  talk.peer.send_next("PA", "honest");
  EXPECT_EQ(talk.read(), "honest");
  const auto answers = talk.settle();
  ASSERT_FALSE(answers.empty());
  EXPECT_EQ(answers.back().header.options.timestamps->echo, honest);
}

// ---------------------------------------------------------------- by the peer itself

TEST(TcpAttacks, SegmentsDoNotBecomeTiny) {  // ATK-TCP-06, -09, -46, -73, -89
  for (const std::uint16_t mss : std::initializer_list<std::uint16_t>{0, 1, 48, 65535}) {
    Conversation talk({.peer = {.maximum_segment_size = mss}});
    talk.write(pattern(20000));
    const auto segments = talk.peer.receive_all();
    ASSERT_FALSE(segments.empty());
    EXPECT_GE(segments[0].payload.size(), 216U) << mss;
    EXPECT_LE(segments[0].payload.size(), 1460U) << mss;
  }
}

TEST(TcpAttacks, SacksOfSingleOctets) {  // ATK-TCP-06, -07, -08, -39
  Conversation talk({.peer = modern_options(), .window = 2000});
  talk.grow_window(60);
  const std::string data = pattern(50000);
  talk.write(data);
  const auto segments = talk.peer.receive_all();
  ASSERT_GT(segments.size(), 20U);
  const std::size_t before = frames(talk.world);
  const std::uint32_t base = segments[0].sequence();
  for (std::uint32_t i = 0; i < 20000; ++i) {
    const std::uint32_t at = base + 1 + i % 10000 * 2;
    talk.acknowledge(base, 2000, {block(at, at + 1), block(at + 4, at + 5), block(at + 8, at + 9)});
  }
  EXPECT_LE(frames(talk.world), before + 200);
  talk.peer.receive_all();
  // It is only slow, not broken.
  for (int i = 0; i < 200 && talk.connection.info().send_queue > 0; ++i) {
    talk.acknowledge_all();
    talk.world.advance(milliseconds(300));
  }
  EXPECT_EQ(talk.connection.info().send_queue, 0U);
}

TEST(TcpAttacks, OctetsWithGapsBetweenThem) {  // ATK-TCP-10, -11, -12
  Conversation talk({.host = {.receive_buffer = 65536}});
  for (std::uint32_t i = 0; i < 20000; ++i) talk.send_at(2 + i * 2 % 60000, "y");
  talk.peer.receive_all();
  EXPECT_LE(frames(talk.world) * BufferPool::capacity(BufferSize::kFrame), 1U << 20);
  // What closes the first hole is delivered.
  talk.peer.send_next(".", "ab");
  EXPECT_EQ(talk.read().substr(0, 3), "aby");
  talk.peer.send({.flags = "R", .sequence = talk.peer.next + 1});
  EXPECT_LE(frames(talk.world) * BufferPool::capacity(BufferSize::kFrame), 1U << 20);
}

TEST(TcpAttacks, ManySmallAcksCountAsWhatTheyAcknowledge) {  // ATK-TCP-36
  Conversation talk({.peer = modern_options(1460), .window = 2000});
  talk.write(pattern(100000));
  const auto segments = talk.peer.receive_all();
  const std::uint64_t window = talk.connection.info().cwnd;
  const std::uint32_t base = segments[0].sequence();
  for (std::uint32_t acked = 10; acked <= 1440; acked += 10) talk.acknowledge(base + acked, 2000);
  EXPECT_LE(talk.connection.info().cwnd, window + 2 * 1460);
}

TEST(TcpAttacks, ManyDuplicateAcksReleaseNoFlood) {  // ATK-TCP-37
  Conversation talk({.peer = {.maximum_segment_size = 1000}});
  talk.write(pattern(100000));
  const auto segments = talk.peer.receive_all();
  const std::uint32_t base = segments[0].sequence();
  for (int i = 0; i < 1000; ++i) talk.acknowledge(base);
  EXPECT_LE(talk.peer.receive_all().size(), segments.size() + 2);
  EXPECT_LE(talk.connection.info().cwnd, 2 * segments.size() * 1000);
}

TEST(TcpAttacks, UrgentPointersThatLie) {  // ATK-TCP-53, -54, -55, -60
  for (const std::uint16_t pointer : std::initializer_list<std::uint16_t>{0, 1, 3, 5, 6, 1000, 65535}) {
    Conversation talk;
    talk.peer.send({.flags = "PAU",
                    .sequence = talk.peer.next,
                    .acknowledgment = talk.peer.expected,
                    .payload = "hello",
                    .urgent_pointer = pointer});
    talk.peer.next += 5;
    talk.peer.send_next("PA", " world");
    std::string read;
    for (int i = 0; i < 4; ++i) read += talk.read();
    EXPECT_LE(read.size(), 11U) << pointer;
    EXPECT_GE(read.size(), 10U) << pointer;  // one of them may be out of band
    EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished);
  }
}

TEST(TcpAttacks, UrgentDataInTheAnswerToASyn) {  // ATK-TCP-57
  HostUnderTest world;
  ScriptedPeer peer(world, 80, 5000);
  auto& connection = world.with([&]() -> tcp::Connection& {
    auto hold = world.host().tcp().bind({.local = {HostUnderTest::kHost, Port{5000}}});
    return **world.host().tcp().connect(*hold, {HostUnderTest::kPeer, Port{80}}, {});
  });
  const Answer syn = peer.expect("S");
  peer.send(
      {.flags = "SAU", .sequence = 1000, .acknowledgment = syn.sequence() + 1, .urgent_pointer = 60000});
  peer.expect("A");
  peer.next = 1001;
  peer.expected = syn.sequence() + 1;
  peer.send_next("PA", "hello");
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  EXPECT_LE(read_all(world, connection).size(), 5U);
}

TEST(TcpAttacks, AWindowThatStaysShutIsAskedAboutLessAndLess) {  // ATK-TCP-14, -80, -90
  Conversation talk;
  talk.write(pattern(5000));
  talk.peer.receive_all();
  talk.acknowledge(talk.peer.expected + 5000, 0);
  talk.write(pattern(5000));
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

TEST(TcpAttacks, APeerThatVanishesWithDataUnacknowledged) {  // ATK-TCP-13, ATK-TCP-16
  Conversation talk;
  talk.write(pattern(50000));
  talk.close();  // nobody will wait for it
  talk.peer.receive_all();
  talk.world.advance(minutes(60));
  EXPECT_EQ(talk.world.host().tcp().connection_count(), 0U);
  EXPECT_LE(frames(talk.world), 64U);
}

TEST(TcpAttacks, EchoedTimestampsThatLie) {  // ATK-TCP-84
  Conversation talk({.peer = modern_options(), .window = 500});
  for (const std::uint32_t echo : {0U, 1U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    talk.write(pattern(1000));
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

TEST(TcpAttacks, EcnThatLies) {  // ATK-TCP-68, ATK-TCP-69
  HostConfig config;
  config.tcp.ecn = tcp::EcnMode::kAgree;
  HostUnderTest world(config);
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  peer.send({.flags = "SEC", .sequence = 1000, .options = {.maximum_segment_size = 1000}});
  const auto answer = peer.receive();
  ASSERT_TRUE(answer && answer->header.flags.syn);
  peer.next = 1001;
  peer.expected = answer->sequence() + 1;
  peer.send_next("A");
  const auto connection = world.with([&] { return listener.accept(); });
  ASSERT_TRUE(connection);
  write(world, **connection, pattern(200000));
  for (int round = 0; round < 100; ++round) {  // everything is said to be marked
    for (const Answer& segment : peer.receive_all()) {
      peer.expected = segment.sequence() + static_cast<std::uint32_t>(segment.payload.size());
      peer.send({.flags = "AE", .sequence = peer.next, .acknowledgment = peer.expected});
    }
    world.advance(milliseconds(50));
    EXPECT_GE((*connection)->info().cwnd, 1000U);
  }
  EXPECT_EQ((*connection)->info().send_queue, 0U);
}

}  // namespace
}  // namespace transom::test
