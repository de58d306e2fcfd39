#include "tests/simulation/flow_runs.h"

#include <gtest/gtest.h>

namespace transom::test {

using namespace std::chrono_literals;
using namespace drivers::sim;

FlowReport run_alone(const LoneRun& run) {
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

}  // namespace transom::test
