// Frames, as another station on the Ethernet sees them (RFC 894, RFC 1122 §2.3, RFC 2464).

#include <set>

#include "tests/support/host_on_ethernet.h"

namespace transom::test {
namespace {

constexpr Port kClosedPort{9};

class EthernetFrames : public HostOnEthernetOfFamily {};
INSTANTIATE_TEST_SUITE_P(BothFamilies, EthernetFrames, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         family_of_test);

TEST_P(EthernetFrames, CarryRequestAndReplyInTheSameEncapsulation) {  // R894-01, R1122-01
  receive_icmp(peer(), self(), is_v4() ? 8 : 128, 0, 0x00070001, pattern(20));
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].ethernet.type, is_v4() ? wire::EtherType::kIpv4 : wire::EtherType::kIpv6);
  EXPECT_FALSE(frames[0].ethernet.tag);
  EXPECT_EQ(frames[0].ethernet.source, kHostMac);
  EXPECT_EQ(frames[0].ethernet.destination, mac_of(peer()));
  EXPECT_EQ(parse_icmp(frames[0].ip()).data, pattern(20));
}

TEST_P(EthernetFrames, CarryAtMost1500OctetsUnlessTold) {  // R894-03
  UdpSocket socket = open_udp({self(), Port{5000}});
  ASSERT_TRUE(send(*socket, pattern(9000), {.to = Endpoint{peer(), Port{6000}}}));
  const auto frames = sent();
  EXPECT_EQ(frames.size(), 7U);
  for (const SentFrame& frame : frames) EXPECT_LE(frame.payload.size(), 1500U);
  EXPECT_GT(frames[0].payload.size(), 1490U);
}

TEST_P(EthernetFrames, HaveNoTrailersNorOtherTypes) {  // R1122-03, R894-01
  const IpAddress stranger = address(is_v4() ? "10.0.0.88" : "2001:db8:a::88");
  UdpSocket socket = open_udp({self(), Port{5000}});
  for (const IpAddress& to : {peer(), remote(), stranger})
    ASSERT_TRUE(send(*socket, pattern(1024), {.to = Endpoint{to, Port{6000}}}));
  receive_udp({peer(), Port{6000}}, {self(), kClosedPort}, pattern(512));
  advance(5s);
  std::set<wire::EtherType> types;
  for (const SentFrame& frame : sent()) types.insert(frame.ethernet.type);
  if (is_v4()) {
    EXPECT_EQ(types, (std::set{wire::EtherType::kIpv4, wire::EtherType::kArp}));
  } else {
    EXPECT_EQ(types, std::set{wire::EtherType::kIpv6});
  }
  // RFC 893: 0x1000 to 0x100f. Nothing is read out of them.
  const std::uint64_t unknown = count(Counter::kLinkInUnknownTypes);
  for (std::uint16_t type = 0x1000; type < 0x1010; ++type) {
    receive_frame(kHostMac, mac_of(peer()), static_cast<wire::EtherType>(type),
                  ip_packet(peer(), self(), icmp_protocol(),
                            icmp(peer(), self(), is_v4() ? 8 : 128, 0, 1, pattern(20))));
  }
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(count(Counter::kLinkInUnknownTypes), unknown + 16);
}

TEST_P(EthernetFrames, ToAllDrawNoAnswerWhateverTheyCarry) {  // R1122-04, R1122-30, R1122-35, ATK-ETHERNET-09
  wire::TcpHeader syn;
  syn.source_port = Port{4000};
  syn.destination_port = kClosedPort;
  syn.flags.syn = true;
  Octets segment(syn.size());
  wire::Writer writer(segment);
  syn.write(writer);
  wire::ChecksumSum sum = wire::pseudo_header_sum(peer(), self(), IpProtocol::kTcp, 20);
  sum.add(segment);
  wire::Writer(MutableBytes(segment).subspan(16, 2)).u16(sum.checksum());
  const Octets datagram = udp({peer(), Port{4000}}, {self(), kClosedPort}, pattern(20));
  const auto send_all = [&](const MacAddress& to) {
    receive(ip_packet(peer(), self(), IpProtocol::kUdp, datagram), {.destination = to});
    receive(ip_packet(peer(), self(), IpProtocol::kTcp, segment), {.destination = to});
    receive(ip_packet(peer(), self(), static_cast<IpProtocol>(253), pattern(20)), {.destination = to});
  };
  const MacAddress group({0x01, 0x00, 0x5e, 0, 0, 1});
  for (const MacAddress& to : {MacAddress::broadcast(), group, wire::multicast_mac(kAllNodes)}) {
    send_all(to);
    EXPECT_TRUE(nothing_sent());
  }
  send_all(kHostMac);
  EXPECT_EQ(sent().size(), 3U);
}

}  // namespace
}  // namespace transom::test
