// ICMP errors that arrive: believed only when they quote something of ours, and told to its transport.

#include "tests/unit/ip/ip_fixture.h"

namespace transom::test {
namespace {

class IcmpErrorsIn : public IpFamilyTest {
 protected:
  IpProtocol protocol() const { return is_v4() ? IpProtocol::kIcmp : IpProtocol::kIcmpv6; }
  // A packet as we have sent it.
  Octets ours(IpProtocol carried = IpProtocol::kUdp, std::size_t size = 40) const {
    return ip_packet(self(), peer(), carried, pattern(size));
  }
  void receive_error(std::uint8_t type, std::uint8_t code, const Octets& quoted, std::uint32_t rest = 0) {
    receive(ip_packet(peer(), self(), protocol(), icmp(peer(), self(), type, code, rest, quoted)));
  }
  void receive_too_big(std::uint32_t mtu, const Octets& quoted) {
    is_v4() ? receive_error(3, 4, quoted, mtu) : receive_error(2, 0, quoted, mtu);
  }
  std::uint32_t path_mtu() { return ip_.path_mtu(**ip_.destination(peer())); }
};

TEST_P(IcmpErrorsIn, TellsTheTransportWhatHappened) {  // R1122-37, -39, -40, R4443-01
  using Kind = ip::IcmpErrorKind;
  struct Case {
    std::uint8_t type, code;
    Kind kind;
  };
  const std::vector<Case> cases =
      is_v4() ? std::vector<Case>{{3, 0, Kind::kNetworkUnreachable},  {3, 1, Kind::kHostUnreachable},
                                  {3, 2, Kind::kProtocolUnreachable}, {3, 3, Kind::kPortUnreachable},
                                  {3, 4, Kind::kPacketTooBig},        {3, 5, Kind::kHostUnreachable},
                                  {3, 9, Kind::kProhibited},          {3, 13, Kind::kProhibited},
                                  {3, 200, Kind::kHostUnreachable},   {11, 0, Kind::kTimeExceeded},
                                  {12, 0, Kind::kParameterProblem}}
              : std::vector<Case>{{1, 0, Kind::kNetworkUnreachable},
                                  {1, 1, Kind::kProhibited},
                                  {1, 3, Kind::kHostUnreachable},
                                  {1, 4, Kind::kPortUnreachable},
                                  {2, 0, Kind::kPacketTooBig},
                                  {3, 0, Kind::kTimeExceeded},
                                  {4, 0, Kind::kParameterProblem},
                                  {4, 1, Kind::kProtocolUnreachable},
                                  {100, 7, Kind::kOther}};
  for (const Case& c : cases) {
    receive_error(c.type, c.code, ours(), 1300);
    ASSERT_EQ(udp_.errors.size(), 1U) << int{c.type} << "/" << int{c.code};
    const auto& error = udp_.errors[0];
    EXPECT_EQ(error.kind, c.kind) << int{c.type} << "/" << int{c.code};
    EXPECT_EQ(error.type, c.type);
    EXPECT_EQ(error.code, c.code);
    EXPECT_EQ(error.mtu, c.kind == Kind::kPacketTooBig ? 1300U : 0U);
    EXPECT_EQ(error.reporter, peer());
    EXPECT_EQ(error.source, self());
    EXPECT_EQ(error.destination, peer());
    EXPECT_EQ(error.transport, pattern(40));
    udp_.errors.clear();
  }
  EXPECT_TRUE(nothing_sent());
}

TEST_P(IcmpErrorsIn, WantsEightOctetsOfTransport) {  // ATK-ICMP-18
  const std::uint8_t type = is_v4() ? 3 : 1;
  const Octets whole = ours();
  for (std::size_t size = 0; size < header_size() + 8; ++size) receive_error(type, 3, part(whole, 0, size));
  EXPECT_TRUE(udp_.errors.empty());
  EXPECT_EQ(drops(DropReason::kIcmpQuoteMalformed), header_size() + 8);
  receive_error(type, 3, part(whole, 0, header_size() + 8));
  EXPECT_EQ(udp_.errors.size(), 1U);
}

TEST_P(IcmpErrorsIn, SurvivesEveryMutationOfAQuote) {  // ATK-ICMP-18
  const Octets whole = ours();
  for (std::size_t at = 0; at < header_size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      Octets quoted = whole;
      quoted[at] = static_cast<std::uint8_t>(value);
      receive_error(is_v4() ? 3 : 1, 1, quoted);
    }
  }
  EXPECT_TRUE(nothing_sent());
}

TEST_P(IcmpErrorsIn, IgnoresQuotesOfPacketsThatAreNotOurs) {  // R8201-02
  const std::uint8_t type = is_v4() ? 3 : 1;
  receive_error(type, 3, ip_packet(peer(), self(), IpProtocol::kUdp, pattern(40)));
  receive_error(
      type, 3,
      ip_packet(address(is_v4() ? "10.0.0.77" : "2001:db8:a::77"), peer(), IpProtocol::kUdp, pattern(40)));
  receive_error(type, 3, ip_packet(self(), peer(), static_cast<IpProtocol>(253), pattern(40)));
  EXPECT_TRUE(udp_.errors.empty());
  EXPECT_EQ(drops(DropReason::kIcmpQuoteUnmatched), 3U);
  // The other family's packet in this family's error.
  const IpFamily other = is_v4() ? IpFamily::kIpv6 : IpFamily::kIpv4;
  receive_error(type, 3, ip_packet(IpTest::self(other), IpTest::peer(other), IpProtocol::kUdp, pattern(40)));
  EXPECT_TRUE(udp_.errors.empty());
}

TEST_P(IcmpErrorsIn, DropsErrorsWithABadChecksum) {
  Octets message = icmp(peer(), self(), is_v4() ? 3 : 1, 3, 0, ours());
  message[20] ^= 4;
  receive(ip_packet(peer(), self(), protocol(), message));
  EXPECT_TRUE(udp_.errors.empty());
}

TEST_P(IcmpErrorsIn, BelievesAPathMtuOnlyWhenTheTransportDoes) {  // R8201-02, R8899-02, R1191-01, ATK-ICMP-22
  const auto held = ip_.destination(peer());
  udp_.believes = false;
  receive_too_big(1300, ours());
  EXPECT_EQ(path_mtu(), 1500U);
  udp_.believes = true;
  receive_too_big(1300, ours());
  EXPECT_EQ(path_mtu(), 1300U);
  receive_too_big(1400, ours());
  EXPECT_EQ(path_mtu(), 1300U);  // R1191-02, R8201-01
  receive_too_big(100, ours());
  EXPECT_EQ(path_mtu(), is_v4() ? 552U : 1280U);
}

TEST_P(IcmpErrorsIn, LeavesThePathMtuOfTcpToTcp) {  // R5927-03
  const auto held = ip_.destination(peer());
  receive_too_big(1300, ours(IpProtocol::kTcp));
  EXPECT_EQ(tcp_.errors.size(), 1U);
  EXPECT_EQ(tcp_.errors[0].mtu, 1300U);
  EXPECT_EQ(path_mtu(), 1500U);
}

TEST_P(IcmpErrorsIn, NamesItselfWhenNoNeighbourAnswers) {  // RFC 4861 §7.2.2
  ip_.neighbour_failed(*a_, pool_.copy_of(ours(IpProtocol::kTcp)));
  ASSERT_EQ(tcp_.errors.size(), 1U);
  EXPECT_EQ(tcp_.errors[0].kind, ip::IcmpErrorKind::kHostUnreachable);
  EXPECT_EQ(tcp_.errors[0].reporter, self());
  EXPECT_EQ(tcp_.errors[0].transport, pattern(40));
}

INSTANTIATE_TEST_SUITE_P(BothFamilies, IcmpErrorsIn, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         family_name);

class Icmpv4 : public IpTest {
 protected:
  const IpAddress peer_ = peer(IpFamily::kIpv4);
  const IpAddress self_ = self(IpFamily::kIpv4);
  void receive_icmp(std::uint8_t type, std::uint8_t code, std::uint32_t rest, const Octets& data) {
    receive(ip_packet(peer_, self_, IpProtocol::kIcmp, icmp(peer_, self_, type, code, rest, data)));
  }
};

TEST_F(Icmpv4, OldRoutersAreAnsweredByThePlateauTable) {  // R1191-01, ATK-ICMP-07
  struct Case {
    std::uint16_t total_length;
    std::uint32_t mtu;
  };
  for (const Case& c : {Case{1500, 1492}, Case{1492, 1006}, Case{1006, 508}, Case{576, 508}, Case{296, 68},
                        Case{65535, 32000}, Case{20, 68}}) {
    Octets quoted = ip_packet(self_, peer_, IpProtocol::kUdp, pattern(40));
    quoted[2] = static_cast<std::uint8_t>(c.total_length >> 8);
    quoted[3] = static_cast<std::uint8_t>(c.total_length);
    receive_icmp(3, 4, 0, quoted);
    if (c.total_length < 28) {
      EXPECT_TRUE(udp_.errors.empty());
      continue;
    }
    ASSERT_EQ(udp_.errors.size(), 1U);
    EXPECT_EQ(udp_.errors[0].mtu, c.mtu) << c.total_length;
    udp_.errors.clear();
  }
}

TEST_F(Icmpv4, IgnoresWhatHostsShouldNotHeed) {  // R1122-33, -38, -43, -44, -45, R6633-01, ATK-ICMP-01, -02,
                                                 // -04, -15, -16, -20, -23
  const auto routes = ip_.routes().routes();
  const Octets quoted = ip_packet(self_, peer_, IpProtocol::kUdp, pattern(40));
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{
           1, 2, 4, 5, 6, 7, 9, 10, 13, 14, 15, 16, 17, 18, 30, 128, 129, 135, 200, 255}) {
    for (int i = 0; i < 100; ++i) receive_icmp(type, 1, peer_.v4_value(), quoted);
  }
  EXPECT_TRUE(nothing_sent());
  EXPECT_TRUE(udp_.errors.empty());
  EXPECT_EQ(ip_.routes().routes(), routes);
  EXPECT_EQ(count(Counter::kIcmpInSrcQuenchs), 100U);
  EXPECT_EQ(count(Counter::kIcmpInRedirects), 100U);
}

TEST_F(Icmpv4, RouterDiscoveryInFragmentsIsIgnoredToo) {  // ATK-ICMP-17
  const Octets message = icmp(peer_, self_, 9, 0, 0x02020708, pattern(60));
  receive(ipv4({.source = peer_, .destination = self_, .protocol = IpProtocol::kIcmp, .more = true},
               part(message, 0, 16)));
  receive(ipv4({.source = peer_, .destination = self_, .protocol = IpProtocol::kIcmp, .offset = 16},
               part(message, 16, message.size() - 16)));
  EXPECT_EQ(drops(DropReason::kIcmpUnknownType), 1U);
  EXPECT_TRUE(nothing_sent());
}

TEST_F(IpTest, UnknownIcmpv6InformationIsDropped) {  // R4443-01
  const IpAddress from = peer(IpFamily::kIpv6);
  const IpAddress to = self(IpFamily::kIpv6);
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{138, 150, 200, 255}) {
    receive(ip_packet(from, to, IpProtocol::kIcmpv6,
                      icmp(from, to, type, 0, 0, ip_packet(to, from, IpProtocol::kUdp, pattern(40)))));
  }
  EXPECT_TRUE(nothing_sent());
  EXPECT_TRUE(udp_.errors.empty());
  EXPECT_EQ(drops(DropReason::kIcmpUnknownType), 4U);
}

}  // namespace
}  // namespace transom::test
