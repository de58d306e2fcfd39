// What the congestion controls do in a network: shares, queues, and goodput under loss.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "drivers/sim/flow.h"
#include "drivers/sim/topology.h"

namespace transom::test {
namespace {

using namespace std::chrono_literals;
using namespace drivers::sim;

struct Run {
  std::string congestion_control = "cubic";
  ChannelOptions path;  // forward; back: the same delay, neither rate nor loss
  Duration duration = 10s;
  HostConfig host{};
};

FlowReport run_alone(const Run& run) {
  Simulation simulation(1);
  ChannelOptions back{.delay = run.path.delay};
  const auto link = make_pair(simulation, {.forth = run.path, .back = back}, run.host);
  EXPECT_TRUE(link);
  TcpFlow flow(simulation, *simulation.find("a"), *simulation.find("b"),
               {.congestion_control = run.congestion_control});
  while (simulation.now() < Instant(run.duration)) {
    simulation.run_for(10ms);
    flow.sample();
  }
  EXPECT_TRUE(flow.report().is_intact);
  return flow.report();
}

std::vector<FlowReport> run_together(const std::vector<std::string>& algorithms,
                                     const ChannelOptions& bottleneck, Duration duration) {
  Simulation simulation(1);
  const auto middle = make_dumbbell(simulation, algorithms.size(),
                                    {.forth = {.rate = 1'000'000'000, .delay = 1ms}}, {.forth = bottleneck});
  EXPECT_TRUE(middle);
  std::vector<std::unique_ptr<TcpFlow>> flows;
  for (std::size_t i = 0; i < algorithms.size(); ++i) {
    flows.push_back(std::make_unique<TcpFlow>(simulation, *simulation.find(fmt::format("left{}", i + 1)),
                                              *simulation.find(fmt::format("right{}", i + 1)),
                                              FlowOptions{.congestion_control = algorithms[i]}));
  }
  while (simulation.now() < Instant(duration)) {
    simulation.run_for(10ms);
    for (const auto& flow : flows) flow->sample();
  }
  std::vector<FlowReport> reports;
  for (const auto& flow : flows) reports.push_back(flow->report());
  return reports;
}

double jain(const std::vector<FlowReport>& reports) {
  double sum = 0, squares = 0;
  for (const FlowReport& report : reports) {
    const auto x = static_cast<double>(report.goodput);
    sum += x;
    squares += x * x;
  }
  return sum * sum / (static_cast<double>(reports.size()) * squares);
}

TEST(Congestion, EqualFlowsShareEqually) {
  for (const char* const name : {"reno", "cubic", "bbr"}) {
    const auto reports = run_together({name, name, name, name},
                                      {.rate = 20'000'000, .delay = 10ms, .queue = "pfifo limit 60"}, 60s);
    EXPECT_GT(jain(reports), 0.9) << name;
  }
}

TEST(Congestion, BbrHoldsItsRateAtOnePercentLossWhereRenoCollapses) {
  const ChannelOptions path{
      .rate = 50'000'000, .delay = 20ms, .loss = *parse_loss("1%"), .queue = "pfifo limit 300"};
  const FlowReport bbr = run_alone({.congestion_control = "bbr", .path = path, .duration = 20s});
  const FlowReport reno = run_alone({.congestion_control = "reno", .path = path, .duration = 20s});
  EXPECT_GT(bbr.goodput, 30'000'000U);
  EXPECT_LT(reno.goodput, 10'000'000U);
}

TEST(Congestion, BbrKeepsTheQueueShort) {
  const ChannelOptions path{.rate = 20'000'000, .delay = 20ms, .queue = "pfifo limit 1000"};
  const FlowReport bbr = run_alone({.congestion_control = "bbr", .path = path, .duration = 20s});
  const FlowReport cubic = run_alone({.congestion_control = "cubic", .path = path, .duration = 20s});
  EXPECT_GT(bbr.goodput, 17'000'000U);
  EXPECT_LT(bbr.rtt_p50, 45ms);
  EXPECT_GT(cubic.rtt_p50, 100ms);
}

TEST(Congestion, DctcpHoldsTheQueueAtTheThreshold) {  // RFC 8257 §3: marking from 30 kB on is 2.4 ms here
  ChannelOptions bottleneck{.rate = 100'000'000, .delay = 1ms};
  bottleneck.queue =
      "red limit 400kb min 29kb max 30kb avpkt 1500 burst 1 probability 1 bandwidth 100mbit ecn";
  const auto reports = run_together({"dctcp", "dctcp"}, bottleneck, 5s);
  for (const FlowReport& report : reports) {
    EXPECT_EQ(report.info.bytes_retransmitted, 0U);
    EXPECT_NEAR(static_cast<double>(report.rtt_p50.count()), (6 + 2.4) * 1e6, 1.2e6);
  }
  EXPECT_GT(reports[0].goodput + reports[1].goodput, 90'000'000U);
  EXPECT_GT(jain(reports), 0.9);
}

TEST(Congestion, PragueAndCubicLiveTogetherInDualPi2) {  // RFC 9332 §1
  const auto reports =
      run_together({"prague", "cubic"}, {.rate = 50'000'000, .delay = 8ms, .queue = "dualpi2"}, 30s);
  const double ratio = static_cast<double>(reports[0].goodput) / static_cast<double>(reports[1].goodput);
  EXPECT_GT(ratio, 0.4);
  EXPECT_LT(ratio, 2.5);
  EXPECT_LT(reports[0].rtt_p50 + 5ms, reports[1].rtt_p50)
      << "the one keeps its queue short, the other does not";
}

// ---------------------------------------------------------------- the pinned matrix

// Goodput in kbit/s over 10 s of a 100 Mbit/s path. A change of more than 2 % is for whoever makes it to
// explain: TRANSOM_WRITE_GOODPUT=1 build/release/bin/test_simulation --gtest_filter='Goodput*' writes the
// file anew.
struct Cell {
  std::string algorithm;  // "newreno" is reno without SACK
  std::string loss;
  int rtt_ms = 0;
};

std::uint64_t goodput_of(const Cell& cell) {
  Run run;
  const bool is_newreno = cell.algorithm == "newreno";
  run.congestion_control = is_newreno ? "reno" : cell.algorithm;
  run.host.tcp.sack = !is_newreno;
  run.path = {.rate = 100'000'000,
              .delay = std::chrono::microseconds(cell.rtt_ms * 500),
              .loss = *parse_loss(cell.loss),
              .queue = "pfifo limit 500"};
  return run_alone(run).goodput / 1000;
}

std::vector<std::pair<Cell, std::uint64_t>> read_pinned(const std::string& path) {
  std::vector<std::pair<Cell, std::uint64_t>> cells;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);  // the heading
  while (std::getline(file, line)) {
    std::istringstream words(line);
    Cell cell;
    std::string rtt, goodput;
    std::getline(words, cell.algorithm, ',');
    std::getline(words, cell.loss, ',');
    std::getline(words, rtt, ',');
    std::getline(words, goodput);
    cell.rtt_ms = std::stoi(rtt);
    cells.emplace_back(cell, std::stoull(goodput));
  }
  return cells;
}

// SACK and RACK repair a window with many losses in one round trip, NewReno one hole per round trip or after
// a timeout: at least twice the goodput where windows are large. (With single losses at 1 % and tens of
// milliseconds, windows are some 12 segments, and both follow 1.22 * MSS / (RTT * sqrt(p)).)
TEST(Goodput, OfModernRecoveryIsTwiceThatOfNewRenoWhereManyAreLost) {
  for (const auto& [loss, rtt] : {std::pair{"0%", 100}, {"5%", 1}})
    EXPECT_GE(goodput_of({"cubic", loss, rtt}), 2 * goodput_of({"newreno", loss, rtt}))
        << loss << ", " << rtt << " ms";
}

TEST(Goodput, IsThatOfThePinnedMatrix) {
  const std::string path = TRANSOM_SOURCE_DIR "/tests/simulation/goodput.csv";
  if (std::getenv("TRANSOM_WRITE_GOODPUT") != nullptr) {
    std::ofstream file(path);
    file << "congestion_control,loss,rtt_ms,goodput_kbit_s\n";
    for (const char* const algorithm : {"newreno", "reno", "cubic", "bbr", "dctcp", "prague"}) {
      for (const char* const loss : {"0%", "0.1%", "1%", "5%"}) {
        for (const int rtt : {1, 20, 100})
          file << fmt::format("{},{},{},{}\n", algorithm, loss, rtt, goodput_of({algorithm, loss, rtt}));
      }
    }
  }
  const auto pinned = read_pinned(path);
  ASSERT_EQ(pinned.size(), 72U);
  for (const auto& [cell, expected] : pinned) {
    const auto wanted = static_cast<double>(expected);
    EXPECT_NEAR(static_cast<double>(goodput_of(cell)), wanted, wanted * 0.02)
        << cell.algorithm << ", loss " << cell.loss << ", RTT " << cell.rtt_ms << " ms";
  }
}

}  // namespace
}  // namespace transom::test
