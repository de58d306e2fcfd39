// The recorded connections of one side, live: takes TCP's place in a Host, whose lower layers find the peer
// (ARP, NDP, routes) and answer echoes.
#pragma once

#include <memory>

#include "drivers/replay/live_connection.h"
#include "stack/host.h"

namespace transom::drivers::replay {

struct LiveSetup {
  LiveOptions options;
  Speed speed;
  IpAddress local;                     // of the Host
  std::optional<IpAddress> peer;       // of a client: where to connect to
  std::optional<Port> port;            // the server's, if not as recorded
  std::uint64_t loops = 1;             // -l; 0: for ever
  std::optional<std::uint64_t> limit;  // -L: packets
  std::optional<Duration> duration;
};

class LiveReplay final : public ip::Transport {
 public:
  // Within Host::enter() and leave(), as is everything else. `host` and `scripts` outlive it. From then on
  // the Host's own TCP gets nothing.
  LiveReplay(Host& host, const std::map<std::size_t, TcpScript>& scripts, const LiveSetup& setup);
  LiveReplay(const LiveReplay&) = delete;
  LiveReplay& operator=(const LiveReplay&) = delete;
  ~LiveReplay() = default;

  // All connections are done, or one has stalled or was reset, or a limit is reached.
  bool is_over() const;
  const std::vector<std::unique_ptr<LiveConnection>>& connections() const { return connections_; }
  std::size_t waiting() const { return waiting_.size(); }  // scripts of a server that nobody has come for
  std::uint64_t packets() const { return pacing_.packets(); }
  // Nobody has come to a server, or nothing has moved, for so long.
  bool has_waited_in_vain() const;
  // Called whenever is_over() may have changed.
  void set_listener(std::function<void()> listener) { listener_ = std::move(listener); }

  void receive(const ip::Received& received, Packet packet) override;
  bool icmp_error(const ip::IcmpError& /*error*/) override { return false; }

 private:
  void start_loop();
  LiveConnection& connect(const TcpScript& script, const tcp::FourTuple& tuple);
  LiveConnection* accept(const tcp::FourTuple& tuple);
  void send(const tcp::FourTuple& tuple, const wire::TcpHeader& header, Bytes payload);
  void on_timer();
  void settle();

  Host& host_;
  const std::map<std::size_t, TcpScript>& scripts_;
  LiveSetup setup_;
  Pacing pacing_;
  std::vector<std::unique_ptr<LiveConnection>> connections_;
  std::map<tcp::FourTuple, LiveConnection*> current_;
  std::vector<const TcpScript*> waiting_;  // a server's, in the order of the recording
  std::vector<std::pair<Instant, LiveConnection*>> starting_;
  std::uint64_t loops_done_ = 0;
  Instant begin_{};
  Instant last_heard_{};
  Timer timer_{call_member<&LiveReplay::on_timer>, this};
  std::function<void()> listener_;
};

}  // namespace transom::drivers::replay
