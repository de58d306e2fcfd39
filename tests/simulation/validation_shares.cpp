// What flows get, and what their queues are like.
#include <cmath>

#include "tests/simulation/flow_runs.h"
#include "tests/simulation/validation.h"

namespace transom::test {

using namespace std::chrono_literals;
using namespace drivers::sim;

std::vector<ValidationRow> validate_shares() {
  std::vector<ValidationRow> rows;
  const ChannelOptions red{
      .rate = 20'000'000,
      .delay = 10ms,
      .queue = "red limit 400kb min 29kb max 30kb avpkt 1500 burst 1 probability 1 bandwidth 20mbit ecn"};
  const ChannelOptions fifo{.rate = 20'000'000, .delay = 10ms, .queue = "pfifo limit 60"};
  for (const char* const name : {"reno", "cubic", "bbr", "dctcp"}) {
    const bool needs_marks = std::string_view(name) == "dctcp";
    const auto reports = run_together({name, name, name, name}, needs_marks ? red : fifo, 60s);
    rows.push_back({.result = fmt::format("Jain's index of four {} flows, 20 Mbit/s, RTT 24 ms, 60 s", name),
                    .source = "Chiu and Jain 1989",
                    .unit = "",
                    .kind = ValidationRow::Kind::kAtLeast,
                    .known = 0.9,
                    .measured = jain(reports)});
  }
  return rows;
}

// Two flows; the switch marks from 30 kB on.
std::vector<ValidationRow> validate_dctcp_queue() {
  constexpr double kThreshold = 30000;
  Simulation simulation(1);
  ChannelOptions bottleneck{.rate = 100'000'000, .delay = 1ms};
  bottleneck.queue =
      "red limit 400kb min 29kb max 30kb avpkt 1500 burst 1 probability 1 bandwidth 100mbit ecn";
  Link& link =
      **make_dumbbell(simulation, 2, {.forth = {.rate = 1'000'000'000, .delay = 1ms}}, {.forth = bottleneck});
  TcpFlow first(simulation, *simulation.find("left1"), *simulation.find("right1"),
                {.congestion_control = "dctcp"});
  TcpFlow second(simulation, *simulation.find("left2"), *simulation.find("right2"),
                 {.congestion_control = "dctcp"});
  simulation.run_for(1s);
  double sum = 0, samples = 0;
  while (simulation.now() < Instant(5s)) {
    simulation.run_for(100us);
    sum += static_cast<double>(link.forth().queue().octets());
    ++samples;
  }
  const auto one = first.report(), other = second.report();
  return {{.result = "DCTCP's mean queue at the marking threshold K = 30 kB, 100 Mbit/s, RTT 6 ms, two flows",
           .source = "Alizadeh et al. 2010; RFC 8257 §3",
           .unit = "octets",
           .known = kThreshold,
           .measured = sum / samples,
           .allowed = 0.25},
          {.result = "Share of the link that they use",
           .source = "Alizadeh et al. 2010",
           .unit = "",
           .kind = ValidationRow::Kind::kAtLeast,
           .known = 0.9,
           .measured = static_cast<double>(one.goodput + other.goodput) / 100e6},
          {.result = "Octets that they retransmit",
           .source = "Alizadeh et al. 2010",
           .unit = "octets",
           .kind = ValidationRow::Kind::kAtMost,
           .known = 0,
           .measured = static_cast<double>(one.info.bytes_retransmitted + other.info.bytes_retransmitted)}};
}

std::vector<ValidationRow> validate_bbr_under_loss() {
  const ChannelOptions path{
      .rate = 50'000'000, .delay = 20ms, .loss = *parse_loss("1%"), .queue = "pfifo limit 300"};
  const FlowReport bbr = run_alone({.congestion_control = "bbr", .path = path, .duration = 30s});
  const FlowReport reno = run_alone({.congestion_control = "reno", .path = path, .duration = 30s});
  return {{.result = "BBR's goodput at 1 % random loss, 50 Mbit/s, RTT 40 ms: most of the link",
           .source = "Cardwell et al. 2017; draft-ietf-ccwg-bbr §5.5.10",
           .unit = "Mbit/s",
           .kind = ValidationRow::Kind::kAtLeast,
           .known = 30,
           .measured = static_cast<double>(bbr.goodput) / 1e6},
          {.result = "Reno's goodput there: 1.31·MSS/(RTT·√p)",
           .source = "Ott et al. 1996",
           .unit = "Mbit/s",
           .known = 1.31 * 1448 * 8 / (0.040 * 0.1) / 1e6,
           .measured = static_cast<double>(reno.goodput) / 1e6,
           .allowed = 0.15}};
}

}  // namespace transom::test
