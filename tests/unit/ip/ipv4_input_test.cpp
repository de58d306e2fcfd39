// What IPv4 packets are taken in, and what is dropped, why, and without a word.

#include "tests/unit/ip/ip_fixture.h"

namespace transom::test {
namespace {

const IpAddress kPeer = IpAddress::v4(10, 0, 0, 1);
const IpAddress kSelf = IpAddress::v4(10, 0, 0, 2);

class Ipv4Input : public IpTest {
 protected:
  Octets datagram(const Octets& payload = pattern(20)) const {
    return ipv4({.source = kPeer, .destination = kSelf, .protocol = IpProtocol::kUdp}, payload);
  }
  void expect_silent_drop(DropReason reason) {
    EXPECT_TRUE(udp_.arrivals.empty());
    EXPECT_TRUE(tcp_.arrivals.empty());
    EXPECT_TRUE(nothing_sent());
    EXPECT_EQ(drops(reason), 1U) << to_string(reason);
    context_.drops.fill(0);
  }
};

TEST_F(Ipv4Input, HandsADatagramUpWithItsHeaderInFront) {
  const Octets packet =
      ipv4({.source = kPeer, .destination = kSelf, .ttl = 9, .traffic_class = 0x2d}, pattern(33));
  receive(packet);
  ASSERT_EQ(udp_.arrivals.size(), 1U);
  const auto& arrival = udp_.arrivals[0];
  EXPECT_EQ(arrival.source, kPeer);
  EXPECT_EQ(arrival.destination, kSelf);
  EXPECT_EQ(arrival.protocol, IpProtocol::kUdp);
  EXPECT_EQ(arrival.ttl, 9);
  EXPECT_EQ(arrival.traffic_class, 0x2d);  // R1122-15
  EXPECT_TRUE(arrival.to_unicast);
  EXPECT_EQ(arrival.octets, pattern(33));
  EXPECT_EQ(arrival.headers, part(packet, 0, 20));
}

TEST_F(Ipv4Input, TrimsWhatTheLinkHasPadded) {  // R791-03, R894-02
  receive(datagram(pattern(8)) + Octets(18, 0xee));
  ASSERT_EQ(udp_.arrivals.size(), 1U);
  EXPECT_EQ(udp_.arrivals[0].octets, pattern(8));
}

TEST_F(Ipv4Input, DropsEveryTruncation) {  // R791-02, R1122-32, ATK-IPV4-30, -31, -53, ATK-ICMP-14
  const Octets whole =
      ipv4({.source = kPeer, .destination = kSelf, .options = {7, 7, 4, 0, 0, 0, 0, 0}}, pattern(12));
  for (std::size_t size = 0; size < whole.size(); ++size) receive(part(whole, 0, size));
  EXPECT_TRUE(udp_.arrivals.empty());
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(drops(DropReason::kIpTruncated) + drops(DropReason::kIpBadTotalLength), whole.size());
}

TEST_F(Ipv4Input, DropsContradictoryLengthsAndVersions) {  // R791-02, R1122-09, ATK-IPV4-20
  struct Case {
    std::size_t at;
    std::uint8_t value;
    DropReason reason;
  };
  for (const Case& c :
       {Case{0, 0x55, DropReason::kIpBadVersion}, Case{0, 0x05, DropReason::kIpBadVersion},
        Case{0, 0x44, DropReason::kIpBadHeaderLength}, Case{0, 0x40, DropReason::kIpBadHeaderLength},
        Case{3, 19, DropReason::kIpBadHeaderLength}, Case{3, 41, DropReason::kIpBadTotalLength},
        Case{2, 0xff, DropReason::kIpBadTotalLength}}) {
    Octets packet = datagram();
    packet[c.at] = c.value;
    fix_ipv4_checksum(packet);
    receive(packet);
    expect_silent_drop(c.reason);
  }
}

TEST_F(Ipv4Input, DropsABadHeaderChecksumWhicheverBitIsWrong) {  // R1122-10, ATK-IPV4-47
  const Octets good = datagram();
  for (std::size_t bit = 8; bit < 160; ++bit) {  // the first octet is judged before
    Octets packet = good;
    packet[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    receive(packet);
  }
  EXPECT_TRUE(udp_.arrivals.empty());
  EXPECT_TRUE(nothing_sent());
}

TEST_F(Ipv4Input, DropsWhatIsForOthers) {  // R1122-12
  for (const char* other : {"10.0.0.9", "192.0.2.1", "224.0.0.99", "240.0.0.1", "0.0.0.0"}) {
    receive(ipv4({.source = kPeer, .destination = address(other)}, pattern(20)));
    expect_silent_drop(DropReason::kIpNotForUs);
  }
}

TEST_F(Ipv4Input, IsAStrongHost) {  // R1122-27: an address of b does not answer on a
  receive(ipv4({.source = kPeer, .destination = address("192.168.5.2")}, pattern(20)), a_);
  expect_silent_drop(DropReason::kIpNotForUs);
  receive(ipv4({.source = kPeer, .destination = address("192.168.5.2")}, pattern(20)), b_);
  EXPECT_EQ(udp_.arrivals.size(), 1U);
}

TEST_F(Ipv4Input,
       DropsSourcesThatAreNotOneOtherHost) {  // R1122-13, R1812-03, R1122-50, ATK-IPV4-36, -37, -38, -45
  for (const char* source : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.1.2.3", "240.0.0.1",
                             "255.255.255.255", "10.0.0.255"}) {
    receive(ipv4({.source = address(source), .destination = kSelf}, pattern(20)));
    expect_silent_drop(DropReason::kIpMartianSource);
  }
  for (const char* own : {"10.0.0.2", "10.0.0.3", "192.168.5.2"}) {
    receive(ipv4({.source = address(own), .destination = kSelf, .protocol = IpProtocol::kTcp}, pattern(20)));
    expect_silent_drop(DropReason::kIpOwnSource);
  }
}

TEST_F(Ipv4Input, DropsLoopbackDestinationsFromTheWire) {  // R1122-14
  receive(ipv4({.source = kPeer, .destination = address("127.0.0.1")}, pattern(20)));
  expect_silent_drop(DropReason::kIpMartianDestination);
}

TEST_F(Ipv4Input, TakesBroadcastsAndJoinedGroupsAsNotUnicast) {  // R1122-12, R1122-29
  const IpAddress group = address("239.1.1.1");
  for (const char* to : {"255.255.255.255", "10.0.0.255", "224.0.0.1"})
    receive(ipv4({.source = kPeer, .destination = address(to)}, pattern(9)));
  receive(ipv4({.source = kPeer, .destination = group}, pattern(9)));
  EXPECT_EQ(udp_.arrivals.size(), 3U);
  a_->join(group);
  receive(ipv4({.source = kPeer, .destination = group}, pattern(9)));
  a_->leave(group);
  receive(ipv4({.source = kPeer, .destination = group}, pattern(9)));
  ASSERT_EQ(udp_.arrivals.size(), 4U);
  for (const auto& arrival : udp_.arrivals) EXPECT_FALSE(arrival.to_unicast);
}

TEST_F(Ipv4Input, DropsUnicastInALinkBroadcast) {  // R1122-30
  PacketInfo info;
  info.link_broadcast = true;
  receive(datagram(), a_, info);
  expect_silent_drop(DropReason::kIpUnicastInLinkBroadcast);
}

TEST_F(Ipv4Input, SkipsUnknownOptions) {  // R1122-17, ATK-IPV4-52
  for (const Octets& options :
       {Octets{0x99, 4, 1, 2}, Octets{134, 8, 0, 0, 0, 1, 1, 0}, Octets{1, 1, 1, 0}, Octets{148, 4, 0, 0},
        Octets{7, 7, 4, 0, 0, 0, 0, 0}, Octets{7, 7, 8, 1, 2, 3, 4, 0}, Octets{68, 8, 5, 0, 0, 0, 0, 0},
        Octets{0, 7, 0, 0}}) {
    receive(ipv4({.source = kPeer, .destination = kSelf, .options = options}, pattern(9)));
  }
  EXPECT_EQ(udp_.arrivals.size(), 8U);
  ASSERT_FALSE(udp_.arrivals.empty());
  EXPECT_EQ(udp_.arrivals[0].headers.size(), 24U);  // R1122-18: they stand in front, for who wants them
  EXPECT_TRUE(nothing_sent());
}

TEST_F(Ipv4Input, DropsIllegalOptions) {  // R791-04, ATK-IPV4-22, -25, -26, -28, -29
  for (const Octets& options :
       {Octets{7, 0, 0, 0}, Octets{7, 1, 0, 0}, Octets{7, 40, 4, 0}, Octets{7, 2, 0, 0},
        Octets{7, 7, 3, 0, 0, 0, 0, 0}, Octets{7, 7, 5, 0, 0, 0, 0, 0}, Octets{7, 7, 200, 0, 0, 0, 0, 0},
        Octets{68, 8, 200, 0, 0, 0, 0, 0}, Octets{68, 40, 5, 0, 0, 0, 0, 0}, Octets{68, 3, 5, 0},
        Octets{0x99, 5, 0, 0}, Octets{1, 1, 1, 0x99}, Octets{0x99, 0, 0, 0}}) {
    receive(ipv4({.source = kPeer, .destination = kSelf, .options = options}, pattern(9)));
    expect_silent_drop(DropReason::kIpBadOptions);
  }
}

TEST_F(Ipv4Input, RefusesSourceRoutes) {  // R1122-28, ATK-IPV4-27, ATK-IPV4-24
  for (const Octets& options : {Octets{131, 7, 4, 10, 0, 0, 9, 0}, Octets{137, 7, 4, 10, 0, 0, 9, 0},
                                Octets{131, 3, 4, 131, 3, 4, 0, 0}}) {
    receive(ipv4({.source = kPeer, .destination = kSelf, .protocol = IpProtocol::kTcp, .options = options},
                 pattern(20)));
    expect_silent_drop(DropReason::kIpSourceRouted);
  }
}

TEST_F(Ipv4Input, AtomicDatagramsMayRepeatTheirIdentification) {  // R6864-01, R6864-03
  for (int i = 0; i < 20; ++i)
    receive(ipv4({.source = kPeer, .destination = kSelf, .id = 1, .dont_fragment = true}, pattern(9)));
  EXPECT_EQ(udp_.arrivals.size(), 20U);
}

TEST_F(Ipv4Input,
       AnswersUnknownProtocolsWithProtocolUnreachable) {  // R1122-36, ATK-IPV4-18, -46, ATK-IPV6-33
  for (const std::uint8_t protocol :
       std::initializer_list<std::uint8_t>{253, 41, 4, 0, 255, 53, 55, 77, 103}) {
    advance(10s);  // the limit on errors
    receive(
        ipv4({.source = kPeer, .destination = kSelf, .protocol = static_cast<IpProtocol>(protocol), .ttl = 1},
             pattern(40)));
    const ParsedIcmp error = parse_icmp(sent_one());
    EXPECT_TRUE(error.ok);
    EXPECT_EQ(error.header.type, 3);
    EXPECT_EQ(error.header.code, 2);
  }
  EXPECT_EQ(count(Counter::kIpInUnknownProtos), 9U);
}

TEST_F(Ipv4Input, SurvivesEveryMutationOfAHeader) {  // ATK-IPV4-16, -23
  const Octets good =
      ipv4({.source = kPeer, .destination = kSelf, .more = true, .options = {7, 7, 4, 0, 0, 0, 0, 0}},
           pattern(64));
  for (std::size_t at = 0; at < 28; ++at) {
    for (int value = 0; value < 256; ++value) {
      Octets packet = good;
      packet[at] = static_cast<std::uint8_t>(value);
      fix_ipv4_checksum(packet);
      receive(packet);
    }
  }
}

}  // namespace
}  // namespace transom::test
