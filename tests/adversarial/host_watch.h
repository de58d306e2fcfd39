// The observer of one host in a run: hands its packets to a WireWatch, holds its sender against the
// congestion window, and keeps the last events for the report.
#pragma once

#include <deque>

#include "drivers/sim/simulation.h"
#include "drivers/trace/event_text.h"
#include "stack/tcp/connection.h"
#include "tests/adversarial/judge.h"
#include "tests/adversarial/wire_watch.h"

namespace transom::test {

class HostWatch final : public Observer {
 public:
  struct Log {
    std::size_t limit = 0;
    std::deque<std::string> lines{};
  };

  HostWatch(drivers::sim::Node& node, Judge& judge, std::uint32_t seed, Log& log);
  void on_event(const Event& event) override;

  // The connections that an application of this host holds now.
  std::map<tcp::FourTuple, tcp::Connection*> connections;

  drivers::sim::Node& node() { return node_; }
  const WireWatch::Counts& counts() const { return wire_.counts(); }
  // Connections of which something was seen.
  std::vector<tcp::FourTuple>& touched() { return touched_; }

 private:
  void touch(const std::optional<tcp::FourTuple>& tuple);
  void check_congestion_window(const TcpSendEvent& send);
  void keep(const Event& event);

  drivers::sim::Node& node_;
  Judge& judge_;
  WireWatch wire_;
  Log& log_;
  drivers::EventText words_;
  std::vector<tcp::FourTuple> touched_;
  std::map<tcp::FourTuple, std::uint32_t>
      forced_;  // retransmissions beyond the window since the last packet or timer
};

}  // namespace transom::test
