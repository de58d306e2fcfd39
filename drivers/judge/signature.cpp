#include "drivers/judge/signature.h"

#include <algorithm>

#include "drivers/shrink/test_case.h"

namespace transom::drivers::judge {

Signature Signature::of(const Finding& finding) {
  return {.rule = finding.rule, .verdict = finding.verdict, .from = finding.from, .state = finding.state};
}

bool Signature::is_of(const Finding& finding) const {
  return finding.rule == rule && finding.verdict == verdict && finding.from == from && finding.state == state;
}

bool Signature::is_found_in(std::span<const KeptPacket> packets, const JudgeOptions& options) const {
  return std::ranges::any_of(judge_all(packets, options),
                             [&](const Finding& finding) { return is_of(finding); });
}

std::vector<Finding> judge_all(std::span<const KeptPacket> packets, const JudgeOptions& options) {
  Judge judge(options);
  for (const KeptPacket& kept : packets) judge.take(kept.packet());
  judge.end();
  return judge.findings();
}

std::string as_test(const Signature& wanted, std::span<const KeptPacket> packets,
                    const JudgeOptions& options) {
  std::string set;
  for (const IpAddress& address : options.captured_at)
    set += fmt::format("  options.captured_at.push_back(*transom::IpAddress::parse(\"{}\"));\n",
                       to_string(address));
  if (options.has_missed_nothing) set += "  options.has_missed_nothing = true;\n";
  if (options.is_complete) set += "  options.is_complete = true;\n";
  TestCase test{.comment = fmt::format("{} [{}]", wanted.rule->title, wanted.rule->section),
                .name = std::string(wanted.rule->id),
                .header = "drivers/judge/signature.h",
                .body = {}};
  test.body = fmt::format(
      "  judge::JudgeOptions options;\n{}"
      "  const judge::Signature wanted{{\n      .rule = judge::find_rule(\"{}\"),\n"
      "      .verdict = judge::Verdict::{},\n"
      "      .from = {{*transom::IpAddress::parse(\"{}\"), transom::Port{{{}}}}},\n      .state = \"{}\"}};\n"
      "  EXPECT_TRUE(wanted.is_found_in(packets, options));\n",
      set, wanted.rule->id,
      wanted.verdict == Verdict::kViolation ? "kViolation"
      : wanted.verdict == Verdict::kUnknown ? "kUnknown"
                                            : "kLegal",
      to_string(wanted.from.address), static_cast<unsigned>(wanted.from.port), wanted.state);
  return to_source(test, packets);
}

}  // namespace transom::drivers::judge
