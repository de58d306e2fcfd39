// A recorded end is played at a Host of ours that knows nothing of it, over a link that may lose.
#include "drivers/replay/live_replay.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "drivers/replay/app_replay.h"
#include "drivers/sim/flow.h"
#include "drivers/trace/trace_sinks.h"

namespace transom::drivers::replay {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kRequest = 300, kResponse = 20'000, kRounds = 4;
constexpr std::uint64_t kSeed = 5;  // of the pattern that requests and responses are made of

// Answers each request with a response, as the recorded server did; closes when the client has.
class Responder final : public sim::Application {
 public:
  Responder(sim::Node& node, sim::Simulation& simulation, Port port)
      : Application(node), simulation_(simulation) {
    node.with([&] {
      auto hold = node.host().tcp().bind({.local = {IpAddress::any(IpFamily::kIpv4), port}});
      listener_ = *node.host().tcp().listen(*hold, 4, {});
      listener_->set_listener(this);
    });
  }

  void run() override {
    if (connection_ == nullptr) {
      const auto accepted = listener_->accept();
      if (!accepted) return;
      connection_ = *accepted;
      connection_->set_listener(this);
    }
    if (has_closed_) return;
    for (;;) {
      const MutableBytes scratch = simulation_.scratch();
      const auto got = connection_->receive(scratch.first(1000));
      if (!got) break;
      if (*got == 0) {
        has_closed_ = true;
        connection_->close();
        return;
      }
      is_intact = is_intact && simulation_.pattern().equals(read, scratch.first(*got));
      read += *got;
    }
    while (written_ < read / kRequest * kResponse) {
      const std::uint64_t left = read / kRequest * kResponse - written_;
      const Bytes piece = simulation_.pattern().at(
          written_, static_cast<std::size_t>(std::min<std::uint64_t>(left, sim::Pattern::kMaxPiece)));
      const auto taken = connection_->send({&piece, 1});
      if (!taken) break;
      written_ += *taken;
    }
  }

  std::uint64_t read = 0;
  bool is_intact = true;

 private:
  sim::Simulation& simulation_;
  tcp::Listener* listener_ = nullptr;
  tcp::Connection* connection_ = nullptr;
  std::uint64_t written_ = 0;
  bool has_closed_ = false;
};

class Live : public testing::Test {
 protected:
  Live() {
    path_ = std::filesystem::path(testing::TempDir()) /
            fmt::format("live-{}-{}.pcapng", getpid(), reinterpret_cast<std::uintptr_t>(this));
  }
  ~Live() override { std::filesystem::remove(path_); }

  static sim::LinkOptions link(std::string_view loss) {
    sim::LinkOptions link;
    link.forth.rate = 50'000'000;
    link.forth.delay = 5ms;
    if (!loss.empty()) link.forth.loss = *sim::parse_loss(loss);
    return link;
  }

  void record() {
    TraceFiles files;
    auto sink = make_trace({.path = path_});
    ASSERT_TRUE(sink);
    files.add(std::move(*sink));
    sim::Simulation simulation(kSeed);
    sim::Node& client = simulation.add_host("client");
    sim::Node& server = simulation.add_host("server");
    ASSERT_TRUE(simulation.add_link(client, server, link({})));
    simulation.route();
    client.host().set_observer(&files.add_host({}));
    const sim::TcpFlow flow(simulation, client, server,
                            {.octets = kRequest, .response = kResponse, .rounds = kRounds, .think = 30ms});
    simulation.run_for(10s);
    client.host().set_observer(nullptr);
  }

  LiveScripts scripts(std::string_view role) const {
    auto first = CaptureReader::open(path_);
    const auto scene = survey(*first);
    EXPECT_TRUE(scene);
    auto reader = CaptureReader::open(path_);
    auto made = make_scripts(*reader, *scene, Cast(*scene, *Role::parse(role)));
    EXPECT_TRUE(made);
    return {.tcp = std::move(*made), .datagrams = {}};
  }

  struct Played {
    LiveConnection::State state = LiveConnection::State::kRunning;
    bool octets_are_equal = false;
    std::uint64_t server_read = 0;
    bool server_is_intact = false;
    std::uint64_t retransmitted = 0;
    Duration duration{};
    std::string awaited;
  };
  // The recorded client, at the Responder.
  static Played play(const LiveScripts& scripts, std::string_view loss, LiveSetup setup = {}) {
    sim::Simulation simulation(kSeed);
    sim::Node& client = simulation.add_host("client");
    sim::Node& server = simulation.add_host("server");
    EXPECT_TRUE(simulation.add_link(client, server, link(loss)));
    simulation.route();
    const auto& responder = simulation.add<Responder>(server, simulation, Port{80});
    setup.local = {client.address()};
    setup.peer = {server.address()};
    setup.port = Port{80};
    std::unique_ptr<LiveReplay> live;
    client.with([&] { live = std::make_unique<LiveReplay>(client.host(), scripts, setup); });
    simulation.run_for(60s, [&] { return live->is_over(); });
    const LiveConnection& connection = *live->connections().front();
    Played played{.state = connection.state(),
                  .octets_are_equal = connection.received().are_equal(),
                  .retransmitted = connection.retransmitted(),
                  .duration = simulation.now().time_since_epoch(),
                  .awaited = connection.awaited()};
    simulation.run_for(5s);
    played.server_read = responder.read;
    played.server_is_intact = responder.is_intact;
    return played;
  }

  std::string path_;
};

TEST_F(Live, TheRecordedClientIsPlayedAtAnotherServerAndBothStreamsAreEqual) {
  record();
  for (const Fidelity fidelity : {Fidelity::kStream, Fidelity::kSegment, Fidelity::kExact}) {
    LiveSetup setup;
    setup.options.fidelity = fidelity;
    const Played played = play(scripts("client"), {}, setup);
    EXPECT_EQ(played.state, LiveConnection::State::kDone) << played.awaited;
    EXPECT_TRUE(played.octets_are_equal);
    EXPECT_EQ(played.server_read, kRequest * kRounds);
    EXPECT_TRUE(played.server_is_intact);
    EXPECT_EQ(played.retransmitted, 0U);
  }
}

TEST_F(Live, LossOnTheWayDelaysItAndChangesNothing) {
  record();
  std::uint64_t retransmitted = 0;
  for (const auto* loss : {"2%", "5%", "10%"}) {
    const Played played = play(scripts("client"), loss);
    EXPECT_EQ(played.state, LiveConnection::State::kDone) << loss << ": " << played.awaited;
    EXPECT_TRUE(played.octets_are_equal);
    EXPECT_TRUE(played.server_is_intact);
    retransmitted += played.retransmitted;
  }
  EXPECT_GT(retransmitted, 0U);
}

TEST_F(Live, TheApplicationAloneIsPlayedOnOurTcp) {
  record();
  for (const auto* loss : {"", "5%"}) {
    const auto clients = scripts("client"), servers = scripts("server");
    sim::Simulation simulation(kSeed);
    sim::Node& client = simulation.add_host("client");
    sim::Node& server = simulation.add_host("server");
    ASSERT_TRUE(simulation.add_link(client, server, link(loss)));
    simulation.route();
    LiveSetup setup;
    setup.local = {client.address()};
    setup.peer = {server.address()};
    LiveSetup waiting;
    waiting.local = {server.address()};
    std::unique_ptr<AppReplay> opener, listener;
    server.with([&] { listener = std::make_unique<AppReplay>(server.host(), servers, waiting); });
    client.with([&] { opener = std::make_unique<AppReplay>(client.host(), clients, setup); });
    simulation.run_for(60s, [&] { return opener->is_over() && listener->is_over(); });
    for (const auto* replay : {opener.get(), listener.get()}) {
      ASSERT_EQ(replay->connections().size(), 1U);
      const AppConnection& connection = *replay->connections().front();
      EXPECT_TRUE(connection.is_done()) << connection.awaited();
      EXPECT_TRUE(connection.received().are_equal());
      EXPECT_EQ(connection.turns_done(), connection.turns());
    }
    EXPECT_GT(simulation.now().time_since_epoch(), 80ms);  // three times 30 ms of thinking
    server.with([&] { listener.reset(); });
    client.with([&] { opener.reset(); });
  }
}

TEST_F(Live, AnApplicationWhosePeerSaysNothingStalls) {
  record();
  const auto clients = scripts("client");
  sim::Simulation simulation(kSeed);
  sim::Node& client = simulation.add_host("client");
  sim::Node& server = simulation.add_host("server");
  ASSERT_TRUE(simulation.add_link(client, server, link({})));
  simulation.route();
  server.with([&] {  // takes the connection, and nobody reads
    auto hold = server.host().tcp().bind({.local = {server.address(), Port{80}}});
    ASSERT_TRUE(server.host().tcp().listen(*hold, 4, {}));
  });
  LiveSetup setup;
  setup.local = {client.address()};
  setup.peer = {server.address()};
  setup.port = Port{80};
  std::unique_ptr<AppReplay> replay;
  client.with([&] { replay = std::make_unique<AppReplay>(client.host(), clients, setup); });
  simulation.run_for(60s, [&] { return replay->is_over(); });
  EXPECT_EQ(replay->connections().front()->state(), AppConnection::State::kStalled);
  EXPECT_NE(replay->connections().front()->awaited().find("the peer's octets"), std::string::npos);
  client.with([&] { replay.reset(); });
}

TEST_F(Live, ThinkingIsKeptAndTopSpeedLeavesItOut) {
  record();
  const Played normal = play(scripts("client"), {});
  LiveSetup fast;
  fast.speed.top_speed = true;
  EXPECT_GT(normal.duration, play(scripts("client"), {}, fast).duration + 80ms);  // three times 30 ms
  LiveSetup half;
  half.speed.multiplier = 0.5;
  EXPECT_GT(play(scripts("client"), {}, half).duration, normal.duration + 80ms);
}

TEST_F(Live, TwoRecordedEndsPlayEachOther) {
  record();
  const auto clients = scripts("client"), servers = scripts("server");
  sim::Simulation simulation(kSeed);
  sim::Node& client = simulation.add_host("client");
  sim::Node& server = simulation.add_host("server");
  ASSERT_TRUE(simulation.add_link(client, server, link("3%")));
  simulation.route();
  LiveSetup setup;
  setup.port = Port{80};
  setup.local = {server.address()};
  std::unique_ptr<LiveReplay> serving, asking;
  server.with([&] { serving = std::make_unique<LiveReplay>(server.host(), servers, setup); });
  setup.local = {client.address()};
  setup.peer = {server.address()};
  client.with([&] { asking = std::make_unique<LiveReplay>(client.host(), clients, setup); });
  simulation.run_for(60s, [&] { return serving->is_over() && asking->is_over(); });
  for (const auto* live : {serving.get(), asking.get()}) {
    ASSERT_EQ(live->connections().size(), 1U);
    EXPECT_TRUE(live->connections().front()->is_done()) << live->connections().front()->awaited();
    EXPECT_TRUE(live->connections().front()->received().are_equal());
  }
}

TEST_F(Live, APeerThatSaysNothingStallsItAndWhatWasAwaitedIsTold) {
  record();
  const auto clients = scripts("client");
  sim::Simulation simulation(kSeed);
  sim::Node& client = simulation.add_host("client");
  sim::Node& server = simulation.add_host("server");
  ASSERT_TRUE(simulation.add_link(client, server, link("100%")));
  simulation.route();
  LiveSetup setup;
  setup.local = {client.address()};
  setup.peer = {server.address()};
  std::unique_ptr<LiveReplay> live;
  client.with([&] { live = std::make_unique<LiveReplay>(client.host(), clients, setup); });
  simulation.run_for(60s, [&] { return live->is_over(); });
  EXPECT_EQ(live->connections().front()->state(), LiveConnection::State::kStalled);
  EXPECT_NE(live->connections().front()->awaited().find("octets up to 1"), std::string::npos);
  EXPECT_FALSE(live->connections().front()->last_packets().empty());
  EXPECT_LT(simulation.now(), Instant(10s));
}

TEST_F(Live, ARefusedClientTriesAgainUntilItStalls) {
  record();
  const auto clients = scripts("client");
  sim::Simulation simulation(kSeed);
  sim::Node& client = simulation.add_host("client");
  sim::Node& server = simulation.add_host("server");
  ASSERT_TRUE(simulation.add_link(client, server, link({})));
  simulation.route();
  LiveSetup setup;
  setup.local = {client.address()};
  setup.peer = {server.address()};
  std::unique_ptr<LiveReplay> live;
  client.with([&] { live = std::make_unique<LiveReplay>(client.host(), clients, setup); });
  simulation.run_for(60s, [&] { return live->is_over(); });
  EXPECT_EQ(live->connections().front()->state(), LiveConnection::State::kStalled);
  EXPECT_GT(live->connections().front()->sent(), 10U);
  EXPECT_LT(simulation.now(), Instant(10s));
}

}  // namespace
}  // namespace transom::drivers::replay
