// Echo in both directions (RFC 792, RFC 1122 §3.2.2.6, RFC 4443 §4).

#include "tests/unit/ip/ip_fixture.h"

namespace transom::test {
namespace {

class Echo : public IpFamilyTest {
 protected:
  std::uint8_t request_type() const { return is_v4() ? 8 : 128; }
  std::uint8_t reply_type() const { return is_v4() ? 0 : 129; }
  IpProtocol protocol() const { return is_v4() ? IpProtocol::kIcmp : IpProtocol::kIcmpv6; }
  Octets request(const Octets& data) const {
    return icmp(peer(), self(), request_type(), 0, 0x12340005, data);
  }

  // Sends `message` to us in fragments of at most 1480 octets.
  void receive_in_fragments(const Octets& message) {
    constexpr std::size_t kPiece = 1448;
    for (std::size_t offset = 0; offset < message.size(); offset += kPiece) {
      const Octets piece = part(message, offset, std::min(kPiece, message.size() - offset));
      const bool more = offset + kPiece < message.size();
      const auto at = static_cast<std::uint16_t>(offset);
      if (is_v4()) {
        receive(ipv4(
            {.source = peer(), .destination = self(), .protocol = protocol(), .more = more, .offset = at},
            piece));
      } else {
        receive(ipv6({.source = peer(), .destination = self(), .next = IpProtocol::kFragment},
                     fragment_header(protocol(), at, more, 77) + piece));
      }
    }
  }
  // Puts the fragments that were sent together.
  Parsed sent_whole() {
    Parsed whole;
    for (const Octets& packet : sent()) {
      EXPECT_LE(packet.size(), 1500U);
      Parsed piece = parse(packet);
      EXPECT_TRUE(piece.ok);
      EXPECT_EQ(piece.offset, whole.payload.size());
      if (piece.more) {
        EXPECT_EQ(piece.payload.size() % 8, 0U);
      }
      Octets payload = whole.payload + piece.payload;
      whole = std::move(piece);
      whole.payload = std::move(payload);
    }
    EXPECT_FALSE(whole.more);
    return whole;
  }
};

TEST_P(Echo, ReturnsTheDataUnchangedForEverySize) {  // R792-01, R4443-06, R791-06, R8200-14
  for (const std::size_t size : {0U, 1U, 56U, 536U, 1451U, 1452U, 1472U, 1473U, 8000U, 65507U}) {
    const Octets data = pattern(size);
    const Octets message = request(data);
    if (message.size() + header_size() <= 1500) {
      receive(ip_packet(peer(), self(), protocol(), message));
    } else {
      receive_in_fragments(message);
    }
    const Parsed reply = sent_whole();
    EXPECT_EQ(reply.source, self());
    EXPECT_EQ(reply.destination, peer());
    EXPECT_EQ(reply.ttl, 64);
    const ParsedIcmp echo = parse_icmp(reply);
    EXPECT_TRUE(echo.ok) << size;
    EXPECT_EQ(echo.header.type, reply_type());
    EXPECT_EQ(echo.header.code, 0);
    EXPECT_EQ(echo.header.rest, 0x12340005U);
    EXPECT_EQ(echo.data, data) << size;
  }
}

TEST_P(Echo, CopiesTheTrafficClassButNotItsEcnBits) {  // R1122-15
  const Octets message = request({});
  if (is_v4()) {
    receive(ipv4({.source = peer(), .destination = self(), .protocol = protocol(), .traffic_class = 0xbb},
                 message));
  } else {
    receive(
        ipv6({.source = peer(), .destination = self(), .next = protocol(), .traffic_class = 0xbb}, message));
  }
  EXPECT_EQ(sent_one().traffic_class, 0xb8);
}

TEST_P(Echo, AnswersWithAnyTtlThatArrives) {  // R1122-16, R8200-16, ATK-IPV4-48
  for (const std::uint8_t ttl : std::initializer_list<std::uint8_t>{0, 1, 255}) {
    if (is_v4()) {
      receive(
          ipv4({.source = peer(), .destination = self(), .protocol = protocol(), .ttl = ttl}, request({})));
    } else {
      receive(
          ipv6({.source = peer(), .destination = self(), .next = protocol(), .hop_limit = ttl}, request({})));
    }
    EXPECT_EQ(sent_one().ttl, 64);
  }
}

TEST_P(Echo, DropsABadChecksum) {  // R792-02, R4443-07
  Octets message = request(pattern(20));
  message[12] ^= 1;
  receive(ip_packet(peer(), self(), protocol(), message));
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(drops(DropReason::kIcmpBadChecksum), 1U);
  EXPECT_EQ(count(is_v4() ? Counter::kIcmpInCsumErrors : Counter::kIcmp6InCsumErrors), 1U);
}

TEST_P(Echo, DropsMessagesShorterThanTheirHeader) {  // R792-02, ATK-ICMP-11, ATK-ICMP-12
  const Octets message = request({});
  for (std::size_t size = 0; size < 8; ++size)
    receive(ip_packet(peer(), self(), protocol(), part(message, 0, size)));
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(drops(DropReason::kIcmpTruncated), 8U);
}

TEST_P(Echo, IsSilentToGroups) {  // R1122-41, ATK-IPV4-39, ATK-ICMP-24
  const auto groups =
      is_v4() ? std::vector{address("255.255.255.255"), address("10.0.0.255"), address("224.0.0.1")}
              : std::vector{address("ff02::1")};
  for (const IpAddress& group : groups) {
    receive(ip_packet(peer(), group, protocol(), icmp(peer(), group, request_type(), 0, 1, pattern(8))));
  }
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(drops(DropReason::kIcmpBroadcastEcho), groups.size());
}

TEST_P(Echo, RequestGoesOutAndItsReplyComesBack) {
  ip::EchoSocket socket(ip_, GetParam());
  const Octets data = pattern(56);
  ASSERT_TRUE(socket.send(peer(), 9, data));
  const Parsed request = sent_one();
  const ParsedIcmp out = parse_icmp(request);
  EXPECT_TRUE(out.ok);
  EXPECT_EQ(out.header.type, request_type());
  EXPECT_EQ(out.header.identifier(), socket.identifier());
  EXPECT_EQ(out.data, data);

  EXPECT_EQ(socket.receive().error(), Error::kWouldBlock);
  receive(ip_packet(peer(), self(), protocol(),
                    icmp(peer(), self(), reply_type(), 0, out.header.rest, out.data)));
  EXPECT_TRUE(socket.readiness().readable);
  const auto reply = socket.receive();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->source, peer());
  EXPECT_EQ(reply->sequence, 9);
  EXPECT_EQ(reply->ttl, 64);
  EXPECT_FALSE(reply->error);
  EXPECT_EQ(reply->payload.size(), data.size());
}

TEST_P(Echo, PingsItselfThroughTheLoopbackInterface) {  // R1122-14
  for (const IpAddress& target : {IpAddress::loopback(GetParam()), self()}) {
    ip::EchoSocket socket(ip_, GetParam());
    ASSERT_TRUE(socket.send(target, 1, pattern(2000)));
    EXPECT_TRUE(sent(a_).empty());
    loop_back();
    const auto reply = socket.receive();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->source, target);
    EXPECT_EQ(reply->payload.size(), 2000U);
  }
}

TEST_P(Echo, ErrorsReachTheSocketThatAsked) {
  ip::EchoSocket socket(ip_, GetParam());
  ASSERT_TRUE(socket.send(peer(), 3, pattern(8)));
  const auto request = sent();
  ASSERT_EQ(request.size(), 1U);
  const std::uint8_t type = is_v4() ? 11 : 3;
  receive(ip_packet(peer(), self(), protocol(), icmp(peer(), self(), type, 0, 0, request.front())));
  const auto reply = socket.receive();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->error, ip::IcmpErrorKind::kTimeExceeded);
  EXPECT_EQ(reply->sequence, 3);
  EXPECT_EQ(reply->source, peer());
}

TEST_P(Echo, RepliesNobodyAskedForAreDropped) {
  receive(ip_packet(peer(), self(), protocol(), icmp(peer(), self(), reply_type(), 0, 0x77770001, {})));
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(drops(DropReason::kIcmpIgnored), 1U);
}

TEST_P(Echo, AFloodIsAnsweredOneForOneAndLeavesNothingBehind) {  // ATK-ICMP-10
  for (int i = 0; i < 5000; ++i) {
    receive(ip_packet(peer(), self(), protocol(), request(pattern(1400))));
    ASSERT_EQ(sent().size(), 1U);
  }
}

INSTANTIATE_TEST_SUITE_P(BothFamilies, Echo, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         family_name);

TEST_F(IpTest, EchoReplyComesFromTheAddressThatWasAsked) {  // R1122-26, R1122-42
  const IpAddress second = address("10.0.0.3");
  const IpAddress from = peer(IpFamily::kIpv4);
  receive(ip_packet(from, second, IpProtocol::kIcmp, icmp(from, second, 8, 0, 1, {})));
  EXPECT_EQ(sent_one().source, second);
}

TEST_F(IpTest, EchoIgnoresAReturnRouteInTheOptions) {  // ATK-ICMP-13: refused as source-routed
  const IpAddress from = peer(IpFamily::kIpv4);
  const Octets route = {131, 7, 8, 192, 0, 2, 1, 0};
  receive(ipv4(
      {.source = from, .destination = self(IpFamily::kIpv4), .protocol = IpProtocol::kIcmp, .options = route},
      icmp(from, self(IpFamily::kIpv4), 8, 0, 1, {})));
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(drops(DropReason::kIpSourceRouted), 1U);
}

}  // namespace
}  // namespace transom::test
