// Membership of multicast groups, as the routers of a link see it: IGMPv3 and MLDv2 with their older versions
// (RFC 9776, which replaces RFC 3376; RFC 2236; RFC 9777, which replaces RFC 3810; RFC 2710).
#include "stack/ip/groups.h"
#include "stack/wire/membership.h"
#include "tests/support/membership_text.h"

namespace transom::test {
namespace {

using Lines = std::vector<std::string>;
using wire::MembershipQuery;
using wire::MembershipVersion;

// How a question comes.
struct Envelope {
  std::uint8_t ttl = 1;
  bool alert = true;
  std::optional<IpAddress> from = std::nullopt;
  std::optional<IpAddress> to = std::nullopt;
  Octets behind = {};  // more octets at the end
};

class GroupsTest : public HostOnEthernetOfFamily {
 protected:
  GroupsTest() : HostOnEthernetOfFamily({}, off(), true) {
    advance(5s);  // what it says of the groups of its own addresses
    sent();
  }

  IpAddress group(int number = 1) const {
    return address(is_v4() ? fmt::format("239.1.2.{}", number) : fmt::format("ff15::{}", number));
  }
  IpAddress source(int number) const {
    return address(is_v4() ? fmt::format("198.51.100.{}", number) : fmt::format("2001:db8:5::{}", number));
  }
  IpAddress all_systems() const { return address(is_v4() ? "224.0.0.1" : "ff02::1"); }
  IpAddress querier() const { return address(is_v4() ? "10.0.0.254" : "fe80::fe"); }
  IpAddress own() const { return is_v4() ? self() : link::link_local_address(kHostMac); }

  // "TO_EX {}" with the group put in: the same line for both families.
  static std::string line(const std::string& kind, const IpAddress& of, const std::string& sources = "{}") {
    return fmt::format("{} {} {}", kind, of, sources);
  }
  std::string set(std::initializer_list<int> numbers) const {
    std::string text;
    for (const int number : numbers) text += (text.empty() ? "" : ",") + to_string(source(number));
    return "{" + text + "}";
  }
  Lines reported() {
    Lines lines = membership_lines(sent(), own());
    std::erase_if(lines, [](const std::string& text) { return text.contains("ff02::1:ff"); });
    return lines;
  }

  void join(ip::GroupMember& member, const IpAddress& to) {
    with([&] { EXPECT_TRUE(member.join(eth_, to)); });
  }
  void leave(ip::GroupMember& member, const IpAddress& to) {
    with([&] { EXPECT_TRUE(member.leave(eth_, to)); });
  }
  void allow(ip::GroupMember& member, const IpAddress& to, int number) {
    with([&] { EXPECT_TRUE(member.join_source(eth_, to, source(number))); });
  }

  Octets octets_of(const MembershipQuery& query) const {
    Octets octets(query.size());
    wire::Writer writer(octets);
    query.write(writer);
    return octets;
  }
  void receive_message(Octets message, const IpAddress& to, const Envelope& envelope) {
    const IpAddress from = envelope.from.value_or(querier());
    const IpAddress destination = envelope.to.value_or(to);
    message = message + envelope.behind;
    if (is_v4()) {
      wire::write_icmp_checksum(message);
      return receive(ipv4({.source = from,
                           .destination = destination,
                           .protocol = IpProtocol::kIgmp,
                           .ttl = envelope.ttl,
                           .options = envelope.alert ? Octets{0x94, 4, 0, 0} : Octets{}},
                          message));
    }
    wire::write_icmpv6_checksum(message, from, destination);
    const Ip6 header{.source = from,
                     .destination = destination,
                     .next = envelope.alert ? IpProtocol::kHopByHop : IpProtocol::kIcmpv6,
                     .hop_limit = envelope.ttl};
    receive(ipv6(header,
                 envelope.alert ? extension(IpProtocol::kIcmpv6, {5, 2, 0, 0, 1, 0}) + message : message));
  }
  void ask(const MembershipQuery& query, const Envelope& envelope = {}) {
    receive_message(octets_of(query), query.group.is_unspecified() ? all_systems() : query.group, envelope);
  }
  MembershipQuery general(Duration max_response = 10s,
                          MembershipVersion version = MembershipVersion::kV3) const {
    MembershipQuery query;
    query.version = version;
    query.max_response = max_response;
    query.group = IpAddress::any(GetParam());
    return query;
  }
  MembershipQuery about(const IpAddress& which, std::vector<IpAddress> sources = {}) const {
    MembershipQuery query = general(1s);
    query.group = which;
    query.sources = std::move(sources);
    return query;
  }
  void receive_old_report(const IpAddress& of) {
    const wire::OldMembershipMessage message{wire::OldMembershipMessage::Kind::kReport, of};
    Octets octets(message.size());
    wire::Writer writer(octets);
    message.write(writer);
    receive_message(octets, of, {.from = address(is_v4() ? "10.0.0.1" : "fe80::1")});
  }
  Lines reported_within(Duration duration) {
    advance(duration);
    return reported();
  }

  ip::GroupMember one_{host_.ip().groups()};
  ip::GroupMember two_{host_.ip().groups()};
};

// ---------------------------------------------------------------- changes

TEST_P(GroupsTest, JoiningIsReportedAtOnceAndOnceMoreWithinASecond) {  // R3376-01, R3810-02
  join(one_, group());
  EXPECT_EQ(reported(), Lines{line("TO_EX", group())});
  EXPECT_EQ(reported_within(1s), Lines{line("TO_EX", group())});
  EXPECT_EQ(reported_within(1min), Lines{});
}

TEST_P(GroupsTest, LeavingIsReportedByTheLastToLeave) {  // R3376-01
  join(one_, group());
  join(two_, group());
  advance(2s);
  sent();
  leave(one_, group());
  EXPECT_EQ(reported_within(2s), Lines{});
  leave(two_, group());
  EXPECT_EQ(reported(), Lines{line("TO_IN", group())});
  EXPECT_EQ(reported_within(1s), Lines{line("TO_IN", group())});
}

TEST_P(GroupsTest, ReportsAreRepeatedAsOftenAsTheRouterAsksFor) {  // R3376-01
  MembershipQuery query = general(1s);
  query.robustness = 4;
  ask(query);
  advance(2s);
  sent();
  join(one_, group());
  EXPECT_EQ(reported(), Lines{line("TO_EX", group())});
  EXPECT_EQ(reported_within(3s), Lines(3, line("TO_EX", group())));
}

TEST_P(GroupsTest, SourcesAreReportedAsTheyAreAllowedAndBlocked) {  // R3376-01
  allow(one_, group(), 1);
  EXPECT_EQ(reported(), Lines{line("ALLOW", group(), set({1}))});
  advance(2s);
  sent();
  allow(one_, group(), 2);
  EXPECT_EQ(reported_within(1s), Lines(2, line("ALLOW", group(), set({2}))));
  with([&] { EXPECT_TRUE(one_.leave_source(eth_, group(), source(1))); });
  EXPECT_EQ(reported_within(1s), Lines(2, line("BLOCK", group(), set({1}))));
}

TEST_P(GroupsTest, TheInterfaceWantsWhatAnyOfItsSocketsWants) {  // RFC 9776 §3.2
  allow(one_, group(), 1);
  advance(2s);
  sent();
  join(two_, group());
  EXPECT_EQ(reported(), Lines{line("TO_EX", group())});
  advance(2s);
  sent();
  with([&] {
    EXPECT_TRUE(two_.block(eth_, group(), source(1)));  // which the other wants
    EXPECT_TRUE(two_.block(eth_, group(), source(2)));
  });
  EXPECT_EQ(reported_within(1s), Lines(2, line("BLOCK", group(), set({2}))));
  leave(two_, group());
  EXPECT_EQ(reported(), Lines{line("TO_IN", group(), set({1}))});
}

TEST_P(GroupsTest, AllSystemsAndNarrowScopesAreNotReported) {  // R2236-04, R3810-03
  join(one_, all_systems());
  if (!is_v4()) {
    join(one_, address("ff01::99"));
    join(one_, address("ff10::99"));
  }
  EXPECT_EQ(reported_within(5s), Lines{});
  ask(general(1s));
  EXPECT_EQ(reported_within(5s), Lines{});
}

TEST_P(GroupsTest, WhatDoesNotFitOnePacketGoesInSeveral) {
  std::vector<std::unique_ptr<ip::GroupMember>> members;
  for (int i = 0; i < 20; ++i) {
    members.push_back(std::make_unique<ip::GroupMember>(host_.ip().groups()));
    for (int j = 0; j < 10; ++j) allow(*members.back(), group(), 10 * i + j + 1);
  }
  advance(2s);
  sent();
  ask(general(1s));
  advance(2s);
  const auto frames = sent();
  EXPECT_EQ(frames.size(), is_v4() ? 1U : 4U);
  for (const SentFrame& frame : frames) EXPECT_LE(frame.payload.size(), 1500U);
}

// ---------------------------------------------------------------- questions

TEST_P(GroupsTest, AGeneralQuestionIsAnsweredForAllGroupsWithinTheTime) {  // R3376-02
  join(one_, group(1));
  allow(one_, group(2), 7);
  advance(5s);
  sent();
  ask(general(10s));
  EXPECT_EQ(reported(), Lines{});  // not at once
  EXPECT_EQ(reported_within(10s), (Lines{line("IS_EX", group(1)), line("IS_IN", group(2), set({7}))}));
  EXPECT_EQ(reported_within(1min), Lines{});
}

TEST_P(GroupsTest, QuestionsAboutAGroupAreAnsweredForItAlone) {  // R3376-02
  join(one_, group(1));
  join(one_, group(2));
  advance(5s);
  sent();
  ask(about(group(2)));
  EXPECT_EQ(reported_within(2s), Lines{line("IS_EX", group(2))});
  ask(about(group(3)));
  EXPECT_EQ(reported_within(2s), Lines{});
}

TEST_P(GroupsTest, QuestionsAboutSourcesAreAnsweredForThose) {  // R3376-02
  allow(one_, group(1), 1);
  allow(one_, group(1), 2);
  with([&] {
    EXPECT_TRUE(one_.join(eth_, group(2)));
    EXPECT_TRUE(one_.block(eth_, group(2), source(1)));
  });
  advance(5s);
  sent();
  ask(about(group(1), {source(2), source(3)}));
  EXPECT_EQ(reported_within(2s), Lines{line("IS_IN", group(1), set({2}))});
  ask(about(group(2), {source(1), source(3)}));
  EXPECT_EQ(reported_within(2s), Lines{line("IS_IN", group(2), set({3}))});
  ask(about(group(1), {source(9)}));
  EXPECT_EQ(reported_within(2s), Lines{});
}

TEST_P(GroupsTest, SeveralQuestionsGetOneAnswer) {  // R3376-02
  allow(one_, group(1), 1);
  allow(one_, group(1), 2);
  advance(5s);
  sent();
  for (int i = 1; i <= 2; ++i) ask(about(group(1), {source(i)}));
  EXPECT_EQ(reported_within(2s), Lines{line("IS_IN", group(1), set({1, 2}))});
  ask(about(group(1), {source(1)}));
  ask(about(group(1)));
  EXPECT_EQ(reported_within(2s), Lines{line("IS_IN", group(1), set({1, 2}))});
  // What is about to be said of all groups covers what is asked with more time than that.
  ask(general(100ms));
  MembershipQuery later = about(group(1));
  later.max_response = 1000s;
  ask(later);
  EXPECT_EQ(reported_within(1000s), Lines{line("IS_IN", group(1), set({1, 2}))});
}

TEST_P(GroupsTest, LongTimesAreUnderstood) {  // R3376-03
  join(one_, group());
  advance(5s);
  sent();
  // The largest that the codes can say. It may be answered at any time until then, so the same question has
  // many answers: they are spread.
  std::vector<Duration> delays;
  for (int i = 0; i < 10; ++i) {
    ask(general(std::chrono::hours(5)));
    const Instant start = now_;
    while (reported().empty() && now_ < start + std::chrono::hours(5)) advance(10s);
    delays.push_back(now_ - start);
  }
  EXPECT_GT(*std::ranges::max_element(delays), is_v4() ? 1000s : 2000s);
  EXPECT_LE(*std::ranges::max_element(delays), is_v4() ? 3184s : 8398s);
}

TEST_P(GroupsTest, OctetsBehindTheSourcesCountForTheChecksumAlone) {  // R3376-04, R3810-04
  join(one_, group());
  advance(5s);
  sent();
  ask(general(1s), {.behind = {1, 2, 3, 4, 5}});
  EXPECT_EQ(reported_within(2s), Lines{line("IS_EX", group())});
}

TEST_P(GroupsTest, QuestionsThatDoNotComeFromTheLinkAreNotAnswered) {  // R3376-04, R3810-01
  join(one_, group());
  advance(5s);
  sent();
  const std::uint64_t before = drops(DropReason::kMembershipUntrusted);
  ask(general(1s), {.ttl = 2});
  ask(general(1s), {.ttl = 64});
  ask(general(1s), {.alert = false});
  ask(general(1s), {.to = self()});
  if (!is_v4()) {
    ask(general(1s), {.from = address("2001:db8:a::1")});
    ask(general(1s), {.from = address("2001:db8:ffff::1")});
  }
  EXPECT_EQ(reported_within(5s), Lines{});
  EXPECT_EQ(drops(DropReason::kMembershipUntrusted) - before, is_v4() ? 4U : 6U);
}

TEST_P(GroupsTest, QuestionsOfImpossibleLengthAreNotAnswered) {  // R3376-04, R3810-04
  join(one_, group());
  advance(5s);
  sent();
  const Octets good = octets_of(about(group(), {source(1), source(2)}));
  const std::size_t short_size = is_v4() ? 8 : 24;
  const auto malformed = [&] {
    return drops(is_v4() ? DropReason::kIgmpMalformed : DropReason::kMldMalformed) +
           drops(DropReason::kIcmpTruncated);
  };
  const std::uint64_t before = malformed();
  std::uint64_t count = 0;
  for (std::size_t size = 8; size < good.size(); ++size) {
    if (size == short_size) continue;
    receive_message(part(good, 0, size), group(), {});
    ++count;
  }
  EXPECT_EQ(malformed() - before, count);
  EXPECT_EQ(reported_within(20s), Lines{});
}

TEST_P(GroupsTest, ADamagedQuestionIsNotAnswered) {
  join(one_, group());
  advance(5s);
  sent();
  Octets message = octets_of(general(1s));
  message[2] = 0x12;
  if (is_v4()) {
    receive(ipv4({.source = querier(),
                  .destination = all_systems(),
                  .protocol = IpProtocol::kIgmp,
                  .ttl = 1,
                  .options = {0x94, 4, 0, 0}},
                 message));
    EXPECT_EQ(drops(DropReason::kIgmpBadChecksum), 1U);
  } else {
    receive(ipv6(
        {.source = querier(), .destination = all_systems(), .next = IpProtocol::kHopByHop, .hop_limit = 1},
        extension(IpProtocol::kIcmpv6, {5, 2, 0, 0, 1, 0}) + message));
    EXPECT_EQ(drops(DropReason::kIcmpBadChecksum), 1U);
  }
  EXPECT_EQ(reported_within(5s), Lines{});
}

TEST_P(GroupsTest, HoweverOftenItIsAskedItAnswersOnceASecond) {  // ATK-IGMPMLD-10
  join(one_, group());
  advance(5s);
  sent();
  for (int i = 0; i < 1000; ++i) {
    ask(general(100ms));
    advance(10ms);
  }
  const auto lines = reported();
  EXPECT_GE(lines.size(), 5U);
  EXPECT_LE(lines.size(), 10U);
}

TEST_P(GroupsTest, ThatOthersLeaveChangesNothing) {  // ATK-IGMPMLD-11
  join(one_, group());
  advance(5s);
  sent();
  const wire::OldMembershipMessage leaving{wire::OldMembershipMessage::Kind::kLeave, group()};
  wire::MembershipReport leaves;
  leaves.records = {{wire::MembershipRecord::Type::kToInclude, group(), {}}};
  Octets old(leaving.size()), recent(leaves.size());
  wire::Writer old_writer(old), writer(recent);
  leaving.write(old_writer);
  leaves.write(writer);
  const Envelope from_another{.from = address(is_v4() ? "10.0.0.1" : "fe80::66")};
  receive_message(old, group(), from_another);
  receive_message(recent, group(), from_another);
  EXPECT_EQ(reported_within(5s), Lines{});
  ask(about(group()));
  EXPECT_EQ(reported_within(2s), Lines{line("IS_EX", group())});
}

// ---------------------------------------------------------------- older routers

TEST_P(GroupsTest, AnOlderRouterIsSpokenToInItsVersion) {  // R2236-01, R2236-02, R3376-05, R3810-05
  join(one_, group(1));
  advance(5s);
  sent();
  ask(general(10s, MembershipVersion::kV2));
  EXPECT_EQ(reported_within(10s), Lines{fmt::format("report {}", group(1))});
  // Joining: at once, and again within 10 s.
  allow(one_, group(2), 1);
  EXPECT_EQ(reported(), Lines{fmt::format("report {}", group(2))});
  EXPECT_EQ(reported_within(10s), Lines{fmt::format("report {}", group(2))});
  EXPECT_EQ(reported_within(1min), Lines{});
  leave(one_, group(2));
  EXPECT_EQ(reported_within(1min), Lines{fmt::format("leave {}", group(2))});
}

TEST_P(GroupsTest, AnOlderRouterIsForgottenInTime) {  // R3376-05, R3810-05
  ask(general(1s, MembershipVersion::kV2));
  // Robustness 2, 125 s between questions, 10 s for an answer.
  advance(259s);
  join(one_, group(1));
  EXPECT_EQ(reported(), Lines{fmt::format("report {}", group(1))});
  advance(2s);
  join(one_, group(2));
  EXPECT_EQ(reported(), Lines{line("TO_EX", group(2))});
}

TEST_P(GroupsTest, AReportOfAnotherMemberStandsForTheOwn) {  // R2236-02, R3810-05
  join(one_, group(1));
  advance(5s);
  ask(general(10s, MembershipVersion::kV2));
  sent();
  receive_old_report(group(1));
  EXPECT_EQ(reported_within(20s), Lines{});
  leave(one_, group(1));
  EXPECT_EQ(reported_within(20s), Lines{});  // the other is still there, for all we know
}

TEST_P(GroupsTest, AReportOfAnotherMemberDoesNotCountWhereEveryMemberReports) {
  join(one_, group(1));
  advance(5s);
  sent();
  ask(general(10s));
  receive_old_report(group(1));
  EXPECT_EQ(reported_within(20s), Lines{line("IS_EX", group(1))});
}

TEST_P(GroupsTest, WhatWasAboutToBeSaidIsDroppedWithTheVersion) {  // RFC 9776 §7.2.1
  join(one_, group(1));
  sent();
  ask(general(10s, MembershipVersion::kV2));
  EXPECT_EQ(reported_within(10s), Lines{fmt::format("report {}", group(1))});
}

class Igmp : public GroupsTest {};

TEST_P(Igmp, ARouterOfVersion1GetsReportsOfVersion1AndNoLeave) {  // R2236-03, R3376-05
  join(one_, group(1));
  advance(5s);
  sent();
  ask(general(0s, MembershipVersion::kV1), {.alert = false});
  EXPECT_EQ(reported(), Lines{});
  EXPECT_EQ(reported_within(10s), Lines{fmt::format("v1 report {}", group(1))});
  leave(one_, group(1));
  EXPECT_EQ(reported_within(20s), Lines{});
}

TEST_P(Igmp, ASwitchWithoutAnAddressMayAsk) {  // RFC 4541 §2.1.1
  join(one_, group(1));
  advance(5s);
  sent();
  ask(general(1s), {.from = address("0.0.0.0")});
  EXPECT_EQ(reported_within(2s), Lines{line("IS_EX", group(1))});
}

class Mld : public GroupsTest {};

TEST_P(Mld, TheGroupOfAnAddressIsJoinedBeforeItIsAskedFor) {  // R4862-02, R3810-02
  link::InterfaceConfig config;
  config.name = "eth1";
  config.mac = MacAddress({0x02, 0x11, 0x22, 0x33, 0x44, 0x66});
  const InterfaceId id = host_.add_interface(config);
  std::vector<SentFrame> frames;
  for (int i = 0; i < 40; ++i) {
    advance(100ms);
    while (Packet packet = host_.transmit_queue(id).pop()) {
      Octets octets(packet.size());
      packet.copy_out(0, octets);
      wire::Reader reader(octets);
      const auto header = wire::EthernetHeader::parse(reader);
      const Bytes rest = reader.rest();
      frames.push_back({now_, *header, Octets(rest.begin(), rest.end())});
    }
  }
  ASSERT_GE(frames.size(), 3U);
  const std::string expected = "TO_EX ff02::1:ff33:4466 {}";
  EXPECT_EQ(membership_lines({frames[0]}, IpAddress()), Lines{expected});  // from nobody yet
  EXPECT_EQ(parse_icmp(frames[1].ip()).header.type, 135);                  // the address is asked for
  EXPECT_EQ(frames[0].time, frames[1].time);
  EXPECT_EQ(std::ranges::count(membership_lines(frames), expected), 2);
}

TEST_P(Mld, QuestionsFromNobodyAreNotAnswered) {
  join(one_, group());
  advance(5s);
  sent();
  ask(general(1s), {.from = IpAddress()});
  EXPECT_EQ(reported_within(5s), Lines{});
}

INSTANTIATE_TEST_SUITE_P(Families, GroupsTest, testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         family_of_test);
INSTANTIATE_TEST_SUITE_P(Families, Igmp, testing::Values(IpFamily::kIpv4), family_of_test);
INSTANTIATE_TEST_SUITE_P(Families, Mld, testing::Values(IpFamily::kIpv6), family_of_test);

}  // namespace
}  // namespace transom::test
