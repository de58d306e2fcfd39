// What a Judge cannot know, it does not say; and what it remembers is bounded.
#include "drivers/judge/sent_text.h"
#include "tests/unit/drivers/judge/talk.h"

namespace transom::drivers::judge::test {
namespace {

using namespace std::chrono_literals;

TEST(SentText, FindsWhatDiffersAndKeepsToTheBudget) {
  TextBudget budget{.limit = 1000};
  {
    SentText text(budget);
    text.keep(100, transom::test::pattern(400));
    text.keep(300, transom::test::pattern(400, 9));  // only 500:700 is new
    EXPECT_EQ(text.first_difference(100, transom::test::pattern(400)), std::nullopt);
    EXPECT_EQ(budget.used, 600U);
    Octets other = transom::test::pattern(400);
    other[250] ^= 1;
    EXPECT_EQ(text.first_difference(100, other), 350);
    text.keep(700, transom::test::pattern(500));  // beyond the budget
    EXPECT_EQ(budget.used, 600U);
    text.forget_below(500);
    EXPECT_EQ(text.first_difference(100, other), std::nullopt);
  }
  EXPECT_EQ(budget.used, 0U);
}

TEST(Judge, AViolationThatAMissedPacketWouldExplainIsUnknown) {
  const auto play = [](bool is_lossy) {
    Talk talk;
    talk.open();
    if (is_lossy) {
      talk.first({.length = 100});
      talk.first({.seq = 201, .length = 100});  // the capture missed 101:201
      talk.second({});
    }
    talk.open({.seq = 0}, {.seq = 0});
    talk.first({.length = 60000});
    talk.first({.length = 60000});
    return talk.verdict_of("rfc9293-3.8.6-beyond-window");
  };
  EXPECT_EQ(play(false), Verdict::kViolation);
  EXPECT_EQ(play(true), Verdict::kUnknown);
}

// `--at` says where the capture was taken, not that it missed nothing.
TEST(Judge, WhatTheCaptureMissedAtTheHostIsUnknown) {
  Talk talk({.captured_at = {IpAddress::v4(10, 0, 0, 2)}});
  talk.open_with_sack();
  talk.first({.length = 100});
  talk.first({.seq = 201, .length = 100});  // the capture missed 101:201
  talk.second({.after = 700ms});            // and an acknowledgment in time
  talk.first({.seq = 401, .length = 100});  // 301:401 as well
  talk.second({.ack = 301, .sack = {{350, 501}}});
  talk.second({});
  talk.first({.flags = "R", .seq = 5000});
  talk.first({.length = 10});
  talk.second({.flags = "R"});
  EXPECT_NE(talk.text().find("ack-beyond-received"), std::string::npos) << talk.text();
  for (const Finding& finding : talk.findings())
    EXPECT_NE(finding.verdict, Verdict::kViolation) << talk.text();
  EXPECT_TRUE(talk.judge().capture_is_incomplete());
}

TEST(Judge, WhatADropThatWasCountedWouldExplainIsUnknown) {
  const auto play = [](std::uint64_t dropped) {
    Talk talk;
    talk.open();
    talk.first({.length = 60000});
    talk.first({.length = 60000});
    talk.judge().missed(dropped);
    return talk.verdict_of("rfc9293-3.8.6-beyond-window");
  };
  EXPECT_EQ(play(0), Verdict::kViolation);
  EXPECT_EQ(play(1), Verdict::kUnknown);
}

// Of a packet that a device may have joined of several, nobody knows how many were marked.
TEST(Judge, MarksOfPacketsThatMayHaveBeenJoinedAreNotCounted) {
  Talk talk({.captured_at = {IpAddress::v4(10, 0, 0, 2)}});
  talk.first({.flags = "SEWa", .mss = Talk::kMss});
  talk.second({.flags = "SAW", .mss = Talk::kMss});
  talk.first({.flags = "AW"});
  talk.first({.flags = "AaE", .length = 1400, .ecn = 3});
  talk.second({.flags = "AaWE"});  // two
  EXPECT_EQ(talk.verdict_of("rfc9768-3.2.2-mark-count"), Verdict::kUnknown) << talk.text();
}

TEST(Judge, ALieAtTheHostIsAViolationOnceThePeerShowsIt) {
  Talk talk({.captured_at = {IpAddress::v4(10, 0, 0, 2)}});
  talk.open();
  talk.first({.length = 100});
  talk.second({.ack = 201});
  talk.first({.length = 100});
  EXPECT_EQ(talk.verdict_of("rfc9293-3.10.7.4-ack-beyond-sent"), Verdict::kViolation) << talk.text();
}

TEST(Judge, OneDirectionAloneSaysNothingAboutTheOther) {
  Talk talk;
  talk.second({.flags = "SA", .ack = 1});
  for (int i = 0; i < 5; ++i) talk.second({.ack = 100 + i * 50, .length = 1000});
  EXPECT_EQ(talk.text(), "");
}

TEST(Judge, NothingIsSaidOfWindowsWithoutTheirScale) {
  Talk talk;  // begins within the connection
  talk.first({.seq = 1, .length = 100});
  talk.second({.seq = 1, .window = 1});
  for (int i = 0; i < 5; ++i) talk.first({.length = 1000});
  EXPECT_EQ(talk.text(), "");
}

TEST(Judge, PacketsThatPassedTwiceAreOne) {
  Talk talk;
  talk.open();
  for (int i = 0; i < 20; ++i) {
    talk.first({.length = 100, .id = static_cast<std::uint16_t>(500 + i)});
    talk.packet(talk.last());
    talk.second({.ack = 1 + 100 * (i + 1)});
    talk.packet(talk.last());
  }
  EXPECT_EQ(talk.text(), "");
}

TEST(Judge, ADamagedSegmentIsNotLookedInto) {
  Talk talk;
  talk.open();
  talk.first({.flags = "FA", .seq = 40000, .ack = 70000, .is_damaged = true});
  talk.first({.seq = 1, .length = 100});
  talk.second({.ack = 101});
  EXPECT_EQ(talk.findings().size(), 1U) << talk.text();
}

TEST(Judge, ACutPacketCanBeDoubted) {
  const auto play = [](bool is_damaged_elsewhere) {
    Talk talk;
    talk.open();
    if (is_damaged_elsewhere) talk.first({.length = 10, .is_damaged = true});
    talk.first({.length = 100, .mss = 100});  // MSS outside of a SYN
    const Octets packet = talk.last();
    Talk cut;
    cut.open();
    if (is_damaged_elsewhere) cut.first({.length = 10, .is_damaged = true});
    cut.packet(packet, 60);
    return cut.verdict_of("rfc9293-3.2-mss-outside-syn");
  };
  EXPECT_EQ(play(false), Verdict::kViolation);
  EXPECT_EQ(play(true), Verdict::kUnknown);
}

TEST(Judge, NumbersWrapWithoutNotice) {
  Talk talk;
  talk.begin_again(0xffffff00, 0xfffffff0);
  talk.open();
  for (int i = 0; i < 50; ++i) {
    talk.first({.length = 1000});
    talk.second({.length = 10});
  }
  EXPECT_EQ(talk.text(), "");
}

// A capture may claim any time that its reader takes.
TEST(Judge, GapsOfCenturiesDoNoHarm) {
  for (const bool is_closed : {false, true}) {
    Talk talk({.captured_at = {IpAddress::v4(10, 0, 0, 1)}});
    talk.wait(Duration::min() / 2);
    talk.open();
    talk.first({.length = 500});
    if (is_closed) talk.second({.window = 0});
    for (int i = 0; i < 8; ++i)
      talk.first({.seq = is_closed ? 500 : 1,
                  .length = is_closed ? std::size_t{0} : 500,
                  .after = Duration::max() / 10});
    talk.second({});
    talk.findings();
  }
}

TEST(Judge, PortsThatAreUsedAgainAreANewConnection) {
  Talk talk;
  talk.open();
  talk.first({.flags = "FA"});
  talk.second({.flags = "FA"});
  talk.first({});
  talk.wait(1min);
  talk.begin_again(500000, 3);
  talk.open();
  talk.first({.length = 100});
  EXPECT_EQ(talk.text(), "");
  ASSERT_EQ(talk.judge().connections().size(), 2U);
  EXPECT_EQ(talk.judge().connections()[1].ends[0].octets, 100U);
}

TEST(Judge, TheSilentConnectionIsGivenUpWhenThereAreTooMany) {
  Talk talk({.max_connections = 1});
  talk.open();
  wire::TcpHeader header;
  header.source_port = Port{9};
  header.destination_port = Port{10};
  header.flags.syn = true;
  Octets segment(wire::TcpHeader::kMinSize);
  wire::Writer writer(segment);
  header.write(writer);
  const IpAddress a = IpAddress::v4(10, 0, 0, 8), b = IpAddress::v4(10, 0, 0, 9);
  wire::ChecksumSum sum = wire::pseudo_header_sum(a, b, IpProtocol::kTcp, wire::TcpHeader::kMinSize);
  sum.add(segment);
  wire::Writer(MutableBytes(segment).subspan(16, 2)).u16(sum.checksum());
  talk.packet(transom::test::ip_packet(a, b, IpProtocol::kTcp, segment));
  talk.first({.length = 10});
  talk.findings();
  EXPECT_EQ(talk.judge().counts().evicted_connections, 2U);
  EXPECT_EQ(talk.judge().connections().size(), 3U);
}

TEST(Judge, FindingsAreBoundedAndTheWorstAreKept) {
  Talk talk({.max_findings = 2});
  talk.open();
  talk.first({.flags = "SF", .seq = 0});
  talk.first({.urgent = 7});
  talk.first({.urgent = 7});
  talk.first({.mss = 100});
  EXPECT_EQ(talk.findings().size(), 2U);
  EXPECT_EQ(talk.verdict_of("rfc9293-3.2-mss-outside-syn"), Verdict::kViolation) << talk.text();
  EXPECT_GT(talk.judge().counts().left_out_findings, 0U);
}

}  // namespace
}  // namespace transom::drivers::judge::test
