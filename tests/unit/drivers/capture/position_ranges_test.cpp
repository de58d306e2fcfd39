#include "drivers/capture/position_ranges.h"

#include <gtest/gtest.h>

namespace transom::drivers {
namespace {

TEST(PositionRanges, JoinSplitAndFindHoles) {
  PositionRanges ranges;
  ranges.add(0, 10);
  ranges.add(20, 30);
  ranges.add(10, 12);
  EXPECT_EQ(ranges.list(), (std::vector<PositionRange>{{0, 12}, {20, 30}}));
  EXPECT_EQ(ranges.missing(5, 40), (std::vector<PositionRange>{{12, 20}, {30, 40}}));
  EXPECT_TRUE(ranges.missing(2, 8).empty());
  ranges.remove(5, 25);
  EXPECT_EQ(ranges.list(), (std::vector<PositionRange>{{0, 5}, {25, 30}}));
  EXPECT_TRUE(ranges.contains(26, 30));
  EXPECT_FALSE(ranges.contains(24, 30));
  EXPECT_TRUE(ranges.overlaps(24, 26));
  EXPECT_FALSE(ranges.overlaps(5, 25));
  EXPECT_EQ(ranges.total(), 10);
  EXPECT_EQ(ranges.end_of_run(0), 5);
  EXPECT_EQ(ranges.end_of_run(26), 30);
  EXPECT_EQ(ranges.end_of_run(10), 10);
  EXPECT_EQ(ranges.end_of_run(-1), -1);
}

TEST(PositionRanges, AreExactUpToTheirLimit) {
  PositionRanges ranges(3);
  for (const Position begin : {0, 10, 20}) ranges.add(begin, begin + 5);
  EXPECT_FALSE(ranges.contains(5, 6));
  ranges.add(30, 35);
  EXPECT_EQ(ranges.list(), (std::vector<PositionRange>{{0, 15}, {20, 25}, {30, 35}}));
}

TEST(PositionRanges, AreBounded) {
  PositionRanges ranges;
  for (Position i = 0; i < 10000; ++i) ranges.add(i * 2, i * 2 + 1);
  EXPECT_LE(ranges.count(), PositionRanges::kMaxRanges);
  EXPECT_TRUE(ranges.contains(19998, 19999));
}

TEST(StreamNumbers, DoNotWrap) {
  StreamNumbers numbers(SeqNum(0xfffffff0), 0);
  EXPECT_EQ(numbers.position(SeqNum(0x10)), 0x20);
  numbers.move_to(0x20);
  EXPECT_EQ(numbers.position(SeqNum(0xfffffff0)), 0);
  EXPECT_EQ(numbers.sequence(Position{1} << 32), SeqNum(0xfffffff0));
}

}  // namespace
}  // namespace transom::drivers
