// What a super-segment stands for is what counts: segments of the size that was agreed on.
#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

TEST(SuperSegment, CountsAsTheSegmentsThatItIsCutInto) {
  HostUnderTest world;
  tcp::Listener& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  tcp::Connection& connection = peer.connect_to(listener, {.maximum_segment_size = 1000});
  const std::uint64_t before = world.counter(Counter::kTcpOutSegs);
  const std::uint64_t own_before = world.with([&] { return connection.info().segments_out; });
  EXPECT_EQ(write(world, connection, letters(4500)), 4500U);
  EXPECT_EQ(peer.receive_all().size(), 5U);
  EXPECT_EQ(world.counter(Counter::kTcpOutSegs) - before, 5U) << "RFC 4022: tcpOutSegs counts segments";
  EXPECT_EQ(connection.info().segments_out - own_before, 5U);
}

TEST(SuperSegment, IsNotMadeWhileAnUrgentPointerIsToBeSent) {
  HostUnderTest world;
  tcp::Listener& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  tcp::Connection& connection = peer.connect_to(listener, {.maximum_segment_size = 1000});
  const std::uint32_t end = peer.expected + 4500;
  EXPECT_EQ(write(world, connection, letters(4500), {.urgent = true}), 4500U);
  const auto sent = peer.receive_all();
  ASSERT_EQ(sent.size(), 5U);
  for (const Answer& segment : sent) {
    EXPECT_TRUE(segment.header.flags.urg);
    EXPECT_EQ(segment.sequence() + segment.header.urgent_pointer, end)
        << "RFC 9293 MUST-62: each points behind the same last urgent octet";
  }
}

}  // namespace
}  // namespace transom::test
