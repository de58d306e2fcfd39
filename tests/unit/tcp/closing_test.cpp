// Closing: RFC 9293 §3.6, the states behind ESTABLISHED, resets, TIME-WAIT; RFC 5961; RFC 1337; RFC 2525.
#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Closing : public ::testing::Test {
 protected:
  HostUnderTest world;
  tcp::Listener& listener = world.listen(80);
  ScriptedPeer peer{world, 4000, 80};
  tcp::Connection& connection = peer.connect_to(listener);

  void close() {
    world.with([&] { connection.close(); });
  }
  void shutdown() {
    world.with([&] { connection.shutdown_send(); });
  }
};

TEST_F(Closing, ActiveCloseGoesThroughFinWaitToTimeWait) {  // R9293-10, MUST-13
  shutdown();
  const auto fin = peer.expect("FA");
  EXPECT_EQ(connection.state(), tcp::State::kFinWait1);
  peer.expected = fin.sequence() + 1;
  peer.send_next(".");
  EXPECT_EQ(connection.state(), tcp::State::kFinWait2);
  peer.send_next("FA");
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  EXPECT_EQ(connection.state(), tcp::State::kTimeWait);
  EXPECT_EQ(world.host().tcp().time_wait_count(), 1U);
  close();
  world.advance(seconds(59));
  EXPECT_EQ(world.host().tcp().time_wait_count(), 1U);
  world.advance(seconds(2));
  EXPECT_EQ(world.host().tcp().time_wait_count(), 0U);
  peer.send_next(".");
  peer.expect("R");
}

TEST_F(Closing, HalfClosedConnectionStillReceives) {  // R9293-13
  shutdown();
  peer.expected = peer.expect("FA").sequence() + 1;
  peer.send_next(".");
  std::string received;
  for (int i = 0; i < 100; ++i) {
    peer.send_next("PA", letters(1000));
    received += read_all(world, connection);
  }
  EXPECT_EQ(received.size(), 100000U);
  EXPECT_EQ(connection.state(), tcp::State::kFinWait2);
}

TEST_F(Closing, SimultaneousCloseGoesThroughClosing) {
  shutdown();
  const auto fin = peer.expect("FA");
  peer.send_next("FA");  // does not acknowledge ours
  EXPECT_EQ(connection.state(), tcp::State::kClosing);
  peer.expect("A");
  peer.expected = fin.sequence() + 1;
  peer.send_next(".");
  EXPECT_EQ(connection.state(), tcp::State::kTimeWait);
}

TEST_F(Closing, PassiveCloseGoesThroughCloseWaitAndLastAck) {
  peer.send_next("FA");
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  EXPECT_EQ(connection.state(), tcp::State::kCloseWait);
  EXPECT_EQ(read_all(world, connection), "");  // MUST-12: end of file, no error
  shutdown();
  EXPECT_EQ(connection.state(), tcp::State::kLastAck);
  peer.expected = peer.expect("FA").sequence() + 1;
  peer.send_next(".");
  EXPECT_EQ(connection.state(), tcp::State::kClosed);
  EXPECT_EQ(world.host().tcp().connection_count(), 0U);
  close();
}

TEST_F(Closing, FinBeyondAHoleWaitsForTheHole) {  // R9293-11
  peer.send({.flags = "FA", .sequence = peer.next + 5, .acknowledgment = peer.expected});
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  peer.send_next("A", "12345");
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next + 1);
  EXPECT_EQ(connection.state(), tcp::State::kCloseWait);
  EXPECT_EQ(read_all(world, connection), "12345");
}

TEST_F(Closing, CloseWithUnreadDataResets) {  // SHLD-3, R2525-17
  peer.send_next("PA", "unread");
  peer.receive_all();
  close();
  peer.expect("RA");
  EXPECT_EQ(world.host().tcp().connection_count(), 0U);
}

TEST_F(Closing, DataAfterCloseResets) {  // SHLD-3, R2525-16
  close();
  peer.expected = peer.expect("FA").sequence() + 1;
  peer.send_next("PA", "too late");
  EXPECT_EQ(peer.receive_all().back().flags(), "RA");
}

TEST_F(Closing, FinIsSentWithTheLastData) {  // R2525-15
  world.with([&] {
    const std::string text = "bye";
    const Bytes bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    (void)connection.send({&bytes, 1});
    connection.close();
  });
  const auto last = peer.expect("FPA");
  EXPECT_EQ(last.payload, "bye");
}

TEST_F(Closing, ExactResetAbortsAndReportsIt) {  // R5961-01, MUST-12
  peer.send({.flags = "R", .sequence = peer.next});
  EXPECT_EQ(connection.state(), tcp::State::kClosed);
  std::array<std::uint8_t, 10> buffer;
  const auto result = world.with([&] { return connection.receive(buffer); });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), Error::kConnectionReset);
}

TEST_F(Closing, InWindowResetDrawsChallengeAndOutsideNothing) {  // R5961-01, ATK-TCP-26, ATK-TCP-97
  peer.send({.flags = "R", .sequence = peer.next + 1});
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  peer.send({.flags = "R", .sequence = peer.next - 1});
  peer.send({.flags = "R", .sequence = peer.next + 0x40000000});
  peer.expect_silence();
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
}

TEST_F(Closing, ResetWithTextAborts) {  // SHLD-2
  peer.send({.flags = "R", .sequence = peer.next, .payload = "go away, and this is why"});
  EXPECT_EQ(connection.state(), tcp::State::kClosed);
}

TEST_F(Closing, LingerZeroResets) {  // POSIX-05
  tcp::Options options = connection.options();
  options.linger = 0;
  world.with([&] { connection.set_options(options); });
  close();
  peer.expect("RA");
}

TEST_F(Closing, TimeWaitReacknowledgesTheFinAndIgnoresReset) {  // MUST-13, R1337-01, ATK-TCP-20
  shutdown();
  peer.expected = peer.expect("FA").sequence() + 1;
  peer.send_next("FA");
  peer.expect("A");
  world.advance(seconds(1));
  peer.send({.flags = "FA", .sequence = peer.next - 1, .acknowledgment = peer.expected});
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  peer.send({.flags = "R", .sequence = peer.next});
  EXPECT_EQ(world.host().tcp().time_wait_count(), 1U);
  peer.send({.flags = "A", .sequence = peer.next - 100, .acknowledgment = peer.expected, .payload = "old"});
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
}

TEST_F(Closing, NewSynReopensTimeWait) {  // MAY-2
  shutdown();
  peer.expected = peer.expect("FA").sequence() + 1;
  peer.send_next("FA");
  peer.expect("A");
  close();
  peer.send({.flags = "S", .sequence = peer.next - 10});  // an old duplicate
  peer.receive_all();
  EXPECT_EQ(world.host().tcp().half_open_count(), 0U);
  const std::uint32_t old_end = peer.expected;
  peer.send({.flags = "S", .sequence = peer.next + 10});
  const auto answer = peer.expect("SA");
  EXPECT_GT(static_cast<std::int32_t>(answer.sequence() - old_end), 0);
  EXPECT_EQ(world.host().tcp().time_wait_count(), 0U);
}

TEST_F(Closing, OrphanedFinWait2EndsAfterAMinute) {  // ATK-TCP-18
  close();
  peer.expected = peer.expect("FA").sequence() + 1;
  peer.send_next(".");
  world.advance(seconds(59));
  EXPECT_EQ(world.host().tcp().connection_count(), 1U);
  world.advance(seconds(2));
  EXPECT_EQ(world.host().tcp().connection_count(), 0U);
}

TEST_F(Closing, AbortSendsReset) {
  world.with([&] { connection.abort(); });
  peer.expect("RA");
  EXPECT_EQ(world.host().tcp().connection_count(), 0U);
}

TEST_F(Closing, LostFinIsRetransmitted) {
  close();
  peer.expect("FA");
  world.advance(seconds(2));
  EXPECT_EQ(peer.expect("FA").flags(), "FA");
}

TEST_F(Closing, WritingAfterShutdownFails) {  // POSIX-04
  shutdown();
  const Bytes bytes{};
  const auto result = world.with([&] { return connection.send({&bytes, 1}); });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), Error::kBrokenPipe);
}

}  // namespace
}  // namespace transom::test
