#include "tools/replay_report.h"

#include <gtest/gtest.h>

namespace transom::tools {
namespace {

using drivers::replay::compare;
using drivers::replay::FlowReport;
using drivers::replay::Likeness;
using drivers::replay::PacketRecord;

PacketRecord segment(std::uint64_t number, std::int64_t sequence, std::uint32_t length,
                     std::int64_t acknowledgment) {
  PacketRecord packet;
  packet.number = number;
  packet.protocol = IpProtocol::kTcp;
  packet.flags.ack = true;
  packet.sequence = sequence;
  packet.acknowledgment = acknowledgment;
  packet.length = length;
  return packet;
}

// Two segments of ours and the peer's acknowledgment; in the run, that has come for each.
FlowReport two_segments() {
  const std::vector<PacketRecord> ours_then{segment(1, 1, 100, 1), segment(2, 101, 100, 1)};
  const std::vector<PacketRecord> ours_now{segment(5, 1, 100, 1), segment(7, 101, 100, 1)};
  const std::vector<PacketRecord> theirs_then{segment(3, 1, 0, 201)};
  const std::vector<PacketRecord> theirs_now{segment(6, 1, 0, 101), segment(8, 1, 0, 201)};
  FlowReport flow;
  flow.flow.protocol = IpProtocol::kTcp;
  flow.flow.ends = {Endpoint{IpAddress::v4(10, 0, 0, 1), Port{4000}},
                    Endpoint{IpAddress::v4(10, 0, 0, 2), Port{80}}};
  flow.is_tcp = true;
  flow.tcp.is_playable = true;
  flow.comparison = compare(ours_then, ours_now);
  flow.peer = compare(theirs_then, theirs_now);
  return flow;
}

TEST(ReplayReport, BothEndsStandBesideEachOtherAsTheyWereRecordedOrElseAsTheyHappened) {
  const auto lines = ladder_of(two_segments());
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0].number, 1U);
  EXPECT_EQ(lines[1].number, 0U) << "what was not recorded stands where it happened";
  EXPECT_FALSE(lines[1].is_ours);
  EXPECT_EQ(lines[1].likeness, Likeness::kLegal);
  EXPECT_EQ(lines[2].number, 2U);
  EXPECT_EQ(lines[3].number, 3U);
}

TEST(ReplayReport, WhatIsFoundStandsBesideItsPacket) {
  FlowReport flow = two_segments();
  static constexpr drivers::judge::Rule kRule{"a-rule", "RFC 1", "a title",
                                              drivers::judge::Verdict::kViolation};
  drivers::judge::Finding& finding = flow.findings.emplace_back();
  finding.rule = &kRule;
  finding.verdict = kRule.worst;
  finding.frame = 8;
  finding.from = flow.flow.ends[1];
  const auto lines = ladder_of(flow);
  EXPECT_EQ(lines[3].likeness, Likeness::kViolation);
  EXPECT_EQ(lines[3].remark, "a-rule");
  EXPECT_EQ(lines[1].remark, "acknowledgment-policy");
}

TEST(ReplayReport, EveryOutputHasTheDifferencesOfBothEnds) {
  ReplayReport report{.capture = "some.pcap", .role = "client", .flows = {two_segments()}, .waiting = 1};
  EXPECT_EQ(report.likeness(), Likeness::kViolation) << "nobody came for one";
  const auto json = to_json(report);
  EXPECT_EQ(json["flows"][0]["differences"][0]["id"], "acknowledgment-policy");
  EXPECT_EQ(json["flows"][0]["peer_packets"].size(), 2U);
  EXPECT_NE(to_html(report).find("acknowledgment-policy"), std::string::npos);
  EXPECT_NE(as_junit(report, Likeness::kViolation).find("nobody came for it"), std::string::npos);
}

}  // namespace
}  // namespace transom::tools
