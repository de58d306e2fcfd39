#include "drivers/sim/agenda.h"

#include <gtest/gtest.h>

#include <map>

#include "drivers/sim/histogram.h"
#include "stack/base/random.h"

namespace transom::drivers::sim {
namespace {

TEST(SimAgenda, AgreesWithASortedMap) {
  Agenda agenda;
  std::vector<Instant> model;
  Random random(seed_from_number(9));
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(agenda.add(), model.size());
    model.push_back(kNever);
  }
  for (int i = 0; i < 20000; ++i) {
    const auto number = static_cast<std::size_t>(random.below(model.size()));
    const Instant deadline =
        random.chance(0.1) ? kNever : Instant(Duration(static_cast<std::int64_t>(random.below(100))));
    agenda.set(number, deadline);
    model[number] = deadline;
    const auto first = std::ranges::min_element(model);  // the first of equal ones
    ASSERT_EQ(agenda.deadline(), *first);
    ASSERT_EQ(agenda.first(), static_cast<std::size_t>(first - model.begin()));
  }
}

TEST(SimHistogram, PercentilesAreRightToThreePercent) {
  Histogram histogram;
  EXPECT_EQ(histogram.percentile(50), 0U);
  for (std::uint64_t i = 1; i <= 100000; ++i) histogram.record(i * 1000);
  for (const double percent : {1.0, 50.0, 95.0, 99.9})
    EXPECT_NEAR(static_cast<double>(histogram.percentile(percent)), percent * 1e6, percent * 3e4);
  histogram.record(UINT64_MAX);  // the last bucket
  EXPECT_EQ(histogram.count(), 100001U);
}

}  // namespace
}  // namespace transom::drivers::sim
