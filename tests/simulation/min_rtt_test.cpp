// The minimum round-trip time follows a path that has become longer.
#include <gtest/gtest.h>

#include "drivers/sim/flow.h"
#include "drivers/sim/topology.h"

namespace transom::test {
namespace {

using namespace std::chrono_literals;
using namespace drivers::sim;

TEST(MinRtt, IsThatOfTheNewPathSomeMinutesAfterTheChange) {
  Simulation simulation(1);
  ASSERT_TRUE(
      make_pair(simulation, {.forth = {.delay = 10ms, .changes = {{.at = Instant(60s), .delay = 90ms}}},
                             .back = ChannelOptions{.delay = 10ms}}));
  TcpFlow flow(simulation, *simulation.find("a"), *simulation.find("b"),
               {.octets = 100, .response = 100, .rounds = 100000, .think = 1s});
  simulation.run_for(5min);
  EXPECT_EQ(flow.report().info.min_rtt, 20ms);
  simulation.run_for(2min);
  EXPECT_EQ(flow.report().info.min_rtt, 100ms);
}

}  // namespace
}  // namespace transom::test
