// What IPv6 packets are taken in: addresses, the chain of extension headers, and what is reported about it.

#include "tests/unit/ip/ip_fixture.h"

namespace transom::test {
namespace {

const IpAddress kPeer = IpTest::peer(IpFamily::kIpv6);
const IpAddress kSelf = IpTest::self(IpFamily::kIpv6);
constexpr IpProtocol kUdp = IpProtocol::kUdp;
constexpr IpProtocol kDestOptions = IpProtocol::kDestinationOptions;
constexpr IpProtocol kHopByHop = IpProtocol::kHopByHop;

class Ipv6Input : public IpTest {
 protected:
  Octets packet(IpProtocol next, const Octets& payload, const IpAddress& to = kSelf) const {
    return ipv6({.source = kPeer, .destination = to, .next = next}, payload);
  }
  void expect_silent_drop(DropReason reason) {
    EXPECT_TRUE(udp_.arrivals.empty());
    EXPECT_TRUE(tcp_.arrivals.empty());
    EXPECT_TRUE(nothing_sent());
    EXPECT_EQ(drops(reason), 1U) << to_string(reason);
    context_.drops.fill(0);
  }
  void expect_problem(std::uint8_t code, std::uint32_t pointer, const Octets& about) {
    const Parsed sent = sent_one();
    EXPECT_EQ(sent.destination, kPeer);
    EXPECT_EQ(sent.source, kSelf);
    const ParsedIcmp error = parse_icmp(sent);
    EXPECT_TRUE(error.ok);
    EXPECT_EQ(error.header.type, 4);
    EXPECT_EQ(error.header.code, code);
    EXPECT_EQ(error.header.rest, pointer);
    EXPECT_EQ(error.data, part(about, 0, error.data.size()));
    EXPECT_TRUE(udp_.arrivals.empty());
    advance(10s);  // the limit on errors
  }
};

TEST_F(Ipv6Input, HandsADatagramUpWithItsHeadersInFront) {
  const Octets whole = packet(kDestOptions, extension(kUdp, {1, 4, 0, 0, 0, 0}) + pattern(30));
  receive(whole);
  ASSERT_EQ(udp_.arrivals.size(), 1U);
  EXPECT_EQ(udp_.arrivals[0].octets, pattern(30));
  EXPECT_EQ(udp_.arrivals[0].headers, part(whole, 0, 48));
  EXPECT_TRUE(udp_.arrivals[0].to_unicast);
}

TEST_F(Ipv6Input, ChecksVersionAndPayloadLengthAndTrims) {  // R8200-01, ATK-IPV6-08
  Octets wrong_version = packet(kUdp, pattern(20));
  wrong_version[0] = 0x50;
  receive(wrong_version);
  expect_silent_drop(DropReason::kIpBadVersion);
  Octets too_long = packet(kUdp, pattern(20));
  too_long[5] = 21;
  receive(too_long);
  expect_silent_drop(DropReason::kIpBadTotalLength);
  receive(packet(kUdp, pattern(20)) + Octets(7, 0xee));
  ASSERT_EQ(udp_.arrivals.size(), 1U);
  EXPECT_EQ(udp_.arrivals[0].octets, pattern(20));
}

TEST_F(Ipv6Input, DropsEveryTruncation) {  // ATK-IPV6-03, -04, -11, -13
  const Octets whole = packet(kHopByHop, extension(kDestOptions, {1, 4, 0, 0, 0, 0}) +
                                             extension(kUdp, {1, 4, 0, 0, 0, 0}) + pattern(20));
  for (std::size_t size = 0; size < whole.size(); ++size) receive(part(whole, 0, size));
  // The same with a payload length that fits, so that the chain itself ends too early.
  for (std::size_t size = 40; size < 56; ++size) {
    Octets cut = part(whole, 0, size);
    cut[5] = static_cast<std::uint8_t>(size - 40);
    receive(cut);
  }
  EXPECT_TRUE(udp_.arrivals.empty());
  EXPECT_TRUE(nothing_sent());
}

TEST_F(Ipv6Input, TreatsPayloadLengthZeroAsNoPayload) {  // ATK-IPV6-21
  Octets jumbo = packet(IpProtocol::kTcp, pattern(40));
  jumbo[4] = jumbo[5] = 0;
  receive(jumbo);
  ASSERT_EQ(tcp_.arrivals.size(), 1U);
  EXPECT_TRUE(tcp_.arrivals[0].octets.empty());
}

TEST_F(Ipv6Input, TakesItsUnicastAndGroupAddressesAndNoOthers) {  // R4291-01, R1122-27
  const IpAddress group = address("ff02::1234");
  for (const IpAddress& to : {kSelf, kAllNodes, solicited_node_multicast(kSelf)})
    receive(packet(kUdp, pattern(9), to));
  EXPECT_EQ(udp_.arrivals.size(), 3U);
  receive(packet(kUdp, pattern(9), group));
  EXPECT_EQ(udp_.arrivals.size(), 3U);
  a_->join(group);
  receive(packet(kUdp, pattern(9), group));
  ASSERT_EQ(udp_.arrivals.size(), 4U);
  EXPECT_TRUE(udp_.arrivals[0].to_unicast);
  EXPECT_FALSE(udp_.arrivals[3].to_unicast);
  for (const char* other : {"2001:db8:a::9", "2001:db8:b::2", "ff02::99", "fe80::1"})
    receive(packet(kUdp, pattern(9), address(other)));
  EXPECT_EQ(udp_.arrivals.size(), 4U);
  EXPECT_EQ(drops(DropReason::kIpNotForUs), 5U);
}

TEST_F(Ipv6Input, DropsMartians) {  // R4291-02, R4291-03, ATK-IPV6-32
  for (const char* source : {"::1", "::ffff:1.2.3.4", "::ffff:127.0.0.1", "ff02::1", "::"}) {
    Octets martian = packet(kUdp, pattern(20));
    const auto text = address(source);
    std::copy(text.octets().begin(), text.octets().end(), martian.begin() + 8);
    receive(martian);
    expect_silent_drop(DropReason::kIpMartianSource);
  }
  receive(ipv6({.source = address("2001:db8:b::2"), .destination = kSelf}, pattern(20)));
  expect_silent_drop(DropReason::kIpOwnSource);
  for (const char* to : {"::1", "::", "::ffff:10.0.0.2", "ff01::1"}) {
    Octets martian = packet(kUdp, pattern(20));
    const auto text = address(to);
    std::copy(text.octets().begin(), text.octets().end(), martian.begin() + 24);
    receive(martian);
    expect_silent_drop(DropReason::kIpMartianDestination);
  }
}

TEST_F(Ipv6Input, WantsHopByHopOptionsFirst) {  // R8200-02
  receive(packet(kHopByHop, extension(kUdp, {}) + pattern(9)));
  EXPECT_EQ(udp_.arrivals.size(), 1U);
  udp_.arrivals.clear();
  const Octets late = packet(kDestOptions, extension(kHopByHop, {}) + extension(kUdp, {}) + pattern(9));
  receive(late);
  expect_problem(1, 40, late);
}

TEST_F(Ipv6Input, ReportsUnknownNextHeaders) {  // R8200-03, ATK-IPV6-16, ATK-ICMP-19
  for (const IpProtocol unknown :
       {static_cast<IpProtocol>(253), IpProtocol::kEsp, IpProtocol::kAuthentication, IpProtocol::kIcmp}) {
    const Octets direct = packet(unknown, pattern(20));
    receive(direct);
    expect_problem(1, 6, direct);
    const Octets behind = packet(kDestOptions, extension(unknown, {1, 4, 0, 0, 0, 0}) + pattern(3));
    receive(behind);
    expect_problem(1, 40, behind);
    receive(packet(unknown, {}));
    EXPECT_EQ(sent_one().payload.size(), 48U);
    advance(10s);
  }
  receive(packet(IpProtocol::kNoNextHeader, pattern(20)));
  EXPECT_TRUE(nothing_sent());
}

TEST_F(Ipv6Input, ActsOnUnknownOptionsAsTheirTypesSay) {  // R8200-04, ATK-IPV6-06, -31, -35
  for (const IpProtocol kind : {kDestOptions, kHopByHop}) {
    for (const IpAddress& to : {kSelf, kAllNodes}) {
      const auto with_option = [&](std::uint8_t type) {
        return packet(kind, extension(kUdp, {type, 2, 0, 0, 0, 0}) + pattern(9), to);
      };
      receive(with_option(0x1e));
      EXPECT_EQ(udp_.arrivals.size(), 1U);
      udp_.arrivals.clear();
      context_.drops.fill(0);
      receive(with_option(0x5e));
      expect_silent_drop(DropReason::kIpUnknownOption);
      receive(with_option(0x9e));
      expect_problem(2, 42, with_option(0x9e));
      context_.drops.fill(0);
      receive(with_option(0xde));
      if (to == kSelf) {
        expect_problem(2, 42, with_option(0xde));
      } else {
        expect_silent_drop(DropReason::kIpUnknownOption);
      }
    }
  }
}

TEST_F(Ipv6Input, KnowsNoJumbograms) {  // ATK-IPV6-19, -20: an option like any unknown one
  const Octets jumbo = packet(kHopByHop, extension(kUdp, {0xc2, 4, 0, 1, 0, 0}) + pattern(9));
  receive(jumbo);
  expect_problem(2, 42, jumbo);
}

TEST_F(Ipv6Input, BoundsTheOptionWalk) {  // R8200-05, ATK-IPV6-07, -09, -10
  receive(packet(kDestOptions, extension(kUdp, {1, 5, 0, 0, 0, 0}) + pattern(9)));  // PadN beyond the header
  expect_silent_drop(DropReason::kIpBadOptions);
  receive(packet(kDestOptions, extension(kUdp, {0, 0, 0, 0, 0, 1}) + pattern(9)));  // type without length
  expect_silent_drop(DropReason::kIpBadOptions);
  for (const std::uint8_t length : std::initializer_list<std::uint8_t>{0xff, 0x1f, 7, 3}) {
    Octets lie = packet(kDestOptions, extension(kUdp, {1, 4, 0, 0, 0, 0}) + pattern(16));
    lie[41] = length;
    receive(lie);
    expect_silent_drop(DropReason::kIpBadExtensionHeader);
  }
}

TEST_F(Ipv6Input, LimitsHeadersAndOptions) {  // R8200-06, R8504-01, ATK-IPV6-05, -29, -30
  const auto chain = [&](int headers) {
    Octets payload;
    for (int i = 1; i < headers; ++i) payload = payload + extension(kDestOptions, {1, 4, 0, 0, 0, 0});
    return packet(kDestOptions, payload + extension(kUdp, {1, 4, 0, 0, 0, 0}) + pattern(9));
  };
  receive(chain(8));
  EXPECT_EQ(udp_.arrivals.size(), 1U);
  udp_.arrivals.clear();
  receive(chain(50));
  expect_silent_drop(DropReason::kIpExtensionHeaderLimit);
  Octets padding;
  for (int i = 0; i < 1000; ++i) padding = padding + Octets{1, 0};
  receive(packet(kHopByHop, extension(kUdp, padding) + pattern(9)));
  expect_silent_drop(DropReason::kIpExtensionHeaderLimit);
  Octets skipped;
  for (int i = 0; i < 200; ++i) skipped = skipped + Octets{0x1e, 0};
  receive(packet(kHopByHop, extension(kUdp, skipped) + pattern(9)));
  expect_silent_drop(DropReason::kIpExtensionHeaderLimit);
}

TEST_F(Ipv6Input, SkipsRoutingHeadersThatAreDoneAndRefusesOthers) {  // R8200-07, ATK-IPV6-01, -02, -22
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{0, 3, 77}) {
    receive(packet(IpProtocol::kRouting, extension(kUdp, {type, 0, 0, 0, 0, 0}) + pattern(9)));
    EXPECT_EQ(udp_.arrivals.size(), 1U);
    udp_.arrivals.clear();
    for (const std::uint8_t left : std::initializer_list<std::uint8_t>{1, 20, 255}) {
      const Octets routed =
          packet(IpProtocol::kRouting, extension(kUdp, {type, left, 0, 0, 0, 0}) + pattern(9));
      receive(routed);
      expect_problem(0, 42, routed);
    }
  }
}

TEST_F(Ipv6Input, AnErrorAboutOnePacketLeavesTheNextAlone) {  // ATK-IPV6-17
  for (int i = 0; i < 10; ++i) {
    receive(packet(kDestOptions, extension(kUdp, {0x9e, 2, 0, 0, 0, 0}) + pattern(9)));
    receive(packet(IpProtocol::kFragment, fragment_header(kUdp, 0, true, 5) + pattern(16)));
    receive(packet(kUdp, pattern(9)));
  }
  EXPECT_EQ(udp_.arrivals.size(), 10U);
  advance(61s);
}

TEST_F(Ipv6Input, SurvivesEveryMutationOfAHeaderChain) {  // ATK-IPV6-04
  const Octets good = packet(kHopByHop, extension(kDestOptions, {1, 4, 0, 0, 0, 0}) +
                                            extension(IpProtocol::kRouting, {0x1e, 2, 0, 0}) +
                                            extension(IpProtocol::kFragment, {0, 0, 0, 0, 0, 0}) +
                                            fragment_header(kUdp, 0, true, 1) + pattern(24));
  for (std::size_t at = 0; at < 80; ++at) {
    for (int value = 0; value < 256; ++value) {
      Octets mutated = good;
      mutated[at] = static_cast<std::uint8_t>(value);
      receive(mutated);
    }
  }
}

}  // namespace
}  // namespace transom::test
