#include "stack/link/interface.h"

#include <algorithm>

namespace transom::link {

ConflictDetection ConflictDetection::quick() {
  using std::chrono::milliseconds;
  ConflictDetection times;
  times.probe_wait = Duration::zero();
  times.probe_count = 2;
  times.probe_min = milliseconds(10);
  times.probe_max = milliseconds(15);
  times.announce_wait = milliseconds(20);
  times.announce_interval = milliseconds(100);
  times.dad_interval = milliseconds(30);
  return times;
}

const InterfaceAddress* Interface::usable_address(const IpAddress& address) const {
  const auto found = std::find_if(addresses_.begin(), addresses_.end(), [&](const InterfaceAddress& entry) {
    return entry.prefix.address == address && entry.is_usable();
  });
  return found == addresses_.end() ? nullptr : &*found;
}

InterfaceAddress* Interface::find_address(const IpAddress& address) {
  const auto found = std::find_if(addresses_.begin(), addresses_.end(), [&](const InterfaceAddress& entry) {
    return entry.prefix.address == address;
  });
  return found == addresses_.end() ? nullptr : &*found;
}

bool Interface::is_directed_broadcast(const IpAddress& address) const {
  return std::any_of(addresses_.begin(), addresses_.end(), [&](const InterfaceAddress& entry) {
    return entry.is_usable() && entry.prefix.directed_broadcast() == address;
  });
}

bool Interface::is_on_link(const IpAddress& address) const {
  return address.is_link_local() ||
         std::ranges::any_of(addresses_,
                             [&](const InterfaceAddress& entry) {
                               return entry.traits.has_link_prefix && entry.prefix.contains(address);
                             }) ||
         std::ranges::any_of(advertised_.prefixes,
                             [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

const IpAddress* Interface::address_towards(const IpAddress& neighbour) const {
  const auto fit = [&](const InterfaceAddress& entry) {
    if (entry.prefix.contains(neighbour)) return 2;
    return entry.prefix.address.is_link_local() == neighbour.is_link_local() ? 1 : 0;
  };
  const InterfaceAddress* best = nullptr;
  for (const InterfaceAddress& entry : addresses_) {
    if (!entry.is_usable() || entry.prefix.address.family() != neighbour.family()) continue;
    if (best == nullptr || fit(entry) > fit(*best)) best = &entry;
  }
  return best == nullptr ? nullptr : &best->prefix.address;
}

bool Interface::is_member(const IpAddress& group) const {
  if (group == IpAddress::v4(224, 0, 0, 1) || group == kAllNodes) return true;
  const bool is_solicited_node =
      std::any_of(addresses_.begin(), addresses_.end(), [&](const InterfaceAddress& entry) {
        return entry.prefix.address.is_v6() && entry.state != AddressState::kDuplicated &&
               solicited_node_multicast(entry.prefix.address) == group;
      });
  return is_solicited_node ||
         std::any_of(memberships_.begin(), memberships_.end(),
                     [&](const Membership& membership) { return membership.group == group; });
}

void Interface::join(const IpAddress& group) {
  for (Membership& membership : memberships_) {
    if (membership.group == group) {
      ++membership.joins;
      return;
    }
  }
  memberships_.push_back({group, 1});
}

void Interface::leave(const IpAddress& group) {
  const auto found = std::find_if(memberships_.begin(), memberships_.end(),
                                  [&](const Membership& membership) { return membership.group == group; });
  if (found != memberships_.end() && --found->joins == 0) memberships_.erase(found);
}

IpAddress link_local_address(const MacAddress& mac) {
  const auto& octets = mac.octets();
  const auto flipped = static_cast<std::uint8_t>(octets[0] ^ 2);
  return IpAddress::v6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, flipped, octets[1], octets[2], 0xff, 0xfe, octets[3],
                        octets[4], octets[5]});
}

}  // namespace transom::link
