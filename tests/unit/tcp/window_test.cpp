// The window that the peer offers (RFC 9293 §3.8.6), where the order of its segments is not that of their
// numbers.
#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

// SND.WL1 < SEG.SEQ alone would keep the window of the segment before, from the new snd_una on.
TEST(PeerWindow, IsTakenFromTextThatComesAgainWithANewerAcknowledgment) {
  HostUnderTest world;
  tcp::Listener& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  tcp::Connection& connection =
      peer.connect_to(listener, {.maximum_segment_size = 1000}, 10, std::chrono::milliseconds(500));
  EXPECT_EQ(write(world, connection, letters(40)), 40U);
  world.advance(
      std::chrono::milliseconds(400));  // the override timer: sends what fits into so small a window
  ASSERT_EQ(peer.receive_all().size(), 1U);
  const std::uint32_t lost = peer.next;  // text of the peer that will come the second time only
  peer.send({.flags = ".", .sequence = lost + 5, .acknowledgment = peer.expected, .window = 10});
  peer.send({.flags = "P.",
             .sequence = lost,
             .acknowledgment = peer.expected + 10,
             .window = 0,
             .payload = "again"});
  world.advance(std::chrono::milliseconds(100));
  for (const Answer& answer : peer.receive_all())
    EXPECT_TRUE(answer.payload.empty()) << "beyond the window: " << answer.payload;
}

// Both ends have filled the other's window and all of it was lost: the pure ACKs of both then stand at the
// right edge. Were they refused, neither end would learn anything until both gave up.
TEST(PeerWindow, IsTakenFromAnEmptySegmentAtOurRightEdge) {
  HostUnderTest world;
  tcp::Listener& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  tcp::Connection& connection =
      peer.connect_to(listener, {.maximum_segment_size = 1000}, 10, std::chrono::milliseconds(500));
  const std::uint32_t edge = peer.next + static_cast<std::uint32_t>(connection.info().receive_window);
  EXPECT_EQ(write(world, connection, letters(40)), 40U);
  world.advance(std::chrono::milliseconds(400));
  ASSERT_EQ(peer.receive_all().size(), 1U);

  peer.send({.flags = ".", .sequence = edge + 1, .acknowledgment = peer.expected + 10, .window = 100});
  world.advance(std::chrono::milliseconds(100));
  for (const Answer& answer : peer.receive_all()) EXPECT_TRUE(answer.payload.empty()) << "beyond the edge";

  peer.send({.flags = ".", .sequence = edge, .acknowledgment = peer.expected + 10, .window = 100});
  world.advance(std::chrono::milliseconds(400));
  std::size_t octets = 0;
  for (const Answer& answer : peer.receive_all()) octets += answer.payload.size();
  EXPECT_EQ(octets, 30U);
}

}  // namespace
}  // namespace transom::test
