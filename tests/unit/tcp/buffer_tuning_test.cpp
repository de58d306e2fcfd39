// Buffers that grow by themselves: what makes them grow, and what does not.
#include "stack/tcp/receive_tuning.h"
#include "stack/tcp/send_buffer.h"
#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using tcp::ReceiveTuning;
using tcp::SendBuffer;

constexpr std::uint32_t kMss = 1000;
constexpr Instant kStart{seconds(5)};

TEST(ReceiveTuning, IsAheadOfASenderThatDoublesInEachRoundTrip) {
  ReceiveTuning tuning;
  tuning.start(SeqNum(1), 65535, 10 * kMss, milliseconds(20), kStart);
  Instant now = kStart;
  std::uint32_t round = 20 * kMss;
  for (int i = 0; i < 8; ++i) {
    now += milliseconds(20);
    const auto wanted = tuning.on_read(round, kMss, now);
    ASSERT_TRUE(wanted);
    EXPECT_GT(*wanted, 2 * round) << "round " << i;
    round *= 2;
  }
}

TEST(ReceiveTuning, WantsNothingForAnApplicationThatReadsAsBefore) {
  ReceiveTuning tuning;
  tuning.start(SeqNum(1), 65535, 10 * kMss, milliseconds(20), kStart);
  Instant now = kStart;
  for (int i = 0; i < 100; ++i) {
    now += milliseconds(2);
    EXPECT_FALSE(tuning.on_read(kMss, kMss, now));
  }
  EXPECT_EQ(tuning.per_round(), 10 * kMss);
}

TEST(ReceiveTuning, WaitsForARoundTrip) {
  ReceiveTuning tuning;
  tuning.start(SeqNum(1), 65535, 10 * kMss, Duration::zero(), kStart);
  EXPECT_FALSE(tuning.on_read(1'000'000, kMss, kStart + seconds(1))) << "of unknown length";
  tuning.on_arrival(SeqNum(2000), 65535, ReceiveTuning::Echo{7, milliseconds(30)}, kStart + seconds(1));
  EXPECT_FALSE(ReceiveTuning(tuning).on_read(kMss, kMss, kStart + milliseconds(29)));
  EXPECT_TRUE(tuning.on_read(kMss, kMss, kStart + seconds(1)));
}

TEST(ReceiveTuning, MeasuresByOneWindowWithoutTimestamps) {
  ReceiveTuning tuning;
  tuning.start(SeqNum(1), 10 * kMss, kMss, Duration::zero(), kStart);
  tuning.on_arrival(SeqNum(1) + 5 * kMss, 10 * kMss, std::nullopt, kStart + milliseconds(10));
  EXPECT_EQ(tuning.rtt(), Duration::zero());
  tuning.on_arrival(SeqNum(1) + 10 * kMss, 10 * kMss, std::nullopt, kStart + milliseconds(40));
  EXPECT_EQ(tuning.rtt(), milliseconds(40));
  tuning.on_arrival(SeqNum(1) + 20 * kMss, 10 * kMss, std::nullopt, kStart + seconds(9));
  EXPECT_EQ(tuning.rtt(), milliseconds(40)) << "the sender had nothing to send: no round trip";
}

TEST(ReceiveTuning, CountsOneEchoOnce) {
  ReceiveTuning tuning;
  tuning.start(SeqNum(1), 1 << 30, kMss, milliseconds(80), kStart);
  for (int i = 0; i < 10; ++i)
    tuning.on_arrival(SeqNum(1), 1 << 30, ReceiveTuning::Echo{7, milliseconds(160)}, kStart);
  EXPECT_EQ(tuning.rtt(), milliseconds(90));
  tuning.on_arrival(SeqNum(1), 1 << 30, ReceiveTuning::Echo{8, milliseconds(10)}, kStart);
  EXPECT_EQ(tuning.rtt(), milliseconds(50)) << "an echo is never too young";
}

TEST(SendBuffer, IsThreeCongestionWindowsWithinItsRange) {
  constexpr tcp::BufferRange kRange{.min = 1000, .initial = 5000, .max = 100'000};
  SendBuffer buffer;
  buffer.configure(0, kRange, false);
  EXPECT_EQ(buffer.size(), 5000U);
  buffer.on_acknowledgment(20'000, kRange, false);
  EXPECT_EQ(buffer.size(), 60'000U);
  buffer.on_acknowledgment(1000, kRange, false);
  EXPECT_EQ(buffer.size(), 60'000U) << "what is queued cannot be handed back";
  buffer.on_acknowledgment(std::uint64_t{1} << 40, kRange, false);
  EXPECT_EQ(buffer.size(), 100'000U);
}

TEST(SendBuffer, IsWhatTheUserSays) {
  constexpr tcp::BufferRange kRange{.min = 1000, .initial = 5000, .max = 100'000};
  SendBuffer buffer;
  buffer.configure(300, kRange, false);
  buffer.on_acknowledgment(20'000, kRange, false);
  EXPECT_EQ(buffer.size(), 300U);
}

TEST(SendBuffer, StartsSmallAndStaysWhilePacketBuffersAreScarce) {
  constexpr tcp::BufferRange kRange{.min = 1000, .initial = 5000, .max = 100'000};
  SendBuffer buffer;
  buffer.configure(0, kRange, true);
  buffer.on_acknowledgment(20'000, kRange, true);
  EXPECT_EQ(buffer.size(), 1000U);
}

TEST(BufferTuning, WindowScaleFitsTheLargestBufferUnlessTheUserSetsOne) {  // RFC 7323 §2.3
  const wire::TcpOptions offer{.maximum_segment_size = 1000, .window_scale = 3};
  for (const auto& [set, scale] : {std::pair{0U, 7U}, {30'000U, 0U}, {1U << 20, 5U}}) {
    HostUnderTest world;
    ScriptedPeer peer(world, 4000, 80);
    tcp::Options options;
    options.receive_buffer = set;
    world.listen(80, options);
    peer.send({.flags = "S", .sequence = 1000, .options = offer});
    const auto answer = peer.expect("SA");
    EXPECT_EQ(answer.header.options.window_scale, scale);
    EXPECT_EQ(answer.header.window, set == 30'000U ? 30'000 : 65535);
  }
}

// The peer sends what the window lets it, one window in each round trip, as fast as it can.
class BufferTuningByPeer : public ::testing::Test {
 protected:
  std::uint32_t receive_rounds(int rounds, bool reads, const tcp::Options& options = {}) {
    tcp::Listener& listener = world.listen(80, options);
    tcp::Connection& connection =
        peer.connect_to(listener, {.maximum_segment_size = 1000, .window_scale = 7});
    std::uint32_t window = 20'000;
    for (int i = 0; i < rounds; ++i) {
      world.advance(milliseconds(20));
      for (std::uint32_t sent = 0; sent + 1000 <= window; sent += 1000) peer.send_next("A", letters(1000));
      if (reads) read_all(world, connection);
      for (const auto& answer : peer.receive_all()) window = std::uint32_t{answer.header.window} << 7;
    }
    return connection.receive_buffer();
  }
  HostUnderTest world;
  ScriptedPeer peer{world, 4000, 80};
};

TEST_F(BufferTuningByPeer, GrowsToItsLimitWhereThatIsUsed) { EXPECT_EQ(receive_rounds(12, true), 6U << 20); }

TEST_F(BufferTuningByPeer, StaysWhereNobodyReads) { EXPECT_EQ(receive_rounds(12, false), 128U << 10); }

TEST_F(BufferTuningByPeer, StaysWhereTheUserHasSetIt) {
  tcp::Options options;
  options.receive_buffer = 100'000;
  EXPECT_EQ(receive_rounds(12, true, options), 100'000U);
}

}  // namespace
}  // namespace transom::test
