// Who of a capture's ends we play.
#pragma once

#include <expected>
#include <set>
#include <string>

#include "drivers/replay/survey.h"

namespace transom::drivers::replay {

struct Role {
  enum class Kind : std::uint8_t { kServer, kClient, kAddress };
  Kind kind = Kind::kServer;
  IpAddress address;  // kAddress

  // "server", "client", or an IP address. The error says what is understood.
  static std::expected<Role, std::string> parse(std::string_view text);
};

// An address is on one side in all of its flows: the first flow in which it appears says on which.
class Cast {
 public:
  // `groups`: who speaks to a multicast group, or to all hosts at once, is placed, too, as a client; without,
  // only who broadcasts to a network.
  Cast(const Scene& scene, const Role& role, bool groups = false);

  // Which end of the flow is ours; nullopt for a flow that is not between one of ours and one of theirs.
  std::optional<std::size_t> ours(std::size_t flow) const {
    return flow < ours_.size() ? ours_[flow] : std::nullopt;
  }
  bool is_ours(const IpAddress& address) const { return our_addresses_.contains(address); }
  const std::set<IpAddress>& our_addresses() const { return our_addresses_; }
  const std::set<IpAddress>& their_addresses() const { return their_addresses_; }

 private:
  void place_broadcaster(std::size_t flow, const IpAddress& sender, const Role& role);

  std::vector<std::optional<std::size_t>> ours_;
  std::set<IpAddress> our_addresses_, their_addresses_;
};

}  // namespace transom::drivers::replay
