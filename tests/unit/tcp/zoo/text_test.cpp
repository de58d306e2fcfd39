// Peers whose text is a burden, a lie, or old.
#include "tests/support/peers/zoo.h"

namespace transom::test {
namespace {

using std::chrono::seconds;

TEST(Zoo, OneOctetPerSegmentArrivesAndCostsLittle) {
  HostUnderTest world;
  TinySender peer(world);
  const std::size_t before = world.pool().in_use(BufferSize::kFrame);
  const std::string text = letters(20000);
  peer.dribble(text);
  EXPECT_LE(world.pool().in_use(BufferSize::kFrame) - before, 64U);
  EXPECT_EQ(read_all(world, *peer.connection), text);
}

TEST(Zoo, EveryOtherOctetForEverIsBounded) {
  HostUnderTest world;
  tcp::Options options;
  options.receive_buffer = 60000;
  TinySender peer(world, {.maximum_segment_size = ZooPeer::kMss}, 65535, options);
  const std::string text = letters(60000);
  const std::size_t before = world.pool().in_use(BufferSize::kFrame);
  for (int round = 0; round < 2; ++round) peer.dribble(text, 2, 1);  // the first octet never comes
  constexpr std::size_t kRuns = 512;                                 // of the reassembly queue
  EXPECT_LE(world.pool().in_use(BufferSize::kFrame) - before, kRuns + 16);
  EXPECT_EQ(peer.info().receive_queue, 0U);
  peer.send({.flags = ".",
             .sequence = peer.next,
             .acknowledgment = peer.expected,
             .payload = std::string_view(text).substr(0, 1)});
  EXPECT_GE(read_all(world, *peer.connection).size(), 1U);
}

// What waits keeps its first copy of each octet; text that is in order counts as it comes. Nothing that the
// user has read changes any more.
TEST(Zoo, OverlapsWithOtherOctetsAreNotMixedAtWill) {
  HostUnderTest world;
  TinySender peer(world);
  const auto at = [&](std::uint32_t offset, std::string_view text) {
    peer.send(
        {.flags = ".", .sequence = peer.next + offset, .acknowledgment = peer.expected, .payload = text});
  };
  at(4, "BBBB");
  at(2, "CCCCCCCC");  // over both ends of it
  at(6, "DDDDDD");
  at(0, "AA");
  EXPECT_EQ(read_all(world, *peer.connection), "AACCBBBBCCDD");
  at(0, "EEEEEEEEEEEE");
  EXPECT_EQ(read_all(world, *peer.connection), "");
  peer.next += 12;
  at(4, "BBBB");
  at(0, "AAAAAAAAAAAA");
  EXPECT_EQ(read_all(world, *peer.connection), "AAAAAAAAAAAA");
}

TEST(Zoo, StaleTimestampsBringNothing) {  // RFC 7323 §5
  HostUnderTest world;
  ZooPeer peer(world, {.maximum_segment_size = ZooPeer::kMss, .timestamps = wire::TcpTimestamps{100000, 0}});
  peer.timestamp_value = 99000;
  const std::uint32_t next = peer.next;
  for (int i = 0; i < 100; ++i) {
    peer.next = next;
    peer.send_next(".", "old");
  }
  EXPECT_EQ(read_all(world, *peer.connection), "");
  EXPECT_EQ(world.counter(Counter::kTcpExtPAWSEstab), 100U);
  EXPECT_EQ(peer.receive_all().back().acknowledgment(), next);
  peer.next = next;
  peer.timestamp_value = 100001;
  peer.send_next(".", "new");
  EXPECT_EQ(read_all(world, *peer.connection), "new");
}

TEST(Zoo, APeerThatHasRestartedIsFoundOut) {  // RFC 9293 §3.5.1, RFC 5961 §4
  HostUnderTest world;
  ZooPeer peer(world);
  const std::uint32_t next = peer.next;
  peer.send({.flags = "S", .sequence = 77, .options = {.maximum_segment_size = 1000}});
  const Answer challenge = peer.expect("A");
  EXPECT_EQ(challenge.acknowledgment(), next);
  EXPECT_EQ(peer.info().state, tcp::State::kEstablished);
  peer.send({.flags = "R", .sequence = challenge.acknowledgment()});
  EXPECT_EQ(peer.info().state, tcp::State::kClosed);
  peer.send({.flags = "S", .sequence = 77, .options = {.maximum_segment_size = 1000}});
  peer.expect("SA");
}

TEST(Zoo, BlindResetsAndSynsDrawFewChallenges) {  // RFC 5961 §3, §4, §7
  HostUnderTest world;
  ZooPeer peer(world);
  for (std::uint32_t i = 1; i <= 2000; ++i) {
    peer.send({.flags = "R", .sequence = peer.next + i * 30});
    peer.send({.flags = "S", .sequence = peer.next + i * 30});
    peer.send({.flags = "R", .sequence = peer.next + 0x40000000 + i});
  }
  EXPECT_LE(peer.receive_all().size(), 10U);
  EXPECT_EQ(peer.info().state, tcp::State::kEstablished);
  peer.send_next("P.", "alive");
  EXPECT_EQ(read_all(world, *peer.connection), "alive");
}

TEST(Zoo, ASynFloodLeavesRoomForAnHonestPeer) {  // RFC 4987 §3.6
  HostUnderTest world;
  tcp::Listener& listener = world.listen(80, {}, 16);
  const std::size_t before = world.pool().in_use(BufferSize::kFrame);
  for (std::uint16_t port = 10000; port < 15000; ++port) {
    ScriptedPeer flood(world, port, 80);
    flood.send({.flags = "S", .sequence = port, .options = {.maximum_segment_size = 1460}});
    flood.receive_all();
  }
  EXPECT_LE(world.host().tcp().half_open_count(), 16U);
  EXPECT_EQ(world.host().tcp().connection_count(), 0U);
  EXPECT_LE(world.pool().in_use(BufferSize::kFrame) - before, 16U);
  ScriptedPeer honest(world, 4000, 80);
  tcp::Connection& connection = honest.connect_to(listener, {.maximum_segment_size = 1460});
  honest.send_next("P.", "hello");
  EXPECT_EQ(read_all(world, connection), "hello");
  world.advance(seconds(120));
  EXPECT_EQ(world.host().tcp().half_open_count(), 0U);
}

}  // namespace
}  // namespace transom::test
