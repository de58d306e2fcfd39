#include "stack/wire/dhcp.h"

#include "tests/unit/wire/wire_test.h"

namespace transom::wire {
namespace {

IpAddress address(std::string_view text) { return *IpAddress::parse(text); }
const auto kWrite = [](const DhcpMessage& message) { return written(message, message.size()); };

// The fixed part of a reply, with its cookie.
Octets fixed_part() {
  Octets octets(240);
  octets[0] = 2;
  octets[1] = 1;
  octets[2] = 6;
  const Octets transaction = hex("12345678");
  std::ranges::copy(transaction, octets.begin() + 4);
  const Octets cookie = hex("63825363");
  std::ranges::copy(cookie, octets.begin() + 236);
  return octets;
}

std::expected<DhcpMessage, ParseError> parse_with(std::string_view options) {
  Octets octets = fixed_part();
  const Octets behind = hex(options);
  octets.insert(octets.end(), behind.begin(), behind.end());
  const ExactCopy exact(octets);
  return DhcpMessage::parse(exact);
}

DhcpMessage full() {
  DhcpMessage message;
  message.is_reply = true;
  message.transaction = 0x12345678;
  message.yours = address("10.0.0.7");
  message.hardware = MacAddress({2, 0, 0, 0, 0, 1});
  message.type = DhcpType::kAck;
  message.server = address("10.0.0.254");
  message.lease = 3600;
  message.renewal = 1800;
  message.rebinding = 3000;
  message.prefix_length = 23;
  message.routers = {address("10.0.0.254")};
  message.dns_servers = {address("10.0.0.53"), address("10.0.0.54")};
  message.host_name = "box";
  message.domain = "example.org";
  message.mtu = 1400;
  message.search_domains = {"example.org", "lan.example.org"};
  message.routes = {{{address("192.0.2.0"), 25}, address("10.0.0.1")}};
  message.client_identifier = {255, 1, 2, 3};
  message.asks_for = {1, 3, 6};
  return message;
}

TEST(DhcpMessageTest, IsReadAsItWasWritten) {
  const Octets octets = kWrite(full());
  const auto parsed = DhcpMessage::parse(octets);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(kWrite(*parsed), octets);
  EXPECT_EQ(parsed->prefix_length, 23);
  EXPECT_EQ(parsed->search_domains, full().search_domains);
  EXPECT_EQ(parsed->routes, full().routes);
  expect_stable_under_mutation(octets, DhcpMessage::parse, kWrite);
  expect_every_cut_fails(Bytes(octets).first(240), DhcpMessage::parse);
  expect_write_respects_the_end(full(), full().size());
  for (std::size_t size = 240; size < octets.size(); ++size) {
    const ExactCopy cut(Bytes(octets).first(size));
    (void)DhcpMessage::parse(cut);
  }
}

TEST(DhcpMessageTest, PaddingHasNoLengthAndTheEndEnds) {  // R2132-01
  const auto message = parse_with("00 00 35 01 05 00 03 04 0a 00 00 01 ff 06 04 01 02 03 04");
  ASSERT_TRUE(message);
  EXPECT_EQ(message->type, DhcpType::kAck);
  EXPECT_EQ(message->routers, std::vector{address("10.0.0.1")});
  EXPECT_TRUE(message->dns_servers.empty());
  const auto cut = parse_with("35 01 05 03 08 0a 00 00 01");  // says 8, has 4
  ASSERT_TRUE(cut);
  EXPECT_TRUE(cut->routers.empty());
}

TEST(DhcpMessageTest, OptionsContinueInFileAndServerName) {  // R2132-01
  Octets octets = fixed_part();
  const Octets file = hex("03 04 0a 00 00 01 ff"), name = hex("06 04 0a 00 00 35 ff");
  std::ranges::copy(name, octets.begin() + 44);
  std::ranges::copy(file, octets.begin() + 108);
  const Octets behind = hex("35 01 05 34 01 03 ff");
  Octets overloaded = octets;
  overloaded.insert(overloaded.end(), behind.begin(), behind.end());
  const auto message = DhcpMessage::parse(overloaded);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->routers, std::vector{address("10.0.0.1")});
  EXPECT_EQ(message->dns_servers, std::vector{address("10.0.0.53")});
  const Octets without = hex("35 01 05 ff");
  octets.insert(octets.end(), without.begin(), without.end());
  EXPECT_TRUE(DhcpMessage::parse(octets)->routers.empty());
}

TEST(DhcpMessageTest, OptionsOfImpossibleLengthAreNotThere) {  // R2132-02, R2132-03, R2132-04, R2132-06
  EXPECT_FALSE(parse_with("35 02 05 05 ff"));
  EXPECT_FALSE(parse_with("35 00 ff"));
  EXPECT_FALSE(parse_with("35 01 09 ff"));
  EXPECT_FALSE(parse_with("03 04 0a 00 00 01 ff"));  // no type
  EXPECT_EQ(parse_with("35 01 05 01 04 ff ff ff 00")->prefix_length, 24);
  EXPECT_EQ(parse_with("35 01 05 01 04 00 00 00 00")->prefix_length, 0);
  EXPECT_EQ(parse_with("35 01 05 01 04 ff ff ff ff")->prefix_length, 32);
  EXPECT_EQ(parse_with("35 01 05 01 04 ff 00 ff 00")->prefix_length, std::nullopt);
  EXPECT_EQ(parse_with("35 01 05 01 03 ff ff ff")->prefix_length, std::nullopt);
  for (const char* number : {"03", "06"}) {
    for (const char* value : {"00", "03 0a 00 00", "05 0a 00 00 01 0a"}) {
      const auto message = parse_with(std::string("35 01 05 ") + number + value);
      ASSERT_TRUE(message);
      EXPECT_TRUE(message->routers.empty() && message->dns_servers.empty()) << number << ' ' << value;
    }
  }
  std::string many = "35 01 05 06 fc";
  for (int i = 0; i < 63; ++i) many += "0a 00 00 01";
  EXPECT_EQ(parse_with(many)->dns_servers.size(), DhcpMessage::kMaxList);
}

TEST(DhcpMessageTest, TextsAreOfNamesAndHaveNoZeroAtTheEnd) {  // R2132-07
  EXPECT_EQ(parse_with("35 01 05 0f 05 6c 61 6e 00 00")->domain, "lan");
  EXPECT_EQ(parse_with("35 01 05 0f 04 6c 61 6e 2e")->domain, "lan");
  EXPECT_EQ(parse_with("35 01 05 0f 05 6c 1b 5b 6e 41")->domain, "");  // would steer a terminal
  EXPECT_EQ(parse_with("35 01 05 0f 03 61 00 62")->domain, "");
}

TEST(DhcpMessageTest, PartsOfALongOptionArePutTogether) {  // R3396-01
  EXPECT_EQ(parse_with("35 01 05 0f 02 6c 61 0f 01 6e")->domain, "lan");
  DhcpMessage message = full();
  message.routes->clear();
  for (std::uint8_t i = 0; i < 32; ++i)
    message.routes->push_back({{IpAddress::v4(192, 0, i, 0), 24}, address("10.0.0.1")});
  for (int i = 0; i < 4; ++i) message.routes->push_back(message.routes->front());
  const Octets octets = kWrite(message);
  message.routes->resize(DhcpMessage::kMaxRoutes);
  EXPECT_EQ(DhcpMessage::parse(octets)->routes, message.routes);
}

TEST(DhcpMessageTest, RoutesHaveAsManyOctetsAsTheirWidthNeeds) {  // R3442-01
  const auto message =
      parse_with("35 01 05 79 14 00 0a 00 00 01 19 c0 00 02 80 0a 00 00 02 08 ac 0a 00 00 03 ff");
  ASSERT_TRUE(message && message->routes);
  const std::vector<DhcpRoute> expected{{{IpAddress::v4(0), 0}, address("10.0.0.1")},
                                        {{address("192.0.2.128"), 25}, address("10.0.0.2")},
                                        {{address("172.0.0.0"), 8}, address("10.0.0.3")}};
  EXPECT_EQ(*message->routes, expected);
  EXPECT_FALSE(parse_with("35 01 05 79 05 21 0a 00 00 01")->routes);  // 33 bits
  EXPECT_FALSE(parse_with("35 01 05 79 06 18 c0 00 02 0a 00")->routes);
}

TEST(DhcpMessageTest, SearchDomainsMayPointBackOnly) {  // R3397-01
  // lan.example, a + pointer to example
  const auto message = parse_with("35 01 05 77 11 03 6c 61 6e 07 65 78 61 6d 70 6c 65 00 01 61 c0 04");
  ASSERT_TRUE(message);
  EXPECT_EQ(message->search_domains, (std::vector<std::string>{"lan.example", "a.example"}));
  EXPECT_TRUE(parse_with("35 01 05 77 02 c0 00")->search_domains.empty());              // at itself
  EXPECT_TRUE(parse_with("35 01 05 77 06 c0 04 c0 00 c0 02")->search_domains.empty());  // forwards
  EXPECT_TRUE(parse_with("35 01 05 77 03 c0 40 00")->search_domains.empty());           // outside
  EXPECT_TRUE(parse_with("35 01 05 77 04 03 61 62 00")->search_domains.empty());        // cut
}

}  // namespace
}  // namespace transom::wire
