// The DHCPv4 client (RFC 2131, RFC 2132), as a server and the other hosts of a link see it.
#include "stack/dhcp/client.h"
#include "stack/wire/arp.h"
#include "tests/support/bare_host.h"

namespace transom::test {
namespace {

using Lines = std::vector<std::string>;
using dhcp::State;
using wire::DhcpMessage;
using wire::DhcpType;

constexpr auto kIpv4 = IpFamily::kIpv4;
const MacAddress kServerMac({2, 4, 4, 4, 4, 4});
const IpAddress kServer = IpAddress::v4(10, 0, 0, 254);
const IpAddress kOffered = IpAddress::v4(10, 0, 0, 77);

// A message that the client has sent.
struct FromClient {
  Instant time;
  Parsed ip;
  MacAddress to;
  DhcpMessage message;
};

class Dhcp : public BareHost {
 protected:
  Dhcp() {
    host_.enter(now_);
    EXPECT_TRUE(host_.start_dhcp(eth_, {.host_name = "box"}));
    host_.leave();
  }
  const dhcp::Client& client() { return *host_.dhcp(eth_); }

  std::vector<FromClient> messages() {
    std::vector<FromClient> found;
    for (const SentFrame& frame : sent()) {
      const Parsed packet = frame.ip();
      if (!packet.ok || packet.protocol != IpProtocol::kUdp) continue;
      EXPECT_EQ(part(packet.payload, 0, 4), (Octets{0, 68, 0, 67}));
      wire::ChecksumSum sum = wire::pseudo_header_sum(packet.source, packet.destination, IpProtocol::kUdp,
                                                      static_cast<std::uint32_t>(packet.payload.size()));
      sum.add(packet.payload);
      EXPECT_EQ(sum.checksum(), 0);
      const auto message = DhcpMessage::parse(Bytes(packet.payload).subspan(8));
      EXPECT_TRUE(message);
      if (!message) continue;
      EXPECT_FALSE(message->is_reply);
      EXPECT_EQ(message->hardware, kHostMac);  // R2131-01
      EXPECT_EQ(message->client_identifier,    // R2132-05, R4361-01
                (Octets{255, 0, 0, 0, 2, 0, 3, 0, 1, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55}));
      found.push_back({frame.time, packet, frame.ethernet.destination, *message});
    }
    return found;
  }
  // The one message that must have been sent.
  FromClient one(DhcpType type) {
    const auto all = messages();
    EXPECT_EQ(all.size(), 1U);
    if (all.empty()) return {};
    EXPECT_EQ(all[0].message.type, type);
    return all[0];
  }

  DhcpMessage reply(DhcpType type, const FromClient& to) const {
    DhcpMessage made;
    made.is_reply = true;
    made.type = type;
    made.transaction = to.message.transaction;
    made.hardware = kHostMac;
    made.server = kServer;
    if (type == DhcpType::kNak) return made;
    made.yours = kOffered;
    made.lease = 3600;
    made.prefix_length = 24;
    made.routers = {kServer};
    made.dns_servers = {IpAddress::v4(10, 0, 0, 53)};
    made.domain = "lan.example";
    return made;
  }
  void receive_octets(Octets octets, const IpAddress& to = IpAddress::v4(0xffffffff), Port from = Port{67}) {
    const Octets datagram = udp({kServer, from}, {to, Port{68}}, octets);
    receive_frame(to.is_limited_broadcast() ? MacAddress::broadcast() : kHostMac, kServerMac,
                  wire::EtherType::kIpv4, ip_packet(kServer, to, IpProtocol::kUdp, datagram));
  }
  static Octets octets_of(const DhcpMessage& message) {
    Octets octets(message.size());
    wire::Writer writer(octets);
    message.write(writer);
    return octets;
  }
  void receive(const DhcpMessage& message, const IpAddress& to = IpAddress::v4(0xffffffff)) {
    receive_octets(octets_of(message), to);
  }
  // Somebody claims an address.
  void claim(const IpAddress& claimed) {
    wire::ArpPacket arp;
    arp.operation = wire::ArpPacket::Operation::kReply;
    arp.sender_mac = kServerMac;
    arp.sender_ip = claimed;
    arp.target_mac = kHostMac;
    arp.target_ip = claimed;
    Octets octets(28);
    wire::Writer writer(octets);
    arp.write(writer);
    receive_frame(kHostMac, kServerMac, wire::EtherType::kArp, octets);
  }
  void know_server() {
    EXPECT_TRUE(host_.link().set_permanent(*host_.link().interface(eth_), kServer, kServerMac));
  }

  FromClient discover() {
    advance(1s);
    return one(DhcpType::kDiscover);
  }
  FromClient be_offered() {
    receive(reply(DhcpType::kOffer, discover()));
    return one(DhcpType::kRequest);
  }
  // Bound, with nothing left to be looked at.
  void be_bound(const std::function<void(DhcpMessage&)>& change = [](DhcpMessage&) {}) {
    DhcpMessage ack = reply(DhcpType::kAck, be_offered());
    change(ack);
    receive(ack);
    know_server();
    advance(1s);
    EXPECT_EQ(client().state(), State::kBound);
    sent();
  }
};

// ---------------------------------------------------------------- getting an address

TEST_F(Dhcp, AsksEverybodyFromNowhere) {  // R2131-01, R2131-03
  const FromClient discovery = discover();
  EXPECT_EQ(discovery.ip.source, IpAddress::v4(0));
  EXPECT_EQ(discovery.ip.destination, IpAddress::v4(0xffffffff));
  EXPECT_TRUE(discovery.to.is_broadcast());
  EXPECT_TRUE(discovery.message.broadcast);
  EXPECT_EQ(discovery.message.client, IpAddress::v4(0));
  EXPECT_EQ(discovery.message.host_name, "box");
  EXPECT_EQ(discovery.message.asks_for, (Octets{1, 121, 3, 6, 15, 119, 51, 58, 59}));
}

TEST_F(Dhcp, AsksAgainLaterAndLater) {  // R2131-02
  advance(std::chrono::minutes(10));
  const auto all = messages();
  ASSERT_GE(all.size(), 8U);
  for (std::size_t i = 1; i < all.size(); ++i) {
    const Duration gap = all[i].time - all[i - 1].time;
    const Duration expected = std::min<Duration>(4s * (1 << std::min<std::size_t>(i - 1, 6)), 64s);
    EXPECT_GE(gap, expected - 1s) << i;
    EXPECT_LE(gap, expected + 1s) << i;
    EXPECT_EQ(all[i].message.transaction, all[0].message.transaction);
    EXPECT_GE(all[i].message.seconds, all[i - 1].message.seconds);
  }
  EXPECT_GT(all[3].message.seconds, 20);
}

TEST_F(Dhcp, RequestsWhatItWasOfferedProbesItAndUsesIt) {  // R2131-03, R2131-04
  const FromClient request = be_offered();
  EXPECT_EQ(request.message.requested, kOffered);
  EXPECT_EQ(request.message.server, kServer);
  EXPECT_EQ(request.message.client, IpAddress::v4(0));
  EXPECT_EQ(request.ip.source, IpAddress::v4(0));
  receive(reply(DhcpType::kAck, request));
  EXPECT_EQ(client().state(), State::kProbing);
  EXPECT_EQ(addresses(kIpv4), Lines{"10.0.0.77/24 tentative"});
  advance(1s);
  int probes = 0;
  for (const SentFrame& frame : sent()) {
    if (!frame.is(wire::EtherType::kArp)) continue;
    wire::Reader reader(frame.payload);
    const auto arp = wire::ArpPacket::parse(reader);
    probes += arp && arp->sender_ip.is_unspecified() && arp->target_ip == kOffered ? 1 : 0;
  }
  EXPECT_GE(probes, 2);
  EXPECT_EQ(client().state(), State::kBound);
  EXPECT_EQ(addresses(kIpv4), Lines{"10.0.0.77/24 preferred"});
  EXPECT_EQ(routes(kIpv4), (Lines{"10.0.0.0/24 metric 0", "0.0.0.0/0 via 10.0.0.254 metric 0"}));
  ASSERT_TRUE(client().lease());
  EXPECT_EQ(client().lease()->dns_servers, std::vector{IpAddress::v4(10, 0, 0, 53)});
  EXPECT_EQ(client().lease()->search_domains, Lines{"lan.example"});
}

TEST_F(Dhcp, AnAddressThatAnotherHasIsDeclined) {  // R2131-04
  receive(reply(DhcpType::kAck, be_offered()));
  claim(kOffered);
  const FromClient refusal = one(DhcpType::kDecline);
  EXPECT_EQ(refusal.message.requested, kOffered);
  EXPECT_EQ(refusal.message.server, kServer);
  EXPECT_EQ(addresses(kIpv4), Lines{});
  advance(9900ms);
  EXPECT_TRUE(messages().empty());
  advance(200ms);
  const FromClient again = one(DhcpType::kDiscover);
  EXPECT_NE(again.message.transaction, refusal.message.transaction);
}

TEST_F(Dhcp, ARefusalBeginsAgain) {  // R2131-08
  receive(reply(DhcpType::kNak, be_offered()));
  EXPECT_TRUE(messages().empty());
  advance(1s);
  one(DhcpType::kDiscover);
}

TEST_F(Dhcp, AServerThatFallsSilentIsForgotten) {
  be_offered();
  advance(std::chrono::minutes(3));
  const auto all = messages();
  EXPECT_EQ(
      std::ranges::count(all, DhcpType::kRequest, [](const FromClient& one) { return one.message.type; }), 3);
  EXPECT_GE(
      std::ranges::count(all, DhcpType::kDiscover, [](const FromClient& one) { return one.message.type; }),
      1);
}

TEST_F(Dhcp, RepliesThatAreNotForItAreIgnored) {  // R2131-10, R6842-01
  const FromClient discovery = discover();
  const DhcpMessage good = reply(DhcpType::kOffer, discovery);
  const auto refused = [&](const char* what, const std::function<void(DhcpMessage&)>& change) {
    DhcpMessage bad = good;
    change(bad);
    receive(bad);
    EXPECT_TRUE(messages().empty()) << what;
  };
  refused("another transaction", [](DhcpMessage& message) { ++message.transaction; });
  refused("another client", [](DhcpMessage& message) { message.hardware = kServerMac; });
  refused("another identifier", [](DhcpMessage& message) { message.client_identifier = {1, 2, 3}; });
  refused("a request", [](DhcpMessage& message) { message.is_reply = false; });
  refused("an acknowledgment before its time", [](DhcpMessage& message) { message.type = DhcpType::kAck; });
  refused("no server", [](DhcpMessage& message) { message.server.reset(); });
  refused("no address", [](DhcpMessage& message) { message.yours = IpAddress::v4(0); });
  refused("a group", [](DhcpMessage& message) { message.yours = IpAddress::v4(224, 0, 0, 9); });
  const Octets octets = octets_of(good);
  for (const auto& [at, value] :
       std::initializer_list<std::pair<std::size_t, int>>{{0, 1}, {1, 6}, {2, 16}, {236, 0}}) {
    Octets bad = octets;  // op, kind and size of the hardware address, cookie
    bad[at] = static_cast<std::uint8_t>(value);
    receive_octets(bad);
    EXPECT_TRUE(messages().empty()) << at;
  }
  for (std::size_t size = 0; size < 243; ++size) {
    receive_octets(part(octets, 0, size));
    EXPECT_TRUE(messages().empty()) << size;
  }
  receive_octets(octets, IpAddress::v4(0xffffffff), Port{6767});
  EXPECT_TRUE(messages().empty());
  DhcpMessage with_identifier = good;
  with_identifier.client_identifier = discovery.message.client_identifier;
  receive(with_identifier);
  one(DhcpType::kRequest);
}

TEST_F(Dhcp, OnlyTheServerThatWasChosenAcknowledges) {
  DhcpMessage ack = reply(DhcpType::kAck, be_offered());
  ack.server = IpAddress::v4(10, 0, 0, 66);
  receive(ack);
  EXPECT_EQ(client().state(), State::kRequesting);
  ack.server = kServer;
  ack.lease.reset();
  receive(ack);
  EXPECT_EQ(client().state(), State::kRequesting);
}

// ---------------------------------------------------------------- what it is told

TEST_F(Dhcp, ClasslessRoutesStandForRouters) {  // R3442-01
  be_bound([](DhcpMessage& ack) {
    ack.routes = {{{IpAddress::v4(0), 0}, IpAddress::v4(10, 0, 0, 1)},
                  {{IpAddress::v4(172, 16, 0, 0), 12}, IpAddress::v4(10, 0, 0, 2)},
                  {{IpAddress::v4(192, 0, 2, 0), 25}, IpAddress::v4(0)}};
  });
  EXPECT_EQ(routes(kIpv4), (Lines{"192.0.2.0/25 metric 0", "10.0.0.0/24 metric 0",
                                  "172.16.0.0/12 via 10.0.0.2 metric 0", "0.0.0.0/0 via 10.0.0.1 metric 0"}));
}

TEST_F(Dhcp, ASearchListStandsForTheDomain) {  // R3397-01
  be_bound([](DhcpMessage& ack) { ack.search_domains = {"a.example", "b.a.example"}; });
  EXPECT_EQ(client().lease()->search_domains, (Lines{"a.example", "b.a.example"}));
}

TEST_F(Dhcp, WithoutAMaskTheClassOfOldDecides) {
  be_bound([](DhcpMessage& ack) { ack.prefix_length.reset(); });
  EXPECT_EQ(addresses(kIpv4), Lines{"10.0.0.77/8 preferred"});
}

// ---------------------------------------------------------------- keeping it

TEST_F(Dhcp, RenewsAtHalfTimeByAskingItsServer) {  // R2131-06
  be_bound();
  advance(3600s / 2 * 19 / 20 - 2s);
  EXPECT_TRUE(messages().empty());
  advance(3600s / 2 / 20 + 3s);
  const FromClient wish = one(DhcpType::kRequest);
  EXPECT_EQ(wish.ip.source, kOffered);
  EXPECT_EQ(wish.ip.destination, kServer);
  EXPECT_EQ(wish.to, kServerMac);
  EXPECT_EQ(wish.message.client, kOffered);
  EXPECT_EQ(wish.message.requested, std::nullopt);
  EXPECT_EQ(wish.message.server, std::nullopt);
  EXPECT_FALSE(wish.message.broadcast);
  EXPECT_EQ(client().state(), State::kRenewing);
  DhcpMessage ack = reply(DhcpType::kAck, wish);
  ack.routers = {IpAddress::v4(10, 0, 0, 253)};
  receive(ack, kOffered);
  EXPECT_EQ(client().state(), State::kBound);
  EXPECT_EQ(routes(kIpv4), (Lines{"10.0.0.0/24 metric 0", "0.0.0.0/0 via 10.0.0.253 metric 0"}));
  EXPECT_EQ(addresses(kIpv4), Lines{"10.0.0.77/24 preferred"});
  advance(1700s);
  EXPECT_TRUE(messages().empty());  // counted from now
}

TEST_F(Dhcp, RebindsByAskingAnybodyAndStopsUsingTheAddressInTheEnd) {  // R2131-06
  be_bound();
  advance(3150s);
  EXPECT_EQ(client().state(), State::kRebinding);
  const auto all = messages();
  ASSERT_GE(all.size(), 3U);
  const FromClient last = all.back();
  EXPECT_EQ(last.ip.destination, IpAddress::v4(0xffffffff));
  EXPECT_EQ(last.ip.source, kOffered);
  EXPECT_EQ(last.message.client, kOffered);
  EXPECT_EQ(last.message.server, std::nullopt);
  advance(440s);
  EXPECT_EQ(addresses(kIpv4), Lines{"10.0.0.77/24 preferred"});
  advance(10s);
  EXPECT_EQ(addresses(kIpv4), Lines{});
  EXPECT_EQ(routes(kIpv4), Lines{});
  EXPECT_EQ(client().lease(), std::nullopt);
  EXPECT_EQ(messages().back().message.type, DhcpType::kDiscover);
}

TEST_F(Dhcp, AnotherServerMayExtendIt) {  // R2131-06
  be_bound();
  advance(3150s);
  DhcpMessage ack = reply(DhcpType::kAck, messages().back());
  ack.server = IpAddress::v4(10, 0, 0, 253);
  receive(ack);
  EXPECT_EQ(client().state(), State::kBound);
  EXPECT_EQ(client().lease()->server, IpAddress::v4(10, 0, 0, 253));
}

TEST_F(Dhcp, ARefusalToExtendEndsItsUseAtOnce) {  // R2131-08
  be_bound();
  advance(1801s);
  receive(reply(DhcpType::kNak, messages().back()), kOffered);
  EXPECT_EQ(addresses(kIpv4), Lines{});
  EXPECT_EQ(routes(kIpv4), Lines{});
  advance(1s);
  one(DhcpType::kDiscover);
}

TEST_F(Dhcp, TimesThatMakeNoSenseAreReplaced) {  // R2131-07
  be_bound([](DhcpMessage& ack) {
    ack.renewal = 3500;
    ack.rebinding = 100;
  });
  const dhcp::Lease& lease = *client().lease();
  EXPECT_LE(lease.renewal - lease.obtained, 1800s);
  EXPECT_GE(lease.renewal - lease.obtained, 1710s);
  EXPECT_LE(lease.rebinding - lease.obtained, 3150s);
  EXPECT_EQ(lease.expires - lease.obtained, 3600s);
}

TEST_F(Dhcp, TimesOfTheServerAreUsed) {  // R2131-07
  be_bound([](DhcpMessage& ack) {
    ack.renewal = 100;
    ack.rebinding = 200;
  });
  const dhcp::Lease& lease = *client().lease();
  EXPECT_LE(lease.renewal - lease.obtained, 100s);
  EXPECT_GE(lease.renewal - lease.obtained, 95s);
  EXPECT_LE(lease.rebinding - lease.obtained, 200s);
}

TEST_F(Dhcp, ALeaseForEverIsNotRenewed) {
  be_bound([](DhcpMessage& ack) { ack.lease = 0xffffffff; });
  advance(std::chrono::hours(24 * 365));
  EXPECT_TRUE(messages().empty());
  EXPECT_EQ(client().state(), State::kBound);
}

TEST_F(Dhcp, GivesTheAddressBack) {  // R2131-09
  be_bound();
  host_.enter(now_);
  host_.dhcp(eth_)->release();
  host_.leave();
  const FromClient farewell = one(DhcpType::kRelease);
  EXPECT_EQ(farewell.ip.source, kOffered);
  EXPECT_EQ(farewell.ip.destination, kServer);
  EXPECT_EQ(farewell.message.client, kOffered);
  EXPECT_EQ(farewell.message.server, kServer);
  EXPECT_EQ(addresses(kIpv4), Lines{});
  EXPECT_EQ(routes(kIpv4), Lines{});
  advance(std::chrono::hours(2));
  EXPECT_TRUE(messages().empty());
}

}  // namespace
}  // namespace transom::test
