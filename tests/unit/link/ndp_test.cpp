// Neighbour Discovery by RFC 4861 §7: answering, learning, the override rules, and what is not believed.
#include "tests/unit/link/link_fixture.h"

namespace transom::test {
namespace {

class Ndp : public LinkTest {
 protected:
  const IpAddress own_ = address("2001:db8::1");
  const IpAddress peer_ = address("2001:db8::2");
  const IpAddress own_group_ = solicited_node_multicast(own_);

  // The message is dropped for this reason: no answer, and no neighbour comes, goes or changes.
  void expect_ignored(const From& from, const Octets& message, DropReason reason) {
    const auto before = link_.neighbours();
    const std::uint64_t drops = dropped(reason);
    receive_ndp(from, message);
    EXPECT_EQ(dropped(reason), drops + 1) << to_string(reason);
    EXPECT_TRUE(sent().empty());
    const auto after = link_.neighbours();
    ASSERT_EQ(after.size(), before.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
      EXPECT_EQ(after[i].state, before[i].state);
      EXPECT_EQ(after[i].mac, before[i].mac);
      EXPECT_EQ(after[i].confirmed, before[i].confirmed);
    }
  }
};

// ---------------------------------------------------------------- asking

TEST_F(Ndp, AsksTheSolicitedNodeGroup_R4861_06_R2464_01) {
  send("2001:db8::2");
  const Sent frame = sent_one();
  EXPECT_EQ(frame.ethernet.destination, MacAddress({0x33, 0x33, 0xff, 0, 0, 2}));
  EXPECT_EQ(frame.ipv6().source, own_);
  EXPECT_EQ(frame.ipv6().destination, address("ff02::1:ff00:2"));
  const auto message = frame.solicitation();
  EXPECT_EQ(message.target, peer_);
  EXPECT_EQ(message.options.source_link_address, kOwnMac);
  EXPECT_EQ(counted(Counter::kIcmp6OutNeighborSolicits), 1U);
}

TEST_F(Ndp, AsksALinkLocalNeighbourFromItsLinkLocalAddress) {
  send("fe80::2");
  EXPECT_EQ(sent_one().ipv6().source, address("fe80::1"));
}

TEST_F(Ndp, ProbesTheNeighbourItself_R4861_11) {
  make_reachable("2001:db8::2");
  advance(2s);
  link_.suspect(*eth_, peer_);
  const Sent probe = sent_one();
  EXPECT_EQ(probe.ethernet.destination, kPeerMac);
  EXPECT_EQ(probe.ipv6().destination, peer_);
  EXPECT_EQ(probe.solicitation().target, peer_);
}

// ---------------------------------------------------------------- answering

TEST_F(Ndp, AnswersASolicitationForItsAddress_R4861_07) {
  solicit("2001:db8::2", "2001:db8::1", kPeerMac);
  const Sent frame = sent_one();
  EXPECT_EQ(frame.ethernet.destination, kPeerMac);
  EXPECT_EQ(frame.ipv6().source, own_);
  EXPECT_EQ(frame.ipv6().destination, peer_);
  const auto message = frame.advertisement();
  EXPECT_TRUE(message.solicited && message.override_cache && !message.router);
  EXPECT_EQ(message.target, own_);
  EXPECT_EQ(message.options.target_link_address, kOwnMac);
  EXPECT_EQ(counted(Counter::kIcmp6InNeighborSolicits), 1U);
  EXPECT_EQ(counted(Counter::kIcmp6OutNeighborAdvertisements), 1U);
}

TEST_F(Ndp, AnswersAUnicastProbeOfTheNeighbour) {
  receive_ndp({peer_, own_}, solicitation(own_, kPeerMac));
  EXPECT_TRUE(sent_one().advertisement().solicited);
}

TEST_F(Ndp, AnswersAProbeWithoutLinkAddressAtTheKnownOne) {
  make_reachable("2001:db8::2");
  receive_ndp({peer_, own_}, solicitation(own_));
  EXPECT_EQ(sent_one().ethernet.destination, kPeerMac);
}

TEST_F(Ndp, AsksForTheLinkAddressOfWhoDoesNotGiveIt_R4861_07) {
  receive_ndp({peer_, own_}, solicitation(own_));
  EXPECT_EQ(sent_one().solicitation().target, peer_);
  advertise("2001:db8::2", kPeerMac, {.solicited = true, .overrides = true});
  const Sent answer = sent_one();
  EXPECT_EQ(answer.ethernet.destination, kPeerMac);
  EXPECT_TRUE(answer.advertisement().solicited);
}

TEST_F(Ndp, AnswersDetectionByAnotherToAllNodes_R4861_07) {
  receive_ndp({IpAddress(), own_group_}, solicitation(own_));
  const Sent frame = sent_one();
  EXPECT_EQ(frame.ethernet.destination, MacAddress({0x33, 0x33, 0, 0, 0, 1}));
  EXPECT_EQ(frame.ipv6().destination, kAllNodes);
  EXPECT_FALSE(frame.advertisement().solicited);
  EXPECT_TRUE(frame.advertisement().override_cache);
  EXPECT_TRUE(link_.neighbours().empty());
}

TEST_F(Ndp, DoesNotAnswerForOthers) {
  expect_ignored({peer_, solicited_node_multicast(address("2001:db8::9"))},
                 solicitation(address("2001:db8::9"), kPeerMac), DropReason::kNdpUnmatched);
}

TEST_F(Ndp, OneWhoFloodsIsAnsweredNowAndThen_ATK_NDP_27) {
  for (int i = 0; i < 5000; ++i) solicit("2001:db8::2", "2001:db8::1", kEvilMac);
  const auto answers = sent();
  EXPECT_GT(answers.size(), 0U);
  EXPECT_LE(answers.size(), 100U);
  EXPECT_EQ(dropped(DropReason::kNeighbourRateLimited), 5000 - answers.size());
  solicit("2001:db8::3", "2001:db8::1", kPeerMac);
  EXPECT_EQ(sent().size(), 1U);
}

// ---------------------------------------------------------------- learning from solicitations

TEST_F(Ndp, SolicitationCreatesAStaleEntry_R4861_08) {
  solicit("2001:db8::2", "2001:db8::1", kPeerMac);
  EXPECT_EQ(neighbour_state("2001:db8::2"), NeighbourState::kStale);
  EXPECT_EQ(neighbour_mac("2001:db8::2"), kPeerMac);
}

TEST_F(Ndp, SolicitationWithAnotherMacMakesTheEntryStaleAndProbesDecide_R4861_08_ATK_NDP_04) {
  make_reachable("2001:db8::2");
  solicit("2001:db8::2", "2001:db8::1", kEvilMac);
  sent();
  EXPECT_EQ(neighbour_state("2001:db8::2"), NeighbourState::kStale);
  EXPECT_EQ(neighbour_mac("2001:db8::2"), kEvilMac);
  ASSERT_EQ(observer_.conflicts.size(), 1U);
  EXPECT_EQ(observer_.conflicts[0].address, peer_);
  send("2001:db8::2");
  sent();
  advance(5s);
  EXPECT_TRUE(sent_one().is_solicitation());
}

TEST_F(Ndp, SolicitationWithTheSameMacChangesNothing) {
  make_reachable("2001:db8::2");
  solicit("2001:db8::2", "2001:db8::1", kPeerMac);
  EXPECT_EQ(neighbour_state("2001:db8::2"), NeighbourState::kReachable);
  EXPECT_TRUE(observer_.conflicts.empty());
}

TEST_F(Ndp, SourceThatIsNoNeighbourIsNeitherLearntNorAnswered_ATK_NDP_19) {
  expect_ignored({address("2001:db8:ffff::66"), own_group_}, solicitation(own_, kEvilMac),
                 DropReason::kNdpUnmatched);
  expect_ignored({own_, own_group_}, solicitation(own_, kEvilMac), DropReason::kNdpUnmatched);  // ourselves
}

// ---------------------------------------------------------------- what is invalid

TEST_F(Ndp, InvalidSolicitationsAreIgnored_R4861_01) {
  make_reachable("2001:db8::2");
  const From from{peer_, own_group_};
  const Octets good = solicitation(own_, kEvilMac);
  expect_ignored({peer_, own_group_, 254}, good, DropReason::kNdpBadHopLimit);       // ATK-NDP-20
  expect_ignored({peer_, own_group_, 255, true}, good, DropReason::kNdpFragmented);  // R6980-01, ATK-NDP-21
  Octets bad = good;
  bad[1] = 1;  // code
  expect_ignored(from, bad, DropReason::kNdpMalformed);
  for (std::size_t size = 0; size < 24; ++size) {
    const Octets cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    expect_ignored(from, cut, DropReason::kNdpMalformed);
  }
  expect_ignored(from, solicitation(kAllNodes, kEvilMac), DropReason::kNdpMalformed);
  // From the unspecified address: to the solicited-node group, and without a link address.
  expect_ignored({IpAddress(), own_}, solicitation(own_), DropReason::kNdpMalformed);
  expect_ignored({IpAddress(), kAllNodes}, solicitation(own_), DropReason::kNdpMalformed);
  expect_ignored({IpAddress(), own_group_}, solicitation(own_, kEvilMac), DropReason::kNdpMalformed);
  expect_ignored({address("ff02::5"), own_group_}, solicitation(own_, kEvilMac), DropReason::kNdpMalformed);
}

TEST_F(Ndp, InvalidAdvertisementsAreIgnored_R4861_02) {
  make_reachable("2001:db8::2");
  const From from{peer_, own_};
  const Octets good = advertisement(peer_, kEvilMac, {.solicited = true, .overrides = true});
  expect_ignored({peer_, own_, 254}, good, DropReason::kNdpBadHopLimit);       // ATK-NDP-20
  expect_ignored({peer_, own_, 255, true}, good, DropReason::kNdpFragmented);  // ATK-NDP-21
  Octets bad = good;
  bad[1] = 7;
  expect_ignored(from, bad, DropReason::kNdpMalformed);
  for (std::size_t size = 0; size < 24; ++size) {
    const Octets cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    expect_ignored(from, cut, DropReason::kNdpMalformed);
  }
  expect_ignored(from, advertisement(address("ff02::2"), kEvilMac, {.overrides = true}),
                 DropReason::kNdpMalformed);
  expect_ignored({peer_, kAllNodes}, good, DropReason::kNdpMalformed);  // solicited, to a group
}

TEST_F(Ndp, ImpossibleLinkAddressesAreIgnored) {
  make_reachable("2001:db8::2");
  for (const MacAddress& mac :
       {MacAddress::broadcast(), MacAddress({0x33, 0x33, 0, 0, 0, 1}), kNoMac, kOwnMac}) {
    expect_ignored({peer_, own_group_}, solicitation(own_, mac), DropReason::kNdpMalformed);
    expect_ignored({peer_, own_}, advertisement(peer_, mac, {.solicited = true, .overrides = true}),
                   DropReason::kNdpMalformed);
  }
}

TEST_F(Ndp, OptionOfLengthZeroDropsTheMessage_R4861_05_ATK_NDP_17) {
  Octets message = solicitation(own_, kEvilMac);
  ASSERT_EQ(message.size(), 32U);
  message[25] = 0;
  expect_ignored({peer_, own_group_}, message, DropReason::kNdpMalformed);
  Octets answer = advertisement(peer_, kEvilMac, {.overrides = true});
  answer[25] = 0;
  expect_ignored({peer_, kAllNodes}, answer, DropReason::kNdpMalformed);
}

TEST_F(Ndp, OptionBeyondTheMessageDropsIt_ATK_NDP_18) {
  for (const std::uint8_t length : std::vector<std::uint8_t>{2, 3, 255}) {
    Octets message = solicitation(own_, kEvilMac);
    message[25] = length;
    expect_ignored({peer_, own_group_}, message, DropReason::kNdpMalformed);
  }
  for (std::size_t size = 25; size < 32; ++size) {
    Octets message = solicitation(own_, kEvilMac);
    message.resize(size);
    expect_ignored({peer_, own_group_}, message, DropReason::kNdpMalformed);
  }
}

TEST_F(Ndp, HandsValidRouterAdvertisementsUpAndLearnsTheLinkAddressOfOneThatIsHeeded_R4861_03) {
  wire::RouterAdvertisement router;
  router.router_lifetime = 1800;
  router.options.source_link_address = kEvilMac;
  const IpAddress source = address("fe80::66");
  const Octets good = written(router, router.size());
  expect_ignored({source, kAllNodes}, good, DropReason::kIcmpIgnored);
  ASSERT_EQ(network_.advertisements.size(), 1U);
  EXPECT_EQ(network_.advertisements[0].first, source);
  EXPECT_EQ(network_.advertisements[0].second.router_lifetime, 1800);
  network_.heeds_routers = true;
  expect_ignored({source, kAllNodes, 254}, good, DropReason::kNdpBadHopLimit);
  expect_ignored({source, kAllNodes, 255, true}, good, DropReason::kNdpFragmented);
  expect_ignored({address("2001:db8::66"), kAllNodes}, good, DropReason::kNdpMalformed);
  for (std::size_t size = 1; size < good.size(); ++size) {
    if (size == 16) continue;  // without options
    const Octets cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    expect_ignored({source, kAllNodes}, cut, DropReason::kNdpMalformed);
  }
  EXPECT_EQ(network_.advertisements.size(), 1U);
  EXPECT_TRUE(link_.neighbours().empty());
  receive_ndp({source, kAllNodes}, good);
  EXPECT_EQ(neighbour_state("fe80::66"), NeighbourState::kStale);
  EXPECT_EQ(neighbour_mac("fe80::66"), kEvilMac);
  const wire::RouterSolicitation solicitation;
  expect_ignored({source, kAllRouters}, written(solicitation, solicitation.size()), DropReason::kIcmpIgnored);
}

// ---------------------------------------------------------------- redirects, RFC 4861 §8

TEST_F(Ndp, HandsValidRedirectsUpAndLearnsTheLinkAddressOfAFollowedOne_R4861_04) {
  wire::NdpRedirect redirect;
  redirect.target = address("fe80::77");
  redirect.destination = address("2001:db8:5::5");
  redirect.options.target_link_address = kEvilMac;
  const IpAddress router = address("fe80::fe");
  network_.follows_redirects = false;
  receive_ndp({router, own_}, written(redirect, redirect.size()));
  ASSERT_EQ(network_.redirects.size(), 1U);
  EXPECT_EQ(network_.redirects[0], (std::array{router, redirect.destination, redirect.target}));
  EXPECT_TRUE(link_.neighbours().empty());
  network_.follows_redirects = true;
  receive_ndp({router, own_}, written(redirect, redirect.size()));
  EXPECT_EQ(neighbour_state("fe80::77"), NeighbourState::kStale);
  EXPECT_EQ(neighbour_mac("fe80::77"), kEvilMac);
  EXPECT_EQ(counted(Counter::kIcmp6InRedirects), 2U);
}

TEST_F(Ndp, InvalidRedirectsAreIgnored_R4861_04) {
  wire::NdpRedirect redirect;
  redirect.target = address("fe80::77");
  redirect.destination = address("2001:db8:5::5");
  redirect.options.target_link_address = kEvilMac;
  const Octets message = written(redirect, redirect.size());
  const IpAddress router = address("fe80::fe");
  expect_ignored({router, own_, 254}, message, DropReason::kNdpBadHopLimit);
  expect_ignored({router, own_, 255, true}, message, DropReason::kNdpFragmented);
  expect_ignored({address("2001:db8::fe"), own_}, message, DropReason::kNdpMalformed);
  Octets other_code = message;
  other_code[1] = 1;
  expect_ignored({router, own_}, other_code, DropReason::kNdpMalformed);
  for (std::size_t size = 1; size < message.size(); ++size) {
    if (size == 40) continue;  // between two options: whole without them
    expect_ignored({router, own_}, {message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size)},
                   DropReason::kNdpMalformed);
  }
  Octets no_length = message;
  no_length[41] = 0;
  expect_ignored({router, own_}, no_length, DropReason::kNdpMalformed);
  for (const MacAddress& mac : {MacAddress::broadcast(), kNoMac, kOwnMac}) {
    redirect.options.target_link_address = mac;
    expect_ignored({router, own_}, written(redirect, redirect.size()), DropReason::kNdpMalformed);
  }
  EXPECT_TRUE(network_.redirects.empty());
}

// ---------------------------------------------------------------- advertisements, RFC 4861 §7.2.5

TEST_F(Ndp, AdvertisementCreatesNoEntry_R4861_09_ATK_NDP_03) {
  advertise("2001:db8::2", kEvilMac, {.overrides = true});
  advertise("2001:db8::2", kEvilMac, {.solicited = true, .overrides = true});
  EXPECT_TRUE(link_.neighbours().empty());
}

TEST_F(Ndp, UnsolicitedAdvertisementResolvesButDoesNotConfirm) {
  send("2001:db8::2");
  sent();
  advertise("2001:db8::2", kPeerMac, {.overrides = true});
  EXPECT_EQ(sent_one().ethernet.destination, kPeerMac);
  EXPECT_EQ(neighbour_state("2001:db8::2"), NeighbourState::kStale);
}

TEST_F(Ndp, AdvertisementWithoutLinkAddressResolvesNothing) {
  send("2001:db8::2");
  sent();
  advertise("2001:db8::2", std::nullopt, {.solicited = true, .overrides = true});
  EXPECT_TRUE(sent().empty());
  EXPECT_EQ(neighbour_state("2001:db8::2"), NeighbourState::kIncomplete);
}

TEST_F(Ndp, AdvertisementWithoutLinkAddressConfirmsAProbe) {
  make_reachable("2001:db8::2");
  advance(2s);
  link_.suspect(*eth_, peer_);
  advertise("2001:db8::2", std::nullopt, {.solicited = true});
  EXPECT_EQ(neighbour_state("2001:db8::2"), NeighbourState::kReachable);
  EXPECT_EQ(neighbour_mac("2001:db8::2"), kPeerMac);
}

TEST_F(Ndp, WithoutOverrideAnotherMacIsOnlyADoubt_R4861_10) {
  make_reachable("2001:db8::2");
  advertise("2001:db8::2", kEvilMac, {.solicited = true});
  EXPECT_EQ(neighbour_mac("2001:db8::2"), kPeerMac);
  EXPECT_EQ(neighbour_state("2001:db8::2"), NeighbourState::kStale);
  // The doubt holds: what was confirmed before it does not count when it is used.
  send("2001:db8::2");
  sent();
  advance(5s);
  EXPECT_EQ(neighbour_state("2001:db8::2"), NeighbourState::kProbe);
  advertise("2001:db8::2", kEvilMac, {.solicited = true});
  EXPECT_EQ(neighbour_mac("2001:db8::2"), kPeerMac);
  EXPECT_EQ(neighbour_state("2001:db8::2"), NeighbourState::kProbe);
}

TEST_F(Ndp, UnsolicitedOverrideReplacesTheMacAndIsProbed_ATK_NDP_03) {
  make_reachable("2001:db8::2");
  advertise("2001:db8::2", kEvilMac, {.overrides = true});
  EXPECT_EQ(neighbour_mac("2001:db8::2"), kEvilMac);
  EXPECT_EQ(neighbour_state("2001:db8::2"), NeighbourState::kStale);
  ASSERT_EQ(observer_.conflicts.size(), 1U);
  EXPECT_EQ(observer_.conflicts[0].other, kEvilMac);
  send("2001:db8::2");
  sent();
  advance(8s);
  EXPECT_EQ(neighbour("2001:db8::2"), std::nullopt);  // nobody answered the probes
}

TEST_F(Ndp, SolicitedOverrideReplacesTheMacAndConfirms) {
  make_reachable("2001:db8::2");
  advertise("2001:db8::2", kEvilMac, {.solicited = true, .overrides = true});
  EXPECT_EQ(neighbour_mac("2001:db8::2"), kEvilMac);
  EXPECT_EQ(neighbour_state("2001:db8::2"), NeighbourState::kReachable);
}

TEST_F(Ndp, UnsolicitedWithTheSameMacChangesNothing) {
  make_reachable("2001:db8::2");
  advance(46s);
  EXPECT_EQ(neighbour_state("2001:db8::2"), NeighbourState::kStale);
  advertise("2001:db8::2", kPeerMac, {.overrides = true});
  EXPECT_EQ(neighbour_state("2001:db8::2"), NeighbourState::kStale);
}

TEST_F(Ndp, AnotherNodeThatClaimsAnAddressInUseIsReported) {
  receive_ndp({own_, kAllNodes}, advertisement(own_, kEvilMac, {.overrides = true}));
  ASSERT_EQ(observer_.conflicts.size(), 1U);
  EXPECT_EQ(observer_.conflicts[0].other, kEvilMac);
  EXPECT_EQ(counted(Counter::kNdpConflicts), 1U);
  EXPECT_EQ(state_of("2001:db8::1"), link::AddressState::kPreferred);  // RFC 4862 §5.4.4
  EXPECT_TRUE(link_.neighbours().empty());
}

}  // namespace
}  // namespace transom::test
