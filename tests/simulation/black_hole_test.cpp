// Paths that swallow long packets without a word.
#include <gtest/gtest.h>

#include "drivers/sim/flow.h"
#include "drivers/sim/topology.h"

namespace transom::test {
namespace {

using namespace std::chrono_literals;
using namespace drivers::sim;

struct Case {
  std::uint32_t mtu;  // of the path, unknown to the hosts
  IpFamily family = IpFamily::kIpv4;
  bool sack = true;
  bool timestamps = true;
};

struct Outcome {
  FlowReport report;
  std::uint64_t dropped = 0;
  std::uint64_t successes = 0, failures = 0;
  std::uint64_t recoveries = 0;
};

Outcome run(const Case& of, bool mtu_probing = true, double loss = 0) {
  Simulation simulation(1);
  HostConfig host;
  host.tcp.mtu_probing = mtu_probing;
  host.tcp.sack = of.sack;
  host.tcp.timestamps = of.timestamps;
  ChannelOptions forth{.rate = 50'000'000, .delay = 10ms, .mtu = of.mtu, .queue = "pfifo limit 10000"};
  if (loss > 0) forth.loss = *parse_loss("1%");
  const auto link = make_pair(simulation, {.forth = forth, .back = ChannelOptions{.delay = 10ms}}, host);
  EXPECT_TRUE(link);
  Node& a = *simulation.find("a");
  TcpFlow flow(simulation, a, *simulation.find("b"), {.family = of.family});
  simulation.run_for(20s);
  const auto& counters = a.host().counters();
  return {flow.report(), (*link)->forth().statistics().too_long, counters[Counter::kTcpExtTCPMTUPSuccess],
          counters[Counter::kTcpExtTCPMTUPFail],
          counters[Counter::kTcpExtTCPSackRecovery] + counters[Counter::kTcpExtTCPRenoRecovery]};
}

TEST(BlackHole, IsEscapedAndItsSizeIsFound) {
  for (const Case& of :
       {Case{1400}, Case{1492}, Case{1280}, Case{1280, IpFamily::kIpv6}, Case{1400, IpFamily::kIpv6},
        Case{1400, IpFamily::kIpv4, false}, Case{1400, IpFamily::kIpv4, true, false}}) {
    const Outcome outcome = run(of);
    const std::uint32_t headers = (of.family == IpFamily::kIpv4 ? 40U : 60U) + (of.timestamps ? 12U : 0U);
    const std::string what = fmt::format("mtu {} v{} sack {} timestamps {}", of.mtu,
                                         of.family == IpFamily::kIpv4 ? 4 : 6, of.sack, of.timestamps);
    EXPECT_TRUE(outcome.report.is_intact) << what;
    EXPECT_GT(outcome.report.goodput, 25'000'000U) << what;
    EXPECT_LE(outcome.report.info.send_mss, of.mtu - headers) << what;
    EXPECT_GT(outcome.report.info.send_mss + 16, of.mtu - headers) << what;
    EXPECT_EQ(outcome.report.info.path_mtu, outcome.report.info.send_mss + headers) << what;
  }
}

TEST(BlackHole, StopsEverythingWithoutProbing) { EXPECT_EQ(run({1400}, false).report.delivered, 0U); }

TEST(BlackHole, LostProbesAreNoCongestion) {
  const Outcome outcome = run({1400});
  EXPECT_GE(outcome.failures, 3U);
  EXPECT_GE(outcome.successes, 2U);
  EXPECT_EQ(outcome.recoveries, 0U);
  EXPECT_LE(outcome.report.info.timeouts, 3U);
}

TEST(BlackHole, IsFoundAmongOtherLosses) {
  const Outcome outcome = run({1400}, true, 0.01);
  EXPECT_TRUE(outcome.report.is_intact);
  EXPECT_LE(outcome.report.info.send_mss, 1348U);
  EXPECT_GE(outcome.report.info.send_mss, 1024U);
  EXPECT_GT(outcome.report.delivered, 2'000'000U);
}

// A path that is down for a while is no black hole: afterwards the segments become as long as they were.
TEST(BlackHole, AnOutageLeavesNoShortSegments) {
  Simulation simulation(1);
  ASSERT_TRUE(make_pair(
      simulation, {.forth = {.rate = 50'000'000,
                             .delay = 10ms,
                             .changes = {{.at = Instant(2s), .up = false}, {.at = Instant(12s), .up = true}}},
                   .back = ChannelOptions{.delay = 10ms}}));
  TcpFlow flow(simulation, *simulation.find("a"), *simulation.find("b"), {});
  simulation.run_for(11s);
  EXPECT_LT(flow.sender()->info().send_mss, 1448U);
  simulation.run_for(29s);
  EXPECT_EQ(flow.sender()->info().send_mss, 1448U);
  EXPECT_TRUE(flow.report().is_intact);
}

}  // namespace
}  // namespace transom::test
