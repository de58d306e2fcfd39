// What passed at our end, held against the capture: both ends, from other ports, with other numbers.
#include "drivers/replay/run_report.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/drivers/capture/made_packets.h"

namespace transom::drivers::replay {
namespace {

using test::kClient;
using test::kServer;
using test::MadePacket;
using test::Segment;
using namespace std::chrono_literals;

constexpr std::size_t kOurs = 1;  // the server

// A request of 5 octets, answered, from `port` of the client, with numbers that begin at `initial`.
std::vector<Segment> conversation(Port port, std::uint32_t initial, std::string_view answer = "world") {
  const Endpoint client{kClient.address, port};
  const std::uint32_t c = initial, s = initial + 7'000;
  const auto octets = static_cast<std::uint32_t>(answer.size());
  std::vector<Segment> segments{
      {.from = client, .to = kServer, .sequence = c, .flags = "S", .mss = 1460},
      {.from = kServer, .to = client, .sequence = s, .acknowledgment = c + 1, .flags = "S.", .mss = 1460},
      {.from = client, .to = kServer, .sequence = c + 1, .acknowledgment = s + 1},
      {.from = client,
       .to = kServer,
       .sequence = c + 1,
       .acknowledgment = s + 1,
       .flags = "P.",
       .payload = "hello"},
      {.from = kServer,
       .to = client,
       .sequence = s + 1,
       .acknowledgment = c + 6,
       .flags = "P.",
       .payload = answer},
      {.from = client, .to = kServer, .sequence = c + 6, .acknowledgment = s + 1 + octets},
  };
  std::uint64_t number = 0;
  for (Segment& segment : segments) {
    segment.time = std::chrono::milliseconds(10 * number);
    segment.number = ++number;
  }
  return segments;
}

FlowRecords recorded(const std::vector<Segment>& segments) {
  FlowRecords records;
  for (const Segment& segment : segments) {
    const MadePacket made = test::tcp(segment);
    records.add(made.captured(), made.view(), segment.time);
  }
  return records;
}

FlowReport report_of(const std::vector<Segment>& happened, Port port, RunFlow flow = {}) {
  RunRecorder recorder({.has_missed_nothing = true, .captured_at = {kServer.address}});
  for (const Segment& segment : happened) {
    MadePacket made = test::tcp(segment);
    made.meta.is_outgoing = segment.from == kServer;
    recorder.take(made.captured());
  }
  flow.ours = kOurs;
  flow.actual = {IpProtocol::kTcp, {Endpoint{kClient.address, port}, kServer}};
  flow.outcome.is_playable = true;
  flow.is_tested = {true, false};
  return recorder.reports(recorded(conversation(Port{4000}, 1000)), {std::move(flow)}).front();
}

bool has(const Comparison& comparison, std::string_view id) {
  return std::ranges::any_of(comparison.counts, [&](const auto& entry) { return entry.first->id == id; });
}

TEST(RunReport, TheSameFromAnotherPortWithOtherNumbersIsTheSame) {
  const FlowReport report = report_of(conversation(Port{5555}, 4'294'967'290), Port{5555});
  EXPECT_EQ(report.likeness(), Likeness::kSame);
  EXPECT_EQ(report.comparison.same, 2U);
  ASSERT_TRUE(report.peer);
  EXPECT_EQ(report.peer->same, 4U);
  EXPECT_EQ(report.initial, SeqNum(6994));
}

TEST(RunReport, WhatThePeerDoesOtherwiseHasItsVerdict) {
  auto happened = conversation(Port{5555}, 77);
  happened.erase(happened.begin() + 2);
  const FlowReport report = report_of(happened, Port{5555});
  EXPECT_EQ(report.likeness(), Likeness::kLegal);
  EXPECT_TRUE(has(*report.peer, "acknowledgment-policy"));
}

TEST(RunReport, ARuleThatThePeerBreaksIsAViolationAndOneThatWePlayIsNot) {
  auto happened = conversation(Port{5555}, 77);
  const auto again = [&](std::size_t index, std::string_view octets) {
    happened.push_back(happened[index]);
    happened.back().payload = octets;
    happened.back().number = happened.size();
    happened.back().time = std::chrono::milliseconds(100 * happened.size());
  };
  again(4, "WORLD");
  again(3, "HELLO");
  const FlowReport report = report_of(happened, Port{5555});
  EXPECT_EQ(report.likeness(), Likeness::kViolation);
  ASSERT_FALSE(report.findings.empty());
  for (const judge::Finding& finding : report.findings) {
    EXPECT_EQ(finding.from.address, kClient.address);
    EXPECT_EQ(finding.rule->id, "rfc9293-3.8.1-retransmission-differs");
    EXPECT_EQ(finding.frame, 8U);
  }
}

// All that we sent has passed here, so there is no doubt.
TEST(RunReport, APeerThatAcknowledgesWhatWasNeverSentLies) {
  auto happened = conversation(Port{5555}, 77);
  happened.back().acknowledgment += 1000;
  const FlowReport report = report_of(happened, Port{5555});
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].rule->id, "rfc9293-3.10.7.4-ack-beyond-sent");
  EXPECT_EQ(report.likeness(), Likeness::kViolation);
}

// The peer is still in TIME-WAIT of a connection of the same ports, and answers the SYN for that.
TEST(RunReport, APeerThatAnswersForAnOldConnectionDoesNotLie) {
  auto happened = conversation(Port{5555}, 77);
  Segment old = happened[1];
  old.from = happened[0].from;
  old.to = kServer;
  old.sequence = 3'000'000'000;
  old.acknowledgment = 2'000'000'000;
  old.flags = ".";
  old.mss.reset();
  happened.insert(happened.begin(), old);
  std::uint64_t number = 0;
  for (Segment& segment : happened) segment.number = ++number;
  EXPECT_TRUE(report_of(happened, Port{5555}).findings.empty());
}

// Where the recorded host was gone before it had read the FIN.
TEST(RunReport, APeerMayCloseWhereTheRecordingEndsWithoutThat) {
  auto happened = conversation(Port{5555}, 77);
  Segment fin = happened.back();
  fin.flags = "F.";
  fin.number = 7;
  happened.push_back(fin);
  const FlowReport report = report_of(happened, Port{5555});
  EXPECT_TRUE(has(*report.peer, "end-of-stream"));
  EXPECT_EQ(report.likeness(), Likeness::kLegal);
}

TEST(RunReport, AResetBehindTheEndIsLegalAndOneBeforeItIsNot) {
  auto happened = conversation(Port{5555}, 77);
  Segment reset = happened.back();
  reset.flags = "R.";
  reset.number = 7;
  happened.push_back(reset);
  const FlowReport ended = report_of(happened, Port{5555});
  EXPECT_TRUE(has(*ended.peer, "reset-at-the-end"));
  EXPECT_EQ(ended.likeness(), Likeness::kLegal);
  RunFlow flow;
  flow.outcome.stall = "stalled";
  const FlowReport stalled = report_of(happened, Port{5555}, std::move(flow));
  EXPECT_TRUE(has(*stalled.peer, "reset"));
  EXPECT_EQ(stalled.likeness(), Likeness::kViolation);
}

TEST(RunReport, OctetsThatTheMasksAllowAreNoDifference) {
  auto happened = conversation(Port{5555}, 77);
  happened[3].payload = "HELLO";
  EXPECT_EQ(report_of(happened, Port{5555}).likeness(), Likeness::kSame);
  RunFlow flow;
  using Side = StreamCheck::Side;
  const std::vector<std::uint8_t> one{1}, two{2};
  flow.outcome.received.add(Side::kRecorded, 0, one);
  flow.outcome.received.add(Side::kActual, 0, two);
  const FlowReport different = report_of(happened, Port{5555}, std::move(flow));
  EXPECT_TRUE(has(*different.peer, "other-octets"));
  EXPECT_EQ(different.likeness(), Likeness::kViolation);
}

TEST(RunReport, OfAConnectionThatNobodyHadAllIsMissing) {
  RunFlow flow;
  flow.outcome.stall = "nobody came";
  const FlowReport report = report_of({}, Port{5555}, std::move(flow));
  EXPECT_EQ(report.likeness(), Likeness::kViolation);
  EXPECT_EQ(report.comparison.rungs.size(), 2U);
  EXPECT_EQ(report.peer->rungs.size(), 4U);
}

}  // namespace
}  // namespace transom::drivers::replay
