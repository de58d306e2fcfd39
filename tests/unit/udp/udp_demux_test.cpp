// Who gets a datagram, and who may have a port.

#include <chrono>

#include "tests/unit/udp/udp_fixture.h"

namespace transom::test {
namespace {

const IpAddress kPeer = IpTest::peer(IpFamily::kIpv4);
const IpAddress kSelf = IpTest::self(IpFamily::kIpv4);
const IpAddress kSelf6 = IpTest::self(IpFamily::kIpv6);
const IpAddress kAny = IpAddress::any(IpFamily::kIpv4);
const IpAddress kAny6 = IpAddress::any(IpFamily::kIpv6);
const Endpoint kFrom{kPeer, kPeerPort};

using UdpDemux = UdpTest;

TEST_F(UdpDemux, TheClosestMatchGetsTheDatagram) {
  const Socket wide =
      bound(udp::BindRequest{.local = {kAny6, kPort}, .dual_stack = true, .reuse_address = true});
  const Socket any = bound(udp::BindRequest{.local = {kAny, kPort}, .reuse_address = true});
  const Socket exact = bound(udp::BindRequest{.local = {kSelf, kPort}, .reuse_address = true});
  const Socket connected = bound(udp::BindRequest{.local = {kSelf, kPort}, .reuse_address = true});
  ASSERT_TRUE(connected->connect(kFrom));
  const auto who = [&](const Endpoint& from, const IpAddress& to) {
    receive_datagram(from, {to, kPort}, pattern(1));
    std::string names;
    for (const auto& [name, socket] :
         {std::pair{"wide", &wide}, {"any", &any}, {"exact", &exact}, {"connected", &connected}}) {
      if (!received(**socket).empty()) names += name;
    }
    return names;
  };
  EXPECT_EQ(who(kFrom, kSelf), "connected");
  EXPECT_EQ(who({kPeer, Port{40001}}, kSelf), "exact");
  EXPECT_EQ(who(kFrom, address("10.0.0.3")), "any");
  EXPECT_EQ(who({address("2001:db8:a::1"), kPeerPort}, kSelf6), "wide");
  connected->disconnect();
  EXPECT_EQ(who(kFrom, kSelf), "connected");  // the latest of equals
}

TEST_F(UdpDemux, AConnectedSocketHearsOnlyItsPeer) {
  const Socket socket = open();
  ASSERT_TRUE(socket->connect(kFrom));
  EXPECT_EQ(socket->local().address, kSelf);
  EXPECT_GE(to_number(socket->local().port), 49152);
  const Endpoint local = socket->local();
  receive_datagram({kPeer, Port{1}}, local, pattern(1));
  receive_datagram({address("10.0.0.9"), kPeerPort}, local, pattern(1));
  EXPECT_EQ(socket->queued(), 0U);
  EXPECT_EQ(sent().size(), 2U);  // closed, as far as they are concerned
  receive_datagram(kFrom, local, pattern(1));
  EXPECT_EQ(received(*socket).size(), 1U);
  ASSERT_TRUE(send(*socket, pattern(2)));
  EXPECT_EQ(sent_one().destination, kPeer);
  socket->disconnect();
  EXPECT_FALSE(socket->remote());
  EXPECT_EQ(send(*socket, pattern(2)).error(), Error::kDestinationRequired);
}

TEST_F(UdpDemux, ADualStackSocketServesBothFamilies) {
  const Socket socket = bound(udp::BindRequest{.local = {kAny6, kPort}, .dual_stack = true});
  receive_datagram(kFrom, {kSelf, kPort}, pattern(1));
  receive_datagram({address("2001:db8:a::1"), kPeerPort}, {kSelf6, kPort}, pattern(1));
  EXPECT_EQ(received(*socket).size(), 2U);
  EXPECT_TRUE(send(*socket, pattern(1), {.to = kFrom}));
  EXPECT_EQ(sent_one().source, kSelf);
  ASSERT_TRUE(socket->connect(kFrom));
  receive_datagram(kFrom, {kSelf, kPort}, pattern(1));
  EXPECT_EQ(received(*socket).size(), 1U);
  ASSERT_TRUE(socket->connect({address("2001:db8:a::1"), kPeerPort}));
  EXPECT_EQ(socket->local().address, kSelf6);
  socket->disconnect();
  EXPECT_EQ(socket->local().address, kAny6);
}

TEST_F(UdpDemux, AnIpv6OnlySocketDoesNot) {
  const Socket socket = bound_to({kAny6, kPort});
  receive_datagram(kFrom, {kSelf, kPort}, pattern(1));
  EXPECT_EQ(socket->queued(), 0U);
  EXPECT_EQ(send(*socket, pattern(1), {.to = kFrom}).error(), Error::kNetworkUnreachable);
  EXPECT_EQ(socket->connect(kFrom).error(), Error::kNetworkUnreachable);
  const Socket other = bound_to({kAny, kPort});  // so there is room for another
  receive_datagram(kFrom, {kSelf, kPort}, pattern(1));
  EXPECT_EQ(received(*other).size(), 1U);
  EXPECT_EQ(open()->connect({address("2001:db8::1"), kPort}).error(), Error::kAddressFamily);
}

TEST_F(UdpDemux, BindsByTheRulesOfLinux) {
  struct Case {
    udp::BindRequest first, second;
    bool allowed;
  };
  const auto at = [](const IpAddress& local) { return udp::BindRequest{.local = {local, kPort}}; };
  const auto with = [&](const IpAddress& local, bool address, bool port) {
    return udp::BindRequest{.local = {local, kPort}, .reuse_address = address, .reuse_port = port};
  };
  udp::BindRequest dual = at(kAny6);
  dual.dual_stack = true;
  const std::vector<Case> cases = {
      {at(kAny), at(kAny), false},
      {at(kAny), at(kSelf), false},
      {at(kSelf), at(kAny), false},
      {at(kSelf), at(kSelf), false},
      {at(kSelf), at(address("10.0.0.3")), true},
      {at(kAny), at(kAny6), true},
      {at(kAny), dual, false},
      {dual, at(kSelf), false},
      {dual, at(kSelf6), false},
      {at(kAny6), at(kSelf), true},
      {with(kAny, true, false), with(kAny, true, false), true},
      {with(kAny, true, false), with(kAny, false, false), false},
      {with(kAny, false, true), with(kAny, false, true), true},
      {with(kAny, true, false), with(kAny, false, true), false},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Socket first = bound(cases[i].first);
    const Socket second = open(cases[i].second.local.address.family());
    const auto result = second->bind(cases[i].second);
    EXPECT_EQ(result.has_value(), cases[i].allowed) << i;
    if (!result) {
      EXPECT_EQ(result.error(), Error::kAddressInUse);
    }
  }
  // A port is free again when its socket is gone.
  EXPECT_TRUE(open()->bind(at(kAny)));
}

TEST_F(UdpDemux, BindsOnlyToAddressesItMayReceiveOn) {
  const auto bind = [&](const char* local) {
    const IpAddress where = address(local);
    const Socket socket = open(where.family());
    const auto result = socket->bind({.local = {where, kPort}});
    return result ? Error::kNone : result.error();
  };
  for (const char* fine : {"10.0.0.2", "127.0.0.1", "127.9.9.9", "2001:db8:b::2", "::1", "224.0.0.251",
                           "ff02::fb", "10.0.0.255", "255.255.255.255"}) {
    EXPECT_EQ(bind(fine), Error::kNone) << fine;
  }
  for (const char* foreign : {"10.0.0.1", "8.8.8.8", "2001:db8::1"})
    EXPECT_EQ(bind(foreign), Error::kAddressNotAvailable) << foreign;
  const Socket socket = bound_to({kAny, kPort});
  EXPECT_EQ(socket->bind({.local = {kAny, Port{1}}}).error(), Error::kInvalidArgument);
  EXPECT_EQ(open()->bind({.local = {kAny6, kPort}}).error(), Error::kAddressFamily);
}

TEST_F(UdpDemux, SpreadsFlowsOverSocketsThatShareAPort) {
  std::vector<Socket> sockets;
  for (int i = 0; i < 4; ++i)
    sockets.push_back(bound(udp::BindRequest{.local = {kAny, kPort}, .reuse_port = true}));
  for (int round = 0; round < 2; ++round) {
    for (std::uint16_t port = 1; port <= 400; ++port)
      receive_datagram({kPeer, Port{port}}, {kSelf, kPort}, {});
  }
  for (const Socket& socket : sockets) {
    const std::size_t datagrams = socket->queued() + socket->dropped();
    EXPECT_GT(datagrams, 100U);
    EXPECT_EQ(datagrams % 2, 0U);  // the same flow, the same socket
    received(*socket);
  }
}

TEST_F(UdpDemux, GroupDatagramsGoToEveryoneWhoListens) {
  const IpAddress group = address("239.1.2.3");
  a_->join(group);
  const Socket one = bound(udp::BindRequest{.local = {kAny, kPort}, .reuse_address = true});
  const Socket two = bound(udp::BindRequest{.local = {group, kPort}, .reuse_address = true});
  const Socket three =
      bound(udp::BindRequest{.local = {kAny6, kPort}, .dual_stack = true, .reuse_address = true});
  const Socket elsewhere = bound(udp::BindRequest{.local = {kSelf, kPort}, .reuse_address = true});
  const Socket other_interface = bound(udp::BindRequest{.local = {kAny, kPort}, .reuse_address = true});
  other_interface->options().bound_interface = b_->id();
  receive_datagram(kFrom, {group, kPort}, pattern(30));
  for (const Socket* socket : {&one, &two, &three})
    EXPECT_EQ(received(**socket), std::vector<Octets>{pattern(30)});
  EXPECT_EQ(elsewhere->queued(), 0U);
  EXPECT_EQ(other_interface->queued(), 0U);
  receive_datagram(kFrom, {address("255.255.255.255"), kPort}, pattern(31));
  EXPECT_EQ(received(*one).size(), 1U);
  EXPECT_EQ(received(*two).size(), 0U);
  EXPECT_TRUE(nothing_sent());
  received(*three);
}

TEST_F(UdpDemux, ASocketBoundToAnInterfaceHearsAndSpeaksOnlyThere) {
  const Socket socket = open();
  socket->options().bound_interface = b_->id();
  ASSERT_TRUE(socket->bind({.local = {kAny, kPort}}));
  receive_datagram(kFrom, {kSelf, kPort}, pattern(1), a_);
  EXPECT_EQ(socket->queued(), 0U);
  receive_datagram({address("192.168.5.1"), kPeerPort}, {address("192.168.5.2"), kPort}, pattern(1), b_);
  EXPECT_EQ(received(*socket).size(), 1U);
  sent(a_);
  EXPECT_EQ(send(*socket, pattern(1), {.to = kFrom}).error(), Error::kNetworkUnreachable);
}

TEST_F(UdpDemux, BroadcastsNeedTheOption) {  // R1122-29
  const Socket socket = bound_to({kAny, kPort});
  for (const char* to : {"255.255.255.255", "10.0.0.255"}) {
    const Endpoint everyone{address(to), kPeerPort};
    socket->options().broadcast = false;
    EXPECT_EQ(send(*socket, pattern(1), {.to = everyone}).error(), Error::kAccessDenied);
    EXPECT_EQ(socket->connect(everyone).error(), Error::kAccessDenied);
    socket->options().broadcast = true;
    ASSERT_TRUE(send(*socket, pattern(1), {.to = everyone}));
    EXPECT_EQ(sent_one().destination, everyone.address);
  }
}

TEST_F(UdpDemux, MulticastsFollowTheOptionsOfTheSocket) {
  const IpAddress group = address("239.1.2.3");
  a_->join(group);
  b_->join(group);
  const Socket socket = bound_to({kAny, kPort});
  ASSERT_TRUE(send(*socket, pattern(1), {.to = Endpoint{group, kPort}}));
  EXPECT_EQ(sent_one().ttl, 1);
  EXPECT_EQ(received(*socket).size(), 1U);  // looped back
  socket->options().multicast_loop = false;
  socket->options().multicast_ttl = 9;
  socket->options().multicast_interface = b_->id();
  ASSERT_TRUE(send(*socket, pattern(1), {.to = Endpoint{group, kPort}}));
  EXPECT_TRUE(sent(a_).empty());
  const Parsed out = sent_one(b_);
  EXPECT_EQ(out.ttl, 9);
  EXPECT_EQ(out.source, address("192.168.5.2"));
  EXPECT_EQ(socket->queued(), 0U);
  socket->options().multicast_loop = true;
  socket->options().multicast_ttl = 0;
  ASSERT_TRUE(send(*socket, pattern(1), {.to = Endpoint{group, kPort}}));
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(received(*socket).size(), 1U);
}

TEST_F(UdpDemux, TheCallerMayChooseTheSource) {  // R1122-49
  const Socket socket = bound_to({kAny, kPort});
  ASSERT_TRUE(send(*socket, pattern(1), {.to = kFrom, .source = address("10.0.0.3")}));
  EXPECT_EQ(sent_one().source, address("10.0.0.3"));
  EXPECT_EQ(send(*socket, pattern(1), {.to = kFrom, .source = address("10.0.0.77")}).error(),
            Error::kAddressNotAvailable);
  EXPECT_EQ(send(*socket, pattern(1), {.to = kFrom, .source = kSelf6}).error(), Error::kInvalidArgument);
  const Socket local = bound_to({address("10.0.0.3"), Port{99}});
  ASSERT_TRUE(send(*local, pattern(1), {.to = kFrom}));
  EXPECT_EQ(sent_one().source, address("10.0.0.3"));
}

TEST_F(UdpDemux, ListsItsSockets) {
  const Socket one = bound_to({kSelf, kPort});
  const Socket unbound = open();
  receive_datagram(kFrom, {kSelf, kPort}, pattern(30));
  const auto infos = layer_.sockets();
  ASSERT_EQ(infos.size(), 1U);
  EXPECT_EQ(infos[0].local, (Endpoint{kSelf, kPort}));
  EXPECT_EQ(infos[0].receive_queue, 30U);
  received(*one);
}

}  // namespace
}  // namespace transom::test
