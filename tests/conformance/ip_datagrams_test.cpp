// Datagrams of every size, and to everybody: RFC 791 §3.2, RFC 1122 §3.3.2, §3.3.6, RFC 8200 §5, RFC 6437.

#include <set>

#include "tests/support/host_on_ethernet.h"

namespace transom::test {
namespace {

class IpDatagrams : public HostOnEthernetOfFamily {
 protected:
  // A packet with `payload`, in fragments of at most `size` octets of it.
  std::vector<Octets> in_fragments(IpProtocol protocol, const Octets& payload, std::size_t size) const {
    std::vector<Octets> fragments;
    for (std::size_t at = 0; at < payload.size(); at += size) {
      const Octets piece = part(payload, at, std::min(size, payload.size() - at));
      const bool more = at + size < payload.size();
      const auto offset = static_cast<std::uint16_t>(at);
      fragments.push_back(is_v4()
                              ? ipv4({.source = peer(),
                                      .destination = self(),
                                      .protocol = protocol,
                                      .more = more,
                                      .offset = offset},
                                     piece)
                              : ipv6({.source = peer(), .destination = self(), .next = IpProtocol::kFragment},
                                     fragment_header(protocol, offset, more, 77) + piece));
    }
    return fragments;
  }
  // The payload of a packet that was sent in fragments.
  static Octets gather(const std::vector<SentFrame>& frames) {
    Octets whole;
    for (const SentFrame& frame : frames) {
      const Parsed piece = frame.ip();
      EXPECT_TRUE(piece.ok);
      EXPECT_EQ(piece.offset, whole.size());
      whole = whole + piece.payload;
    }
    return whole;
  }
};
INSTANTIATE_TEST_SUITE_P(BothFamilies, IpDatagrams, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         family_of_test);

TEST_P(IpDatagrams, OfTheSizeThatEveryHostTakesAreTakenInFragments) {  // R791-06, R1122-23, R8200-14
  const std::size_t size = (is_v4() ? 576 : 1500) - header_size();
  const Octets request = icmp(peer(), self(), is_v4() ? 8 : 128, 0, 0x00010002, pattern(size - 8));
  for (const Octets& fragment : in_fragments(icmp_protocol(), request, 296)) receive(fragment);
  const ParsedIcmp reply = parse_icmp(sent_one());
  EXPECT_TRUE(reply.ok);
  EXPECT_EQ(reply.data, pattern(size - 8));
}

TEST_P(IpDatagrams, Of10000OctetsReachTheSocket) {  // R1122-23
  UdpSocket socket = open_udp({self(), Port{5000}});
  const Octets datagram = udp({peer(), Port{6000}}, {self(), Port{5000}}, pattern(10000));
  auto fragments = in_fragments(IpProtocol::kUdp, datagram, 1400);
  std::ranges::reverse(fragments);
  for (const Octets& fragment : fragments) receive(fragment);
  EXPECT_EQ(received(*socket), std::vector<Octets>{pattern(10000)});
}

TEST_P(IpDatagrams, ThatAreTooLongForTheLinkGoInFragmentsThatMakeUpTheWhole) {  // R1122-25, R8200-08
  UdpSocket socket = open_udp({self(), Port{5000}});
  ASSERT_TRUE(send(*socket, pattern(3000), {.to = Endpoint{remote(), Port{6000}}}));
  const auto frames = sent();
  EXPECT_EQ(frames.size(), 3U);
  const Octets datagram = gather(frames);
  EXPECT_EQ(datagram, udp({self(), Port{5000}}, {remote(), Port{6000}}, pattern(3000)));
}

TEST_P(IpDatagrams, ThatMustNotBeCutAreRefusedAndTheSocketIsToldWhatFits) {  // R1122-25, R8085-02
  UdpSocket socket = open_udp({self(), Port{5000}}, Endpoint{remote(), Port{6000}});
  socket->options().dont_fragment = true;
  ASSERT_TRUE(send(*socket, pattern(1400)));
  const Octets big = sent().at(0).payload;
  // A router on the way has a smaller link.
  if (is_v4()) {
    receive_icmp(router(), self(), 3, 4, 1300, big);
  } else {
    receive_icmp(address("2001:db8:ffff::ff"), self(), 2, 0, 1300, big);
  }
  EXPECT_EQ(with([&] { return socket->take_error(); }), Error::kMessageTooLong);
  EXPECT_EQ(send(*socket, pattern(1400)).error(), Error::kMessageTooLong);
  const auto destination = with([&] { return host_.ip().destination(remote()); });
  ASSERT_TRUE(destination);
  EXPECT_EQ(host_.ip().path_mtu(**destination), 1300U);
  ASSERT_TRUE(send(*socket, pattern(1300 - header_size() - 8)));
  EXPECT_EQ(sent_one().size, 1300U);
}

class Ipv6Flows : public HostOnEthernet {};

TEST_F(Ipv6Flows, ShareALabelOfTheirOwn) {  // R6437-01
  std::set<std::uint32_t> labels;
  for (std::uint16_t port = 6000; port < 6010; ++port) {
    with([&] {
      tcp::PortHold none;
      EXPECT_TRUE(host_.tcp().connect(none, {peer(IpFamily::kIpv6), Port{port}}, {}));
    });
    advance(4s);  // with its retransmissions
    std::set<std::uint32_t> of_flow;
    for (const SentFrame& frame : sent()) {
      const Parsed segment = frame.ip();
      if (segment.protocol == IpProtocol::kTcp && segment.payload[2] * 256U + segment.payload[3] == port)
        of_flow.insert(segment.flow_label);
    }
    ASSERT_EQ(of_flow.size(), 1U);
    EXPECT_NE(*of_flow.begin(), 0U);
    labels.merge(of_flow);
  }
  EXPECT_EQ(labels.size(), 10U);
}

class Ipv4Broadcasts : public HostOnEthernet {
 protected:
  Ipv4Broadcasts() : socket_(open_udp({IpAddress::any(IpFamily::kIpv4), Port{5000}})) {}
  UdpSocket socket_;
};

TEST_F(Ipv4Broadcasts, GoToAllStationsInTheAllOnesForm) {  // R894-04, R1122-29, R1122-31
  for (const char* to : {"255.255.255.255", "10.0.0.255"}) {
    EXPECT_EQ(send(*socket_, pattern(20), {.to = Endpoint{address(to), Port{6000}}}).error(),
              Error::kAccessDenied);
    socket_->options().broadcast = true;
    ASSERT_TRUE(send(*socket_, pattern(20), {.to = Endpoint{address(to), Port{6000}}}));
    socket_->options().broadcast = false;
    const auto frames = sent();
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0].ethernet.destination, MacAddress::broadcast());
    EXPECT_EQ(frames[0].ip().destination, address(to));
    EXPECT_EQ(frames[0].ip().source, self(IpFamily::kIpv4));
  }
}

TEST_F(Ipv4Broadcasts, OfBothFormsAreReceived) {  // R1122-29
  for (const char* to : {"255.255.255.255", "10.0.0.255"})
    receive_udp({peer(IpFamily::kIpv4), Port{6000}}, {address(to), Port{5000}}, pattern(20));
  EXPECT_EQ(received(*socket_).size(), 2U);
  EXPECT_TRUE(nothing_sent());
}

TEST_F(Ipv4Broadcasts, OfTheAllZerosFormAreNeitherMadeNorTaken) {  // R1122-31
  receive_udp({peer(IpFamily::kIpv4), Port{6000}}, {address("10.0.0.0"), Port{5000}}, pattern(20),
              {.destination = MacAddress::broadcast()});
  EXPECT_TRUE(received(*socket_).empty());
  socket_->options().broadcast = true;
  (void)send(*socket_, pattern(20), {.to = Endpoint{address("10.0.0.0"), Port{6000}}});
  for (const SentFrame& frame : sent())
    EXPECT_TRUE(frame.is(wire::EtherType::kArp));  // an address like others
}

}  // namespace
}  // namespace transom::test
