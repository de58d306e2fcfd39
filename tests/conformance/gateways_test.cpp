// The way out of the own network: which router, and what happens when it is dead (RFC 1122 §3.3.1, RFC 4861
// §6.3.6).

#include "tests/support/host_on_ethernet.h"

namespace transom::test {
namespace {

class Gateways : public HostOnEthernetOfFamily {
 protected:
  Gateways() {
    EXPECT_TRUE(host_.add_route({IpAddress::any(GetParam()), 0}, other_router(), eth_, 1));
    socket_ = open_udp({self(), Port{5000}});
  }
  // The frames that a datagram to `to` makes.
  std::vector<SentFrame> frames_to(const IpAddress& to) {
    (void)send(*socket_, pattern(40), {.to = Endpoint{to, Port{6000}}});
    return sent();
  }
  MacAddress first_hop(const IpAddress& to) {
    const auto frames = frames_to(to);
    EXPECT_EQ(frames.size(), 1U);
    return frames.empty() ? MacAddress() : frames[0].ethernet.destination;
  }
  // The link address of the first router is not known any more, and it does not answer.
  void first_dies() { EXPECT_TRUE(host_.link().forget(interface(), router())); }

  UdpSocket socket_;
};
INSTANTIATE_TEST_SUITE_P(BothFamilies, Gateways, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         family_of_test);

TEST_P(Gateways, AreUsedForWhatIsNotOnTheOwnNetwork) {  // R1122-19, R4861-13
  EXPECT_EQ(first_hop(peer()), mac_of(peer()));
  EXPECT_EQ(first_hop(remote()), mac_of(router()));
  const IpAddress neighbour = address(is_v4() ? "10.0.0.88" : "2001:db8:a::88");
  const auto asked = frames_to(neighbour);
  ASSERT_EQ(asked.size(), 1U);  // who has it?
  EXPECT_TRUE(asked[0].ethernet.destination.is_group());
}

TEST_P(Gateways, ThatDoNotAnswerArePassedOver) {  // R1122-20, R1122-22, R4861-15
  EXPECT_EQ(first_hop(remote()), mac_of(router()));
  first_dies();
  EXPECT_TRUE(frames_to(remote()).at(0).ethernet.destination.is_group());
  advance(4s);
  EXPECT_EQ(sent().size(), 2U);  // asked three times in all, a second apart
  EXPECT_EQ(first_hop(remote()), mac_of(other_router()));
  EXPECT_EQ(first_hop(remote(2)), mac_of(other_router()));
}

TEST_P(Gateways, AreTriedAgainAndUsedWhenTheyAreBack) {  // R4861-15
  first_dies();
  frames_to(remote());
  advance(4s);
  sent();
  EXPECT_EQ(first_hop(remote(2)), mac_of(other_router()));
  know(router());
  advance(2min);
  EXPECT_EQ(first_hop(remote(3)), mac_of(router()));
}

TEST_P(Gateways, ThatAreAllDeadAreAskedForAndNoErrorIsLost) {  // R1122-22
  first_dies();
  EXPECT_TRUE(host_.link().forget(interface(), other_router()));
  UdpSocket connected = open_udp({self(), Port{5001}}, Endpoint{remote(), Port{6000}});
  ASSERT_TRUE(send(*connected, pattern(40)));
  advance(5s);
  EXPECT_EQ(with([&] { return connected->take_error(); }), Error::kHostUnreachable);
}

TEST_P(Gateways, AreNotAskedWhileNothingIsSent) {  // R1122-22
  // As known by ARP or NDP, not by decree.
  first_dies();
  frames_to(remote());
  if (is_v4()) {
    const wire::ArpPacket reply{wire::ArpPacket::Operation::kReply, mac_of(router()), router(), kHostMac,
                                self()};
    Octets octets(wire::ArpPacket::kSize);
    wire::Writer writer(octets);
    reply.write(writer);
    receive_frame(kHostMac, mac_of(router()), wire::EtherType::kArp, octets);
  } else {
    wire::NeighborAdvertisement reply;
    reply.router = reply.solicited = reply.override_cache = true;
    reply.target = router();
    reply.options.target_link_address = mac_of(router());
    Octets octets(reply.size());
    wire::Writer writer(octets);
    reply.write(writer);
    const IpAddress own = link::link_local_address(kHostMac);
    wire::write_icmpv6_checksum(octets, router(), own);
    receive(ipv6({.source = router(), .destination = own, .next = IpProtocol::kIcmpv6, .hop_limit = 255},
                 octets));
  }
  EXPECT_EQ(sent().size(), 1U);  // what has waited
  advance(30s);
  sent();
  advance(1h);
  EXPECT_TRUE(nothing_sent());
}

}  // namespace
}  // namespace transom::test
