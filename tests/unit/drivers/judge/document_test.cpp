// docs/judge.md has every rule, and no other.
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "drivers/judge/rules.h"

namespace transom::drivers::judge::test {
namespace {

TEST(JudgeDocument, HasTheRulesAsTheyAre) {
  std::ifstream file(TRANSOM_SOURCE_DIR "/docs/judge.md");
  std::multiset<std::string> rows, expected;
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("| `")) rows.insert(line);
  for (const Rule* rule : all_rules())
    expected.insert(
        fmt::format("| `{}` | {} | {} | {} |", rule->id, rule->section, rule->title, to_string(rule->worst)));
  EXPECT_EQ(rows, expected);
}

}  // namespace
}  // namespace transom::drivers::judge::test
