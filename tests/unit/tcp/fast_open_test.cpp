// TCP Fast Open (RFC 7413) of one Host, whose peer is written segment by segment.
#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

wire::TcpOptions modern_options() {
  wire::TcpOptions options;
  options.maximum_segment_size = 1460;
  options.sack_permitted = true;
  options.timestamps = wire::TcpTimestamps{100, 0};
  options.window_scale = 7;
  return options;
}

wire::TcpOptions with_cookie(const wire::FastOpenCookie& cookie,
                             wire::TcpOptions options = {.maximum_segment_size = 1460}) {
  options.fast_open = cookie;
  return options;
}

wire::FastOpenCookie made_up_cookie() {
  const std::array<std::uint8_t, 8> octets = {1, 2, 3, 4, 5, 6, 7, 8};
  return *wire::FastOpenCookie::of(octets);
}

// ---------------------------------------------------------------- server

class FastOpenServer : public ::testing::TestWithParam<IpFamily> {
 protected:
  tcp::Listener& serve(std::uint32_t limit = 5, std::size_t backlog = 16) {
    tcp::Options options;
    options.fast_open_queue = limit;
    return world.listen(80, options, backlog, GetParam());
  }
  ScriptedPeer client(std::uint16_t port) { return {world, port, 80, GetParam()}; }
  // Asks for a cookie, and goes away again.
  wire::FastOpenCookie get_cookie() {
    ScriptedPeer peer = client(1999);
    peer.send({.flags = "S", .sequence = 5000, .options = with_cookie({})});
    const Answer answer = peer.expect("SA");
    peer.send({.flags = "R", .sequence = 5001});
    EXPECT_TRUE(answer.header.options.fast_open);
    return answer.header.options.fast_open.value_or(wire::FastOpenCookie{});
  }
  // A SYN with data that is taken; the peer's numbers are those of the SYN-ACK then.
  Answer open(ScriptedPeer& peer, const wire::FastOpenCookie& cookie, std::string_view data = "question",
              wire::TcpOptions options = {.maximum_segment_size = 1460}) {
    peer.timestamps = options.timestamps.has_value();
    if (peer.timestamps) peer.timestamp_value = options.timestamps->value;
    peer.send(
        {.flags = "S", .sequence = peer.next, .payload = data, .options = with_cookie(cookie, options)});
    const Answer answer = peer.expect("SA");
    peer.next += 1 + static_cast<std::uint32_t>(data.size());
    peer.expected = answer.sequence() + 1;
    EXPECT_EQ(answer.acknowledgment(), peer.next);
    return answer;
  }
  tcp::Connection& accept(tcp::Listener& listener) {
    const auto connection = world.with([&] { return listener.accept(); });
    EXPECT_TRUE(connection);
    return **connection;
  }
  bool has_one(tcp::Listener& listener) { return listener.readiness().readable; }

  HostUnderTest world;
};
INSTANTIATE_TEST_SUITE_P(BothFamilies, FastOpenServer, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         [](const auto& family) { return family.param == IpFamily::kIpv4 ? "v4" : "v6"; });

TEST_P(FastOpenServer, GivesACookieToWhomAsks) {
  auto& listener = serve();
  ScriptedPeer peer = client(4000);
  peer.send({.flags = "S", .sequence = 1000, .options = with_cookie({}, modern_options())});
  const Answer answer = peer.expect("SA");
  ASSERT_TRUE(answer.header.options.fast_open);
  EXPECT_EQ(answer.header.options.fast_open->size, 8);
  EXPECT_EQ(answer.acknowledgment(), 1001U);
  EXPECT_EQ(world.counter(Counter::kTcpExtTCPFastOpenCookieReqd), 1U);
  EXPECT_FALSE(has_one(listener)) << "an ordinary handshake";
  EXPECT_EQ(world.host().tcp().half_open_count(), 1U);
  world.advance(milliseconds(1001));
  EXPECT_FALSE(peer.expect("SA").header.options.fast_open) << "the option could be what got lost";
}

TEST_P(FastOpenServer, HandsTheDataOfASynToTheApplicationAtOnce) {
  auto& listener = serve();
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4000);
  const Answer answer = open(peer, cookie, "question", modern_options());
  EXPECT_FALSE(answer.header.options.fast_open) << "the client has it already";
  EXPECT_EQ(answer.header.options.window_scale, 7);
  ASSERT_TRUE(has_one(listener));
  auto& connection = accept(listener);
  EXPECT_EQ(connection.state(), tcp::State::kSynReceived);
  EXPECT_EQ(read_all(world, connection), "question");
  EXPECT_TRUE(connection.readiness().writable);
  EXPECT_EQ(world.host().tcp().half_open_count(), 0U);
  EXPECT_EQ(world.counter(Counter::kTcpExtTCPFastOpenPassive), 1U);
  EXPECT_EQ(world.counter(Counter::kTcpPassiveOpens), 1U);
  peer.send_next(".");
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  peer.send_next("PA", "more");
  EXPECT_EQ(read_all(world, connection), "more");
  EXPECT_TRUE(connection.info().syn_data);
  EXPECT_TRUE(connection.info().fast_open_child);
  EXPECT_EQ(connection.info().bytes_received, 12U);
}

TEST_P(FastOpenServer, AnswersBeforeTheHandshakeIsDone) {
  auto& listener = serve();
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4000);
  open(peer, cookie);
  auto& connection = accept(listener);
  EXPECT_EQ(write(world, connection, "answer"), 6U);
  const Answer answer = peer.expect("PA");
  EXPECT_EQ(answer.sequence(), peer.expected);
  EXPECT_EQ(answer.payload, "answer");
  EXPECT_EQ(answer.acknowledgment(), peer.next);
  EXPECT_EQ(connection.state(), tcp::State::kSynReceived);
  peer.expected += 6;
  peer.send_next(".");  // acknowledges both
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  EXPECT_EQ(connection.unacked_octets(), 0U);
  world.advance(seconds(5));
  peer.expect_silence();
}

TEST_P(FastOpenServer, SendsAWholeInitialWindowAndNoMoreBeforeTheHandshakeIsDone) {
  auto& listener = serve();
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4000);
  open(peer, cookie, "q");
  auto& connection = accept(listener);
  write(world, connection, letters(100000));
  std::size_t octets = 0;
  for (const Answer& answer : peer.receive_all()) octets += answer.payload.size();
  EXPECT_EQ(octets, 10U * connection.info().send_mss);
}

TEST_P(FastOpenServer, MindsThePeersWindowBeforeTheHandshakeIsDone) {
  auto& listener = serve();
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4000);
  peer.send({.flags = "S",
             .sequence = 1000,
             .window = 500,
             .payload = "q",
             .options = with_cookie(cookie, modern_options())});
  peer.expect("SA");
  auto& connection = accept(listener);
  write(world, connection, letters(5000));
  std::size_t octets = 0;
  for (const Answer& answer : peer.receive_all()) octets += answer.payload.size();
  EXPECT_LE(octets, 500U) << "the window of a SYN is not scaled";
}

TEST_P(FastOpenServer, AFinMayFollowTheAnswerAtOnce) {
  auto& listener = serve();
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4000);
  open(peer, cookie);
  auto& connection = accept(listener);
  read_all(world, connection);
  write(world, connection, "answer");
  world.with([&] { connection.close(); });
  std::string text;
  bool has_ended = false;
  for (const Answer& answer : peer.receive_all()) {
    text += answer.payload;
    has_ended = has_ended || answer.header.flags.fin;
  }
  EXPECT_EQ(text, "answer");
  EXPECT_TRUE(has_ended);
  peer.expected += 7;
  peer.send_next("FA");
  EXPECT_EQ(peer.expect("A").acknowledgment(), peer.next);
  EXPECT_EQ(world.host().tcp().connection_count(), 0U);
  EXPECT_EQ(world.host().tcp().time_wait_count(), 1U);
}

TEST_P(FastOpenServer, FallsBackToAnOrdinaryHandshakeWithAFreshCookieWhenTheCookieIsWrong) {
  auto& listener = serve();
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4000);
  peer.send(
      {.flags = "S", .sequence = 1000, .payload = "question", .options = with_cookie(made_up_cookie())});
  const Answer answer = peer.expect("SA");
  EXPECT_EQ(answer.acknowledgment(), 1001U) << "the data is not taken";
  EXPECT_EQ(answer.header.options.fast_open, cookie);
  EXPECT_FALSE(has_one(listener));
  EXPECT_EQ(world.counter(Counter::kTcpExtTCPFastOpenPassiveFail), 1U);
  peer.next = 1001;
  peer.expected = answer.sequence() + 1;
  peer.send_next("PA", "question");
  EXPECT_EQ(read_all(world, accept(listener)), "question") << "once";
}

TEST_P(FastOpenServer, TakesNoDataWithoutACookie) {
  auto& listener = serve();
  ScriptedPeer peer = client(4000);
  peer.send({.flags = "S", .sequence = 1000, .payload = "x", .options = {.maximum_segment_size = 1460}});
  const Answer answer = peer.expect("SA");
  EXPECT_EQ(answer.acknowledgment(), 1001U);
  EXPECT_FALSE(answer.header.options.fast_open) << "it did not ask";
  EXPECT_FALSE(has_one(listener));
}

TEST_P(FastOpenServer, OpensAtOnceForACookieWithoutData) {
  auto& listener = serve();
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4000);
  open(peer, cookie, "");
  auto& connection = accept(listener);
  write(world, connection, "greeting");
  EXPECT_EQ(peer.expect("PA").payload, "greeting");
}

TEST_P(FastOpenServer, IsOffUnlessTheListenerAsks) {
  HostUnderTest& host = world;
  auto& listener = host.listen(80, {}, 16, GetParam());
  ScriptedPeer peer = client(4000);
  peer.send({.flags = "S", .sequence = 1000, .options = with_cookie({})});
  EXPECT_FALSE(peer.expect("SA").header.options.fast_open);
  ScriptedPeer other = client(4001);
  other.send({.flags = "S", .sequence = 1000, .payload = "x", .options = with_cookie(made_up_cookie())});
  EXPECT_EQ(other.expect("SA").acknowledgment(), 1001U);
  EXPECT_FALSE(has_one(listener));
}

TEST_P(FastOpenServer, LimitsHowManyWaitForTheirHandshake) {  // §5.1
  auto& listener = serve(2);
  const auto cookie = get_cookie();
  ScriptedPeer first = client(4001), second = client(4002), third = client(4003);
  open(first, cookie);
  open(second, cookie);
  third.send({.flags = "S", .sequence = 1000, .payload = "x", .options = with_cookie(cookie)});
  const Answer answer = third.expect("SA");
  EXPECT_EQ(answer.acknowledgment(), 1001U) << "an ordinary handshake";
  EXPECT_EQ(world.counter(Counter::kTcpExtTCPFastOpenListenOverflow), 1U);
  first.send_next(".");  // makes room
  ScriptedPeer fourth = client(4004);
  open(fourth, cookie);
  EXPECT_EQ(listener.queued(), 3U);
}

TEST_P(FastOpenServer, CountsResetConnectionsAgainstTheLimitForAMinute) {  // §5.1
  auto& listener = serve(1);
  const auto cookie = get_cookie();
  ScriptedPeer victim = client(4001);
  open(victim, cookie);
  auto& connection = accept(listener);
  victim.send_next("R");  // what the owner of a spoofed address answers
  EXPECT_EQ(connection.state(), tcp::State::kClosed);
  EXPECT_EQ(connection.take_error(), Error::kConnectionReset);
  ScriptedPeer next = client(4002);
  next.send({.flags = "S", .sequence = 1000, .payload = "x", .options = with_cookie(cookie)});
  EXPECT_EQ(next.expect("SA").acknowledgment(), 1001U);
  world.advance(seconds(61));
  ScriptedPeer later = client(4003);
  open(later, cookie);
}

TEST_P(FastOpenServer, AResetOfItsOwnMakesRoomAtOnce) {
  auto& listener = serve(1);
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4001);
  open(peer, cookie);
  auto& connection = accept(listener);
  world.with([&] { connection.abort(); });
  peer.expect("RA");
  ScriptedPeer next = client(4002);
  open(next, cookie);
}

TEST_P(FastOpenServer, RepeatsTheSynAckAndNothingElseUntilItIsAcknowledged) {
  auto& listener = serve();
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4000);
  const Answer first = open(peer, cookie);
  auto& connection = accept(listener);
  write(world, connection, "answer");
  peer.expect("PA");
  world.advance(milliseconds(1001));
  const Answer again = peer.expect("SA");
  EXPECT_EQ(again.sequence(), first.sequence());
  EXPECT_EQ(again.acknowledgment(), peer.next);
  EXPECT_FALSE(again.header.options.fast_open);
  write(world, connection, " and more");
  world.advance(milliseconds(1998));
  peer.expect_silence();
  world.advance(milliseconds(3));
  peer.expect("SA");
  peer.send_next(".");
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  EXPECT_EQ(peer.expect("A").payload, "answer") << "what went with the lost SYN-ACK is lost as well";
  peer.expected += 6;
  peer.send_next(".");
  EXPECT_EQ(peer.expect("PA").payload, " and more");
}

TEST_P(FastOpenServer, StartsWithOneSegmentWhenTheSynAckGotLost) {  // RFC 5681 §3.1
  auto& listener = serve();
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4000);
  open(peer, cookie);
  auto& connection = accept(listener);
  world.advance(milliseconds(1001));
  peer.expect("SA");
  peer.send_next(".");
  write(world, connection, letters(50000));
  std::size_t octets = 0;
  for (const Answer& answer : peer.receive_all()) octets += answer.payload.size();
  EXPECT_EQ(octets, connection.info().send_mss);
}

TEST_P(FastOpenServer, GivesUpWhenTheSynAckIsNeverAcknowledged) {
  auto& listener = serve(1);
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4000);
  open(peer, cookie);
  auto& connection = accept(listener);
  world.advance(seconds(100));
  EXPECT_EQ(peer.receive_all().size(), 5U);
  EXPECT_EQ(connection.state(), tcp::State::kClosed);
  EXPECT_EQ(connection.take_error(), Error::kTimedOut);
  ScriptedPeer next = client(4001);
  open(next, cookie);  // there is room again
}

TEST_P(FastOpenServer, AnswersARepeatedSynWithTheSameSynAck) {
  auto& listener = serve();
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4000);
  const Answer first = open(peer, cookie);
  peer.send({.flags = "S", .sequence = 1000, .options = {.maximum_segment_size = 1460}});  // without data
  const Answer again = peer.expect("SA");
  EXPECT_EQ(again.sequence(), first.sequence());
  EXPECT_EQ(again.acknowledgment(), peer.next);
  EXPECT_EQ(listener.queued(), 1U);
  EXPECT_EQ(read_all(world, accept(listener)), "question") << "and not twice";
}

TEST_P(FastOpenServer, RefusesAcknowledgmentsOfWhatWasNeverSent) {
  auto& listener = serve();
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4000);
  const Answer answer = open(peer, cookie);
  auto& connection = accept(listener);
  write(world, connection, "answer");
  peer.receive_all();
  for (const std::uint32_t wrong : {answer.sequence(), answer.sequence() + 8, answer.sequence() + 100000}) {
    peer.send({.flags = ".", .sequence = peer.next, .acknowledgment = wrong});
    EXPECT_EQ(peer.expect("R").sequence(), wrong);
    EXPECT_EQ(connection.state(), tcp::State::kSynReceived);
  }
  peer.send({.flags = "PA", .sequence = peer.next, .acknowledgment = answer.sequence() + 3, .payload = "x"});
  EXPECT_EQ(connection.state(), tcp::State::kEstablished) << "a part of it will do";
  EXPECT_EQ(connection.unacked_octets(), 4U);
}

TEST_P(FastOpenServer, AnOutOfWindowResetChangesNothing) {
  auto& listener = serve();
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4000);
  open(peer, cookie);
  auto& connection = accept(listener);
  peer.send({.flags = "R", .sequence = peer.next - 5});
  EXPECT_EQ(connection.state(), tcp::State::kSynReceived);
}

TEST_P(FastOpenServer, ClosingTheListenerResetsWhatNobodyHasAccepted) {
  auto& listener = serve();
  const auto cookie = get_cookie();
  ScriptedPeer taken = client(4001), queued = client(4002);
  open(taken, cookie);
  auto& connection = accept(listener);
  open(queued, cookie);
  world.with([&] { listener.close(); });
  queued.expect("RA");
  taken.expect_silence();
  taken.send_next(".");  // outlives its listener, and leaves a queue that is gone
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
}

TEST_P(FastOpenServer, TakesOnlyAsMuchOfTheSynAsTheReceiveBufferHolds) {
  tcp::Options options;
  options.fast_open_queue = 5;
  options.receive_buffer = 100;
  auto& listener = world.listen(80, options, 16, GetParam());
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4000);
  peer.send({.flags = "S", .sequence = 1000, .payload = letters(300), .options = with_cookie(cookie)});
  const Answer answer = peer.expect("SA");
  EXPECT_EQ(answer.acknowledgment(), 1101U);
  EXPECT_EQ(answer.header.window, 0);
  EXPECT_EQ(read_all(world, accept(listener)), letters(300).substr(0, 100));
}

TEST_P(FastOpenServer, DoesItWhileTheSynQueueHasRoomOnly) {  // with SYN cookies nothing is kept
  auto& listener = serve(5, 1);
  const auto cookie = get_cookie();
  ScriptedPeer flood = client(3000);
  flood.send({.flags = "S", .sequence = 1, .options = modern_options()});
  flood.expect("SA");
  ScriptedPeer peer = client(4000);
  peer.send(
      {.flags = "S", .sequence = 1000, .payload = "x", .options = with_cookie(cookie, modern_options())});
  const Answer answer = peer.expect("SA");
  EXPECT_EQ(answer.acknowledgment(), 1001U);
  EXPECT_FALSE(answer.header.options.fast_open);
  EXPECT_FALSE(has_one(listener));
  EXPECT_GE(world.counter(Counter::kTcpExtSyncookiesSent), 1U);
}

TEST_P(FastOpenServer, IsBoundedByTheBacklogToo) {
  auto& listener = serve(100, 2);
  const auto cookie = get_cookie();
  for (std::uint16_t i = 0; i < 10; ++i) {
    ScriptedPeer peer = client(static_cast<std::uint16_t>(4000 + i));
    peer.send({.flags = "S", .sequence = 1000, .payload = "x", .options = with_cookie(cookie)});
    peer.receive_all();
  }
  EXPECT_EQ(listener.queued(), 3U);  // as Linux: one more than the backlog
}

TEST_P(FastOpenServer, AgreesToEcnAndMarksWhatItSendsEarly) {
  auto& listener = serve();
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4000);
  peer.send({.flags = "SEC", .sequence = 1000, .payload = "q", .options = with_cookie(cookie)});
  peer.expect("SAE");
  auto& connection = accept(listener);
  write(world, connection, "answer");
  EXPECT_EQ(peer.expect("PA").traffic_class, 2) << "ECT(0)";
}

TEST_P(FastOpenServer, AcceptsThePreviousKeyAndHandsOutACookieOfTheNewOne) {
  auto& listener = serve();
  world.host().tcp().set_fast_open_keys({.current = {1, 2}});
  const auto old_cookie = get_cookie();
  world.host().tcp().set_fast_open_keys({.current = {3, 4}, .previous = SipKey{1, 2}});
  ScriptedPeer peer = client(4000);
  const Answer answer = open(peer, old_cookie);
  ASSERT_TRUE(answer.header.options.fast_open);
  EXPECT_NE(answer.header.options.fast_open, old_cookie);
  ScriptedPeer next = client(4001);
  EXPECT_FALSE(open(next, *answer.header.options.fast_open).header.options.fast_open);
  EXPECT_EQ(listener.queued(), 2U);
}

TEST_P(FastOpenServer, AListenerMayHaveKeysOfItsOwn) {
  auto& listener = serve();
  const auto of_the_host = get_cookie();
  listener.set_fast_open_keys({.current = {5, 6}});
  const auto of_the_listener = get_cookie();
  EXPECT_NE(of_the_host, of_the_listener);
  ScriptedPeer peer = client(4000);
  open(peer, of_the_listener);
}

TEST_P(FastOpenServer, WithoutCookiesTakesWhatComes) {
  tcp::Options options;
  options.fast_open_queue = 1;
  options.fast_open_without_cookie = true;
  auto& listener = world.listen(80, options, 16, GetParam());
  ScriptedPeer peer = client(4000);
  peer.send({.flags = "S", .sequence = 1000, .payload = "question"});
  EXPECT_EQ(peer.expect("SA").acknowledgment(), 1009U);
  EXPECT_EQ(read_all(world, accept(listener)), "question");
  ScriptedPeer next = client(4001);
  next.send({.flags = "S", .sequence = 1000, .payload = "question"});
  EXPECT_EQ(next.expect("SA").acknowledgment(), 1001U) << "the limit holds all the same";
  ScriptedPeer plain = client(4002);
  plain.send({.flags = "S", .sequence = 1000});
  EXPECT_EQ(plain.expect("SA").acknowledgment(), 1001U);
}

TEST_P(FastOpenServer, AfterTimeWaitBeginsBehindTheNumbersOfTheOldConnection) {  // RFC 6191
  auto& listener = serve();
  const auto cookie = get_cookie();
  ScriptedPeer peer = client(4000);
  const Answer first = open(peer, cookie, "question", modern_options());
  auto& connection = accept(listener);
  read_all(world, connection);
  world.with([&] { connection.close(); });
  peer.expect("FA");
  peer.expected += 1;
  peer.timestamp_value = 101;
  peer.send_next("FA");
  peer.expect("A");
  ASSERT_EQ(world.host().tcp().time_wait_count(), 1U);
  wire::TcpOptions later = modern_options();
  later.timestamps->value = 5000;
  peer.next += 100000;
  const Answer second = open(peer, cookie, "again", later);
  EXPECT_GT(static_cast<std::int32_t>(second.sequence() - first.sequence()), 65535);
  EXPECT_EQ(world.host().tcp().time_wait_count(), 0U);
  EXPECT_EQ(read_all(world, accept(listener)), "again");
}

// ---------------------------------------------------------------- client

class FastOpenClient : public ::testing::TestWithParam<IpFamily> {
 protected:
  static tcp::Options waiting() {
    tcp::Options options;
    options.fast_open_connect = true;
    return options;
  }
  tcp::Connection& connect(ScriptedPeer& peer, const tcp::Options& options = waiting()) {
    return world.with([&]() -> tcp::Connection& {
      auto hold = world.host().tcp().bind({.local = peer.remote()});
      return **world.host().tcp().connect(*hold, peer.local(), options);
    });
  }
  ScriptedPeer server(std::uint16_t from) { return {world, 80, from, GetParam()}; }
  // Teaches the host a cookie of this server.
  void give_cookie(std::uint16_t mss = 1460) {
    ScriptedPeer peer = server(1999);
    auto& connection = connect(peer);
    const Answer syn = peer.expect("S");
    wire::TcpOptions options = with_cookie(made_up_cookie());
    options.maximum_segment_size = mss;
    peer.send({.flags = "SA", .sequence = 1, .acknowledgment = syn.sequence() + 1, .options = options});
    peer.expect("A");
    world.with([&] { connection.abort(); });
    peer.receive_all();
  }

  HostUnderTest world;
};
INSTANTIATE_TEST_SUITE_P(BothFamilies, FastOpenClient, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         [](const auto& family) { return family.param == IpFamily::kIpv4 ? "v4" : "v6"; });

TEST_P(FastOpenClient, AsksForACookieAtTheFirstTime) {
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  EXPECT_FALSE(connection.waits_for_data());
  const Answer syn = peer.expect("S");
  ASSERT_TRUE(syn.header.options.fast_open);
  EXPECT_TRUE(syn.header.options.fast_open->is_request());
  EXPECT_EQ(syn.payload, "");
  peer.send({.flags = "SA",
             .sequence = 1,
             .acknowledgment = syn.sequence() + 1,
             .options = with_cookie(made_up_cookie())});
  peer.expect("A");
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  EXPECT_EQ(connection.info().fast_open_failure, tcp::FastOpenFailure::kNoCookie);
  EXPECT_FALSE(connection.info().syn_data);
}

TEST_P(FastOpenClient, AsksForNothingUnlessTheUserWantsIt) {
  give_cookie();
  ScriptedPeer peer = server(5000);
  connect(peer, {});
  EXPECT_FALSE(peer.expect("S").header.options.fast_open);
}

TEST_P(FastOpenClient, SendsDataWithTheSynOnceItHasACookie) {
  give_cookie();
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  EXPECT_TRUE(connection.waits_for_data());
  EXPECT_TRUE(connection.readiness().writable);
  peer.expect_silence();
  EXPECT_EQ(write(world, connection, "question"), 8U);
  const Answer syn = peer.expect("S");
  EXPECT_EQ(syn.header.options.fast_open, made_up_cookie());
  EXPECT_EQ(syn.payload, "question");
  EXPECT_FALSE(connection.readiness().writable);
  peer.send({.flags = "SA",
             .sequence = 1,
             .acknowledgment = syn.sequence() + 9,
             .options = {.maximum_segment_size = 1460}});
  const Answer ack = peer.expect("A");
  EXPECT_EQ(ack.sequence(), syn.sequence() + 9);
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  EXPECT_EQ(connection.unacked_octets(), 0U);
  EXPECT_EQ(world.counter(Counter::kTcpExtTCPFastOpenActive), 1U);
  const auto info = connection.info();
  EXPECT_TRUE(info.syn_data);
  EXPECT_EQ(info.bytes_sent, 8U);
  EXPECT_EQ(info.bytes_acked, 8U);
  EXPECT_EQ(info.bytes_retransmitted, 0U);
  write(world, connection, "more");
  const Answer more = peer.expect("PA");
  EXPECT_EQ(more.sequence(), syn.sequence() + 9);
  EXPECT_EQ(more.payload, "more");
}

TEST_P(FastOpenClient, ReceivesTheAnswerThatComesWithTheSynAckOrRightBehindIt) {
  give_cookie();
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  write(world, connection, "question");
  const Answer syn = peer.expect("S");
  peer.send({.flags = "SA", .sequence = 1, .acknowledgment = syn.sequence() + 9, .payload = "ans"});
  peer.send({.flags = "PA", .sequence = 5, .acknowledgment = syn.sequence() + 9, .payload = "wer"});
  EXPECT_EQ(read_all(world, connection), "answer");
}

TEST_P(FastOpenClient, SendsAgainAtOnceWhatTheSynAckDoesNotAcknowledge) {
  give_cookie();
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  write(world, connection, "question");
  const Answer syn = peer.expect("S");
  peer.send({.flags = "SA",
             .sequence = 1,
             .acknowledgment = syn.sequence() + 1,
             .options = with_cookie(*wire::FastOpenCookie::of(std::array<std::uint8_t, 4>{9, 9, 9, 9}))});
  const Answer again = peer.expect("PA");
  EXPECT_EQ(again.sequence(), syn.sequence() + 1);
  EXPECT_EQ(again.payload, "question");
  EXPECT_EQ(world.counter(Counter::kTcpExtTCPFastOpenActiveFail), 1U);
  const auto info = connection.info();
  EXPECT_FALSE(info.syn_data);
  EXPECT_EQ(info.fast_open_failure, tcp::FastOpenFailure::kDataIgnored);
  EXPECT_EQ(info.bytes_retransmitted, 8U);
  peer.send({.flags = ".", .sequence = 2, .acknowledgment = again.sequence() + 8});
  EXPECT_EQ(connection.unacked_octets(), 0U);
  EXPECT_GE(connection.info().cwnd, 10U * 536) << "no sign of congestion";
  // The new cookie is the one to use.
  ScriptedPeer next = server(5001);
  auto& later = connect(next);
  write(world, later, "x");
  EXPECT_EQ(next.expect("S").header.options.fast_open->size, 4);
}

TEST_P(FastOpenClient, SendsTheRestWhenAPartWasAcknowledged) {
  give_cookie();
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  write(world, connection, "question");
  const Answer syn = peer.expect("S");
  peer.send({.flags = "SA", .sequence = 1, .acknowledgment = syn.sequence() + 4});
  const Answer rest = peer.expect("PA");
  EXPECT_EQ(rest.sequence(), syn.sequence() + 4);
  EXPECT_EQ(rest.payload, "stion");
}

TEST_P(FastOpenClient, TakesNoSynAckThatAcknowledgesMoreThanTheSyn) {
  give_cookie();
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  write(world, connection, "question");
  const Answer syn = peer.expect("S");
  for (const std::uint32_t wrong : {syn.sequence(), syn.sequence() + 10}) {
    peer.send({.flags = "SA", .sequence = 1, .acknowledgment = wrong});
    EXPECT_EQ(peer.expect("R").sequence(), wrong);
  }
  EXPECT_EQ(connection.state(), tcp::State::kSynSent);
}

TEST_P(FastOpenClient, PutsIntoTheSynNoMoreThanTheServerOnceAnnounced) {
  give_cookie(500);
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  EXPECT_EQ(write(world, connection, letters(3000)), 460U) << "room for all options is left";
  EXPECT_EQ(peer.expect("S").payload, letters(3000).substr(0, 460));
}

TEST_P(FastOpenClient, AFullSynFitsThePath) {
  give_cookie(9000);
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  write(world, connection, letters(3000));
  const Answer syn = peer.expect("S");
  const std::size_t ip = GetParam() == IpFamily::kIpv4 ? 20 : 40;
  EXPECT_EQ(syn.payload.size(), 1500 - ip - 60);
}

TEST_P(FastOpenClient, RepeatsALostSynWithoutDataAndWithoutTheOption) {
  give_cookie();
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  write(world, connection, "question");
  const Answer syn = peer.expect("S");
  world.advance(milliseconds(1001));
  const Answer again = peer.expect("S");
  EXPECT_EQ(again.sequence(), syn.sequence());
  EXPECT_EQ(again.payload, "");
  EXPECT_FALSE(again.header.options.fast_open);
  peer.send({.flags = "SA", .sequence = 1, .acknowledgment = syn.sequence() + 1});
  EXPECT_EQ(peer.expect("PA").payload, "question");
  EXPECT_EQ(connection.info().fast_open_failure, tcp::FastOpenFailure::kSynLost);
}

TEST_P(FastOpenClient, TakesALateAcknowledgmentOfTheFirstSynAndItsData) {
  give_cookie();
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  write(world, connection, "question");
  const Answer syn = peer.expect("S");
  world.advance(milliseconds(1001));
  peer.expect("S");
  peer.send({.flags = "SA", .sequence = 1, .acknowledgment = syn.sequence() + 9});
  peer.expect("A");
  EXPECT_EQ(connection.unacked_octets(), 0U);
  EXPECT_TRUE(connection.info().syn_data);
}

TEST_P(FastOpenClient, PausesForAServerBehindABlackHole) {  // §4.1.3.1
  give_cookie();
  for (std::uint16_t i = 0; i < 2; ++i) {
    ScriptedPeer peer = server(static_cast<std::uint16_t>(5000 + i));
    auto& connection = connect(peer);
    write(world, connection, "question");
    const Answer syn = peer.expect("S");
    world.advance(milliseconds(1001));
    peer.expect("S");
    peer.send({.flags = "SA", .sequence = 1, .acknowledgment = syn.sequence() + 1});
    peer.receive_all();
    world.with([&] { connection.abort(); });
    peer.receive_all();
  }
  EXPECT_EQ(world.counter(Counter::kTcpExtTCPFastOpenBlackhole), 1U);
  ScriptedPeer peer = server(5002);
  auto& connection = connect(peer);
  EXPECT_FALSE(connection.waits_for_data());
  EXPECT_FALSE(peer.expect("S").header.options.fast_open);
  world.advance(minutes(5));
  ScriptedPeer later = server(5003);
  EXPECT_TRUE(connect(later).waits_for_data());
}

TEST_P(FastOpenClient, PausesAfterThreeTimeoutsOfOneSyn) {
  give_cookie();
  ScriptedPeer peer = server(5000);
  write(world, connect(peer), "question");
  world.advance(seconds(8));
  EXPECT_EQ(peer.receive_all().size(), 4U);
  EXPECT_EQ(world.counter(Counter::kTcpExtTCPFastOpenBlackhole), 1U);
  ScriptedPeer next = server(5001);
  EXPECT_FALSE(connect(next).waits_for_data());
}

TEST_P(FastOpenClient, PausesWhenDataIsSwallowedAfterTheHandshake) {
  give_cookie();
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  write(world, connection, "question");
  const Answer syn = peer.expect("S");
  peer.send({.flags = "SA", .sequence = 1, .acknowledgment = syn.sequence() + 9});
  write(world, connection, "more");
  world.advance(seconds(10));
  EXPECT_EQ(world.counter(Counter::kTcpExtTCPFastOpenBlackhole), 1U);
  ScriptedPeer next = server(5001);
  EXPECT_FALSE(connect(next).waits_for_data());
}

TEST_P(FastOpenClient, ASynThatWaitsForDataIsTakenBackWithoutAWord) {
  give_cookie();
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  world.advance(minutes(10));
  world.with([&] { connection.close(); });
  peer.expect_silence();
  EXPECT_EQ(world.host().tcp().connection_count(), 0U);
}

TEST_P(FastOpenClient, NobodyAnswersASynThatWaits) {
  give_cookie();
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  peer.send({.flags = "SA", .sequence = 1, .acknowledgment = 12345});
  EXPECT_EQ(peer.expect("R").sequence(), 12345U);
  EXPECT_EQ(connection.state(), tcp::State::kSynSent);
}

TEST_P(FastOpenClient, AnEmptySendLetsTheSynGo) {
  give_cookie();
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  EXPECT_EQ(write(world, connection, ""), 0U);
  const Answer syn = peer.expect("S");
  EXPECT_EQ(syn.header.options.fast_open, made_up_cookie());
}

TEST_P(FastOpenClient, WithSimultaneousOpenTheDataFollowsTheHandshake) {
  give_cookie();
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  write(world, connection, "question");
  const Answer syn = peer.expect("S");
  peer.send({.flags = "S", .sequence = 300, .payload = "theirs", .options = with_cookie(made_up_cookie())});
  const Answer answer = peer.expect("SA");
  EXPECT_EQ(answer.sequence(), syn.sequence());
  EXPECT_EQ(answer.acknowledgment(), 301U) << "no cookie of ours came with their data";
  EXPECT_EQ(answer.payload, "");
  peer.send({.flags = "SA", .sequence = 300, .acknowledgment = syn.sequence() + 1});
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  EXPECT_EQ(peer.expect("PA").payload, "question");
  peer.send({.flags = "PA", .sequence = 301, .acknowledgment = syn.sequence() + 9, .payload = "theirs"});
  EXPECT_EQ(read_all(world, connection), "theirs");
  EXPECT_EQ(connection.unacked_octets(), 0U);
}

TEST_P(FastOpenClient, WithSimultaneousOpenTheDataMayBeAcknowledgedWithTheSyn) {
  give_cookie();
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  write(world, connection, "question");
  const Answer syn = peer.expect("S");
  peer.send({.flags = "S", .sequence = 300});
  peer.expect("SA");
  peer.send({.flags = ".", .sequence = 301, .acknowledgment = syn.sequence() + 9});
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  EXPECT_EQ(connection.unacked_octets(), 0U);
}

TEST_P(FastOpenClient, ASynFromThePeerLetsTheWaitingOneGo) {
  give_cookie();
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer);
  peer.send({.flags = "S", .sequence = 300});
  const Answer answer = peer.expect("SA");
  peer.send({.flags = ".", .sequence = 301, .acknowledgment = answer.sequence() + 1});
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  write(world, connection, "x");
  EXPECT_EQ(peer.expect("PA").payload, "x");
}

TEST_P(FastOpenClient, TakesNoCookieThatItDidNotAskFor) {
  ScriptedPeer peer = server(5000);
  connect(peer, {});
  const Answer syn = peer.expect("S");
  peer.send({.flags = "SA",
             .sequence = 1,
             .acknowledgment = syn.sequence() + 1,
             .options = with_cookie(made_up_cookie())});
  ScriptedPeer next = server(5001);
  EXPECT_FALSE(connect(next).waits_for_data());
}

TEST_P(FastOpenClient, MaySendWithoutACookieWhenTheUserKnowsBetter) {
  tcp::Options options = waiting();
  options.fast_open_without_cookie = true;
  ScriptedPeer peer = server(5000);
  auto& connection = connect(peer, options);
  EXPECT_TRUE(connection.waits_for_data());
  write(world, connection, "question");
  const Answer syn = peer.expect("S");
  EXPECT_FALSE(syn.header.options.fast_open);
  EXPECT_EQ(syn.payload, "question");
}

TEST_P(FastOpenClient, DoesNothingOfItWhenSwitchedOff) {
  HostConfig config;
  config.tcp.fast_open.client = false;
  HostUnderTest plain(config);
  ScriptedPeer peer(plain, 80, 5000, GetParam());
  plain.with([&] {
    auto hold = plain.host().tcp().bind({.local = peer.remote()});
    tcp::Options options = waiting();
    options.fast_open_without_cookie = true;
    EXPECT_FALSE((*plain.host().tcp().connect(*hold, peer.local(), options))->waits_for_data());
  });
  EXPECT_FALSE(peer.expect("S").header.options.fast_open);
}

}  // namespace
}  // namespace transom::test
