#include "drivers/fault_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace transom::drivers {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

TEST(FaultOptions, ReadsEveryWord) {
  const auto options = parse_fault_options(
      "loss=1% reorder=2%,dup=0.1% corrupt=0.5%  truncate=100% delay=10ms jitter=1.5us seed=7");
  ASSERT_TRUE(options) << options.error();
  EXPECT_DOUBLE_EQ(options->loss, 0.01);
  EXPECT_DOUBLE_EQ(options->reorder, 0.02);
  EXPECT_DOUBLE_EQ(options->duplicate, 0.001);
  EXPECT_DOUBLE_EQ(options->corrupt, 0.005);
  EXPECT_DOUBLE_EQ(options->truncate, 1.0);
  EXPECT_EQ(options->delay, 10ms);
  EXPECT_EQ(options->jitter, 1500ns);
  EXPECT_EQ(options->seed, 7U);
}

TEST(FaultOptions, AreAllOffInAnEmptyText) {
  const auto options = parse_fault_options(" , ");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->loss, 0);
  EXPECT_EQ(options->delay, Duration::zero());
}

TEST(FaultOptions, NameTheUnknownWordAndTheKnownOnes) {
  for (const char* word : {"los=1%", "loss:1%", "=1%", "LOSS=1%", "duplicate=1%"}) {
    const auto options = parse_fault_options(std::string("delay=1ms ") + word);
    ASSERT_FALSE(options) << word;
    EXPECT_THAT(options.error(),
                AllOf(HasSubstr(word), HasSubstr("truncate"), HasSubstr("jitter"), HasSubstr("seed")));
    EXPECT_EQ(options.error().find('\n'), std::string::npos);
  }
}

TEST(FaultOptions, NameTheBadValueAndShowAGoodOne) {
  for (const char* word : {"loss=1", "loss=", "loss", "loss=%", "loss=-1%", "loss=101%", "loss=nan%",
                           "loss=inf%", "loss=1%%", "loss=1x%"}) {
    const auto options = parse_fault_options(word);
    ASSERT_FALSE(options) << word;
    EXPECT_THAT(options.error(), AllOf(HasSubstr(std::string("'") + word + "'"), HasSubstr("loss=1%")));
  }
  for (const char* word : {"delay=10", "delay=ms", "delay=-1ms", "delay=2h", "delay=1e30s", "delay=nans"}) {
    const auto options = parse_fault_options(word);
    ASSERT_FALSE(options) << word;
    EXPECT_THAT(options.error(), AllOf(HasSubstr(word), HasSubstr("delay=10ms")));
  }
  for (const char* word : {"seed=x", "seed=-1", "seed=1.5", "seed=99999999999999999999"}) {
    EXPECT_FALSE(parse_fault_options(word)) << word;
  }
}

TEST(FaultOptions, RefuseAWordGivenTwice) {
  const auto options = parse_fault_options("loss=1% loss=2%");
  ASSERT_FALSE(options);
  EXPECT_THAT(options.error(), HasSubstr("twice"));
}

}  // namespace
}  // namespace transom::drivers
