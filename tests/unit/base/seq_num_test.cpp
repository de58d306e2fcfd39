#include "stack/base/seq_num.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace transom {
namespace {

TEST(SeqNum, WrapsWhenAddedTo) {
  EXPECT_EQ(SeqNum(0xfffffff0) + 0x20, SeqNum(0x10));
  EXPECT_EQ(SeqNum(0x10) - 0x20U, SeqNum(0xfffffff0));
  SeqNum sequence(0xffffffff);
  sequence += 1;
  EXPECT_EQ(sequence, SeqNum(0));
}

TEST(SeqNum, MeasuresAcrossTheWrap) {
  EXPECT_EQ(SeqNum(0x10) - SeqNum(0xfffffff0), 0x20);
  EXPECT_EQ(SeqNum(0xfffffff0) - SeqNum(0x10), -0x20);
  EXPECT_EQ(octets_between(SeqNum(0xfffffff0), SeqNum(0x10)), 0x20U);
  EXPECT_EQ(octets_between(SeqNum(1), SeqNum(0xf0000001)), 0xf0000000U) << "more than half the circle";
}

TEST(SeqNum, ComparesByTheShorterWay) {  // RFC 9293 §3.4
  for (const std::uint32_t start : {0U, 1U, 0x7fffffffU, 0x80000000U, 0xfffffff0U, 0xffffffffU}) {
    const SeqNum a(start);
    for (const std::uint32_t distance : {1U, 2U, 0x1000U, 0x7fffffffU}) {
      const SeqNum b = a + distance;
      EXPECT_TRUE(is_before(a, b) && is_at_or_before(a, b)) << start << " " << distance;
      EXPECT_TRUE(is_after(b, a) && is_at_or_after(b, a));
      EXPECT_FALSE(is_before(b, a) || is_at_or_before(b, a) || is_after(a, b) || is_at_or_after(a, b));
      EXPECT_EQ(later_of(a, b), b);
      EXPECT_EQ(later_of(b, a), b);
      EXPECT_EQ(earlier_of(a, b), a);
      EXPECT_EQ(earlier_of(b, a), a);
    }
    EXPECT_FALSE(is_before(a, a) || is_after(a, a));
    EXPECT_TRUE(is_at_or_before(a, a) && is_at_or_after(a, a));
  }
}

template <typename T>
concept HasOrder = requires(T a, T b) { a < b; };

TEST(SeqNum, HasNoOrderAndIsNoInteger) {
  EXPECT_FALSE(HasOrder<SeqNum>);
  EXPECT_FALSE((std::is_convertible_v<std::uint32_t, SeqNum>));
  EXPECT_FALSE((std::is_convertible_v<SeqNum, std::uint32_t>));
}

}  // namespace
}  // namespace transom
