// Autoconfiguration of IPv6, as a router and the other hosts of a link see it: router discovery (RFC 4861
// §6.3, RFC 4191, RFC 7559, RFC 8106), and addresses formed from advertised prefixes (RFC 4862 §5.5, RFC
// 7217, RFC 8981).
#include <set>

#include "tests/support/bare_host.h"

namespace transom::test {
namespace {

using Lines = std::vector<std::string>;
using std::chrono::hours;

constexpr std::uint32_t kForEver = 0xffffffff;
constexpr std::uint32_t kDay = 86400;
constexpr auto kIpv6 = IpFamily::kIpv6;

wire::NdpPrefixInformation prefix(const char* text, std::uint32_t valid = kDay,
                                  std::uint32_t preferred = 14400) {
  return {.prefix = *IpPrefix::parse(text),
          .on_link = true,
          .autonomous = true,
          .valid_lifetime = valid,
          .preferred_lifetime = preferred};
}

wire::RouterAdvertisement advertise(std::initializer_list<wire::NdpPrefixInformation> prefixes = {},
                                    std::uint16_t lifetime = 1800) {
  wire::RouterAdvertisement advertisement;
  advertisement.router_lifetime = lifetime;
  for (const auto& one : prefixes) advertisement.options.prefixes[advertisement.options.prefix_count++] = one;
  return advertisement;
}

class Autoconfiguration : public BareHost {
 protected:
  explicit Autoconfiguration(std::uint64_t seed = 1) : BareHost(link::ConflictDetection::quick(), seed) {}

  void start(bool temporary = false) {
    ip::AutoconfigurationOptions options;
    options.addresses.secret = SipKey{1, 2};
    options.addresses.temporary = temporary;
    host_.enter(now_);
    EXPECT_TRUE(host_.autoconfigure(eth_, options));
    host_.leave();
  }
  // What a router says, with the chosen parts otherwise.
  struct Envelope {
    IpAddress from = address("fe80::fe");
    std::uint8_t hop_limit = 255;
    bool fragmented = false;
    std::uint8_t code = 0;
    std::size_t size = SIZE_MAX;
  };
  void receive(const wire::RouterAdvertisement& advertisement, const Envelope& envelope) {
    Octets message(advertisement.size());
    wire::Writer writer(message);
    advertisement.write(writer);
    message[1] = envelope.code;
    message.resize(std::min(message.size(), envelope.size));
    wire::write_icmpv6_checksum(message, envelope.from, kAllNodes);
    if (envelope.fragmented) message = fragment_header(IpProtocol::kIcmpv6, 0, false, 1) + message;
    receive_frame(wire::multicast_mac(kAllNodes), mac_of(envelope.from), wire::EtherType::kIpv6,
                  ipv6({.source = envelope.from,
                        .destination = kAllNodes,
                        .next = envelope.fragmented ? IpProtocol::kFragment : IpProtocol::kIcmpv6,
                        .hop_limit = envelope.hop_limit},
                       message));
  }
  void receive(const wire::RouterAdvertisement& advertisement, const char* from = "fe80::fe") {
    receive(advertisement, Envelope{.from = address(from)});
  }
  void receive_neighbour_message(const auto& message, const IpAddress& from, const IpAddress& to) {
    Octets octets(message.size());
    wire::Writer writer(octets);
    message.write(writer);
    wire::write_icmpv6_checksum(octets, from, to);
    receive_frame(
        to.is_multicast() ? wire::multicast_mac(to) : kHostMac, MacAddress({2, 6, 6, 6, 6, 6}),
        wire::EtherType::kIpv6,
        ipv6({.source = from, .destination = to, .next = IpProtocol::kIcmpv6, .hop_limit = 255}, octets));
  }
  // Another host detects whether it may use the same address.
  void collide_with(const IpAddress& target) {
    wire::NeighborSolicitation solicitation;
    solicitation.target = target;
    receive_neighbour_message(solicitation, IpAddress(), solicited_node_multicast(target));
  }
  // Router solicitations among what was sent.
  std::vector<SentFrame> solicitations() {
    std::vector<SentFrame> found;
    for (const SentFrame& frame : sent()) {
      const Parsed packet = frame.ip();
      if (packet.protocol == IpProtocol::kIcmpv6 && parse_icmp(packet).header.type == 133)
        found.push_back(frame);
    }
    return found;
  }
  IpAddress only_address() {
    IpAddress found;
    for (const link::InterfaceAddress& entry : interface().addresses()) {
      if (!entry.prefix.address.is_link_local()) found = entry.prefix.address;
    }
    return found;
  }
  // Who would speak to this address.
  IpAddress source_for(const char* to) {
    host_.enter(now_);
    const auto destination = host_.ip().destination(address(to));
    host_.leave();
    return destination ? (*destination)->source : IpAddress();
  }
};

// ---------------------------------------------------------------- asking

TEST_F(Autoconfiguration, RoutersAreAskedUntilOneAnswers) {  // R4861-16, R7559-01
  start();
  advance(hours(3));
  const auto asked = solicitations();
  ASSERT_GE(asked.size(), 10U);
  EXPECT_LE(asked[0].time, Instant(1001s));
  Duration before = 2s;
  for (std::size_t i = 1; i < 10; ++i) {
    const Duration gap = asked[i].time - asked[i - 1].time;
    EXPECT_GE(gap, before * 19 / 10) << i;  // twice as long, a tenth more or less
    EXPECT_LE(gap, before * 23 / 10) << i;
    before = gap;
  }
  EXPECT_EQ(asked[1].ip().destination, address("ff02::2"));
  EXPECT_EQ(asked[1].ip().source, link::link_local_address(kHostMac));
  EXPECT_EQ(asked[1].ip().ttl, 255);
  const auto message = wire::RouterSolicitation::parse(asked[1].ip().payload);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->options.source_link_address, kHostMac);
  receive(advertise());
  advance(hours(3) / 10);
  EXPECT_TRUE(solicitations().empty());
}

TEST_F(Autoconfiguration, WhoHasNoAddressYetGivesNoLinkAddress) {  // R4861-16
  link::InterfaceConfig config;
  config.name = "eth1";
  config.mac = MacAddress({2, 1, 1, 1, 1, 1});
  config.conflict_detection.probe_wait = 10s;  // that takes long
  const InterfaceId id = host_.add_interface(config);
  host_.enter(now_);
  EXPECT_TRUE(host_.autoconfigure(id, {}));
  host_.leave();
  advance(2s);
  Packet packet = host_.transmit_queue(id).pop();
  while (packet && packet.head()[54] != 133) packet = host_.transmit_queue(id).pop();
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet.size(), 14U + 40U + 8U);
  EXPECT_EQ(part({packet.head().begin(), packet.head().end()}, 14 + 8, 16), Octets(16));
  host_.transmit_queue(id).clear();
}

// ---------------------------------------------------------------- routers and prefixes

TEST_F(Autoconfiguration, AdvertisementsThatAreNotValidChangeNothing) {  // R4861-03
  start();
  const wire::RouterAdvertisement good = advertise({prefix("2001:db8:1::/64")});
  receive(good, Envelope{.hop_limit = 254});
  receive(good, Envelope{.from = address("2001:db8::fe")});
  receive(good, Envelope{.code = 1});
  receive(good, Envelope{.fragmented = true});
  for (std::size_t size = 1; size < 16; ++size) receive(good, Envelope{.size = size});
  receive(good, Envelope{.size = 17});
  EXPECT_EQ(routes(kIpv6), Lines{});
  EXPECT_EQ(addresses(kIpv6), Lines{});
  receive(good, Envelope{});
  EXPECT_EQ(routes(kIpv6).size(), 2U);
}

TEST_F(Autoconfiguration, NobodyIsBelievedUnlessAsked) {
  receive(advertise({prefix("2001:db8:1::/64")}));
  EXPECT_EQ(routes(kIpv6), Lines{});
  EXPECT_EQ(addresses(kIpv6), Lines{});
}

TEST_F(Autoconfiguration, RoutersComeAndGo) {  // R4861-12, R4191-01
  start();
  receive(advertise({}, 1800), "fe80::fe");
  wire::RouterAdvertisement better = advertise({}, 600);
  better.preference = wire::RouterPreference::kHigh;
  receive(better, "fe80::fd");
  wire::RouterAdvertisement worse = advertise({}, 65535);
  worse.preference = wire::RouterPreference::kLow;
  receive(worse, "fe80::fc");
  const std::string first = "::/0 via fe80::fd metric 1023", second = "::/0 via fe80::fe metric 1024",
                    third = "::/0 via fe80::fc metric 1025";
  EXPECT_EQ(routes(kIpv6), (Lines{first, second, third}));
  advance(601s);
  EXPECT_EQ(routes(kIpv6), (Lines{second, third}));
  receive(advertise({}, 0), "fe80::fe");
  EXPECT_EQ(routes(kIpv6), (Lines{third}));
  advance(65535s);
  EXPECT_EQ(routes(kIpv6), Lines{});
}

TEST_F(Autoconfiguration, ThePreferenceThatIsReservedIsMedium) {  // R4191-01
  start();
  wire::RouterAdvertisement advertisement = advertise();
  Octets message(advertisement.size());
  wire::Writer writer(message);
  advertisement.write(writer);
  message[5] |= 0x10;
  const auto parsed = wire::RouterAdvertisement::parse(message);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->preference, wire::RouterPreference::kMedium);
}

TEST_F(Autoconfiguration, WithoutARouterItAsksAgain) {
  start();
  receive(advertise({}, 600));
  solicitations();
  advance(599s);
  EXPECT_TRUE(solicitations().empty());
  advance(2s);
  EXPECT_EQ(solicitations().size(), 1U);
}

TEST_F(Autoconfiguration, ARouterThatIsSaidToGoIsAskedForAtOnce) {  // ATK-NDP-07
  start();
  receive(advertise({}, 1800));
  advance(10s);
  solicitations();
  receive(advertise({}, 0));
  EXPECT_EQ(routes(kIpv6), Lines{});
  EXPECT_EQ(solicitations().size(), 1U);
  receive(advertise({}, 1800));  // the real one answers
  EXPECT_EQ(routes(kIpv6).size(), 1U);
}

TEST_F(Autoconfiguration, OnLinkPrefixesAreThoseThatRoutersName) {  // R4861-13
  start();
  wire::NdpPrefixInformation only_for_addresses = prefix("2001:db8:2::/64");
  only_for_addresses.on_link = false;
  receive(advertise({prefix("2001:db8:1::/64", 600, 600), only_for_addresses, prefix("fe80::/64")}));
  advance(1s);
  EXPECT_EQ(routes(kIpv6), (Lines{"2001:db8:1::/64 metric 1024", "::/0 via fe80::fe metric 1024"}));
  EXPECT_TRUE(interface().is_on_link(address("2001:db8:1::99")));
  EXPECT_FALSE(interface().is_on_link(address("2001:db8:2::99")));
  receive(advertise({prefix("2001:db8:1::/64", 0, 0)}));
  EXPECT_EQ(routes(kIpv6), Lines{"::/0 via fe80::fe metric 1024"});
  EXPECT_FALSE(interface().is_on_link(address("2001:db8:1::99")));
}

TEST_F(Autoconfiguration, OtherRoutesAreLearnt) {  // R4191-02
  start();
  wire::RouterAdvertisement advertisement = advertise({}, 0);
  advertisement.options.routes = {
      {*IpPrefix::parse("2001:db8:8000::/33"), wire::RouterPreference::kHigh, 600},
      {*IpPrefix::parse("2001:db8::7/128"), wire::RouterPreference::kLow, kForEver}};
  receive(advertisement);
  EXPECT_EQ(routes(kIpv6), (Lines{"2001:db8::7/128 via fe80::fe metric 1025",
                                  "2001:db8:8000::/33 via fe80::fe metric 1023"}));
  advance(601s);
  EXPECT_EQ(routes(kIpv6), Lines{"2001:db8::7/128 via fe80::fe metric 1025"});
}

TEST_F(Autoconfiguration, TheLinkIsAsTheRouterSays) {  // R4861-14
  start();
  wire::RouterAdvertisement advertisement = advertise({prefix("2001:db8:1::/64")});
  advertisement.hop_limit = 33;
  advertisement.reachable_time = 5000;
  advertisement.retrans_timer = 2000;
  advertisement.options.mtu = 1400;
  receive(advertisement);
  const auto expect_as_said = [&] {
    EXPECT_EQ(interface().advertised().hop_limit, 33);
    EXPECT_EQ(interface().advertised().reachable_time, 5s);
    EXPECT_EQ(interface().advertised().retrans_timer, 2s);
    EXPECT_EQ(interface().mtu_for(kIpv6), 1400U);
    EXPECT_EQ(interface().mtu_for(IpFamily::kIpv4), 1500U);
  };
  expect_as_said();
  receive(advertise());  // zero: not said
  expect_as_said();
  for (const std::uint32_t mtu : {0U, 576U, 1279U, 1501U, 9000U}) {
    wire::RouterAdvertisement odd = advertise();
    odd.options.mtu = mtu;
    receive(odd);
  }
  expect_as_said();
  advance(1s);
  sent();
  // Seen in what leaves: hop limit, and how often a neighbour is asked for.
  host_.enter(now_);
  auto socket = host_.udp().open(kIpv6);
  const Octets payload(10);
  const Bytes piece = payload;
  EXPECT_TRUE(socket->send({&piece, 1}, {.to = Endpoint{address("2001:db8:1::9"), Port{9}}}));
  host_.leave();
  advance(1900ms);
  EXPECT_EQ(sent().size(), 1U);
  advance(200ms);
  EXPECT_EQ(sent().size(), 1U);
  wire::NeighborAdvertisement answer;
  answer.target = address("2001:db8:1::9");
  answer.solicited = true;
  answer.override_cache = true;
  answer.options.target_link_address = MacAddress({2, 6, 6, 6, 6, 6});
  receive_neighbour_message(answer, answer.target, only_address());
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].ip().ttl, 33);
}

TEST_F(Autoconfiguration, AFloodOfRoutersIsBounded) {  // ATK-NDP-26
  start(true);
  receive(advertise({prefix("2001:db8:1::/64")}));
  for (int i = 0; i < 1000; ++i) {
    wire::RouterAdvertisement advertisement =
        advertise({prefix(fmt::format("2001:db8:{:x}::/64", 0x1000 + i).c_str())});
    advertisement.options.dns_servers = {{{address(fmt::format("2001:db8::{:x}", 1 + i))}, 600}};
    advertisement.options.search_domains = {{{fmt::format("d{}.example", i)}, 600}};
    receive(advertisement, fmt::format("fe80::66:{:x}", i).c_str());
  }
  advance(1s);
  EXPECT_LE(interface().addresses().size(), 17U);  // with the link-local one
  EXPECT_LE(routes(kIpv6).size(), 32U);
  EXPECT_LE(host_.ip().router_discovery().dns(eth_).servers.size(), 8U);
  EXPECT_LE(host_.ip().router_discovery().dns(eth_).search_domains.size(), 8U);
  const auto all = routes(kIpv6);  // what was there first is there still
  EXPECT_TRUE(std::ranges::find(all, "::/0 via fe80::fe metric 1024") != all.end());
}

// ---------------------------------------------------------------- DNS

TEST_F(Autoconfiguration, DnsServersAndSearchDomainsAreLearnt) {  // R8106-01, R8106-02, R8106-03
  start();
  wire::RouterAdvertisement advertisement = advertise();
  advertisement.options.dns_servers = {{{address("2001:db8::53"), address("2001:db8::54")}, 600},
                                       {{address("2001:db8::55")}, kForEver}};
  advertisement.options.search_domains = {{{"example.org", "lan.example.org"}, 600}};
  receive(advertisement);
  const auto dns = [&] { return host_.ip().router_discovery().dns(eth_); };
  EXPECT_EQ(dns().servers,
            (std::vector{address("2001:db8::53"), address("2001:db8::54"), address("2001:db8::55")}));
  EXPECT_EQ(dns().search_domains, (Lines{"example.org", "lan.example.org"}));
  advertisement.options.dns_servers = {{{address("2001:db8::53")}, 0}};
  advertisement.options.search_domains = {{{"example.org"}, 0}};
  receive(advertisement);
  advance(1s);
  EXPECT_EQ(dns().servers, (std::vector{address("2001:db8::54"), address("2001:db8::55")}));
  EXPECT_EQ(dns().search_domains, Lines{"lan.example.org"});
  advance(hours(100));
  EXPECT_EQ(dns().servers, std::vector{address("2001:db8::55")});
  EXPECT_EQ(dns().search_domains, Lines{});
}

// ---------------------------------------------------------------- addresses

TEST_F(Autoconfiguration, AnAddressIsFormedDetectedAndUsed) {  // R4862-05, R7217-01
  start();
  receive(advertise({prefix("2001:db8:1::/64")}));
  ASSERT_EQ(addresses(kIpv6).size(), 1U);
  EXPECT_THAT(addresses(kIpv6)[0], testing::EndsWith("/64 tentative"));
  advance(1s);
  EXPECT_THAT(addresses(kIpv6)[0], testing::EndsWith("/64 preferred"));
  EXPECT_EQ(source_for("2001:db8:ffff::1"), only_address());
  // It says nothing of the MAC address, and has nothing to do with that of another prefix.
  const IpAddress first = only_address();
  EXPECT_NE(part({first.octets().begin(), first.octets().end()}, 11, 2), (Octets{0xff, 0xfe}));
  receive(advertise({prefix("2001:db8:2::/64")}));
  advance(1s);
  const IpAddress second = only_address();
  EXPECT_EQ(addresses(kIpv6).size(), 2U);
  EXPECT_NE(part({first.octets().begin(), first.octets().end()}, 8, 8),
            part({second.octets().begin(), second.octets().end()}, 8, 8));
}

class OtherSeed : public Autoconfiguration {
 protected:
  OtherSeed() : Autoconfiguration(99) {}
};

TEST_F(Autoconfiguration, TheAddressOfAPrefixIsStable) {  // R7217-01
  start();
  receive(advertise({prefix("2001:db8:1::/64")}));
  EXPECT_EQ(to_string(only_address()), "2001:db8:1:0:f25a:aac0:dbaa:a9dd");
}
TEST_F(OtherSeed, TheAddressOfAPrefixIsStable) {  // R7217-01
  start();
  receive(advertise({prefix("2001:db8:1::/64")}));
  EXPECT_EQ(to_string(only_address()), "2001:db8:1:0:f25a:aac0:dbaa:a9dd");
}

TEST_F(Autoconfiguration, PrefixesThatMakeNoAddressAreLeftOut) {  // R4862-05
  start();
  wire::NdpPrefixInformation not_autonomous = prefix("2001:db8:1::/64");
  not_autonomous.autonomous = false;
  receive(
      advertise({not_autonomous, prefix("2001:db8:2::/63"), prefix("2001:db8:3::/96"), prefix("fe80::/64"),
                 prefix("2001:db8:4::/64", 100, 200), prefix("2001:db8:5::/64", 0, 0)}));
  EXPECT_EQ(addresses(kIpv6), Lines{});
}

TEST_F(Autoconfiguration, AddressesAreDeprecatedAndThenRemoved) {  // R4862-07
  start();
  receive(advertise({prefix("2001:db8:1::/64", 7200, 3600)}));
  receive(advertise({prefix("2001:db8:2::/64", kDay, kDay)}));
  advance(3601s);
  ASSERT_EQ(addresses(kIpv6).size(), 2U);
  EXPECT_THAT(addresses(kIpv6)[0], testing::EndsWith("deprecated"));
  EXPECT_THAT(addresses(kIpv6)[1], testing::EndsWith("preferred"));
  EXPECT_EQ(source_for("2001:db8:1::99"), only_address());  // that of the other prefix
  receive(advertise({prefix("2001:db8:1::/64", 7200, 3600)}));
  EXPECT_THAT(addresses(kIpv6)[0], testing::EndsWith("preferred"));
  advance(7201s);
  EXPECT_EQ(addresses(kIpv6).size(), 1U);
}

TEST_F(Autoconfiguration, NobodyTakesAnAddressAwayWithinTwoHours) {  // R4862-06, ATK-NDP-25
  start();
  receive(advertise({prefix("2001:db8:1::/64", kForEver, kForEver)}));
  advance(1s);
  receive(advertise({prefix("2001:db8:1::/64", 0, 0)}));
  ASSERT_EQ(addresses(kIpv6).size(), 1U);
  EXPECT_THAT(addresses(kIpv6)[0], testing::EndsWith("deprecated"));
  advance(7199s);
  EXPECT_EQ(addresses(kIpv6).size(), 1U);
  // What is left is not cut again.
  receive(advertise({prefix("2001:db8:1::/64", 0, 0)}));
  EXPECT_EQ(addresses(kIpv6).size(), 1U);
  advance(2s);
  EXPECT_EQ(addresses(kIpv6).size(), 0U);
}

TEST_F(Autoconfiguration, AnotherAddressIsTriedAfterACollision) {  // R7217-02, R4862-04
  start();
  receive(advertise({prefix("2001:db8:1::/64")}));
  std::set<IpAddress> tried;
  for (int i = 0; i < 4; ++i) {
    tried.insert(only_address());
    collide_with(only_address());
    advance(1ms);
  }
  EXPECT_EQ(tried.size(), 4U);  // the first, and three more
  advance(1s);
  ASSERT_EQ(addresses(kIpv6).size(), 1U);
  EXPECT_THAT(addresses(kIpv6)[0], testing::EndsWith("duplicated"));
  receive(advertise({prefix("2001:db8:1::/64")}));
  EXPECT_TRUE(tried.contains(only_address()));  // that was all
}

// ---------------------------------------------------------------- temporary addresses

class TemporaryAddresses : public Autoconfiguration {
 protected:
  TemporaryAddresses() { start(true); }
  // Those that are temporary, in order.
  std::vector<link::InterfaceAddress> temporary() {
    std::vector<link::InterfaceAddress> found;
    for (const link::InterfaceAddress& entry : interface().addresses()) {
      if (entry.traits.is_temporary) found.push_back(entry);
    }
    return found;
  }
};

TEST_F(TemporaryAddresses, AreSpokenFrom) {  // R8981-01
  receive(advertise({prefix("2001:db8:1::/64", kForEver, kForEver)}));
  advance(1s);
  ASSERT_EQ(addresses(kIpv6).size(), 2U);
  ASSERT_EQ(temporary().size(), 1U);
  EXPECT_EQ(source_for("2001:db8:ffff::1"), temporary()[0].prefix.address);
}

TEST_F(TemporaryAddresses, AreFollowedByAnotherBeforeTheyAreDeprecated) {  // R8981-01
  receive(advertise({prefix("2001:db8:1::/64", kForEver, kForEver)}));
  advance(1s);
  const IpAddress first = temporary()[0].prefix.address;
  Instant changed{};
  for (int i = 0; i < 24 * 60 && changed == Instant{}; ++i) {
    advance(60s);
    if (temporary().size() == 2) changed = now_;
  }
  // A day, less up to two fifths of it.
  EXPECT_GE(changed, Instant(1000s) + hours(24) * 3 / 5 - 1min);
  EXPECT_LE(changed, Instant(1000s) + hours(24));
  advance(10s);
  receive(advertise({prefix("2001:db8:1::/64", kForEver, kForEver)}));  // the router had expired
  EXPECT_NE(temporary()[1].prefix.address, first);
  EXPECT_EQ(temporary()[0].state, link::AddressState::kDeprecated);
  EXPECT_EQ(source_for("2001:db8:ffff::1"), temporary()[1].prefix.address);
  advance(hours(48));
  EXPECT_NE(temporary()[0].prefix.address, first);  // gone after two days
  EXPECT_LE(temporary().size(), 4U);
}

TEST_F(TemporaryAddresses, LiveNoLongerThanTheirPrefix) {  // R8981-02
  receive(advertise({prefix("2001:db8:1::/64", 7200, 3600)}));
  advance(1s);
  ASSERT_EQ(temporary().size(), 1U);
  advance(3600s);
  EXPECT_EQ(temporary()[0].state, link::AddressState::kDeprecated);
  EXPECT_EQ(temporary().size(), 1U);
  advance(3600s);
  EXPECT_EQ(addresses(kIpv6), Lines{});
  // Nor than their own limit, however long the prefix is extended.
  receive(advertise({prefix("2001:db8:1::/64", kDay, kDay)}));
  const IpAddress first = temporary()[0].prefix.address;
  for (int i = 0; i < 49; ++i) {
    advance(hours(1));
    receive(advertise({prefix("2001:db8:1::/64", kDay, kDay)}));
  }
  for (const link::InterfaceAddress& entry : temporary()) EXPECT_NE(entry.prefix.address, first);
}

}  // namespace
}  // namespace transom::test
