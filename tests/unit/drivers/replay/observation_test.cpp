// A capture is observed: what is kept of it, and that it does not grow with it.
#include "drivers/replay/observation.h"

#include <gtest/gtest.h>

#include "tests/unit/drivers/capture/made_packets.h"

namespace transom::drivers::replay {
namespace {

using test::kClient;
using test::kServer;
using test::Segment;

// Segments of one octet each, acknowledged one by one; the one whose number is `damaged` acknowledges what
// was never sent.
Segment segment_of(std::uint64_t number, std::uint64_t damaged) {
  Segment segment{.from = kClient, .to = kServer, .sequence = 1000, .flags = "S"};
  const auto turn = static_cast<std::uint32_t>((number - 2) / 2);
  if (number == 2)
    segment = {.from = kServer, .to = kClient, .sequence = 5000, .acknowledgment = 1001, .flags = "S."};
  if (number > 2 && number % 2 == 1)
    segment = {.from = kClient,
               .to = kServer,
               .sequence = 1001 + turn,
               .acknowledgment = 5001,
               .flags = "P.",
               .payload = "x"};
  if (number > 2 && number % 2 == 0)
    segment = {.from = kServer, .to = kClient, .sequence = 5001, .acknowledgment = 1001 + turn};
  if (number == damaged) segment.acknowledgment += 100'000;
  segment.number = number;
  segment.identification = static_cast<std::uint16_t>(number);
  segment.time = std::chrono::milliseconds(number);
  return segment;
}

struct Observed {
  std::vector<FlowReport> reports;
  std::size_t most = 0;  // records at once
};

Observed observe(std::uint64_t packets, std::uint64_t damaged, ObservationOptions options) {
  judge::Judge judge;
  for (std::uint64_t number = 1; number <= packets; ++number)
    judge.take(test::tcp(segment_of(number, damaged)).captured());
  judge.end();
  Observation observation(judge, options);
  Observed observed;
  for (std::uint64_t number = 1; number <= packets; ++number) {
    observation.add(test::tcp(segment_of(number, damaged)).captured());
    observed.most = std::max(observed.most, observation.kept());
  }
  observed.reports = std::move(observation).reports();
  return observed;
}

std::uint64_t in_all(const Comparison& sent) { return sent.rungs.size() + sent.left_out; }

TEST(Observation, KeepsWhatStandsAroundAFinding) {
  const Observed observed = observe(4000, 2000, {.context = 3});
  ASSERT_EQ(observed.reports.size(), 1U);
  const FlowReport& report = observed.reports[0];
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].frame, 2000U);
  EXPECT_EQ(report.likeness(), Likeness::kViolation);
  std::vector<std::uint64_t> numbers;
  for (const auto* sent : {&report.comparison, &*report.peer})
    for (const Rung& rung : sent->rungs) numbers.push_back(rung.recorded->number);
  std::ranges::sort(numbers);
  EXPECT_EQ(numbers, (std::vector<std::uint64_t>{1997, 1998, 1999, 2000, 2001, 2002, 2003}));
  EXPECT_EQ(in_all(report.comparison), 2000U);
  EXPECT_EQ(in_all(*report.peer), 2000U);
  EXPECT_EQ(report.peer->rungs[0].recorded->sequence, 1);  // what came before has been counted
}

TEST(Observation, HasBothEndsAndWhatIsFoundOfThem) {
  const FlowReport report = observe(20, 20, {.context = std::nullopt}).reports.at(0);
  EXPECT_EQ(report.comparison.same + report.peer->same, 20U);
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.likeness(), likeness_of(report.findings[0].verdict));
  EXPECT_EQ(report.initial, SeqNum(1000));
}

TEST(Observation, ALongerCaptureTakesNoMoreMemory) {
  const Observed brief = observe(400, 200, {.context = 5}), longer = observe(20'000, 200, {.context = 5});
  EXPECT_EQ(brief.most, longer.most);
  EXPECT_LE(longer.most, 5U + 1 + 5 + 5 + 1);
  EXPECT_EQ(in_all(longer.reports[0].comparison) + in_all(*longer.reports[0].peer), 20'000U);
}

TEST(Observation, KeepsAllWhereThatIsAsked) {
  const Observed observed = observe(400, 0, {.context = std::nullopt});
  EXPECT_EQ(observed.most, 400U);
  EXPECT_EQ(observed.reports[0].comparison.rungs.size() + observed.reports[0].peer->rungs.size(), 400U);
  EXPECT_EQ(observed.reports[0].comparison.left_out, 0U);
}

TEST(Observation, CountsThePacketsOfFlowsBeyondItsLimit) {
  judge::Judge judge;
  judge.end();
  Observation observation(judge, {.context = 3, .max_flows = 10});
  for (std::uint16_t port = 1; port <= 50; ++port) {
    for (int again = 0; again < 2; ++again) {
      const test::MadePacket packet = test::tcp({.from = {kClient.address, Port{port}},
                                                 .to = kServer,
                                                 .sequence = 1,
                                                 .flags = "S",
                                                 .number = port});
      observation.add(packet.captured());
    }
  }
  EXPECT_EQ(observation.of_later_flows(), 80U);
  // Another connection of the same ends is a flow of its own.
  for (const char* const flags : {"R", "S"})
    observation.add(
        test::tcp({.from = {kClient.address, Port{1}}, .to = kServer, .sequence = 9, .flags = flags})
            .captured());
  EXPECT_EQ(observation.of_later_flows(), 81U);
  EXPECT_EQ(std::move(observation).reports().size(), 10U);
}

}  // namespace
}  // namespace transom::drivers::replay
