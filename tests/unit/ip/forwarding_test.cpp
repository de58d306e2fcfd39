// A router: what it passes on, what it says to those whose packets it cannot.
#include "stack/wire/icmp.h"
#include "tests/unit/ip/ip_fixture.h"

namespace transom::test {
namespace {

class Router : public IpTest, public ::testing::WithParamInterface<IpFamily> {
 protected:
  Router() : IpTest({.forwarding = true}) { b_->set_mtu(1400); }

  bool is_v4() const { return GetParam() == IpFamily::kIpv4; }
  IpAddress near() const { return is_v4() ? address("10.0.0.1") : address("2001:db8:a::1"); }
  IpAddress far() const { return is_v4() ? address("192.168.5.1") : address("2001:db8:b::1"); }
  IpAddress own_near() const { return is_v4() ? address("10.0.0.2") : address("2001:db8:a::2"); }
  IpAddress own_far() const { return is_v4() ? address("192.168.5.2") : address("2001:db8:b::2"); }

  Octets packet(const IpAddress& from, const IpAddress& to, std::uint8_t hops = 64, std::size_t size = 20,
                bool dont_fragment = true) const {
    if (is_v4()) {
      return ipv4({.source = from, .destination = to, .id = 77, .dont_fragment = dont_fragment, .ttl = hops},
                  pattern(size));
    }
    return ipv6({.source = from, .destination = to, .hop_limit = hops}, pattern(size));
  }
  // The error that must have gone back, and nothing on.
  void expect_error(std::uint8_t type_v4, std::uint8_t code_v4, std::uint8_t type_v6, std::uint8_t code_v6) {
    EXPECT_TRUE(sent(b_).empty());
    const Parsed error = sent_one(a_);
    EXPECT_EQ(error.source, own_near());
    EXPECT_EQ(error.destination, near());
    const ParsedIcmp icmp = parse_icmp(error);
    EXPECT_EQ(icmp.header.type, is_v4() ? type_v4 : type_v6);
    EXPECT_EQ(icmp.header.code, is_v4() ? code_v4 : code_v6);
  }
};
INSTANTIATE_TEST_SUITE_P(Families, Router, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6), family_name);

TEST_P(Router, PassesOnWithOneHopLess) {  // RFC 1812 §5.3.1
  receive(packet(near(), far(), 9));
  const Parsed passed = sent_one(b_);  // parse() checks the header checksum
  EXPECT_EQ(passed.source, near());
  EXPECT_EQ(passed.destination, far());
  EXPECT_EQ(passed.ttl, 8);
  EXPECT_EQ(passed.payload, pattern(20));
  EXPECT_TRUE(sent(a_).empty());
  EXPECT_TRUE(udp_.arrivals.empty());
  EXPECT_EQ(count(is_v4() ? Counter::kIpForwDatagrams : Counter::kIp6OutForwDatagrams), 1U);
}

TEST_P(Router, UpdatesTheChecksumForEveryTtl) {  // RFC 1624
  for (int hops = 2; hops <= 255; ++hops) {
    receive(packet(near(), far(), static_cast<std::uint8_t>(hops)));
    EXPECT_EQ(sent_one(b_).ttl, hops - 1);
  }
}

TEST_P(Router, SaysWhenTheHopsAreUsedUp) {  // RFC 1812 §5.3.1, RFC 4443 §3.3
  for (const std::uint8_t hops : {std::uint8_t{0}, std::uint8_t{1}}) {
    receive(packet(near(), far(), hops));
    expect_error(11, 0, 3, 0);
  }
  EXPECT_EQ(drops(DropReason::kIpTtlExceeded), 2U);
}

TEST_P(Router, SaysWhenThereIsNoRoute) {
  receive(packet(near(), is_v4() ? address("203.0.113.9") : address("2001:db8:c::9")));
  expect_error(3, 0, 1, 0);
}

TEST_P(Router, SaysWhatFitsTheNextLink) {  // RFC 1191 §4, RFC 4443 §3.2
  receive(packet(near(), far(), 64, 1390));
  const auto errors = sent(a_);
  ASSERT_EQ(errors.size(), 1U);
  const ParsedIcmp icmp = parse_icmp(parse(errors[0]));
  EXPECT_EQ(icmp.header.type, is_v4() ? 3 : 2);
  EXPECT_EQ(icmp.header.code, is_v4() ? 4 : 0);
  EXPECT_EQ(icmp.header.rest, 1400U);
  EXPECT_TRUE(sent(b_).empty());
}

// It stands for packets of its segment size, with the TCP header that it has.
TEST_P(Router, PassesOnASuperSegmentWhosePiecesFitTheNextLink) {
  const std::size_t ip_header = is_v4() ? 20 : 40;
  Octets text = pattern(20 + 5000);
  text[12] = 5 << 4U;  // a TCP header without options
  const Octets whole =
      is_v4()
          ? ipv4(
                {.source = near(), .destination = far(), .protocol = IpProtocol::kTcp, .dont_fragment = true},
                text)
          : ipv6({.source = near(), .destination = far(), .next = IpProtocol::kTcp}, text);
  const auto segment_size = static_cast<std::uint16_t>(1400 - ip_header - 20);
  receive(whole, a_, {.segment_size = segment_size});
  EXPECT_FALSE(sent(b_).empty());
  receive(whole, a_, {.segment_size = static_cast<std::uint16_t>(segment_size + 1)});
  EXPECT_TRUE(sent(b_).empty());
}

TEST_P(Router, TakesPacketsForAnyOfItsAddresses) {  // RFC 1812 §5.2.3
  receive(packet(near(), own_far()));
  ASSERT_EQ(udp_.arrivals.size(), 1U);
  EXPECT_TRUE(nothing_sent());
}

TEST_P(Router, KeepsLinkLocalTrafficOnItsLink) {  // RFC 3927 §2.7, RFC 4291 §2.5.6
  const IpAddress link_local = is_v4() ? address("169.254.1.1") : address("fe80::1");
  receive(packet(near(), link_local));
  EXPECT_TRUE(sent(b_).empty());
  EXPECT_TRUE(sent(a_).empty());
  receive(packet(link_local, far()));
  EXPECT_TRUE(sent(b_).empty());
}

TEST_P(Router, PassesOnNothingThatWasForAllOnTheLink) {  // RFC 1812 §5.3.4
  receive(packet(near(), far()), a_, {.link_broadcast = true});
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(drops(DropReason::kIpNotForUs), 1U);
}

TEST_P(Router, AnswersEchoInTransitToItself) {
  EXPECT_TRUE(nothing_sent());
  receive(is_v4() ? ipv4({.source = near(), .destination = own_far(), .protocol = IpProtocol::kIcmp},
                         icmp(near(), own_far(), 8, 0, 1, pattern(8)))
                  : ipv6({.source = near(), .destination = own_far(), .next = IpProtocol::kIcmpv6},
                         icmp(near(), own_far(), 128, 0, 1, pattern(8))));
  const Parsed reply = sent_one(a_);
  EXPECT_EQ(reply.source, own_far());
}

class Ipv4Router : public Router {};
INSTANTIATE_TEST_SUITE_P(Family, Ipv4Router, ::testing::Values(IpFamily::kIpv4), family_name);

TEST_P(Ipv4Router, FragmentsWhatMayBeFragmented) {  // RFC 791 §3.2
  receive(packet(near(), far(), 5, 1480, false));
  const auto fragments = sent(b_);
  ASSERT_EQ(fragments.size(), 2U);
  const Parsed first = parse(fragments[0]);
  const Parsed second = parse(fragments[1]);
  EXPECT_LE(fragments[0].size(), 1400U);
  EXPECT_EQ(first.payload + second.payload, pattern(1480));
  EXPECT_EQ(first.ttl, 4);
  EXPECT_EQ(first.id, 77);
  EXPECT_TRUE(first.more);
  EXPECT_FALSE(second.more);
  EXPECT_EQ(second.offset, first.payload.size());
}

TEST_P(Ipv4Router, FragmentsAFragment) {  // RFC 791 §3.2: offsets count on, the last keeps "more"
  receive(
      ipv4({.source = near(), .destination = far(), .id = 5, .more = true, .offset = 2960}, pattern(1480)));
  const auto fragments = sent(b_);
  ASSERT_EQ(fragments.size(), 2U);
  const Parsed second = parse(fragments[1]);
  EXPECT_EQ(parse(fragments[0]).offset, 2960U);
  EXPECT_EQ(second.offset, 2960U + parse(fragments[0]).payload.size());
  EXPECT_TRUE(second.more);
}

TEST_P(Ipv4Router, CopiesOnlyOptionsThatAreToBeCopied) {  // RFC 791 §3.1
  const Octets copied = {0x94, 4, 0, 0};                  // router alert
  const Octets not_copied = {7, 7, 4, 0, 0, 0, 0, 1};     // record route
  receive(ipv4({.source = near(), .destination = far(), .options = copied + not_copied}, pattern(1440)));
  const auto fragments = sent(b_);
  ASSERT_EQ(fragments.size(), 2U);
  EXPECT_EQ(part(fragments[0], 20, 12), copied + not_copied);
  EXPECT_EQ(part(fragments[1], 20, 12), copied + Octets(8, 1));
}

TEST_P(Ipv4Router, RefusesSourceRoutes) {  // RFC 7126 §4.3
  receive(
      ipv4({.source = near(), .destination = far(), .options = {131, 7, 4, 192, 168, 5, 9, 0}}, pattern(20)));
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(drops(DropReason::kIpSourceRouted), 1U);
}

TEST_P(Ipv4Router, ForwardsNoDirectedBroadcast) {  // RFC 2644
  receive(packet(near(), address("192.168.5.255")));
  EXPECT_TRUE(nothing_sent());
}

}  // namespace
}  // namespace transom::test
