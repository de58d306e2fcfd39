// A network in virtual time: Hosts, joined by links, driven by one clock. A run is a function of what was
// built and of its seed: the same packets, at the same nanoseconds, on every machine.
//
//   Simulation simulation(7);
//   Node& a = simulation.add_host("a");
//   Node& b = simulation.add_host("b");
//   simulation.add_link(a, b, {.rate = 100'000'000, .delay = 20ms});
//   simulation.route();
//   Flow& flow = simulation.add<TcpFlow>(...);            see flow.h
//   simulation.run_for(60s);
//
// Whatever speaks on a node is an Application: it is called when one of its sockets can do something, or when
// it asked to be.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "drivers/sim/agenda.h"
#include "drivers/sim/channel.h"
#include "drivers/sim/pattern.h"
#include "stack/base/readiness.h"
#include "stack/host.h"

namespace transom::drivers::sim {

class Node;
class Simulation;

class Application : public ReadinessListener {
 public:
  explicit Application(Node& node) : node_(node) {}
  virtual ~Application() = default;
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  // Something may have become possible. May make socket calls of its node.
  virtual void run() = 0;

  Node& node() { return node_; }
  void on_readiness() override;  // run() soon

 private:
  friend class Simulation;
  Node& node_;
  bool is_woken_ = false;
};

class Node {
 public:
  Node(Simulation& simulation, std::string name, std::size_t number, BufferPool& pool,
       const HostConfig& config);

  const std::string& name() const { return name_; }
  Host& host() { return host_; }
  bool is_router() const { return is_router_; }
  // Of its first link.
  IpAddress address(IpFamily family = IpFamily::kIpv4) const;

  // Makes a socket call from outside run(): the clock is right, and what becomes due is sent.
  template <typename Call>
  decltype(auto) with(Call call);

 private:
  friend class Simulation;
  friend class Application;
  struct Port {
    InterfaceId interface;
    Channel* out;
    std::size_t out_number;  // of the channel, in the agenda
    IpAddress v4, v6;
    Node* peer;
    IpAddress peer_v4, peer_v6;
  };

  Simulation& simulation_;
  std::string name_;
  std::size_t number_;  // in the agenda
  bool is_router_;
  Host host_;
  std::vector<Port> ports_;
  std::vector<Application*> woken_;    // to be run
  std::vector<Application*> running_;  // being run
};

// What add_link() takes: the same in both directions, unless `back` is given.
struct LinkOptions {
  ChannelOptions forth;
  std::optional<ChannelOptions> back{};
  link::LinkType type = link::LinkType::kPointToPoint;  // or kEthernet, with ARP and NDP
  std::uint32_t mtu = 1500;                             // of the interfaces at both ends
  bool segmentation_offload =
      false;  // TCP super-segments cross the link whole, as if a device would cut them
};

class Link {
 public:
  const std::string& name() const { return name_; }  // "a-b"
  Channel& forth() { return *channels_[0]; }         // from the first node to the second
  Channel& back() { return *channels_[1]; }
  const Channel& forth() const { return *channels_[0]; }
  const Channel& back() const { return *channels_[1]; }

 private:
  friend class Simulation;
  std::string name_;
  std::unique_ptr<Channel> channels_[2];
};

class Simulation {
 public:
  // The clock stands at `start` at first.
  explicit Simulation(std::uint64_t seed, Instant start = {});
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  Node& add_host(const std::string& name, const HostConfig& config = {});
  Node& add_router(const std::string& name);
  // Gives both ends an interface with addresses of a subnet of its own: link number n has 10.n/256.n%256.0/24
  // and fd00:n::/64. An error in the words of a queue.
  std::expected<Link*, std::string> add_link(Node& a, Node& b, const LinkOptions& options);
  // Call it once, when all links are there: hosts get a default route, routers the shortest way (in links) to
  // each subnet.
  void route();

  // The application lives as long as the simulation. It is not called before something wakes it.
  template <typename Kind, typename... Arguments>
  Kind& add(Arguments&&... arguments) {
    auto made = std::make_unique<Kind>(std::forward<Arguments>(arguments)...);
    Kind& application = *made;
    applications_.push_back(std::move(made));
    return application;
  }
  // Calls it in virtual time; in the order of the times, and for equal ones of the calls.
  void at(Instant time, std::function<void()> call);
  void wake_at(Instant time, Application& application);

  // Runs until nothing is left to do, the time is up, or `until` says so; it is asked after each step. True
  // when it has.
  bool run_until(Instant end, const std::function<bool()>& until = nullptr);
  bool run_for(Duration duration, const std::function<bool()>& until = nullptr) {
    return run_until(now_ + duration, until);
  }

  Instant now() const { return now_; }
  Random& random() { return random_; }  // for what is built on it
  // What flows send, and a place for what they read; for use within one run().
  const Pattern& pattern() const { return pattern_; }
  MutableBytes scratch() { return scratch_; }
  BufferPool& pool() { return pool_; }
  Node* find(std::string_view name);
  const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  const std::vector<std::unique_ptr<Link>>& links() const { return links_; }

  // Over every packet that was delivered: when, where, how long, and its first 128 octets.
  std::uint64_t trace_hash() const { return hash_; }
  std::uint64_t packets() const { return packets_; }  // delivered, by all channels
  std::uint64_t steps() const { return steps_; }

 private:
  friend class Node;
  struct Receiver {  // at the end of a channel
    Node* node;
    InterfaceId interface;
    Channel* channel;
  };
  enum class Kind : std::uint8_t { kCalls, kNode, kChannel };
  struct Participant {
    Kind kind;
    std::size_t index;  // in nodes_ or receivers_
  };

  Node& add_node(const std::string& name, const HostConfig& config);
  std::size_t add_participant(Kind kind, std::size_t index);
  InterfaceId add_port(Node& node, Node& peer, Channel& out, std::size_t out_number,
                       const LinkOptions& options, std::size_t end);
  void step();
  void make_calls();
  void deliver(std::size_t receiver);
  void after(Node& node);  // it has done something: applications, frames, deadline
  void hash(const Packet& packet, std::size_t receiver);

  Instant now_{};
  Random random_;
  Pattern pattern_;
  std::vector<std::uint8_t> scratch_ = std::vector<std::uint8_t>(Pattern::kMaxPiece);
  BufferPool pool_;
  Agenda agenda_;
  std::vector<Participant> participants_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::unordered_map<std::string, Node*> names_;
  std::vector<std::unique_ptr<Link>> links_;
  std::vector<Receiver> receivers_;
  std::vector<std::unique_ptr<Application>> applications_;
  std::multimap<Instant, std::function<void()>> calls_;
  std::uint64_t hash_ = 14695981039346656037ULL;
  std::uint64_t packets_ = 0;
  std::uint64_t steps_ = 0;
};

template <typename Call>
decltype(auto) Node::with(Call call) {
  struct Visit {
    explicit Visit(Node& a_node) : node(a_node) { node.host_.enter(node.simulation_.now_); }
    ~Visit() {
      node.host_.leave();
      node.simulation_.after(node);
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    Node& node;
  } visit(*this);
  return call();
}

}  // namespace transom::drivers::sim
