// What limits a sender, and for how long.
#include "stack/tcp/limited_times.h"

#include <numeric>

#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using tcp::Limited;

Duration of(const tcp::LimitedTotals& totals, Limited limited) {
  return totals[static_cast<std::size_t>(limited)];
}

TEST(LimitedTimes, AddUpToTheAgeOfTheConnection) {
  tcp::LimitedTimes times;
  const Instant start(seconds(3));
  times.start(start);
  times.change(Limited::kCongestionWindow, start + milliseconds(10));
  times.change(Limited::kReceiveWindow, start + milliseconds(15));
  times.change(Limited::kReceiveWindow, start + milliseconds(16));
  times.change(Limited::kCongestionWindow, start + milliseconds(40));
  const auto totals = times.totals(start + milliseconds(41));
  EXPECT_EQ(of(totals, Limited::kIdle), milliseconds(10));
  EXPECT_EQ(of(totals, Limited::kCongestionWindow), milliseconds(6));
  EXPECT_EQ(of(totals, Limited::kReceiveWindow), milliseconds(25));
  EXPECT_EQ(std::accumulate(totals.begin(), totals.end(), Duration::zero()), milliseconds(41));
}

class Limits : public ::testing::Test {
 protected:
  tcp::Connection& connect(std::uint32_t window, std::uint32_t send_buffer = 0) {
    tcp::Options options;
    options.send_buffer = send_buffer;
    return peer.connect_to(world.listen(80, options), {.maximum_segment_size = 1000}, window,
                           milliseconds(100));
  }
  Duration spent(const tcp::Connection& connection, Limited limited) {
    return of(world.with([&] { return connection.info(); }).limited, limited);
  }
  void acknowledge_all(std::uint32_t window = 65535) {
    for (const auto& segment : peer.receive_all())
      peer.expected = segment.sequence() + static_cast<std::uint32_t>(segment.payload.size());
    peer.send({.flags = ".", .sequence = peer.next, .acknowledgment = peer.expected, .window = window});
  }
  HostUnderTest world;
  ScriptedPeer peer{world, 4000, 80};
};

TEST_F(Limits, OfThePeersWindowCountWhileItIsFull) {
  auto& connection = connect(3000);
  write(world, connection, letters(5000));
  world.advance(milliseconds(30));
  EXPECT_EQ(spent(connection, Limited::kReceiveWindow), milliseconds(30));
  acknowledge_all(3000);
  world.advance(milliseconds(20));
  EXPECT_EQ(spent(connection, Limited::kReceiveWindow), milliseconds(30));
  EXPECT_EQ(spent(connection, Limited::kApplication), milliseconds(20));
  acknowledge_all();
  world.advance(milliseconds(70));
  EXPECT_EQ(spent(connection, Limited::kIdle), milliseconds(70));
}

TEST_F(Limits, OfTheCongestionWindowCountWhileItIsFull) {
  auto& connection = connect(65535);
  write(world, connection, letters(30000));
  world.advance(milliseconds(30));
  EXPECT_EQ(spent(connection, Limited::kCongestionWindow), milliseconds(30));
}

TEST_F(Limits, OfTheSendBufferCountWhileTheWriterWaitsForRoom) {
  auto& connection = connect(65535, 4000);
  EXPECT_EQ(write(world, connection, letters(5000)), 4000U);
  world.advance(milliseconds(30));
  EXPECT_EQ(spent(connection, Limited::kSendBuffer), milliseconds(30));
  acknowledge_all();
  write(world, connection, letters(2000));
  world.advance(milliseconds(20));
  EXPECT_EQ(spent(connection, Limited::kSendBuffer), milliseconds(30));
  EXPECT_EQ(spent(connection, Limited::kApplication), milliseconds(20));
}

TEST_F(Limits, OfRecoveryCountWhileLossesAreRepaired) {
  auto& connection = connect(65535);
  write(world, connection, letters(30000));
  ASSERT_EQ(peer.receive_all().size(), 10U);
  world.advance(milliseconds(300 + 100));  // the timeout; nothing comes back
  EXPECT_EQ(spent(connection, Limited::kRecovery), milliseconds(100));
  const tcp::Info info = world.with([&] { return connection.info(); });
  EXPECT_EQ(info.congestion_state, tcp::CongestionState::kLoss);
  EXPECT_EQ(info.timeouts, 1U);
  EXPECT_EQ(info.timeout_recoveries, 1U);
  EXPECT_EQ(info.timeout_recovery_time, milliseconds(100));
  EXPECT_EQ(info.lost, 10000U);
  EXPECT_EQ(info.retransmitted_in_flight, 1000U);
}

}  // namespace
}  // namespace transom::test
