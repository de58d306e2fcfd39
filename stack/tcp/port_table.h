// Who uses which local port: the claims of bind(), and how many connections and TIME-WAIT records sit on
// each.
#pragma once

#include <unordered_map>
#include <vector>

#include "stack/tcp/secrets.h"
#include "stack/tcp/tcp_layer.h"

namespace transom::tcp {

class PortTable {
 public:
  PortTable(const Config& config, Random& random) : config_(config), random_(random), users_(65536) {}

  // By the rules of Linux: two claims on a port conflict when their addresses (and interfaces) overlap,
  // unless both allow reuse of the address and neither listens, or both allow reuse of the port. Connections
  // that are left on a port conflict with a claim that does not allow reuse.
  Result<PortHold> bind(const BindRequest& request);
  // Marks a claim as listening; kAddressInUse when an overlapping one listens already.
  Result<void> listen(const PortHold& hold);

  // A free local port for a connection to `remote` (RFC 6056 §3.3.3): `is_free(port)` says whether the
  // four-tuple is unused.
  template <typename IsFree>
  Result<Port> choose(const Secrets& secrets, const IpAddress& local, const Endpoint& remote, IsFree is_free);

  void add_user(Port port) { ++users_[to_number(port)]; }
  void remove_user(Port port) { --users_[to_number(port)]; }

 private:
  friend class PortHold;
  struct Claim {
    Endpoint local;
    InterfaceId interface;
    bool dual_stack;
    bool reuse_address;
    bool reuse_port;
    bool is_listening;
    std::uint32_t id;
  };

  static bool overlap(const Claim& a, const Claim& b);
  bool conflicts(const Claim& wanted) const;
  void release(const PortHold& hold);
  std::vector<Claim>::iterator find(std::vector<Claim>& claims, const PortHold& hold);

  const Config& config_;
  Random& random_;
  std::unordered_map<std::uint16_t, std::vector<Claim>> claims_;
  std::vector<std::uint32_t> users_;  // connections per port
  std::uint32_t next_choice_ = 0;
  std::uint32_t next_claim_ = 0;
};

template <typename IsFree>
Result<Port> PortTable::choose(const Secrets& secrets, const IpAddress& local, const Endpoint& remote,
                               IsFree is_free) {
  const std::uint32_t count = config_.last_ephemeral_port - config_.first_ephemeral_port + 1U;
  const std::uint32_t offset = secrets.port_offset(local, remote);
  for (std::uint32_t i = 0; i < count; ++i) {
    // A step of random size after each connection keeps the next port unpredictable.
    next_choice_ += i == 0 ? 1 + static_cast<std::uint32_t>(random_.below(7)) : 1;
    const auto port = static_cast<Port>(config_.first_ephemeral_port + (offset + next_choice_) % count);
    if (!claims_.contains(to_number(port)) && is_free(port)) return port;
  }
  return std::unexpected(Error::kAddressNotAvailable);
}

}  // namespace transom::tcp
