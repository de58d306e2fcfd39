#include "stack/base/packet.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "stack/base/random.h"

namespace transom {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets counting(std::size_t size, std::uint8_t first = 0) {
  Octets octets(size);
  for (std::size_t i = 0; i < size; ++i) octets[i] = static_cast<std::uint8_t>(first + i);
  return octets;
}

Octets contents(const Packet& packet) {
  Octets octets(packet.size());
  EXPECT_TRUE(packet.copy_out(0, octets));
  return octets;
}

Octets contents(const Slice& slice) { return {slice.bytes().begin(), slice.bytes().end()}; }

Octets joined(std::initializer_list<Octets> parts) {
  Octets all;
  for (const Octets& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// A pool that must get everything back.
class PacketTest : public ::testing::Test {
 protected:
  ~PacketTest() override {
    EXPECT_EQ(pool.in_use(BufferSize::kFrame), 0U);
    EXPECT_EQ(pool.in_use(BufferSize::kSuperFrame), 0U);
  }
  Slice slice_of(const Octets& octets, BufferSize size = BufferSize::kFrame) {
    Slice slice = pool.allocate_slice(size);
    EXPECT_EQ(slice.append(octets), octets.size());
    return slice;
  }
  // Head 0..9, tails 10..19 and 20..29.
  Packet packet_with_tails() {
    Packet packet = pool.copy_of(counting(10));
    EXPECT_TRUE(packet.append_slice(slice_of(counting(10, 10))));
    EXPECT_TRUE(packet.append_slice(slice_of(counting(10, 20))));
    return packet;
  }

  BufferPool pool;
};

TEST_F(PacketTest, StartsEmptyWithHeadRoom) {
  Packet packet = pool.allocate();
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet.size(), 0U);
  EXPECT_EQ(packet.head_room(), Packet::kHeadRoom);
  EXPECT_EQ(packet.head_room() + packet.tail_room(), BufferPool::capacity(BufferSize::kFrame));
  EXPECT_EQ(pool.in_use(BufferSize::kFrame), 1U);
  EXPECT_FALSE(Packet());
  EXPECT_EQ(Packet().size(), 0U);
}

TEST_F(PacketTest, HoldsAFrameAndASuperFrameWithTheirHeadRoom) {
  EXPECT_GE(BufferPool::capacity(BufferSize::kFrame), Packet::kHeadRoom + 1518);
  EXPECT_GE(BufferPool::capacity(BufferSize::kSuperFrame), Packet::kHeadRoom + 65536);
}

TEST_F(PacketTest, GrowsAndShrinksAtBothEnds) {
  Packet packet = pool.copy_of(counting(10, 10));
  std::ranges::copy(counting(10), packet.prepend(10).begin());
  std::ranges::copy(counting(10, 20), packet.append(10).begin());
  EXPECT_EQ(contents(packet), counting(30));
  packet.trim_front(15);
  packet.trim_back(5);
  EXPECT_EQ(contents(packet), counting(10, 15));
  packet.trim_front(10);
  EXPECT_EQ(packet.size(), 0U);
  EXPECT_EQ(packet.prepend(packet.head_room()).size(), Packet::kHeadRoom - 10 + 25)
      << "all the room in front";
}

TEST_F(PacketTest, CountsHeadAndTail) {
  const Packet packet = packet_with_tails();
  EXPECT_EQ(packet.size(), 30U);
  EXPECT_EQ(packet.head().size(), 10U);
  EXPECT_EQ(packet.tail().size(), 2U);
  EXPECT_EQ(packet.tail_room(), 0U) << "nothing can go between head and tail";
  EXPECT_EQ(contents(packet), counting(30));
  EXPECT_EQ(packet.memory(), 3 * 2048U);
}

TEST_F(PacketTest, TakesNoMoreSlicesThanThereArePlaces) {
  Packet packet = pool.allocate();
  EXPECT_TRUE(packet.append_slice(Slice())) << "an empty slice needs no place";
  for (std::size_t i = 0; i < Packet::kMaxTail; ++i) EXPECT_TRUE(packet.append_slice(slice_of(counting(1))));
  EXPECT_FALSE(packet.append_slice(slice_of(counting(1))));
  EXPECT_EQ(packet.size(), Packet::kMaxTail);
}

TEST_F(PacketTest, TrimsBackAcrossTails) {
  for (std::size_t cut = 0; cut <= 30; ++cut) {
    Packet packet = packet_with_tails();
    packet.trim_back(cut);
    EXPECT_EQ(contents(packet), counting(30 - cut));
    EXPECT_EQ(packet.tail().size(), cut < 10 ? 2U : cut < 20 ? 1U : 0U) << "an emptied slice is let go";
  }
}

TEST_F(PacketTest, CopiesOutAnyPart) {
  const Packet packet = packet_with_tails();
  for (std::size_t offset = 0; offset <= 30; ++offset) {
    for (std::size_t size = 0; offset + size <= 30; ++size) {
      Octets out(size);
      ASSERT_TRUE(packet.copy_out(offset, out));
      ASSERT_EQ(out, counting(size, static_cast<std::uint8_t>(offset)));
    }
    Octets beyond(31 - offset);
    EXPECT_FALSE(packet.copy_out(offset, beyond));
  }
  Octets one(1);
  EXPECT_FALSE(packet.copy_out(SIZE_MAX, one));
}

TEST_F(PacketTest, LinearizesIntoOneHead) {
  Packet packet = packet_with_tails();
  packet.info().segment_size = 7;
  ASSERT_TRUE(packet.linearize());
  EXPECT_TRUE(packet.tail().empty());
  EXPECT_EQ(Octets(packet.head().begin(), packet.head().end()), counting(30));
  EXPECT_EQ(packet.info().segment_size, 7);
  EXPECT_GE(packet.head_room(), Packet::kHeadRoom);
  EXPECT_EQ(pool.in_use(BufferSize::kFrame), 1U);
}

TEST_F(PacketTest, LinearizesIntoASuperFrameIfNeedBe) {
  Packet packet = pool.copy_of(counting(10));
  packet.append_slice(slice_of(counting(40000), BufferSize::kSuperFrame));
  packet.append_slice(slice_of(counting(20000), BufferSize::kSuperFrame));
  const Octets before = contents(packet);
  ASSERT_TRUE(packet.linearize());
  EXPECT_EQ(contents(packet), before);
  EXPECT_EQ(pool.in_use(BufferSize::kSuperFrame), 1U);
  EXPECT_EQ(pool.in_use(BufferSize::kFrame), 0U);
}

TEST_F(PacketTest, StaysAsItIsWhenItCannotBeLinear) {
  Packet packet = pool.copy_of(counting(10));
  packet.append_slice(slice_of(counting(40000), BufferSize::kSuperFrame));
  packet.append_slice(slice_of(counting(40000), BufferSize::kSuperFrame));
  EXPECT_FALSE(packet.linearize());
  EXPECT_EQ(packet.size(), 80010U);
  EXPECT_EQ(packet.tail().size(), 2U);
  EXPECT_FALSE(packet.clone());
}

TEST_F(PacketTest, ClonesDeeply) {
  Packet packet = packet_with_tails();
  packet.info().link_broadcast = true;
  Packet copy = packet.clone();
  ASSERT_TRUE(copy);
  EXPECT_EQ(contents(copy), counting(30));
  EXPECT_TRUE(copy.info().link_broadcast);
  copy.head()[0] = 99;
  packet.trim_front(1);
  EXPECT_EQ(contents(packet), counting(29, 1));
  EXPECT_EQ(copy.size(), 30U);
}

TEST_F(PacketTest, LeavesNothingBehindWhenMoved) {
  Packet a = pool.copy_of(counting(1));
  Packet b = pool.copy_of(counting(2));
  a = std::move(b);
  EXPECT_FALSE(b);  // NOLINT(bugprone-use-after-move): that is the point
  EXPECT_EQ(a.size(), 2U);
  EXPECT_EQ(pool.in_use(BufferSize::kFrame), 1U) << "what a held is released at once";
  a.reset();
  EXPECT_FALSE(a);
  a.reset();
}

TEST_F(PacketTest, BecomesSlices) {
  Packet packet = packet_with_tails();
  packet.trim_front(3);
  std::array<Slice, Packet::kMaxTail + 1> slices;
  ASSERT_EQ(packet.into_slices(slices), 3U);
  EXPECT_FALSE(packet);
  EXPECT_EQ(joined({contents(slices[0]), contents(slices[1]), contents(slices[2])}), counting(27, 3));
  EXPECT_EQ(slices[0].room(), 0U) << "received octets are never appended to";
  EXPECT_EQ(slices[0].memory(), 2048U);
}

TEST_F(PacketTest, BecomesNoSliceForAnEmptyHead) {
  Packet packet = packet_with_tails();
  packet.trim_front(10);
  std::array<Slice, Packet::kMaxTail + 1> slices;
  ASSERT_EQ(packet.into_slices(slices), 2U);
  EXPECT_EQ(joined({contents(slices[0]), contents(slices[1])}), counting(20, 10));
  EXPECT_EQ(pool.in_use(BufferSize::kFrame), 2U) << "the empty head is free";
}

TEST_F(PacketTest, ForgetsItsMetadataWithItsBuffer) {
  {
    Packet packet = pool.allocate();
    packet.info() = {.checksum = ChecksumState::kVerified, .link_broadcast = true, .segment_size = 9};
  }
  const Packet again = pool.allocate();  // the same block
  EXPECT_EQ(again.info().checksum, ChecksumState::kUnknown);
  EXPECT_FALSE(again.info().link_broadcast);
  EXPECT_EQ(again.info().segment_size, 0);
}

// Against a plain vector of octets.
TEST_F(PacketTest, DoesWhatAVectorDoes) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed_from_number(seed));
    Packet packet = pool.allocate();
    Octets model;
    for (int step = 0; step < 60; ++step) {
      const Octets some = counting(random.below(50), static_cast<std::uint8_t>(random.next()));
      switch (random.below(7)) {
        case 0:
          if (packet.head_room() < some.size()) break;
          std::ranges::copy(some, packet.prepend(some.size()).begin());
          model.insert(model.begin(), some.begin(), some.end());
          break;
        case 1:
          if (packet.tail_room() < some.size()) break;
          std::ranges::copy(some, packet.append(some.size()).begin());
          model.insert(model.end(), some.begin(), some.end());
          break;
        case 2:
          if (packet.append_slice(slice_of(some))) model.insert(model.end(), some.begin(), some.end());
          break;
        case 3: {
          const std::size_t octets = random.below(packet.head().size() + 1);
          packet.trim_front(octets);
          model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(octets));
          break;
        }
        case 4: {
          const std::size_t octets = random.below(std::min<std::size_t>(model.size(), 60) + 1);
          packet.trim_back(octets);
          model.resize(model.size() - octets);
          break;
        }
        case 5:
          ASSERT_TRUE(packet.linearize());
          break;
        default:
          packet = packet.clone();
          break;
      }
      ASSERT_TRUE(packet);
      ASSERT_EQ(packet.size(), model.size());
      ASSERT_EQ(contents(packet), model) << "step " << step;
    }
  }
}

}  // namespace
}  // namespace transom
