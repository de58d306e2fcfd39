// The recorded conversations of one side, live: takes TCP's and UDP's place in a Host, whose lower layers
// find the peer (ARP, NDP, routes).
#pragma once

#include "drivers/replay/live_connection.h"
#include "drivers/replay/live_datagrams.h"

namespace transom::drivers::replay {

// By flow.
struct LiveScripts {
  std::map<std::size_t, TcpScript> tcp;
  std::map<std::size_t, DatagramScript> datagrams;
};

class LiveReplay final : public ip::Transport {
 public:
  // Within Host::enter() and leave(), as is everything else. `host` and `scripts` outlive it. From then on
  // the Host's own TCP gets nothing.
  LiveReplay(Host& host, const LiveScripts& scripts, const LiveSetup& setup);
  LiveReplay(const LiveReplay&) = delete;
  LiveReplay& operator=(const LiveReplay&) = delete;
  ~LiveReplay() { host_.ip().register_transport(IpProtocol::kTcp, host_.tcp()); }

  // All conversations are done, or have stalled or were reset, or a limit is reached.
  bool is_over() const;
  const std::vector<std::unique_ptr<LiveConnection>>& connections() const { return connections_; }
  const std::vector<std::unique_ptr<DatagramExchange>>& exchanges() const { return datagrams_.exchanges(); }
  // Scripts that nobody has come for.
  std::size_t waiting() const { return waiting_.size() + datagrams_.waiting(); }
  std::uint64_t packets() const { return pacing_.packets(); }
  bool has_waited_in_vain() const { return stage_.has_waited_in_vain(); }
  // Called whenever is_over() may have changed.
  void set_listener(std::function<void()> listener) { stage_.set_listener(std::move(listener)); }
  // Of -o: so many more steps may be done.
  void allow(std::uint64_t steps);

  void receive(const ip::Received& received, Packet packet) override;
  bool icmp_error(const ip::IcmpError& error) override;

 private:
  void start_loop();
  LiveConnection& connect(const TcpScript& script, const tcp::FourTuple& tuple);
  LiveConnection* accept(const tcp::FourTuple& tuple);
  void send(const tcp::FourTuple& tuple, const wire::TcpHeader& header, Bytes payload,
            std::span<const FragmentRange> fragments);
  void send_error(const tcp::FourTuple& tuple, std::vector<std::uint8_t> message);

  Host& host_;
  const LiveScripts& scripts_;
  LiveSetup setup_;
  Pacing pacing_;
  LiveStage stage_;
  LiveDatagrams datagrams_;
  FastOpenCookies cookies_;
  std::vector<std::unique_ptr<LiveConnection>> connections_;
  std::map<tcp::FourTuple, LiveConnection*> current_;
  std::vector<const TcpScript*> waiting_;  // a server's, in the order of the recording
};

}  // namespace transom::drivers::replay
