#include "drivers/replay/alignment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace transom::drivers::replay {
namespace {

using Keys = std::vector<std::uint64_t>;
using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;

// The longest common subsequence by the table of its lengths, number by number; of several the one that
// leaves out of the first sequence first.
Pairs by_table(const Keys& a, const Keys& b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> table((a.size() + 1) * width, 0);
  for (std::size_t i = a.size(); i-- > 0;) {
    for (std::size_t j = b.size(); j-- > 0;)
      table[i * width + j] = a[i] == b[j] ? table[(i + 1) * width + j + 1] + 1
                                          : std::max(table[(i + 1) * width + j], table[i * width + j + 1]);
  }
  Pairs pairs;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j]) {
      pairs.emplace_back(i++, j++);
    } else if (table[(i + 1) * width + j] >= table[i * width + j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
  return pairs;
}

Keys random_keys(std::mt19937_64& random, std::size_t length, std::uint64_t kinds) {
  Keys keys(length);
  for (std::uint64_t& key : keys) key = random() % kinds * 0x9e3779b97f4a7c15ULL;
  return keys;
}

// Some are left out, some put in, some others.
Keys changed(std::mt19937_64& random, const Keys& keys, unsigned percent, std::uint64_t kinds) {
  Keys result;
  for (const std::uint64_t key : keys) {
    if (random() % 100 >= percent) {
      result.push_back(key);
      continue;
    }
    const std::uint64_t kind = random() % 3;
    if (kind > 0) result.push_back(random() % kinds * 0x9e3779b97f4a7c15ULL);
    if (kind > 1) result.push_back(key);
  }
  return result;
}

TEST(Alignment, IsThatOfTheTableOfLengths) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 150; ++round) {
    const std::uint64_t kinds = std::array<std::uint64_t, 4>{2, 5, 40, 100'000}[random() % 4];
    const Keys a = random_keys(random, random() % 500, kinds);
    Keys b = random() % 4 == 0 ? random_keys(random, random() % 500, kinds)
                               : changed(random, a, static_cast<unsigned>(random() % 30), kinds);
    b.resize(std::min<std::size_t>(b.size(), 512));
    ASSERT_EQ(align(a, b), by_table(a, b)) << "round " << round;
  }
}

TEST(Alignment, OfEveryLengthAroundAWordIsThatOfTheTable) {
  std::mt19937_64 random(2);
  for (const std::size_t length : {1U, 2U, 63U, 64U, 65U, 127U, 128U, 129U, 448U, 511U, 512U}) {
    for (const std::uint64_t kinds : {3U, 1000U}) {
      const Keys a = random_keys(random, length, kinds), b = random_keys(random, length, kinds);
      ASSERT_EQ(align(a, b), by_table(a, b)) << length << " of " << kinds;
    }
  }
}

TEST(Alignment, OfLongSequencesThatAreNearlyEqualIsTheLongestOfAll) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 2; ++round) {
    const Keys a = random_keys(random, 3000, 1'000'000);
    const Keys b = changed(random, a, 3, 1'000'000);
    const Pairs pairs = align(a, b);
    EXPECT_EQ(pairs.size(), by_table(a, b).size());
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      EXPECT_EQ(a[pairs[i].first], b[pairs[i].second]);
      if (i > 0) {
        EXPECT_TRUE(pairs[i - 1].first < pairs[i].first && pairs[i - 1].second < pairs[i].second);
      }
    }
  }
}

}  // namespace
}  // namespace transom::drivers::replay
