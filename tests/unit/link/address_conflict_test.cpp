// Taking addresses into use: RFC 5227 for IPv4, RFC 4862 §5.4 and RFC 7527 for IPv6.
#include <set>

#include "tests/unit/link/link_fixture.h"

namespace transom::test {
namespace {

using link::AddressState;

class Conflicts : public LinkTest {
 protected:
  explicit Conflicts(const Setup& setup = detecting()) : LinkTest(setup) {
    link_.set_address_listener([this] { ++changes_; });
  }
  static Setup detecting() {
    Setup setup = plain();
    setup.interface.conflict_detection = {};
    setup.with_addresses = false;
    return setup;
  }
  void make_usable(const char* prefix) {
    add(prefix);
    advance(30s);
    ASSERT_TRUE(eth_->usable_address(IpPrefix::parse(prefix)->address));
    sent();
    changes_ = 0;
  }

  int changes_ = 0;
};

// ---------------------------------------------------------------- IPv4

TEST_F(Conflicts, ProbesThriceBeforeUseAndAnnouncesTwice_R5227_01_R5227_04) {
  const Instant start = context_.now;
  add("10.0.0.1/24");
  EXPECT_EQ(state_of("10.0.0.1"), AddressState::kTentative);
  EXPECT_EQ(eth_->usable_address(address("10.0.0.1")), nullptr);
  advance(30s);
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 5U);
  for (const Sent& frame : frames) {
    EXPECT_EQ(frame.ethernet.destination, MacAddress::broadcast());
    EXPECT_EQ(frame.arp().operation, Operation::kRequest);
    EXPECT_EQ(frame.arp().sender_mac, kOwnMac);
    EXPECT_EQ(frame.arp().target_mac, kNoMac);
    EXPECT_EQ(frame.arp().target_ip, address("10.0.0.1"));
  }
  EXPECT_LE(frames[0].time - start, 1s);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(frames[static_cast<std::size_t>(i)].arp().sender_ip, address("0.0.0.0"));
  for (std::size_t i = 1; i < 3; ++i) {
    EXPECT_GE(frames[i].time - frames[i - 1].time, 1s);
    EXPECT_LE(frames[i].time - frames[i - 1].time, 2s);
  }
  EXPECT_EQ(frames[3].time - frames[2].time, 2s);  // ANNOUNCE_WAIT
  EXPECT_EQ(frames[3].arp().sender_ip, address("10.0.0.1"));
  EXPECT_EQ(frames[4].arp().sender_ip, address("10.0.0.1"));
  EXPECT_EQ(frames[4].time - frames[3].time, 2s);
  EXPECT_EQ(state_of("10.0.0.1"), AddressState::kPreferred);
  EXPECT_EQ(changes_, 1);
}

TEST_F(Conflicts, TheFirstProbeComesAfterARandomTime_R5227_01) {
  std::set<Instant> instants;
  for (int i = 1; i <= 20; ++i) add(fmt::format("10.0.0.{}/24", i).c_str());
  const Instant start = context_.now;
  advance(1s);
  for (const Sent& frame : sent()) instants.insert(frame.time);
  EXPECT_GT(instants.size(), 15U);
  EXPECT_GT(*instants.rbegin() - start, 500ms);
}

TEST_F(Conflicts, NothingIsAnsweredOrAskedFromATentativeAddress) {
  add("10.0.0.1/24");
  advance(500ms);
  sent();
  arp_request(kPeerMac, "10.0.0.2", "10.0.0.1");
  EXPECT_TRUE(sent().empty());
}

TEST_F(Conflicts, AnyArpFromTheCandidateBlocksIt_R5227_02) {
  for (const Operation operation : {Operation::kRequest, Operation::kReply}) {
    add("10.0.0.1/24");
    advance(1500ms);
    receive_arp(operation, kEvilMac, "10.0.0.1", kNoMac, "10.0.0.9");
    EXPECT_EQ(state_of("10.0.0.1"), AddressState::kDuplicated);
    EXPECT_EQ(eth_->usable_address(address("10.0.0.1")), nullptr);
    sent();
    advance(1min);
    EXPECT_TRUE(sent().empty());  // no further probe, no announcement
    ASSERT_TRUE(link_.remove_address(*eth_, address("10.0.0.1")));
  }
  ASSERT_EQ(observer_.conflicts.size(), 2U);
  EXPECT_EQ(observer_.conflicts[0].address, address("10.0.0.1"));
  EXPECT_EQ(observer_.conflicts[0].other, kEvilMac);
  EXPECT_EQ(counted(Counter::kArpConflicts), 2U);
}

TEST_F(Conflicts, AnothersProbeForTheCandidateBlocksIt_R5227_02) {
  add("10.0.0.1/24");
  advance(1500ms);
  arp_request(kOwnMac, "0.0.0.0", "10.0.0.1");  // dropped: our own, come back
  EXPECT_EQ(state_of("10.0.0.1"), AddressState::kTentative);
  arp_request(kEvilMac, "0.0.0.0", "10.0.0.9");
  EXPECT_EQ(state_of("10.0.0.1"), AddressState::kTentative);
  arp_request(kEvilMac, "0.0.0.0", "10.0.0.1");
  EXPECT_EQ(state_of("10.0.0.1"), AddressState::kDuplicated);
}

TEST_F(Conflicts, OrdinaryRequestsForTheCandidateAreNoConflict) {
  add("10.0.0.1/24");
  advance(1500ms);
  arp_request(kPeerMac, "10.0.0.2", "10.0.0.1");
  EXPECT_EQ(state_of("10.0.0.1"), AddressState::kTentative);
  advance(30s);
  EXPECT_EQ(state_of("10.0.0.1"), AddressState::kPreferred);
}

TEST_F(Conflicts, AConflictInAnnounceWaitStillBlocks_R5227_02) {
  add("10.0.0.1/24");
  while (sent().size() < 1 || counted(Counter::kArpOutRequests) < 3) advance(10ms);
  advance(1900ms);
  arp_reply(kEvilMac, "10.0.0.1");
  EXPECT_EQ(state_of("10.0.0.1"), AddressState::kDuplicated);
}

TEST_F(Conflicts, AttemptsSlowDownAfterTenConflicts_R5227_03) {
  std::vector<Instant> first_probes;
  for (int i = 1; i <= 13; ++i) {
    const std::string candidate = fmt::format("10.0.0.{}", i);
    add((candidate + "/24").c_str());
    while (counted(Counter::kArpOutRequests) < static_cast<std::uint64_t>(i)) advance(100ms);
    first_probes.push_back(sent_one().time);
    arp_reply(kEvilMac, candidate.c_str(), "10.0.0.200");
    ASSERT_EQ(state_of(candidate.c_str()), AddressState::kDuplicated);
  }
  EXPECT_LT(first_probes[9] - first_probes[0], 20s);
  for (std::size_t i = 10; i < 13; ++i) EXPECT_GE(first_probes[i] - first_probes[i - 1], 60s) << i;
}

TEST_F(Conflicts, DefendsOnceAndGivesUpWhenClaimedAgain_R5227_05_ATK_ARP_03) {
  make_usable("10.0.0.1/24");
  arp_request(kEvilMac, "10.0.0.1", "10.0.0.9");
  const Sent defence = sent_one();
  EXPECT_EQ(defence.ethernet.destination, MacAddress::broadcast());
  EXPECT_EQ(defence.arp().sender_ip, address("10.0.0.1"));
  EXPECT_EQ(defence.arp().target_ip, address("10.0.0.1"));
  EXPECT_EQ(state_of("10.0.0.1"), AddressState::kPreferred);
  EXPECT_EQ(observer_.conflicts.size(), 1U);
  EXPECT_EQ(neighbour("10.0.0.1"), std::nullopt);

  advance(9s);
  arp_request(kEvilMac, "10.0.0.1", "10.0.0.9");
  EXPECT_TRUE(sent().empty());
  EXPECT_EQ(state_of("10.0.0.1"), AddressState::kDuplicated);
  EXPECT_EQ(observer_.conflicts.size(), 2U);
  EXPECT_EQ(changes_, 1);
  arp_request(kPeerMac, "10.0.0.2", "10.0.0.1");
  EXPECT_TRUE(sent().empty());  // it is not ours any longer
}

TEST_F(Conflicts, DefendsAgainAfterTheInterval_R5227_05) {
  make_usable("10.0.0.1/24");
  for (int i = 0; i < 5; ++i) {
    arp_request(kEvilMac, "10.0.0.1", "10.0.0.9");
    EXPECT_EQ(sent().size(), 1U);
    advance(10s);
  }
  EXPECT_EQ(state_of("10.0.0.1"), AddressState::kPreferred);
}

class Stubborn : public Conflicts {
 protected:
  Stubborn() : Conflicts(keeping()) {}
  static Setup keeping() {
    Setup setup = detecting();
    setup.interface.conflict_detection.gives_up = false;
    return setup;
  }
};

TEST_F(Stubborn, KeepsItsAddressAndAnswersAFloodOncePerInterval_R5227_05_ATK_ARP_03) {
  make_usable("10.0.0.1/24");
  for (int i = 0; i < 1000; ++i) {
    arp_request(kEvilMac, "10.0.0.1", "10.0.0.1");  // a claim that also looks like a question
    arp_request(kEvilMac, "10.0.0.1", "10.0.0.9");
    advance(19ms);
  }
  EXPECT_EQ(sent().size(), 2U);  // 19 s
  EXPECT_EQ(observer_.conflicts.size(), 2000U);
  EXPECT_EQ(state_of("10.0.0.1"), AddressState::kPreferred);
}

TEST_F(Conflicts, AnAddressCanBeTriedAgainOnceRemoved) {
  add("10.0.0.1/24");
  EXPECT_EQ(link_.add_address(*eth_, *IpPrefix::parse("10.0.0.1/24")).error(), Error::kAddressInUse);
  arp_reply(kEvilMac, "10.0.0.1");
  EXPECT_EQ(link_.add_address(*eth_, *IpPrefix::parse("10.0.0.1/24")).error(), Error::kAddressInUse);
  ASSERT_TRUE(link_.remove_address(*eth_, address("10.0.0.1")));
  EXPECT_EQ(link_.remove_address(*eth_, address("10.0.0.1")).error(), Error::kAddressNotAvailable);
  make_usable("10.0.0.1/24");
}

TEST_F(Conflicts, AnAddressRemovedWhileItIsProbedIsForgotten) {
  add("10.0.0.1/24");
  add("2001:db8::1/64");
  ASSERT_TRUE(link_.remove_address(*eth_, address("10.0.0.1")));
  ASSERT_TRUE(link_.remove_address(*eth_, address("2001:db8::1")));
  advance(30s);
  EXPECT_TRUE(sent().empty());
}

TEST_F(Conflicts, RefusesAddressesThatNoHostCanHave) {
  for (const char* prefix : {"224.0.0.5/24", "0.0.0.0/0", "255.255.255.255/32", "::/128", "ff02::5/64"}) {
    EXPECT_EQ(link_.add_address(*eth_, *IpPrefix::parse(prefix)).error(), Error::kInvalidArgument) << prefix;
  }
  EXPECT_EQ(link_.add_address(*eth_, {address("10.0.0.1"), 33}).error(), Error::kInvalidArgument);
  EXPECT_TRUE(eth_->addresses().empty());
}

TEST_F(LinkTest, WithoutDetectionAnAddressIsUsableAtOnceAndAnnouncedOnce) {
  add("10.0.0.9/24");
  EXPECT_EQ(state_of("10.0.0.9"), AddressState::kPreferred);
  const Sent v4 = sent_one();
  EXPECT_EQ(v4.arp().sender_ip, v4.arp().target_ip);
  add("2001:db8::9/64");
  EXPECT_EQ(state_of("2001:db8::9"), AddressState::kPreferred);
  const Sent v6 = sent_one();
  EXPECT_EQ(v6.advertisement().target, address("2001:db8::9"));
  EXPECT_EQ(v6.ipv6().destination, kAllNodes);
  EXPECT_FALSE(v6.advertisement().solicited);
  advance(1min);
  EXPECT_TRUE(sent().empty());
}

// ---------------------------------------------------------------- IPv6

TEST_F(Conflicts, SolicitsATentativeAddressBeforeItsUse_R4862_01) {
  const Instant start = context_.now;
  add("2001:db8::1/64");
  EXPECT_EQ(state_of("2001:db8::1"), AddressState::kTentative);
  EXPECT_TRUE(eth_->is_member(solicited_node_multicast(address("2001:db8::1"))));  // R4862-02: from the start
  advance(1s);  // R4862-02: after a random delay
  const Sent frame = sent_one();
  EXPECT_LE(frame.time - start, 1s);
  EXPECT_TRUE(frame.ipv6().source.is_unspecified());
  EXPECT_EQ(frame.ipv6().destination, address("ff02::1:ff00:1"));
  EXPECT_EQ(frame.ethernet.destination, MacAddress({0x33, 0x33, 0xff, 0, 0, 1}));
  const auto message = frame.solicitation();
  EXPECT_EQ(message.target, address("2001:db8::1"));
  EXPECT_EQ(message.options.source_link_address, std::nullopt);
  EXPECT_TRUE(message.options.nonce);  // R7527-01
  EXPECT_EQ(state_of("2001:db8::1"), AddressState::kTentative);
  advance(frame.time + 1s - context_.now);
  EXPECT_EQ(state_of("2001:db8::1"), AddressState::kPreferred);
  EXPECT_EQ(changes_, 2);  // before it was asked for, and when it had become usable
  EXPECT_TRUE(sent_one().is_advertisement());
}

TEST_F(Conflicts, ATentativeAddressIsNotAnsweredFor_R4861_07) {
  add("2001:db8::1/64");
  advance(1s);
  sent();
  solicit("fe80::2", "2001:db8::1", kPeerMac);
  EXPECT_TRUE(sent().empty());
  EXPECT_EQ(state_of("2001:db8::1"), AddressState::kTentative);  // somebody resolves it: no conflict
}

TEST_F(Conflicts, AnothersDetectionOfTheSameAddressBlocksIt_R4862_03_ATK_NDP_05) {
  add("2001:db8::1/64");
  advance(1s);
  sent();
  const IpAddress target = address("2001:db8::1");
  receive_ndp({IpAddress(), solicited_node_multicast(target)}, solicitation(target));
  EXPECT_EQ(state_of("2001:db8::1"), AddressState::kDuplicated);
  ASSERT_EQ(observer_.conflicts.size(), 1U);
  EXPECT_EQ(observer_.conflicts[0].address, target);
  EXPECT_EQ(counted(Counter::kNdpConflicts), 1U);
  advance(1min);
  EXPECT_TRUE(sent().empty());  // no busy loop
  EXPECT_FALSE(eth_->is_member(solicited_node_multicast(target)));
}

TEST_F(Conflicts, AnAdvertisementOfTheSameAddressBlocksIt_R4862_03_ATK_NDP_05) {
  add("2001:db8::1/64");
  advance(1s);
  sent();
  receive_ndp({address("2001:db8::1"), kAllNodes},
              advertisement(address("2001:db8::1"), kEvilMac, {.overrides = true}));
  EXPECT_EQ(state_of("2001:db8::1"), AddressState::kDuplicated);
  EXPECT_EQ(observer_.conflicts.at(0).other, kEvilMac);
  EXPECT_EQ(eth_->usable_address(address("2001:db8::1")), nullptr);
}

TEST_F(Conflicts, ItsOwnSolicitationComeBackIsNoConflict_R7527_01) {
  add("2001:db8::1/64");
  advance(1s);
  const auto own = sent_one().solicitation();
  const From from{IpAddress(), solicited_node_multicast(own.target)};
  receive_ndp(from, solicitation(own.target, std::nullopt, own.options.nonce));
  EXPECT_EQ(state_of("2001:db8::1"), AddressState::kTentative);
  auto other = *own.options.nonce;
  other[5] ^= 1;
  receive_ndp(from, solicitation(own.target, std::nullopt, other));
  EXPECT_EQ(state_of("2001:db8::1"), AddressState::kDuplicated);
}

TEST_F(Conflicts, NoncesAreUnpredictable) {
  add("2001:db8::1/64");
  add("2001:db8::2/64");
  advance(1s);
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_NE(frames[0].solicitation().options.nonce, frames[1].solicitation().options.nonce);
}

class LinkLocal : public Conflicts {
 protected:
  LinkLocal() : Conflicts(forming()) {}
  static Setup forming() {
    Setup setup = detecting();
    setup.interface.link_local = true;
    return setup;
  }
};

TEST_F(LinkLocal, IsFormedFromTheMacAndDetectedFirst_R2464_02_R4862_01) {
  ASSERT_EQ(eth_->addresses().size(), 1U);
  EXPECT_EQ(eth_->addresses()[0].prefix, *IpPrefix::parse("fe80::11:22ff:fe33:4455/64"));
  EXPECT_EQ(eth_->addresses()[0].state, AddressState::kTentative);
  advance(1s);
  EXPECT_EQ(sent_one().solicitation().target, address("fe80::11:22ff:fe33:4455"));
  advance(1s);
  EXPECT_EQ(eth_->addresses()[0].state, AddressState::kPreferred);
}

TEST_F(LinkLocal, WhenAnotherHasItIpv6StopsAndIpv4GoesOn_R4862_04) {
  add("10.0.0.1/24");
  add("2001:db8::1/64");
  advance(30s);
  sent();
  const IpAddress own = address("fe80::11:22ff:fe33:4455");
  ASSERT_TRUE(link_.remove_address(*eth_, own));
  add("fe80::11:22ff:fe33:4455/64");  // detected anew
  receive_ndp({IpAddress(), solicited_node_multicast(own)}, solicitation(own));
  EXPECT_EQ(state_of("fe80::11:22ff:fe33:4455"), AddressState::kDuplicated);
  sent();
  send("2001:db8::2");
  advance(10s);
  EXPECT_TRUE(sent().empty()) << "nothing goes out";
  solicit("2001:db8::2", "2001:db8::1", kPeerMac);
  EXPECT_TRUE(sent().empty()) << "and nothing comes in";
  arp_request(kPeerMac, "10.0.0.2", "10.0.0.1");
  EXPECT_EQ(sent().size(), 1U);
}

TEST_F(LinkLocal, IsNotFormedWhereIpv6CannotWork) {
  link::InterfaceConfig config = forming().interface;
  config.mtu = 1279;
  EXPECT_TRUE(link_.add_interface(config).addresses().empty());
  config.mtu = 1500;
  config.type = link::LinkType::kPointToPoint;
  EXPECT_TRUE(link_.add_interface(config).addresses().empty());
}

class Quick : public Conflicts {
 protected:
  Quick() : Conflicts(quickly()) {}
  static Setup quickly() {
    Setup setup = detecting();
    setup.interface.conflict_detection = link::ConflictDetection::quick();
    return setup;
  }
};

TEST_F(Quick, MakesAddressesUsableInSixtyMilliseconds) {
  add("10.0.0.1/24");
  add("2001:db8::1/64");
  advance(60ms);
  EXPECT_EQ(state_of("10.0.0.1"), AddressState::kPreferred);
  EXPECT_EQ(state_of("2001:db8::1"), AddressState::kPreferred);
  advance(1s);
  int probes = 0;
  int announcements = 0;
  for (const Sent& frame : sent()) {
    if (!frame.is(EtherType::kArp)) continue;
    (frame.arp().sender_ip.is_unspecified() ? probes : announcements) += 1;
  }
  EXPECT_EQ(probes, 2);
  EXPECT_EQ(announcements, 2);
}

}  // namespace
}  // namespace transom::test
