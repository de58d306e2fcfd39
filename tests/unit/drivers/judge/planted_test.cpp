// Each misbehaviour is found and named, and what looks alike is not.
#include "tests/unit/drivers/judge/planted.h"

namespace transom::drivers::judge::test {
namespace {

std::vector<Planted> all_planted() {
  std::vector<Planted> all;
  for (const auto part : {planted_in_packets(), planted_in_headers(), planted_in_acknowledgments(),
                          planted_in_the_course(), planted_in_the_network()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

class PlantedMisbehaviour : public testing::TestWithParam<Planted> {};

TEST_P(PlantedMisbehaviour, IsNamedByItsRule) {
  Talk talk(GetParam().options);
  GetParam().misbehave(talk);
  EXPECT_EQ(talk.verdict_of(GetParam().rule), GetParam().verdict) << talk.text();
}

TEST_P(PlantedMisbehaviour, WhatLooksAlikeIsNot) {
  Talk talk(GetParam().options);
  GetParam().behave(talk);
  const auto verdict = talk.verdict_of(GetParam().rule);
  const bool is_only_doubted = verdict == kUnknown && GetParam().verdict == kViolation;
  EXPECT_TRUE(!verdict || is_only_doubted) << talk.text();
}

INSTANTIATE_TEST_SUITE_P(Judge, PlantedMisbehaviour, testing::ValuesIn(all_planted()),
                         [](const auto& planted) { return planted.param.name; });

TEST(Judge, EachRuleHasAPlantedMisbehaviour) {
  const auto planted = all_planted();
  for (const Rule* rule : all_rules()) {
    const auto of_rule = [&](const Planted& one) { return one.rule == rule->id; };
    EXPECT_TRUE(std::ranges::any_of(planted, of_rule)) << rule->id;
  }
}

TEST(Judge, NoRuleSaysWorseThanItClaims) {
  for (const Planted& planted : all_planted()) {
    const Rule* rule = find_rule(planted.rule);
    ASSERT_NE(rule, nullptr) << planted.rule;
    EXPECT_TRUE(planted.verdict != kViolation || rule->worst == kViolation) << planted.name;
  }
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Planted& planted) { return out << planted.name; }

}  // namespace transom::drivers::judge::test
