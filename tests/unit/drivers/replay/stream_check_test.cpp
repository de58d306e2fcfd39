#include "drivers/replay/stream_check.h"

#include <gtest/gtest.h>

#include <string_view>

namespace transom::drivers::replay {
namespace {

Bytes bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
constexpr auto kRecorded = StreamCheck::Side::kRecorded;
constexpr auto kActual = StreamCheck::Side::kActual;

TEST(StreamCheck, PiecesInAnyOrderThatMakeTheSameStreamAreEqual) {
  StreamCheck check;
  check.add(kRecorded, 3, bytes("def"));
  check.add(kActual, 0, bytes("a"));
  check.add(kRecorded, 0, bytes("abcd"));  // overlaps
  EXPECT_EQ(check.length(kRecorded), 6U);
  EXPECT_FALSE(check.are_equal());
  check.add(kActual, 1, bytes("bcdef"));
  EXPECT_TRUE(check.are_equal());
  EXPECT_EQ(check.compared(), 6U);
}

TEST(StreamCheck, SaysWhereTheFirstDifferenceIsAndCountsThem) {
  StreamCheck check;
  check.add(kRecorded, 0, bytes("abcdef"));
  check.add(kActual, 0, bytes("abXdeX"));
  EXPECT_EQ(check.different(), 2U);
  EXPECT_EQ(check.first_difference(), 2U);
  EXPECT_FALSE(check.are_equal());
}

TEST(StreamCheck, OfOctetsThatComeTwiceTheFirstCopyCounts) {
  StreamCheck check;
  check.add(kRecorded, 0, bytes("ab"));
  check.add(kRecorded, 0, bytes("XYc"));
  check.add(kActual, 0, bytes("abc"));
  EXPECT_TRUE(check.are_equal());
}

TEST(StreamCheck, AGapThatIsNeverFilledEndsTheStreamThere) {
  StreamCheck check;
  check.add(kRecorded, 0, bytes("ab"));
  check.add(kRecorded, 3, bytes("d"));
  EXPECT_EQ(check.length(kRecorded), 2U);
}

}  // namespace
}  // namespace transom::drivers::replay
