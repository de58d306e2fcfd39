// Datagrams in and out: headers, checksums, lengths, ports, queues.

#include <algorithm>
#include <set>

#include "tests/unit/udp/udp_fixture.h"

namespace transom::test {
namespace {

using Udp = UdpFamilyTest;

// The UDP checksum of a packet that was sent; true when it is right and there.
bool has_right_checksum(const Parsed& packet) {
  wire::ChecksumSum sum = wire::pseudo_header_sum(packet.source, packet.destination, IpProtocol::kUdp,
                                                  static_cast<std::uint32_t>(packet.payload.size()));
  sum.add(packet.payload);
  return sum.checksum() == 0 && (packet.payload[6] != 0 || packet.payload[7] != 0);
}

TEST_P(Udp, CarriesDatagramsBothWays) {  // R768-01, R1122-48, R1122-49, R8200-15
  const Socket socket = bound_to({any(), kPort});
  receive_datagram({peer(), kPeerPort}, {self(), kPort}, pattern(100));
  EXPECT_EQ(socket->queued(), 1U);
  EXPECT_NE(socket->peek(), nullptr);
  const auto datagram = socket->receive();
  ASSERT_TRUE(datagram);
  EXPECT_EQ(datagram->source, (Endpoint{peer(), kPeerPort}));
  EXPECT_EQ(datagram->destination, self());
  EXPECT_EQ(datagram->interface, a_->id());
  EXPECT_EQ(datagram->ttl, 64);
  EXPECT_EQ(datagram->arrival, context_.now);
  EXPECT_EQ(datagram->payload.size(), 100U);
  EXPECT_EQ(socket->receive().error(), Error::kWouldBlock);

  ASSERT_EQ(send(*socket, pattern(100), {.to = datagram->source}), 100U);
  const Parsed out = sent_one();
  EXPECT_EQ(out.source, self());
  EXPECT_EQ(out.destination, peer());
  EXPECT_EQ(out.payload, udp({self(), kPort}, {peer(), kPeerPort}, pattern(100)));
  EXPECT_TRUE(has_right_checksum(out));
  EXPECT_EQ(count(is_v4() ? Counter::kUdpInDatagrams : Counter::kUdp6InDatagrams), 1U);
  EXPECT_EQ(count(is_v4() ? Counter::kUdpOutDatagrams : Counter::kUdp6OutDatagrams), 1U);
}

TEST_P(Udp, GathersPieces) {
  const Socket socket = bound_to({any(), kPort});
  const Octets one = pattern(3), two = pattern(5), three;
  const Bytes pieces[] = {one, three, two};
  ASSERT_EQ(socket->send(pieces, {.to = Endpoint{peer(), kPeerPort}}), 8U);
  EXPECT_EQ(part(sent_one().payload, 8, 8), one + two);
}

TEST_P(Udp, CarriesEverySizeThereAndBack) {  // R1122-23, R1122-25
  const Socket server = bound_to({any(), kPort});
  const Socket client = open(GetParam());
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1472}, std::size_t{1473},
                                 std::size_t{8000}, std::size_t{is_v4() ? 65507U : 65527U}}) {
    ASSERT_EQ(send(*client, pattern(size), {.to = Endpoint{IpAddress::loopback(GetParam()), kPort}}), size);
    loop_back();
    const auto payloads = received(*server);
    ASSERT_EQ(payloads.size(), 1U) << size;
    EXPECT_EQ(payloads[0], pattern(size));
    ASSERT_TRUE(send(*client, pattern(size), {.to = Endpoint{peer(), kPort}}));
    Octets whole;
    for (const Octets& packet : sent()) {
      EXPECT_LE(packet.size(), 1500U);
      whole = whole + parse(packet).payload;
    }
    EXPECT_EQ(part(whole, 8, whole.size() - 8), pattern(size));
  }
  EXPECT_EQ(send(*client, pattern(is_v4() ? 65508 : 65528), {.to = Endpoint{peer(), kPort}}).error(),
            Error::kMessageTooLong);
}

TEST_P(Udp, ChecksLengths) {  // R768-01, ATK-UDP-01, ATK-UDP-02, ATK-IPV4-35
  const Socket socket = bound_to({any(), kPort});
  const Octets good = udp({peer(), kPeerPort}, {self(), kPort}, pattern(20));
  for (const std::uint16_t length : std::initializer_list<std::uint16_t>{0, 1, 4, 7, 29, 1000, 65535}) {
    Octets lie = good;
    lie[4] = static_cast<std::uint8_t>(length >> 8);
    lie[5] = static_cast<std::uint8_t>(length);
    receive(ip_packet(peer(), self(), IpProtocol::kUdp, lie));
  }
  for (std::size_t size = 0; size < 8; ++size)
    receive(ip_packet(peer(), self(), IpProtocol::kUdp, part(good, 0, size)));
  EXPECT_EQ(socket->queued(), 0U);
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(drops(DropReason::kUdpBadLength), 7U);
  EXPECT_EQ(drops(DropReason::kUdpTruncated), 8U);
  EXPECT_EQ(count(is_v4() ? Counter::kUdpInErrors : Counter::kUdp6InErrors), 15U);
  // What follows the datagram in its packet is no part of it.
  receive(ip_packet(peer(), self(), IpProtocol::kUdp, good + pattern(11)));
  EXPECT_EQ(received(*socket), std::vector<Octets>{pattern(20)});
}

TEST_P(Udp, DropsABadChecksumWhicheverBitIsWrong) {  // R768-03, R1122-48, ATK-UDP-08
  const Socket socket = bound_to({any(), kPort});
  const Octets good = udp({peer(), kPeerPort}, {self(), kPort}, pattern(9));
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    if (bit / 8 == 4 || bit / 8 == 5) continue;  // the length is judged before
    Octets bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    receive(ip_packet(peer(), self(), IpProtocol::kUdp, bad));
  }
  EXPECT_EQ(socket->queued(), 0U);
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(count(is_v4() ? Counter::kUdpInCsumErrors : Counter::kUdp6InCsumErrors), (good.size() - 2) * 8);
}

TEST_P(Udp, BelievesADeviceThatVouchesForTheChecksum) {
  const Socket socket = bound_to({any(), kPort});
  Octets bad = udp({peer(), kPeerPort}, {self(), kPort}, pattern(9));
  bad[6] ^= 0x5a;
  for (const ChecksumState state : {ChecksumState::kVerified, ChecksumState::kPartial}) {
    PacketInfo info;
    info.checksum = state;
    receive(ip_packet(peer(), self(), IpProtocol::kUdp, bad), a_, info);
  }
  EXPECT_EQ(socket->queued(), 2U);
  received(*socket);
}

TEST_P(Udp, TakesZeroAsNoChecksumOnlyInIpv4) {  // R768-03, R8200-17, R6935-01, ATK-UDP-10
  const Socket socket = bound_to({any(), kPort});
  Octets none = udp({peer(), kPeerPort}, {self(), kPort}, pattern(9));
  none[6] = none[7] = 0;
  receive(ip_packet(peer(), self(), IpProtocol::kUdp, none));
  EXPECT_EQ(received(*socket).size(), is_v4() ? 1U : 0U);
  EXPECT_EQ(drops(DropReason::kUdpZeroChecksum), is_v4() ? 0U : 1U);
  EXPECT_TRUE(nothing_sent());
}

TEST_P(Udp, SendsAChecksumThatComesOutAsZeroAsAllOnes) {  // R768-02
  const Socket socket = bound_to({any(), kPort});
  Octets payload(2);
  wire::ChecksumSum sum = wire::pseudo_header_sum(self(), peer(), IpProtocol::kUdp, 10);
  sum.add(Octets{0x14, 0xe9, 0x9c, 0x40, 0, 10});  // the ports and the length
  wire::Writer(payload).u16(sum.checksum());
  ASSERT_TRUE(send(*socket, payload, {.to = Endpoint{peer(), kPeerPort}}));
  const Parsed out = sent_one();
  EXPECT_EQ(out.payload[6], 0xff);
  EXPECT_EQ(out.payload[7], 0xff);
  EXPECT_TRUE(has_right_checksum(out));
  receive_datagram({peer(), kPeerPort}, {self(), kPort}, payload);
  socket->options().no_checksum = true;
  ASSERT_TRUE(send(*socket, payload, {.to = Endpoint{peer(), kPeerPort}}));
  EXPECT_EQ(sent_one().payload[6], is_v4() ? 0x00 : 0xff);
  received(*socket);
}

TEST_P(Udp, PortZeroIsNobodys) {  // ATK-UDP-11
  const Socket socket = bound_to({any(), kPort});
  receive_datagram({peer(), kPeerPort}, {self(), Port::kNone}, pattern(9));
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(drops(DropReason::kUdpPortZero), 1U);
  receive_datagram({peer(), Port::kNone}, {self(), kPort}, pattern(9));
  const auto datagram = socket->receive();
  ASSERT_TRUE(datagram);
  EXPECT_EQ(send(*socket, pattern(9), {.to = datagram->source}).error(), Error::kInvalidArgument);
  EXPECT_TRUE(nothing_sent());
}

TEST_P(Udp, AnswersForClosedPorts) {  // R1122-46, R4443-05, ATK-UDP-03, -09
  const Octets datagram = udp({peer(), kPeerPort}, {self(), Port{137}}, pattern(40));
  const Octets packet = ip_packet(peer(), self(), IpProtocol::kUdp, datagram);
  receive(packet);
  const ParsedIcmp error = parse_icmp(sent_one());
  EXPECT_TRUE(error.ok);
  EXPECT_EQ(error.header.type, is_v4() ? 3 : 1);
  EXPECT_EQ(error.header.code, is_v4() ? 3 : 4);
  EXPECT_EQ(error.data, packet);
  EXPECT_EQ(count(is_v4() ? Counter::kUdpNoPorts : Counter::kUdp6NoPorts), 1U);
}

TEST_P(Udp, IsSilentAboutClosedPortsToGroups) {  // R1122-46, ATK-IPV4-40, ATK-UDP-04
  const IpAddress group = is_v4() ? address("255.255.255.255") : kAllNodes;
  receive_datagram({peer(), Port{7}}, {group, Port{19}}, pattern(9));
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(count(is_v4() ? Counter::kUdpIgnoredMulti : Counter::kUdp6IgnoredMulti), 1U);
}

TEST_P(Udp, AFloodToClosedPortsLeavesNothingBehind) {  // ATK-UDP-06, ATK-UDP-07
  for (int i = 0; i < 70000; ++i) {
    receive_datagram({peer(), static_cast<Port>(i)}, {self(), static_cast<Port>(1 + i % 60000)}, {});
    if (i % 1000 == 0) {
      EXPECT_LE(sent().size(), 10U);
    }
  }
  EXPECT_EQ(pool_.in_use(BufferSize::kFrame), 0U);
}

TEST_P(Udp, CountsBufferMemoryAgainstTheReceiveQueue) {  // ATK-UDP-13
  const Socket socket = bound_to({any(), kPort});
  for (int i = 0; i < 2000; ++i) receive_datagram({peer(), kPeerPort}, {self(), kPort}, pattern(1));
  EXPECT_LE(pool_.in_use(BufferSize::kFrame) * 2048, socket->options().receive_buffer);
  EXPECT_GT(socket->queued(), 50U);
  EXPECT_EQ(socket->dropped(), 2000 - socket->queued());
  EXPECT_EQ(count(is_v4() ? Counter::kUdpRcvbufErrors : Counter::kUdp6RcvbufErrors), socket->dropped());
  EXPECT_EQ(received(*socket).size(), 2000 - socket->dropped());
  receive_datagram({peer(), kPeerPort}, {self(), kPort}, pattern(1));
  EXPECT_EQ(received(*socket).size(), 1U);
}

TEST_P(Udp, AShortDatagramDoesNotHoldALargeBuffer) {
  const Socket socket = bound_to({any(), kPort});
  const Octets packet =
      ip_packet(peer(), self(), IpProtocol::kUdp, udp({peer(), kPeerPort}, {self(), kPort}, pattern(9)));
  for (int i = 0; i < 20; ++i) {
    Packet large = pool_.allocate(BufferSize::kSuperFrame);
    std::ranges::copy(packet, large.append(packet.size()).begin());
    ip_.receive(*a_, std::move(large));
  }
  EXPECT_EQ(pool_.in_use(BufferSize::kSuperFrame), 0U);
  EXPECT_EQ(received(*socket).size(), 20U);
}

TEST_P(Udp, SendsWithTheOptionsOfTheSocketOrOfTheCall) {  // R1122-51, R1122-15
  const Socket socket = bound_to({any(), kPort});
  socket->options().ttl = 3;
  socket->options().traffic_class = 0x10;
  ASSERT_TRUE(send(*socket, pattern(9), {.to = Endpoint{peer(), kPeerPort}}));
  const Parsed own = sent_one();
  EXPECT_EQ(own.ttl, 3);
  EXPECT_EQ(own.traffic_class, 0x10);
  ASSERT_TRUE(
      send(*socket, pattern(9), {.to = Endpoint{peer(), kPeerPort}, .ttl = 9, .traffic_class = 0x20}));
  const Parsed given = sent_one();
  EXPECT_EQ(given.ttl, 9);
  EXPECT_EQ(given.traffic_class, 0x20);
}

TEST_P(Udp, FailsAboveThePathMtuWhenItMustNotFragment) {  // R8085-02, R1122-25
  const Socket socket = bound_to({any(), kPort});
  socket->options().dont_fragment = true;
  const std::size_t fits = 1500 - (is_v4() ? 28 : 48);
  EXPECT_TRUE(send(*socket, pattern(fits), {.to = Endpoint{peer(), kPeerPort}}));
  EXPECT_EQ(sent_one().dont_fragment, is_v4());
  EXPECT_EQ(send(*socket, pattern(fits + 1), {.to = Endpoint{peer(), kPeerPort}}).error(),
            Error::kMessageTooLong);
  EXPECT_TRUE(nothing_sent());
}

TEST_P(Udp, ChoosesPortsAtRandomFromTheDynamicRange) {  // R8085-03
  std::vector<Socket> sockets;
  std::set<std::uint16_t> ports;
  std::size_t rising = 0;
  for (int i = 0; i < 1000; ++i) {
    sockets.push_back(bound_to({any(), Port::kNone}));
    const std::uint16_t port = to_number(sockets.back()->local().port);
    EXPECT_GE(port, 49152);
    if (!ports.empty() && port > to_number(sockets[sockets.size() - 2]->local().port)) ++rising;
    ports.insert(port);
  }
  EXPECT_EQ(ports.size(), 1000U);
  EXPECT_LT(*ports.begin(), 50000);
  EXPECT_GT(*ports.rbegin(), 64500);
  EXPECT_GT(rising, 400U);  // half of them, were it random
  EXPECT_LT(rising, 600U);
}

TEST_P(Udp, RunsOutOfPortsGracefully) {
  std::vector<Socket> sockets;
  for (int i = 0; i < 16384; ++i) sockets.push_back(bound_to({any(), Port::kNone}));
  const Socket last = open(GetParam());
  EXPECT_EQ(last->bind({.local = {any(), Port::kNone}}).error(), Error::kAddressInUse);
  EXPECT_EQ(send(*last, pattern(1), {.to = Endpoint{peer(), kPeerPort}}).error(), Error::kWouldBlock);
  sockets.pop_back();
  EXPECT_TRUE(send(*last, pattern(1), {.to = Endpoint{peer(), kPeerPort}}));
  sent();
}

TEST_P(Udp, TellsItsListener) {
  struct Listener final : ReadinessListener {
    int calls = 0;
    void on_readiness() override { ++calls; }
  } listener;
  const Socket socket = bound_to({any(), kPort});
  socket->set_listener(&listener);
  EXPECT_EQ(socket->readiness(), (Readiness{.writable = true}));
  receive_datagram({peer(), kPeerPort}, {self(), kPort}, {});
  EXPECT_EQ(listener.calls, 1);
  EXPECT_TRUE(socket->readiness().readable);
  EXPECT_EQ(received(*socket).size(), 1U);  // an empty datagram is one
  EXPECT_FALSE(socket->readiness().readable);
}

TEST_P(Udp, GivesEachFlowALabelOfItsOwn) {  // R6437-01
  const Socket socket = bound_to({any(), kPort});
  const auto label_to = [&](Port port) {
    EXPECT_TRUE(send(*socket, pattern(1), {.to = Endpoint{peer(), port}}));
    return sent_one().flow_label;
  };
  if (is_v4()) {
    EXPECT_EQ(label_to(kPeerPort), 0U);
    return;
  }
  EXPECT_NE(label_to(kPeerPort), 0U);
  EXPECT_EQ(label_to(kPeerPort), label_to(kPeerPort));
  EXPECT_NE(label_to(kPeerPort), label_to(Port{40001}));
}

TEST_P(Udp, OutlivesItsLayerHarmlessly) {
  auto layer = std::make_unique<udp::UdpLayer>(context_, ip_);
  const Socket socket = layer->open(GetParam());
  ASSERT_TRUE(socket->bind({.local = {any(), kPort}}));
  receive_datagram({peer(), kPeerPort}, {self(), kPort}, pattern(9));
  EXPECT_EQ(socket->queued(), 1U);
  ip_.register_transport(IpProtocol::kUdp, layer_);
  layer.reset();
  EXPECT_EQ(socket->receive().error(), Error::kWouldBlock);
  EXPECT_FALSE(send(*socket, pattern(1), {.to = Endpoint{peer(), kPeerPort}}));
  EXPECT_FALSE(socket->connect({peer(), kPeerPort}));
}

INSTANTIATE_TEST_SUITE_P(BothFamilies, Udp, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6), family_name);

}  // namespace
}  // namespace transom::test
