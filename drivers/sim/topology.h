// Networks that are in every textbook, in one line. Each ends with Simulation::route().
#pragma once

#include "drivers/sim/simulation.h"

namespace transom::drivers::sim {

// a ─── b
std::expected<Link*, std::string> make_pair(Simulation& simulation, const LinkOptions& link,
                                            const HostConfig& config = {});

// left1 ─┐             ┌─ right1
// left2 ─┤ r1 ───── r2 ├─ right2      returns the link in the middle
//   ...  ┘             └─  ...
std::expected<Link*, std::string> make_dumbbell(Simulation& simulation, std::size_t hosts_per_side,
                                                const LinkOptions& access, const LinkOptions& bottleneck,
                                                const HostConfig& config = {});

// h1    h2    h3   ...
//  |     |     |
// r1 ── r2 ── r3 ── ...      `hops` links between routers
std::expected<void, std::string> make_parking_lot(Simulation& simulation, std::size_t hops,
                                                  const LinkOptions& access, const LinkOptions& bottleneck,
                                                  const HostConfig& config = {});

// h1, h2, ... each on a link of its own to the router "hub"
std::expected<void, std::string> make_star(Simulation& simulation, std::size_t hosts, const LinkOptions& link,
                                           const HostConfig& config = {});

}  // namespace transom::drivers::sim
