#include "stack/base/keyed_table.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <unordered_map>

#include "stack/base/random.h"

namespace transom {
namespace {

struct Item {
  std::uint64_t key;
};

struct KeyedTraits {
  using Key = std::uint64_t;
  static Key key(const Item& item) { return item.key; }
  static std::uint64_t hash(const SipKey& sip_key, Key key) { return siphash_words(sip_key, {&key, 1}); }
};

// All keys in four buckets: runs are long, and deletion has to close them rightly.
struct CrowdedTraits : KeyedTraits {
  static std::uint64_t hash(const SipKey&, Key key) { return key % 4 + 13; }
};

template <typename Traits>
void compare_with_a_map(std::uint64_t seed, std::uint64_t keys, int steps) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed_from_number(seed));
  KeyedTable<Item, Traits> table(random.key());
  std::unordered_map<std::uint64_t, std::unique_ptr<Item>> model;
  for (int step = 0; step < steps; ++step) {
    const std::uint64_t key = random.below(keys);
    const auto found = model.find(key);
    if (found != model.end()) {
      ASSERT_EQ(table.find(key), found->second.get());
      const Item stranger{key};
      ASSERT_FALSE(table.erase(stranger)) << "the same key, but another object";
      ASSERT_TRUE(table.erase(*found->second));
      model.erase(found);
    } else {
      ASSERT_EQ(table.find(key), nullptr);
      auto item = std::make_unique<Item>(Item{key});
      table.insert(*item);
      model.emplace(key, std::move(item));
    }
    ASSERT_EQ(table.size(), model.size());
    if (step % 50 != 0) continue;
    for (const auto& [known, item] : model) ASSERT_EQ(table.find(known), item.get()) << "step " << step;
    std::size_t visited = 0;
    table.for_each([&](Item& visited_item) {
      ++visited;
      EXPECT_EQ(model.at(visited_item.key).get(), &visited_item);
    });
    ASSERT_EQ(visited, model.size());
  }
}

TEST(KeyedTable, DoesWhatAMapDoes) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) compare_with_a_map<KeyedTraits>(seed, 1 + seed * 40, 2000);
}

TEST(KeyedTable, DoesSoWhenBucketsCollide) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) compare_with_a_map<CrowdedTraits>(seed, 40, 1000);
}

TEST(KeyedTable, IsEmptyAtFirst) {
  const KeyedTable<Item, KeyedTraits> table({1, 2});
  EXPECT_EQ(table.find(1), nullptr);
  EXPECT_EQ(table.size(), 0U);
  table.for_each([](Item&) { ADD_FAILURE(); });
}

}  // namespace
}  // namespace transom
