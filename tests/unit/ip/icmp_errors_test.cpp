// ICMP errors that we send: to whom, about what, how much, how many.

#include "tests/unit/ip/ip_fixture.h"

namespace transom::test {
namespace {

class IcmpErrorsOut : public IpFamilyTest {
 protected:
  IcmpErrorsOut() { udp_.answer_with = &ip_; }

  IpProtocol protocol() const { return is_v4() ? IpProtocol::kIcmp : IpProtocol::kIcmpv6; }
  void expect_silence(const char* about) { EXPECT_TRUE(nothing_sent()) << about; }
  std::uint64_t rate_limited() const { return drops(DropReason::kIcmpRateLimited); }
};

TEST_P(IcmpErrorsOut, PortUnreachableQuotesTheDatagram) {  // R1122-34, R1122-36, R4443-05, R1122-46
  const Octets packet = ip_packet(peer(), self(), IpProtocol::kUdp, pattern(100));
  receive(packet);
  const Parsed out = sent_one();
  EXPECT_EQ(out.source, self());
  EXPECT_EQ(out.destination, peer());
  EXPECT_EQ(out.protocol, protocol());
  const ParsedIcmp error = parse_icmp(out);
  EXPECT_TRUE(error.ok);
  EXPECT_EQ(error.header.type, is_v4() ? 3 : 1);
  EXPECT_EQ(error.header.code, is_v4() ? 3 : 4);
  EXPECT_EQ(error.header.rest, 0U);
  EXPECT_EQ(error.data, packet);
}

TEST_P(IcmpErrorsOut, QuotesAsMuchAsEveryHostTakes) {  // R1812-02, R4443-03
  const Octets packet = ip_packet(peer(), self(), IpProtocol::kUdp, pattern(1400));
  receive(packet);
  const Parsed out = sent_one();
  EXPECT_EQ(out.size, is_v4() ? 576U : 1280U);
  const ParsedIcmp error = parse_icmp(out);
  EXPECT_TRUE(error.ok);
  EXPECT_EQ(error.data, part(packet, 0, error.data.size()));
}

TEST_P(IcmpErrorsOut, QuotesAReassembledDatagramWhole) {
  const Octets whole = pattern(64);
  if (is_v4()) {
    receive(ipv4({.source = peer(), .destination = self(), .more = true}, part(whole, 0, 32)));
    receive(ipv4({.source = peer(), .destination = self(), .offset = 32}, part(whole, 32, 32)));
  } else {
    const Ip6 fields{.source = peer(), .destination = self(), .next = IpProtocol::kFragment};
    receive(ipv6(fields, fragment_header(IpProtocol::kUdp, 0, true, 1) + part(whole, 0, 32)));
    receive(ipv6(fields, fragment_header(IpProtocol::kUdp, 32, false, 1) + part(whole, 32, 32)));
  }
  const Parsed quoted = parse(parse_icmp(sent_one()).data);
  EXPECT_TRUE(quoted.ok);
  EXPECT_FALSE(quoted.is_fragment());
  EXPECT_EQ(quoted.payload, whole);
}

TEST_P(IcmpErrorsOut, NeverAnswersGroups) {  // R1122-35, R4443-02, ATK-IPV4-40
  const auto groups =
      is_v4() ? std::vector{address("255.255.255.255"), address("10.0.0.255"), address("224.0.0.1")}
              : std::vector{kAllNodes, solicited_node_multicast(self())};
  for (const IpAddress& group : groups) receive(ip_packet(peer(), group, IpProtocol::kUdp, pattern(20)));
  EXPECT_EQ(udp_.arrivals.size(), groups.size());
  PacketInfo info;
  info.link_multicast = true;
  receive(ip_packet(peer(), self(), IpProtocol::kUdp, pattern(20)), a_, info);
  if (!is_v4()) {
    info.link_broadcast = true;
    receive(ip_packet(peer(), self(), IpProtocol::kUdp, pattern(20)), a_, info);
  }
  expect_silence("groups");
}

TEST_P(IcmpErrorsOut, NeverAnswersErrors) {  // R1122-35, R4443-02, ATK-ICMP-09
  // An unknown option in front of an ICMP error, and an error in a protocol that nobody here speaks.
  const Octets error = icmp(peer(), self(), is_v4() ? 3 : 1, is_v4() ? 3 : 4, 0, pattern(48));
  if (is_v4()) {
    receive(ip_packet(peer(), self(), IpProtocol::kIcmp, error));
  } else {
    receive(ip_packet(peer(), self(), IpProtocol::kDestinationOptions,
                      extension(IpProtocol::kIcmpv6, {0x9e, 2, 0, 0, 0, 0}) + error));
    const Octets redirect = icmp(peer(), self(), 137, 0, 0, pattern(32));
    receive(ip_packet(peer(), self(), IpProtocol::kDestinationOptions,
                      extension(IpProtocol::kIcmpv6, {0x9e, 2, 0, 0, 0, 0}) + redirect));
    const Octets echo = icmp(peer(), self(), 128, 0, 0, {});
    receive(ip_packet(peer(), self(), IpProtocol::kDestinationOptions,
                      extension(IpProtocol::kIcmpv6, {0x9e, 2, 0, 0, 0, 0}) + echo));
    EXPECT_EQ(sent().size(), 1U);  // about the request
  }
  expect_silence("errors");
}

TEST_P(IcmpErrorsOut, LimitsErrorsToOneDestination) {  // R1812-01, R4443-04, ATK-UDP-06
  for (int i = 0; i < 1000; ++i) receive(ip_packet(peer(), self(), IpProtocol::kUdp, pattern(20)));
  EXPECT_EQ(sent().size(), 10U);
  EXPECT_EQ(rate_limited(), 990U);
  advance(1s);
  for (int i = 0; i < 100; ++i) receive(ip_packet(peer(), self(), IpProtocol::kUdp, pattern(20)));
  EXPECT_EQ(sent().size(), 10U);
  udp_.arrivals.clear();
}

TEST_P(IcmpErrorsOut, LimitsErrorsAltogether) {  // R1812-01
  for (int i = 0; i < 2000; ++i) {
    const IpAddress source =
        address(is_v4() ? fmt::format("10.0.0.{}", 10 + i % 200) : fmt::format("2001:db8:{:x}::1", 16 + i));
    ip_.routes().add({.prefix = {address("::"), 0},
                      .gateway = peer(),
                      .interface = a_->id(),
                      .metric = 0,
                      .source = std::nullopt});
    receive(ip_packet(source, self(), IpProtocol::kUdp, pattern(20)));
  }
  const std::size_t burst = sent().size();
  EXPECT_GT(burst, 30U);
  EXPECT_LT(burst, 80U);
  std::size_t in_a_second = 0;
  for (int i = 0; i < 2000; ++i) {
    advance(500us);
    const IpAddress source =
        address(is_v4() ? fmt::format("10.0.0.{}", 10 + i % 200) : fmt::format("2001:db8:{:x}::1", 16 + i));
    receive(ip_packet(source, self(), IpProtocol::kUdp, pattern(20)));
    in_a_second += sent().size();
  }
  EXPECT_LT(in_a_second, 1200U);
  udp_.arrivals.clear();
}

TEST_P(IcmpErrorsOut, TheCommonLimitCannotBeCounted) {  // ATK-ICMP-21: SAD DNS
  // The number of errors that a burst of forged probes leaves for others differs from burst to burst.
  std::vector<std::size_t> allowed;
  for (int round = 0; round < 6; ++round) {
    advance(10s);
    for (int i = 0; i < 200; ++i) {
      const IpAddress source =
          address(is_v4() ? fmt::format("10.0.0.{}", 10 + i) : fmt::format("2001:db8:a:{:x}::1", 1 + i));
      ip_.routes().add({.prefix = {address("::"), 0},
                        .gateway = peer(),
                        .interface = a_->id(),
                        .metric = 0,
                        .source = std::nullopt});
      receive(ip_packet(source, self(), IpProtocol::kUdp, pattern(20)));
    }
    allowed.push_back(sent().size());
  }
  EXPECT_NE(std::ranges::min(allowed), std::ranges::max(allowed));
  udp_.arrivals.clear();
}

TEST_P(IcmpErrorsOut, ShortPacketsAreQuotedToTheirEndAndNoFurther) {  // ATK-ICMP-19, ATK-IPV4-16
  for (std::size_t size = 0; size < 16; ++size) {
    const Octets packet = ip_packet(peer(), self(), static_cast<IpProtocol>(253), pattern(size));
    receive(packet + Octets(20, 0xee));  // link padding is no part of it
    EXPECT_EQ(parse_icmp(sent_one()).data, packet);
    advance(10s);
  }
}

INSTANTIATE_TEST_SUITE_P(BothFamilies, IcmpErrorsOut, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         family_name);

TEST_F(IpTest, NoIpv4ErrorAboutALaterFragment) {  // R1122-35
  const IpAddress from = peer(IpFamily::kIpv4);
  receive(ipv4({.source = from,
                .destination = self(IpFamily::kIpv4),
                .protocol = static_cast<IpProtocol>(253),
                .offset = 64},
               pattern(20)));
  advance(61s);
  EXPECT_TRUE(nothing_sent());
}

TEST_F(IpTest, ReportsUnknownOptionsEvenToGroupsFromOurOwnAddress) {  // R4443-02, R8200-04
  const Octets options = extension(IpProtocol::kUdp, {0x9e, 2, 0, 0, 0, 0});
  receive(ipv6(
      {.source = peer(IpFamily::kIpv6), .destination = kAllNodes, .next = IpProtocol::kDestinationOptions},
      options));
  EXPECT_EQ(sent_one().source, self(IpFamily::kIpv6));
  receive(ipv6({.source = IpAddress(), .destination = kAllNodes, .next = IpProtocol::kDestinationOptions},
               options));
  EXPECT_TRUE(nothing_sent());
}

}  // namespace
}  // namespace transom::test
