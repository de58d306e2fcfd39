#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "stack/base/packet.h"

namespace transom {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets contents(const Slice& slice) { return {slice.bytes().begin(), slice.bytes().end()}; }

class SliceTest : public ::testing::Test {
 protected:
  ~SliceTest() override { EXPECT_EQ(pool.in_use(BufferSize::kFrame), 0U); }
  Slice slice_of(const Octets& octets) {
    Slice slice = pool.allocate_slice(BufferSize::kFrame);
    EXPECT_EQ(slice.append(octets), octets.size());
    return slice;
  }
  BufferPool pool;
};

TEST_F(SliceTest, OfNothingIsEmpty) {
  Slice slice;
  EXPECT_TRUE(slice.empty());
  EXPECT_TRUE(slice.bytes().empty());
  EXPECT_EQ(slice.room(), 0U);
  EXPECT_EQ(slice.memory(), 0U);
  EXPECT_EQ(slice.append(Octets{1}), 0U);
  EXPECT_TRUE(slice.writable().empty());
}

TEST_F(SliceTest, KeepsTheBufferWhileAnyoneRefersToIt) {
  std::optional<Slice> first = slice_of({1, 2, 3, 4});
  const Slice part = first->subslice(1, 2);
  Slice copy = part;
  EXPECT_EQ(pool.in_use(BufferSize::kFrame), 1U);
  first.reset();
  EXPECT_EQ(contents(part), (Octets{2, 3}));
  copy = Slice();
  EXPECT_EQ(pool.in_use(BufferSize::kFrame), 1U);
}

TEST_F(SliceTest, TrimsBothEnds) {
  Slice slice = slice_of({1, 2, 3, 4});
  slice.trim_front(1);
  slice.trim_back(1);
  EXPECT_EQ(contents(slice), (Octets{2, 3}));
  EXPECT_TRUE(slice.subslice(2, 0).empty());
}

TEST_F(SliceTest, FillsItsBufferAndNoMore) {
  Slice slice = pool.allocate_slice(BufferSize::kFrame);
  const std::size_t capacity = BufferPool::capacity(BufferSize::kFrame);
  EXPECT_EQ(slice.room(), capacity);
  EXPECT_EQ(slice.append(Octets(capacity - 1, 7)), capacity - 1);
  EXPECT_EQ(slice.append(Octets{8, 9}), 1U);
  EXPECT_EQ(slice.size(), capacity);
  EXPECT_EQ(slice.bytes().back(), 8);
  EXPECT_EQ(slice.room(), 0U);
}

TEST_F(SliceTest, AppendsOnlyBehindTheLastOctetInUse) {
  Slice whole = slice_of({1, 2, 3, 4});
  Slice front = whole.subslice(0, 2);
  EXPECT_EQ(front.room(), 0U) << "3 and 4 are another's";
  EXPECT_EQ(front.append(Octets{9}), 0U);
  Slice back = whole.subslice(2, 2);
  EXPECT_GT(back.room(), 0U);
  EXPECT_EQ(back.append(Octets{5}), 1U);
  EXPECT_EQ(contents(back), (Octets{3, 4, 5}));
  EXPECT_EQ(whole.room(), 0U) << "the room behind it has gone to the other";
  EXPECT_EQ(contents(whole), (Octets{1, 2, 3, 4}));
}

TEST_F(SliceTest, NeverWritesOverOctetsThatWereTrimmed) {
  Slice slice = slice_of({1, 2, 3, 4});
  const Slice reader = slice;
  slice.trim_back(2);
  EXPECT_EQ(slice.append(Octets{9, 9}), 0U);
  EXPECT_EQ(contents(reader), (Octets{1, 2, 3, 4}));
}

TEST_F(SliceTest, LetsADeviceWriteIntoItsRoom) {
  Slice slice = slice_of({1});
  const MutableBytes room = slice.writable();
  ASSERT_EQ(room.size(), slice.room());
  room[0] = 2;
  room[1] = 3;
  EXPECT_EQ(contents(slice), Octets{1}) << "not before it is claimed";
  slice.claim(2);
  EXPECT_EQ(contents(slice), (Octets{1, 2, 3}));
  slice.claim(0);
  EXPECT_EQ(slice.room(), BufferPool::capacity(BufferSize::kFrame) - 3);
}

TEST_F(SliceTest, SurvivesAssignmentToItself) {
  Slice slice = slice_of({1, 2});
  const Slice& same = slice;
  slice = same;
  EXPECT_EQ(contents(slice), (Octets{1, 2}));
  Slice other = std::move(slice);
  EXPECT_TRUE(slice.empty());  // NOLINT(bugprone-use-after-move): that is the point
  EXPECT_EQ(contents(other), (Octets{1, 2}));
}

}  // namespace
}  // namespace transom
