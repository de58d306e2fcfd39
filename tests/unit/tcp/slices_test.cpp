// Octets that go in and out of a connection as they are, without a copy, as the peer sees it.
#include <vector>

#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kBuffer = 8000;

struct ReceivedSlices : public testing::Test {
  std::uint32_t offered_window() {
    world.advance(milliseconds(500));
    const auto answers = peer.receive_all();
    if (!answers.empty()) window = answers.back().header.window;
    return window;
  }
  // The peer sends what the window allows, in segments of 1000 octets.
  void fill_window() {
    while (offered_window() >= 1000) peer.send_next("P.", std::string(1000, 'x'));
  }

  HostUnderTest world;
  tcp::Listener& listener = world.listen(80, {.receive_buffer = kBuffer});
  ScriptedPeer peer{world, 4000, 80};
  tcp::Connection& connection = peer.connect_to(listener, {.maximum_segment_size = 1000});
  std::uint32_t window = kBuffer;
};

TEST_F(ReceivedSlices, KeepTheWindowClosedUntilTheyAreReleased) {
  fill_window();
  ASSERT_LT(window, 1000U);
  const std::size_t readable = connection.readable_octets();
  std::vector<Slice> held;
  const auto taken = world.with([&] { return connection.receive(held, SIZE_MAX); });
  ASSERT_TRUE(taken);
  EXPECT_EQ(*taken, readable);
  EXPECT_EQ(connection.readable_octets(), 0U);
  EXPECT_LT(offered_window(), 1000U) << "the octets are still in our memory";

  held.clear();
  world.with([&] { connection.release(*taken); });
  EXPECT_EQ(offered_window(), kBuffer) << "the peer was not told that there is room again";
}

TEST_F(ReceivedSlices, AreTakenUpToALimitAndInOrder) {
  peer.send_next("P.", "abcdefgh");
  std::vector<Slice> held;
  for (const std::string_view part : {"abc", "def", "gh"}) {
    held.clear();
    const auto taken = world.with([&] { return connection.receive(held, 3); });
    ASSERT_TRUE(taken);
    std::string text;
    for (const Slice& slice : held) text.append(slice.bytes().begin(), slice.bytes().end());
    EXPECT_EQ(text, part);
    EXPECT_EQ(*taken, part.size());
  }
  const auto none = world.with([&] { return connection.receive(held, 3); });
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error(), Error::kWouldBlock);
}

TEST_F(ReceivedSlices, StopAtTheUrgentMark) {
  peer.send({.flags = "PU.",
             .sequence = peer.next,
             .acknowledgment = peer.expected,
             .payload = "abc!def",
             .urgent_pointer = 4});
  std::vector<Slice> held;
  ASSERT_EQ(world.with([&] { return connection.receive(held, SIZE_MAX); }), 3U);
  ASSERT_TRUE(connection.at_urgent_mark());
  held.clear();
  ASSERT_EQ(world.with([&] { return connection.receive(held, SIZE_MAX); }), 3U);
  EXPECT_EQ(std::string(held[0].bytes().begin(), held[0].bytes().end()), "def");
}

TEST_F(ReceivedSlices, AreReleasedAlsoWhenTheConnectionHasEnded) {
  peer.send_next("P.", std::string(1000, 'x'));
  std::vector<Slice> held;
  ASSERT_EQ(world.with([&] { return connection.receive(held, SIZE_MAX); }), 1000U);
  peer.send_next("R.");
  EXPECT_EQ(connection.state(), tcp::State::kClosed);
  peer.receive_all();
  held.clear();
  world.with([&] { connection.release(1000); });
  peer.expect_silence();
}

// The same octets, the first time and when they are repeated.
TEST(SentSlices, AreRetransmittedFromTheSameMemory) {
  HostUnderTest world;
  tcp::Listener& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  tcp::Connection& connection = peer.connect_to(listener, {.maximum_segment_size = 1000});
  Slice slice = world.pool().allocate_slice(BufferSize::kSuperFrame);
  const std::string text(40000, 's');
  slice.append({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  const std::size_t before = world.pool().in_use(BufferSize::kSuperFrame);
  ASSERT_EQ(world.with([&] { return connection.send(slice); }), text.size());
  EXPECT_TRUE(slice.empty());
  EXPECT_EQ(world.pool().in_use(BufferSize::kSuperFrame), before);
  const auto first = peer.receive_all();
  ASSERT_FALSE(first.empty());
  world.advance(std::chrono::seconds(2));
  const auto again = peer.receive_all();
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again.front().sequence(), first.front().sequence());
  EXPECT_EQ(again.front().payload, first.front().payload);

  // All of it is acknowledged: nobody refers to the memory any more.
  std::uint32_t end = first.front().sequence();
  for (int turn = 0; turn < 200 && connection.unacked_octets() > 0; ++turn) {
    peer.send({.flags = ".", .sequence = peer.next, .acknowledgment = end});
    world.advance(milliseconds(10));
    for (const Answer& answer : peer.receive_all())
      end = std::max(end, answer.sequence() + static_cast<std::uint32_t>(answer.payload.size()));
  }
  EXPECT_EQ(connection.unacked_octets(), 0U);
  EXPECT_EQ(world.pool().in_use(BufferSize::kSuperFrame), before - 1);
}

}  // namespace
}  // namespace transom::test
