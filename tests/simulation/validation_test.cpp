// Holds what we measure against what is known, and docs/validation.md against both.
//
//   TRANSOM_WRITE_VALIDATION=1 build/release/bin/test_simulation --gtest_filter='*Validation*'
//
// measures everything and writes the table of that document anew.
#include "tests/simulation/validation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>

namespace transom::test {

bool ValidationRow::holds() const {
  switch (kind) {
    case Kind::kEqual:
      return std::abs(error()) <= allowed;
    case Kind::kAtLeast:
      return measured >= known;
    case Kind::kAtMost:
      return measured <= known;
  }
  return false;
}

namespace {

constexpr std::string_view kDocument = TRANSOM_SOURCE_DIR "/docs/validation.md";
constexpr std::string_view kBegin = "<!-- measured: begin -->\n";
constexpr std::string_view kEnd = "<!-- measured: end -->\n";

struct Chapter {
  std::string name;
  std::vector<ValidationRow> (*measure)();
};

const std::vector<Chapter>& chapters() {
  static const std::vector<Chapter> kChapters{
      {"Response functions", validate_response_functions},
      {"CUBIC's curve", validate_cubic_curve},
      {"The end of slow start", validate_slow_start_exit},
      {"Timeouts", validate_timeouts},
      {"Probes and RACK", validate_probes},
      {"Proportional rate reduction", validate_proportional_reduction},
      {"Fairness", validate_shares},
      {"DCTCP", validate_dctcp_queue},
      {"BBR under loss", validate_bbr_under_loss}};
  return kChapters;
}

// Each is measured once in a process.
const std::vector<ValidationRow>& rows_of(const Chapter& chapter) {
  static std::map<std::string, std::vector<ValidationRow>> measured;
  auto found = measured.find(chapter.name);
  if (found == measured.end()) found = measured.emplace(chapter.name, chapter.measure()).first;
  return found->second;
}

std::string number(double value) {
  if (value != 0 && std::abs(value) < 10) return fmt::format("{:.3f}", value);
  return fmt::format("{:.{}f}", value, std::abs(value) < 1000 ? 1 : 0);
}

// The columns that do not depend on the measurement, and those that do.
std::string known_columns(const ValidationRow& row) {
  const std::string_view sign = row.kind == ValidationRow::Kind::kAtLeast  ? "≥ "
                                : row.kind == ValidationRow::Kind::kAtMost ? "≤ "
                                                                           : "";
  return fmt::format("| {} | {} | {}{}{}{} |", row.result, row.source, sign, number(row.known),
                     row.unit.empty() ? "" : " ", row.unit);
}

std::string line_of(const ValidationRow& row) {
  const bool is_equal = row.kind == ValidationRow::Kind::kEqual;
  return fmt::format("{} {} | {} | {} | {} |\n", known_columns(row), number(row.measured),
                     is_equal ? fmt::format("{:+.1f} %", row.error() * 100) : "",
                     is_equal ? fmt::format("{:g} %", row.allowed * 100) : "",
                     row.holds() ? "holds" : "does not hold");
}

std::string table() {
  std::string text;
  for (const Chapter& chapter : chapters()) {
    text += fmt::format(
        "\n**{}**\n\n| known result | source | known | measured | error | allowed | |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | --- |\n",
        chapter.name);
    for (const ValidationRow& row : rows_of(chapter)) text += line_of(row);
  }
  return text + "\n";
}

std::string read_document() {
  std::ifstream file{std::string(kDocument)};
  return {std::istreambuf_iterator<char>(file), {}};
}

class Validation : public testing::TestWithParam<std::size_t> {};

TEST_P(Validation, ReproducesWhatIsKnown) {
  for (const ValidationRow& row : rows_of(chapters()[GetParam()])) EXPECT_TRUE(row.holds()) << line_of(row);
}

INSTANTIATE_TEST_SUITE_P(Chapters, Validation, testing::Range<std::size_t>(0, chapters().size()),
                         [](const auto& about) {
                           std::string name = chapters()[about.param].name;
                           std::erase_if(name,
                                         [](unsigned char letter) { return std::isalnum(letter) == 0; });
                           return name;
                         });

// What is said to be known and allowed must be what is tested; the measured numbers are those of when it was
// written, and within the allowed error like today's.
TEST(ValidationDocument, SaysWhatIsTested) {
  std::string document = read_document();
  const std::size_t begin = document.find(kBegin), end = document.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  if (std::getenv("TRANSOM_WRITE_VALIDATION") != nullptr) {
    document.replace(begin + kBegin.size(), end - begin - kBegin.size(), table());
    std::ofstream{std::string(kDocument)} << document;
  }
  for (const Chapter& chapter : chapters()) {
    for (const ValidationRow& row : rows_of(chapter)) {
      const std::size_t at = document.find(row.result);
      EXPECT_NE(at, std::string::npos) << "docs/validation.md lacks: " << row.result;
      const std::string_view line = std::string_view(document).substr(at, document.find('\n', at) - at);
      EXPECT_TRUE(line.ends_with("holds |")) << line;
      if (row.kind == ValidationRow::Kind::kEqual) {
        EXPECT_NE(line.find(fmt::format("| {:g} % |", row.allowed * 100)), std::string::npos) << line;
      }
    }
  }
}

}  // namespace
}  // namespace transom::test
