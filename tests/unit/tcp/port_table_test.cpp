// Who may have which port: bind(2) and listen(2) by the rules of Linux, and the choice of ephemeral ports.
#include "stack/tcp/port_table.h"

#include <gtest/gtest.h>

#include <set>

namespace transom::tcp {
namespace {

constexpr Port kPort{8080};
const IpAddress kAny4 = IpAddress::any(IpFamily::kIpv4);
const IpAddress kAny6;
const IpAddress kOne = IpAddress::v4(10, 0, 0, 1);
const IpAddress kTwo = IpAddress::v4(10, 0, 0, 2);
const IpAddress kSix = *IpAddress::parse("fd00::1");
constexpr Endpoint kRemote{IpAddress::v4(10, 9, 9, 9), Port{80}};

class Ports : public ::testing::Test {
 protected:
  static Config small_range() {
    Config config;
    config.first_ephemeral_port = 40000;
    config.last_ephemeral_port = 40099;
    return config;
  }
  Result<PortHold> bind(const IpAddress& address, Port port = kPort) {
    return table.bind({.local = {address, port}});
  }
  Result<Port> choose(const Endpoint& remote = kRemote) {
    return table.choose(secrets, kOne, remote, [&](Port port) { return !taken.contains(port); });
  }

  Random random{seed_from_number(1)};
  Config config = small_range();
  Secrets secrets{random};
  PortTable table{config, random};
  std::set<Port> taken;
};

TEST_F(Ports, OneAddressCanBeBoundOnceAndIsFreeAgainAfterwards) {
  {
    const auto hold = bind(kOne);
    ASSERT_TRUE(hold);
    EXPECT_EQ(hold->local(), (Endpoint{kOne, kPort}));
    EXPECT_EQ(bind(kOne).error(), Error::kAddressInUse);
    EXPECT_TRUE(bind(kTwo));
    EXPECT_TRUE(bind(kOne, Port{8081}));
  }
  EXPECT_TRUE(bind(kOne));
}

TEST_F(Ports, AnyAddressConflictsWithEachOfItsFamily) {
  const auto hold = bind(kAny4);
  EXPECT_EQ(bind(kOne).error(), Error::kAddressInUse);
  EXPECT_TRUE(bind(kSix));
  EXPECT_TRUE(bind(kAny6)) << "IPv6 alone";
  EXPECT_EQ(table.bind({.local = {kAny6, kPort}, .dual_stack = true}).error(), Error::kAddressInUse);
}

TEST_F(Ports, ADualStackClaimCoversBothFamilies) {
  const auto hold = table.bind({.local = {kAny6, kPort}, .dual_stack = true});
  ASSERT_TRUE(hold);
  for (const IpAddress& address : {kAny4, kOne, kSix, kAny6}) EXPECT_FALSE(bind(address));
}

TEST_F(Ports, ClaimsOfDifferentInterfacesDoNotMeet) {
  const auto hold = table.bind({.local = {kAny4, kPort}, .interface = InterfaceId{2}});
  EXPECT_TRUE(table.bind({.local = {kAny4, kPort}, .interface = InterfaceId{3}}));
  EXPECT_FALSE(table.bind({.local = {kAny4, kPort}, .interface = InterfaceId{2}}));
  EXPECT_FALSE(bind(kAny4)) << "any interface meets each";
}

TEST_F(Ports, ReuseOfTheAddressIsForThoseWhoDoNotListen) {
  const auto first = table.bind({.local = {kOne, kPort}, .reuse_address = true});
  EXPECT_FALSE(bind(kOne)) << "both must allow it";
  const auto second = table.bind({.local = {kOne, kPort}, .reuse_address = true});
  ASSERT_TRUE(second);
  EXPECT_TRUE(table.listen(*first));
  EXPECT_EQ(table.listen(*second).error(), Error::kAddressInUse);
  EXPECT_FALSE(table.bind({.local = {kOne, kPort}, .reuse_address = true}));
}

TEST_F(Ports, ReuseOfThePortIsForListenersToo) {
  const auto first = table.bind({.local = {kOne, kPort}, .reuse_port = true});
  const auto second = table.bind({.local = {kOne, kPort}, .reuse_port = true});
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(table.listen(*first));
  EXPECT_TRUE(table.listen(*second));
  EXPECT_FALSE(bind(kOne));
}

TEST_F(Ports, ConnectionsThatAreLeftKeepAPortFromWhoDoesNotAllowReuse) {  // TIME-WAIT after a restart
  table.add_user(kPort);
  table.add_user(kPort);
  EXPECT_FALSE(bind(kOne));
  EXPECT_TRUE(table.bind({.local = {kOne, kPort}, .reuse_address = true}));
  table.remove_user(kPort);
  EXPECT_FALSE(bind(kOne));
  table.remove_user(kPort);
  EXPECT_TRUE(bind(kOne));
}

TEST_F(Ports, PortZeroGivesEachOfTheRangeOnceAndThenNone) {
  std::vector<PortHold> holds;
  std::set<Port> seen;
  for (int i = 0; i < 100; ++i) {
    auto hold = bind(kOne, Port::kNone);
    ASSERT_TRUE(hold) << i;
    EXPECT_GE(to_number(hold->local().port), 40000);
    EXPECT_LE(to_number(hold->local().port), 40099);
    EXPECT_TRUE(seen.insert(hold->local().port).second);
    holds.push_back(std::move(*hold));
  }
  EXPECT_EQ(bind(kOne, Port::kNone).error(), Error::kAddressInUse);
  holds.pop_back();
  EXPECT_TRUE(bind(kOne, Port::kNone));
}

TEST_F(Ports, AMovedHoldReleasesOnce) {
  auto hold = bind(kOne);
  PortHold other = std::move(*hold);
  EXPECT_FALSE(*hold);
  EXPECT_FALSE(bind(kOne));
  other = PortHold();
  EXPECT_TRUE(bind(kOne));
}

TEST_F(Ports, AConnectionGetsEveryFreePortBeforeThereIsNone) {
  for (int i = 0; i < 100; ++i) {
    const auto port = choose();
    ASSERT_TRUE(port) << i;
    EXPECT_TRUE(taken.insert(*port).second);
  }
  EXPECT_EQ(choose().error(), Error::kAddressNotAvailable);
  taken.erase(Port{40042});
  EXPECT_EQ(choose(), Port{40042});
}

TEST_F(Ports, AConnectionGetsNoPortThatIsBound) {
  std::vector<PortHold> holds;
  for (std::uint16_t port = 40000; port < 40099; ++port) holds.push_back(std::move(*bind(kTwo, Port{port})));
  EXPECT_EQ(choose(), Port{40099});
  EXPECT_EQ(choose(), Port{40099}) << "one port serves connections to many peers";
}

TEST_F(Ports, PortsOfDifferentPeersBeginAtUnrelatedPlaces) {  // RFC 6056 §3.3.3
  std::set<Port> seen;
  for (std::uint32_t peer = 0; peer < 50; ++peer) {
    Random same_random{seed_from_number(1)};
    PortTable fresh(config, same_random);
    seen.insert(*fresh.choose(secrets, kOne, {IpAddress::v4(peer), Port{80}}, [](Port) { return true; }));
  }
  EXPECT_GT(seen.size(), 25U);
}

}  // namespace
}  // namespace transom::tcp
