// Published attacks on what steers the traffic - ICMP, IGMP and MLD, ARP and NDP - and with whole frames:
// tests/conformance/attacks.csv.

#include "stack/ip/groups.h"
#include "stack/wire/membership.h"
#include "tests/conformance/under_attack.h"
#include "tests/support/membership_text.h"

namespace transom::test {
namespace {

class ControlAttacks : public UnderAttack {
 protected:
  explicit ControlAttacks(bool reports_groups = false) : UnderAttack({}, reports_groups) {}
  template <typename Message>
  static Octets written(const Message& message, std::size_t size) {
    Octets octets(size);
    wire::Writer writer(octets);
    message.write(writer);
    return octets;
  }
  // A message of NDP or MLD as it stands, with its checksum put in.
  void icmpv6(const IpAddress& from, const IpAddress& to, Octets message, std::uint8_t hop_limit = 255,
              const Octets& headers = {}, IpProtocol first = IpProtocol::kIcmpv6) {
    wire::write_icmpv6_checksum(message, from, to);
    receive(
        ipv6({.source = from, .destination = to, .next = first, .hop_limit = hop_limit}, headers + message));
  }
  static IpAddress rogue() { return address("fe80::66"); }
  // An advertisement of the rogue router with these options behind it.
  static Octets advertisement(const Octets& options = {}, std::uint8_t hop_limit = 64,
                              std::uint16_t lifetime = 1800) {
    wire::RouterAdvertisement message;
    message.hop_limit = hop_limit;
    message.router_lifetime = lifetime;
    return written(message, message.size()) + options;
  }
  // What an advertisement could change.
  struct State {
    std::vector<ip::Route> routes;
    std::vector<IpAddress> addresses;
    std::uint32_t mtu;
    std::size_t neighbours;
    std::uint8_t hop_limit;
    friend bool operator==(const State&, const State&) = default;
  };
  State state() {
    const auto& table = host_.ip().routes().routes();
    State now{{table.begin(), table.end()}, {}, interface().mtu(), host_.link().neighbours().size(), 0};
    for (const auto& entry : interface().addresses()) now.addresses.push_back(entry.prefix.address);
    receive_icmp(peer(IpFamily::kIpv6), self6(), 128, 0, 1, {});
    now.hop_limit = sent_one().ttl;
    return now;
  }
};

// ---------------------------------------------------------------- ICMP

TEST_F(ControlAttacks, HardErrorsAboutAnEstablishedConnection) {  // ATK-ICMP-03, -06, R5927-01, R5927-02
  const auto segment = [&](std::uint32_t sequence) {
    return ip_packet(
        self4(), address("10.0.0.9"), IpProtocol::kTcp,
        tcp(self4(), address("10.0.0.9"),
            {.flags = {.ack = true}, .source = Port{80}, .destination = Port{4000}, .sequence = sequence}));
  };
  for (const std::uint8_t code : std::initializer_list<std::uint8_t>{0, 1, 2, 3, 5, 9, 13}) {
    for (std::uint32_t guess = 0; guess < 64; ++guess)
      receive_icmp(kAttacker, self4(), 3, code, 0, segment(guess << 26));
  }
  expect_ignored();
  EXPECT_TRUE(bystander_.is_served(now_));
}

TEST_F(ControlAttacks, HardErrorsAboutAnAttemptToConnect) {  // ATK-TCP-82, R5927-01
  const IpAddress server = peer(IpFamily::kIpv4);
  tcp::Connection* const connection = with([&] {
    tcp::PortHold none;
    return *host_.tcp().connect(none, {server, Port{443}}, {});
  });
  const Parsed syn = sent_one();
  const auto refuse = [&](std::uint32_t guess) {
    Octets quoted = part(syn.payload, 0, 8);
    for (std::size_t i = 4; i < 8; ++i) quoted[i] ^= static_cast<std::uint8_t>(guess >> 8 * (i - 4));
    receive_icmp(router(IpFamily::kIpv4), self4(), 3, 3, 0,
                 ip_packet(self4(), server, IpProtocol::kTcp, quoted));
  };
  for (std::uint32_t guess = 1; guess < 1000; ++guess) refuse(guess * 2654435761U);
  EXPECT_EQ(connection->state(), tcp::State::kSynSent);
  refuse(0);
  EXPECT_EQ(connection->state(), tcp::State::kClosed);
  sent();
}

TEST_F(ControlAttacks, SourceQuenchAndOtherForgottenMessages) {  // ATK-ICMP-04, -15, -16, -20, -23, R6633-01
  const State before = state();
  const Octets quoted = ip_packet(self4(), kAttacker, IpProtocol::kUdp,
                                  udp({self4(), kOpenPort}, {kAttacker, Port{7}}, pattern(20)));
  for (int type = 0; type < 256; ++type) {
    if (type == 8) continue;
    for (const std::uint8_t code : std::initializer_list<std::uint8_t>{0, 1, 255}) {
      for (std::size_t size = 0; size < 20; size += 4)
        receive_icmp(kAttacker, self4(), static_cast<std::uint8_t>(type), code, kAttacker.v4_value(),
                     part(quoted, 0, size));
      receive_icmp(kAttacker, self4(), static_cast<std::uint8_t>(type), code, kAttacker.v4_value(), quoted);
    }
  }
  expect_ignored();
  EXPECT_EQ(state(), before);
}

TEST_F(ControlAttacks, ErrorsAboutErrors) {  // ATK-ICMP-09
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    const bool v4 = family == IpFamily::kIpv4;
    const std::uint8_t type = v4 ? 3 : 1;
    const std::uint8_t code = v4 ? 3 : 4;
    const Octets ours = icmp(self(family), attacker(family), type, code, 0,
                             ip_packet(attacker(family), self(family), IpProtocol::kUdp,
                                       udp({attacker(family), Port{7}}, {self(family), kClosedPort}, {})));
    receive_icmp(
        attacker(family), self(family), type, code, 0,
        ip_packet(self(family), attacker(family), v4 ? IpProtocol::kIcmp : IpProtocol::kIcmpv6, ours));
  }
  expect_ignored();
}

TEST_F(ControlAttacks, PingFlood) {  // ATK-ICMP-10
  for (int i = 0; i < 10000; ++i) {
    receive_icmp(kAttacker, self4(), 8, 0, static_cast<std::uint32_t>(i), pattern(1472));
    EXPECT_LE(sent().size(), 1U);
  }
  EXPECT_EQ(held_octets(), 0U);
}

TEST_F(ControlAttacks, MessagesThatEndTooEarly) {  // ATK-ICMP-11, ATK-ICMP-12
  for (int type = 0; type < 256; ++type) {
    for (std::size_t size = 0; size < 8; ++size) {
      Octets message = icmp(kAttacker, self4(), static_cast<std::uint8_t>(type), 0, 0, {});
      message.resize(size);
      if (size >= 4) wire::write_icmp_checksum(message);
      receive(ip_packet(kAttacker, self4(), IpProtocol::kIcmp, message));
      Octets message6 = icmp(attacker6(), self6(), static_cast<std::uint8_t>(type), 0, 0, {});
      message6.resize(size);
      if (size >= 4) wire::write_icmpv6_checksum(message6, attacker6(), self6());
      receive(ip_packet(attacker6(), self6(), IpProtocol::kIcmpv6, message6));
    }
  }
  expect_ignored();
}

TEST_F(ControlAttacks, QuotesWithHeadersOfTheirOwn) {  // ATK-ICMP-18, ATK-NDP-16
  Octets quoted = ipv6({.source = self6(), .destination = attacker6(), .next = IpProtocol::kRouting},
                       extension(IpProtocol::kDestinationOptions, {0, 5, 0, 0, 0, 0}) +
                           extension(IpProtocol::kFragment, {1, 4, 0, 0, 0, 0}) +
                           fragment_header(IpProtocol::kUdp, 0, true, 1) +
                           udp({self6(), kOpenPort}, {attacker6(), Port{7}}, pattern(8)));
  for (std::size_t at = 0; at < quoted.size(); ++at) {
    for (const std::uint8_t value : std::initializer_list<std::uint8_t>{0, 1, 0x2c, 0x3c, 0x7f, 0xff}) {
      Octets lie = quoted;
      lie[at] = value;
      for (std::uint8_t type = 1; type <= 4; ++type)
        receive_icmp(attacker6(), self6(), type, 0, 1000, part(lie, 0, std::min(lie.size(), at + 20)));
    }
  }
  for (std::size_t size = 0; size <= quoted.size(); ++size)
    receive_icmp(attacker6(), self6(), 1, 4, 0, part(quoted, 0, size));
  // A fragment that is not the first, quoted by an IPv4 error.
  receive_icmp(kAttacker, self4(), 3, 3, 0,
               ipv4({.source = self4(), .destination = kAttacker, .offset = 8}, pattern(40)));
  expect_ignored();
}

// ---------------------------------------------------------------- IGMP and MLD: not spoken here yet

// A host that tells routers of its groups.
class MembershipAttacks : public ControlAttacks {
 protected:
  MembershipAttacks() : ControlAttacks(true) {
    advance(3s);
    sent();
  }
};

TEST_F(MembershipAttacks, MalformedIgmp) {  // ATK-IGMPMLD-01 to -06, -13
  const auto igmp = [&](Octets message, const char* to, std::uint8_t ttl = 1) {
    if (message.size() >= 4) wire::write_icmp_checksum(message);  // the same sum at the same place
    receive(ipv4({.source = kAttacker,
                  .destination = address(to),
                  .protocol = static_cast<IpProtocol>(2),
                  .ttl = ttl,
                  .options = {148, 4, 0, 0}},
                 message));
  };
  for (const std::uint8_t code : std::initializer_list<std::uint8_t>{0, 1, 100, 128, 255}) {
    igmp({0x11, code, 0, 0, 0, 0, 0, 0}, "224.0.0.1");              // IGMPv2 query
    igmp({0x11, code, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0}, "224.0.0.1");  // IGMPv3, no sources
    igmp(Octets{0x11, code, 0, 0, 224, 0, 0, 251, 2, 0, 0x01, 0xf4} + pattern(88), "224.0.0.251");
    igmp({0x11, code, 0, 0, 224, 0, 0, 251, 2, 0, 0xff, 0xff}, "224.0.0.251");  // claims 65535 sources
    igmp({0x11, code, 0, 0, 224, 0, 0, 251, 2, 0, 0x3f, 0xff, 1, 2, 3, 4}, "224.0.0.1");
  }
  for (std::size_t size = 0; size < 8; ++size) igmp(Octets(size, 0x11), "224.0.0.1");
  const Octets random = pattern(4000);
  for (std::size_t at = 0; at < random.size(); at += 1480) {
    receive(ipv4({.source = kAttacker,
                  .destination = address("224.0.0.1"),
                  .protocol = static_cast<IpProtocol>(2),
                  .more = at + 1480 < random.size(),
                  .offset = static_cast<std::uint16_t>(at)},
                 part(random, at, std::min<std::size_t>(1480, random.size() - at))));
  }
  expect_ignored();
}

TEST_F(MembershipAttacks, MalformedMld) {  // ATK-IGMPMLD-03, -07, -12, -13
  const Octets alert = extension(IpProtocol::kIcmpv6, {5, 2, 0, 0, 1, 0});
  for (const std::uint16_t sources : std::initializer_list<std::uint16_t>{0, 1, 500, 0xffff}) {
    for (const std::size_t size : {0U, 4U, 8U, 20U, 23U, 24U, 25U, 27U, 28U, 44U, 100U}) {
      Octets query = icmp(rogue(), kAllNodes, 130, 0, 0, Octets(100));
      wire::Writer(MutableBytes(query).subspan(26, 2)).u16(sources);
      query.resize(size);
      if (size < 4) query.resize(4);
      for (const std::uint8_t hop_limit : std::initializer_list<std::uint8_t>{1, 64})
        icmpv6(rogue(), kAllNodes, query, hop_limit, alert, IpProtocol::kHopByHop);
      icmpv6(attacker6(), kAllNodes, query, 1, alert, IpProtocol::kHopByHop);
      icmpv6(rogue(), kAllNodes, query, 1);
    }
  }
  advance(1min);
  // A few of them may be taken for questions: then what is said is of its own groups, and once.
  const auto lines = membership_lines(sent());
  EXPECT_LE(lines.size(), 8U);
  for (const std::string& line : lines) EXPECT_THAT(line, testing::HasSubstr("ff02::1:ff"));
  expect_ignored();
}

TEST_F(MembershipAttacks, FloodOfQuestionsAboutSources) {  // ATK-IGMPMLD-09
  const IpAddress group = address("239.1.2.3");
  ip::GroupMember member(host_.ip().groups());
  with([&] { EXPECT_TRUE(member.join(eth_, group)); });
  advance(3s);
  sent();
  for (int i = 0; i < 10000; ++i) {
    wire::MembershipQuery query;
    query.max_response = 1s;
    query.group = group;
    query.sources = {IpAddress::v4(0x0a000000U + static_cast<std::uint32_t>(i) + 1)};
    Octets message = written(query, query.size());
    wire::write_icmp_checksum(message);
    receive(ipv4({.source = kAttacker,
                  .destination = group,
                  .protocol = IpProtocol::kIgmp,
                  .ttl = 1,
                  .options = {148, 4, 0, 0}},
                 message));
  }
  advance(2s);
  // Too many to be named: the group is reported as a whole.
  EXPECT_EQ(membership_lines(sent()), std::vector<std::string>{"IS_EX 239.1.2.3 {}"});
}

// ---------------------------------------------------------------- NDP

TEST_F(ControlAttacks, RouterAdvertisements) {  // ATK-NDP-01, -06, -08, -09, -10, -15, -24, -26
  const State before = state();
  for (int i = 0; i < 2000; ++i) {
    const IpAddress source = address(fmt::format("fe80::66:{:x}", i));
    Octets prefix = {3, 4, 64, 0xc0, 0, 1, 0x51, 0x80, 0, 1, 0x51, 0x80, 0, 0, 0, 0};
    const IpAddress net = address(fmt::format("2001:db8:{:x}::", 0x1000 + i));
    prefix.insert(prefix.end(), net.octets().begin(), net.octets().end());
    const Octets mtu = {5, 1, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(i)};
    const Octets route = {24, 1, 0, 0x08, 0xff, 0xff, 0xff, 0xff};
    Octets resolvers = {25, 3, 0, 0, 0xff, 0xff, 0xff, 0xff};
    resolvers.insert(resolvers.end(), source.octets().begin(), source.octets().end());
    icmpv6(source, kAllNodes, advertisement(prefix + mtu + route + resolvers, 1));
    if (i % 100 == 0) {
      EXPECT_TRUE(nothing_sent());
    }
  }
  advance(10s);
  expect_ignored();
  EXPECT_EQ(state(), before);
  EXPECT_EQ(count(Counter::kIcmp6InRouterAdvertisements), 2000U);
}

TEST_F(ControlAttacks, MalformedOptionsInRouterAdvertisements) {  // ATK-NDP-11 to -14, ATK-NDP-17, ATK-NDP-18
  const State before = state();
  for (int type = 0; type < 256; ++type) {
    for (int length = 0; length < 12; ++length) {
      Octets option(40, 0x41);
      option[0] = static_cast<std::uint8_t>(type);
      option[1] = static_cast<std::uint8_t>(length);
      icmpv6(rogue(), kAllNodes, advertisement(option));
    }
  }
  // Many options, as long as a packet.
  Octets many;
  for (int i = 0; i < 170; ++i) many = many + Octets{static_cast<std::uint8_t>(i), 1, 0, 0, 0, 0, 0, 0};
  for (int i = 0; i < 100; ++i) icmpv6(rogue(), kAllNodes, advertisement(many));
  expect_ignored();
  EXPECT_EQ(state(), before);
}

TEST_F(ControlAttacks, NdpFromAfarOrInDisguise) {  // ATK-NDP-20, ATK-NDP-21, ATK-NDP-22
  know(rogue());
  const State before = state();
  wire::NeighborSolicitation solicitation;
  solicitation.target = self6();
  solicitation.options.source_link_address = MacAddress({2, 0, 0, 0, 0, 0x13});
  wire::NeighborAdvertisement claim;
  claim.target = router(IpFamily::kIpv6);
  claim.override_cache = true;
  claim.options.target_link_address = MacAddress({2, 0, 0, 0, 0, 0x13});
  const std::vector<Octets> messages = {written(solicitation, solicitation.size()),
                                        written(claim, claim.size()), advertisement()};
  for (const Octets& message : messages) {
    icmpv6(rogue(), self6(), message, 254);
    icmpv6(rogue(), self6(), message, 64);
    // In an atomic fragment, and in two.
    Octets summed = message;
    wire::write_icmpv6_checksum(summed, rogue(), self6());
    const Ip6 fragment{
        .source = rogue(), .destination = self6(), .next = IpProtocol::kFragment, .hop_limit = 255};
    receive(ipv6(fragment, fragment_header(IpProtocol::kIcmpv6, 0, false, 5) + summed));
    receive(ipv6(fragment, fragment_header(IpProtocol::kIcmpv6, 0, true, 6) + part(summed, 0, 16)));
    receive(ipv6(fragment,
                 fragment_header(IpProtocol::kIcmpv6, 16, false, 6) + part(summed, 16, summed.size() - 16)));
  }
  icmpv6(rogue(), kAllNodes, advertisement(), 255, extension(IpProtocol::kIcmpv6, {1, 4, 0, 0, 0, 0}),
         IpProtocol::kDestinationOptions);
  expect_ignored();
  EXPECT_EQ(state(), before);
}

TEST_F(ControlAttacks, NeighboursThatAreMadeUp) {  // ATK-NDP-02, ATK-NDP-27, ATK-ARP-04, ATK-ARP-05
  for (int i = 0; i < 10000; ++i) {
    const IpAddress stranger = address(fmt::format("2001:db8:a::bad:{:x}", i));
    receive_udp({stranger, Port{7}}, {self6(), kClosedPort}, pattern(9));
    wire::NeighborSolicitation solicitation;
    solicitation.target = self6();
    solicitation.options.source_link_address = mac_of(stranger);
    icmpv6(stranger, solicited_node_multicast(self6()), written(solicitation, solicitation.size()));
    const wire::ArpPacket request{wire::ArpPacket::Operation::kRequest,
                                  mac_of(stranger),
                                  IpAddress::v4(10, 0, 0, static_cast<std::uint8_t>(10 + i % 240)),
                                  {},
                                  self4()};
    receive_frame(MacAddress::broadcast(), mac_of(stranger), wire::EtherType::kArp,
                  written(request, wire::ArpPacket::kSize));
    if (i % 50 == 0) sent();
  }
  EXPECT_LE(host_.link().neighbours().size(), 1024U);
  EXPECT_LE(held_octets(), 2U << 20);
  sent();
  // Those that are in use were not pushed out.
  EXPECT_TRUE(neighbour(router(IpFamily::kIpv4)));
  EXPECT_TRUE(neighbour(router(IpFamily::kIpv6)));
}

TEST_F(ControlAttacks, SpoofedNeighbours) {  // ATK-ARP-01, -02, -06, -07, ATK-NDP-03, -04
  // The gateways are known by decree here; what is learnt is tested in tests/unit/link.
  const MacAddress evil({2, 0, 0, 0, 0, 0x66});
  for (const MacAddress& mac :
       {evil, MacAddress::broadcast(), MacAddress({1, 0, 0x5e, 0, 0, 1}), MacAddress()}) {
    for (const auto operation : {wire::ArpPacket::Operation::kRequest, wire::ArpPacket::Operation::kReply}) {
      for (const char* sender : {"10.0.0.254", "10.0.0.1", "255.255.255.255", "224.0.0.1", "10.0.0.255"}) {
        const wire::ArpPacket packet{operation, mac, address(sender), {}, address(sender)};
        receive_frame(MacAddress::broadcast(), evil, wire::EtherType::kArp,
                      written(packet, wire::ArpPacket::kSize));
      }
    }
    wire::NeighborAdvertisement claim;
    claim.router = claim.override_cache = true;
    claim.target = router(IpFamily::kIpv6);
    claim.options.target_link_address = mac;
    icmpv6(claim.target, kAllNodes, written(claim, claim.size()));
  }
  expect_ignored();
  EXPECT_EQ(neighbour(router(IpFamily::kIpv4))->mac, mac_of(router(IpFamily::kIpv4)));
  EXPECT_EQ(neighbour(router(IpFamily::kIpv6))->mac, mac_of(router(IpFamily::kIpv6)));
}

TEST_F(ControlAttacks, TheftOfTheOwnAddress) {  // ATK-ARP-03, ATK-ARP-12
  std::size_t answers = 0;
  for (int i = 0; i < 1000; ++i) {
    const wire::ArpPacket probe{wire::ArpPacket::Operation::kRequest,
                                MacAddress({2, 0, 0, 0, 0, 0x66}),
                                address("0.0.0.0"),
                                {},
                                address("10.0.0.3")};
    receive_frame(MacAddress::broadcast(), probe.sender_mac, wire::EtherType::kArp,
                  written(probe, wire::ArpPacket::kSize));
    answers += sent().size();
  }
  EXPECT_LT(answers, 100U);
  const wire::ArpPacket claim{wire::ArpPacket::Operation::kRequest,
                              MacAddress({2, 0, 0, 0, 0, 0x66}),
                              address("10.0.0.3"),
                              {},
                              address("10.0.0.3")};
  receive_frame(MacAddress::broadcast(), claim.sender_mac, wire::EtherType::kArp,
                written(claim, wire::ArpPacket::kSize));
  EXPECT_EQ(sent().size(), 1U);  // the defence
  for (int i = 0; i < 100; ++i) {
    receive_frame(MacAddress::broadcast(), claim.sender_mac, wire::EtherType::kArp,
                  written(claim, wire::ArpPacket::kSize));
  }
  EXPECT_TRUE(nothing_sent());
}

// ---------------------------------------------------------------- frames

TEST_F(ControlAttacks,
       FramesOfEveryLengthAndType) {  // ATK-ETHERNET-03 to -08, ATK-ARP-08 to -10, ATK-IPV4-53
  const Octets echo =
      ip_packet(kAttacker, self4(), IpProtocol::kIcmp, icmp(kAttacker, self4(), 8, 0, 1, pattern(40)));
  for (const std::uint16_t type : std::initializer_list<std::uint16_t>{
           0, 5, 0x05dc, 0x0800, 0x0806, 0x8035, 0x8100, 0x88a8, 0x86dd, 0x8863, 0xffff}) {
    for (std::size_t size = 0; size < 40; ++size) {
      Octets frame(14 + size, 0xaa);
      std::ranges::copy(kHostMac.octets(), frame.begin());
      std::ranges::copy(mac_of(kAttacker).octets(), frame.begin() + 6);
      wire::Writer(MutableBytes(frame).subspan(12, 2)).u16(type);
      if (size < 14) receive_frame(part(frame, 0, size));
      receive_frame(frame);
    }
  }
  for (const std::uint16_t inner :
       std::initializer_list<std::uint16_t>{0x0800, 0x8100}) {  // tagged twice, or cut in the tag
    Octets frame(14, 0);
    std::ranges::copy(kHostMac.octets(), frame.begin());
    std::ranges::copy(mac_of(kAttacker).octets(), frame.begin() + 6);
    frame[12] = 0x81;
    frame = frame + Octets{0, 0, 0x81, 0, 0, 5, static_cast<std::uint8_t>(inner >> 8), 0};
    for (std::size_t size = 14; size <= frame.size(); ++size) receive_frame(part(frame, 0, size));
    receive_frame(frame + echo);
  }
  receive_frame(kHostMac, kHostMac, wire::EtherType::kIpv4, echo);
  receive_frame(kHostMac, MacAddress::broadcast(), wire::EtherType::kIpv4, echo);
  receive_frame(kHostMac, MacAddress({1, 0, 0x5e, 0, 0, 1}), wire::EtherType::kIpv4, echo);
  receive_frame(kHostMac, mac_of(kAttacker), wire::EtherType::kIpv4, echo + Octets(1500));
  expect_ignored();
}

TEST_F(ControlAttacks, PaddingTellsNothing) {  // ATK-ETHERNET-01, ATK-ETHERNET-02
  for (int i = 0; i < 20; ++i) {
    receive_icmp(kAttacker, self4(), 8, 0, 1,
                 pattern(1400, static_cast<std::uint8_t>(i)));  // fills the buffers
    sent();
    receive_icmp(kAttacker, self4(), 8, 0, 1, pattern(1));
    const auto frames = sent();
    ASSERT_EQ(frames.size(), 1U);
    ASSERT_EQ(frames[0].payload.size(), 46U);
    EXPECT_EQ(part(frames[0].payload, 29, 17), Octets(17, 0));
  }
}

}  // namespace
}  // namespace transom::test
