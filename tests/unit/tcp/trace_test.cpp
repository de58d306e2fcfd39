// What a connection tells an observer, and what it names as the cause.
#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

using namespace std::chrono_literals;

class Recorder final : public Observer {
 public:
  void on_event(const Event& event) override {
    if (!std::holds_alternative<PacketEvent>(event.what)) events.push_back(event);
    EXPECT_EQ(event.id, last + 1);
    EXPECT_LT(event.cause, event.id);
    last = event.id;
    if (const auto* packet = std::get_if<PacketEvent>(&event.what);
        packet && packet->direction == Direction::kIn)
      last_packet_in = event.id;
  }
  template <typename What>
  std::vector<What> all() const {
    std::vector<What> found;
    for (const Event& event : events) {
      if (const auto* what = std::get_if<What>(&event.what)) found.push_back(*what);
    }
    return found;
  }
  template <typename What>
  std::uint64_t cause_of_last() const {
    std::uint64_t cause = ~std::uint64_t{0};
    for (const Event& event : events) {
      if (std::holds_alternative<What>(event.what)) cause = event.cause;
    }
    return cause;
  }

  std::vector<Event> events;
  std::uint64_t last = 0;
  std::uint64_t last_packet_in = 0;
};

class TcpTrace : public testing::Test {
 protected:
  TcpTrace() { world.host().set_observer(&trace); }
  ~TcpTrace() override { world.host().set_observer(nullptr); }

  tcp::Connection& connect() {
    wire::TcpOptions options;
    options.maximum_segment_size = 1000;
    options.sack_permitted = true;
    return peer.connect_to(world.listen(80), options);
  }
  void acknowledge(std::uint32_t to, std::vector<wire::SackBlock> blocks = {}) {
    Script script{.flags = "A", .sequence = peer.next, .acknowledgment = to};
    for (const auto& block : blocks) script.options.add_sack(block);
    peer.send(script);
  }

  Recorder trace;
  HostUnderTest world;
  ScriptedPeer peer{world, 4000, 80};
};

TEST_F(TcpTrace, TellsTheStatesOfAPassiveOpenAndWhatWasAgreedOn) {
  connect();
  const auto states = trace.all<TcpStateEvent>();
  ASSERT_EQ(states.size(), 2U);
  EXPECT_EQ(states[0].from, "LISTEN");
  EXPECT_EQ(states[0].to, "SYN-RECEIVED");
  EXPECT_EQ(states[1].from, "SYN-RECEIVED");
  EXPECT_EQ(states[1].to, "ESTABLISHED");
  EXPECT_EQ(states[1].reason, Reason::kSegment);
  const auto agreed = trace.all<TcpNegotiatedEvent>();
  ASSERT_EQ(agreed.size(), 1U);
  EXPECT_EQ(agreed[0].mss, 1000U);
  EXPECT_TRUE(agreed[0].sack);
  EXPECT_FALSE(agreed[0].timestamps);
}

TEST_F(TcpTrace, TellsWhyAConnectionEnds) {
  const auto last_reason = [&] { return trace.all<TcpStateEvent>().back().reason; };
  connect();
  peer.send({.flags = "R", .sequence = peer.next});
  EXPECT_EQ(last_reason(), Reason::kReset);

  ScriptedPeer silent(world, 4001, 81);
  tcp::Connection& given_up = silent.connect_to(world.listen(81));
  write(world, given_up, "anybody there?");
  world.advance(std::chrono::minutes(20));
  EXPECT_EQ(last_reason(), Reason::kGaveUp);

  ScriptedPeer third(world, 4002, 82);
  tcp::Connection& aborted = third.connect_to(world.listen(82));
  world.with([&] { aborted.abort(); });
  EXPECT_EQ(last_reason(), Reason::kUser);
}

// ---------------------------------------------------------------- fast open

std::vector<Reason> fast_open_reasons(const Recorder& trace) {
  std::vector<Reason> reasons;
  for (const auto& event : trace.all<TcpFastOpenEvent>()) reasons.push_back(event.reason);
  return reasons;
}

TEST_F(TcpTrace, SaysWhyAServerOpensFastOrNot) {
  tcp::Options options;
  options.fast_open_queue = 1;
  world.listen(80, options);
  const auto knock = [&](std::uint16_t port, const wire::FastOpenCookie& cookie) {
    ScriptedPeer client(world, port, 80);
    client.send({.flags = "S", .sequence = 1000, .payload = "data", .options = {.fast_open = cookie}});
    return client.receive();
  };
  const auto given = knock(4001, {});
  knock(4002, *wire::FastOpenCookie::of(std::array<std::uint8_t, 4>{1, 2, 3, 4}));
  const auto opened = knock(4003, *given->header.options.fast_open);
  knock(4004, *given->header.options.fast_open);
  EXPECT_EQ(fast_open_reasons(trace), (std::vector{Reason::kFastOpenCookieGiven, Reason::kFastOpenBadCookie,
                                                   Reason::kFastOpenAccepted, Reason::kFastOpenQueueFull}));
  EXPECT_EQ(trace.all<TcpFastOpenEvent>()[2].octets, 4U);
  ScriptedPeer client(world, 4003, 80);
  client.send({.flags = "A", .sequence = 1005, .acknowledgment = opened->sequence() + 1});
  ASSERT_EQ(trace.all<TcpNegotiatedEvent>().size(), 1U);
  EXPECT_TRUE(trace.all<TcpNegotiatedEvent>()[0].fast_open);
}

TEST_F(TcpTrace, SaysHowAClientFaredWithFastOpen) {
  const auto connect_fast = [&](std::uint16_t port) -> tcp::Connection& {
    return world.with([&]() -> tcp::Connection& {
      auto hold = world.host().tcp().bind({.local = {HostUnderTest::kHost, Port{port}}});
      tcp::Options options;
      options.fast_open_connect = true;
      return **world.host().tcp().connect(*hold, {HostUnderTest::kPeer, Port{80}}, options);
    });
  };
  const auto answer = [&](std::uint16_t port, std::uint32_t acknowledged,
                          const wire::TcpOptions& options = {}) {
    ScriptedPeer server(world, 80, port);
    const auto syns = server.receive_all();
    server.send({.flags = "SA",
                 .sequence = 1,
                 .acknowledgment = syns.front().sequence() + 1 + acknowledged,
                 .options = options});
  };
  connect_fast(5000);
  answer(5000, 0, {.fast_open = wire::FastOpenCookie::of(std::array<std::uint8_t, 4>{1, 2, 3, 4})});
  write(world, connect_fast(5001), "data");
  answer(5001, 4);
  for (const std::uint16_t port : std::initializer_list<std::uint16_t>{5002, 5003}) {
    write(world, connect_fast(port), "data");
    world.advance(1001ms);
    answer(port, 0);
  }
  connect_fast(5004);
  EXPECT_EQ(fast_open_reasons(trace),
            (std::vector{Reason::kFastOpenRequest, Reason::kFastOpenData, Reason::kFastOpenTaken,
                         Reason::kFastOpenData, Reason::kFastOpenSynLost, Reason::kFastOpenIgnored,
                         Reason::kFastOpenData, Reason::kFastOpenSynLost, Reason::kFastOpenIgnored,
                         Reason::kFastOpenPaused}));
  std::vector<bool> saved;
  for (const auto& agreed : trace.all<TcpNegotiatedEvent>()) saved.push_back(agreed.fast_open);
  EXPECT_EQ(saved, (std::vector{false, true, false, false}));
}

// ---------------------------------------------------------------- sending

TEST_F(TcpTrace, NamesTheApplicationAsTheCauseOfWhatItSends) {
  tcp::Connection& connection = connect();
  write(world, connection, letters(1000));
  const auto sent = trace.all<TcpSendEvent>();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].reason, Reason::kNewData);
  EXPECT_EQ(sent[0].end - sent[0].begin, 1000);
  EXPECT_EQ(trace.cause_of_last<TcpSendEvent>(), 0U);
}

TEST_F(TcpTrace, SaysWhatKeepsItFromSendingOnceWhileThatStays) {
  tcp::Connection& connection = connect();
  trace.events.clear();
  write(world, connection, letters(30000));
  write(world, connection, letters(30000));
  const auto limits = trace.all<TcpLimitEvent>();
  ASSERT_EQ(limits.size(), 1U);
  EXPECT_EQ(limits[0].reason, Reason::kCongestionWindow);
  EXPECT_EQ(limits[0].unsent, 20000U);
}

TEST_F(TcpTrace, ExplainsAFastRetransmit) {
  tcp::Connection& connection = connect();
  write(world, connection, letters(10000));
  peer.receive_all();
  world.advance(10ms);
  trace.events.clear();
  const std::uint32_t base = peer.expected;
  acknowledge(base, {{SeqNum(base + 1000), SeqNum(base + 6000)}});
  const auto losses = trace.all<TcpLossEvent>();
  ASSERT_EQ(losses.size(), 1U);
  EXPECT_EQ(losses[0].begin, SeqNum(base));
  EXPECT_EQ(losses[0].end, SeqNum(base + 1000));
  EXPECT_EQ(losses[0].reason, Reason::kOvertaken);
  const auto recoveries = trace.all<TcpRecoveryEvent>();
  ASSERT_EQ(recoveries.size(), 1U);
  EXPECT_EQ(recoveries[0].phase, RecoveryPhase::kEntered);
  const auto sent = trace.all<TcpSendEvent>();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].reason, Reason::kRetransmission);
  EXPECT_EQ(trace.cause_of_last<TcpLossEvent>(), trace.last_packet_in);
  EXPECT_EQ(trace.cause_of_last<TcpSendEvent>(), trace.last_packet_in);
  const auto windows = trace.all<TcpCongestionEvent>();
  ASSERT_FALSE(windows.empty());
  EXPECT_LT(windows.front().cwnd, windows.front().before);
}

TEST_F(TcpTrace, NamesTheTimerAsTheCauseOfAProbe) {
  tcp::Connection& connection = connect();
  write(world, connection, letters(1000));
  peer.receive_all();
  peer.expected += 1000;
  world.advance(10ms);
  acknowledge(peer.expected);
  write(world, connection, letters(3000));
  trace.events.clear();
  world.advance(100ms);
  const auto timers = trace.all<TcpTimerEvent>();
  ASSERT_FALSE(timers.empty());
  EXPECT_EQ(timers[0].timer, Reason::kLossDetection);
  const auto sent = trace.all<TcpSendEvent>();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].reason, Reason::kTailLossProbe);
  EXPECT_NE(trace.cause_of_last<TcpSendEvent>(), 0U);
}

TEST_F(TcpTrace, TellsWhenATimerIsSetForTheTimeAtWhichItFires) {
  tcp::Connection& connection = connect();
  write(world, connection, letters(1000));
  const auto sets = trace.all<TcpTimerSetEvent>();
  const auto set = std::ranges::find(sets, Reason::kLossDetection, &TcpTimerSetEvent::timer);
  ASSERT_NE(set, sets.end());
  EXPECT_GT(set->deadline, world.now());
  world.advance(set->deadline - world.now() - 1ns);
  EXPECT_TRUE(trace.all<TcpTimerEvent>().empty());
  world.advance(1ns);
  ASSERT_FALSE(trace.all<TcpTimerEvent>().empty());
  EXPECT_EQ(trace.all<TcpTimerEvent>()[0].timer, Reason::kLossDetection);
}

TEST_F(TcpTrace, TellsEachRttSample) {
  tcp::Connection& connection = connect();
  write(world, connection, letters(1000));
  peer.receive_all();
  trace.events.clear();
  world.advance(25ms);
  acknowledge(peer.expected + 1000);
  const auto samples = trace.all<TcpRttEvent>();
  ASSERT_EQ(samples.size(), 1U);
  EXPECT_EQ(samples[0].sample, 25ms);
}

TEST_F(TcpTrace, TellsWhenTheWindowsOfARecoveryAreUndone) {
  tcp::Connection& connection = connect();
  write(world, connection, letters(4000));
  peer.receive_all();
  world.advance(3s);  // timeouts: the ACKs were late, not lost
  peer.receive_all();
  trace.events.clear();
  acknowledge(peer.expected + 4000);
  const auto recoveries = trace.all<TcpRecoveryEvent>();
  ASSERT_FALSE(recoveries.empty());
  EXPECT_EQ(recoveries[0].phase, RecoveryPhase::kUndone);
  EXPECT_EQ(recoveries[0].reason, Reason::kNothingWasLost);
}

}  // namespace
}  // namespace transom::test
