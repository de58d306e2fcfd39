#include "tools/suite_expectation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tools/failure.h"
#include "tools/suite_case.h"

namespace transom::tools {
namespace {

using nlohmann::json;

Expectations expecting(std::string_view text) { return Expectations::parse(toml::parse(text)); }

// The message of the only check, empty when it held.
std::string outcome(std::string_view text, const RecordSets& records) {
  const auto checks = expecting(text).judge(records);
  return checks.size() == 1 ? checks.front().message : "not one check";
}

RecordSets three_packets() {
  return {{"packets",
           {json{{"from", "client"}, {"flags", "S"}, {"length", 0}, {"mss", 1460}},
            json{{"from", "server"}, {"flags", "S."}, {"length", 0}},
            json{{"from", "client"},
                 {"flags", "P."},
                 {"length", 18},
                 {"comment", "the question"},
                 {"late", true},
                 {"time", 0.5}}}}};
}

TEST(SuiteExpectation, CountsWhatMatchesAllConditions) {
  EXPECT_EQ(outcome("[[expect]]\nof = 'packets'\nwhere = { from = 'client' }\ncount = 2", three_packets()),
            "");
  EXPECT_EQ(outcome("[[expect]]\nof = 'packets'\nwhere = { from = 'client', flags = 'S' }\ncount = 1",
                    three_packets()),
            "");
  EXPECT_EQ(outcome("[[expect]]\nof = 'packets'\nwhere = { late = true }", three_packets()), "");
}

TEST(SuiteExpectation, SaysHowManyThereAreWhenTheCountIsAnother) {
  EXPECT_EQ(outcome("[[expect]]\nof = 'packets'\nwhere = { from = 'client' }\ncount = 3", three_packets()),
            "2 of 3 packets match, expected count = 3");
  EXPECT_EQ(outcome("[[expect]]\nof = 'packets'\nwhere = { from = 'nobody' }", three_packets()),
            "0 of 3 packets match, expected count.ge = 1");
  EXPECT_EQ(outcome("[[expect]]\nof = 'findings'\nwhere = { verdict = 'violation' }", {}),
            "0 of 0 findings match, expected count.ge = 1");
}

TEST(SuiteExpectation, CountHasBoundsOnBothSides) {
  EXPECT_EQ(outcome("[[expect]]\nof = 'packets'\n\"count.ge\" = 1\n\"count.le\" = 3", three_packets()), "");
  EXPECT_EQ(outcome("[[expect]]\nof = 'packets'\n\"count.ge\" = 1\n\"count.lt\" = 3", three_packets()),
            "3 of 3 packets match, expected count.lt = 3");
}

TEST(SuiteExpectation, SuffixesCompareNumbersAndText) {
  for (const auto& [where, count] :
       std::vector<std::pair<std::string, int>>{{"'length.gt' = 0", 1},
                                                {"'length.ge' = 18", 1},
                                                {"'length.lt' = 18", 2},
                                                {"'length.le' = 18", 3},
                                                {"'time.lt' = 0.75", 1},
                                                {"'flags.ne' = 'S'", 2},
                                                {"'flags.find' = '.'", 2},
                                                {"'comment.startswith' = 'the'", 1},
                                                {"'comment.endswith' = 'the'", 0}}) {
    EXPECT_EQ(outcome(fmt::format("[[expect]]\nof = 'packets'\nwhere = {{ {} }}\ncount = {}", where, count),
                      three_packets()),
              "")
        << where;
  }
}

TEST(SuiteExpectation, ARecordWithoutTheFieldMatchesOnlyByNotEqual) {
  EXPECT_EQ(outcome("[[expect]]\nof = 'packets'\nwhere = { mss = 1460 }\ncount = 1", three_packets()), "");
  EXPECT_EQ(outcome("[[expect]]\nof = 'packets'\nwhere = { 'mss.ne' = 1460 }\ncount = 2", three_packets()),
            "");
  EXPECT_EQ(outcome("[[expect]]\nof = 'packets'\nwhere = { 'mss.lt' = 2000 }\ncount = 1", three_packets()),
            "");
}

TEST(SuiteExpectation, OrderAllowsOthersBetweenItsSteps) {
  EXPECT_EQ(
      outcome("[[order]]\nof = 'packets'\nsteps = [{ flags = 'S' }, { flags = 'P.' }]", three_packets()), "");
}

TEST(SuiteExpectation, OrderSaysWhichStepIsMissing) {
  EXPECT_EQ(
      outcome("[[order]]\nof = 'packets'\nsteps = [{ flags = 'P.' }, { flags = 'S' }]", three_packets()),
      "step 2 { flags = \"S\" } does not come after number 3 of packets");
}

TEST(SuiteExpectation, OneRecordIsOneStep) {
  EXPECT_NE(outcome("[[order]]\nof = 'packets'\nsteps = [{ flags = 'S' }, { flags = 'S' }]", three_packets()),
            "");
}

TEST(SuiteExpectation, TellsWhichRecordsAreWanted) {
  const auto both = expecting("[[expect]]\nof = 'events'\n[[order]]\nof = 'packets'\nsteps = [{}]");
  EXPECT_TRUE(both.asks_for("events"));
  EXPECT_TRUE(both.asks_for("packets"));
  EXPECT_FALSE(both.asks_for("findings"));
}

TEST(SuiteExpectation, SaysWhatIsWrongInTheFileAndWhere) {
  for (const auto& [text, expected] : std::vector<std::pair<std::string, std::string>>{
           {"[[expect]]\nof = 'packages'", "of = \"packages\": there are packets"},
           {"[[expect]]\nwhere = {}", "of says which records"},
           {"[[expect]]\nof = 'packets'\nwher = {}", "'wher' is not known here"},
           {"[[expect]]\nof = 'packets'\nwhere = { 'length.above' = 1 }", "the suffixes are .ne"},
           {"[[expect]]\nof = 'packets'\nwhere = { 'length.gt' = 'many' }", "length.gt takes a number"},
           {"[[expect]]\nof = 'packets'\nwhere = { 'flags.find' = 1 }", "flags.find takes a string"},
           {"[[expect]]\nof = 'packets'\ncount = 'two'", "count takes a number"},
           {"[[expect]]\nof = 'packets'\nwhere = { flags = [] }",
            "flags takes a string, a number or a truth value"},
           {"[[order]]\nof = 'packets'\nsteps = []", "steps takes an array"},
           {"expect = 1", "expect is an array of tables"}}) {
    try {
      expecting(text);
      FAIL() << text;
    } catch (const BadExpectation& bad) {
      EXPECT_TRUE(bad.message.contains(expected)) << text << ": " << bad.message;
    }
  }
}

// The library's parser asserts on these.
TEST(SuiteCase, RefusesWhatIsNoTomlAtAll) {
  for (const std::string_view text : {"[!expect]]\n", "a = { b = 1,!c = 2 }\n"})
    EXPECT_THROW(SuiteCase::parse(text, "folder", "name"), Failure) << text;
}

}  // namespace
}  // namespace transom::tools
