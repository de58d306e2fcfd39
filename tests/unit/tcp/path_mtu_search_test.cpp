// The search for the longest segment that a path takes: RFC 4821 §7, RFC 8899 §5.3.
#include "stack/tcp/path_mtu_search.h"

#include <gtest/gtest.h>

namespace transom::tcp {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{5s};
constexpr std::uint32_t kMss = 1448;

// Probes until none is due; the path takes `limit`.
std::uint32_t find(PathMtuSearch& search, std::uint32_t limit, Instant& now, int* probes = nullptr) {
  for (int i = 0; i < 100; ++i) {
    now += 10ms;
    const std::uint32_t size = search.due_probe(kMss, now);
    if (size == 0) {
      if (probes != nullptr) *probes = i;
      break;
    }
    EXPECT_GT(size, search.limit());
    EXPECT_LE(size, kMss);
    search.on_probe_sent(SeqNum(1), size);
    if (size <= limit) {
      search.on_probe_delivered();
    } else {
      search.on_probe_lost(now);
    }
  }
  return search.limit();
}

TEST(PathMtuSearch, IsOffUntilSegmentsVanish) {
  PathMtuSearch search;
  EXPECT_EQ(search.limit(), UINT32_MAX);
  EXPECT_EQ(search.due_probe(kMss, kStart), 0U);
}

TEST(PathMtuSearch, FallsBackToTheBaseAndThenToHalf) {
  PathMtuSearch search;
  EXPECT_TRUE(search.fall_back(kMss, 0));
  EXPECT_EQ(search.limit(), 1024U);
  EXPECT_TRUE(search.fall_back(kMss, 0));
  EXPECT_EQ(search.limit(), 512U);
  EXPECT_FALSE(search.fall_back(kMss, 0));
}

TEST(PathMtuSearch, StaysAboveWhatEveryPathTakes) {
  PathMtuSearch search;
  EXPECT_TRUE(search.fall_back(kMss, 1220));
  EXPECT_EQ(search.limit(), 1220U);
  EXPECT_FALSE(search.fall_back(kMss, 1220));
  PathMtuSearch small;
  EXPECT_FALSE(small.fall_back(1000, 0)) << "below the base already";
  EXPECT_EQ(small.limit(), UINT32_MAX);
}

TEST(PathMtuSearch, FindsEachLimit) {
  for (std::uint32_t limit = 1024; limit <= kMss; ++limit) {
    PathMtuSearch search;
    Instant now = kStart;
    int probes = 0;
    search.fall_back(kMss, 0);
    const std::uint32_t found = find(search, limit, now, &probes);
    ASSERT_LE(found, limit);
    ASSERT_GT(found + 16, limit);
    ASSERT_LE(probes, 24);
  }
}

TEST(PathMtuSearch, ALossOrTwoAreNoVerdict) {
  PathMtuSearch search;
  search.fall_back(kMss, 0);
  const std::uint32_t size = search.due_probe(kMss, kStart);
  for (int i = 0; i < 2; ++i) {
    search.on_probe_sent(SeqNum(1), size);
    search.on_probe_lost(kStart);
    EXPECT_EQ(search.due_probe(kMss, kStart), size);
  }
  search.on_probe_sent(SeqNum(1), size);
  search.on_probe_lost(kStart);
  EXPECT_LT(search.due_probe(kMss, kStart), size);
}

TEST(PathMtuSearch, LooksAgainAfterTenMinutes) {
  PathMtuSearch search;
  Instant now = kStart;
  search.fall_back(kMss, 0);
  const std::uint32_t found = find(search, 1300, now);
  EXPECT_EQ(search.due_probe(kMss, now + 9min), 0U);
  now += 11min;
  EXPECT_EQ(find(search, kMss, now), kMss) << found;
}

TEST(PathMtuSearch, GoesNoHigherThanThePathIsKnownToTake) {  // ICMP has told
  PathMtuSearch search;
  search.fall_back(kMss, 0);
  EXPECT_LE(search.due_probe(1100, kStart), 1100U);
  EXPECT_EQ(search.due_probe(1024, kStart), 0U);
}

}  // namespace
}  // namespace transom::tcp
