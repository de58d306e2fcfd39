#include "stack/ip/source_filter.h"

#include <gtest/gtest.h>

namespace transom::ip {
namespace {

IpAddress source(int number) { return IpAddress::v4(198, 51, 100, static_cast<std::uint8_t>(number)); }

SourceFilter filter(FilterMode mode, std::initializer_list<int> numbers) {
  SourceFilter made{mode, {}};
  for (const int number : numbers) made.add(source(number));
  return made;
}
SourceFilter include(std::initializer_list<int> numbers) { return filter(FilterMode::kInclude, numbers); }
SourceFilter exclude(std::initializer_list<int> numbers) { return filter(FilterMode::kExclude, numbers); }

SourceFilter merged(std::vector<SourceFilter> filters) {
  std::vector<const SourceFilter*> pointers;
  for (const SourceFilter& each : filters) pointers.push_back(&each);
  return merge(pointers);
}

TEST(SourceFilterTest, AcceptsWhatItIncludesOrDoesNotExclude) {
  EXPECT_TRUE(include({2, 1}).accepts(source(1)));
  EXPECT_FALSE(include({2, 1}).accepts(source(3)));
  EXPECT_FALSE(exclude({2, 1}).accepts(source(1)));
  EXPECT_TRUE(exclude({2, 1}).accepts(source(3)));
  EXPECT_TRUE(SourceFilter::everybody().accepts(source(1)));
  EXPECT_TRUE(SourceFilter().is_nobody());
}

TEST(SourceFilterTest, HoldsEachSourceOnce) {
  SourceFilter some = include({3, 1});
  EXPECT_FALSE(some.add(source(3)));
  EXPECT_TRUE(some.add(source(2)));
  EXPECT_EQ(some, include({1, 2, 3}));
  EXPECT_TRUE(some.remove(source(1)));
  EXPECT_FALSE(some.remove(source(1)));
}

// The examples of RFC 9776 §3.2.
TEST(SourceFilterTest, MergesAsTheRfcDoes) {
  EXPECT_EQ(merged({exclude({1, 2, 3, 4}), exclude({2, 3, 4, 5}), include({4, 5, 6})}), exclude({2, 3}));
  EXPECT_EQ(merged({include({1, 2, 3}), include({2, 3, 4}), include({5, 6})}), include({1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(merged({exclude({1}), SourceFilter::everybody()}), SourceFilter::everybody());
  EXPECT_EQ(merged({}), SourceFilter());
}

}  // namespace
}  // namespace transom::ip
