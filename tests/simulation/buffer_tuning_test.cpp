// Buffers that tune themselves, in a network: as fast as large ones, and small where large ones are of no
// use.
#include <gtest/gtest.h>

#include "drivers/sim/flow.h"
#include "drivers/sim/topology.h"

namespace transom::test {
namespace {

using namespace std::chrono_literals;
using namespace drivers::sim;

struct Sizes {
  FlowReport report;
  std::uint32_t send_buffer = 0;
  std::uint32_t receive_buffer = 0;
};

Sizes run(const ChannelOptions& path, const FlowOptions& options, Duration duration,
          const HostConfig& host = {}) {
  Simulation simulation(1);
  EXPECT_TRUE(make_pair(simulation, {.forth = path, .back = ChannelOptions{.delay = path.delay}}, host));
  TcpFlow flow(simulation, *simulation.find("a"), *simulation.find("b"), options);
  simulation.run_for(duration);
  EXPECT_TRUE(flow.report().is_intact);
  return {flow.report(), flow.sender()->send_buffer(), flow.receiver()->receive_buffer()};
}

// Selective acknowledgments let a congestion window grow, and so the send buffer, while nothing leaves that:
// a writer that waits for room must be told all the same.
TEST(BufferTuning, WakesTheWriterWhereTheBufferGrowsInRecovery) {
  const ChannelOptions path{
      .rate = 100'000'000, .delay = 50ms, .loss = *parse_loss("0.1%"), .queue = "pfifo limit 500"};
  const Sizes sizes = run(path, {.congestion_control = "bbr"}, 5s);
  EXPECT_GT(sizes.report.delivered, 20'000'000U);
}

const ChannelOptions kLongFat{.rate = 100'000'000, .delay = 50ms, .queue = "pfifo limit 500"};

TEST(BufferTuning, IsAsFastAsTheLargestBuffersFromTheFirstRoundTripOn) {
  for (const bool timestamps : {true, false}) {
    HostConfig host;
    host.tcp.timestamps = timestamps;
    FlowOptions fixed;
    fixed.options.send_buffer = 4 << 20;
    fixed.options.receive_buffer = 6 << 20;
    for (const Duration duration : {1s, 10s}) {  // the first is slow start and little else
      const Sizes tuned = run(kLongFat, {}, duration, host);
      const Sizes large = run(kLongFat, fixed, duration, host);
      EXPECT_GE(tuned.report.delivered, large.report.delivered * 99 / 100)
          << duration / 1s << " s, timestamps " << timestamps;
    }
  }
}

TEST(BufferTuning, GrowsToWhatThePathHoldsAndNotBeyond) {
  const Sizes fat = run(kLongFat, {}, 5s);  // 1.25 MB in flight and 0.75 MB in the queue
  EXPECT_GT(fat.receive_buffer, 2U << 20);
  EXPECT_GT(fat.send_buffer, 2U << 20);
  const Sizes thin = run({.rate = 10'000'000, .delay = 5ms, .queue = "pfifo limit 20"}, {}, 5s);
  EXPECT_LT(thin.receive_buffer, 1U << 20);
  EXPECT_EQ(thin.send_buffer, 512U << 10);
}

TEST(BufferTuning, LeavesTheBufferOfASlowReaderAlone) {
  const Sizes slow = run(kLongFat, {.read_rate = 100'000}, 10s);
  EXPECT_LE(slow.receive_buffer, 256U << 10);
}

}  // namespace
}  // namespace transom::test
