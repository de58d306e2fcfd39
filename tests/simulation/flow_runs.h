// Runs that several of these tests make: one flow on a path of its own, or several through a bottleneck.
#pragma once

#include <string>
#include <vector>

#include "drivers/sim/flow.h"
#include "drivers/sim/topology.h"

namespace transom::test {

struct LoneRun {
  std::string congestion_control = "cubic";
  drivers::sim::ChannelOptions path;  // forward; back: the same delay, neither rate nor loss
  Duration duration = std::chrono::seconds(10);
  HostConfig host{};
};
drivers::sim::FlowReport run_alone(const LoneRun& run);

// One flow for each algorithm, left to right through a dumbbell with 1 ms and 1 Gbit/s on each side.
std::vector<drivers::sim::FlowReport> run_together(const std::vector<std::string>& algorithms,
                                                   const drivers::sim::ChannelOptions& bottleneck,
                                                   Duration duration);

// Jain's index of their goodputs: 1 when all are equal, 1/n when one has everything.
double jain(const std::vector<drivers::sim::FlowReport>& reports);

}  // namespace transom::test
