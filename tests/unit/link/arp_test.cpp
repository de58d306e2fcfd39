// ARP by RFC 826: asking, answering, learning, and whom not to believe.
#include "tests/unit/link/link_fixture.h"

namespace transom::test {
namespace {

using Arp = LinkTest;

TEST_F(Arp, AsksEverybodyForAnUnknownNeighbour_R826_05) {
  send("10.0.0.2");
  const Sent frame = sent_one();
  EXPECT_EQ(frame.ethernet.destination, MacAddress::broadcast());
  EXPECT_EQ(frame.arp(), (wire::ArpPacket{Operation::kRequest, kOwnMac, address("10.0.0.1"), kNoMac,
                                          address("10.0.0.2")}));
  EXPECT_EQ(counted(Counter::kArpOutRequests), 1U);
  EXPECT_EQ(neighbour_state("10.0.0.2"), NeighbourState::kIncomplete);
}

TEST_F(Arp, AsksFromTheAddressInTheNeighboursPrefix) {
  add("192.168.7.1/24");
  sent();
  send("192.168.7.9");
  EXPECT_EQ(sent_one().arp().sender_ip, address("192.168.7.1"));
  send("10.0.0.9");
  EXPECT_EQ(sent_one().arp().sender_ip, address("10.0.0.1"));
}

// A request from 0.0.0.0 would be a probe (RFC 5227 §1.1).
TEST_F(Arp, DoesNotAskWithoutAnAddressOfItsOwn) {
  ASSERT_TRUE(link_.remove_address(*eth_, address("10.0.0.1")));
  send("10.0.0.2");
  advance(3s);
  EXPECT_TRUE(sent().empty());
  EXPECT_EQ(network_.failures.size(), 1U);
}

TEST_F(Arp, RepliesToRequestForOwnAddress_R826_02) {
  arp_request(kPeerMac, "10.0.0.2", "10.0.0.1");
  const Sent frame = sent_one();
  EXPECT_EQ(frame.ethernet.destination, kPeerMac);
  EXPECT_EQ(frame.arp(), (wire::ArpPacket{Operation::kReply, kOwnMac, address("10.0.0.1"), kPeerMac,
                                          address("10.0.0.2")}));
  EXPECT_EQ(counted(Counter::kArpInRequests), 1U);
  EXPECT_EQ(counted(Counter::kArpOutReplies), 1U);
}

TEST_F(Arp, AnswersAUnicastProbeOfTheNeighbour) {
  receive_arp(Operation::kRequest, kPeerMac, "10.0.0.2", kOwnMac, "10.0.0.1", kOwnMac);
  EXPECT_EQ(sent_one().arp().operation, Operation::kReply);
}

TEST_F(Arp, DoesNotReplyForOthersOrForAnAddressNotYetInUse) {
  arp_request(kPeerMac, "10.0.0.2", "10.0.0.3");
  eth_->find_address(address("10.0.0.1"))->state = link::AddressState::kTentative;
  arp_request(kPeerMac, "10.0.0.2", "10.0.0.1");
  eth_->find_address(address("10.0.0.1"))->state = link::AddressState::kDuplicated;
  arp_request(kPeerMac, "10.0.0.2", "10.0.0.1");
  EXPECT_TRUE(sent().empty());
}

TEST_F(Arp, LearnsWhoAsksForIt_R826_04) {
  arp_request(kPeerMac, "10.0.0.2", "10.0.0.1");
  EXPECT_EQ(neighbour_state("10.0.0.2"), NeighbourState::kStale);
  EXPECT_EQ(neighbour_mac("10.0.0.2"), kPeerMac);
}

TEST_F(Arp, LearnsNothingFromRequestsBetweenOthers_R826_04) {
  arp_request(kPeerMac, "10.0.0.2", "10.0.0.3");
  EXPECT_TRUE(link_.neighbours().empty());
}

// It is answered, but no neighbour of ours can have that address.
TEST_F(Arp, DoesNotLearnAnAddressThatIsNotOnTheLink) {
  arp_request(kPeerMac, "8.8.8.8", "10.0.0.1");
  EXPECT_EQ(sent_one().arp().target_ip, address("8.8.8.8"));
  EXPECT_TRUE(link_.neighbours().empty());
}

TEST_F(Arp, ProbesOfOthersAreAnsweredButNotLearnt_R5227_06) {
  arp_request(kPeerMac, "0.0.0.0", "10.0.0.1");
  const Sent frame = sent_one();  // ATK-ARP-12: to the one who probes
  EXPECT_EQ(frame.ethernet.destination, kPeerMac);
  EXPECT_EQ(frame.arp().sender_ip, address("10.0.0.1"));
  arp_request(kPeerMac, "0.0.0.0", "10.0.0.7");
  EXPECT_TRUE(link_.neighbours().empty());
}

TEST_F(Arp, MergesANewMacOfAnOldNeighbour_R826_03) {
  arp_request(kPeerMac, "10.0.0.2", "10.0.0.1");
  arp_request(kEvilMac, "10.0.0.2", "10.0.0.3");  // not even for us
  EXPECT_EQ(neighbour_mac("10.0.0.2"), kEvilMac);
  EXPECT_EQ(neighbour_state("10.0.0.2"), NeighbourState::kStale);
  ASSERT_EQ(observer_.conflicts.size(), 1U);
  EXPECT_EQ(observer_.conflicts[0].other, kEvilMac);
}

TEST_F(Arp, AsksAtMostOnceASecond_R1122_07) {
  for (int i = 0; i < 250; ++i) {
    send("10.0.0.2");
    advance(10ms);
  }
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[1].time - frames[0].time, 1s);
  EXPECT_EQ(frames[2].time - frames[1].time, 1s);
}

// Forged hearsay makes us doubt a neighbour again and again; each doubt must not cost a request.
TEST_F(Arp, AsksAtMostOnceASecondWhateverMakesItDoubt_R1122_07) {
  make_reachable("10.0.0.2");
  advance(5s);
  for (int i = 0; i < 300; ++i) {
    arp_request(kEvilMac, "10.0.0.2", "10.0.0.3");
    advance(5ms);
    arp_reply(kPeerMac, "10.0.0.2");
    advance(5ms);
  }
  const auto frames = sent();
  EXPECT_LE(frames.size(), 4U);
  EXPECT_GE(frames.size(), 1U);
  EXPECT_EQ(neighbour_mac("10.0.0.2"), kPeerMac);
}

// ---------------------------------------------------------------- poisoning

TEST_F(Arp, UnsolicitedReplyCreatesNothing_ATK_ARP_01) {
  arp_reply(kEvilMac, "10.0.0.254");
  receive_arp(Operation::kReply, kEvilMac, "10.0.0.254", MacAddress::broadcast(), "10.0.0.254");
  EXPECT_TRUE(link_.neighbours().empty());
  EXPECT_TRUE(sent().empty());
}

TEST_F(Arp, UnsolicitedReplyDoesNotReplaceALiveNeighbour_ATK_ARP_01) {
  make_reachable("10.0.0.2");
  advance(3s);
  arp_reply(kEvilMac, "10.0.0.2");
  ASSERT_EQ(observer_.conflicts.size(), 1U);
  EXPECT_EQ(observer_.conflicts[0].address, address("10.0.0.2"));
  const Sent probe = sent_one();
  EXPECT_EQ(probe.ethernet.destination, kPeerMac);  // the one that was good decides
  EXPECT_EQ(neighbour_mac("10.0.0.2"), kPeerMac);

  // The attacker goes on while the probe is out: that is no answer to it.
  arp_reply(kEvilMac, "10.0.0.2");
  EXPECT_EQ(neighbour_mac("10.0.0.2"), kPeerMac);
  EXPECT_EQ(neighbour_state("10.0.0.2"), NeighbourState::kProbe);
  send("10.0.0.2");
  EXPECT_EQ(sent_one().ethernet.destination, kPeerMac);

  arp_reply(kPeerMac, "10.0.0.2");
  EXPECT_EQ(neighbour_state("10.0.0.2"), NeighbourState::kReachable);
  EXPECT_EQ(neighbour_mac("10.0.0.2"), kPeerMac);
}

TEST_F(Arp, GratuitousArpOfAnotherIsVerified_ATK_ARP_02) {
  make_reachable("10.0.0.2");
  advance(3s);
  arp_request(kEvilMac, "10.0.0.2", "10.0.0.2");
  EXPECT_EQ(sent_one().ethernet.destination, kPeerMac);
  EXPECT_EQ(neighbour_mac("10.0.0.2"), kPeerMac);
  EXPECT_EQ(observer_.conflicts.size(), 1U);
  arp_request(kEvilMac, "10.0.0.77", "10.0.0.77");
  EXPECT_EQ(neighbour("10.0.0.77"), std::nullopt);
}

TEST_F(Arp, ANeighbourThatReallyMovedIsFound) {
  make_reachable("10.0.0.2");
  advance(3s);
  arp_request(kEvilMac, "10.0.0.2", "10.0.0.2");
  advance(3s);  // three probes, and nobody at the old address
  const auto probes = sent();
  ASSERT_EQ(probes.size(), 3U);
  for (const Sent& probe : probes) EXPECT_EQ(probe.ethernet.destination, kPeerMac);
  send("10.0.0.2");
  EXPECT_EQ(sent_one().ethernet.destination, MacAddress::broadcast());
  arp_reply(kEvilMac, "10.0.0.2");
  EXPECT_EQ(neighbour_mac("10.0.0.2"), kEvilMac);
  EXPECT_EQ(neighbour_state("10.0.0.2"), NeighbourState::kReachable);
}

TEST_F(Arp, PermanentEntriesNeverChange_ATK_ARP_02) {
  ASSERT_TRUE(link_.set_permanent(*eth_, address("10.0.0.2"), kPeerMac));
  arp_reply(kEvilMac, "10.0.0.2");
  arp_request(kEvilMac, "10.0.0.2", "10.0.0.2");
  arp_request(kEvilMac, "10.0.0.2", "10.0.0.1");
  link_.suspect(*eth_, address("10.0.0.2"));
  EXPECT_EQ(neighbour_mac("10.0.0.2"), kPeerMac);
  EXPECT_EQ(neighbour_state("10.0.0.2"), NeighbourState::kPermanent);
}

TEST_F(Arp, GroupSenderAddressIsRejected_ATK_ARP_06) {
  send("10.0.0.2");
  sent();
  for (const MacAddress& mac : {MacAddress::broadcast(), MacAddress({1, 0, 0x5e, 0, 0, 1}), kNoMac}) {
    arp_reply(mac, "10.0.0.2");
    arp_request(mac, "10.0.0.3", "10.0.0.1");
  }
  EXPECT_EQ(dropped(DropReason::kArpInvalidSender), 6U);
  EXPECT_EQ(neighbour_state("10.0.0.2"), NeighbourState::kIncomplete);
  EXPECT_EQ(neighbour("10.0.0.3"), std::nullopt);
  EXPECT_TRUE(sent().empty());
}

TEST_F(Arp, SenderThatNobodyCanHaveIsRejected_ATK_ARP_07) {
  for (const char* sender :
       {"255.255.255.255", "224.0.0.1", "10.0.0.255", "127.0.0.1", "0.1.2.3", "240.0.0.1"}) {
    arp_request(kPeerMac, sender, "10.0.0.1");
    arp_reply(kPeerMac, sender);
  }
  arp_reply(kPeerMac, "0.0.0.0");
  EXPECT_EQ(dropped(DropReason::kArpInvalidSender), 13U);
  EXPECT_TRUE(link_.neighbours().empty());
  EXPECT_TRUE(sent().empty());
}

TEST_F(Arp, MalformedPacketsAreDropped_R826_01_ATK_ARP_08_ATK_ARP_09) {
  const Octets good = written(
      wire::ArpPacket{Operation::kRequest, kPeerMac, address("10.0.0.2"), kNoMac, address("10.0.0.1")}, 28);
  const auto deliver = [&](const Octets& arp) {
    receive(ethernet(MacAddress::broadcast(), kPeerMac, EtherType::kArp, arp));
  };
  std::uint64_t expected = 0;
  for (std::size_t size = 0; size < good.size(); ++size, ++expected) {
    deliver(Octets(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)));
  }
  const struct {
    std::size_t at;
    std::uint8_t value;
  } lies[] = {{1, 6}, {2, 0x86}, {4, 8}, {4, 255}, {5, 16}, {5, 255}, {5, 0}, {7, 4}, {7, 0}};
  for (const auto& lie : lies) {
    Octets bad = good;
    bad[lie.at] = lie.value;
    deliver(bad + Octets(18));
    ++expected;
  }
  EXPECT_EQ(dropped(DropReason::kArpMalformed), expected);
  EXPECT_TRUE(link_.neighbours().empty());
  EXPECT_TRUE(sent().empty());
  deliver(good);
  EXPECT_EQ(sent().size(), 1U);
}

// RFC 826 replies to the sender hardware address; the frame's own source is not believed, and not answered.
TEST_F(Arp, ReplyGoesToTheSenderHardwareAddress_ATK_ARP_11) {
  const wire::ArpPacket request{Operation::kRequest, kEvilMac, address("10.0.0.2"), kNoMac,
                                address("10.0.0.1")};
  receive(ethernet(kOwnMac, kPeerMac, EtherType::kArp, written(request, 28)));
  const Sent frame = sent_one();
  EXPECT_EQ(frame.ethernet.destination, kEvilMac);
  EXPECT_EQ(frame.arp().target_mac, kEvilMac);
}

TEST_F(Arp, OneWhoFloodsIsAnsweredNowAndThenAndTakesNothingFromOthers_ATK_ARP_12) {
  for (int i = 0; i < 5000; ++i) arp_request(kEvilMac, "0.0.0.0", "10.0.0.1");
  const auto replies = sent();
  EXPECT_GT(replies.size(), 0U);
  EXPECT_LE(replies.size(), 100U);
  EXPECT_EQ(dropped(DropReason::kNeighbourRateLimited), 5000 - replies.size());
  arp_request(kPeerMac, "10.0.0.2", "10.0.0.1");
  EXPECT_EQ(sent().size(), 1U);
  advance(1s);
  arp_request(kEvilMac, "0.0.0.0", "10.0.0.1");
  EXPECT_EQ(sent().size(), 1U);
}

TEST_F(Arp, SurvivesRunningOutOfBuffers) {
  BufferPool small({.frames = 2, .super_frames = 0});
  Context context(small, seed_from_number(1), Instant(0s));
  link::LinkLayer link(context, {});
  RecordingNetwork network;
  link.set_network(network);
  link::Interface& interface = link.add_interface(plain().interface);
  ASSERT_TRUE(
      link.add_address(interface, *IpPrefix::parse("10.0.0.1/24")));  // the announcement holds one buffer
  Packet packet = small.copy_of(ip_packet(address("10.0.0.1"), address("10.0.0.2")));
  link.send(interface, std::move(packet), address("10.0.0.2"));
  EXPECT_EQ(context.counters[Counter::kBufferExhausted], 1U);
  interface.transmit_queue().clear();
  context.now += 1s;
  context.timers.advance(context.now);
  EXPECT_EQ(interface.transmit_queue().size(), 1U);  // asked again
  interface.transmit_queue().clear();
}

}  // namespace
}  // namespace transom::test
