#include "drivers/replay/cast.h"

#include <fmt/format.h>

namespace transom::drivers::replay {

namespace {

bool is_somebody(const IpAddress& address) {
  return !address.is_unspecified() && !address.is_multicast() && !address.is_limited_broadcast();
}

// The end that the role names, in a flow of addresses that no other flow has placed.
std::optional<std::size_t> choose(const Scene& scene, std::size_t number, const Role& role) {
  const Flow& flow = scene.flows[number];
  if (role.kind == Role::Kind::kAddress) {
    for (std::size_t side = 0; side < 2; ++side)
      if (flow.ends[side].address == role.address) return side;
    return std::nullopt;
  }
  std::size_t opener = 0;  // who was heard first
  if (const auto facts = scene.tcp.find(number); facts != scene.tcp.end()) {
    const auto& ends = facts->second.ends;
    if (!ends[0].is_opener && (ends[1].is_opener || (ends[0].initial && !ends[1].initial))) opener = 1;
  }
  return role.kind == Role::Kind::kClient ? opener : 1 - opener;
}

}  // namespace

std::expected<Role, std::string> Role::parse(std::string_view text) {
  if (text == "server") return Role{Kind::kServer, {}};
  if (text == "client") return Role{Kind::kClient, {}};
  if (const auto address = IpAddress::parse(text)) return Role{Kind::kAddress, *address};
  return std::unexpected(fmt::format("'{}' is neither 'server', 'client' nor an IP address", text));
}

Cast::Cast(const Scene& scene, const Role& role, bool groups) : ours_(scene.flows.size()) {
  // TCP first: it is clearer who opens a connection than who speaks first. What keeps a link running last:
  // of neighbours that ask for each other only the answer is between two ends.
  const auto rank_of = [](const Flow& flow) {
    if (flow.protocol == IpProtocol::kTcp) return 0;
    return flow.ends[0].port != Port::kNone || flow.ends[1].port != Port::kNone ? 1 : 2;
  };
  for (const int rank : {0, 1, 2}) {
    for (std::size_t number = 0; number < scene.flows.size(); ++number) {
      const Flow& flow = scene.flows[number];
      if (rank_of(flow) != rank) continue;
      const IpAddress &first = flow.ends[0].address, &second = flow.ends[1].address;
      if (!is_somebody(first) || first == second) continue;
      const bool is_to_group = groups && (second.is_multicast() || second.is_limited_broadcast());
      if (!is_somebody(second) && !is_to_group) continue;
      if (is_to_group || scene.broadcasts.contains(second)) {
        place_broadcaster(number, first, role);
        continue;
      }
      std::optional<std::size_t> ours;
      if (our_addresses_.contains(first) || their_addresses_.contains(second)) {
        ours = 0;
      } else if (our_addresses_.contains(second) || their_addresses_.contains(first)) {
        ours = 1;
      } else {
        ours = choose(scene, number, role);
      }
      if (!ours) continue;
      const IpAddress &mine = flow.ends[*ours].address, &other = flow.ends[1 - *ours].address;
      if (their_addresses_.contains(mine) || our_addresses_.contains(other)) continue;
      our_addresses_.insert(mine);
      their_addresses_.insert(other);
      ours_[number] = ours;
    }
  }
}

// Who asks all hosts of a network, or a group, is a client.
void Cast::place_broadcaster(std::size_t flow, const IpAddress& sender, const Role& role) {
  const bool is_ours = role.kind == Role::Kind::kAddress ? sender == role.address
                       : their_addresses_.contains(sender)
                           ? false
                           : our_addresses_.contains(sender) || role.kind == Role::Kind::kClient;
  (is_ours ? our_addresses_ : their_addresses_).insert(sender);
  if (is_ours) ours_[flow] = 0;
}

}  // namespace transom::drivers::replay
