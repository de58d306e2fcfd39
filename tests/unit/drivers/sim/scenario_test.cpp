// Scenario files: what they build, and what is said about mistakes in them.
#include "drivers/sim/scenario.h"

#include <gtest/gtest.h>

#include <chrono>

namespace transom::drivers::sim {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<Scenario> parse(std::string_view text, std::optional<std::uint64_t> seed = {}) {
  auto scenario = Scenario::parse(text, "test.toml", ".", seed);
  EXPECT_TRUE(scenario) << scenario.error();
  return std::move(*scenario);
}
std::string complaint(std::string_view text) {
  const auto scenario = Scenario::parse(text, "test.toml", ".");
  return scenario ? std::string("no complaint") : scenario.error();
}

constexpr std::string_view kDumbbell = R"(
duration = "2s"
seed = 5
[topology]
kind = "dumbbell"
hosts = 2
access = { rate = "1gbit", delay = "1ms" }
bottleneck = { rate = "20mbit", delay = "8ms", queue = "pfifo limit 50", loss = "0.1%" }
[[flow]]
from = "left1"
to = "right1"
congestion_control = "cubic"
[[flow]]
from = "left2"
to = "right2"
ipv6 = true
congestion_control = "reno"
start = "100ms"
)";

TEST(SimScenario, RunsFlowsAcrossRouters) {
  const auto scenario = parse(kDumbbell);
  scenario->run();
  ASSERT_EQ(scenario->flows().size(), 2U);
  std::uint64_t together = 0;
  for (const auto& flow : scenario->flows()) {
    const FlowReport report = flow->report();
    EXPECT_TRUE(report.is_intact);
    EXPECT_GT(report.goodput, 2'000'000U) << report.name;
    EXPECT_GE(report.rtt_p50, 20ms);
    together += report.goodput;
  }
  EXPECT_LT(together, 20'000'000ULL * 1448 / 1500 + 100'000);
  EXPECT_EQ(scenario->flows()[1]->report().congestion_control, "reno");
}

TEST(SimScenario, IsAFunctionOfItsSeed) {
  const auto hash = [](std::optional<std::uint64_t> seed) {
    const auto scenario = parse(kDumbbell, seed);
    scenario->run();
    return scenario->simulation().trace_hash();
  };
  const std::uint64_t first = hash({});
  EXPECT_EQ(hash({}), first);
  EXPECT_EQ(hash(5), first);
  EXPECT_NE(hash(6), first);
}

TEST(SimScenario, AllTopologiesCarryTraffic) {
  for (const std::string_view topology : {R"(kind = "pair"
           link = { delay = "1ms", type = "ethernet" })",
                                          R"(kind = "star"
           hosts = 3
           link = { rate = "10mbit" })",
                                          R"(kind = "parking-lot"
           hops = 3
           access = { }
           bottleneck = { rate = "10mbit" })"}) {
    const bool is_pair = topology.find("pair") != std::string_view::npos;
    const bool is_star = topology.find("star") != std::string_view::npos;
    const auto scenario = parse(fmt::format(
        "duration = \"5s\"\n[topology]\n{}\n[[flow]]\nfrom = \"{}\"\nto = \"{}\"\nsend = \"1mb\"\n", topology,
        is_pair ? "a" : "h1", is_pair ? "b" : (is_star ? "h3" : "h4")));
    scenario->run();
    const FlowReport report = scenario->flows()[0]->report();
    EXPECT_EQ(report.delivered, 1U << 20U) << topology;
    EXPECT_NE(report.ended, kNever);
    EXPECT_EQ(report.error, Error::kNone);
  }
}

TEST(SimScenario, LinksMayDifferByDirection) {
  const auto scenario = parse(R"(
duration = "10s"
[[node]]
name = "a"
[[node]]
name = "r"
router = true
[[node]]
name = "b"
[[link]]
ends = ["a", "r"]
rate = "10mbit"
back = { rate = "1mbit" }
[[link]]
ends = ["r", "b"]
[[flow]]
name = "down"
from = "a"
to = "b"
send = "1mb"
[[flow]]
name = "up"
from = "b"
to = "a"
start = "5s"
send = "100kb"
)");
  scenario->run();
  EXPECT_GT(scenario->flows()[0]->report().goodput, 7'000'000U);
  EXPECT_LT(scenario->flows()[1]->report().goodput, 1'000'000U);
}

TEST(SimScenario, AsksAndAnswers) {
  const auto scenario = parse(R"(
[topology]
kind = "pair"
link = { delay = "5ms" }
[[flow]]
from = "a"
to = "b"
send = "100b"
response = "1kb"
rounds = 20
think = "50ms"
)");
  scenario->run();
  const FlowReport report = scenario->flows()[0]->report();
  EXPECT_EQ(report.rounds, 20U);
  EXPECT_EQ(report.delivered, 20U * (100 + 1024));
  EXPECT_NEAR(static_cast<double>(report.round_p50.count()), 10e6, 0.4e6);
  EXPECT_TRUE(scenario->flows()[0]->is_over());
  EXPECT_LT(scenario->simulation().now(), Instant(2s));  // it ends when all is said
}

TEST(SimScenario, HostsTakeTheOptionsOfTcp) {
  const auto scenario = parse(R"(
[tcp]
sack = false
timestamps = false
[topology]
kind = "pair"
link = { delay = "1ms" }
[[flow]]
from = "a"
to = "b"
send = "10kb"
)");
  scenario->run();
  EXPECT_FALSE(scenario->flows()[0]->report().info.sack);
  EXPECT_FALSE(scenario->flows()[0]->report().info.timestamps);
}

TEST(SimScenario, SaysWhichLineIsWrongAndHow) {
  const std::string pair = "[topology]\nkind = \"pair\"\n";
  const std::string flow = "[[flow]]\nfrom = \"a\"\nto = \"b\"\n";
  const auto expect = [](const std::string& text, const char* what) {
    EXPECT_THAT(complaint(text), testing::HasSubstr(what)) << text;
  };
  expect("duration = 5\n", "test.toml:1: duration takes a string like \"10ms\"");
  expect("seed = ", "test.toml:1:");
  expect(pair, "at least one [[flow]]");
  expect(flow, "either [topology] or [[node]]");
  expect(pair + "speed = 3\n" + flow, "test.toml:3: [topology] does not know 'speed'");
  expect(pair + "[[flow]]\nfrom = \"a\"\nto = \"c\"\n", "there is no node 'c'; there are a b");
  expect(pair + "[[flow]]\nfrom = \"a\"\nto = \"b\"\ncongestion_control = \"vegas\"\n",
         "there is no congestion control 'vegas'; there are cubic");
  expect(pair + "link = { rate = \"fast\" }\n" + flow, "rate takes a string like \"100mbit\"");
  expect(pair + "link = { queue = \"fifo\" }\n" + flow, "unknown queue 'fifo'");
  expect(pair + "link = { loss = \"5\" }\n" + flow, "bad loss '5'");
  expect(pair + "link = { fault = \"drop it\" }\n" + flow, "bad packet fault");
  expect(pair + "link = { trace = \"nowhere.trace\" }\n" + flow, "cannot read ./nowhere.trace");
  expect("[topology]\nkind = \"ring\"\n" + flow, "\"pair\", \"dumbbell\"");
}

}  // namespace
}  // namespace transom::drivers::sim
