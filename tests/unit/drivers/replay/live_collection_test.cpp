// Both ends of recorded TCP connections of the collection play each other, in virtual time: their segments,
// or their applications alone.
#include <gtest/gtest.h>

#include "drivers/replay/app_replay.h"
#include "drivers/sim/simulation.h"
#include "tests/unit/drivers/replay/collection.h"

namespace transom::drivers::replay {
namespace {

using namespace std::chrono_literals;

LiveScripts scripts_of(std::string_view capture, std::string_view role) {
  return {.tcp = scripts_of_case(capture, role, make_scripts), .datagrams = {}};
}

class Collection : public testing::Test {
 protected:
  Collection() {
    sim::LinkOptions link;
    link.forth.delay = 5ms;
    EXPECT_TRUE(simulation_.add_link(client_, server_, link));
    simulation_.route();
  }

  // Calls `look` with both when they are over.
  template <typename Replay>
  void play(const LiveScripts& clients, const LiveScripts& servers, auto look, LiveSetup setup = {}) {
    setup.local = addresses(server_);
    std::unique_ptr<Replay> serving, asking;
    server_.with([&] { serving = std::make_unique<Replay>(server_.host(), servers, setup); });
    setup.local = addresses(client_);
    setup.peer = addresses(server_);
    client_.with([&] { asking = std::make_unique<Replay>(client_.host(), clients, setup); });
    simulation_.run_for(120s, [&] { return serving->is_over() && asking->is_over(); });
    look(*asking, *serving);
    server_.with([&] { serving.reset(); });
    client_.with([&] { asking.reset(); });
  }

  template <typename Replay>
  static void expect_good(const Replay& replay, std::size_t connections) {
    EXPECT_EQ(replay.connections().size(), connections);
    for (const auto& connection : replay.connections()) {
      EXPECT_EQ(connection->state(), LiveState::kDone) << connection->awaited();
      EXPECT_TRUE(connection->received().are_equal());
    }
  }

  static std::vector<IpAddress> addresses(const sim::Node& node) {
    return {node.address(IpFamily::kIpv4), node.address(IpFamily::kIpv6)};
  }

  sim::Simulation simulation_{7};
  sim::Node& client_ = simulation_.add_host("client");
  sim::Node& server_ = simulation_.add_host("server");
};

constexpr const char* kCaptures[] = {
    "curl-http",  "curl-keep-alive", "tcp-handshake-ipv6", "tcp-half-close",       "tcp-fin-with-data",
    "tcp-urgent", "tcp-fast-open",   "tcp-loss-sack",      "tcp-many-connections", "ssh"};

TEST_F(Collection, SegmentsPlayEachOther) {
  for (const auto* capture : kCaptures) {
    SCOPED_TRACE(capture);
    const LiveScripts clients = scripts_of(capture, "client"), servers = scripts_of(capture, "server");
    play<LiveReplay>(clients, servers, [&](const LiveReplay& asking, const LiveReplay& serving) {
      expect_good(asking, clients.tcp.size());
      expect_good(serving, clients.tcp.size());
    });
  }
}

TEST_F(Collection, ApplicationsPlayEachOther) {
  for (const auto* capture : kCaptures) {
    SCOPED_TRACE(capture);
    const LiveScripts clients = scripts_of(capture, "client"), servers = scripts_of(capture, "server");
    play<AppReplay>(clients, servers, [&](const AppReplay& asking, const AppReplay& serving) {
      expect_good(asking, clients.tcp.size());
      expect_good(serving, clients.tcp.size());
      for (const auto& connection : asking.connections()) EXPECT_FALSE(connection->last_packets().empty());
    });
  }
}

// What a host sends with these flags set.
class Watch final : public link::FrameTap {
 public:
  explicit Watch(std::function<bool(const PacketView&)> wanted) : wanted_(std::move(wanted)) {}
  std::uint64_t count = 0;

 private:
  void on_frame(Direction direction, const link::Interface& /*interface*/, const Packet& frame) override {
    CapturedPacket packet;
    packet.link_type = LinkType::kRaw;
    packet.octets = frame.head();
    packet.original_length = static_cast<std::uint32_t>(frame.size());
    const auto view = PacketView::parse(packet);
    if (direction == Direction::kOut && view && wanted_(*view)) ++count;
  }
  std::function<bool(const PacketView&)> wanted_;
};

TEST_F(Collection, UrgentOctetsAreUrgentAgain) {
  const LiveScripts clients = scripts_of("tcp-urgent", "client"),
                    servers = scripts_of("tcp-urgent", "server");
  Watch watch(
      [](const PacketView& view) { return view.tcp && view.tcp->flags.urg && view.payload_length > 0; });
  client_.host().link().add_tap(watch);
  play<AppReplay>(clients, servers, [](const auto&, const auto&) {});
  client_.host().link().remove_tap(watch);
  EXPECT_GE(watch.count, 1U);
}

TEST_F(Collection, AnApplicationsFirstOctetsGoWithItsSynWhereTheyDid) {
  const LiveScripts clients = scripts_of("tcp-fast-open", "client"),
                    servers = scripts_of("tcp-fast-open", "server");
  Watch watch(
      [](const PacketView& view) { return view.tcp && view.tcp->flags.syn && view.payload_length > 0; });
  client_.host().link().add_tap(watch);
  play<AppReplay>(clients, servers, [&](const AppReplay& asking, const AppReplay& serving) {
    expect_good(asking, clients.tcp.size());
    expect_good(serving, clients.tcp.size());
  });
  client_.host().link().remove_tap(watch);
  EXPECT_GE(watch.count, 1U);
  EXPECT_EQ(server_.host().counters()[Counter::kTcpExtTCPFastOpenPassive], watch.count);
}

TEST_F(Collection, WhatWasCutIntoFragmentsIsCutSoAgainWhereFidelityIsExact) {
  const LiveScripts clients = scripts_of("curl-http", "client");
  LiveScripts servers = scripts_of("curl-http", "server");
  for (ScriptStep& step : servers.tcp.begin()->second.steps)
    if (step.end - step.begin > 100) step.fragments = {{200, 300, false}, {0, 96, true}, {96, 200, true}};
  for (const Fidelity fidelity : {Fidelity::kSegment, Fidelity::kExact}) {
    LiveSetup setup;
    setup.options.fidelity = fidelity;
    Watch watch([](const PacketView& view) { return view.is_fragment; });
    server_.host().link().add_tap(watch);
    play<LiveReplay>(
        clients, servers,
        [&](const LiveReplay& asking, const LiveReplay& serving) {
          expect_good(asking, 1);
          expect_good(serving, 1);
        },
        setup);
    server_.host().link().remove_tap(watch);
    EXPECT_EQ(watch.count, fidelity == Fidelity::kExact ? 3U : 0U);
  }
}

TEST_F(Collection, IcmpErrorsAboutTheLivePeersSegmentsAreBelieved) {
  for (const auto* capture : {"tcp-pmtud-ipv4", "tcp-pmtud-ipv6"}) {
    SCOPED_TRACE(capture);
    const LiveScripts clients = scripts_of(capture, "client"), servers = scripts_of(capture, "server");
    LiveSetup setup;
    setup.local = addresses(server_);
    std::unique_ptr<LiveReplay> serving;
    server_.with([&] { serving = std::make_unique<LiveReplay>(server_.host(), servers, setup); });
    setup.local = addresses(client_);
    setup.peer = addresses(server_);
    std::unique_ptr<AppReplay> asking;
    client_.with([&] { asking = std::make_unique<AppReplay>(client_.host(), clients, setup); });
    simulation_.run_for(120s, [&] { return serving->is_over() && asking->is_over(); });
    expect_good(*asking, 1);
    expect_good(*serving, 1);
    const IpFamily family = clients.tcp.begin()->second.ours.address.family();
    client_.with([&] {
      const auto destination = client_.host().ip().destination(server_.address(family));
      ASSERT_TRUE(destination);
      EXPECT_LT(client_.host().ip().path_mtu(**destination), 1500U);
      asking.reset();
    });
    server_.with([&] { serving.reset(); });
  }
}

TEST_F(Collection, ARefusalIsPlayedToo) {
  const LiveScripts clients = scripts_of("tcp-refused-ipv4", "client"),
                    servers = scripts_of("tcp-refused-ipv4", "server");
  play<LiveReplay>(clients, servers, [&](const LiveReplay& asking, const LiveReplay& serving) {
    expect_good(asking, clients.tcp.size());
    expect_good(serving, clients.tcp.size());
  });
}

TEST_F(Collection, DataOfASynGoesWithTheCookieOfTheLivePeerAndIsTaken) {
  const LiveScripts clients = scripts_of("tcp-fast-open", "client");
  server_.host().tcp().config().fast_open.all_listeners = true;
  server_.with([&] {  // takes what comes; what is asked for the recorded server alone answers
    auto hold = server_.host().tcp().bind({.local = {server_.address(), Port{80}}});
    ASSERT_TRUE(server_.host().tcp().listen(*hold, 16, {}));
  });
  LiveSetup setup;
  setup.local = addresses(client_);
  setup.peer = addresses(server_);
  std::unique_ptr<LiveReplay> asking;
  client_.with([&] { asking = std::make_unique<LiveReplay>(client_.host(), clients, setup); });
  simulation_.run_for(60s, [&] { return asking->is_over(); });
  const Counters& counters = server_.host().counters();
  EXPECT_EQ(counters[Counter::kTcpExtTCPFastOpenPassive], 1U);
  EXPECT_EQ(counters[Counter::kTcpExtTCPFastOpenPassiveFail], 0U);
  client_.with([&] { asking.reset(); });
}

TEST_F(Collection, HybridNeitherRunsAheadOfTheRecordingNorOfThePeer) {
  const LiveScripts clients = scripts_of("curl-http", "client"), servers = scripts_of("curl-http", "server");
  const TcpScript& script = clients.tcp.begin()->second;
  LiveSetup setup;
  setup.options.when = When::kHybrid;
  setup.local = addresses(server_);
  std::unique_ptr<LiveReplay> serving, asking;
  server_.with([&] { serving = std::make_unique<LiveReplay>(server_.host(), servers, setup); });
  setup.local = addresses(client_);
  setup.peer = addresses(server_);
  client_.with([&] { asking = std::make_unique<LiveReplay>(client_.host(), clients, setup); });
  const Instant begin = simulation_.now();
  simulation_.run_for(60s, [&] { return serving->is_over() && asking->is_over(); });
  expect_good(*asking, 1);
  EXPECT_GE(simulation_.now() - begin, script.steps.back().time);
  server_.with([&] { serving.reset(); });
  client_.with([&] { asking.reset(); });
}

}  // namespace
}  // namespace transom::drivers::replay
