// Peers that play with their window, or never come to an end.
#include "tests/support/peers/zoo.h"

namespace transom::test {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

TEST(Zoo, AShrunkWindowStopsNewDataAndNotTheConnection) {  // RFC 9293 SHLD-14 to SHLD-18, MUST-34
  HostUnderTest world;
  ZooPeer peer(world, {.maximum_segment_size = ZooPeer::kMss}, 10000);
  write(world, *peer.connection, letters(20000));
  peer.watch();
  ASSERT_EQ(peer.highest, 10000U);
  peer.acknowledge(1000, 10);  // the right edge goes from 10000 to 1010
  for (int i = 0; i < 100; ++i) {
    world.advance(std::chrono::milliseconds(100));
    peer.watch();
  }
  EXPECT_EQ(peer.highest, 10000U);
  EXPECT_EQ(peer.info().state, tcp::State::kEstablished);
  std::uint32_t acknowledged = 10000;
  for (int i = 0; i < 20 && acknowledged < 20000; ++i) {
    peer.acknowledge(acknowledged, 65535);
    peer.watch();
    acknowledged = peer.highest;
    world.advance(seconds(1));
  }
  peer.acknowledge(20000);
  EXPECT_EQ(peer.info().send_queue, 0U);
}

TEST(Zoo, AWindowThatIsShutForEverIsProbedLessAndLess) {  // RFC 9293 MUST-36, MUST-37, SHLD-29, SHLD-30
  HostUnderTest world;
  ShutWindow peer(world, 1000);
  write(world, *peer.connection, letters(5000));
  peer.watch();
  peer.acknowledge(1000, 0);
  const std::size_t first_minute = peer.answer_for(minutes(1), 1000);
  EXPECT_GE(first_minute, 3U);
  EXPECT_LE(first_minute, 12U);
  EXPECT_LE(peer.answer_for(minutes(20), 1000), 15U);
  EXPECT_EQ(peer.highest, 1000U) << "nothing beyond the window";
  EXPECT_EQ(peer.info().state, tcp::State::kEstablished) << "MUST-37: not while it is answered";
}

TEST(Zoo, ASilentShutWindowEndsAtTheUserTimeout) {
  HostUnderTest world;
  tcp::Options options;
  options.user_timeout = 30'000;
  ShutWindow peer(world, 1000, options);
  write(world, *peer.connection, letters(5000));
  peer.watch();
  peer.acknowledge(1000, 0);
  world.advance(minutes(3));
  EXPECT_EQ(peer.info().state, tcp::State::kClosed);
  EXPECT_EQ(world.with([&] { return peer.connection->take_error(); }), Error::kTimedOut);
}

TEST(Zoo, WhoNeverClosesIsForgottenOnceTheUserHasLetGo) {  // FIN-WAIT-2 of an orphan
  HostUnderTest world;
  ZooPeer peer(world);
  world.with([&] { peer.connection->close(); });
  peer.watch();
  peer.acknowledge(1);
  EXPECT_EQ(world.host().tcp().connection_count(), 1U);
  world.advance(seconds(61));
  EXPECT_EQ(world.host().tcp().connection_count(), 0U);
}

// As Linux: to stop reading is to promise nothing to the peer. What is queued can still be read.
TEST(Zoo, ShuttingTheReceivingSideLeavesWhatIsQueued) {
  HostUnderTest world;
  tcp::Options options;
  options.receive_buffer = 2000;
  ZooPeer peer(world, {.maximum_segment_size = ZooPeer::kMss}, 65535, options);
  const std::string text = letters(2000);
  peer.send_next(".", std::string_view(text).substr(0, 1000));
  peer.send_next(".", std::string_view(text).substr(1000));
  world.advance(seconds(1));
  ASSERT_EQ(peer.receive_all().back().header.window, 0);
  world.with([&] { peer.connection->shutdown_receive(); });
  std::array<std::uint8_t, 4000> room{};
  world.with([&] { EXPECT_EQ(peer.connection->receive(room), 2000U); });
  EXPECT_EQ(peer.expect("A").header.window, 2000);
  world.with([&] { EXPECT_EQ(peer.connection->receive(room), 0U) << "the end, and no wait"; });
  peer.send_next(".", "more");
  world.with([&] { EXPECT_EQ(peer.connection->receive(room), 4U) << "what comes now is no different"; });
  world.with([&] { peer.connection->shutdown_send(); });
  peer.watch();
  peer.send_next(".", "too much");
  peer.expect("RA");  // RFC 1122 §4.2.2.13: nobody will read it
}

}  // namespace
}  // namespace transom::test
