// Reassembly of both families: every order gives the same, nothing else gives anything, and nothing lasts.

#include <algorithm>
#include <map>
#include <numeric>

#include "stack/base/random.h"
#include "tests/unit/ip/ip_fixture.h"

namespace transom::test {
namespace {

// One fragment of a datagram of either family.
struct Cut {
  std::size_t offset;
  std::size_t size;
  bool more;
};

class ReassemblyTest : public IpFamilyTest {
 protected:
  // UDP is only a label here: the transport records whatever comes.
  Octets fragment(const Octets& payload, std::size_t offset, bool more, std::uint32_t id = 1,
                  IpProtocol protocol = IpProtocol::kUdp, std::uint8_t traffic_class = 0) const {
    const auto at = static_cast<std::uint16_t>(offset);
    if (is_v4()) {
      return ipv4({.source = peer(),
                   .destination = self(),
                   .protocol = protocol,
                   .id = static_cast<std::uint16_t>(id),
                   .more = more,
                   .offset = at,
                   .traffic_class = traffic_class},
                  payload);
    }
    return ipv6({.source = peer(),
                 .destination = self(),
                 .next = IpProtocol::kFragment,
                 .traffic_class = traffic_class},
                fragment_header(protocol, at, more, id) + payload);
  }
  Octets fragment_of(const Octets& whole, const Cut& cut, std::uint32_t id = 1) const {
    return fragment(part(whole, cut.offset, cut.size), cut.offset, cut.more, id);
  }
  Counter counter(Counter v4, Counter v6) const { return is_v4() ? v4 : v6; }
  std::size_t frames() const {
    return pool_.in_use(BufferSize::kFrame) + pool_.in_use(BufferSize::kSuperFrame);
  }
  void expect_delivered(const Octets& whole) {
    ASSERT_EQ(udp_.arrivals.size(), 1U);
    EXPECT_EQ(udp_.arrivals[0].octets, whole);
    udp_.arrivals.clear();
  }
  void expect_nothing() {
    EXPECT_TRUE(udp_.arrivals.empty());
    EXPECT_TRUE(tcp_.arrivals.empty());
    EXPECT_TRUE(nothing_sent());
  }
};

TEST_P(ReassemblyTest, AcceptsFragmentsInEveryOrder) {  // R815-01, ATK-IPV6-12
  const Octets whole = pattern(85);
  const std::vector<Cut> cuts = {
      {0, 16, true}, {16, 8, true}, {24, 24, true}, {48, 32, true}, {80, 5, false}};
  std::vector<std::size_t> order(cuts.size());
  std::iota(order.begin(), order.end(), 0U);
  do {
    for (const std::size_t i : order) {
      EXPECT_TRUE(udp_.arrivals.empty());
      receive(fragment_of(whole, cuts[i]));
    }
    expect_delivered(whole);
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(count(counter(Counter::kIpReasmOKs, Counter::kIp6ReasmOKs)), 120U);
  EXPECT_EQ(frames(), 0U);
}

TEST_P(ReassemblyTest, PutsAPlainHeaderInFront) {
  const Octets whole = pattern(40);
  receive(fragment_of(whole, {24, 16, false}));
  receive(fragment_of(whole, {0, 24, true}));
  ASSERT_EQ(udp_.arrivals.size(), 1U);
  const Parsed parsed = parse(udp_.arrivals[0].headers + udp_.arrivals[0].octets);
  EXPECT_TRUE(parsed.ok);
  EXPECT_FALSE(parsed.is_fragment());
  EXPECT_FALSE(parsed.has_fragment_header);
  EXPECT_EQ(parsed.protocol, IpProtocol::kUdp);
  EXPECT_EQ(parsed.source, peer());
  EXPECT_EQ(parsed.payload, whole);
}

TEST_P(ReassemblyTest, ToleratesExactDuplicates) {  // R815-02, R8200-11
  const Octets whole = pattern(64);
  for (const Cut& cut :
       {Cut{0, 32, true}, Cut{0, 32, true}, Cut{40, 24, false}, Cut{40, 24, false}, Cut{0, 32, true}})
    receive(fragment_of(whole, cut));
  EXPECT_TRUE(udp_.arrivals.empty());
  receive(fragment_of(whole, {32, 8, true}));
  expect_delivered(whole);
  EXPECT_EQ(drops(DropReason::kFragmentDuplicate), 3U);
  EXPECT_EQ(frames(), 0U);
}

TEST_P(ReassemblyTest,
       DiscardsOverlapsWholeAndForGood) {  // R5722-01, R5722-02, R8200-11, ATK-IPV4-02..04, -11, ATK-IPV6-24
  const Octets whole = pattern(96);
  Octets other = whole;
  for (std::uint8_t& octet : other) octet ^= 0x55;
  struct Case {
    const char* name;
    std::vector<Octets> fragments;
  };
  const auto cut = [&](std::size_t offset, std::size_t size, bool more) {
    return fragment_of(whole, {offset, size, more});
  };
  const std::vector<Case> cases = {
      {"same range, other octets", {cut(0, 32, true), fragment_of(other, {0, 32, true}), cut(32, 64, false)}},
      {"same range, one octet differs",
       {cut(32, 64, false), fragment_of(other, {32, 64, false}), cut(0, 32, true)}},
      {"inside", {cut(0, 40, true), cut(24, 8, true), cut(40, 56, false)}},
      {"teardrop", {cut(0, 40, true), cut(24, 4, false), cut(40, 56, false)}},
      {"over the front", {cut(32, 32, true), cut(0, 40, true), cut(0, 32, true), cut(64, 32, false)}},
      {"over the back", {cut(0, 32, true), cut(24, 40, true), cut(32, 32, true), cut(64, 32, false)}},
      {"around", {cut(32, 8, true), cut(0, 96, true), cut(0, 32, true), cut(40, 56, false)}},
      {"ends twice", {cut(64, 32, false), cut(32, 32, false), cut(0, 32, true)}},
      {"ends before what is there", {cut(64, 32, true), cut(32, 32, false), cut(0, 32, true)}},
      {"goes on behind the end", {cut(32, 32, false), cut(64, 32, true), cut(0, 32, true)}},
      {"last becomes middle", {cut(32, 64, false), cut(32, 64, true), cut(0, 32, true)}},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    for (Octets packet : cases[i].fragments) {
      // A datagram of its own for each case.
      if (is_v4()) {
        packet[4] = static_cast<std::uint8_t>(i + 1);
        fix_ipv4_checksum(packet);
      } else {
        packet[44] = static_cast<std::uint8_t>(i + 1);
      }
      receive(packet);
    }
    EXPECT_TRUE(udp_.arrivals.empty()) << cases[i].name;
    EXPECT_EQ(frames(), 0U) << cases[i].name;
  }
  advance(2min);
  expect_nothing();
  EXPECT_EQ(count(Counter::kIpExtReasmOverlaps), cases.size());
  // When the memory of it is gone, the identification may be used again.
  receive(cut(0, 32, true));
  receive(cut(32, 64, false));
  expect_delivered(whole);
}

TEST_P(ReassemblyTest,
       AgreesWithAMapOfOctets) {  // random fragments against a reference that knows nothing of intervals
  Random random(seed_from_number(99));
  for (std::uint32_t id = 1; id <= 400; ++id) {
    const std::size_t total = 8 + random.below(120);
    const Octets whole = pattern(total, static_cast<std::uint8_t>(id));
    std::map<std::size_t, std::uint8_t> seen;
    bool is_dead = false;
    std::map<std::size_t, std::pair<std::size_t, bool>> pieces;
    std::size_t end_of_whole = 0;
    bool is_done = false;
    for (int step = 0; step < 14 && !is_done; ++step) {
      const std::size_t offset = random.below((total + 7) / 8) * 8;
      std::size_t size = std::min(total - offset, 8 * (1 + random.below(5)));
      const bool more = offset + size < total;
      if (offset == 0 && !more) continue;  // not a fragment
      if (more) size = size / 8 * 8;
      receive(fragment_of(whole, {offset, size, more}, id));
      if (!is_dead) {
        const auto same = pieces.find(offset);
        const bool is_duplicate = same != pieces.end() && same->second == std::pair(size, more);
        if (!is_duplicate) {
          for (std::size_t at = offset; at < offset + size; ++at)
            is_dead = is_dead || !seen.emplace(at, whole[at]).second;
          pieces[offset] = {size, more};
          if (!more) end_of_whole = offset + size;
        }
        is_done = !is_dead && end_of_whole != 0 && seen.size() == end_of_whole;
      }
      ASSERT_EQ(udp_.arrivals.size(), is_done ? 1U : 0U) << "datagram " << id << ", step " << step;
      if (is_done) expect_delivered(whole);
    }
    if (id % 50 == 0) advance(2min);
    sent();
  }
}

TEST_P(ReassemblyTest, KeepsDatagramsApart) {  // R791-07
  const Octets one = pattern(48, 1);
  const Octets two = pattern(48, 2);
  receive(fragment_of(one, {0, 24, true}, 1));
  receive(fragment_of(two, {0, 24, true}, 2));
  receive(fragment_of(two, {24, 24, false}, 2));
  expect_delivered(two);
  receive(fragment_of(one, {24, 24, false}, 1));
  expect_delivered(one);
  if (is_v4()) {  // the protocol is part of the key
    receive(fragment(part(one, 0, 24), 0, true, 3, IpProtocol::kUdp));
    receive(fragment(part(two, 0, 24), 0, true, 3, IpProtocol::kTcp));
    receive(fragment(part(two, 24, 24), 24, false, 3, IpProtocol::kTcp));
    ASSERT_EQ(tcp_.arrivals.size(), 1U);
    EXPECT_EQ(tcp_.arrivals[0].octets, two);
    receive(fragment(part(one, 24, 24), 24, false, 3, IpProtocol::kUdp));
    expect_delivered(one);
  }
}

TEST_P(ReassemblyTest,
       TakesTheLargestDatagramAndNothingLarger) {  // R1122-23, R8200-10, ATK-IPV4-01, -05, -19, ATK-IPV6-18
  const std::size_t largest = is_v4() ? 65515 : 65535;
  const Octets whole = pattern(largest);
  constexpr std::size_t kPiece = 1440;
  for (std::size_t offset = 0; offset < largest; offset += kPiece) {
    const std::size_t size = std::min(kPiece, largest - offset);
    receive(fragment_of(whole, {offset, size, offset + size < largest}));
  }
  expect_delivered(whole);

  receive(fragment(pattern(64), 0, true, 2));
  receive(fragment(pattern(16), 65528, false, 2));
  EXPECT_EQ(drops(DropReason::kFragmentTooBig), 1U);
  EXPECT_EQ(frames(), 0U + (is_v4() ? 0U : 1U));  // IPv6 reports it, which is waiting to be sent
  if (!is_v4()) {
    const ParsedIcmp error = parse_icmp(sent_one());
    EXPECT_EQ(error.header.type, 4);
    EXPECT_EQ(error.header.code, 0);
    EXPECT_EQ(error.header.rest, 42U);
  }
  expect_nothing();
}

TEST_P(ReassemblyTest, WantsAllButTheLastInMultiplesOfEight) {  // R791-05, R8200-09
  receive(fragment(pattern(9), 0, true));
  EXPECT_EQ(drops(DropReason::kFragmentMalformed), 1U);
  if (!is_v4()) {
    const ParsedIcmp error = parse_icmp(sent_one());
    EXPECT_EQ(error.header.type, 4);
    EXPECT_EQ(error.header.code, 0);
    EXPECT_EQ(error.header.rest, 4U);
  }
  expect_nothing();
  EXPECT_EQ(frames(), 0U);
}

TEST_P(ReassemblyTest, RejectsEmptyFragments) {  // ATK-IPV4-50
  receive(fragment({}, 0, true));
  receive(fragment({}, 8, true));
  receive(fragment({}, 8, false));
  EXPECT_EQ(drops(DropReason::kFragmentMalformed), 3U);
  expect_nothing();
}

TEST_P(ReassemblyTest, SaysTimeExceededOnlyWithTheFirstFragment) {  // R1122-24, R8200-12
  const Octets first = fragment(pattern(32), 0, true, 1);
  receive(first);
  receive(fragment(pattern(32), 32, true, 2));
  advance(59s);
  expect_nothing();
  EXPECT_EQ(frames(), 2U);
  advance(2s);
  const Parsed sent = sent_one();
  EXPECT_EQ(sent.source, self());
  const ParsedIcmp error = parse_icmp(sent);
  EXPECT_TRUE(error.ok);
  EXPECT_EQ(error.header.type, is_v4() ? 11 : 3);
  EXPECT_EQ(error.header.code, 1);
  EXPECT_EQ(error.data, first);
  EXPECT_EQ(frames(), 0U);
  EXPECT_EQ(count(counter(Counter::kIpReasmTimeout, Counter::kIp6ReasmTimeout)), 2U);
}

TEST_P(ReassemblyTest, TimesOutSilentlyWhatCameToAGroup) {  // ATK-IPV4-49
  const IpAddress group = is_v4() ? address("10.0.0.255") : kAllNodes;
  if (is_v4()) {
    receive(ipv4({.source = peer(), .destination = group, .more = true}, pattern(32)));
  } else {
    receive(ipv6({.source = peer(), .destination = group, .next = IpProtocol::kFragment},
                 fragment_header(IpProtocol::kUdp, 0, true, 1) + pattern(32)));
  }
  EXPECT_EQ(frames(), 1U);
  advance(61s);
  expect_nothing();
  EXPECT_EQ(frames(), 0U);
}

TEST_P(ReassemblyTest, CapsFragmentsPerDatagram) {  // ATK-IPV4-08, -09, ATK-IPV4-10
  for (std::size_t i = 0; i < 200; ++i) receive(fragment(pattern(8), 8 + i * 16, true));
  EXPECT_EQ(frames(), 0U);
  EXPECT_EQ(drops(DropReason::kFragmentLimit), 1U);
  advance(61s);
  expect_nothing();
}

TEST_P(ReassemblyTest, CapsMemoryWhateverArrives) {  // ATK-IPV4-07, -51
  const ip::IpConfig config;
  for (std::uint32_t id = 1; id <= 3000; ++id) {
    for (const auto& [offset, more] : {std::pair<std::size_t, bool>{8, true}, {64800, false}}) {
      Octets packet = fragment(pattern(32), offset, more, id);
      packet[is_v4() ? 14 : 15] = static_cast<std::uint8_t>(id >> 4);  // many sources; off-link ones
      if (is_v4()) packet[13] = 9;
      if (is_v4()) fix_ipv4_checksum(packet);
      receive(packet);
    }
    ASSERT_LE(pool_.in_use(BufferSize::kFrame) * 2048, config.max_reassembly_octets);
  }
  EXPECT_GT(drops(DropReason::kFragmentLimit), 0U);
  // Whoever has had nothing yet is served all the same.
  const Octets whole = pattern(64);
  receive(fragment_of(whole, {0, 32, true}, 9999));
  receive(fragment_of(whole, {32, 32, false}, 9999));
  expect_delivered(whole);
  advance(61s);
  EXPECT_EQ(frames(), 0U);
}

TEST_P(ReassemblyTest, OneSourceCannotTakeItAll) {  // ATK-IPV4-07
  const ip::IpConfig config;
  for (std::uint32_t id = 1; id <= 3000; ++id) receive(fragment(pattern(32), 8, true, id));
  EXPECT_LE(frames(), config.max_reassemblies / 4);
  advance(61s);
}

TEST_P(ReassemblyTest, SurvivesTheEndOfTheBufferPool) {
  std::vector<Packet> all;
  receive(fragment(pattern(32), 0, true));
  const Octets last = fragment(pattern(32), 32, false);
  Packet packet = pool_.copy_of(last);
  while (Packet taken = pool_.allocate(BufferSize::kFrame)) all.push_back(std::move(taken));
  ip_.receive(*a_, std::move(packet));
  EXPECT_TRUE(udp_.arrivals.empty());
  EXPECT_EQ(drops(DropReason::kNoBuffers), 1U);
  all.clear();
}

TEST_P(ReassemblyTest, MergesEcnAsItIsWritten) {  // RFC 3168 §5.3
  struct Case {
    std::uint8_t first, second;
    std::optional<std::uint8_t> merged;
  };
  std::uint32_t id = 1;
  for (const Case& c :
       {Case{0, 0, 0}, Case{2, 2, 2}, Case{1, 1, 1}, Case{3, 3, 3}, Case{2, 3, 3}, Case{3, 2, 3},
        Case{1, 3, 3}, Case{2, 1, 2}, Case{0, 3, std::nullopt}, Case{3, 0, std::nullopt}}) {
    ++id;
    receive(fragment(pattern(32), 0, true, id, IpProtocol::kUdp, static_cast<std::uint8_t>(0xb8 | c.first)));
    receive(
        fragment(pattern(32), 32, false, id, IpProtocol::kUdp, static_cast<std::uint8_t>(0xb8 | c.second)));
    ASSERT_EQ(udp_.arrivals.size(), c.merged ? 1U : 0U) << int{c.first} << "+" << int{c.second};
    if (c.merged) {
      EXPECT_EQ(udp_.arrivals[0].traffic_class, 0xb8 | *c.merged);
      EXPECT_EQ(parse(udp_.arrivals[0].headers + udp_.arrivals[0].octets).traffic_class, 0xb8 | *c.merged);
    }
    udp_.arrivals.clear();
  }
  EXPECT_EQ(drops(DropReason::kFragmentEcnMix), 2U);
}

TEST_P(ReassemblyTest, CompletesOnceOnly) {  // ATK-IPV4-33
  const Octets whole = pattern(64);
  for (int i = 0; i < 2; ++i) {
    receive(fragment_of(whole, {32, 32, false}));
    receive(fragment_of(whole, {0, 32, true}));
  }
  EXPECT_EQ(udp_.arrivals.size(), 2U);  // R6864-03: the same identification is no reason to drop
  udp_.arrivals.clear();
  receive(fragment_of(whole, {32, 32, false}));
  EXPECT_TRUE(udp_.arrivals.empty());
  advance(61s);
}

INSTANTIATE_TEST_SUITE_P(BothFamilies, ReassemblyTest, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         family_name);

class Ipv4Fragments : public IpTest {
 protected:
  const IpAddress peer_ = peer(IpFamily::kIpv4);
  const IpAddress self_ = self(IpFamily::kIpv4);
  Octets tcp(std::size_t size, std::uint16_t offset, bool more) const {
    return ipv4(
        {.source = peer_, .destination = self_, .protocol = IpProtocol::kTcp, .more = more, .offset = offset},
        pattern(size));
  }
};

TEST_F(Ipv4Fragments, DropsTinyTcpFragments) {  // R1858-01, ATK-IPV4-12, -13
  receive(tcp(8, 0, true));
  receive(tcp(16, 0, true));
  receive(tcp(32, 8, false));
  receive(tcp(32, 8, true));
  EXPECT_EQ(drops(DropReason::kFragmentFirstTooShort), 4U);
  EXPECT_EQ(pool_.in_use(BufferSize::kFrame), 0U);
  receive(tcp(24, 0, true));
  receive(tcp(32, 24, false));
  EXPECT_EQ(tcp_.arrivals.size(), 1U);
}

TEST_F(Ipv4Fragments, IgnoreTheReservedBit) {  // R791-05
  Octets packet = ipv4({.source = peer_, .destination = self_}, pattern(16));
  packet[6] |= 0x80;
  fix_ipv4_checksum(packet);
  receive(packet);
  EXPECT_EQ(udp_.arrivals.size(), 1U);
}

TEST_F(Ipv4Fragments, TakeTheOptionsOfTheFirstAndJudgeThemAgain) {  // ATK-IPV4-24, -32
  const Octets alert = {148, 4, 0, 0};
  const Octets record = {7, 7, 4, 0, 0, 0, 0, 0};
  receive(ipv4({.source = peer_, .destination = self_, .offset = 16, .options = record}, pattern(16)));
  receive(ipv4({.source = peer_, .destination = self_, .more = true, .options = alert}, pattern(16)));
  ASSERT_EQ(udp_.arrivals.size(), 1U);
  EXPECT_EQ(udp_.arrivals[0].headers.size(), 24U);
  EXPECT_EQ(udp_.arrivals[0].octets.size(), 32U);
  EXPECT_TRUE(wire::Ipv4Header::has_valid_checksum(udp_.arrivals[0].headers));
}

TEST_F(Ipv4Fragments, JoltTwoCostsNothing) {  // ATK-IPV4-06: rejected without any state
  for (int i = 0; i < 100; ++i) {
    receive(ipv4({.source = peer_, .destination = self_, .protocol = IpProtocol::kIcmp, .offset = 65520},
                 pattern(48)));
  }
  EXPECT_EQ(drops(DropReason::kFragmentTooBig), 100U);
  EXPECT_EQ(pool_.in_use(BufferSize::kFrame), 0U);
}

class Ipv6Fragments : public IpTest {
 protected:
  const IpAddress peer_ = peer(IpFamily::kIpv6);
  const IpAddress self_ = self(IpFamily::kIpv6);
  Octets fragment(IpProtocol next, std::uint16_t offset, bool more, const Octets& payload,
                  std::uint32_t id = 5) const {
    return ipv6({.source = peer_, .destination = self_, .next = IpProtocol::kFragment},
                fragment_header(next, offset, more, id) + payload);
  }
};

TEST_F(Ipv6Fragments, TakesAtomicFragmentsAlone) {  // R6946-01, ATK-IPV6-26
  const Octets whole = pattern(48);
  receive(fragment(IpProtocol::kUdp, 0, true, part(whole, 0, 24)));
  receive(fragment(IpProtocol::kUdp, 0, false, pattern(10, 3)));
  ASSERT_EQ(udp_.arrivals.size(), 1U);
  EXPECT_EQ(udp_.arrivals[0].octets, pattern(10, 3));
  receive(fragment(IpProtocol::kUdp, 24, false, part(whole, 24, 24)));
  ASSERT_EQ(udp_.arrivals.size(), 2U);
  EXPECT_EQ(udp_.arrivals[1].octets, whole);
}

TEST_F(Ipv6Fragments, WantsTheWholeChainInTheFirst) {  // R8200-13, ATK-IPV6-25, ATK-IPV6-14
  const auto expect_incomplete = [&] {
    const ParsedIcmp error = parse_icmp(sent_one());
    EXPECT_EQ(error.header.type, 4);
    EXPECT_EQ(error.header.code, 3);
    EXPECT_EQ(pool_.in_use(BufferSize::kFrame), 0U);
    advance(10s);
  };
  receive(fragment(IpProtocol::kDestinationOptions, 0, true, extension(IpProtocol::kTcp, {})));
  expect_incomplete();
  receive(fragment(IpProtocol::kDestinationOptions, 0, true,
                   part(extension(IpProtocol::kTcp, Octets(30)), 0, 16)));
  expect_incomplete();
  receive(fragment(IpProtocol::kTcp, 0, true, pattern(16)));
  expect_incomplete();
  EXPECT_EQ(drops(DropReason::kFragmentFirstTooShort), 3U);
  receive(fragment(IpProtocol::kDestinationOptions, 0, true, extension(IpProtocol::kUdp, {}) + pattern(8)));
  receive(fragment(IpProtocol::kDestinationOptions, 16, false, pattern(5)));
  ASSERT_EQ(udp_.arrivals.size(), 1U);
  EXPECT_EQ(udp_.arrivals[0].octets, pattern(8) + pattern(5));
}

TEST_F(Ipv6Fragments, RefusesFragmentsInFragments) {  // ATK-IPV6-14, -15, -34
  const Octets inner = fragment_header(IpProtocol::kUdp, 0, true, 9) + pattern(24);
  receive(fragment(IpProtocol::kFragment, 0, true, inner));
  receive(fragment(IpProtocol::kFragment, 32, false, pattern(8)));
  EXPECT_EQ(drops(DropReason::kIpBadExtensionHeader), 1U);
  receive(fragment(IpProtocol::kFragment, 0, false, inner));  // atomic around a fragment
  EXPECT_EQ(drops(DropReason::kIpBadExtensionHeader), 2U);
  receive(fragment(IpProtocol::kHopByHop, 0, false, extension(IpProtocol::kUdp, {}) + pattern(8)));
  EXPECT_EQ(parse_icmp(sent_one()).header.code, 1);
  EXPECT_TRUE(udp_.arrivals.empty());
  advance(61s);
  sent();
}

TEST_F(Ipv6Fragments, KeepTheUnfragmentablePartOfTheFirst) {  // RFC 8200 §4.5
  const auto with_options = [&](std::uint16_t offset, bool more, const Octets& payload) {
    return ipv6({.source = peer_, .destination = self_, .next = IpProtocol::kHopByHop},
                extension(IpProtocol::kFragment, {1, 4, 0, 0, 0, 0}) +
                    fragment_header(IpProtocol::kUdp, offset, more, 8) + payload);
  };
  const Octets whole = pattern(40);
  receive(with_options(24, false, part(whole, 24, 16)));
  receive(with_options(0, true, part(whole, 0, 24)));
  ASSERT_EQ(udp_.arrivals.size(), 1U);
  EXPECT_EQ(udp_.arrivals[0].octets, whole);
  EXPECT_EQ(udp_.arrivals[0].headers.size(), 48U);
  EXPECT_EQ(udp_.arrivals[0].headers[40], 17);  // what named the fragment header names UDP
}

TEST_F(Ipv6Fragments, WorstCaseLengthsDoNotOverflow) {  // ATK-IPV6-14, -18
  // An unfragmentable part that only the first fragment has pushes the whole above what a payload length can
  // say.
  const Octets options = extension(IpProtocol::kFragment, Octets(2038, 0x1e));
  Octets long_header = {1, 4, 0, 0, 0, 0};
  while (long_header.size() < 1000) long_header = long_header + Octets{1, 200} + Octets(200);
  const Octets first = ipv6({.source = peer_, .destination = self_, .next = IpProtocol::kDestinationOptions},
                            extension(IpProtocol::kFragment, long_header) +
                                fragment_header(IpProtocol::kUdp, 0, true, 8) + pattern(64));
  receive(first);
  constexpr std::size_t kPiece = 1440;
  const std::size_t total = 65528;
  for (std::size_t offset = 64; offset < total; offset += kPiece) {
    const std::size_t size = std::min(kPiece, total - offset);
    receive(fragment(IpProtocol::kUdp, static_cast<std::uint16_t>(offset), offset + size < total,
                     pattern(size), 8));
  }
  EXPECT_TRUE(udp_.arrivals.empty());
  EXPECT_EQ(drops(DropReason::kFragmentTooBig), 1U);
  EXPECT_EQ(pool_.in_use(BufferSize::kFrame), 0U);
}

}  // namespace
}  // namespace transom::test
