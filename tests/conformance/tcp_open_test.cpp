// Opens: who may, with whom, from which address, and with which first number: RFC 9293 §3.4.1, §3.5,
// §3.9.1.1, §3.9.2.3; RFC 6056; RFC 6528.
#include <map>
#include <set>

#include "stack/wire/ipv6.h"
#include "tests/conformance/conversation.h"
#include "tests/support/two_hosts.h"

namespace transom::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

tcp::Connection& connect_from(HostUnderTest& world, const Endpoint& local, const Endpoint& remote,
                              bool reuse = false) {
  return world.with([&]() -> tcp::Connection& {
    auto hold = world.host().tcp().bind({.local = local, .reuse_address = reuse});
    EXPECT_TRUE(hold);
    return **world.host().tcp().connect(*hold, remote, {});
  });
}
tcp::Connection* connect_anyhow(HostUnderTest& world, const Endpoint& remote) {
  tcp::PortHold none;
  const auto result = world.with([&] { return world.host().tcp().connect(none, remote, {}); });
  return result ? *result : nullptr;
}

// ---------------------------------------------------------------- initial sequence numbers

std::uint32_t first_number(HostUnderTest& world, std::uint16_t port) {
  ScriptedPeer peer(world, 80, port);
  auto& connection = connect_from(world, peer.remote(), peer.local(), true);
  const std::uint32_t number = peer.expect("S").sequence();
  world.with([&] { connection.abort(); });
  return number;
}

TEST(TcpInitialSequenceNumber, AdvancesByOneEachFourMicroseconds) {  // MUST-8, R6528-01
  HostUnderTest world;
  const std::uint32_t first = first_number(world, 5000);
  world.advance(seconds(1));
  EXPECT_EQ(first_number(world, 5000) - first, 250000U);
  world.advance(milliseconds(8));
  EXPECT_EQ(first_number(world, 5000) - first, 252000U);
}

TEST(TcpInitialSequenceNumber, OfAnotherConnectionOrHostSaysNothing) {  // SHLD-1, MUST-9, R6528-01
  std::set<std::uint32_t> numbers;
  std::set<std::uint32_t> distances;
  HostUnderTest world;
  std::uint32_t last = 0;
  for (std::uint16_t port = 5000; port < 5200; ++port) {
    const std::uint32_t number = first_number(world, port);
    numbers.insert(number);
    distances.insert(number - std::exchange(last, number));
  }
  EXPECT_EQ(numbers.size(), 200U);
  EXPECT_EQ(distances.size(), 200U) << "neighbouring ports have no common step";
  HostConfig other;
  other.seed = seed_from_number(99);
  HostUnderTest elsewhere(other);
  EXPECT_NE(first_number(elsewhere, 5000), first_number(world, 5000)) << "another secret";
}

TEST(TcpInitialSequenceNumber, OfAPassiveOpenFollowsTheSameRule) {  // MUST-8, SHLD-1
  HostUnderTest world;
  world.listen(80);
  const auto answer_to = [&](std::uint16_t port) {
    ScriptedPeer peer(world, port, 80);
    peer.send({.flags = "S", .sequence = 1});
    const std::uint32_t number = peer.expect("SA").sequence();
    peer.send({.flags = "R", .sequence = 2});
    return number;
  };
  const std::uint32_t first = answer_to(4000);
  EXPECT_NE(answer_to(4001), first);
  world.advance(seconds(1));
  EXPECT_EQ(answer_to(4000) - first, 250000U);
}

// ---------------------------------------------------------------- ports

TEST(TcpEphemeralPort, ShowsNoCounterAndStaysInItsRange) {  // R6056-01
  HostUnderTest world;
  std::set<std::uint16_t> ports;
  std::map<int, int> steps;
  int last = 0;
  for (std::uint8_t i = 0; i < 100; ++i) {
    const auto* connection =
        connect_anyhow(world, {IpAddress::v4(10, 0, 0, static_cast<std::uint8_t>(10 + i)), Port{80}});
    ASSERT_NE(connection, nullptr);
    const int port = to_number(connection->tuple().local.port);
    EXPECT_GE(port, 32768);
    EXPECT_LE(port, 60999);
    ports.insert(static_cast<std::uint16_t>(port));
    ++steps[port - std::exchange(last, port)];
  }
  EXPECT_GE(ports.size(), 95U);
  for (const auto& [step, count] : steps) EXPECT_LE(count, 3) << "the step " << step << " is common";
}

TEST(TcpEphemeralPort, AvoidsTuplesInUse) {  // R6056-01
  HostConfig config;
  config.tcp.first_ephemeral_port = 40000;
  config.tcp.last_ephemeral_port = 40003;
  HostUnderTest world(config);
  std::set<Port> ports;
  for (int i = 0; i < 4; ++i) {
    const auto* connection = connect_anyhow(world, {HostUnderTest::kPeer, Port{80}});
    ASSERT_NE(connection, nullptr);
    ports.insert(connection->tuple().local.port);
  }
  EXPECT_EQ(ports.size(), 4U);
  EXPECT_EQ(connect_anyhow(world, {HostUnderTest::kPeer, Port{80}}), nullptr)
      << "all are taken towards that port";
}

// ---------------------------------------------------------------- LISTEN beside others

TEST(TcpPassiveOpen, LeavesConnectionsOfTheSamePortAlone) {  // MUST-41
  Conversation talk;
  talk.world.with([&] { talk.listener.close(); });
  talk.peer.send_next("PA", "still here");
  EXPECT_EQ(talk.read(), "still here") << "neither when the listener goes";
  (void)talk.settle();
  const auto again = talk.world.with([&] {
    auto hold = talk.world.host().tcp().bind(
        {.local = {IpAddress::any(IpFamily::kIpv4), Port{80}}, .reuse_address = true});
    EXPECT_TRUE(hold);
    return talk.world.host().tcp().listen(*hold, 16, {});
  });
  ASSERT_TRUE(again) << "nor when another comes";
  talk.peer.send_next("PA", "and still");
  EXPECT_EQ(talk.read(), "and still");
  EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished);
}

TEST(TcpPassiveOpen, IsPossibleWhileAnActiveOneOfThatPortIsUnderWay) {  // MUST-42
  HostUnderTest world;
  ScriptedPeer server(world, 80, 5000);
  auto& active = connect_from(world, server.remote(), server.local(), true);
  const Answer syn = server.expect("S");
  const auto listener = world.with([&] {
    auto hold = world.host().tcp().bind(
        {.local = {IpAddress::any(IpFamily::kIpv4), Port{5000}}, .reuse_address = true});
    EXPECT_TRUE(hold);
    return world.host().tcp().listen(*hold, 16, {});
  });
  ASSERT_TRUE(listener);
  ScriptedPeer client(world, 4000, 5000);
  auto& passive = client.connect_to(**listener);
  EXPECT_EQ(passive.state(), tcp::State::kEstablished);
  server.send({.flags = "SA", .sequence = 1, .acknowledgment = syn.sequence() + 1});
  EXPECT_EQ(active.state(), tcp::State::kEstablished);
}

TEST(TcpPassiveOpen, IsPossibleWhileAnotherOfThatPortIsHalfOpen) {  // MUST-42
  HostUnderTest world;
  world.listen(80);
  ScriptedPeer half_open(world, 4000, 80);
  half_open.send({.flags = "S", .sequence = 1});
  half_open.expect("SA");
  const auto listener = world.with([&] {
    auto hold = world.host().tcp().bind({.local = {HostUnderTest::kHost6, Port{80}}});
    EXPECT_TRUE(hold);
    return world.host().tcp().listen(*hold, 16, {});
  });
  EXPECT_TRUE(listener);
}

// ---------------------------------------------------------------- SYN-RECEIVED remembers where it comes from

TEST(TcpSynReceived, OfAPassiveOpenEndsSilentlyWithAReset) {  // MUST-11
  HostUnderTest world;
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  peer.send({.flags = "S", .sequence = 1000});
  peer.expect("SA");
  peer.send({.flags = "R", .sequence = 1001});
  peer.expect_silence();
  EXPECT_EQ(world.host().tcp().half_open_count(), 0U);
  EXPECT_FALSE(world.with([&] { return listener.accept(); })) << "nobody hears of it";
  auto& connection = peer.connect_to(listener);
  EXPECT_EQ(connection.state(), tcp::State::kEstablished) << "and LISTEN goes on";
}

TEST(TcpSynReceived, OfAnActiveOpenTellsTheUserThatItWasRefused) {  // MUST-11
  HostUnderTest world;
  ScriptedPeer peer(world, 80, 5000);
  auto& connection = connect_from(world, peer.remote(), peer.local());
  peer.expect("S");
  peer.send({.flags = "S", .sequence = 300});
  peer.expect("SA");
  EXPECT_EQ(connection.state(), tcp::State::kSynReceived);
  peer.send({.flags = "R", .sequence = 301});
  EXPECT_EQ(connection.state(), tcp::State::kClosed);
  EXPECT_EQ(connection.take_error(), Error::kConnectionRefused);
}

TEST(TcpSynReceived,
     SendsItsSynAckAgainUntilItIsAnswered) {  // MUST-22; a SYN-ACK that is never sent again is a known bug
  HostUnderTest world;
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  peer.send({.flags = "S", .sequence = 1000});
  const Answer first = peer.expect("SA");
  world.advance(milliseconds(999));
  peer.expect_silence();
  world.advance(milliseconds(2));
  EXPECT_EQ(peer.expect("SA").sequence(), first.sequence());
  world.advance(seconds(2));
  EXPECT_EQ(peer.expect("SA").sequence(), first.sequence());
  peer.send({.flags = "A", .sequence = 1001, .acknowledgment = first.sequence() + 1});
  EXPECT_TRUE(world.with([&] { return listener.accept(); }));
}

TEST(TcpSimultaneousOpen, EndsInOneConnectionThatCarriesData) {  // MUST-10
  HostUnderTest world;
  ScriptedPeer peer(world, 80, 5000);
  auto& connection = connect_from(world, peer.remote(), peer.local());
  const Answer syn = peer.expect("S");
  peer.send({.flags = "S", .sequence = 300, .options = modern_options()});
  const Answer syn_ack = peer.expect("SA");
  EXPECT_EQ(syn_ack.sequence(), syn.sequence());
  EXPECT_EQ(syn_ack.acknowledgment(), 301U);
  Script ack{.flags = "A", .sequence = 301, .acknowledgment = syn.sequence() + 1};
  ack.options.timestamps = wire::TcpTimestamps{101, syn_ack.header.options.timestamps->value};
  peer.send(ack);
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  EXPECT_EQ(world.host().tcp().connection_count(), 1U);
  EXPECT_TRUE(connection.info().sack) << "the options count as in any other open";
  ack.flags = "PA";
  ack.payload = "hello";
  peer.send(ack);
  EXPECT_EQ(read_all(world, connection), "hello");
}

// ---------------------------------------------------------------- addresses

TEST(TcpActiveOpen, ComesFromTheAddressThatTheUserNames) {  // MUST-43
  HostUnderTest world;
  const IpAddress second = IpAddress::v4(10, 0, 0, 77);
  ASSERT_TRUE(world.host().add_address(world.link(), {second, 24}));
  connect_from(world, {second, Port{5000}}, {HostUnderTest::kPeer, Port{80}});
  const auto packet = world.take();
  ASSERT_GE(packet.size(), 40U);
  EXPECT_EQ(packet[15], 77);
}

TEST(TcpActiveOpen, LetsIpChooseTheAddressAndKeepsIt) {  // MUST-44, MUST-45
  HostUnderTest world;
  link::InterfaceConfig config;
  config.name = "tun1";
  config.type = link::LinkType::kPointToPoint;
  config.conflict_detection.enabled = false;
  const InterfaceId other = world.host().add_interface(config);
  ASSERT_TRUE(world.host().add_address(other, {IpAddress::v4(192, 0, 2, 1), 24}));
  auto* connection = connect_anyhow(world, {IpAddress::v4(192, 0, 2, 9), Port{80}});
  ASSERT_NE(connection, nullptr);
  EXPECT_EQ(connection->tuple().local.address, IpAddress::v4(192, 0, 2, 1))
      << "of the interface that the route takes";
  EXPECT_TRUE(world.take().empty());
  EXPECT_EQ(world.host().transmit_queue(other).size(), 1U);
  (void)world.host().transmit_queue(other).pop();

  // Another route wins; what the connection sends still says where it came from.
  ASSERT_TRUE(world.host().add_route({IpAddress::v4(192, 0, 2, 9), 32}, std::nullopt, world.link()));
  world.advance(seconds(1));
  EXPECT_EQ(connection->tuple().local.address, IpAddress::v4(192, 0, 2, 1));
  const auto again = world.take();
  ASSERT_GE(again.size(), 40U) << "the SYN, by the new route";
  EXPECT_EQ((std::vector<std::uint8_t>(again.begin() + 12, again.begin() + 16)),
            (std::vector<std::uint8_t>{192, 0, 2, 1}));
}

TEST(TcpActiveOpen, ToWhatIsNoHostFailsAtOnce) {  // MUST-46
  HostUnderTest world;
  for (const char* text :
       {"224.0.0.1", "239.1.2.3", "255.255.255.255", "10.0.0.255", "240.0.0.1", "ff02::1", "ff0e::1234"})
    EXPECT_EQ(connect_anyhow(world, {*IpAddress::parse(text), Port{80}}), nullptr) << text;
  EXPECT_TRUE(world.take().empty());
}

TEST(TcpPassiveOpen, DoesNotHearASynToABroadcastOrMulticastAddress) {  // MUST-57
  HostUnderTest world;
  world.listen(80);
  world.listen(80, {}, 16, IpFamily::kIpv6);
  for (const char* text : {"255.255.255.255", "10.0.0.255", "224.0.0.1", "ff02::1"}) {
    const IpAddress destination = *IpAddress::parse(text);
    ScriptedPeer peer(world, 4000, 80, destination.family());
    peer.send({.flags = "S", .sequence = 1, .destination = destination});
    peer.send({.flags = "A", .sequence = 1, .acknowledgment = 1, .destination = destination});
    EXPECT_TRUE(world.take().empty()) << text << ": no SYN-ACK, no reset, no ICMP";
  }
  EXPECT_EQ(world.host().tcp().half_open_count(), 0U);
}

TEST(TcpPassiveOpen, DoesNotHearASynFromWhatIsNoHost) {  // MUST-63
  HostUnderTest world;
  world.listen(80);
  world.listen(80, {}, 16, IpFamily::kIpv6);
  for (const char* text : {"127.0.0.1", "0.0.0.0", "255.255.255.255", "10.0.0.255", "224.0.0.1", "10.0.0.1",
                           "240.0.0.9", "::1", "::", "ff02::1", "fd00::1"}) {
    const IpAddress source = *IpAddress::parse(text);
    ScriptedPeer peer(world, 4000, 80, source.family());
    peer.send({.flags = "S", .sequence = 1, .source = source});
    EXPECT_TRUE(world.take().empty()) << text;
  }
  EXPECT_EQ(world.host().tcp().half_open_count(), 0U);
}

TEST(TcpActiveOpen,
     ToANeighbourThatIsNotThereHoldsUpNobodyElse) {  // that it blocks every other socket is a known bug
  TwoHosts network({});
  auto* listener = network.with(network.right(), [&] {
    auto hold = network.right().tcp().bind({.local = {TwoHosts::kRight, Port{80}}});
    return *network.right().tcp().listen(*hold, 16, {});
  });
  const auto connect = [&](const IpAddress& address) {
    return network.with(network.left(), [&] {
      tcp::PortHold none;
      return *network.left().tcp().connect(none, {address, Port{80}}, {});
    });
  };
  auto* nobody = connect(IpAddress::v4(10, 0, 0, 99));
  auto* connection = connect(TwoHosts::kRight);
  ASSERT_TRUE(network.run([&] { return listener->readiness().readable; }, milliseconds(100)));
  EXPECT_EQ(connection->state(), tcp::State::kEstablished);
  EXPECT_EQ(nobody->state(), tcp::State::kSynSent);
  (void)network.run([] { return false; }, seconds(10));
  EXPECT_EQ(nobody->take_error(), Error::kHostUnreachable) << "which it is told as soon as ARP has given up";
}

// ---------------------------------------------------------------- what IP does for it

TEST(TcpOverIpOptions, ThatTcpDoesNotKnowAreIgnored) {  // MUST-50, MAY-10, MAY-11
  HostUnderTest world;
  world.listen(80);
  const std::vector<std::vector<std::uint8_t>> options = {
      {0x1e, 4, 0, 0},                         // an experiment's
      {7, 7, 4, 0, 0, 0, 0, 0},                // record route
      {68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0},  // timestamp
      {1, 1, 1, 0},                            // nothing
      {0x94, 4, 0, 0},                         // router alert
  };
  std::uint16_t port = 4000;
  for (const auto& option : options) {
    ScriptedPeer peer(world, port++, 80);
    peer.send({.flags = "S", .sequence = 1, .ip_options = option});
    EXPECT_TRUE(peer.receive()) << "option " << int{option[0]};
  }
}

TEST(TcpOverIpOptions, WithASourceRouteTheSegmentIsDroppedAndCounted) {  // MUST-51..53: deliberately
  HostUnderTest world;
  world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  peer.send({.flags = "S", .sequence = 1, .ip_options = {131, 7, 4, 10, 0, 0, 9, 0}});
  peer.send({.flags = "S", .sequence = 1, .ip_options = {137, 7, 4, 10, 0, 0, 9, 0}});
  peer.expect_silence();
  EXPECT_EQ(world.drops(DropReason::kIpSourceRouted), 2U);
}

class TcpServices : public ::testing::TestWithParam<IpFamily> {};
INSTANTIATE_TEST_SUITE_P(Tcp, TcpServices, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         [](const auto& family) { return family.param == IpFamily::kIpv4 ? "v4" : "v6"; });

TEST_P(TcpServices,
       ServicesFieldIsTheUsersFromTheSynOnAndMayChange) {  // MUST-48, SHLD-21, SHLD-22, SHLD-23
  HostUnderTest world;
  ScriptedPeer peer(world, 80, 5000, GetParam());
  auto& connection = world.with([&]() -> tcp::Connection& {
    auto hold = world.host().tcp().bind({.local = peer.remote()});
    return **world.host().tcp().connect(*hold, peer.local(), {.traffic_class = 0x28});
  });
  const Answer syn = peer.expect("S");
  EXPECT_EQ(syn.traffic_class, 0x28);
  peer.expected = syn.sequence() + 1;
  peer.send({.flags = "SA", .sequence = 1000, .acknowledgment = peer.expected});
  peer.next = 1001;
  EXPECT_EQ(peer.expect("A").traffic_class, 0x28);
  write(world, connection, "x");
  EXPECT_EQ(peer.expect("PA").traffic_class, 0x28);
  tcp::Options options = connection.options();
  options.traffic_class = 0xb8;
  world.with([&] { connection.set_options(options); });
  world.advance(seconds(3));
  for (const auto& again : peer.receive_all()) EXPECT_EQ(again.traffic_class, 0xb8);
  world.with([&] { connection.abort(); });
  EXPECT_EQ(peer.expect("RA").traffic_class, 0xb8);
}

TEST_P(TcpServices, TimeToLiveIsTheUsers) {  // MUST-49
  HostUnderTest world;
  auto& listener = world.listen(80, {.ttl = 7}, 16, GetParam());
  ScriptedPeer peer(world, 4000, 80, GetParam());
  peer.send({.flags = "S", .sequence = 1});
  EXPECT_EQ(peer.expect("SA").ttl, 7);
  peer.send({.flags = "R", .sequence = 2});
  auto& connection = peer.connect_to(listener);
  write(world, connection, "x");
  EXPECT_EQ(peer.expect("PA").ttl, 7);
  Conversation plain({.family = GetParam()});
  plain.write("x");
  EXPECT_EQ(plain.peer.expect("PA").ttl, 64);
}

}  // namespace
}  // namespace transom::test
