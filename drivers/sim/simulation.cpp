#include "drivers/sim/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>

namespace transom::drivers::sim {

void Application::on_readiness() {
  if (is_woken_) return;
  is_woken_ = true;
  node_.woken_.push_back(this);
}

Node::Node(Simulation& simulation, std::string name, std::size_t number, BufferPool& pool,
           const HostConfig& config)
    : simulation_(simulation),
      name_(std::move(name)),
      number_(number),
      is_router_(config.ip.forwarding),
      host_(pool, config) {}

IpAddress Node::address(IpFamily family) const {
  if (ports_.empty()) return IpAddress::loopback(family);
  return family == IpFamily::kIpv4 ? ports_.front().v4 : ports_.front().v6;
}

Simulation::Simulation(std::uint64_t seed, Instant start)
    : now_(start), random_(seed_from_number(seed)), pattern_(seed) {
  add_participant(Kind::kCalls, 0);
}

// Applications and channels hold packets and pointers into the Hosts.
Simulation::~Simulation() {
  calls_.clear();
  links_.clear();
}

std::size_t Simulation::add_participant(Kind kind, std::size_t index) {
  participants_.push_back({kind, index});
  return agenda_.add();
}

Node& Simulation::add_node(const std::string& name, const HostConfig& config) {
  HostConfig own = config;
  own.seed = random_.key();
  own.start = now_;
  const std::size_t number = add_participant(Kind::kNode, nodes_.size());
  nodes_.push_back(std::make_unique<Node>(*this, name, number, pool_, own));
  names_.emplace(name, nodes_.back().get());
  return *nodes_.back();
}

Node& Simulation::add_host(const std::string& name, const HostConfig& config) {
  return add_node(name, config);
}

Node& Simulation::add_router(const std::string& name) {
  HostConfig config;
  config.ip.forwarding = true;
  return add_node(name, config);
}

Node* Simulation::find(std::string_view name) {
  const auto found = names_.find(std::string(name));
  return found == names_.end() ? nullptr : found->second;
}

std::expected<Link*, std::string> Simulation::add_link(Node& a, Node& b, const LinkOptions& options) {
  auto link = std::make_unique<Link>();
  link->name_ = fmt::format("{}-{}", a.name(), b.name());
  for (std::size_t i = 0; i < 2; ++i) {
    const ChannelOptions& channel = i == 1 && options.back ? *options.back : options.forth;
    auto made = Channel::make(channel, options.type, random_.key());
    if (!made) return std::unexpected(fmt::format("link {}: {}", link->name_, made.error()));
    link->channels_[i] = std::move(*made);
  }
  const std::size_t forth = add_participant(Kind::kChannel, receivers_.size());
  const std::size_t back = add_participant(Kind::kChannel, receivers_.size() + 1);
  const InterfaceId at_a = add_port(a, b, link->forth(), forth, options, 0);
  const InterfaceId at_b = add_port(b, a, link->back(), back, options, 1);
  receivers_.push_back({&b, at_b, &link->forth()});
  receivers_.push_back({&a, at_a, &link->back()});
  links_.push_back(std::move(link));
  return links_.back().get();
}

InterfaceId Simulation::add_port(Node& node, Node& peer, Channel& out, std::size_t out_number,
                                 const LinkOptions& options, std::size_t end) {
  const std::size_t subnet = links_.size();
  const auto v4 = [&](std::size_t host) {
    return IpAddress::v4(10, static_cast<std::uint8_t>(subnet >> 8U), static_cast<std::uint8_t>(subnet),
                         static_cast<std::uint8_t>(host + 1));
  };
  const auto v6 = [&](std::size_t host) {
    return *IpAddress::parse(fmt::format("fd00:{:x}::{}", subnet, host + 1));
  };
  link::InterfaceConfig config;
  config.name = fmt::format("eth{}", node.ports_.size());
  config.type = options.type;
  config.mac =
      MacAddress({2, 0, static_cast<std::uint8_t>(subnet >> 16U), static_cast<std::uint8_t>(subnet >> 8U),
                  static_cast<std::uint8_t>(subnet), static_cast<std::uint8_t>(end + 1)});
  config.mtu = options.mtu;
  config.offloads.checksum = true;  // computing what nobody can damage unseen would only take time
  config.offloads.segment_ipv4 = config.offloads.segment_ipv6 = options.segmentation_offload;
  config.coalesce = false;  // every segment is seen, and answered, by itself
  config.conflict_detection.enabled = false;
  config.transmit_limit = 1 << 20;
  const InterfaceId interface = node.host_.add_interface(config);
  (void)node.host_.add_address(interface, {v4(end), 24});
  (void)node.host_.add_address(interface, {v6(end), 64});
  node.ports_.push_back({.interface = interface,
                         .out = &out,
                         .out_number = out_number,
                         .v4 = v4(end),
                         .v6 = v6(end),
                         .peer = &peer,
                         .peer_v4 = v4(1 - end),
                         .peer_v6 = v6(1 - end)});
  return interface;
}

void Simulation::route() {
  for (const auto& node : nodes_) {
    if (!node->is_router()) {
      if (node->ports_.empty()) continue;
      const Node::Port& port = node->ports_.front();
      (void)node->host_.add_route({IpAddress::v4(0), 0}, port.peer_v4, port.interface);
      (void)node->host_.add_route({IpAddress::any(IpFamily::kIpv6), 0}, port.peer_v6, port.interface);
      continue;
    }
    // Breadth first over routers: the first link on the way to each node.
    std::unordered_map<const Node*, const Node::Port*> ways;
    std::deque<const Node*> frontier{node.get()};
    ways.emplace(node.get(), nullptr);
    while (!frontier.empty()) {
      const Node* const at = frontier.front();
      frontier.pop_front();
      for (const Node::Port& port : at->ports_) {
        const Node::Port* const first = at == node.get() ? &port : ways[at];
        if (!ways.emplace(port.peer, first).second) continue;
        if (at != node.get()) {
          (void)node->host_.add_route({port.peer_v4, 24}, first->peer_v4, first->interface);
          (void)node->host_.add_route({port.peer_v6, 64}, first->peer_v6, first->interface);
        }
        if (port.peer->is_router()) frontier.push_back(port.peer);
      }
    }
  }
}

void Simulation::at(Instant time, std::function<void()> call) {
  calls_.emplace(std::max(time, now_), std::move(call));
  agenda_.set(0, calls_.begin()->first);
}

bool Simulation::run_until(Instant end, const std::function<bool()>& until) {
  for (const auto& node : nodes_) after(*node);  // what was done before the run
  while (agenda_.deadline() <= end) {
    step();
    if (until && until()) return true;
  }
  if (end != kNever) now_ = std::max(now_, end);
  return false;
}

void Simulation::step() {
  ++steps_;
  now_ = std::max(now_, agenda_.deadline());
  const Participant participant = participants_[agenda_.first()];
  switch (participant.kind) {
    case Kind::kCalls:
      return make_calls();
    case Kind::kNode: {
      Node& node = *nodes_[participant.index];
      node.host_.advance(now_);
      return after(node);
    }
    case Kind::kChannel:
      return deliver(participant.index);
  }
}

void Simulation::make_calls() {
  while (!calls_.empty() && calls_.begin()->first <= now_) {
    const auto call = std::move(calls_.begin()->second);
    calls_.erase(calls_.begin());
    call();
  }
  agenda_.set(0, calls_.empty() ? kNever : calls_.begin()->first);
}

void Simulation::wake_at(Instant time, Application& application) {
  at(time, [this, &application] {
    application.on_readiness();
    after(application.node());
  });
}

void Simulation::deliver(std::size_t index) {
  const Receiver receiver = receivers_[index];
  PacketQueue arrived;
  receiver.channel->take(arrived, now_);
  const std::size_t first_channel = agenda_.first();
  agenda_.set(first_channel, receiver.channel->next_deadline());
  if (arrived.empty()) return;
  PacketQueue hashed;
  while (Packet packet = arrived.pop()) {
    hash(packet, index);
    hashed.push(std::move(packet));
  }
  receiver.node->host_.receive(receiver.interface, hashed, now_);
  after(*receiver.node);
}

void Simulation::after(Node& node) {
  while (!node.woken_.empty()) {
    node.running_.swap(node.woken_);
    node.host_.enter(now_);
    for (Application* const application : node.running_) {
      application->is_woken_ = false;
      application->run();
    }
    node.host_.leave();
    node.running_.clear();
  }
  for (const Node::Port& port : node.ports_) {
    PacketQueue& frames = node.host_.transmit_queue(port.interface);
    if (frames.empty()) continue;
    while (Packet frame = frames.pop()) port.out->put(std::move(frame), now_);
    agenda_.set(port.out_number, port.out->next_deadline());
  }
  agenda_.set(node.number_, node.host_.next_deadline());
}

void Simulation::hash(const Packet& packet, std::size_t receiver) {
  constexpr std::uint64_t kPrime = 0x9e3779b97f4a7c15ULL;
  const auto mix = [this](std::uint64_t word) {
    hash_ = (hash_ ^ word) * kPrime;
    hash_ ^= hash_ >> 29U;
  };
  ++packets_;
  mix(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
  mix(receiver << 32U | packet.size());
  Bytes head = packet.head();
  head = head.first(std::min<std::size_t>(head.size(), 128));
  while (!head.empty()) {
    std::uint64_t word = 0;
    const std::size_t octets = std::min(head.size(), sizeof word);
    std::memcpy(&word, head.data(), octets);
    mix(word);
    head = head.subspan(octets);
  }
}

}  // namespace transom::drivers::sim
