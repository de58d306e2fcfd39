// The neighbour cache: the states of RFC 4861 §7.3, for ARP and NDP alike, the packets that wait, and the
// bounds.
#include "tests/unit/link/link_fixture.h"

namespace transom::test {
namespace {

// One protocol, seen by the cache.
class Neighbours : public LinkTest, public ::testing::WithParamInterface<IpFamily> {
 protected:
  explicit Neighbours(const Setup& setup = plain()) : LinkTest(setup) {}

  bool is_v4() const { return GetParam() == IpFamily::kIpv4; }
  const char* peer() const { return is_v4() ? "10.0.0.2" : "2001:db8::2"; }
  const char* other() const { return is_v4() ? "10.0.0.3" : "2001:db8::3"; }
  std::string numbered(int number) const {
    return is_v4() ? fmt::format("10.0.{}.{}", number / 200, 10 + number % 200)
                   : fmt::format("2001:db8::{:x}", 0x1000 + number);
  }

  void answer(const char* text, const MacAddress& mac = kPeerMac) {
    if (is_v4()) {
      arp_reply(mac, text);
    } else {
      advertise(text, mac, {.solicited = true, .overrides = true});
    }
  }
  void introduce(const char* text, const MacAddress& mac) {
    if (is_v4()) {
      arp_request(mac, text, "10.0.0.1");
    } else {
      solicit(text, "2001:db8::1", mac);
    }
  }
  bool is_question(const Sent& frame) const {
    return is_v4() ? frame.is(EtherType::kArp) && frame.arp().operation == Operation::kRequest
                   : frame.is_solicitation();
  }
  IpAddress asked_for(const Sent& frame) const {
    return is_v4() ? frame.arp().target_ip : frame.solicitation().target;
  }
  bool is_to_everybody(const Sent& frame) const { return frame.ethernet.destination.is_group(); }
  // Frames that are no questions: the packets.
  std::vector<Sent> packets(const std::vector<Sent>& frames) const {
    std::vector<Sent> found;
    for (const Sent& frame : frames) {
      if (!is_question(frame) && !frame.is(EtherType::kArp) && !frame.is_advertisement())
        found.push_back(frame);
    }
    return found;
  }
  std::size_t questions(const std::vector<Sent>& frames) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(frames, [&](const Sent& frame) { return is_question(frame); }));
  }
};

INSTANTIATE_TEST_SUITE_P(Families, Neighbours, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         [](const auto& family) { return family.param == IpFamily::kIpv4 ? "Arp" : "Ndp"; });

// ---------------------------------------------------------------- resolution

TEST_P(Neighbours, APacketWaitsForTheAnswer_R1122_05_R1122_08) {
  send(peer(), 33);
  const Sent question = sent_one();
  EXPECT_TRUE(is_question(question) && is_to_everybody(question));
  EXPECT_TRUE(network_.failures.empty());  // not unreachable at once
  advance(200ms);
  answer(peer());
  const Sent packet = sent_one();
  EXPECT_EQ(packet.ethernet.destination, kPeerMac);
  EXPECT_EQ(packet.ethernet.type, is_v4() ? EtherType::kIpv4 : EtherType::kIpv6);  // R894-01
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kReachable);
  send(peer());
  EXPECT_EQ(sent_one().ethernet.destination, kPeerMac);
}

TEST_P(Neighbours, PacketsWaitInOrderAndTheOldestGoFirst) {
  for (std::size_t i = 0; i < 20; ++i) send(peer(), 100 + i);
  EXPECT_EQ(questions(sent()), 1U);
  EXPECT_EQ(dropped(DropReason::kNeighbourQueueFull), 4U);
  EXPECT_EQ(counted(Counter::kNeighUnresolvedDrops), 4U);
  answer(peer());
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 16U);
  const std::size_t headers = is_v4() ? 34 : 54;
  for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(frames[i].octets.size(), headers + 104 + i);
}

TEST_P(Neighbours, OneThatDoesNotAnswerDelaysNoOther) {
  make_reachable(other());
  for (int i = 0; i < 50; ++i) send(peer());
  sent();
  send(other());
  EXPECT_EQ(sent_one().ethernet.destination, kPeerMac);
}

TEST_P(Neighbours, GivesUpAfterThreeQuestionsAndReportsEachPacket_R4861_06) {
  const Instant start = context_.now;
  for (std::size_t i = 0; i < 3; ++i) send(peer(), 100 + i);
  advance(2999ms);
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(is_question(frames[i]) && is_to_everybody(frames[i]));
    EXPECT_EQ(asked_for(frames[i]), address(peer()));
    EXPECT_EQ(frames[i].time, start + i * 1s);
  }
  EXPECT_TRUE(network_.failures.empty());
  advance(1ms);
  ASSERT_EQ(network_.failures.size(), 3U);
  const std::size_t header = is_v4() ? 20 : 40;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(network_.failures[i],
              ip_packet(address(is_v4() ? "10.0.0.1" : "2001:db8::1"), address(peer()), 100 + i));
    EXPECT_EQ(network_.failures[i].size(), header + 100 + i);
  }
  EXPECT_EQ(dropped(DropReason::kNeighbourFailed), 3U);
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kFailed);
}

TEST_P(Neighbours, RemembersAFailureForAMomentOnly_ATK_ARP_05) {
  send(peer());
  advance(3s);
  sent();
  send(peer());  // fails at once, and asks nobody
  EXPECT_EQ(network_.failures.size(), 2U);
  EXPECT_EQ(dropped(DropReason::kNeighbourFailed), 2U);
  EXPECT_TRUE(sent().empty());
  advance(3s);
  EXPECT_EQ(neighbour(peer()), std::nullopt);
  send(peer());
  EXPECT_EQ(questions(sent()), 1U);
  answer(peer());
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kReachable);
}

TEST_P(Neighbours, ALateAnswerEndsAFailure) {
  send(peer());
  advance(3s);
  answer(peer());
  send(peer());
  EXPECT_EQ(network_.failures.size(), 1U);
  const auto frames = sent();
  EXPECT_EQ(packets(frames).size(), 1U);
}

TEST_P(Neighbours, ANeighbourThatAsksFirstNeedsNoQuestion) {
  introduce(peer(), kPeerMac);
  sent();
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kStale);
  send(peer());
  EXPECT_EQ(sent_one().ethernet.destination, kPeerMac);
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kDelay);
}

TEST_P(Neighbours, ANeighbourThatAsksWhileItIsAskedForIsSentToAtOnce) {
  send(peer());
  sent();
  introduce(peer(), kPeerMac);
  EXPECT_EQ(packets(sent()).size(), 1U);
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kStale);  // R4861-08: not REACHABLE
}

// ---------------------------------------------------------------- reachability

TEST_P(Neighbours, GoesThroughAllStates_R4861_11_R1122_06) {
  make_reachable(peer());
  const Instant confirmed = context_.now;
  advance(14s);  // half of the base time is the least
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kReachable);
  send(peer());
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kReachable);
  EXPECT_EQ(neighbour(peer())->confirmed, confirmed);  // sending confirms nothing
  advance(32s);                                        // and half more the most
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kStale);
  advance(1h);
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kStale);  // unused, it is left in peace
  EXPECT_EQ(questions(sent()), 0U);

  const Instant used = context_.now;
  send(peer());
  EXPECT_EQ(sent_one().ethernet.destination, kPeerMac);
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kDelay);
  advance(4999ms);
  EXPECT_TRUE(sent().empty());
  advance(1ms);
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kProbe);
  send(peer());  // packets still go
  advance(2999ms);
  const auto frames = sent();
  ASSERT_EQ(questions(frames), 3U);
  EXPECT_EQ(packets(frames).size(), 1U);
  int asked = 0;
  for (const Sent& frame : frames) {
    if (!is_question(frame)) continue;
    EXPECT_EQ(frame.ethernet.destination, kPeerMac);
    EXPECT_EQ(frame.time, used + 5s + asked * 1s);
    ++asked;
  }
  advance(1ms);
  EXPECT_EQ(neighbour(peer()), std::nullopt);
  send(peer());
  const Sent again = sent_one();
  EXPECT_TRUE(is_question(again) && is_to_everybody(again));
}

TEST_P(Neighbours, AnAnswerToAProbeMakesItReachable_R4861_11) {
  make_reachable(peer());
  advance(46s);
  send(peer());
  advance(6500ms);
  EXPECT_EQ(questions(sent()), 2U);
  answer(peer());
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kReachable);
  EXPECT_EQ(neighbour(peer())->confirmed, context_.now);
  advance(10s);
  EXPECT_TRUE(sent().empty());
}

TEST_P(Neighbours, ProgressAboveSavesTheProbe_R4861_11) {
  make_reachable(peer());
  advance(46s);
  link::NeighbourHandle handle;
  send(peer(), 100, &handle);
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kDelay);
  advance(1s);
  link_.confirm_reachable(*eth_, address(peer()), &handle);
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kReachable);
  EXPECT_EQ(neighbour(peer())->confirmed, context_.now);
  advance(14s);
  EXPECT_EQ(questions(sent()), 0U);
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kReachable);
}

TEST_P(Neighbours, SteadyProgressKeepsItReachableForEver) {
  make_reachable(peer());
  link::NeighbourHandle handle;
  for (int i = 0; i < 600; ++i) {
    send(peer(), 100, &handle);
    advance(1s);
    link_.confirm_reachable(*eth_, address(peer()), &handle);
  }
  const auto frames = sent();
  EXPECT_EQ(questions(frames), 0U);
  EXPECT_EQ(frames.size(), 600U);
}

TEST_P(Neighbours, ProgressEndsAProbe) {
  make_reachable(peer());
  advance(46s);
  send(peer());
  advance(5s);
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kProbe);
  link_.confirm_reachable(*eth_, address(peer()));
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kReachable);
  sent();
  advance(10s);
  EXPECT_TRUE(sent().empty());
}

TEST_P(Neighbours, ProgressSaysNothingOfOneThatIsNotResolved) {
  link_.confirm_reachable(*eth_, address(peer()));
  EXPECT_EQ(neighbour(peer()), std::nullopt);
  send(peer());
  link_.confirm_reachable(*eth_, address(peer()));
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kIncomplete);
}

TEST_P(Neighbours, SuspicionAboveProbesAtOnce_R1122_06) {
  make_reachable(peer());
  advance(2s);
  link_.suspect(*eth_, address(peer()));
  EXPECT_EQ(sent_one().ethernet.destination, kPeerMac);
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kProbe);
  for (int i = 0; i < 100; ++i) link_.suspect(*eth_, address(peer()));
  EXPECT_TRUE(sent().empty());
  link_.suspect(*eth_, address(other()));  // unknown: nothing
  EXPECT_EQ(neighbour(other()), std::nullopt);
}

TEST_P(Neighbours, SuspicionRightAfterTheAnswerWaitsForItsSecond_R1122_07) {
  make_reachable(peer());
  const Instant asked = context_.now;
  advance(100ms);
  link_.suspect(*eth_, address(peer()));
  EXPECT_TRUE(sent().empty());
  advance(2s);
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].time, asked + 1s);
  EXPECT_EQ(frames[1].time, asked + 2s);
}

// ---------------------------------------------------------------- handles

TEST_P(Neighbours, AHandleIsFilledInAndStaysRight) {
  link::NeighbourHandle handle;
  send(peer(), 100, &handle);
  EXPECT_NE(handle.index, UINT32_MAX);
  answer(peer());
  sent();
  const link::NeighbourHandle before = handle;
  send(peer(), 100, &handle);
  EXPECT_EQ(handle.index, before.index);
  EXPECT_EQ(handle.generation, before.generation);
}

TEST_P(Neighbours, AHandleOfOneWhoseplaceWasGivenAwayIsNoticed) {
  make_reachable(peer());
  link::NeighbourHandle handle;
  send(peer(), 100, &handle);
  ASSERT_TRUE(link_.forget(*eth_, address(peer())));
  make_reachable(other(), kEvilMac);  // takes the same place
  send(peer(), 100, &handle);
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_TRUE(is_question(frames[0]));
  EXPECT_EQ(asked_for(frames[0]), address(peer()));
  // A handle that belongs to somebody else is not believed either.
  link::NeighbourHandle wrong = handle;
  send(other(), 100, &wrong);
  EXPECT_EQ(sent_one().ethernet.destination, kEvilMac);
}

// ---------------------------------------------------------------- for the operator

TEST_P(Neighbours, APermanentEntryIsNeverAskedForAndNeverAges) {
  send(peer());
  sent();
  ASSERT_TRUE(link_.set_permanent(*eth_, address(peer()), kEvilMac));
  EXPECT_EQ(sent_one().ethernet.destination, kEvilMac);  // what waited
  answer(peer(), kPeerMac);
  introduce(peer(), kPeerMac);
  sent();
  advance(1h);
  send(peer());
  EXPECT_EQ(sent_one().ethernet.destination, kEvilMac);
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kPermanent);
  ASSERT_TRUE(link_.forget(*eth_, address(peer())));
  EXPECT_FALSE(link_.forget(*eth_, address(peer())));
}

TEST_P(Neighbours, APermanentEntryNeedsAUnicastMac) {
  EXPECT_EQ(link_.set_permanent(*eth_, address(peer()), MacAddress::broadcast()).error(),
            Error::kInvalidArgument);
}

TEST_P(Neighbours, ForgettingOneDropsWhatWaitsForIt) {
  send(peer());
  send(peer());
  ASSERT_TRUE(link_.forget(*eth_, address(peer())));
  EXPECT_EQ(counted(Counter::kNeighUnresolvedDrops), 2U);
  sent();
  EXPECT_EQ(pool_.in_use(BufferSize::kFrame), 0U);
}

// ---------------------------------------------------------------- bounds

class FullCache : public Neighbours {
 protected:
  static constexpr std::size_t kLimit = 64;
  FullCache() : Neighbours(setup()) {}
  static Setup setup() {
    Setup setup = plain();
    setup.link.max_neighbours = kLimit;
    setup.link.max_pending_in_all = 100;
    setup.with_addresses = false;
    return setup;
  }
  void SetUp() override {
    add("10.0.0.1/8");
    add("2001:db8::1/64");
    sent();
  }
};

INSTANTIATE_TEST_SUITE_P(Families, FullCache, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         [](const auto& family) { return family.param == IpFamily::kIpv4 ? "Arp" : "Ndp"; });

TEST_P(FullCache, StaysBoundedUnderAFloodOfStrangersAndKeepsWhoAnswers_ATK_ARP_04_ATK_NDP_27) {
  make_reachable(peer());
  advance(10s);
  for (int i = 0; i < 5000; ++i) {
    introduce(numbered(i).c_str(),
              MacAddress({2, 1, 1, 1, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}));
  }
  sent();
  EXPECT_EQ(link_.neighbours().size(), kLimit);
  EXPECT_GT(counted(Counter::kNeighTableOverflows), 0U);
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kReachable);
  send(peer());
  EXPECT_EQ(sent_one().ethernet.destination, kPeerMac);
}

TEST_P(FullCache, StaysBoundedWhenManyAreAskedForAndKeepsWhoAnswers_ATK_NDP_02_ATK_ARP_05) {
  for (int i = 0; i < 10; ++i) make_reachable(numbered(i).c_str());
  advance(10s);
  for (int i = 100; i < 5100; ++i) send(numbered(i).c_str());
  EXPECT_LE(pool_.in_use(BufferSize::kFrame), 100 + eth_->transmit_queue().size());
  EXPECT_EQ(link_.neighbours().size(), kLimit);
  sent();
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(neighbour_state(numbered(i).c_str()), NeighbourState::kReachable) << i;
  // Every packet is accounted for: dropped to make room, or waiting still.
  const std::uint64_t gone = counted(Counter::kNeighUnresolvedDrops);
  EXPECT_EQ(gone + pool_.in_use(BufferSize::kFrame), 5000U);
  advance(10s);
  EXPECT_EQ(counted(Counter::kNeighUnresolvedDrops), 5000U);
  sent();
  EXPECT_EQ(pool_.in_use(BufferSize::kFrame), 0U);
}

TEST_P(FullCache, AllThatWaitIsBounded_ATK_ARP_05) {
  for (int i = 0; i < 20; ++i) {
    for (int k = 0; k < 10; ++k) send(numbered(i).c_str());
  }
  sent();
  EXPECT_EQ(pool_.in_use(BufferSize::kFrame), 100U);
  EXPECT_EQ(counted(Counter::kNeighUnresolvedDrops), 100U);
  answer(numbered(0).c_str());
  EXPECT_EQ(packets(sent()).size(), 10U);
  send(numbered(19).c_str());  // the room that became free is used again
  EXPECT_EQ(pool_.in_use(BufferSize::kFrame), 91U);
}

TEST_P(FullCache, LetsTheLongestUnusedGoWhenAllAnswer) {
  for (std::size_t i = 0; i < kLimit; ++i) {
    make_reachable(numbered(static_cast<int>(i)).c_str());
    advance(10ms);
  }
  advance(2s);
  for (int i = 0; i < 10; ++i) send(numbered(i).c_str());  // in use
  sent();
  for (int i = 1000; i < 1040; ++i) make_reachable(numbered(i).c_str());
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(neighbour(numbered(i).c_str())) << i;
  EXPECT_EQ(link_.neighbours().size(), kLimit);
}

TEST_P(FullCache, RefusesANewNeighbourWhenAllAreInUse) {
  for (std::size_t i = 0; i < kLimit; ++i) make_reachable(numbered(static_cast<int>(i)).c_str());
  send(numbered(500).c_str());
  EXPECT_TRUE(sent().empty());
  EXPECT_EQ(dropped(DropReason::kNeighbourTableFull), 1U);
  introduce(numbered(501).c_str(), kEvilMac);  // answered all the same
  EXPECT_EQ(sent_one().ethernet.destination, kEvilMac);
  EXPECT_EQ(neighbour(numbered(501).c_str()), std::nullopt);
}

TEST_P(FullCache, PermanentEntriesAreNotPushedOut) {
  ASSERT_TRUE(link_.set_permanent(*eth_, address(peer()), kPeerMac));
  advance(10s);
  for (int i = 100; i < 5000; ++i) send(numbered(i).c_str());
  EXPECT_EQ(neighbour_state(peer()), NeighbourState::kPermanent);
}

}  // namespace
}  // namespace transom::test
