#include "stack/tcp/record_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace transom::tcp {
namespace {

struct Note : TableRecord {
  std::uint64_t text = 0;
};

constexpr SipKey kKey{1, 2};

FourTuple tuple(std::uint32_t remote, std::uint16_t port = 4000) {
  return {{IpAddress::v4(10, 0, 0, 1), Port{80}}, {IpAddress::v4(remote), Port{port}}};
}

std::vector<std::uint64_t> texts(const RecordTable<Note>& table, const RecordOrder& order) {
  std::vector<std::uint64_t> texts;
  for (const Note* note = table.oldest(order); note != nullptr; note = table.next(*note))
    texts.push_back(note->text);
  return texts;
}

TEST(RecordTable, IsEmptyAtFirst) {
  const RecordTable<Note> table(kKey);
  EXPECT_EQ(table.find(tuple(1)), nullptr);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.oldest({}), nullptr);
  table.for_each([](const Note&) { ADD_FAILURE(); });
}

TEST(RecordTable, TellsTuplesApartByEachOfTheirParts) {
  RecordTable<Note> table(kKey);
  RecordOrder order;
  const FourTuple known = tuple(1);
  table.add(known, InterfaceId{3}, order);
  std::vector<FourTuple> others(5, known);
  others[0].remote.address = IpAddress::v4(2);
  others[1].remote.port = Port{4001};
  others[2].local.address = IpAddress::v4(10, 0, 0, 2);
  others[3].local.port = Port{81};
  others[4] = {known.remote, known.local};
  for (const FourTuple& other : others) EXPECT_EQ(table.find(other), nullptr);
  ASSERT_NE(table.find(known), nullptr);
  EXPECT_EQ(table.tuple(*table.find(known)), known);
  EXPECT_EQ(table.interface(*table.find(known)), InterfaceId{3});
}

TEST(RecordTable, KeepsTheOrderInWhichRecordsCameOrWereMoved) {
  RecordTable<Note> table(kKey);
  RecordOrder order, other;
  for (std::uint32_t i = 0; i < 5; ++i) table.add(tuple(i), InterfaceId::kAny, order).text = i;
  table.move(*table.find(tuple(0)), order, order);
  table.move(*table.find(tuple(4)), order, order);
  EXPECT_EQ(texts(table, order), (std::vector<std::uint64_t>{1, 2, 3, 0, 4}));
  table.move(*table.find(tuple(2)), order, other);
  table.move(*table.find(tuple(4)), order, other);
  table.remove(*table.find(tuple(1)), order);
  EXPECT_EQ(texts(table, order), (std::vector<std::uint64_t>{3, 0}));
  EXPECT_EQ(texts(table, other), (std::vector<std::uint64_t>{2, 4}));
}

TEST(RecordTable, ANewRecordHasNothingOfTheOneThatWasInItsPlace) {
  RecordTable<Note> table(kKey);
  RecordOrder order;
  table.add(tuple(1), InterfaceId::kAny, order).text = 7;
  table.remove(*table.find(tuple(1)), order);
  EXPECT_EQ(table.add(tuple(1), InterfaceId::kAny, order).text, 0U);
}

// Against a map and a queue, while it grows through many chunks, shrinks, and is emptied.
TEST(RecordTable, DoesWhatAMapAndAQueueDo) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed_from_number(seed));
    RecordTable<Note> table(random.key());
    RecordOrder order;
    std::map<FourTuple, std::uint64_t> model;
    std::deque<FourTuple> queue;
    const auto forget = [&](const FourTuple& gone) {
      model.erase(gone);
      queue.erase(std::find(queue.begin(), queue.end(), gone));
    };
    for (std::uint64_t step = 0; step < 1600; ++step) {
      const bool is_growing = step % 800 < 350;
      FourTuple key =
          tuple(static_cast<std::uint32_t>(random.below(25)), static_cast<std::uint16_t>(random.below(25)));
      if (random.below(2) == 0) key.local.address = IpAddress::v4(static_cast<std::uint32_t>(step % 5));
      Note* const note = table.find(key);
      ASSERT_EQ(note != nullptr, model.contains(key));
      if (note == nullptr && is_growing) {
        table.add(key, InterfaceId::kAny, order).text = model[key] = step;
        queue.push_back(key);
      } else if (note != nullptr && random.below(3) == 0) {
        ASSERT_EQ(note->text, model[key]);
        table.move(*note, order, order);
        forget(key);
        model[key] = note->text;
        queue.push_back(key);
      } else if (note != nullptr) {
        table.remove(*note, order);
        forget(key);
      }
      if (!is_growing && !queue.empty()) {
        ASSERT_EQ(table.tuple(*table.oldest(order)), queue.front());
        table.remove(*table.oldest(order), order);
        forget(queue.front());
      }
      ASSERT_EQ(table.size(), model.size());
      if (step % 100 != 0) continue;
      std::map<FourTuple, std::uint64_t> visited;
      table.for_each([&](const Note& seen) { visited.emplace(table.tuple(seen), seen.text); });
      ASSERT_EQ(visited, model);
      std::vector<std::uint64_t> in_order;
      for (const FourTuple& each : queue) in_order.push_back(model[each]);
      ASSERT_EQ(texts(table, order), in_order);
      for (const auto& [known, text] : model) ASSERT_NE(table.find(known), nullptr);
    }
    EXPECT_EQ(table.size(), 0U);
  }
}

TEST(LocalAddresses, AreTheSameNumberWhileAnybodyHoldsThem) {
  LocalAddresses addresses(kKey);
  const LocalAddress one{IpAddress::v4(10, 0, 0, 1), InterfaceId{1}};
  const LocalAddress two{IpAddress::v4(10, 0, 0, 1), InterfaceId{2}};
  const auto first = addresses.hold(one);
  EXPECT_EQ(addresses.hold(one), first);
  const auto second = addresses.hold(two);
  EXPECT_NE(second, first);
  addresses.release(first);
  EXPECT_EQ(addresses[first], one);
  addresses.release(first);
  EXPECT_EQ(addresses[second], two);
  EXPECT_EQ(addresses.hold({IpAddress::v4(10, 0, 0, 9)}), first) << "numbers do not run out";
}

}  // namespace
}  // namespace transom::tcp
