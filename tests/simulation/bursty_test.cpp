// Senders that do not use their windows, small buffers with super-segments, and writers that hold back.
#include <gtest/gtest.h>

#include "drivers/sim/flow.h"
#include "drivers/sim/topology.h"

namespace transom::test {
namespace {

using namespace std::chrono_literals;
using namespace drivers::sim;

const ChannelOptions kPath{.rate = 100'000'000, .delay = 20ms, .queue = "pfifo limit 500"};

struct World {
  explicit World(const ChannelOptions& path, const FlowOptions& options) : simulation(1) {
    EXPECT_TRUE(make_pair(simulation, {.forth = path, .back = ChannelOptions{.delay = path.delay}}));
    flow = std::make_unique<TcpFlow>(simulation, *simulation.find("a"), *simulation.find("b"), options);
  }
  Simulation simulation;
  std::unique_ptr<TcpFlow> flow;
};

// 20 kB now and then are not what 10,000 round trips of growth would make a window of.
TEST(WindowValidation, AWindowThatIsNeverFilledDoesNotGrow) {
  for (const char* const name : {"reno", "cubic", "dctcp", "prague"}) {
    World world(
        kPath,
        {.congestion_control = name, .octets = 20'000, .response = 100, .rounds = 100'000, .think = 10ms});
    world.simulation.run_for(100s);
    EXPECT_TRUE(world.flow->report().is_intact);
    EXPECT_LE(world.flow->report().info.cwnd, 60'000U) << name;
  }
}

// After a bulk transfer the window is large; little requests at short intervals bring it down.
TEST(WindowValidation, AWindowThatIsNoLongerFilledComesDown) {
  World world(kPath, {.octets = 10'000'000, .response = 100, .rounds = 1});
  world.simulation.run_for(5s);
  ASSERT_EQ(world.flow->report().rounds, 1U);
  World mixed(kPath, {.octets = 3000, .response = 3'000'000, .rounds = 3, .think = 1ms});
  mixed.simulation.run_for(5s);
  EXPECT_EQ(mixed.flow->report().rounds, 3U);
  EXPECT_LE(mixed.flow->report().info.cwnd, 60'000U) << "of the side that sends little";
}

// The stall that gVisor had: silly window avoidance that compares super-segments with a small buffer.
TEST(SillyWindow, SmallAndTunedBuffersDoNotStallSuperSegments) {
  for (const std::uint32_t send : {0U, 1000U, 1460U, 3000U, 20'000U, 70'000U}) {
    for (const std::uint32_t receive : {0U, 1000U, 1460U, 3000U, 20'000U, 70'000U}) {
      FlowOptions options{.octets = 200'000};
      options.options.send_buffer = send;
      options.options.receive_buffer = receive;
      World world({.rate = 1'000'000'000, .delay = 100us}, options);
      world.simulation.run_for(20s);  // one small segment per delayed acknowledgment, at worst
      const FlowReport report = world.flow->report();
      EXPECT_EQ(report.delivered, 200'000U) << send << ' ' << receive;
      EXPECT_NE(report.ended, kNever) << send << ' ' << receive;
      EXPECT_EQ(report.info.timeouts, 0U) << send << ' ' << receive;
    }
  }
}

}  // namespace
}  // namespace transom::test
