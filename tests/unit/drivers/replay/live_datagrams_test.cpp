// Recorded datagrams are played, by one end or by both, in virtual time.
#include "drivers/replay/live_datagrams.h"

#include <gtest/gtest.h>

#include <deque>

#include "drivers/replay/live_replay.h"
#include "drivers/sim/simulation.h"
#include "tests/unit/drivers/replay/collection.h"

namespace transom::drivers::replay {
namespace {

using namespace std::chrono_literals;

LiveScripts scripts_of(std::string_view capture, std::string_view role) {
  LiveScripts scripts{.tcp = {}, .datagrams = scripts_of_case(capture, role, make_datagram_scripts, true)};
  std::erase_if(scripts.datagrams,
                [&](const auto& entry) { return entry.second.is_opener != (role == "client"); });
  EXPECT_FALSE(scripts.datagrams.empty());
  return scripts;
}

// Two hosts, either of which may play its end.
class Datagrams : public testing::Test {
 protected:
  Datagrams() {
    sim::LinkOptions link;
    link.forth.delay = 5ms;
    EXPECT_TRUE(simulation_.add_link(client_, server_, link));
    simulation_.route();
  }
  ~Datagrams() override {
    client_.with([&] { asking_.reset(); });
    server_.with([&] { serving_.reset(); });
  }

  void serve(const LiveScripts& scripts, LiveSetup setup = {}) {
    setup.local = addresses(server_);
    scripts_.push_back(scripts);
    server_.with([&] { serving_.reset(); });
    server_.with([&] { serving_ = std::make_unique<LiveReplay>(server_.host(), scripts_.back(), setup); });
  }
  void ask(const LiveScripts& scripts, LiveSetup setup = {}) {
    setup.local = addresses(client_);
    setup.peer = addresses(server_);
    scripts_.push_back(scripts);
    client_.with([&] { asking_.reset(); });
    client_.with([&] { asking_ = std::make_unique<LiveReplay>(client_.host(), scripts_.back(), setup); });
  }
  void run() {
    simulation_.run_for(
        60s, [&] { return (!asking_ || asking_->is_over()) && (!serving_ || serving_->is_over()); });
  }
  static std::vector<IpAddress> addresses(const sim::Node& node) {
    return {node.address(IpFamily::kIpv4), node.address(IpFamily::kIpv6)};
  }
  static void expect_good(const LiveReplay& live, std::size_t exchanges) {
    EXPECT_EQ(live.exchanges().size(), exchanges);
    for (const auto& exchange : live.exchanges()) {
      EXPECT_EQ(exchange->state(), LiveState::kDone) << exchange->awaited();
      EXPECT_TRUE(exchange->are_equal());
      for (const std::string& difference : exchange->differences()) ADD_FAILURE() << difference;
    }
  }

  sim::Simulation simulation_{7};
  sim::Node& client_ = simulation_.add_host("client");
  sim::Node& server_ = simulation_.add_host("server");
  std::deque<LiveScripts> scripts_;  // they outlive who plays them
  std::unique_ptr<LiveReplay> asking_, serving_;
};

TEST_F(Datagrams, TwoRecordedEndsPlayEachOther) {
  struct Case {
    const char* capture;
    std::size_t exchanges;
  };
  for (const auto& [capture, exchanges] :
       {Case{"dns", 3}, Case{"udp-request-response-ipv4", 1}, Case{"udp-request-response-ipv6", 1},
        Case{"udp-fragments-ipv4", 1}, Case{"udp-fragments-ipv6", 1}, Case{"icmp-echo-ipv4", 1},
        Case{"icmp-echo-ipv6", 1}, Case{"icmp-echo-fragments", 2}, Case{"udp-unreachable-ipv4", 1},
        Case{"udp-unreachable-ipv6", 1}, Case{"udp-fragments-out-of-order", 1}, Case{"udp-empty", 1}}) {
    SCOPED_TRACE(capture);
    const LiveScripts servers = scripts_of(capture, "server"), clients = scripts_of(capture, "client");
    serve(servers);
    ask(clients);
    run();
    expect_good(*asking_, exchanges);
    expect_good(*serving_, exchanges);
    client_.with([&] { asking_.reset(); });
    server_.with([&] { serving_.reset(); });
  }
}

TEST_F(Datagrams, AHostAnswersARecordedPingInItsOwnFragments) {
  const LiveScripts clients = scripts_of("icmp-echo-fragments", "client");
  ask(clients);
  run();
  expect_good(*asking_, 2);
  for (const auto& exchange : asking_->exchanges()) EXPECT_GE(exchange->sent(), 3U);
}

TEST_F(Datagrams, AClosedPortAnswersARecordedDatagramWithAnErrorThatQuotesTheLiveOne) {
  const LiveScripts clients = scripts_of("udp-unreachable-ipv4", "client");
  ask(clients);
  run();
  expect_good(*asking_, 1);
}

TEST_F(Datagrams, WhoSaysNothingStallsItAndWhatWasAwaitedIsTold) {
  const LiveScripts clients = scripts_of("udp-request-response-ipv4", "client");
  std::unique_ptr<udp::UdpSocket> silent;
  server_.with([&] {
    silent = server_.host().udp().open(IpFamily::kIpv4);
    EXPECT_TRUE(silent->bind({.local = {server_.address(), Port{9000}}}));
  });
  LiveSetup setup;
  setup.options.stall = 2s;
  ask(clients, setup);
  run();
  const DatagramExchange& exchange = *asking_->exchanges().front();
  EXPECT_EQ(exchange.state(), LiveState::kStalled);
  EXPECT_NE(exchange.awaited().find("the peer's datagram of packet 4"), std::string::npos)
      << exchange.awaited();
  EXPECT_FALSE(exchange.last_packets().empty());
  EXPECT_EQ(exchange.lost(), 1U);
  server_.with([&] { silent.reset(); });
}

// A peer of UDP that answers in its own way.
class Answerer final : public sim::Application {
 public:
  Answerer(sim::Node& node, Port port, std::string answer) : Application(node), answer_(std::move(answer)) {
    node.with([&] {
      socket_ = node.host().udp().open(IpFamily::kIpv4);
      EXPECT_TRUE(socket_->bind({.local = {IpAddress::any(IpFamily::kIpv4), port}}));
      socket_->set_listener(this);
    });
  }
  void run() override {
    while (auto datagram = socket_->receive()) {
      const Bytes piece(reinterpret_cast<const std::uint8_t*>(answer_.data()), answer_.size());
      EXPECT_TRUE(socket_->send({&piece, 1}, {.to = datagram->source}));
    }
  }

 private:
  std::string answer_;
  std::unique_ptr<udp::UdpSocket> socket_;
};

TEST_F(Datagrams, WhoHasThePortLaterIsAskedAgain) {
  const LiveScripts clients = scripts_of("udp-request-response-ipv4", "client");
  const auto recorded = clients.datagrams.begin()->second.expected.front().saying.octets;
  ask(clients);
  simulation_.run_for(1s);
  EXPECT_FALSE(asking_->is_over());
  simulation_.add<Answerer>(server_, Port{9000}, std::string(recorded.begin(), recorded.end()));
  run();
  expect_good(*asking_, 1);
}

TEST_F(Datagrams, OtherOctetsAreFoundAndAMaskAllowsThem) {
  LiveScripts clients = scripts_of("udp-request-response-ipv4", "client");
  const auto recorded = clients.datagrams.begin()->second.expected.front().saying.octets;
  std::string other(recorded.begin(), recorded.end());
  other[1] = '?';
  simulation_.add<Answerer>(server_, Port{9000}, other);
  ask(clients);
  run();
  const DatagramExchange& exchange = *asking_->exchanges().front();
  EXPECT_EQ(exchange.state(), LiveState::kDone);
  EXPECT_EQ(exchange.changed(), 1U);
  EXPECT_FALSE(exchange.are_equal());
  EXPECT_NE(exchange.differences().front().find("differ at 1"), std::string::npos);

  clients.datagrams.begin()->second.expected.front().ignored.emplace_back(1, 2);
  ask(clients);
  run();
  expect_good(*asking_, 1);
}

TEST_F(Datagrams, AnAnswerRepeatsTheNumberThatTheLiveQuestionHas) {
  const LiveScripts servers = scripts_of("dns", "server");
  serve(servers);
  // The recorded question, with another number.
  auto question = servers.datagrams.begin()->second.expected.front().saying.octets;
  question[0] ^= 0xffU;
  std::unique_ptr<udp::UdpSocket> socket;
  client_.with([&] {
    socket = client_.host().udp().open(IpFamily::kIpv4);
    const Bytes piece(question);
    EXPECT_TRUE(socket->send({&piece, 1}, {.to = Endpoint{server_.address(), Port{53}}}));
  });
  simulation_.run_for(1s);
  client_.with([&] {
    const auto answer = socket->receive();
    ASSERT_TRUE(answer);
    std::vector<std::uint8_t> octets(answer->payload.size());
    answer->payload.copy_out(0, octets);
    EXPECT_EQ(octets[0], question[0]);
    EXPECT_EQ(octets[1], question[1]);
    socket.reset();
  });
  EXPECT_EQ(serving_->exchanges().front()->state(), LiveState::kDone);
  EXPECT_TRUE(serving_->exchanges().front()->are_equal());
}

TEST_F(Datagrams, WhoAsksAgainGetsTheSameAnswerAgain) {
  const LiveScripts servers = scripts_of("udp-request-response-ipv4", "server");
  serve(servers);
  const auto question = servers.datagrams.begin()->second.expected.front().saying.octets;
  std::unique_ptr<udp::UdpSocket> socket;
  client_.with([&] { socket = client_.host().udp().open(IpFamily::kIpv4); });
  for (int i = 0; i < 2; ++i) {
    client_.with([&] {
      const Bytes piece(question);
      EXPECT_TRUE(socket->send({&piece, 1}, {.to = Endpoint{server_.address(), Port{9000}}}));
    });
    simulation_.run_for(1s);
  }
  client_.with([&] {
    EXPECT_TRUE(socket->receive());
    EXPECT_TRUE(socket->receive());
    socket.reset();
  });
  EXPECT_EQ(serving_->exchanges().front()->again(), 1U);
}

TEST_F(Datagrams, AnswersToWhatIsSaidToManyComeFromWhoNobodyHasNamed) {
  struct Case {
    const char* capture;
    std::size_t asked;
  };
  // One of the two groups has no members; nobody answers there.
  for (const auto& [capture, asked] : {Case{"multicast-udp", 2}, Case{"udp-broadcast", 1}}) {
    SCOPED_TRACE(capture);
    const LiveScripts servers = scripts_of(capture, "server"), clients = scripts_of(capture, "client");
    serve(servers);
    ask(clients);
    run();
    expect_good(*asking_, asked);
    expect_good(*serving_, 1);
    client_.with([&] { asking_.reset(); });
    server_.with([&] { serving_.reset(); });
  }
}

// What comes to a host that is of interest.
class Heard final : public link::FrameTap {
 public:
  explicit Heard(std::function<bool(const PacketView&, Bytes message)> wanted) : wanted_(std::move(wanted)) {}
  std::uint64_t count = 0;

 private:
  void on_frame(Direction direction, const link::Interface& interface, const Packet& frame) override {
    CapturedPacket packet;
    packet.link_type = interface.type() == link::LinkType::kEthernet ? LinkType::kEthernet : LinkType::kRaw;
    packet.octets = frame.head();
    packet.original_length = static_cast<std::uint32_t>(frame.size());
    const auto view = PacketView::parse(packet);
    if (direction == Direction::kIn && view && wanted_(*view, packet.octets.subspan(view->transport_offset)))
      ++count;
  }
  std::function<bool(const PacketView&, Bytes message)> wanted_;
};

TEST_F(Datagrams, ReportsOfGroupsGoToTheRoutersAgain) {
  const LiveScripts clients = scripts_of("igmp-mld", "client");
  const IpAddress routers = IpAddress::v4(224, 0, 0, 22);
  Heard igmp([&](const PacketView& view, Bytes) {
    return view.protocol == IpProtocol::kIgmp && view.source == client_.address() &&
           view.destination == routers && view.transport_checksum == ChecksumVerdict::kGood &&
           view.hop_limit == 1;
  });
  Heard mld([&](const PacketView& view, Bytes message) {
    return view.protocol == IpProtocol::kIcmpv6 && !message.empty() && message[0] == 143 &&
           view.transport_checksum == ChecksumVerdict::kGood;
  });
  server_.host().link().add_tap(igmp);
  server_.host().link().add_tap(mld);
  ask(clients);
  run();
  simulation_.run_for(1s);  // the last one is under way
  server_.host().link().remove_tap(igmp);
  server_.host().link().remove_tap(mld);
  expect_good(*asking_, 2);
  EXPECT_EQ(igmp.count, 6U);
  EXPECT_GE(mld.count, 5U);
  for (const auto& exchange : asking_->exchanges()) EXPECT_EQ(exchange->unsendable(), 0U);
}

TEST_F(Datagrams, OneAtATimeNothingGoesBeforeItIsAllowed) {
  const LiveScripts clients = scripts_of("icmp-echo-ipv4", "client");
  LiveSetup setup;
  setup.speed.one_at_a_time = true;
  ask(clients, setup);
  simulation_.run_for(20s);
  EXPECT_EQ(asking_->packets(), 0U);
  EXPECT_FALSE(asking_->is_over());  // whoever has not typed has not stalled
  client_.with([&] { asking_->allow(1); });
  simulation_.run_for(20s);
  EXPECT_EQ(asking_->packets(), 1U);
  client_.with([&] { asking_->allow(100); });
  run();
  expect_good(*asking_, 1);
}

}  // namespace
}  // namespace transom::drivers::replay
