// ICMP errors as they reach the sockets that they are about.

#include "tests/unit/udp/udp_fixture.h"

namespace transom::test {
namespace {

class UdpErrors : public UdpFamilyTest {
 protected:
  // A datagram of `socket`'s as it went out, for an error to quote.
  Octets sent_by(udp::UdpSocket& socket, const Endpoint& to) {
    EXPECT_TRUE(send(socket, pattern(30), {.to = to}));
    const auto packets = sent();
    return packets.empty() ? Octets() : packets.front();
  }
  Endpoint target() const { return {peer(), kPeerPort}; }
};

TEST_P(UdpErrors, AConnectedSocketIsRefusedAtItsNextCall) {  // R1122-47, R1122-37
  const Socket socket = open(GetParam());
  ASSERT_TRUE(socket->connect(target()));
  receive_port_unreachable(sent_by(*socket, target()));
  EXPECT_TRUE(socket->readiness().error);
  EXPECT_EQ(socket->receive().error(), Error::kConnectionRefused);
  EXPECT_EQ(socket->receive().error(), Error::kWouldBlock);  // once
  receive_port_unreachable(sent_by(*socket, target()));
  EXPECT_EQ(send(*socket, pattern(1)).error(), Error::kConnectionRefused);
  EXPECT_TRUE(send(*socket, pattern(1)));
  sent();
}

TEST_P(UdpErrors, EveryKindHasItsError) {  // R1122-39, -40, R4443-01
  const Socket socket = open(GetParam());
  ASSERT_TRUE(socket->connect(target()));
  const Octets quoted = sent_by(*socket, target());
  struct Case {
    std::uint8_t type, code;
    Error error;
  };
  const auto cases =
      is_v4() ? std::vector<Case>{{3, 0, Error::kNetworkUnreachable},  {3, 1, Error::kHostUnreachable},
                                  {3, 2, Error::kProtocolUnreachable}, {3, 13, Error::kHostUnreachable},
                                  {11, 0, Error::kHostUnreachable},    {12, 0, Error::kProtocolUnreachable}}
              : std::vector<Case>{{1, 0, Error::kNetworkUnreachable},  {1, 3, Error::kHostUnreachable},
                                  {1, 1, Error::kHostUnreachable},     {3, 0, Error::kHostUnreachable},
                                  {4, 1, Error::kProtocolUnreachable}, {100, 0, Error::kHostUnreachable}};
  for (const Case& c : cases) {
    receive_icmp(c.type, c.code, 0, quoted);
    EXPECT_EQ(socket->take_error(), c.error) << int{c.type} << "/" << int{c.code};
  }
}

TEST_P(UdpErrors, AnUnconnectedSocketHearsOfThemOnlyWhenItAsks) {  // R1122-37
  const Socket socket = bound_to({any(), kPort});
  const Octets quoted = sent_by(*socket, target());
  receive_port_unreachable(quoted);
  EXPECT_EQ(socket->take_error(), Error::kNone);
  socket->options().receive_errors = true;
  receive_port_unreachable(quoted);
  EXPECT_EQ(socket->take_error(), Error::kConnectionRefused);
}

TEST_P(UdpErrors, ErrorsAboutOthersAreNot) {  // R8899-02
  const Socket socket = open(GetParam());
  ASSERT_TRUE(socket->connect(target()));
  const Endpoint local = socket->local();
  const auto quote = [&](const Endpoint& from, const Endpoint& to) {
    return ip_packet(from.address, to.address, IpProtocol::kUdp, udp(from, to, pattern(30)));
  };
  receive_port_unreachable(quote(local, {peer(), Port{1}}));
  receive_port_unreachable(quote({local.address, Port{1}}, target()));
  receive_port_unreachable(quote(local, {address(is_v4() ? "10.0.0.9" : "2001:db8:a::9"), kPeerPort}));
  EXPECT_EQ(socket->take_error(), Error::kNone);
  EXPECT_EQ(drops(DropReason::kIcmpQuoteUnmatched), 3U);
}

TEST_P(UdpErrors, APathMtuIsLearntForSocketsThatAreThere) {  // R8201-02, R8899-02, R1191-01
  const Socket socket = open(GetParam());
  ASSERT_TRUE(socket->connect(target()));
  const Octets quoted = sent_by(*socket, target());
  const auto path_mtu = [&] { return ip_.path_mtu(**ip_.destination(peer())); };
  const auto too_big = [&](const Octets& packet) {
    is_v4() ? receive_icmp(3, 4, 1300, packet) : receive_icmp(2, 0, 1300, packet);
  };
  too_big(ip_packet(self(), peer(), IpProtocol::kUdp, udp({self(), Port{1}}, target(), pattern(30))));
  EXPECT_EQ(path_mtu(), 1500U);
  too_big(quoted);
  EXPECT_EQ(path_mtu(), 1300U);
  EXPECT_EQ(socket->take_error(), Error::kNone);  // it will be cut
  ASSERT_TRUE(send(*socket, pattern(1400)));
  EXPECT_EQ(sent().size(), 2U);
  socket->options().dont_fragment = true;
  too_big(quoted);
  EXPECT_EQ(send(*socket, pattern(1400)).error(), Error::kMessageTooLong);
  EXPECT_EQ(send(*socket, pattern(1400)).error(), Error::kMessageTooLong);  // the report, then the fact
}

TEST_P(UdpErrors, AClosedLocalPortRefusesToo) {
  const Socket socket = open(GetParam());
  ASSERT_TRUE(socket->connect({IpAddress::loopback(GetParam()), kPeerPort}));
  ASSERT_TRUE(send(*socket, pattern(1)));
  loop_back();
  EXPECT_EQ(socket->take_error(), Error::kConnectionRefused);
}

TEST_P(UdpErrors, NoNeighbourMeansHostUnreachable) {
  const Socket socket = open(GetParam());
  ASSERT_TRUE(socket->connect(target()));
  ip_.neighbour_failed(*a_, pool_.copy_of(sent_by(*socket, target())));
  EXPECT_EQ(socket->take_error(), Error::kHostUnreachable);
}

TEST_P(UdpErrors, ThereIsNoLoopOfErrors) {  // ATK-UDP-05, -12, ATK-ICMP-09
  receive_datagram(target(), {self(), kPort}, pattern(9));
  const auto first = sent();
  ASSERT_EQ(first.size(), 1U);
  // Our own error comes back, as data and quoted in another.
  receive_port_unreachable(first.front());
  EXPECT_TRUE(nothing_sent());
}

INSTANTIATE_TEST_SUITE_P(BothFamilies, UdpErrors, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         family_name);

}  // namespace
}  // namespace transom::test
