// What the congestion controls do in a network: shares, queues, and goodput under loss. Results that the
// literature knows are in validation_test.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/simulation/flow_runs.h"

namespace transom::test {
namespace {

using namespace std::chrono_literals;
using namespace drivers::sim;

TEST(Congestion, BbrKeepsTheQueueShort) {
  const ChannelOptions path{.rate = 20'000'000, .delay = 20ms, .queue = "pfifo limit 1000"};
  const FlowReport bbr = run_alone({.congestion_control = "bbr", .path = path, .duration = 20s});
  const FlowReport cubic = run_alone({.congestion_control = "cubic", .path = path, .duration = 20s});
  EXPECT_GT(bbr.goodput, 17'000'000U);
  EXPECT_LT(bbr.rtt_p50, 45ms);
  EXPECT_GT(cubic.rtt_p50, 100ms);
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
  LoneRun run;
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
