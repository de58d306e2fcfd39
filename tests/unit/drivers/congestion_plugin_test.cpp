// Congestion controls from shared objects: tests/plugin.
#include "drivers/congestion_plugin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "drivers/sim/scenario.h"

namespace transom::drivers {
namespace {

using testing::HasSubstr;

const std::string kPlugins = TRANSOM_PLUGINS;

class CongestionPlugin : public testing::Test {
 protected:
  static std::expected<std::unique_ptr<sim::Scenario>, std::string> scenario(
      const std::string& congestion_control) {
    return sim::Scenario::parse(fmt::format(R"(
      duration = "4s"
      [topology]
      kind = "pair"
      link = {{ rate = "20mbit", delay = "20ms", queue = "pfifo limit 20" }}
      [[flow]]
      from = "a"
      to = "b"
      congestion_control = "{}")",
                                            congestion_control),
                                "test.toml", kPlugins);
  }
  static sim::FlowReport run(const std::string& congestion_control) {
    const auto made = scenario(congestion_control);
    EXPECT_TRUE(made) << made.error();
    if (!made) return {};
    (*made)->run();
    return (*made)->flows()[0]->report();
  }
  std::string complaint(const std::string& text) {
    const auto chosen = choose_congestion_control(host_.tcp(), text, kPlugins);
    EXPECT_FALSE(chosen) << text;
    return chosen ? "" : chosen.error();
  }

  BufferPool pool_;
  Host host_{pool_, {}};
};

TEST_F(CongestionPlugin, ServesAFlowOfAScenarioThatNamesItsFile) {
  const sim::FlowReport report = run("./aimd.so");
  EXPECT_EQ(report.congestion_control, "aimd");
  EXPECT_GT(report.goodput, 10'000'000U);
  ASSERT_EQ(report.info.metric_count, 1U);
  EXPECT_EQ(report.info.metrics[0].name, "losses");
  EXPECT_GT(report.info.metrics[0].value, 0);
}

TEST_F(CongestionPlugin, TakesParameters) {
  const double gentle = run("aimd.so:increase=0.5,decrease=0.9").info.metrics[0].value;
  const double bold = run("aimd.so:increase=20,decrease=0.9").info.metrics[0].value;
  EXPECT_GT(bold, 2 * gentle) << "who grows faster loses more often";
}

TEST_F(CongestionPlugin, IsKnownByItsNameOnceItIsLoaded) {
  EXPECT_THAT(complaint("aimd"), HasSubstr("there is no congestion control 'aimd'"));
  ASSERT_TRUE(choose_congestion_control(host_.tcp(), "./aimd.so", kPlugins));
  const auto chosen = host_.tcp().choose_congestion_control("aimd:decrease=0.8");
  ASSERT_TRUE(chosen) << chosen.error();
  EXPECT_TRUE(choose_congestion_control(host_.tcp(), kPlugins + "/aimd.so")) << "again, by another path";
}

TEST_F(CongestionPlugin, IsFoundByItsNameInTheDirectoriesOfTheEnvironment) {
  ASSERT_EQ(setenv("TRANSOM_CONGESTION_PATH", ("/nonexistent::" + kPlugins).c_str(), 1), 0);
  const auto chosen = choose_congestion_control(host_.tcp(), "aimd:increase=3");
  unsetenv("TRANSOM_CONGESTION_PATH");
  ASSERT_TRUE(chosen) << chosen.error();
  EXPECT_EQ((*chosen)->name, "aimd");
}

TEST_F(CongestionPlugin, SaysWhyItCannotBeUsed) {
  EXPECT_THAT(complaint("./missing.so"), HasSubstr(kPlugins + "/./missing.so"));
  EXPECT_THAT(complaint("./nothing.so"),
              testing::AllOf(HasSubstr("nothing.so"), HasSubstr("transom_congestion_control_v1"),
                             HasSubstr("docs/congestion-control.md")));
  EXPECT_THAT(complaint("./aimd.so:increase=1000"),
              HasSubstr("increase (0.01 to 100 segments per round trip, standard 1)"));
}

TEST_F(CongestionPlugin, IsBlamedWithTheLineOfTheScenario) {
  const auto made = scenario("./aimd.so:growth=2");
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error(), testing::AllOf(HasSubstr("test.toml:9"), HasSubstr("'growth' is no parameter"),
                                           HasSubstr("increase")));
}

}  // namespace
}  // namespace transom::drivers
