#include "drivers/replay/feed_failures.h"

#include <fmt/format.h>

#include "drivers/capture/capture_reader.h"
#include "drivers/shrink/test_case.h"

namespace transom::drivers::replay {

namespace {

void add_failures(const FlowReport& flow, std::vector<FeedFailure>& rules, std::vector<FeedFailure>& others) {
  const Endpoint &from = flow.flow.ends[flow.ours], &to = flow.flow.ends[1 - flow.ours];
  for (const judge::Finding& finding : flow.findings) {
    if (finding.verdict == judge::Verdict::kViolation)
      rules.push_back({std::string(finding.rule->id), std::string(finding.rule->title),
                       std::string(finding.rule->section), from, to, finding.state});
  }
  for (const auto& [difference, count] : flow.comparison.counts) {
    if (difference->verdict == Likeness::kViolation)
      others.push_back({std::string(difference->id), std::string(difference->title),
                        std::string(difference->section), from, to});
  }
  if (!flow.octets_are_equal())
    others.push_back(
        {std::string(kReadsOtherOctets), "the application reads other octets", "RFC 9293 §3.4", from, to});
  if (!flow.tcp.stall.empty())
    others.push_back({std::string(kStalls), "something is waited for in vain", "", from, to});
}

}  // namespace

std::expected<std::vector<FeedFailure>, std::string> feed_failures(std::span<const KeptPacket> packets,
                                                                   const Role& role) {
  auto first = CaptureReader::of(packets), second = CaptureReader::of(packets);
  const auto scene = survey(first);
  if (!scene) return std::unexpected(to_string(scene.error()));
  const Cast cast(*scene, role);
  if (cast.our_addresses().empty()) return std::unexpected("none of its flows has such an end");
  FeedRecorder recorder(cast);
  auto outcome = feed(second, *scene, cast, {}, recorder);
  if (!outcome) return std::unexpected(to_string(outcome.error()));
  std::vector<FeedFailure> rules, others;
  for (const FlowReport& flow : recorder.reports(*scene, cast, *outcome)) add_failures(flow, rules, others);
  rules.insert(rules.end(), std::move_iterator(others.begin()), std::move_iterator(others.end()));
  return rules;
}

std::string as_test(const FeedFailure& failure, std::span<const KeptPacket> packets, std::string_view role) {
  return to_source(
      {.comment = fmt::format("{}{}{}{}", failure.title, failure.section.empty() ? "" : " [", failure.section,
                              failure.section.empty() ? "" : "]"),
       .name = failure.id,
       .header = "drivers/replay/feed_failures.h",
       .body = fmt::format("  const auto failures = replay::feed_failures(packets, "
                           "*replay::Role::parse(\"{}\"));\n  ASSERT_TRUE(failures) << failures.error();\n"
                           "  for (const auto& failure : *failures) EXPECT_NE(failure.id, \"{}\");\n",
                           role, failure.id)},
      packets);
}

}  // namespace transom::drivers::replay
