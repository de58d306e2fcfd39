#include <gtest/gtest.h>

#include <vector>

#include "stack/base/packet.h"

namespace transom {
namespace {

using Octets = std::vector<std::uint8_t>;

TEST(BufferPool, StopsAtItsLimitAndGoesOnWhenSomethingComesBack) {
  BufferPool pool({.frames = 3, .super_frames = 1});
  std::vector<Packet> packets;
  for (int i = 0; i < 3; ++i) packets.push_back(pool.allocate());
  EXPECT_EQ(pool.in_use(BufferSize::kFrame), 3U);
  EXPECT_EQ(pool.exhausted(), 0U);
  EXPECT_FALSE(pool.allocate());
  EXPECT_FALSE(pool.copy_of(Octets{1}));
  const Slice slice = pool.allocate_slice(BufferSize::kFrame);
  EXPECT_EQ(slice.room(), 0U);
  EXPECT_EQ(pool.exhausted(), 3U);
  EXPECT_TRUE(pool.allocate(BufferSize::kSuperFrame)) << "the sizes have limits of their own";
  packets.pop_back();
  EXPECT_TRUE(pool.allocate());
  packets.clear();
  EXPECT_EQ(pool.in_use(BufferSize::kFrame), 0U);
}

TEST(BufferPool, GrowsBeyondOneSlabUpToItsLimit) {
  constexpr std::size_t kLimit = 1000;
  BufferPool pool({.frames = kLimit, .super_frames = 20});
  std::vector<Packet> packets;
  while (Packet packet = pool.allocate()) packets.push_back(std::move(packet));
  EXPECT_EQ(packets.size(), kLimit);
  while (Packet packet = pool.allocate(BufferSize::kSuperFrame)) packets.push_back(std::move(packet));
  EXPECT_EQ(packets.size(), kLimit + 20);
  for (Packet& packet : packets) packet.append(packet.tail_room());  // every octet is there
  packets.clear();
  EXPECT_EQ(pool.in_use(BufferSize::kFrame) + pool.in_use(BufferSize::kSuperFrame), 0U);
}

TEST(BufferPool, CopiesIntoTheSizeThatFits) {
  BufferPool pool;
  const std::size_t frame = BufferPool::capacity(BufferSize::kFrame) - Packet::kHeadRoom;
  const std::size_t super_frame = BufferPool::capacity(BufferSize::kSuperFrame) - Packet::kHeadRoom;
  EXPECT_EQ(pool.copy_of({}).size(), 0U);
  const Packet small = pool.copy_of(Octets(frame, 1));
  EXPECT_EQ(pool.in_use(BufferSize::kFrame), 1U);
  const Packet large = pool.copy_of(Octets(frame + 1, 2));
  EXPECT_EQ(pool.in_use(BufferSize::kSuperFrame), 1U);
  EXPECT_EQ(large.size(), frame + 1);
  EXPECT_EQ(pool.copy_of(Octets(super_frame, 3)).size(), super_frame);
  EXPECT_FALSE(pool.copy_of(Octets(super_frame + 1, 4)));
  EXPECT_EQ(pool.copy_of(Octets{1}, 0).head_room(), 0U);
}

TEST(BufferPool, LeavesAPacketUnchangedWhenThereIsNoBufferToLinearizeInto) {
  BufferPool pool({.frames = 2, .super_frames = 0});
  Packet packet = pool.copy_of(Octets{1});
  Slice slice = pool.allocate_slice(BufferSize::kFrame);
  slice.append(Octets{2});
  packet.append_slice(std::move(slice));
  EXPECT_FALSE(packet.linearize());
  EXPECT_EQ(packet.size(), 2U);
  EXPECT_EQ(packet.tail().size(), 1U);
  EXPECT_FALSE(packet.clone());
  EXPECT_EQ(&packet.pool(), &pool);
}

TEST(BufferPool, ReusesWhatCameBack) {
  BufferPool pool({.frames = 1, .super_frames = 1});
  for (int i = 0; i < 1000; ++i) {
    Packet packet = pool.allocate();
    ASSERT_TRUE(packet) << i;
    ASSERT_EQ(packet.size(), 0U);
    ASSERT_TRUE(packet.tail().empty());
    packet.append(100);
    Slice slice = pool.allocate_slice(BufferSize::kSuperFrame);
    ASSERT_EQ(slice.room(), BufferPool::capacity(BufferSize::kSuperFrame)) << "nobody uses it any more";
    slice.append(Octets{1});
    packet.append_slice(std::move(slice));
  }
  EXPECT_EQ(pool.exhausted(), 0U);
}

// ---------------------------------------------------------------- PacketQueue

class PacketQueueTest : public ::testing::Test {
 protected:
  ~PacketQueueTest() override { EXPECT_EQ(pool.in_use(BufferSize::kFrame), 0U); }
  Packet numbered(std::uint8_t number) { return pool.copy_of(Octets{number}); }
  static Octets drain(PacketQueue& queue) {
    Octets numbers;
    while (Packet packet = queue.pop()) numbers.push_back(packet.head()[0]);
    return numbers;
  }
  BufferPool pool;
};

TEST_F(PacketQueueTest, GivesBackInOrder) {
  PacketQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.pop());
  queue.push(numbered(2));
  queue.push(numbered(3));
  queue.push_front(numbered(1));
  EXPECT_EQ(queue.size(), 3U);
  EXPECT_EQ(drain(queue), (Octets{1, 2, 3}));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.size(), 0U);
  queue.push_front(numbered(4));  // and works again from empty
  queue.push(numbered(5));
  EXPECT_EQ(drain(queue), (Octets{4, 5}));
}

TEST_F(PacketQueueTest, SplicesBehindItself) {
  PacketQueue a;
  PacketQueue b;
  a.splice(b);
  EXPECT_TRUE(a.empty());
  b.push(numbered(1));
  a.splice(b);
  EXPECT_TRUE(b.empty());
  b.push(numbered(2));
  b.push(numbered(3));
  a.splice(b);
  a.push(numbered(4));
  EXPECT_EQ(a.size(), 4U);
  EXPECT_EQ(drain(a), (Octets{1, 2, 3, 4}));
}

TEST_F(PacketQueueTest, MovesAsAWhole) {
  PacketQueue a;
  a.push(numbered(1));
  PacketQueue b = std::move(a);
  EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move): that is the point
  PacketQueue c;
  c.push(numbered(9));
  c = std::move(b);
  EXPECT_TRUE(b.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(pool.in_use(BufferSize::kFrame), 1U) << "what c held is released at once";
  EXPECT_EQ(drain(c), Octets{1});
}

TEST_F(PacketQueueTest, ReleasesWhatIsLeftInIt) {
  PacketQueue queue;
  for (std::uint8_t i = 0; i < 10; ++i) queue.push(numbered(i));
  queue.clear();
  EXPECT_EQ(pool.in_use(BufferSize::kFrame), 0U);
  for (std::uint8_t i = 0; i < 10; ++i) queue.push(numbered(i));
}

}  // namespace
}  // namespace transom
