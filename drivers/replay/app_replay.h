// The applications of the recorded connections of one side, at a live peer: they connect to it, or wait for
// it, on the TCP of a Host.
#pragma once

#include <memory>

#include "drivers/replay/app_connection.h"
#include "drivers/replay/live_replay.h"
#include "stack/link/frame_tap.h"
#include "stack/tcp/listener.h"

namespace transom::drivers::replay {

class AppReplay final : public ReadinessListener, private link::FrameTap {
 public:
  // Within Host::enter() and leave(), as is everything else. `host` and `scripts` outlive it; those of
  // datagrams are left out. `setup.limit` does not count: packets are TCP's.
  AppReplay(Host& host, const LiveScripts& scripts, const LiveSetup& setup);
  AppReplay(const AppReplay&) = delete;
  AppReplay& operator=(const AppReplay&) = delete;
  ~AppReplay();

  // All connections have ended, or the time is over.
  bool is_over() const { return stage_.is_over(); }
  bool has_waited_in_vain() const { return stage_.has_waited_in_vain(); }
  const std::vector<std::unique_ptr<AppConnection>>& connections() const { return connections_; }
  std::size_t waiting() const { return waiting_.size(); }
  void allow(std::uint64_t turns);  // of -o: so many more

  void on_readiness() override;  // of a listener

 private:
  void start_loop();
  AppConnection& add(const TcpScript& script);
  void listen(Port port);
  void accept();
  void on_frame(Direction direction, const link::Interface& interface, const Packet& frame) override;

  Host& host_;
  const LiveScripts& scripts_;
  LiveSetup setup_;
  Pacing pacing_;
  LiveStage stage_;
  std::vector<std::unique_ptr<AppConnection>> connections_;
  std::map<tcp::FourTuple, AppConnection*> current_;
  std::map<Port, tcp::Listener*> listeners_;
  std::vector<const TcpScript*> waiting_;  // a server's, in the order of the recording
  Timer accept_timer_{call_member<&AppReplay::accept>, this};
};

}  // namespace transom::drivers::replay
