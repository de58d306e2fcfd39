#include "stack/wire/ndp.h"

#include "tests/unit/wire/wire_test.h"

namespace transom::wire {
namespace {

const Octets kSolicitation = hex("87007a9700000000 fe800000000000000000000000000002 0101020000000001");
const Octets kAdvertisement = hex("88009819e0000000 fe800000000000000000000000000002 0201020000000002");
const Octets kRouterSolicitation = hex("85007a2c00000000 0101020000000001");
const Octets kRouterAdvertisement =
    hex("86006bb440480708 00007530 000003e8 0101020000000001 0501000000000578"
        "030440c00001518000003840 00000000 20010db8000100000000000000000000"
        "19030000ffffffff 20010db8000000000000000000000053");
const Octets kRedirect = hex(
    "8900494700000000 fe800000000000000000000000000003 20010db8000000000000000000000009 0201020000000002");

const MacAddress kMac1 = *MacAddress::parse("02:00:00:00:00:01");
const MacAddress kMac2 = *MacAddress::parse("02:00:00:00:00:02");

const auto kWrite = [](const auto& message) { return written(message, message.size()); };

Octets without_checksum(Octets message) {
  message[2] = message[3] = 0;
  return message;
}

Octets with_options(Bytes message, std::size_t fixed, std::string_view options) {
  Octets octets(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(fixed));
  const Octets more = hex(options);
  octets.insert(octets.end(), more.begin(), more.end());
  return octets;
}

TEST(Ndp, ParsesARealNeighborSolicitation) {
  const auto message = NeighborSolicitation::parse(kSolicitation);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->target, *IpAddress::parse("fe80::2"));
  EXPECT_EQ(message->options.source_link_address, kMac1);
  EXPECT_FALSE(message->options.target_link_address);
  EXPECT_EQ(kWrite(*message), without_checksum(kSolicitation));
}

TEST(Ndp, ParsesARealNeighborAdvertisement) {
  const auto message = NeighborAdvertisement::parse(kAdvertisement);
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->router && message->solicited && message->override_cache);
  EXPECT_EQ(message->options.target_link_address, kMac2);
  EXPECT_EQ(kWrite(*message), without_checksum(kAdvertisement));
}

TEST(Ndp, KeepsTheFlagsOfAnAdvertisementApart) {  // RFC 4861 §4.4
  for (std::uint32_t flags = 0; flags < 8; ++flags) {
    Octets octets = kAdvertisement;
    octets[4] = static_cast<std::uint8_t>(flags << 5);
    const auto message = NeighborAdvertisement::parse(octets);
    EXPECT_EQ(message->router, (flags & 4) != 0);
    EXPECT_EQ(message->solicited, (flags & 2) != 0);
    EXPECT_EQ(message->override_cache, (flags & 1) != 0);
    EXPECT_EQ(kWrite(*message), without_checksum(octets));
  }
}

TEST(Ndp, ParsesARealRouterSolicitation) {
  const auto message = RouterSolicitation::parse(kRouterSolicitation);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->options.source_link_address, kMac1);
  EXPECT_EQ(kWrite(*message), without_checksum(kRouterSolicitation));
}

TEST(Ndp, ParsesARealRouterAdvertisement) {
  const auto message = RouterAdvertisement::parse(kRouterAdvertisement);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->hop_limit, 64);
  EXPECT_FALSE(message->managed);
  EXPECT_TRUE(message->other_config);
  EXPECT_EQ(message->router_lifetime, 1800);
  EXPECT_EQ(message->reachable_time, 30000U);
  EXPECT_EQ(message->retrans_timer, 1000U);
  EXPECT_EQ(message->options.source_link_address, kMac1);
  EXPECT_EQ(message->options.mtu, 1400U);
  ASSERT_EQ(message->options.prefix_count, 1U);
  const NdpPrefixInformation& prefix = message->options.prefixes[0];
  EXPECT_EQ(prefix.prefix, *IpPrefix::parse("2001:db8:1::/64"));
  EXPECT_TRUE(prefix.on_link && prefix.autonomous);
  EXPECT_EQ(prefix.valid_lifetime, 86400U);
  EXPECT_EQ(prefix.preferred_lifetime, 14400U);
}

TEST(Ndp, RoundTripsARouterAdvertisement) {
  RouterAdvertisement message = *RouterAdvertisement::parse(kRouterAdvertisement);
  message.managed = true;
  message.options.nonce = {1, 2, 3, 4, 5, 6};
  message.options.target_link_address = kMac2;
  message.options.prefixes[1] = {
      .prefix = *IpPrefix::parse("fd00::/7"), .autonomous = true, .valid_lifetime = 0xffffffff};
  message.options.prefix_count = 2;
  const auto again = RouterAdvertisement::parse(kWrite(message));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->managed && again->other_config);
  EXPECT_EQ(again->options.nonce, message.options.nonce);
  EXPECT_EQ(again->options.target_link_address, kMac2);
  ASSERT_EQ(again->options.prefix_count, 2U);
  EXPECT_EQ(again->options.prefixes[1].prefix, *IpPrefix::parse("fd00::/7"));
  EXPECT_FALSE(again->options.prefixes[1].on_link);
  EXPECT_TRUE(again->options.prefixes[1].autonomous);
  EXPECT_EQ(again->options.prefixes[1].valid_lifetime, 0xffffffffU);
  EXPECT_EQ(again->options.mtu, 1400U);
}

TEST(Ndp, ParsesARealRedirect) {
  const auto message = NdpRedirect::parse(kRedirect);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->target, *IpAddress::parse("fe80::3"));
  EXPECT_EQ(message->destination, *IpAddress::parse("2001:db8::9"));
  EXPECT_EQ(message->options.target_link_address, kMac2);
  EXPECT_EQ(kWrite(*message), without_checksum(kRedirect));
}

TEST(Ndp, SkipsTheRedirectedPacket) {  // RFC 4861 §4.6.3: type 4
  EXPECT_TRUE(NdpRedirect::parse(with_options(kRedirect, 40, "0402 000000000000 0000000000000000")));
}

// Every kind of message, for what holds for all of them.
template <typename Message>
struct Sample;
template <>
struct Sample<NeighborSolicitation> {
  static Octets octets() { return kSolicitation; }
  static constexpr std::size_t kFixed = 24;
};
template <>
struct Sample<NeighborAdvertisement> {
  static Octets octets() { return kAdvertisement; }
  static constexpr std::size_t kFixed = 24;
};
template <>
struct Sample<RouterSolicitation> {
  static Octets octets() { return kRouterSolicitation; }
  static constexpr std::size_t kFixed = 8;
};
template <>
struct Sample<RouterAdvertisement> {
  static Octets octets() { return kRouterAdvertisement; }
  static constexpr std::size_t kFixed = 16;
};
template <>
struct Sample<NdpRedirect> {
  static Octets octets() { return kRedirect; }
  static constexpr std::size_t kFixed = 40;
};

template <typename Message>
class NdpMessage : public ::testing::Test {};
using Messages = ::testing::Types<NeighborSolicitation, NeighborAdvertisement, RouterSolicitation,
                                  RouterAdvertisement, NdpRedirect>;
TYPED_TEST_SUITE(NdpMessage, Messages);

TYPED_TEST(NdpMessage, FailsWhenTheFixedPartIsCut) {  // R4861-01..03: the least lengths
  const Octets octets = Sample<TypeParam>::octets();
  expect_every_cut_fails(Bytes(octets).first(Sample<TypeParam>::kFixed), TypeParam::parse);
  EXPECT_TRUE(TypeParam::parse(Bytes(octets).first(Sample<TypeParam>::kFixed))) << "options are optional";
}

TYPED_TEST(NdpMessage, FailsWhenAnOptionIsCut) {  // ATK-NDP-18
  const Octets octets = Sample<TypeParam>::octets();
  for (std::size_t length = Sample<TypeParam>::kFixed + 1; length < octets.size(); ++length) {
    const ExactCopy cut(Bytes(octets).first(length));
    const auto message = TypeParam::parse(cut);
    if (message) {  // at a boundary between options
      EXPECT_EQ(length % 8, 0U) << length;
    } else {
      EXPECT_EQ(message.error(), ParseError::kBadOption) << length;
    }
  }
}

TYPED_TEST(NdpMessage, RefusesAnOptionOfLengthZero) {  // R4861-05, ATK-NDP-17
  for (const char* options : {"0100020000000001", "c800000000000000", "0101020000000001 0200000000000000"}) {
    const auto message =
        TypeParam::parse(with_options(Sample<TypeParam>::octets(), Sample<TypeParam>::kFixed, options));
    ASSERT_FALSE(message) << options;
    EXPECT_EQ(message.error(), ParseError::kBadOption);
  }
}

TYPED_TEST(NdpMessage, EndsForEveryOptionTypeAndLength) {  // ATK-NDP-11..14, -18
  for (int type = 0; type < 256; ++type) {
    for (int length = 0; length < 256; ++length) {
      Octets octets = with_options(Sample<TypeParam>::octets(), Sample<TypeParam>::kFixed, "");
      octets.push_back(static_cast<std::uint8_t>(type));
      octets.push_back(static_cast<std::uint8_t>(length));
      octets.resize(octets.size() + 38, 0x20);  // 40 octets of option space; 0x20 units never fit
      const ExactCopy exact(octets);
      const bool fits = length == 5;
      ASSERT_EQ(TypeParam::parse(exact).has_value(), fits) << type << " " << length;
    }
  }
}

TYPED_TEST(NdpMessage, RefusesAnotherTypeOrCode) {  // R4861-01..03: code 0
  for (const std::size_t place : {std::size_t{0}, std::size_t{1}}) {
    Octets octets = Sample<TypeParam>::octets();
    octets[place] = static_cast<std::uint8_t>(octets[place] + 1);
    const auto message = TypeParam::parse(octets);
    ASSERT_FALSE(message);
    EXPECT_EQ(message.error(), ParseError::kBadValue);
  }
}

TYPED_TEST(NdpMessage, IsStableUnderMutation) {
  expect_stable_under_mutation(Sample<TypeParam>::octets(), TypeParam::parse, kWrite);
}

TYPED_TEST(NdpMessage, WritesNothingPastTheEnd) {
  const auto message = TypeParam::parse(Sample<TypeParam>::octets());
  expect_write_respects_the_end(*message, message->size());
}

template <typename Message>
ParseError error_with_target(Octets octets, std::string_view target, std::size_t place = 8) {
  std::ranges::copy(hex(target), octets.begin() + static_cast<std::ptrdiff_t>(place));
  const auto message = Message::parse(octets);
  EXPECT_FALSE(message);
  return message ? ParseError{} : message.error();
}

TEST(Ndp, RefusesAMulticastTarget) {  // R4861-01, -02
  constexpr std::string_view kGroup = "ff020000000000000000000000000001";
  EXPECT_EQ(error_with_target<NeighborSolicitation>(kSolicitation, kGroup), ParseError::kBadValue);
  EXPECT_EQ(error_with_target<NeighborAdvertisement>(kAdvertisement, kGroup), ParseError::kBadValue);
  EXPECT_EQ(error_with_target<NdpRedirect>(kRedirect, kGroup), ParseError::kBadValue);
  EXPECT_EQ(error_with_target<NdpRedirect>(kRedirect, kGroup, 24), ParseError::kBadValue);
}

TEST(Ndp, RefusesATargetThatWouldBeTakenForAnIpv4Address) {
  constexpr std::string_view kMapped = "00000000000000000000ffff0a090001";
  EXPECT_EQ(error_with_target<NeighborSolicitation>(kSolicitation, kMapped), ParseError::kBadValue);
  EXPECT_EQ(error_with_target<NeighborAdvertisement>(kAdvertisement, kMapped), ParseError::kBadValue);
  EXPECT_EQ(error_with_target<NdpRedirect>(kRedirect, kMapped), ParseError::kBadValue);
}

// ---------------------------------------------------------------- options

NdpOptions parse_options(std::string_view text) {
  const Octets octets = hex(text);
  const ExactCopy exact(octets);
  Reader reader(exact);
  const auto options = NdpOptions::parse(reader);
  EXPECT_TRUE(options);
  return options.value_or(NdpOptions{});
}

TEST(NdpOptions, CountsTheFirstOfARepeatedOption) {
  const NdpOptions options = parse_options(
      "0101020000000001 0101020000000002 0201020000000003 0201020000000004"
      "0501000000000578 0501000000000579 0e01010203040506 0e01ffffffffffff");
  EXPECT_EQ(options.source_link_address, kMac1);
  EXPECT_EQ(options.target_link_address, *MacAddress::parse("02:00:00:00:00:03"));
  EXPECT_EQ(options.mtu, 1400U);
  EXPECT_EQ(options.nonce, (std::array<std::uint8_t, 6>{1, 2, 3, 4, 5, 6}));
}

TEST(NdpOptions, SkipsAKnownOptionOfTheWrongSize) {  // ATK-NDP-13
  const NdpOptions options = parse_options(
      "0102020000000001 0000000000000000 0202020000000001 0000000000000000"
      "0502000000000578 0000000000000000 0e02010203040506 0708090a0b0c0d0e"
      "030340c000015180 0000384000000000 20010db800010000"
      "030540c000015180 0000384000000000 20010db800010000 0000000000000000 0000000000000000");
  EXPECT_EQ(options.size(), 0U);
}

TEST(NdpOptions, SkipsAPrefixThatCannotBe) {
  // 129 bits; then a prefix of IPv4-mapped addresses.
  EXPECT_EQ(parse_options("030481c000015180 0000384000000000 20010db8000100000000000000000000").prefix_count,
            0U);
  EXPECT_EQ(parse_options("030460c000015180 0000384000000000 00000000000000000000ffff00000000").prefix_count,
            0U);
  EXPECT_EQ(parse_options("030480c000015180 0000384000000000 20010db8000100000000000000000000").prefix_count,
            1U);
}

TEST(NdpOptions, KeepsABoundedNumberOfPrefixes) {  // ATK-NDP-10, -15
  std::string text;
  for (int i = 0; i < 20; ++i) text += "030440c000015180 0000384000000000 20010db8000100000000000000000000";
  const NdpOptions options = parse_options(text + "0501000000000578");
  EXPECT_EQ(options.prefix_count, NdpOptions::kMaxPrefixes);
  EXPECT_EQ(options.mtu, 1400U) << "what comes behind them still counts";
}

TEST(NdpOptions, ARouteHasAsManyOctetsAsItsLengthNeeds) {  // R4191-02
  // ::/0 in one unit, a /32 in two, a /96 in three; a high, a low and a reserved preference.
  const NdpOptions options = parse_options(
      "18 01 00 08 00 00 02 58"
      "18 02 20 18 ff ff ff ff 20 01 0d b8 00 00 00 00"
      "18 03 60 10 00 00 00 00 20 01 0d b8 00 00 00 00 00 00 00 01 ff ff ff ff");
  ASSERT_EQ(options.routes.size(), 3U);
  EXPECT_EQ(options.routes[0].prefix, *IpPrefix::parse("::/0"));
  EXPECT_EQ(options.routes[0].preference, RouterPreference::kHigh);
  EXPECT_EQ(options.routes[0].lifetime, 600U);
  EXPECT_EQ(options.routes[1].prefix, *IpPrefix::parse("2001:db8::/32"));
  EXPECT_EQ(options.routes[1].preference, RouterPreference::kLow);
  EXPECT_EQ(options.routes[2].prefix, *IpPrefix::parse("2001:db8::1:0:0/96"));
  EXPECT_EQ(options.routes[2].preference, RouterPreference::kMedium);
  EXPECT_TRUE(parse_options("18 01 20 00 00 00 02 58").routes.empty());  // too short for its length
  EXPECT_TRUE(parse_options("18 02 60 00 00 00 02 58 20 01 0d b8 00 00 00 00").routes.empty());
  EXPECT_TRUE(parse_options("18 03 81 00 00 00 02 58 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 00")
                  .routes.empty());
  std::string many;
  for (int i = 0; i < 20; ++i) many += "18 01 00 00 00 00 02 58";
  EXPECT_EQ(parse_options(many).routes.size(), NdpOptions::kMaxRoutes);
}

TEST(NdpOptions, DnsServersComeInAnOddNumberOfUnits) {  // R8106-01
  const std::string server = "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 53";
  const NdpOptions options = parse_options("19 03 00 00 00 00 02 58" + server);
  ASSERT_EQ(options.dns_servers.size(), 1U);
  EXPECT_EQ(options.dns_servers[0].lifetime, 600U);
  EXPECT_EQ(options.dns_servers[0].servers, std::vector{*IpAddress::parse("2001:db8::53")});
  EXPECT_TRUE(parse_options("19 01 00 00 00 00 02 58").dns_servers.empty());
  EXPECT_TRUE(parse_options("19 02 00 00 00 00 02 58 20 01 0d b8 00 00 00 00").dns_servers.empty());
  EXPECT_TRUE(
      parse_options("19 04 00 00 00 00 02 58" + server + "00 00 00 00 00 00 00 00").dns_servers.empty());
  std::string many = "19 33 00 00 00 00 02 58";
  for (int i = 0; i < 25; ++i) many += server;
  EXPECT_EQ(parse_options(many).dns_servers[0].servers.size(), NdpOptions::kMaxDnsServers);
}

TEST(NdpOptions, SearchDomainsAreWholeNames) {  // R8106-02
  const NdpOptions options = parse_options(
      "1f 04 00 00 00 00 02 58 03 4c 61 6e 00 01 61 07 65 78 61 6d 70 6c 65 00 00 00 00 00 00 00 00 00");
  ASSERT_EQ(options.search_domains.size(), 1U);
  EXPECT_EQ(options.search_domains[0].domains, (std::vector<std::string>{"lan", "a.example"}));
  EXPECT_TRUE(
      parse_options("1f 02 00 00 00 00 02 58 03 6c 61 6e c0 00 00 00").search_domains.empty());  // compressed
  EXPECT_TRUE(
      parse_options("1f 02 00 00 00 00 02 58 07 6c 61 6e 61 61 61 61").search_domains.empty());  // no end
  EXPECT_TRUE(
      parse_options("1f 02 00 00 00 00 02 58 03 6c 1b 6e 00 00 00 00").search_domains.empty());  // no name
  EXPECT_TRUE(parse_options("1f 02 00 00 00 00 02 58 00 00 00 00 00 00 00 00").search_domains.empty());
}

}  // namespace
}  // namespace transom::wire
