#include "drivers/sim/topology.h"

#include <fmt/format.h>

namespace transom::drivers::sim {

using Failure = std::unexpected<std::string>;

std::expected<Link*, std::string> make_pair(Simulation& simulation, const LinkOptions& link,
                                            const HostConfig& config) {
  Node& a = simulation.add_host("a", config);
  Node& b = simulation.add_host("b", config);
  auto made = simulation.add_link(a, b, link);
  simulation.route();
  return made;
}

std::expected<Link*, std::string> make_dumbbell(Simulation& simulation, std::size_t hosts_per_side,
                                                const LinkOptions& access, const LinkOptions& bottleneck,
                                                const HostConfig& config) {
  Node& r1 = simulation.add_router("r1");
  Node& r2 = simulation.add_router("r2");
  const auto middle = simulation.add_link(r1, r2, bottleneck);
  if (!middle) return middle;
  for (std::size_t i = 1; i <= hosts_per_side; ++i) {
    Node& left = simulation.add_host(fmt::format("left{}", i), config);
    Node& right = simulation.add_host(fmt::format("right{}", i), config);
    if (auto made = simulation.add_link(left, r1, access); !made) return made;
    if (auto made = simulation.add_link(r2, right, access); !made) return made;
  }
  simulation.route();
  return middle;
}

std::expected<void, std::string> make_parking_lot(Simulation& simulation, std::size_t hops,
                                                  const LinkOptions& access, const LinkOptions& bottleneck,
                                                  const HostConfig& config) {
  Node* before = nullptr;
  for (std::size_t i = 1; i <= hops + 1; ++i) {
    Node& router = simulation.add_router(fmt::format("r{}", i));
    Node& host = simulation.add_host(fmt::format("h{}", i), config);
    if (before != nullptr) {
      if (auto made = simulation.add_link(*before, router, bottleneck); !made) return Failure(made.error());
    }
    if (auto made = simulation.add_link(host, router, access); !made) return Failure(made.error());
    before = &router;
  }
  simulation.route();
  return {};
}

std::expected<void, std::string> make_star(Simulation& simulation, std::size_t hosts, const LinkOptions& link,
                                           const HostConfig& config) {
  Node& hub = simulation.add_router("hub");
  for (std::size_t i = 1; i <= hosts; ++i) {
    Node& host = simulation.add_host(fmt::format("h{}", i), config);
    if (auto made = simulation.add_link(host, hub, link); !made) return Failure(made.error());
  }
  simulation.route();
  return {};
}

}  // namespace transom::drivers::sim
