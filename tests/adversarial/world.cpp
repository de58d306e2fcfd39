#include "tests/adversarial/world.h"

#include <fmt/format.h>

#include <algorithm>

#include "drivers/frame_layout.h"
#include "stack/tcp/listener.h"
#include "tests/adversarial/host_watch.h"
#include "tests/adversarial/party.h"

namespace transom::test {

namespace {

namespace sim = drivers::sim;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kPatience = seconds(120);  // in the good network, before a lonely end lets go
constexpr Duration kLimit = seconds(3600);    // in the good network, until all must have ended
constexpr std::uint64_t kMaxSteps = 1'000'000;

// IPv6 needs links of 1280 octets.
Scenario made_possible(Scenario scenario) {
  const bool has_ipv6 = std::ranges::any_of(scenario.flows, [](const Flow& flow) { return flow.ipv6 != 0; });
  const std::uint32_t smallest = has_ipv6 ? 1280 : 576;
  for (std::uint32_t* mtu : {&scenario.mtu, &scenario.access_mtu}) *mtu = std::clamp(*mtu, smallest, 65535U);
  if (scenario.new_mtu != 0) scenario.new_mtu = std::clamp(scenario.new_mtu, smallest, 65535U);
  scenario.pairs = scenario.topology == 0 ? 1 : std::clamp(scenario.pairs, 1U, 16U);
  for (Flow& flow : scenario.flows) {
    // Who opens many at once must not see all but the first few of their SYNs dropped each time.
    scenario.queue_limit = std::max(scenario.queue_limit, flow.count);
    flow.from %= 2 * scenario.pairs;
    flow.to %= 2 * scenario.pairs;
  }
  return scenario;
}

// Takes connections as its Flow says, and gives each to the party that is the other end of its client.
class Acceptor final : public sim::Application {
 public:
  Acceptor(sim::Node& node, PartyContext& context, const Flow& flow)
      : Application(node), context_(context), flow_(flow) {}

  void listen(Port port, const tcp::Options& options) {
    node().with([&] {
      const auto family = flow_.ipv6 != 0 ? IpFamily::kIpv6 : IpFamily::kIpv4;
      auto hold = node().host().tcp().bind({.local = {IpAddress::any(family), port}});
      listener_ = *node().host().tcp().listen(*hold, flow_.backlog, options);
      listener_->set_listener(this);
    });
  }
  void close() {
    if (listener_ == nullptr) return;
    node().with([&] { std::exchange(listener_, nullptr)->close(); });
  }
  void run() override {
    const Instant now = context_.simulation.now();
    while (listener_ != nullptr && now >= next_) {
      const auto accepted = listener_->accept();
      if (!accepted) return;
      const Endpoint client = (*accepted)->tuple().remote;
      const auto party = std::ranges::find_if(pairs, [&](const auto& pair) {
        return pair.first->has_begun() && !pair.second->has_begun() && pair.first->tuple().local == client;
      });
      if (party == pairs.end()) {
        // Its client has let go already, or this is one of its SYNs a second time.
        (*accepted)->abort();
      } else {
        party->second->adopt(**accepted);
      }
      if (flow_.accept_gap > 0 && now < context_.good_from) {
        next_ = now + milliseconds(flow_.accept_gap);
        context_.simulation.wake_at(next_, *this);
      }
    }
  }

  std::vector<std::pair<Party*, Party*>> pairs;  // client, server

 private:
  PartyContext& context_;
  const Flow& flow_;
  tcp::Listener* listener_ = nullptr;
  Instant next_{};
};

class World {
 public:
  World(const Scenario& scenario, Instant start, std::size_t keep_events);
  ~World() {
    for (auto& watch : watches_) watch->node().host().set_observer(nullptr);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Outcome run();
  // How long before the wrap that the scenario asks for the numbers of its first connection are; nullopt when
  // it has none.
  std::optional<Duration> time_to_wrap();

 private:
  sim::ChannelOptions trouble(bool is_back, bool corrupts) const;
  HostConfig host_config(std::size_t number) const;
  void build_network();
  void link(sim::Node& a, sim::Node& b, bool has_trouble, bool corrupts_both = true);
  void build_flows();
  void build_connection(const Flow& flow, std::size_t flow_number, std::uint32_t number, Acceptor* acceptor,
                        const Endpoint& server);
  bool after_step();
  bool all_done() const;
  void check_deadline(HostWatch& watch, const tcp::Connection& connection);
  HostWatch& watch_of(const sim::Node& node);
  void check_ends();
  void check_counters();
  void check_memory();

  Scenario scenario_;
  Instant start_;
  Instant good_from_;
  Judge judge_;
  HostWatch::Log log_;
  sim::Simulation simulation_;
  PartyContext context_;
  std::vector<sim::Node*> hosts_;
  std::vector<std::unique_ptr<HostWatch>> watches_;
  std::vector<Acceptor*> acceptors_;
  struct Pair {
    const Flow* flow;
    Party* client;
    Party* server;
  };
  std::vector<Pair> pairs_;
  std::uint64_t changes_seen_ = 0;
  bool is_done_ = false;  // all parties are
};

World::World(const Scenario& scenario, Instant start, std::size_t keep_events)
    : scenario_(made_possible(scenario)),
      start_(start),
      good_from_(start + milliseconds(scenario_.trouble)),
      simulation_(scenario_.seed, start),
      context_{simulation_, judge_, scenario_.seed, good_from_, good_from_ + kPatience} {
  log_.limit = keep_events;
  build_network();
  build_flows();
}

// ---------------------------------------------------------------- building

sim::ChannelOptions World::trouble(bool is_back, bool corrupts) const {
  const auto share = [](std::uint32_t of_ten_thousand) { return std::min(of_ten_thousand, 9000U) / 10000.0; };
  const auto at = [this](std::uint32_t after) { return std::min(start_ + milliseconds(after), good_from_); };
  sim::ChannelOptions options;
  options.rate = std::uint64_t{scenario_.rate} * 1000;
  options.delay = microseconds(scenario_.delay);
  options.jitter = microseconds(scenario_.jitter);
  options.loss.random = share(is_back ? scenario_.back_loss : scenario_.loss);
  if (scenario_.burst > 0)
    options.loss.burst.push_back(
        {.to_bad = share(scenario_.burst), .to_good = 1.0 / std::max(scenario_.burst_length, 1U)});
  options.reorder = share(scenario_.reorder);
  options.reorder_gap = std::max(scenario_.gap, 1U);
  options.duplicate = share(scenario_.duplicate);
  options.corrupt = corrupts ? share(scenario_.corrupt) : 0;
  options.queue = queue_words(scenario_.queue, std::max(scenario_.queue_limit, 1U));
  if (!fault_words(scenario_.fault).empty())
    options.faults.push_back(*sim::parse_packet_fault(fault_words(scenario_.fault)));
  const auto change = [&](sim::ChannelChange what) { options.changes.push_back(std::move(what)); };
  if (scenario_.black_hole != 0)
    change({.at = at(scenario_.black_hole_at), .mtu = std::max(scenario_.black_hole, 100U)});
  if (scenario_.down_for != 0) {
    change({.at = at(scenario_.down_at), .up = false});
    change({.at = at(scenario_.down_at + scenario_.down_for), .up = true});
  }
  if (scenario_.new_rate != 0)
    change({.at = at(scenario_.new_rate_at), .rate = std::uint64_t{scenario_.new_rate} * 1000});
  std::ranges::stable_sort(options.changes, {}, &sim::ChannelChange::at);
  constexpr std::uint64_t kGoodRate = 20'000'000;
  change({.at = good_from_, .rate = kGoodRate, .loss = sim::LossModel{}, .up = true, .mtu = 0U});
  return options;
}

HostConfig World::host_config(std::size_t number) const {
  const bool is_peer = number % 2 == 1;
  HostConfig config;
  config.tcp.sack = (is_peer ? scenario_.peer_sack : scenario_.sack) != 0;
  config.tcp.timestamps = (is_peer ? scenario_.peer_timestamps : scenario_.timestamps) != 0;
  config.tcp.window_scaling = (is_peer ? scenario_.peer_scaling : scenario_.scaling) != 0;
  config.tcp.ecn = static_cast<tcp::EcnMode>(is_peer ? scenario_.peer_ecn : scenario_.ecn);
  config.tcp.min_rto = milliseconds(std::max(scenario_.min_rto, 1U));
  config.tcp.max_half_open = scenario_.max_half_open;
  config.tcp.syn_cookies = scenario_.cookies != 0;
  return config;
}

// At most one link of a path may turn bits: a second one could turn them so that no checksum tells.
void World::link(sim::Node& a, sim::Node& b, bool has_trouble, bool corrupts_both) {
  sim::LinkOptions options;
  options.type = scenario_.ethernet != 0 ? link::LinkType::kEthernet : link::LinkType::kPointToPoint;
  options.mtu = has_trouble ? scenario_.mtu : scenario_.access_mtu;
  options.segmentation_offload = scenario_.offload != 0;
  if (has_trouble) {
    options.forth = trouble(false, true);
    options.back = trouble(true, corrupts_both);
  } else {
    options.forth.delay = microseconds(20);
  }
  if (const auto made = simulation_.add_link(a, b, options); !made) judge_.violate("network", made.error());
}

void World::build_network() {
  for (std::size_t i = 0; i < 2 * scenario_.pairs; ++i)
    hosts_.push_back(&simulation_.add_host(fmt::format("h{}", i), host_config(i)));
  std::vector<sim::Node*> routers;
  const auto router = [&]() -> sim::Node& {
    routers.push_back(&simulation_.add_router(fmt::format("r{}", routers.size())));
    return *routers.back();
  };
  switch (static_cast<Topology>(scenario_.topology)) {
    case Topology::kDumbbell: {
      sim::Node& left = router();
      sim::Node& right = router();
      link(left, right, true);
      for (std::size_t i = 0; i < hosts_.size(); ++i) link(*hosts_[i], i % 2 == 0 ? left : right, false);
      break;
    }
    case Topology::kStar: {
      sim::Node& hub = router();
      for (sim::Node* const host : hosts_) link(*host, hub, true, false);
      break;
    }
    case Topology::kParkingLot: {
      for (std::size_t i = 0; i < hosts_.size(); ++i) {
        sim::Node& here = router();
        link(*hosts_[i], here, false);
        if (i > 0) link(*routers[i - 1], here, i == 1 || i == 2, false);
      }
      break;
    }
    default:
      link(*hosts_[0], *hosts_[1], true);
      break;
  }
  simulation_.route();
  for (sim::Node* const host : hosts_)
    watches_.push_back(std::make_unique<HostWatch>(*host, judge_, scenario_.seed, log_));
  if (scenario_.new_mtu == 0) return;
  simulation_.at(start_ + milliseconds(scenario_.new_mtu_at), [this] {
    constexpr InterfaceId kFirst{2};
    for (sim::Node* const host : hosts_)
      host->with([&] { host->host().link().interface(kFirst)->set_mtu(scenario_.new_mtu); });
    if (scenario_.topology == 0) return;
    // The routers' ends of the hosts' links as well.
    for (const auto& node : simulation_.nodes()) {
      if (!node->is_router()) continue;
      for (std::uint16_t number = 2; auto* interface = node->host().link().interface(InterfaceId{number});
           ++number)
        node->with([&] { interface->set_mtu(scenario_.new_mtu); });
    }
  });
}

void World::build_flows() {
  constexpr std::uint16_t kFirstPort = 7000;
  for (std::size_t i = 0; i < scenario_.flows.size(); ++i) {
    const Flow& flow = scenario_.flows[i];
    const auto family = flow.ipv6 != 0 ? IpFamily::kIpv6 : IpFamily::kIpv4;
    sim::Node& to = *hosts_[flow.to];
    const Port port{static_cast<std::uint16_t>(kFirstPort + i)};
    const Endpoint server{to.address(family), port};
    Acceptor* acceptor = nullptr;
    if (flow.ending != static_cast<std::uint32_t>(Ending::kNobodyListens)) {
      acceptor = &simulation_.add<Acceptor>(to, context_, flow);
      acceptors_.push_back(acceptor);
    }
    for (std::uint32_t number = 0; number < std::max(flow.count, 1U); ++number)
      build_connection(flow, i, number, acceptor, server);
    if (acceptor != nullptr) acceptor->listen(port, pairs_.back().server->options());
  }
}

void World::build_connection(const Flow& flow, std::size_t flow_number, std::uint32_t number,
                             Acceptor* acceptor, const Endpoint& server_at) {
  const std::string name = fmt::format("flow {}.{}", flow_number, number);
  auto& client = simulation_.add<Party>(*hosts_[flow.from], context_, flow, true, name + " client");
  auto& server = simulation_.add<Party>(*hosts_[flow.to], context_, flow, false, name + " server");
  client.set_peer(server, server_at);
  server.set_peer(client, {});
  pairs_.push_back({&flow, &client, &server});
  if (acceptor != nullptr) acceptor->pairs.emplace_back(&client, &server);
  simulation_.wake_at(start_ + milliseconds(flow.start) + milliseconds(flow.stagger) * number, client);
}

// ---------------------------------------------------------------- running

std::optional<Duration> World::time_to_wrap() {
  struct Probe final : Observer {
    void on_event(const Event& event) override {
      if (const auto* packet = std::get_if<PacketEvent>(&event.what);
          packet != nullptr && packet->direction == Direction::kOut && !header)
        look(*packet);
    }
    void look(const PacketEvent& packet) {
      std::vector<std::uint8_t> octets(packet.packet.size());
      packet.packet.copy_out(0, octets);
      const auto layout = drivers::layout_of(
          octets, packet.has_ethernet_header ? link::LinkType::kEthernet : link::LinkType::kPointToPoint);
      if (!layout || layout->protocol != IpProtocol::kTcp) return;
      wire::Reader reader(Bytes(octets).subspan(layout->transport_offset));
      const auto parsed = wire::TcpHeader::parse(reader);
      if (parsed && parsed->flags.syn && parsed->flags.ack == wants_answer) header = *parsed;
    }
    bool wants_answer = false;
    std::optional<wire::TcpHeader> header;
  };
  const auto wrap = static_cast<Wrap>(scenario_.wrap);
  Probe probe;
  probe.wants_answer = wrap == Wrap::kServerSequence || wrap == Wrap::kServerClock;
  for (auto& watch : watches_) watch->node().host().set_observer(&probe);
  (void)simulation_.run_until(good_from_, [&] { return probe.header.has_value(); });
  for (auto& watch : watches_) watch->node().host().set_observer(watch.get());
  if (!probe.header) return std::nullopt;
  if (wrap == Wrap::kClientSequence || wrap == Wrap::kServerSequence)
    return microseconds(4) *
           (0U - scenario_.wrap_before - probe.header->sequence.value());  // RFC 9293 §3.4.1
  if (!probe.header->options.timestamps) return std::nullopt;
  return milliseconds(0U - scenario_.wrap_before - probe.header->options.timestamps->value);
}

bool World::all_done() const {
  return std::ranges::all_of(pairs_, [](const Pair& pair) {
    const bool may_be_alone =
        !pair.server->has_begun() &&
        (pair.client->may_fail() || pair.flow->ending == static_cast<std::uint32_t>(Ending::kNobodyListens));
    return pair.client->is_done() && (pair.server->is_done() || may_be_alone);
  });
}

// A deadline exists while something waits for the network, and a timer of its own for each connection.
void World::check_deadline(HostWatch& watch, const tcp::Connection& connection) {
  const tcp::Info info = connection.info();
  const bool is_open = info.state != tcp::State::kClosed && info.state != tcp::State::kTimeWait;
  const bool waits = is_open && (info.send_queue > 0 || info.state == tcp::State::kFinWait1 ||
                                 info.state == tcp::State::kClosing || info.state == tcp::State::kLastAck ||
                                 info.state == tcp::State::kSynSent);
  if (!waits) return;
  const bool has_timer = !info.timer.empty() || info.pacing_rate != 0;
  if (!has_timer || watch.node().host().next_deadline() == kNever)
    judge_.violate("deadlock",
                   fmt::format("{}: {} > {} {} has {} octets to send and no timer", watch.node().name(),
                               to_string(info.tuple.local), to_string(info.tuple.remote),
                               to_string(info.state), info.send_queue));
}

HostWatch& World::watch_of(const sim::Node& node) {
  for (auto& watch : watches_)
    if (&watch->node() == &node) return *watch;
  return *watches_.front();
}

bool World::after_step() {
  if (simulation_.steps() > kMaxSteps) judge_.violate("livelock", "a million events, and no end");
  if (std::exchange(changes_seen_, context_.changes) != context_.changes) {
    for (auto& watch : watches_) watch->connections.clear();
    for (const Pair& pair : pairs_) {
      for (Party* const party : {pair.client, pair.server})
        if (party->connection() != nullptr)
          watch_of(party->node()).connections.emplace(party->tuple(), party->connection());
    }
    if (all_done()) is_done_ = true;
  }
  for (auto& watch : watches_) {
    for (const tcp::FourTuple& tuple : watch->touched()) {
      const auto found = watch->connections.find(tuple);
      if (found != watch->connections.end()) check_deadline(*watch, *found->second);
    }
    watch->touched().clear();
  }
  return judge_.first().has_value();
}

Outcome World::run() {
  (void)simulation_.run_until(good_from_ + kLimit, [this] { return after_step() || is_done_; });
  if (!judge_.first()) check_ends();
  for (Acceptor* const acceptor : acceptors_) acceptor->close();
  if (!judge_.first()) {
    const bool is_idle = !simulation_.run_until(simulation_.now() + kLimit, [this] { return after_step(); });
    if (is_idle && !judge_.first()) {
      check_counters();
      check_memory();
    }
  }
  Outcome outcome;
  outcome.violation = judge_.first();
  outcome.last_events.assign(log_.lines.begin(), log_.lines.end());
  outcome.connections = pairs_.size();
  for (auto& watch : watches_) outcome.octets += watch->counts().octets_out;
  outcome.packets = simulation_.packets();
  outcome.steps = simulation_.steps();
  outcome.hash = simulation_.trace_hash();
  return outcome;
}

// ---------------------------------------------------------------- at the end

void World::check_ends() {
  for (const Pair& pair : pairs_) {
    if (!pair.client->is_done() || (pair.server->has_begun() && !pair.server->is_done()))
      judge_.violate("no end", pair.client->describe() + "; " + pair.server->describe());
    else if (!pair.client->may_fail() && !pair.client->has_failed() && !pair.server->is_done() &&
             pair.flow->ending != static_cast<std::uint32_t>(Ending::kNobodyListens))
      judge_.violate("no end", "never accepted: " + pair.client->describe());
  }
}

void World::check_counters() {
  const auto expect = [this](const std::string& where, std::string_view what, std::uint64_t left,
                             std::uint64_t right) {
    if (left != right) judge_.violate("counters", fmt::format("{}: {}: {} and {}", where, what, left, right));
  };
  for (auto& watch : watches_) {
    Host& host = watch->node().host();
    const Counters& counters = host.counters();
    const auto& counts = watch->counts();
    const std::string& name = watch->node().name();
    if (host.context().drops[static_cast<std::size_t>(DropReason::kFrameTooLong)] == 0)
      expect(name, "TcpInSegs, less those with bad checksums, and segments that came",
             counters[Counter::kTcpInSegs] - counters[Counter::kTcpInCsumErrors], counts.segments_in);
    expect(name, "TcpOutRsts and resets that went out", counters[Counter::kTcpOutRsts], counts.resets_out);
    if (counters[Counter::kLinkOutQueueDrops] + counters[Counter::kIpOutDiscards] +
            counters[Counter::kIpOutNoRoutes] + counters[Counter::kIpFragFails] +
            host.context().drops[static_cast<std::size_t>(DropReason::kNeighbourFailed)] +
            host.context().drops[static_cast<std::size_t>(DropReason::kNeighbourQueueFull)] ==
        0)
      expect(name, "TcpOutSegs and segments that went out", counters[Counter::kTcpOutSegs],
             counts.segments_out);
  }
  for (const auto& link : simulation_.links()) {
    for (const sim::Channel* const channel : {&link->forth(), &link->back()}) {
      const sim::ChannelStatistics& one = channel->statistics();
      const sim::QueueStatistics& queue = channel->queue().statistics();
      expect(
          link->name(), "packets in and out of the link", one.entered + one.duplicated,
          one.delivered + one.lost + one.faulted + one.too_long + queue.dropped_full + queue.dropped_early);
    }
  }
}

void World::check_memory() {
  for (auto& watch : watches_) {
    tcp::TcpLayer& tcp = watch->node().host().tcp();
    const std::size_t left = tcp.connection_count() + tcp.time_wait_count() + tcp.half_open_count();
    if (left > 0 || !tcp.connections().empty())
      judge_.violate("memory", fmt::format("{}: {} connections, {} in TIME-WAIT, {} half-open are left",
                                           watch->node().name(), tcp.connection_count(),
                                           tcp.time_wait_count(), tcp.half_open_count()));
  }
  const BufferPool& pool = simulation_.pool();
  const std::size_t frames = pool.in_use(BufferSize::kFrame);
  const std::size_t super_frames = pool.in_use(BufferSize::kSuperFrame);
  if (frames + super_frames > 0)
    judge_.violate("memory", fmt::format("{} frames and {} super-frames are left", frames, super_frames));
}

}  // namespace

Outcome run_scenario(const Scenario& scenario, std::size_t keep_events) {
  Instant start{};
  if (scenario.wrap != 0) {
    if (const auto left = World(scenario, start, 0).time_to_wrap()) start += *left;
  }
  return World(scenario, start, keep_events).run();
}

}  // namespace transom::test
