// Published attacks with whole IPv4 and IPv6 packets and with UDP: tests/conformance/attacks.csv.

#include "tests/conformance/under_attack.h"

namespace transom::test {
namespace {

class PacketAttacks : public UnderAttack {
 protected:
  void from_attacker(IpProtocol protocol, const Octets& payload) {
    receive(ip_packet(kAttacker, self4(), protocol, payload));
  }
  void from_attacker6(IpProtocol next, const Octets& payload, const IpAddress& to = self6()) {
    receive(ipv6({.source = attacker6(), .destination = to, .next = next}, payload));
  }
};

TEST_F(PacketAttacks, Land) {  // ATK-IPV4-36, ATK-IPV4-37, ATK-IPV4-38, ATK-TCP-05
  for (const IpAddress& own : {self4(), address("10.0.0.3"), address("127.0.0.1")}) {
    receive(ip_packet(own, self4(), IpProtocol::kTcp, tcp(own, self4(), {.source = Port{80}})));
    receive_udp({own, kOpenPort}, {self4(), kOpenPort}, pattern(9));
    receive_icmp(own, self4(), 8, 0, 1, pattern(9));
  }
  receive(ip_packet(self6(), self6(), IpProtocol::kTcp, tcp(self6(), self6(), {.source = Port{80}})));
  expect_ignored();
  EXPECT_EQ(connections(), 1U);
}

TEST_F(PacketAttacks, SmurfAndFraggle) {  // ATK-IPV4-39, ATK-IPV4-40, ATK-ICMP-24
  const IpAddress victim = peer(IpFamily::kIpv4);
  for (const char* to : {"10.0.0.255", "255.255.255.255", "224.0.0.1"}) {
    receive_icmp(victim, address(to), 8, 0, 1, pattern(56));
    for (const std::uint16_t port : std::initializer_list<std::uint16_t>{7, 19, 13, 17, 9, 53, 137, 5353})
      receive_udp({victim, Port{7}}, {address(to), Port{port}}, pattern(56));
  }
  receive_icmp(peer(IpFamily::kIpv6), kAllNodes, 128, 0, 1, pattern(56));
  expect_ignored();
}

TEST_F(PacketAttacks, SourcesThatNobodyHas) {  // ATK-IPV4-45, ATK-TCP-87
  for (const char* source :
       {"0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1", "10.0.0.255", "0.1.2.3"}) {
    receive_udp({address(source), Port{7}}, {self4(), kOpenPort}, pattern(9));
    receive_udp({address(source), Port{7}}, {self4(), kClosedPort}, pattern(9));
    receive(ip_packet(address(source), self4(), IpProtocol::kTcp, tcp(address(source), self4(), {})));
    receive_icmp(address(source), self4(), 8, 0, 1, pattern(9));
  }
  expect_ignored();
  EXPECT_EQ(connections(), 1U);
}

TEST_F(PacketAttacks, Ipv6SourcesThatNobodyHas) {  // ATK-IPV6-32
  for (const char* source :
       {"::1", "::ffff:127.0.0.1", "::ffff:192.0.2.1", "::ffff:10.0.0.9", "ff02::1", "::"}) {
    const IpAddress from = address(source);
    for (const bool is_tcp : {false, true}) {
      const Octets payload = is_tcp ? tcp(attacker6(), self6(), {})
                                    : udp({attacker6(), Port{7}}, {self6(), kOpenPort}, pattern(9));
      Octets packet = ipv6({.source = attacker6(),
                            .destination = self6(),
                            .next = is_tcp ? IpProtocol::kTcp : IpProtocol::kUdp},
                           payload);
      std::ranges::copy(from.octets(), packet.begin() + 8);
      receive(packet);
    }
  }
  expect_ignored();
  EXPECT_EQ(connections(), 1U);
}

TEST_F(PacketAttacks, SourceRoutes) {  // ATK-IPV4-22, ATK-IPV4-27, ATK-ICMP-13
  for (const Octets& options :
       {Octets{131, 7, 8, 10, 0, 0, 66, 0}, Octets{137, 7, 4, 10, 0, 0, 66, 0},
        Octets{131, 3, 4, 137, 3, 4, 0, 0}, Octets{131, 40, 4, 0}, Octets{137, 3, 255, 0}}) {
    const auto with_options = [&](IpProtocol protocol, const Octets& payload) {
      receive(ipv4(
          {.source = peer(IpFamily::kIpv4), .destination = self4(), .protocol = protocol, .options = options},
          payload));
    };
    with_options(IpProtocol::kTcp, tcp(peer(IpFamily::kIpv4), self4(), {}));
    with_options(IpProtocol::kUdp, udp({peer(IpFamily::kIpv4), Port{7}}, {self4(), kClosedPort}, pattern(9)));
    with_options(IpProtocol::kIcmp, icmp(peer(IpFamily::kIpv4), self4(), 8, 0, 1, pattern(9)));
  }
  expect_ignored();
  EXPECT_EQ(connections(), 1U);
}

TEST_F(PacketAttacks, OptionsThatLie) {  // ATK-IPV4-23, -25, -26, -28, -29, -52
  for (int type = 0; type < 256; ++type) {
    for (const std::uint8_t length : std::initializer_list<std::uint8_t>{0, 1, 2, 3, 8, 40, 255}) {
      for (const std::uint8_t pointer : std::initializer_list<std::uint8_t>{0, 3, 4, 5, 200, 255}) {
        receive(ipv4({.source = kAttacker,
                      .destination = self4(),
                      .protocol = static_cast<IpProtocol>(253),
                      .options = {static_cast<std::uint8_t>(type), length, pointer, 0, 0, 0, 0, 0}},
                     pattern(4)));
        if (sent().size() > 1) FAIL() << "more than one answer to a packet";
      }
    }
  }
}

TEST_F(PacketAttacks,
       LengthsThatLie) {  // ATK-IPV4-16, -20, -30, -31, -32, -34, -35, ATK-ICMP-14, ATK-UDP-01, -02,
                          // ATK-TCP-42, -50, -51, -52
  struct Lie {
    IpProtocol protocol;
    Octets payload;
  };
  const std::vector<Lie> lies = {
      {IpProtocol::kTcp, tcp(kAttacker, self4(), {.payload = pattern(20)})},
      {IpProtocol::kUdp, udp({kAttacker, Port{7}}, {self4(), kOpenPort}, pattern(40))},
      {IpProtocol::kIcmp, icmp(kAttacker, self4(), 8, 0, 1, pattern(40))}};
  for (const Lie& lie : lies) {
    const Octets honest = ip_packet(kAttacker, self4(), lie.protocol, lie.payload);
    for (std::size_t total = 0; total < 20U + lie.payload.size();
         ++total) {  // all too short for what they carry
      Octets packet = honest;
      packet[2] = 0;
      packet[3] = static_cast<std::uint8_t>(total);
      fix_ipv4_checksum(packet);
      receive(packet);
    }
    for (const std::uint8_t high : std::initializer_list<std::uint8_t>{1, 5, 0x80, 0xff}) {
      Octets packet = honest;
      packet[2] = high;
      fix_ipv4_checksum(packet);
      receive(packet);
    }
    for (std::uint8_t words = 0; words < 16; ++words) {
      if (words == 5) continue;
      Octets packet = honest;
      packet[0] = static_cast<std::uint8_t>(0x40 | words);
      fix_ipv4_checksum(packet);
      receive(packet);
    }
    for (std::size_t size = 0; size < honest.size(); ++size) receive(part(honest, 0, size));
  }
  const Octets segment = tcp(attacker6(), self6(), {});
  for (std::size_t size = 0; size < segment.size(); ++size)
    receive(ip_packet(attacker6(), self6(), IpProtocol::kTcp, part(segment, 0, size)));
  for (const int words : {0, 1, 4, 6, 15}) {  // of TCP's own header, which has 5
    Octets lie = segment;
    lie[12] = static_cast<std::uint8_t>(words << 4);
    lie[16] = lie[17] = 0;
    wire::ChecksumSum sum = wire::pseudo_header_sum(attacker6(), self6(), IpProtocol::kTcp, 20);
    sum.add(lie);
    wire::Writer(MutableBytes(lie).subspan(16, 2)).u16(sum.checksum());
    receive(ip_packet(attacker6(), self6(), IpProtocol::kTcp, lie));
  }
  expect_ignored();
  EXPECT_EQ(connections(), 1U);
}

TEST_F(PacketAttacks, UdpLengthsThatLie) {  // ATK-UDP-01, ATK-UDP-02, ATK-UDP-03
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    const Endpoint from{attacker(family), Port{7}}, to{self(family), kOpenPort};
    for (const std::uint16_t length : std::initializer_list<std::uint16_t>{0, 1, 4, 7, 29, 1000, 65535}) {
      Octets lie = udp(from, to, pattern(20));
      wire::Writer(MutableBytes(lie).subspan(4, 2)).u16(length);
      receive(ip_packet(from.address, to.address, IpProtocol::kUdp, lie));
    }
    for (std::size_t size = 0; size < 8; ++size)
      receive(ip_packet(from.address, to.address, IpProtocol::kUdp, part(udp(from, to, {}), 0, size)));
  }
  expect_ignored();
}

TEST_F(PacketAttacks, ProtocolsThatNobodySpeaks) {  // ATK-IPV4-18, -46, -48, ATK-IPV6-16, -33, ATK-IPV4-17
  const std::size_t frames = pool_.in_use(BufferSize::kFrame);
  for (int protocol = 0; protocol < 256; ++protocol) {
    if (protocol == 1 || protocol == 6 || protocol == 17) continue;
    for (const std::uint8_t ttl : std::initializer_list<std::uint8_t>{0, 1, 255}) {
      const Octets packet = ipv4({.source = kAttacker,
                                  .destination = self4(),
                                  .protocol = static_cast<IpProtocol>(protocol),
                                  .ttl = ttl},
                                 pattern(30));
      receive(packet);
      for (const SentFrame& frame : sent()) {
        const ParsedIcmp error = parse_icmp(frame.ip());
        EXPECT_EQ(error.header.type, 3);
        EXPECT_EQ(error.header.code, 2);
        EXPECT_EQ(error.data, packet) << "more than was received";
      }
    }
  }
  EXPECT_EQ(pool_.in_use(BufferSize::kFrame), frames);
  // A packet of either family in one of the other, which must not come out of it.
  const Octets datagram = ip_packet(kAttacker, self4(), IpProtocol::kUdp,
                                    udp({kAttacker, Port{7}}, {self4(), kOpenPort}, pattern(9)));
  from_attacker(static_cast<IpProtocol>(4), datagram);
  from_attacker6(static_cast<IpProtocol>(4), datagram);
  from_attacker(static_cast<IpProtocol>(41),
                ip_packet(attacker6(), self6(), IpProtocol::kUdp,
                          udp({attacker6(), Port{7}}, {self6(), kOpenPort}, {})));
  sent();
  expect_ignored();
}

TEST_F(PacketAttacks, Ipv6ChainsThatNeverEnd) {  // ATK-IPV6-05, -09, -10, -29, -30
  Octets chain;
  for (int i = 0; i < 49; ++i) chain = chain + extension(IpProtocol::kDestinationOptions, {1, 4, 0, 0, 0, 0});
  chain = chain + extension(IpProtocol::kUdp, {1, 4, 0, 0, 0, 0});
  const Octets datagram = udp({attacker6(), Port{7}}, {self6(), kOpenPort}, pattern(9));
  from_attacker6(IpProtocol::kDestinationOptions, chain + datagram);
  for (const IpProtocol kind : {IpProtocol::kHopByHop, IpProtocol::kDestinationOptions}) {
    for (const std::uint8_t type : std::initializer_list<std::uint8_t>{0x01, 0x1e, 0x05}) {
      Octets options;
      for (int i = 0; i < 200; ++i) options = options + Octets{type, 0};
      from_attacker6(kind, extension(IpProtocol::kUdp, options) + datagram);
    }
    for (const int length : {0x1f, 0x7f, 0xff}) {
      Octets lie = extension(IpProtocol::kUdp, {1, 4, 0, 0, 0, 0});
      lie[1] = static_cast<std::uint8_t>(length);
      from_attacker6(kind, lie + datagram);
    }
  }
  expect_ignored();
}

TEST_F(PacketAttacks, Ipv6RoutingHeaders) {  // ATK-IPV6-01, -02, -22
  const Octets datagram = udp({attacker6(), Port{7}}, {self6(), kOpenPort}, pattern(9));
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{0, 2, 3, 4}) {
    for (const std::uint8_t left : std::initializer_list<std::uint8_t>{1, 2, 20, 255}) {
      Octets body(2 + 4 + 32);
      body[0] = type;
      body[1] = left;
      const IpAddress next = peer(IpFamily::kIpv6);
      std::ranges::copy(next.octets(), body.begin() + 6);
      from_attacker6(IpProtocol::kRouting, extension(IpProtocol::kUdp, body) + datagram);
      for (const SentFrame& frame : sent()) {
        EXPECT_EQ(frame.ethernet.destination, mac_of(attacker6()));  // an error, and nothing passed on
        EXPECT_EQ(parse_icmp(frame.ip()).header.type, 4);
      }
    }
  }
  expect_ignored();
}

TEST_F(PacketAttacks, Ipv6OptionsToGroups) {  // ATK-IPV6-31, ATK-IPV6-35
  std::size_t answers = 0;
  for (int i = 0; i < 1000; ++i) {
    for (const std::uint8_t type : std::initializer_list<std::uint8_t>{0x5e, 0x9e, 0xde}) {
      from_attacker6(IpProtocol::kHopByHop, extension(IpProtocol::kUdp, {type, 2, 0, 0, 0, 0}), kAllNodes);
    }
    answers += sent().size();
  }
  EXPECT_LE(answers, 10U);
}

TEST_F(PacketAttacks, JumbogramsAndEmptyPayloads) {  // ATK-IPV6-19, -20, -21
  for (const std::uint32_t length : {0U, 8U, 65535U, 65536U, 0xffffffffU}) {
    Octets option = {0xc2, 4, 0, 0, 0, 0};
    wire::Writer(MutableBytes(option).subspan(2, 4)).u32(length);
    const Octets header = extension(IpProtocol::kUdp, option);
    from_attacker6(IpProtocol::kHopByHop, header + pattern(40));
    Octets empty = ipv6({.source = attacker6(), .destination = self6(), .next = IpProtocol::kHopByHop},
                        header + pattern(40));
    empty[4] = empty[5] = 0;
    receive(empty);
  }
  sent();
  Octets empty = ipv6({.source = attacker6(), .destination = self6(), .next = IpProtocol::kTcp},
                      tcp(attacker6(), self6(), {}));
  empty[4] = empty[5] = 0;
  receive(empty);
  expect_ignored();
  EXPECT_EQ(connections(), 1U);
}

TEST_F(PacketAttacks, Ipv6LengthsThatLie) {  // ATK-IPV6-03, -04, -07, -08, -11, -13, ATK-ICMP-11, ATK-ICMP-19
  const Octets echo = icmp(attacker6(), self6(), 128, 0, 1, pattern(24));
  const Octets honest = ipv6({.source = attacker6(), .destination = self6(), .next = IpProtocol::kHopByHop},
                             extension(IpProtocol::kDestinationOptions, {1, 4, 0, 0, 0, 0}) +
                                 extension(IpProtocol::kIcmpv6, {1, 4, 0, 0, 0, 0}) + echo);
  for (std::size_t size = 0; size < honest.size(); ++size) {
    receive(part(honest, 0, size));
    if (size < 40) continue;
    Octets cut = part(honest, 0, size);
    cut[5] = static_cast<std::uint8_t>(size - 40);
    receive(cut);
  }
  for (const std::size_t at : {41U, 49U}) {
    for (int length = 1; length < 256; ++length) {
      Octets lie = honest;
      lie[at] = static_cast<std::uint8_t>(length);
      receive(lie);
      for (const SentFrame& frame : sent()) EXPECT_LE(frame.ip().size, 40U + 8 + honest.size());
    }
  }
  sent();
  receive(honest);
  EXPECT_EQ(parse_icmp(sent_one()).data, pattern(24));
}

TEST_F(PacketAttacks, SynsFromManyAddresses) {  // ATK-IPV6-23
  for (std::uint32_t i = 0; i < 20000; ++i) {
    const IpAddress source = address(fmt::format("2001:db8:ffff::{:x}:{:x}", i >> 8, i & 0xff));
    receive(ip_packet(source, self6(), IpProtocol::kTcp, tcp(source, self6(), {.destination = Port{81}})));
    if (i % 64 == 0) sent();
  }
  EXPECT_EQ(connections(), 1U);
  sent();
}

TEST_F(PacketAttacks, FloodsToClosedPorts) {  // ATK-UDP-06, ATK-UDP-07, ATK-ICMP-21
  std::size_t errors = 0;
  for (std::uint32_t i = 0; i < 20000; ++i) {
    const IpAddress source = remote(IpFamily::kIpv4, static_cast<int>(i % 5000));
    receive_udp({source, Port{7}}, {self4(), Port{static_cast<std::uint16_t>(1 + i % 4000)}}, pattern(9));
    if (i % 100 == 0) advance(1ms);
    errors += sent().size();
  }
  EXPECT_LE(errors, 50U + 1000);  // the burst, and those of a fifth of a second, with room
  EXPECT_EQ(held_octets(), 0U);
}

TEST_F(PacketAttacks, PortZeroAndReplyLoops) {  // ATK-UDP-04, -05, -09, -11, -12
  for (const std::uint16_t from :
       std::initializer_list<std::uint16_t>{0, 7, 9, 13, 17, 19, 53, 69, 123, 135, 161, 1900, 5353, 11211}) {
    receive_udp({peer(IpFamily::kIpv4), Port{from}}, {self4(), kOpenPort}, pattern(9));
    receive_udp({peer(IpFamily::kIpv4), Port{from}}, {self4(), Port{0}}, pattern(9));
  }
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(received(*open_).size(), 14U);
  // No port is open that no socket has opened: all that comes back is that nobody is there.
  for (const std::uint16_t to : std::initializer_list<std::uint16_t>{7, 13, 17, 19, 53, 67, 68, 69, 123, 137,
                                                                     161, 546, 1900, 5353, 5355}) {
    receive_udp({peer(IpFamily::kIpv4), Port{40000}}, {self4(), Port{to}}, pattern(30));
    for (const SentFrame& frame : sent()) EXPECT_EQ(parse_icmp(frame.ip()).header.type, 3);
    advance(1s);
  }
}

TEST_F(PacketAttacks, ChecksumsThatAreMissingOrWrong) {  // ATK-UDP-08, ATK-UDP-10, ATK-IPV4-47
  Octets datagram = udp({attacker6(), Port{7}}, {self6(), kOpenPort}, pattern(20));
  datagram[6] = datagram[7] = 0;
  from_attacker6(IpProtocol::kUdp, datagram);
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    Octets wrong = udp({attacker(family), Port{7}}, {self(family), kOpenPort}, pattern(20));
    wrong[10] ^= 1;
    receive(ip_packet(attacker(family), self(family), IpProtocol::kUdp, wrong));
  }
  Octets bad_header = ip_packet(kAttacker, self4(), IpProtocol::kIcmp, icmp(kAttacker, self4(), 8, 0, 1, {}));
  bad_header[8] ^= 1;
  receive(bad_header);
  expect_ignored();
}

TEST_F(PacketAttacks, DatagramsThatNobodyReads) {  // ATK-UDP-13
  for (int i = 0; i < 50000; ++i) receive_udp({kAttacker, Port{7}}, {self4(), kOpenPort}, pattern(1));
  EXPECT_LE(held_octets(), 300000U);
  EXPECT_FALSE(received(*open_).empty());
}

TEST_F(PacketAttacks, IdentificationsTellNothing) {  // ATK-IPV4-41, ATK-IPV4-42
  // What an idle scan compares: the identification of answers before and after others were answered.
  std::vector<std::uint32_t> identifications;
  for (int i = 0; i < 20; ++i) {
    receive(
        ip_packet(kAttacker, self4(), IpProtocol::kTcp, tcp(kAttacker, self4(), {.destination = Port{81}})));
    for (const SentFrame& frame : sent()) {
      if (frame.ip().dont_fragment) {
        EXPECT_EQ(frame.ip().id, 0U);
      }
      identifications.push_back(frame.ip().id);
    }
  }
  std::size_t steps_of_one = 0;
  for (std::size_t i = 1; i < identifications.size(); ++i)
    steps_of_one += identifications[i] == identifications[i - 1] + 1 ? 1U : 0U;
  EXPECT_LE(steps_of_one, 2U);
}

}  // namespace
}  // namespace transom::test
