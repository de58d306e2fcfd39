// The applications of the recorded connections of one side, at a live peer: they connect to it, or wait for
// it, on the TCP of a Host.
#pragma once

#include <memory>

#include "drivers/replay/app_connection.h"
#include "drivers/replay/live_replay.h"
#include "stack/tcp/listener.h"

namespace transom::drivers::replay {

class AppReplay final : public ReadinessListener {
 public:
  // Within Host::enter() and leave(), as is everything else. `host` and `scripts` outlive it. `setup.limit`
  // does not count: packets are TCP's.
  AppReplay(Host& host, const std::map<std::size_t, TcpScript>& scripts, const LiveSetup& setup);
  AppReplay(const AppReplay&) = delete;
  AppReplay& operator=(const AppReplay&) = delete;
  ~AppReplay();

  // All connections have ended, or the time is over.
  bool is_over() const;
  bool has_waited_in_vain() const;
  const std::vector<std::unique_ptr<AppConnection>>& connections() const { return connections_; }
  std::size_t waiting() const { return waiting_.size(); }

  void on_readiness() override;

 private:
  struct Start {
    Instant when;
    AppConnection* connection;
    tcp::FourTuple tuple;
  };

  void start_loop();
  AppConnection& add(const TcpScript& script);
  void listen(Port port);
  void accept();
  void on_timer();
  bool has_running() const;

  Host& host_;
  const std::map<std::size_t, TcpScript>& scripts_;
  LiveSetup setup_;
  Pacing pacing_;
  std::vector<std::unique_ptr<AppConnection>> connections_;
  std::map<Port, tcp::Listener*> listeners_;
  std::vector<const TcpScript*> waiting_;  // a server's, in the order of the recording
  std::vector<Start> starting_;
  std::uint64_t loops_done_ = 0;
  Instant begin_{}, last_heard_{};
  Timer timer_{call_member<&AppReplay::on_timer>, this};
};

}  // namespace transom::drivers::replay
