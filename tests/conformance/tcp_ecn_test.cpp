// Explicit congestion notification as the other end and the routers see it: RFC 3168 §6.1; RFC 8311; RFC
// 9768; RFC 9331.
#include <map>

#include "tests/conformance/conversation.h"

namespace transom::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint8_t kEct1 = 1;
constexpr std::uint8_t kEct0 = 2;
constexpr std::uint8_t kCe = 3;

HostConfig with_ecn(tcp::EcnMode mode, std::string_view control = "cubic") {
  HostConfig config;
  config.tcp.ecn = mode;
  config.tcp.congestion_control = control;
  return config;
}

// A connection that the peer opens with these flags; what the SYN-ACK says is in `answer`.
struct EcnConversation {
  EcnConversation(tcp::EcnMode mode, std::string_view syn_flags, std::string_view control = "cubic",
                  std::uint8_t syn_mark = 0)
      : world(with_ecn(mode, control)), listener(world.listen(80)), peer(world, 4000, 80) {
    peer.send({.flags = syn_flags,
               .sequence = 1000,
               .options = {.maximum_segment_size = 1000},
               .traffic_class = syn_mark});
    answer = peer.receive().value_or(Answer{});
    peer.next = 1001;
    peer.expected = answer.sequence() + 1;
    // RFC 9768 §3.1.1: the ACK says how the SYN-ACK was marked.
    peer.send_next(syn_flags.find('N') != std::string_view::npos && !(answer.flags() == "SAE") ? "AC" : "A");
    connection = *world.with([&] { return listener.accept(); });
  }
  void acknowledge(std::string_view flags, std::uint32_t octets) {
    peer.expected += octets;
    peer.send({.flags = flags, .sequence = peer.next, .acknowledgment = peer.expected});
  }
  HostUnderTest world;
  tcp::Listener& listener;
  ScriptedPeer peer;
  Answer answer;
  tcp::Connection* connection = nullptr;
};

TEST(TcpEcn, OfSynsIsNotMarkedAsCapable) {  // R3168-01
  for (const auto mode : {tcp::EcnMode::kRequest, tcp::EcnMode::kRequestAccurate}) {
    HostUnderTest world(with_ecn(mode));
    ScriptedPeer peer(world, 80, 5000);
    world.with([&] {
      auto hold = world.host().tcp().bind({.local = peer.remote()});
      (void)world.host().tcp().connect(*hold, peer.local(), {});
    });
    const Answer syn = *peer.receive();
    EXPECT_TRUE(syn.header.flags.ece && syn.header.flags.cwr);
    EXPECT_EQ(syn.header.flags.ae, mode == tcp::EcnMode::kRequestAccurate);
    EXPECT_EQ(syn.traffic_class & 3, 0);
  }
  EcnConversation talk(tcp::EcnMode::kAgree, "SEC");
  EXPECT_EQ(talk.answer.flags(), "SAE");
  EXPECT_EQ(talk.answer.traffic_class & 3, 0);
}

TEST(TcpEcn, OnlyNewDataIsMarkedAsCapable) {  // R3168-04, R8311-01
  EcnConversation talk(tcp::EcnMode::kAgree, "SEC");
  write(talk.world, *talk.connection, letters(3000));
  for (const auto& answer : talk.peer.receive_all())
    EXPECT_EQ(answer.traffic_class, kEct0) << "ECT(1) is for experiments";
  talk.world.advance(seconds(1));
  for (const auto& again : talk.peer.receive_all()) EXPECT_EQ(again.traffic_class, 0) << "a retransmission";
  talk.acknowledge("A", 3000);
  talk.peer.send_next("PA", "x");
  talk.world.advance(milliseconds(100));
  EXPECT_EQ(talk.peer.expect("A").traffic_class, 0) << "a pure ACK";
  talk.peer.send(
      {.flags = "A", .sequence = talk.peer.next, .acknowledgment = talk.peer.expected, .window = 0});
  write(talk.world, *talk.connection, letters(3000));
  talk.world.advance(seconds(3));
  const auto probes = talk.peer.receive_all();
  EXPECT_FALSE(probes.empty());
  for (const auto& probe : probes) EXPECT_EQ(probe.traffic_class, 0) << "a window probe";
  talk.world.with([&] { talk.connection->abort(); });
  EXPECT_EQ(talk.peer.receive_all().back().traffic_class, 0) << "a reset";
}

TEST(TcpEcn, EchoIsAnsweredOncePerRoundTripAndSaidOnce) {  // R3168-02
  EcnConversation talk(tcp::EcnMode::kAgree, "SEC", "reno");
  write(talk.world, *talk.connection, letters(100000));
  ASSERT_EQ(talk.peer.receive_all().size(), 10U);
  talk.acknowledge("AE", 1000);
  const std::uint64_t reduced = talk.connection->info().cwnd;
  EXPECT_LE(reduced, 5500U);
  for (int i = 0; i < 8; ++i) talk.acknowledge("AE", 1000);
  EXPECT_GE(talk.connection->info().cwnd, reduced) << "not again in this round trip";
  const auto sent = talk.peer.receive_all();
  ASSERT_GE(sent.size(), 2U);
  EXPECT_TRUE(sent[0].header.flags.cwr);
  EXPECT_FALSE(sent[1].header.flags.cwr);
}

TEST(TcpEcn, MarksAreEchoedUntilThePeerSaysThatItHasReduced) {  // R3168-03
  EcnConversation talk(tcp::EcnMode::kAgree, "SEC");
  const auto data = [&](std::string_view flags, std::uint8_t mark) {
    talk.peer.send({.flags = flags,
                    .sequence = talk.peer.next,
                    .acknowledgment = talk.peer.expected,
                    .payload = "x",
                    .traffic_class = mark});
    talk.peer.next += 1;
    talk.world.advance(milliseconds(100));
    return talk.peer.receive_all().back().header.flags.ece;
  };
  EXPECT_FALSE(data("PA", kEct0));
  EXPECT_TRUE(data("PA", kCe));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(data("PA", kEct0));
  EXPECT_FALSE(data("PAC", kEct0));
}

TEST(TcpEcn,
     OfASynWithOddBitsIsNeverAnsweredByAReset) {  // a SYN with ECN bits that draws a RST is a known bug
  for (const std::string_view flags : {"S", "SE", "SC", "SEC", "SN", "SEN", "SCN", "SECN"}) {
    for (const auto mode : {tcp::EcnMode::kOff, tcp::EcnMode::kAgree, tcp::EcnMode::kAgreeAccurate}) {
      EcnConversation talk(mode, flags);
      EXPECT_TRUE(talk.answer.header.flags.syn && talk.answer.header.flags.ack) << flags;
      EXPECT_EQ(talk.connection->state(), tcp::State::kEstablished);
    }
  }
}

TEST(TcpEcn, FallsBackWhenTheSynIsNotAnswered) {  // R3168-06
  HostUnderTest world(with_ecn(tcp::EcnMode::kRequest));
  ScriptedPeer peer(world, 80, 5000);
  world.with([&] {
    auto hold = world.host().tcp().bind({.local = peer.remote()});
    (void)world.host().tcp().connect(*hold, peer.local(), {});
  });
  EXPECT_EQ(peer.receive()->flags(), "SEC");
  world.advance(milliseconds(1005));
  EXPECT_EQ(peer.receive()->flags(), "S");
}

// ---------------------------------------------------------------- accurate ECN

int ace_of(const Answer& answer) {
  const auto& flags = answer.header.flags;
  return flags.ae * 4 + flags.cwr * 2 + flags.ece;
}

TEST(TcpAccurateEcn, SynAckTellsHowTheSynWasMarked) {  // R9768-01: RFC 9768 §3.1.1, table 2
  const std::map<std::uint8_t, std::string_view> answers = {
      {0, "SAC"}, {kEct1, "SAEC"}, {kEct0, "SAN"}, {kCe, "SACN"}};
  for (const auto& [mark, flags] : answers)
    EXPECT_EQ(EcnConversation(tcp::EcnMode::kAgreeAccurate, "SECN", "cubic", mark).answer.flags(), flags)
        << "mark " << int{mark};
}

TEST(TcpAccurateEcn, CounterStartsAtFiveAndCountsModuloEight) {  // R9768-02, R9768-04
  EcnConversation talk(tcp::EcnMode::kAgreeAccurate, "SECN");
  const auto data = [&](std::uint8_t mark) {
    talk.peer.send({.flags = "PAEN",
                    .sequence = talk.peer.next,
                    .acknowledgment = talk.peer.expected,
                    .payload = "x",
                    .traffic_class = mark});
    talk.peer.next += 1;
    talk.world.advance(milliseconds(100));
    return ace_of(talk.peer.receive_all().back());
  };
  EXPECT_EQ(data(kEct0), 5);
  int expected = 5;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(data(kCe), ++expected % 8);
}

TEST(TcpAccurateEcn, FallsBackToWhatThePeerCan) {  // R9768-03
  struct Case {
    std::string_view syn_ack;
    bool classic;
  };
  for (const auto& [syn_ack, classic] : {Case{"SAE", true}, Case{"SA", false}}) {
    HostUnderTest world(with_ecn(tcp::EcnMode::kRequestAccurate));
    ScriptedPeer peer(world, 80, 5000);
    auto& connection = world.with([&]() -> tcp::Connection& {
      auto hold = world.host().tcp().bind({.local = peer.remote()});
      return **world.host().tcp().connect(*hold, peer.local(), {});
    });
    const Answer syn = *peer.receive();
    peer.send({.flags = syn_ack,
               .sequence = 1,
               .acknowledgment = syn.sequence() + 1,
               .options = {.maximum_segment_size = 1000}});
    (void)peer.receive_all();
    write(world, connection, letters(1000));
    const Answer data = *peer.receive();
    EXPECT_EQ(data.traffic_class & 3, classic ? kEct0 : 0);
    EXPECT_FALSE(data.header.flags.ae);
  }
}

TEST(TcpAccurateEcn, IsAgreedToForAnySynThatIsNotOfTheClassicKind) {  // R9768-05: what later clients may say
  for (const std::string_view flags : {"SE", "SC", "SN", "SEN", "SCN", "SECN"})
    EXPECT_EQ(EcnConversation(tcp::EcnMode::kAgreeAccurate, flags).answer.flags(), "SAC") << flags;
  EXPECT_EQ(EcnConversation(tcp::EcnMode::kAgreeAccurate, "SEC").answer.flags(), "SAE") << "the classic kind";
  EXPECT_EQ(EcnConversation(tcp::EcnMode::kAgreeAccurate, "S").answer.flags(), "SA");
}

TEST(TcpLowLatency, MarksWithEct1OnlyWhereFeedbackIsAccurate) {  // R9331-02, R9330-01, R8311-01
  EcnConversation accurate(tcp::EcnMode::kAgree, "SECN", "prague");
  write(accurate.world, *accurate.connection, letters(1000));
  EXPECT_EQ(accurate.peer.receive()->traffic_class & 3, kEct1);
  for (const std::string_view control : {"cubic", "reno"}) {
    EcnConversation other(tcp::EcnMode::kAgreeAccurate, "SECN", control);
    write(other.world, *other.connection, letters(1000));
    EXPECT_EQ(other.peer.receive()->traffic_class & 3, kEct0) << control;
  }
  EcnConversation classic(tcp::EcnMode::kAgree, "SEC", "prague");
  write(classic.world, *classic.connection, letters(1000));
  EXPECT_EQ(classic.peer.receive()->traffic_class & 3, kEct0) << "no accurate feedback";
}

}  // namespace
}  // namespace transom::test
