// Published attacks with fragments, as they would arrive from the Ethernet: tests/conformance/attacks.csv.

#include <random>

#include "tests/conformance/under_attack.h"

namespace transom::test {
namespace {

class FragmentAttacks : public UnderAttack {
 protected:
  // One IPv4 fragment from the attacker; `offset` in octets.
  void fragment(IpProtocol protocol, std::size_t offset, const Octets& payload, bool more,
                std::uint16_t id = 7) {
    receive(ipv4({.source = kAttacker,
                  .destination = self4(),
                  .protocol = protocol,
                  .id = id,
                  .more = more,
                  .offset = static_cast<std::uint16_t>(offset)},
                 payload));
  }
  void fragment6(IpProtocol next, std::size_t offset, const Octets& payload, bool more,
                 std::uint32_t id = 7) {
    receive(ipv6({.source = attacker6(), .destination = self6(), .next = IpProtocol::kFragment},
                 fragment_header(next, static_cast<std::uint16_t>(offset), more, id) + payload));
  }
  Octets datagram(std::size_t size) const {
    return udp({kAttacker, Port{7}}, {self4(), kOpenPort}, pattern(size));
  }
};

TEST_F(FragmentAttacks, PingOfDeath) {  // ATK-IPV4-01
  const Octets echo = icmp(kAttacker, self4(), 8, 0, 1, pattern(1472));
  fragment(IpProtocol::kIcmp, 0, part(echo, 0, 1480), true);
  for (std::size_t offset = 1480; offset < 65512; offset += 1480)
    fragment(IpProtocol::kIcmp, offset, pattern(1480), true);
  fragment(IpProtocol::kIcmp, 65512, pattern(1480), false);
  expect_ignored();
  advance(2min);
  expect_ignored();
}

TEST_F(FragmentAttacks, Teardrop) {  // ATK-IPV4-02
  const Octets whole = datagram(64);
  fragment(IpProtocol::kUdp, 0, part(whole, 0, 36), true);
  fragment(IpProtocol::kUdp, 24, pattern(4), false);
  expect_ignored();
  fragment(IpProtocol::kUdp, 0, part(whole, 0, 32), true, 8);
  fragment(IpProtocol::kUdp, 24, pattern(4), false, 8);
  expect_ignored();
}

TEST_F(FragmentAttacks, NewTearBonkAndSyndrop) {  // ATK-IPV4-03
  for (const IpProtocol protocol : {IpProtocol::kUdp, IpProtocol::kTcp}) {
    const Octets start =
        protocol == IpProtocol::kUdp ? datagram(40) : tcp(kAttacker, self4(), {.payload = pattern(28)});
    const auto id = static_cast<std::uint16_t>(protocol);
    fragment(protocol, 0, part(start, 0, 48), true, id);
    fragment(protocol, 55 * 8, pattern(4), false, id);  // bonk: far behind, never filled up
    fragment(protocol, 40, pattern(4), true, id);
    fragment(protocol, 24, pattern(36), false, id);
  }
  expect_ignored();
  EXPECT_EQ(connections(), 1U);  // the bystander's
}

TEST_F(FragmentAttacks, Nestea) {  // ATK-IPV4-04
  fragment(IpProtocol::kUdp, 0, part(datagram(64), 0, 16), true);
  fragment(IpProtocol::kUdp, 48, pattern(112), true);
  fragment(IpProtocol::kUdp, 0, pattern(224), true);
  fragment(IpProtocol::kUdp, 224, pattern(8), false);
  expect_ignored();
}

TEST_F(FragmentAttacks, Jolt) {  // ATK-IPV4-05
  for (std::uint16_t id = 1; id <= 50; ++id) {
    for (std::size_t offset = 0; offset + 1480 <= 65535; offset += 1480)
      fragment(IpProtocol::kIcmp, offset, pattern(1480), true, id);
    fragment(IpProtocol::kIcmp, 65120, pattern(1000), false, id);
    EXPECT_LE(held_octets(), 5U << 20);
  }
  expect_ignored();
}

TEST_F(FragmentAttacks, JoltTwo) {  // ATK-IPV4-06
  Octets packet =
      ipv4({.source = kAttacker, .destination = self4(), .protocol = IpProtocol::kIcmp, .offset = 65520},
           pattern(9));
  for (int i = 0; i < 1000; ++i) receive(packet);
  packet[3] = 68;  // the total length that it claims
  fix_ipv4_checksum(packet);
  for (int i = 0; i < 1000; ++i) receive(packet);
  EXPECT_EQ(held_octets(), 0U);
  expect_ignored();
}

TEST_F(FragmentAttacks, RoseAndNewDawn) {  // ATK-IPV4-07, ATK-IPV4-08
  for (int i = 0; i < 20000; ++i) {
    const auto id = static_cast<std::uint16_t>(i);
    fragment(IpProtocol::kUdp, 0, pattern(32), true, id);
    fragment(IpProtocol::kUdp, 64800, pattern(32), false, id);
    fragment(IpProtocol::kUdp, 64800, pattern(32), false, id);
  }
  EXPECT_LE(held_octets(), 5U << 20);
  // Others' fragments are still put together.
  const Octets whole = udp({peer(IpFamily::kIpv4), Port{7}}, {self4(), kOpenPort}, pattern(100));
  const Ip4 from_peer{.source = peer(IpFamily::kIpv4), .destination = self4(), .id = 1};
  Ip4 first = from_peer, second = from_peer;
  first.more = true;
  second.offset = 56;
  receive(ipv4(first, part(whole, 0, 56)));
  receive(ipv4(second, part(whole, 56, 52)));
  EXPECT_EQ(received(*open_).size(), 1U);
  sent();
}

TEST_F(FragmentAttacks, FragmentSmack) {  // ATK-IPV4-09, ATK-IPV4-10, ATK-IPV4-51
  std::mt19937 random(1);
  for (int i = 0; i < 30000; ++i) {
    const auto offset = (random() % 8000 + 1) * 8;
    fragment(IpProtocol::kUdp, offset, pattern(8), true, static_cast<std::uint16_t>(random() % 64));
    fragment6(IpProtocol::kUdp, offset, pattern(8), true, random() % 64);
  }
  EXPECT_LE(held_octets(), 5U << 20);
  expect_ignored();
}

TEST_F(FragmentAttacks, ForgedSecondHalvesArriveBeforeTheTrueOnes) {  // ATK-IPV4-14
  const Octets whole = udp({peer(IpFamily::kIpv4), Port{53}}, {self4(), kOpenPort}, pattern(2000));
  const auto from_peer = [&](std::size_t offset, const Octets& payload, bool more) {
    receive(ipv4({.source = peer(IpFamily::kIpv4),
                  .destination = self4(),
                  .id = 99,
                  .more = more,
                  .offset = static_cast<std::uint16_t>(offset)},
                 payload));
  };
  Octets forged = part(whole, 1480, whole.size() - 1480);
  forged[100] ^= 0x55;
  from_peer(1480, forged, false);
  from_peer(0, part(whole, 0, 1480), true);
  from_peer(1480, part(whole, 1480, whole.size() - 1480), false);
  EXPECT_TRUE(received(*open_).empty());  // the checksum tells
  EXPECT_GE(count(Counter::kUdpInCsumErrors), 1U);
}

TEST_F(FragmentAttacks, OverlapsThatTwoReadersReadDifferently) {  // ATK-IPV4-11, ATK-IPV6-24
  const Octets one = datagram(64);
  Octets other = one;
  other[40] ^= 0xff;
  fragment(IpProtocol::kUdp, 0, part(one, 0, 48), true);
  fragment(IpProtocol::kUdp, 0, part(other, 0, 48), true);
  fragment(IpProtocol::kUdp, 48, part(one, 48, 24), false);
  expect_ignored();
  const Octets syn = tcp(attacker6(), self6(), {.payload = pattern(44)});
  fragment6(IpProtocol::kTcp, 0, syn, true);
  fragment6(IpProtocol::kTcp, 8, part(syn, 8, 24), false);
  fragment6(IpProtocol::kTcp, 64, pattern(8), false);
  expect_ignored();
  advance(2min);
  expect_ignored();
}

TEST_F(FragmentAttacks, HeadersThatAreSpreadOverFragments) {  // ATK-IPV4-12, ATK-IPV4-13, ATK-IPV6-25
  const Octets syn = tcp(kAttacker, self4(), {});
  fragment(IpProtocol::kTcp, 0, part(syn, 0, 8), true);
  fragment(IpProtocol::kTcp, 8, part(syn, 8, 12), false);
  fragment(IpProtocol::kTcp, 0, syn + pattern(4), true, 8);
  fragment(IpProtocol::kTcp, 8, part(syn, 8, 12), false, 8);
  expect_ignored();
  const Octets syn6 = tcp(attacker6(), self6(), {});
  fragment6(IpProtocol::kDestinationOptions, 0, extension(IpProtocol::kTcp, {1, 4, 0, 0, 0, 0}), true);
  fragment6(IpProtocol::kDestinationOptions, 8, syn6, false);
  const ParsedIcmp error = parse_icmp(sent_one());  // RFC 7112: first fragment has an incomplete chain
  EXPECT_EQ(error.header.type, 4);
  EXPECT_EQ(error.header.code, 3);
  EXPECT_EQ(connections(), 1U);
}

TEST_F(FragmentAttacks, TunnelledPacketsInFragments) {  // ATK-IPV4-15, ATK-IPV4-17
  Octets inner = ipv4({.source = address("192.0.2.1"), .destination = self4()}, datagram(1400));
  inner[2] = 0x7f;  // it claims to be much longer
  fix_ipv4_checksum(inner);
  fragment(static_cast<IpProtocol>(4), 0, part(inner, 0, 24), true);
  fragment(static_cast<IpProtocol>(4), 24, part(inner, 24, inner.size() - 24), false);
  const ParsedIcmp error = parse_icmp(sent_one());  // there are no tunnels: protocol unreachable
  EXPECT_EQ(error.header.type, 3);
  EXPECT_EQ(error.header.code, 2);
  EXPECT_TRUE(received(*open_).empty());
}

TEST_F(FragmentAttacks, CompletingTwice) {  // ATK-IPV4-33
  const Octets whole = datagram(64);
  for (int i = 0; i < 3; ++i) {
    fragment(IpProtocol::kUdp, 0, part(whole, 0, 40), true);
    fragment(IpProtocol::kUdp, 40, part(whole, 40, 32), false);
    fragment(IpProtocol::kUdp, 40, part(whole, 40, 32), false);
    fragment(IpProtocol::kUdp, 0, part(whole, 0, 40), true);
    EXPECT_LE(received(*open_).size(), 2U);
  }
}

TEST_F(FragmentAttacks, EmptyFirstFragments) {  // ATK-IPV4-50
  for (std::uint16_t id = 0; id < 2000; ++id) fragment(IpProtocol::kUdp, 0, {}, true, id);
  EXPECT_EQ(held_octets(), 0U);
  expect_ignored();
}

TEST_F(FragmentAttacks, TimeoutsThatWouldBeReportedToAllOrToAForgedGroup) {  // ATK-IPV4-49
  for (const char* source : {"10.0.0.255", "255.255.255.255", "224.0.0.9", "0.0.0.0"}) {
    receive(ipv4({.source = address(source), .destination = self4(), .more = true}, pattern(64)));
  }
  receive(ipv4({.source = kAttacker, .destination = address("10.0.0.255"), .more = true}, pattern(64)));
  advance(2min);
  expect_ignored();
}

TEST_F(FragmentAttacks, NestedFragmentHeadersAndOversizedChains) {  // ATK-IPV6-14, -15, -18, -34
  const Octets inner = fragment_header(IpProtocol::kUdp, 0, true, 8) + pattern(40);
  fragment6(IpProtocol::kFragment, 0, inner, true);
  fragment6(IpProtocol::kFragment, 48, pattern(8), false);
  fragment6(IpProtocol::kHopByHop, 0, extension(IpProtocol::kUdp, {1, 4, 0, 0, 0, 0}) + pattern(16), true, 9);
  fragment6(IpProtocol::kHopByHop, 24, pattern(8), false, 9);
  // Destination options of 2048 octets, again and again.
  Octets options = extension(IpProtocol::kDestinationOptions, Octets(2046, 0));
  for (std::size_t offset = 0; offset + 1024 < 65535; offset += 1024)
    fragment6(IpProtocol::kDestinationOptions, offset, part(options, offset % 2048, 1024), true, 10);
  fragment6(IpProtocol::kDestinationOptions, 65528, pattern(16), false, 10);
  EXPECT_TRUE(received(*open6_).empty());
  EXPECT_LE(sent().size(), 5U);
}

TEST_F(FragmentAttacks, ErrorsBetweenFragmentsOfOneFlow) {  // ATK-IPV6-17, ATK-IPV6-12
  for (std::uint32_t i = 0; i < 200; ++i) {
    receive(ipv6({.source = attacker6(), .destination = self6(), .next = IpProtocol::kDestinationOptions},
                 extension(IpProtocol::kUdp, {0x9e, 2, 0, 0, 0, 0}) + pattern(8)));
    fragment6(IpProtocol::kUdp, 64, pattern(64), true, i);
    fragment6(IpProtocol::kUdp, 128, pattern(64), false, i);
    fragment6(IpProtocol::kUdp, 0, pattern(56), true, i);
  }
  EXPECT_LE(sent().size(), 10U);
  advance(61s);
  EXPECT_LE(sent().size(), 20U);
  EXPECT_TRUE(received(*open6_).empty());
}

TEST_F(FragmentAttacks, AtomicOnesBetweenTheOthers) {  // ATK-IPV6-26
  const Octets whole = udp({attacker6(), Port{7}}, {self6(), kOpenPort}, pattern(100));
  const Octets single = udp({attacker6(), Port{7}}, {self6(), kOpenPort}, pattern(9));
  fragment6(IpProtocol::kUdp, 0, part(whole, 0, 56), true);
  fragment6(IpProtocol::kUdp, 0, single, false);
  EXPECT_EQ(received(*open6_), std::vector<Octets>{pattern(9)});
  fragment6(IpProtocol::kUdp, 56, part(whole, 56, 52), false);
  EXPECT_EQ(received(*open6_), std::vector<Octets>{pattern(100)});
}

TEST_F(FragmentAttacks, PayloadSpreadOverManySmallPieces) {  // ATK-IPV6-28, ATK-IGMPMLD-08
  for (const std::size_t size : {8U, 16U, 24U, 56U}) {
    const Octets whole =
        udp({attacker6(), Port{7}}, {self6(), kOpenPort}, pattern(400, static_cast<std::uint8_t>(size)));
    for (std::size_t at = 0; at < whole.size(); at += size)
      fragment6(IpProtocol::kUdp, at, part(whole, at, std::min(size, whole.size() - at)),
                at + size < whole.size(), static_cast<std::uint32_t>(size));
    EXPECT_EQ(received(*open6_), std::vector<Octets>{pattern(400, static_cast<std::uint8_t>(size))}) << size;
  }
}

}  // namespace
}  // namespace transom::test
