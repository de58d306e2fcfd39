// Extension headers of IPv6, from and to the application: RFC 8200 §4, RFC 3542 §6 to §9, RFC 8754 §4.1.

#include "stack/ip/extension_headers.h"
#include "tests/support/host_on_ethernet.h"

namespace transom::test {
namespace {

constexpr auto kHopByHop = IpProtocol::kHopByHop;
constexpr auto kOptions = IpProtocol::kDestinationOptions;
constexpr auto kRouting = IpProtocol::kRouting;
constexpr auto kUdp = IpProtocol::kUdp;

const Octets kOne = {0x1e, 4, 'o', 'n', 'e', '!'};  // options that are skipped where they are not known
const Octets kTwo = {0x1e, 12, 't', 'w', 'o', ' ', 'u', 'n', 'i', 't', 's', '.', '.', '.'};

class ExtensionHeaders : public HostOnEthernet {
 protected:
  ExtensionHeaders() : socket_(open_udp({self_, Port{5000}})) {}

  Result<std::size_t> send_with(const ip::ExtensionHeaders& headers, std::size_t size, const IpAddress& to) {
    return send(*socket_, pattern(size),
                {.to = Endpoint{to, Port{6000}},
                 .extension_headers = std::make_shared<const ip::ExtensionHeaders>(headers)});
  }
  // Hop-by-hop options, destination options, those for the stops, routing.
  static ip::ExtensionHeaders of(const Octets& hop_by_hop, const Octets& destination = {},
                                 const Octets& before_routing = {}, const Octets& routing = {}) {
    return {.hop_by_hop = hop_by_hop,
            .before_routing = before_routing,
            .routing = routing,
            .destination = destination};
  }
  Octets datagram(std::size_t size, const IpAddress& to) const {
    return udp({self_, Port{5000}}, {to, Port{6000}}, pattern(size));
  }
  void receive_with(IpProtocol first, const Octets& headers) {
    receive(ipv6({.source = peer_, .destination = self_, .next = first},
                 headers + udp({peer_, Port{6000}}, {self_, Port{5000}}, pattern(20))));
  }
  // RFC 8754 §2: by way of `first`, then to who is filled in.
  static Octets segments(const IpAddress& first, std::uint8_t segments_left = 1) {
    Octets body = {4, segments_left, 1, 0, 0, 0};
    body.resize(body.size() + 16, 0xee);
    const auto octets = first.octets();
    body.insert(body.end(), octets.begin(), octets.end());
    return extension(IpProtocol{0xee}, body);
  }

  const IpAddress peer_ = peer(IpFamily::kIpv6);
  const IpAddress self_ = self(IpFamily::kIpv6);
  const IpAddress remote_ = remote(IpFamily::kIpv6);
  UdpSocket socket_;
};

TEST_F(ExtensionHeaders, StandInTheirOrderInFrontOfWhatIsSent) {
  ASSERT_TRUE(send_with(of(extension(kUdp, kOne), extension(kUdp, kTwo)), 30, peer_));
  const Parsed packet = sent_one();
  EXPECT_EQ(packet.protocol, kHopByHop);
  EXPECT_EQ(packet.payload, extension(kOptions, kOne) + extension(kUdp, kTwo) + datagram(30, peer_));
}

TEST_F(ExtensionHeaders, OfRoutingSendThePacketByWayOfItsFirstSegment) {
  know(peer_);
  Octets expected = segments(peer_);
  expected[0] = static_cast<std::uint8_t>(kOptions);
  const auto last = remote_.octets();
  std::ranges::copy(last, expected.begin() + 8);
  ASSERT_TRUE(send_with(
      of(extension(kUdp, kOne), extension(kUdp, kOne), extension(kUdp, kTwo), segments(peer_)), 30, remote_));
  const Parsed packet = sent_one();
  EXPECT_EQ(packet.destination, peer_);
  // RFC 8200 §8.1: the checksum is that of the last destination.
  EXPECT_EQ(packet.payload, extension(kOptions, kOne) + extension(kRouting, kTwo) + expected +
                                extension(kUdp, kOne) + datagram(30, remote_));
}

TEST_F(ExtensionHeaders, ForTheStopsAreNotSentWithoutARoutingHeader) {
  ASSERT_TRUE(send_with(of({}, {}, extension(kUdp, kTwo)), 30, peer_));
  const Parsed packet = sent_one();
  EXPECT_EQ(packet.protocol, kUdp);
  EXPECT_EQ(packet.payload, datagram(30, peer_));
}

TEST_F(ExtensionHeaders, AreInEveryFragmentAsFarAsRoutersLookAtThem) {  // RFC 8200 §4.5
  ASSERT_TRUE(send_with(of(extension(kUdp, kTwo), extension(kUdp, kOne)), 3000, peer_));
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 3U);
  Octets whole;
  for (const SentFrame& frame : frames) {
    const Parsed packet = frame.ip();
    EXPECT_LE(packet.size, 1500U);
    EXPECT_EQ(packet.protocol, kHopByHop);
    EXPECT_EQ(part(packet.payload, 0, 16), extension(IpProtocol::kFragment, kTwo));
    wire::Reader reader(Bytes(packet.payload).subspan(16));
    const auto fragment = wire::Ipv6FragmentHeader::parse(reader);
    ASSERT_TRUE(fragment);
    EXPECT_EQ(fragment->next_header, kOptions);
    EXPECT_EQ(fragment->offset, whole.size());
    EXPECT_EQ(fragment->more_fragments, &frame != &frames.back());
    const Bytes rest = reader.rest();
    whole.insert(whole.end(), rest.begin(), rest.end());
  }
  EXPECT_EQ(whole, extension(kUdp, kOne) + datagram(3000, peer_));
}

TEST_F(ExtensionHeaders, OfTheLargestSizeFindRoom) {
  const Octets large = extension(kUdp, Octets(2038));
  const ip::ExtensionHeaders headers = of(large, large);
  EXPECT_EQ(send_with(headers, 10, peer_).error(), Error::kMessageTooLong) << "they fit no fragment";
  interface().set_mtu(9000);
  ASSERT_TRUE(send_with(headers, 1000, peer_));
  EXPECT_EQ(sent_one().payload, extension(kOptions, Octets(2038)) + large + datagram(1000, peer_));
  ASSERT_TRUE(send_with(of(large), 65535 - 2040 - 8, peer_));
  EXPECT_EQ(sent().size(), 10U);
  EXPECT_EQ(send_with(of(large), 65535 - 2040 - 7, peer_).error(), Error::kMessageTooLong);
}

TEST_F(ExtensionHeaders, CountAgainstThePathMtu) {
  socket_->options().dont_fragment = true;
  const ip::ExtensionHeaders headers = of({}, extension(kUdp, kTwo));
  EXPECT_TRUE(send_with(headers, 1500 - 48 - 16, peer_));
  EXPECT_EQ(send_with(headers, 1500 - 48 - 16 + 1, peer_).error(), Error::kMessageTooLong);
  EXPECT_EQ(sent().size(), 1U);
}

TEST_F(ExtensionHeaders, LeaveIpv4Alone) {
  const auto headers = std::make_shared<const ip::ExtensionHeaders>(of({}, extension(kUdp, kTwo)));
  UdpSocket four = open_udp({self(IpFamily::kIpv4), Port{5001}});
  ASSERT_TRUE(send(*four, pattern(9),
                   {.to = Endpoint{peer(IpFamily::kIpv4), Port{6000}}, .extension_headers = headers}));
  EXPECT_EQ(sent_one().protocol, kUdp);
}

TEST_F(ExtensionHeaders, AreHandedUpWithTheDatagram) {
  const Octets headers = extension(kOptions, kOne) + extension(kUdp, kTwo);
  receive_with(kHopByHop, headers);
  receive_with(kUdp, {});
  with([&] {
    const auto datagram = socket_->receive();
    ASSERT_TRUE(datagram);
    EXPECT_EQ(datagram->first_header, kHopByHop);
    EXPECT_EQ(datagram->ip_options, headers);
    const auto plain = socket_->receive();
    ASSERT_TRUE(plain);
    EXPECT_TRUE(plain->ip_options.empty());
    EXPECT_EQ(socket_->queued_memory(), 0U);
  });
}

TEST_F(ExtensionHeaders, OfAReassembledDatagramAreThoseOfItsFirstFragment) {
  const Octets payload = udp({peer_, Port{6000}}, {self_, Port{5000}}, pattern(40));
  const Octets first = extension(IpProtocol::kFragment, kOne);
  for (const std::uint16_t offset : {std::uint16_t{0}, std::uint16_t{24}}) {
    const bool more = offset == 0;
    receive(ipv6({.source = peer_, .destination = self_, .next = kOptions},
                 first + fragment_header(kUdp, offset, more, 7) +
                     (more ? part(payload, 0, 24) : part(payload, 24, payload.size() - 24))));
  }
  with([&] {
    const auto datagram = socket_->receive();
    ASSERT_TRUE(datagram);
    EXPECT_EQ(datagram->first_header, kOptions);
    EXPECT_EQ(datagram->ip_options, extension(kUdp, kOne));
  });
}

TEST(RoutingHeader, MayBeSentWhenItIsASegmentList) {
  const auto header = [](std::uint8_t type, std::uint8_t left, std::uint8_t last, std::size_t segments,
                         const Octets& tlvs = {}) {
    return extension(kUdp, Octets{type, left, last, 0, 0, 0} + Octets(segments * 16) + tlvs);
  };
  EXPECT_TRUE(ip::may_send_routing_header(header(4, 0, 0, 1)));
  EXPECT_TRUE(ip::may_send_routing_header(header(4, 1, 1, 2)));
  EXPECT_TRUE(ip::may_send_routing_header(header(4, 0, 0, 1, {5, 6, 0, 0, 0, 0, 0, 0})));
  EXPECT_FALSE(ip::may_send_routing_header(header(0, 1, 0, 1))) << "RFC 5095";
  EXPECT_FALSE(ip::may_send_routing_header(header(2, 1, 0, 1)));
  EXPECT_FALSE(ip::may_send_routing_header(header(4, 1, 0, 1))) << "more left than there are";
  EXPECT_FALSE(ip::may_send_routing_header(header(4, 0, 1, 1))) << "the list ends before its last";
  EXPECT_FALSE(ip::may_send_routing_header(header(4, 0, 0, 1, {5, 7, 0, 0, 0, 0, 0, 0}))) << "TLV beyond";
  const Octets good = header(4, 1, 1, 2);
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(ip::may_send_routing_header(part(good, 0, size))) << size;
}

}  // namespace
}  // namespace transom::test
