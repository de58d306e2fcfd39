// Each flow of these is held back by one thing, and says so.
#include <gtest/gtest.h>

#include <numeric>

#include "drivers/sim/flow.h"
#include "drivers/sim/topology.h"

namespace transom::test {
namespace {

using namespace std::chrono_literals;
using namespace drivers::sim;
using tcp::Limited;

tcp::Info run(const ChannelOptions& path, const FlowOptions& options) {
  Simulation simulation(1);
  EXPECT_TRUE(make_pair(simulation, {.forth = path, .back = ChannelOptions{.delay = path.delay}}));
  TcpFlow flow(simulation, *simulation.find("a"), *simulation.find("b"), options);
  simulation.run_for(10s);
  return flow.report().info;
}

double share(const tcp::Info& info, Limited limited) {
  const Duration sum = std::accumulate(info.limited.begin(), info.limited.end(), Duration::zero());
  return static_cast<double>(info.limited[static_cast<std::size_t>(limited)].count()) /
         static_cast<double>(sum.count());
}

const ChannelOptions kPath{.rate = 20'000'000, .delay = 20ms, .queue = "pfifo limit 100"};

TEST(TimeLimited, IsThatOfTheCongestionWindowAtABottleneck) {
  const tcp::Info info = run(kPath, {});
  EXPECT_GT(share(info, Limited::kCongestionWindow) + share(info, Limited::kRecovery), 0.95);
  EXPECT_GT(share(info, Limited::kRecovery), 0.0);
  const Duration sum = std::accumulate(info.limited.begin(), info.limited.end(), Duration::zero());
  EXPECT_NEAR(static_cast<double>(sum.count()), 9.96e9, 1e6) << "since the handshake";
}

TEST(TimeLimited, IsThatOfTheReceiveWindowWhereTheReceiverReadsSlowly) {
  EXPECT_GT(share(run(kPath, {.read_rate = 100'000}), Limited::kReceiveWindow), 0.9);
}

TEST(TimeLimited, IsThatOfTheSendBufferWhereThatHoldsLessThanThePath) {
  FlowOptions options;
  options.options.send_buffer = 20'000;
  EXPECT_GT(share(run(kPath, options), Limited::kSendBuffer), 0.9);
}

TEST(TimeLimited, IsThatOfPacingWhereTheUserLimitsTheRate) {
  FlowOptions options;
  options.options.max_pacing_rate = 500'000;
  EXPECT_GT(share(run(kPath, options), Limited::kPacing), 0.9);
}

TEST(TimeLimited, IsThatOfTheApplicationWhereItAsksAndWaits) {
  const tcp::Info info = run(kPath, {.octets = 1000, .response = 1000, .rounds = 1000, .think = 60ms});
  EXPECT_NEAR(share(info, Limited::kApplication), 0.4, 0.02) << "40 ms of each 100: on its way";
  EXPECT_NEAR(share(info, Limited::kIdle), 0.6, 0.02);
}

}  // namespace
}  // namespace transom::test
