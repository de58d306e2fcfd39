// Which way a packet takes, and from which address: routes, connected prefixes, gateways, the destination
// cache.

#include "stack/ip/addresses.h"
#include "stack/ip/destination_cache.h"
#include "tests/unit/ip/ip_fixture.h"

namespace transom::test {
namespace {

ip::Route route(const char* prefix, const char* gateway, int interface, std::uint32_t metric = 0) {
  return {.prefix = *IpPrefix::parse(prefix),
          .gateway = gateway == nullptr ? std::nullopt : IpAddress::parse(gateway),
          .interface = static_cast<InterfaceId>(interface),
          .metric = metric,
          .source = std::nullopt};
}

TEST(RouteTable, PrefersTheLongestPrefixThenTheLowestMetricThenTheOldest) {
  ip::RouteTable table;
  EXPECT_TRUE(table.add(route("0.0.0.0/0", "10.0.0.254", 2, 5)));
  EXPECT_TRUE(table.add(route("0.0.0.0/0", "10.0.0.253", 2, 1)));
  EXPECT_TRUE(table.add(route("0.0.0.0/0", "10.0.0.252", 2, 1)));
  EXPECT_TRUE(table.add(route("10.1.0.0/16", "10.0.0.1", 2, 100)));
  EXPECT_TRUE(table.add(route("10.1.2.0/24", "10.0.0.2", 3, 200)));
  EXPECT_TRUE(table.add(route("::/0", "fe80::1", 2)));
  EXPECT_FALSE(table.add(route("10.1.2.0/24", "10.0.0.2", 3, 200)));
  const auto gateway = [&](const char* to, int interface = 0) {
    const ip::Route* found = table.lookup(address(to), static_cast<InterfaceId>(interface));
    return found == nullptr ? std::string("none") : to_string(*found->gateway);
  };
  EXPECT_EQ(gateway("10.1.2.3"), "10.0.0.2");
  EXPECT_EQ(gateway("10.1.3.3"), "10.0.0.1");
  EXPECT_EQ(gateway("8.8.8.8"), "10.0.0.253");
  EXPECT_EQ(gateway("10.1.2.3", 2), "10.0.0.1");
  EXPECT_EQ(gateway("8.8.8.8", 3), "none");
  EXPECT_EQ(gateway("2001:db8::1"), "fe80::1");
}

TEST(RouteTable, CountsItsChanges) {
  ip::RouteTable table;
  const auto before = table.generation();
  table.add(route("10.1.0.0/16", nullptr, 2));
  const auto added = table.generation();
  EXPECT_NE(added, before);
  EXPECT_FALSE(table.remove(route("10.2.0.0/16", nullptr, 2)));
  EXPECT_EQ(table.generation(), added);
  table.remove_interface(InterfaceId{2});
  EXPECT_NE(table.generation(), added);
  EXPECT_TRUE(table.routes().empty());
}

class Routing : public IpTest {
 protected:
  // "interface next-hop source" of the way to an address.
  std::string way(const char* to, int bound = 0) {
    const auto found = ip_.destination(address(to), static_cast<InterfaceId>(bound));
    if (!found) return std::string(to_string(found.error()));
    return fmt::format("{} {} {}", (*found)->interface->name(), (*found)->next_hop, (*found)->source);
  }
  const std::string unreachable_{to_string(Error::kNetworkUnreachable)};
};

TEST_F(Routing, PrefixesOfOwnAddressesAreOnLink) {  // R1122-19
  EXPECT_EQ(way("10.0.0.77"), "a 10.0.0.77 10.0.0.2");
  EXPECT_EQ(way("192.168.5.9"), "b 192.168.5.9 192.168.5.2");
  EXPECT_EQ(way("2001:db8:b::9"), "b 2001:db8:b::9 2001:db8:b::2");
  EXPECT_EQ(way("8.8.8.8"), unreachable_);
  ip_.routes().add(route("0.0.0.0/0", "10.0.0.254", 2));
  EXPECT_EQ(way("8.8.8.8"), "a 10.0.0.254 10.0.0.2");
  EXPECT_EQ(way("10.0.0.77"), "a 10.0.0.77 10.0.0.2");
}

TEST_F(Routing, FollowsAddressesAsTheyComeAndGo) {
  EXPECT_EQ(way("172.16.0.9"), unreachable_);
  add_address(*b_, "172.16.0.2/16");
  EXPECT_EQ(way("172.16.0.9"), "b 172.16.0.9 172.16.0.2");
  ASSERT_TRUE(link_.remove_address(*b_, address("172.16.0.2")));
  EXPECT_EQ(way("172.16.0.9"), unreachable_);
  EXPECT_EQ(way("192.168.5.9"), "b 192.168.5.9 192.168.5.2");
  ASSERT_TRUE(link_.remove_address(*a_, address("10.0.0.2")));
  EXPECT_EQ(way("10.0.0.77"), "a 10.0.0.77 10.0.0.3");
}

TEST_F(Routing, RefreshesHeldDestinations) {
  const auto held = ip_.destination(address("10.0.0.77"));
  ip_.routes().add(route("10.0.0.77/32", "192.168.5.254", 3));
  EXPECT_TRUE(ip_.refresh(**held));
  EXPECT_EQ((*held)->interface, b_);
  EXPECT_EQ((*held)->next_hop, address("192.168.5.254"));
  ip_.routes().remove_interface(b_->id());
  EXPECT_TRUE(ip_.refresh(**held));
  EXPECT_EQ((*held)->interface, a_);
}

TEST_F(Routing, OwnAddressesGoThroughLoopback) {
  EXPECT_EQ(way("10.0.0.2"), "lo 10.0.0.2 10.0.0.2");
  EXPECT_EQ(way("127.0.0.1"), "lo 127.0.0.1 127.0.0.1");
  EXPECT_EQ(way("127.9.9.9"), "lo 127.9.9.9 127.0.0.1");
  EXPECT_EQ(way("::1"), "lo ::1 ::1");
  EXPECT_EQ(way("2001:db8:a::2", 3), "lo 2001:db8:a::2 2001:db8:a::2");
}

TEST_F(Routing, UnspecifiedAndReservedAddressesLeadNowhere) {
  for (const char* to : {"0.0.0.0", "::", "240.0.0.1", "0.1.2.3"}) {
    ip_.routes().add(route("0.0.0.0/0", "10.0.0.254", 2));
    EXPECT_EQ(way(to), unreachable_) << to;
  }
}

TEST_F(Routing, LinkLocalIsOnLinkWhateverTheRoutesSay) {  // R3927-02
  add_address(*a_, "fe80::2/64");
  add_address(*b_, "fe80::3/64");
  EXPECT_EQ(way("fe80::99"), unreachable_);  // which link?
  EXPECT_EQ(way("fe80::99", 2), "a fe80::99 fe80::2");
  EXPECT_EQ(way("fe80::99", 3), "b fe80::99 fe80::3");
  ip_.routes().add(route("0.0.0.0/0", "10.0.0.254", 2));
  EXPECT_EQ(way("169.254.7.7"), "a 169.254.7.7 10.0.0.2");
}

TEST_F(Routing, GroupsGoToTheFirstInterfaceUnlessTold) {
  EXPECT_EQ(way("224.0.0.251"), "a 224.0.0.251 10.0.0.2");
  EXPECT_EQ(way("224.0.0.251", 3), "b 224.0.0.251 192.168.5.2");
  EXPECT_EQ(way("ff02::fb", 3), "b ff02::fb 2001:db8:b::2");
  EXPECT_EQ(way("255.255.255.255"), "a 255.255.255.255 10.0.0.2");
  EXPECT_EQ(way("192.168.5.255"), "b 192.168.5.255 192.168.5.2");
  ip_.routes().add(route("239.0.0.0/8", nullptr, 3));
  EXPECT_EQ(way("239.1.1.1"), "b 239.1.1.1 192.168.5.2");
}

TEST_F(Routing, ADeadGatewayIsPassedOver) {  // R1122-20, R1122-22
  ip_.routes().add(route("0.0.0.0/0", "10.0.0.254", 2, 1));
  ip_.routes().add(route("0.0.0.0/0", "192.168.5.254", 3, 2));
  const auto held = ip_.destination(address("8.8.8.8"));
  EXPECT_EQ(way("8.8.8.8"), "a 10.0.0.254 10.0.0.2");
  const Octets packet = ip_packet(address("10.0.0.2"), address("8.8.8.8"), IpProtocol::kTcp, pattern(20));
  ip_.neighbour_failed(*a_, pool_.copy_of(packet));
  EXPECT_EQ(way("8.8.8.8"), "b 192.168.5.254 192.168.5.2");
  // With both gone the first is as good as any.
  ip_.neighbour_failed(*b_, pool_.copy_of(packet));
  EXPECT_EQ(way("8.8.8.8"), "a 10.0.0.254 10.0.0.2");
  advance(2min);
  ip_.routes().touch();
  EXPECT_EQ(way("8.8.8.8"), "a 10.0.0.254 10.0.0.2");
}

TEST_F(Routing, AnotherPathForgetsWhatWasLearntOfTheOld) {
  ip_.routes().add(route("8.8.0.0/16", "10.0.0.254", 2));
  const auto held = ip_.destination(address("8.8.8.8"));
  EXPECT_TRUE(ip_.learn_path_mtu(**held, 1300));
  ip_.routes().touch();
  EXPECT_TRUE(ip_.refresh(**held));
  EXPECT_EQ(ip_.path_mtu(**held), 1300U);
  ip_.routes().add(route("8.8.8.0/24", "192.168.5.254", 3));
  EXPECT_TRUE(ip_.refresh(**held));
  EXPECT_EQ(ip_.path_mtu(**held), 1500U);
}

TEST_F(Routing, KnowsUnicastFromTheRest) {
  for (const char* one : {"10.0.0.1", "8.8.8.8", "2001:db8::1", "fe80::1", "127.0.0.1", "::1"})
    EXPECT_TRUE(ip_.is_unicast(address(one))) << one;
  for (const char* none :
       {"0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "10.0.0.255", "240.0.0.1", "0.0.0.1"}) {
    EXPECT_FALSE(ip_.is_unicast(address(none))) << none;
  }
}

TEST(DestinationCacheTest, KeepsWhatIsHeldAndBoundsTheRest) {  // ATK-ICMP-02, ATK-IPV4-51
  BufferPool pool;
  Context context(pool, seed_from_number(1), Instant{} + 1h);
  link::LinkLayer link(context, {});
  ip::RouteTable routes;
  ip::Addresses addresses(link, routes);
  link::InterfaceConfig config;
  config.type = link::LinkType::kPointToPoint;
  config.conflict_detection.enabled = false;
  link::Interface& interface = link.add_interface(config);
  ASSERT_TRUE(link.add_address(interface, *IpPrefix::parse("10.0.0.1/8")));
  addresses.update();
  ip::Routing routing(context, link, routes, addresses);
  ip::DestinationCache cache(context, routes, routing, 16);
  const auto held = cache.get(address("10.9.9.9"), InterfaceId::kAny);
  ASSERT_TRUE(held);
  ip::Destination* const first = &**held;
  for (std::uint32_t i = 0; i < 10000; ++i) {
    const auto other = cache.get(IpAddress::v4(0x0a010000U + i), InterfaceId::kAny);
    ASSERT_TRUE(other);
    ASSERT_LE(cache.size(), 18U);
  }
  EXPECT_EQ(&**cache.get(address("10.9.9.9"), InterfaceId::kAny), first);
  EXPECT_TRUE(cache.find(IpAddress::v4(0x0a010000U + 9999), InterfaceId::kAny));
  EXPECT_FALSE(cache.find(IpAddress::v4(0x0a010000U + 9000), InterfaceId::kAny));
  EXPECT_FALSE(cache.get(address("11.0.0.1"), InterfaceId::kAny));
  EXPECT_FALSE(cache.find(address("11.0.0.1"), InterfaceId::kAny));
}

}  // namespace
}  // namespace transom::test
