// The end of a connection: RFC 9293 §3.6; RFC 1122 §4.2.2.13; RFC 1337; RFC 6191; RFC 2525 §2.15 to §2.17.
#include "tests/conformance/conversation.h"

namespace transom::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

Result<std::size_t> read_once(Conversation& talk) {
  std::array<std::uint8_t, 100> buffer;
  return talk.world.with([&] { return talk.connection.receive(buffer); });
}

TEST(TcpEndOfStream, ByFinIsNoErrorAndByResetIsOne) {  // MUST-12
  Conversation graceful;
  graceful.peer.send_next("FPA", "last words");
  EXPECT_EQ(graceful.read(), "last words");
  EXPECT_EQ(read_once(graceful), 0U);
  EXPECT_FALSE(graceful.connection.readiness().error);

  Conversation aborted;
  aborted.peer.send_next("PA", "last words");
  aborted.peer.send({.flags = "R", .sequence = aborted.peer.next});
  EXPECT_TRUE(aborted.connection.readiness().error);
  std::array<std::uint8_t, 100> buffer;
  EXPECT_EQ(aborted.world.with([&] { return aborted.connection.receive(buffer); }), 10U)
      << "what came before is not lost";
  const auto then = read_once(aborted);
  ASSERT_FALSE(then);
  EXPECT_EQ(then.error(), Error::kConnectionReset);
}

TEST(TcpEndOfStream, FinLeavesAtOnceWhenTheUserCloses) {  // R2525-15
  Conversation talk;
  talk.close();
  EXPECT_EQ(talk.peer.expect("FA").sequence(), talk.peer.expected);
}

TEST(TcpEndOfStream, FinComesBehindAllThatIsQueued) {  // R2525-15, R9293-11
  Conversation talk;
  talk.write(letters(15000));
  talk.close();
  std::string text;
  bool fin = false;
  for (int i = 0; i < 5; ++i) {
    for (const auto& answer : talk.acknowledge_all()) {
      EXPECT_FALSE(fin);
      text += answer.payload;
      fin = answer.header.flags.fin;
    }
  }
  EXPECT_TRUE(fin);
  EXPECT_EQ(text, letters(15000));
}

TEST(TcpEndOfStream, DataAfterAFullCloseIsAnsweredByAReset) {  // SHLD-3, MAY-1, R2525-16
  for (const tcp::State state : {tcp::State::kFinWait1, tcp::State::kFinWait2}) {
    Conversation talk;
    talk.bring_to(state);
    talk.close();
    (void)talk.settle();
    talk.peer.send_next("PA", "too late");
    const auto answers = talk.peer.receive_all();
    ASSERT_FALSE(answers.empty());
    EXPECT_EQ(answers.back().flags(), "RA");
    EXPECT_EQ(talk.world.host().tcp().connection_count(), 0U);
  }
}

TEST(TcpEndOfStream, UnreadDataMakesACloseAReset) {  // SHLD-3, R2525-17
  Conversation talk;
  talk.peer.send_next("PA", "unread");
  (void)talk.settle();
  talk.close();
  const Answer reset = talk.peer.expect("RA");
  EXPECT_EQ(reset.sequence(), talk.peer.expected);
  EXPECT_EQ(talk.world.host().tcp().connection_count(), 0U);
}

TEST(TcpHalfClose, LeavesTheOtherDirectionOpenForMuchMore) {  // R9293-13
  Conversation talk;
  talk.bring_to(tcp::State::kFinWait2);
  std::size_t received = 0;
  for (int i = 0; i < 1050; ++i) {
    talk.peer.send_next("A", letters(1000));
    received += talk.read().size();
    if (i % 50 == 0) talk.world.advance(minutes(2));  // nobody is in a hurry
  }
  EXPECT_EQ(received, 1050000U);
  EXPECT_EQ(talk.connection.state(), tcp::State::kFinWait2);
  EXPECT_EQ(talk.settle().back().acknowledgment(), talk.peer.next);
}

TEST(TcpHalfClose, OfThePeerLeavesOursOpen) {  // R9293-10, R9293-13
  Conversation talk;
  talk.bring_to(tcp::State::kCloseWait);
  talk.write(letters(5000));
  EXPECT_EQ(payload_of(talk.acknowledge_all()), letters(5000));
  EXPECT_EQ(talk.connection.state(), tcp::State::kCloseWait);
}

// ---------------------------------------------------------------- TIME-WAIT

class TcpTimeWait : public ::testing::Test {
 protected:
  void end(const ConversationOptions& options = {}) {
    talk.emplace(options);
    talk->bring_to(tcp::State::kTimeWait);
    talk->close();
    (void)talk->settle();
    last = talk->peer.next;  // behind the peer's FIN
  }
  std::size_t waiting() { return talk->world.host().tcp().time_wait_count(); }
  ScriptedPeer& peer() { return talk->peer; }

  std::optional<Conversation> talk;
  std::uint32_t last = 0;
};

TEST_F(TcpTimeWait, AnswersTheFinAgainForTwoMslAndStartsOver) {  // MUST-13
  end();
  talk->world.advance(seconds(50));
  peer().send({.flags = "FA", .sequence = last - 1, .acknowledgment = peer().expected});
  const Answer again = peer().expect("A");
  EXPECT_EQ(again.acknowledgment(), last);
  EXPECT_EQ(again.sequence(), peer().expected);
  talk->world.advance(seconds(55));
  EXPECT_EQ(waiting(), 1U) << "2 MSL from the last FIN";
  talk->world.advance(seconds(10));
  EXPECT_EQ(waiting(), 0U);
  peer().send({.flags = "FA", .sequence = last - 1, .acknowledgment = peer().expected});
  peer().expect("R");
}

TEST_F(TcpTimeWait, AnswersOldDataAndTakesNothing) {  // R9293-05, R1337-01
  end();
  talk->world.advance(seconds(1));
  peer().send(
      {.flags = "A", .sequence = last - 300, .acknowledgment = peer().expected, .payload = "old duplicate"});
  EXPECT_EQ(peer().expect("A").acknowledgment(), last);
  EXPECT_EQ(waiting(), 1U);
}

TEST_F(TcpTimeWait, IsNotEndedByAReset) {  // R1337-01
  end();
  for (const std::uint32_t sequence : {last, last + 1, last - 1}) {
    peer().send({.flags = "R", .sequence = sequence});
    peer().send({.flags = "RA", .sequence = sequence, .acknowledgment = peer().expected});
  }
  peer().expect_silence();
  EXPECT_EQ(waiting(), 1U);
}

TEST_F(TcpTimeWait, IsReopenedByASynBeyondTheOldNumbers) {  // MAY-2
  end();
  const std::uint32_t old_end = peer().expected;
  peer().send({.flags = "S", .sequence = last - 1});  // an old duplicate
  EXPECT_EQ(peer().expect("A").acknowledgment(), last);
  EXPECT_EQ(waiting(), 1U);
  peer().send({.flags = "S", .sequence = last + 1});
  const Answer answer = peer().expect("SA");
  EXPECT_GT(SeqNum(answer.sequence()) - SeqNum(old_end), 0) << "beyond our old numbers too";
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(TcpTimeWait, IsReopenedByASynWithANewerTimestampWhateverItsNumber) {  // SHLD-4, R6191-01
  end({.peer = modern_options()});
  Script syn{.flags = "S", .sequence = last - 5000};
  syn.options = modern_options();
  syn.options.timestamps = wire::TcpTimestamps{50, 0};
  peer().send(syn);  // an old duplicate by both
  for (const auto& answer : peer().receive_all()) EXPECT_FALSE(answer.header.flags.syn);
  EXPECT_EQ(waiting(), 1U);
  syn.sequence = last + 5000;
  peer().send(syn);  // beyond by number, but older by its timestamp: that one decides
  for (const auto& answer : peer().receive_all()) EXPECT_FALSE(answer.header.flags.syn);
  syn.sequence = last - 5000;
  syn.options.timestamps = wire::TcpTimestamps{200, 0};
  peer().send(syn);
  peer().expect("SA");
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(TcpTimeWait, DoesNotEatAllPorts) {  // TIME-WAIT that uses up the ports is a known bug; RFC 6191
  HostConfig config;
  config.tcp.first_ephemeral_port = 40000;
  config.tcp.last_ephemeral_port = 40007;
  HostUnderTest world(config);
  for (int i = 0; i < 100; ++i) {
    tcp::PortHold none;
    const auto connected =
        world.with([&] { return world.host().tcp().connect(none, {HostUnderTest::kPeer, Port{80}}, {}); });
    ASSERT_TRUE(connected) << "after " << i;
    ScriptedPeer server(world, 80, to_number((*connected)->tuple().local.port));
    const Answer syn = server.expect("S");
    server.expected = syn.sequence() + 1;
    const auto stamp = [&] {
      return wire::TcpTimestamps{static_cast<std::uint32_t>(1000 + 10 * i),
                                 syn.header.options.timestamps->value};
    };
    Script answer{.flags = "SA", .sequence = 5000, .acknowledgment = server.expected};
    answer.options.timestamps = stamp();
    server.send(answer);
    world.with([&] { (*connected)->close(); });
    (void)server.receive_all();
    Script fin{.flags = "FA", .sequence = 5001, .acknowledgment = server.expected + 1};
    fin.options.timestamps = stamp();
    server.send(fin);
    (void)server.receive_all();
    world.advance(milliseconds(300));
  }
  EXPECT_LE(world.host().tcp().time_wait_count(), 8U);
}

TEST_F(TcpTimeWait, OfManyIsBounded) {  // bounded everything
  HostConfig config;
  config.tcp.max_time_wait = 3;
  HostUnderTest world(config);
  auto& listener = world.listen(80);
  for (std::uint16_t port = 4000; port < 4010; ++port) {
    ScriptedPeer client(world, port, 80);
    auto& connection = client.connect_to(listener);
    world.with([&] { connection.close(); });
    client.expected += 1;
    client.send_next("FA");
  }
  EXPECT_EQ(world.host().tcp().time_wait_count(), 3U);
  EXPECT_EQ(world.counter(Counter::kTcpExtTCPTimeWaitOverflow), 7U);
}

}  // namespace
}  // namespace transom::test
