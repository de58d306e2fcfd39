// TIME-WAIT (RFC 9293 §3.6.1, §3.10.7.4) and its early end by timestamps (RFC 6191, RFC 1337).
#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

wire::TcpOptions with_timestamps(std::uint32_t value) {
  wire::TcpOptions options;
  options.maximum_segment_size = 1460;
  options.timestamps = wire::TcpTimestamps{value, 0};
  return options;
}

class TimeWait : public ::testing::Test {
 protected:
  std::size_t records() { return world.host().tcp().time_wait_count(); }

  // A connection that the peer has opened and we have closed first.
  void leave_one(ScriptedPeer& peer, tcp::Listener& listener, const wire::TcpOptions& options) {
    auto& connection = peer.connect_to(listener, options);
    close(peer, connection);
  }
  void close(ScriptedPeer& peer, tcp::Connection& connection) {
    world.with([&] { connection.close(); });
    peer.expect("FA");
    ++peer.expected;
    peer.send_next("FA");
    peer.expect("A");
  }
  // Whether a SYN with this number and options opens a new connection.
  bool reopens(ScriptedPeer& peer, std::uint32_t sequence, const wire::TcpOptions& options) {
    peer.send({.flags = "S", .sequence = sequence, .options = options});
    const auto answer = peer.receive();
    return answer && answer->header.flags.syn;
  }

  HostUnderTest world;
};

TEST_F(TimeWait, LastsTwiceTheMaximumSegmentLifetime) {
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  leave_one(peer, listener, with_timestamps(100));
  EXPECT_EQ(records(), 1U);
  world.advance(seconds(59));
  EXPECT_EQ(records(), 1U);
  world.advance(seconds(2));
  EXPECT_EQ(records(), 0U);
  peer.send_next("A");
  peer.expect("R");
}

// A record tells time in milliseconds of 32 bits: never too early, nor confused when they wrap after 49 days.
TEST_F(TimeWait, LastsAsLongWhateverTheClockSays) {
  auto& listener = world.listen(80);
  const Instant wraps(milliseconds(std::int64_t{1} << 32));
  std::uint16_t port = 4000;
  for (const Instant begin : {world.now() + Duration(1), wraps - seconds(30) - Duration(1)}) {
    world.advance(begin - world.now());
    ScriptedPeer peer(world, port++, 80);
    leave_one(peer, listener, with_timestamps(100));
    world.advance(seconds(60) - Duration(1));
    EXPECT_EQ(records(), 1U);
    world.advance(milliseconds(1));
    EXPECT_EQ(records(), 0U);
  }
}

TEST_F(TimeWait, BeginsAnewWhenTheFinComesAgain) {
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  leave_one(peer, listener, {.maximum_segment_size = 1460});
  world.advance(seconds(50));
  peer.send({.flags = "FA", .sequence = peer.next - 1, .acknowledgment = peer.expected});
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  world.advance(seconds(50));
  EXPECT_EQ(records(), 1U);
  world.advance(seconds(11));
  EXPECT_EQ(records(), 0U);
}

TEST_F(TimeWait, WithTimestampsASynReopensItByANewerOneWhateverItsNumber) {  // RFC 6191 §2
  auto& listener = world.listen(80);
  for (const std::uint32_t sequence : {50U, 5000000U}) {
    ScriptedPeer peer(world, 4000, 80);
    leave_one(peer, listener, with_timestamps(100));
    EXPECT_TRUE(reopens(peer, sequence, with_timestamps(101))) << sequence;
    EXPECT_EQ(records(), 0U);
    peer.send({.flags = "R", .sequence = sequence + 1});
  }
}

TEST_F(TimeWait, WithEqualTimestampsTheNumberDecides) {  // RFC 6191 §2
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  leave_one(peer, listener, with_timestamps(100));
  EXPECT_FALSE(reopens(peer, peer.next - 2, with_timestamps(100)));
  world.advance(seconds(1));
  EXPECT_TRUE(reopens(peer, peer.next + 1, with_timestamps(100)));
}

TEST_F(TimeWait, AnOlderTimestampNeverReopensIt) {
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  leave_one(peer, listener, with_timestamps(100));
  EXPECT_FALSE(reopens(peer, peer.next + 100000, with_timestamps(99)));
  EXPECT_EQ(records(), 1U);
  EXPECT_EQ(world.drops(DropReason::kTcpPaws), 1U);
}

TEST_F(TimeWait, TimestampsThatWrapAreNewer) {
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  leave_one(peer, listener, with_timestamps(0xfffffff0));
  EXPECT_TRUE(reopens(peer, 1, with_timestamps(5)));
}

TEST_F(TimeWait, WithoutTimestampsTheNumberDecides) {  // RFC 9293 MAY-2
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  leave_one(peer, listener, {.maximum_segment_size = 1460});
  EXPECT_FALSE(reopens(peer, peer.next - 1, {.maximum_segment_size = 1460}));
  world.advance(seconds(1));
  EXPECT_TRUE(reopens(peer, peer.next + 1, {.maximum_segment_size = 1460}));
}

TEST_F(TimeWait, ANewConnectionWithTimestampsNeedNotFearOneWithout) {  // RFC 6191 §2: nothing old carries any
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  leave_one(peer, listener, {.maximum_segment_size = 1460});
  EXPECT_TRUE(reopens(peer, peer.next - 500, with_timestamps(1)));
}

TEST_F(TimeWait, TheNewNumbersBeginBehindTheOldOnes) {
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  leave_one(peer, listener, with_timestamps(100));
  peer.send({.flags = "S", .sequence = 7, .options = with_timestamps(101)});
  const Answer answer = peer.expect("SA");
  EXPECT_GT(static_cast<std::int32_t>(answer.sequence() - peer.expected), 65535);
}

TEST_F(TimeWait, ASynForAPortWithoutListenerDoesNotEndIt) {
  ScriptedPeer peer(world, 80, 5000);
  auto& connection = peer.accept_from_host({}, with_timestamps(100));
  close(peer, connection);
  peer.send({.flags = "S", .sequence = 7, .options = with_timestamps(500)});
  peer.expect("RA");
  EXPECT_EQ(records(), 1U);
}

TEST_F(TimeWait, AnOutgoingConnectionMayFollowAfterASecondWhenThereWereTimestamps) {  // RFC 6191
  const auto connect = [&](ScriptedPeer& peer) {
    return world.with([&] {
      auto hold = world.host().tcp().bind({.local = peer.remote(), .reuse_address = true});
      return world.host().tcp().connect(*hold, peer.local(), {});
    });
  };
  for (const bool timestamps : {false, true}) {
    ScriptedPeer peer(world, 80, static_cast<std::uint16_t>(timestamps ? 5000 : 5001));
    auto& connection = peer.accept_from_host(
        {}, timestamps ? with_timestamps(100) : wire::TcpOptions{.maximum_segment_size = 1460});
    close(peer, connection);
    EXPECT_EQ(connect(peer).error(), Error::kAddressNotAvailable) << "too early";
    world.advance(milliseconds(1100));
    const auto again = connect(peer);
    ASSERT_EQ(again.has_value(), timestamps);
    if (!timestamps) continue;
    EXPECT_GT(static_cast<std::int32_t>(peer.expect("S").sequence() - peer.expected), 65535)
        << "behind all that the old connection used";
    EXPECT_EQ(world.counter(Counter::kTcpExtTWRecycled), 1U);
  }
}

TEST_F(TimeWait, AnswersNoMoreThanTwiceASecondToEmptySegments) {
  auto& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  leave_one(peer, listener, {.maximum_segment_size = 1460});
  world.advance(seconds(1));
  for (int i = 0; i < 50; ++i) {
    peer.send({.flags = "A", .sequence = peer.next - 10, .acknowledgment = peer.expected});
    world.advance(milliseconds(20));
  }
  EXPECT_LE(peer.receive_all().size(), 3U);
  EXPECT_GT(world.counter(Counter::kTcpExtTCPACKSkippedTimeWait), 40U);
}

TEST_F(TimeWait, TheOldestGoesWhenThereAreTooMany) {
  HostConfig config;
  config.tcp.max_time_wait = 3;
  HostUnderTest small(config);
  auto& listener = small.listen(80);
  for (std::uint16_t port = 4000; port < 4005; ++port) {
    ScriptedPeer peer(small, port, 80);
    auto& connection = peer.connect_to(listener);
    small.with([&] { connection.close(); });
    peer.expect("FA");
    ++peer.expected;
    peer.send_next("FA");
    peer.expect("A");
    EXPECT_LE(small.host().tcp().time_wait_count(), 3U);
  }
  EXPECT_EQ(small.counter(Counter::kTcpExtTCPTimeWaitOverflow), 2U);
  ScriptedPeer forgotten(small, 4000, 80), kept(small, 4004, 80);
  forgotten.send({.flags = "A", .sequence = 1, .acknowledgment = 1});
  forgotten.expect("R");
  kept.send({.flags = "A", .sequence = 1, .acknowledgment = 1, .payload = "x"});
  kept.expect("A");
}

}  // namespace
}  // namespace transom::test
