#include "stack/ip/source_selection.h"

#include <algorithm>
#include <array>

namespace transom::ip {

namespace {

struct PolicyEntry {
  IpPrefix prefix;
  Policy policy;
};

constexpr IpAddress v6_prefix(std::uint8_t first, std::uint8_t second) {
  return IpAddress::v6({first, second});
}

// RFC 6724 §2.1, longest prefix first; IPv4-mapped (precedence 35, label 4) is what IpAddress calls IPv4.
constexpr Policy kIpv4Policy{35, 4};
constexpr std::array kPolicies{
    PolicyEntry{{IpAddress::loopback(IpFamily::kIpv6), 128}, {50, 0}},
    PolicyEntry{{IpAddress(), 96}, {1, 3}},
    PolicyEntry{{v6_prefix(0x20, 0x01), 32}, {5, 5}},
    PolicyEntry{{v6_prefix(0x20, 0x02), 16}, {30, 2}},
    PolicyEntry{{v6_prefix(0x3f, 0xfe), 16}, {1, 12}},
    PolicyEntry{{v6_prefix(0xfe, 0xc0), 10}, {1, 11}},
    PolicyEntry{{v6_prefix(0xfc, 0x00), 7}, {3, 13}},
    PolicyEntry{{IpAddress(), 0}, {40, 1}},
};

// RFC 6724 §2.2: bits beyond the prefix of the source do not count.
int common_length(const IpPrefix& source, const IpAddress& destination) {
  if (source.address.family() != destination.family()) return 0;
  return std::min<int>(common_prefix_length(source.address, destination), source.length);
}

// RFC 6724 §6, rules 1 to 9; rule 10 is a stable sort.
bool is_better_destination(const DestinationCandidate& a, const DestinationCandidate& b) {
  if (a.source.has_value() != b.source.has_value()) return a.source.has_value();  // rule 1: unusable
  if (!a.source) return false;
  const Scope scope_a = scope_of(a.address);
  const Scope scope_b = scope_of(b.address);
  const bool matches_a = scope_a == scope_of(a.source->prefix.address);
  const bool matches_b = scope_b == scope_of(b.source->prefix.address);
  if (matches_a != matches_b) return matches_a;                                            // rule 2
  if (a.source->is_deprecated != b.source->is_deprecated) return b.source->is_deprecated;  // rule 3
  const Policy policy_a = policy_of(a.address);
  const Policy policy_b = policy_of(b.address);
  const bool same_label_a = policy_a.label == policy_of(a.source->prefix.address).label;
  const bool same_label_b = policy_b.label == policy_of(b.source->prefix.address).label;
  if (same_label_a != same_label_b) return same_label_a;                                             // rule 5
  if (policy_a.precedence != policy_b.precedence) return policy_a.precedence > policy_b.precedence;  // rule 6
  if (scope_a != scope_b) return scope_a < scope_b;                                                  // rule 8
  if (a.address.family() != b.address.family()) return false;
  return common_length(a.source->prefix, a.address) > common_length(b.source->prefix, b.address);  // rule 9
}

}  // namespace

Scope scope_of(const IpAddress& address) {
  if (address.is_link_local() || address.is_loopback())
    return Scope::kLinkLocal;  // RFC 6724 §3.2, RFC 4007 §4
  if (address.is_v4()) return Scope::kGlobal;
  const auto& octets = address.octets();
  if (address.is_multicast()) {
    const unsigned scope = octets[1] & 0x0fU;
    if (scope <= 1) return Scope::kInterfaceLocal;
    if (scope <= 2) return Scope::kLinkLocal;
    return scope <= 5 ? Scope::kSiteLocal : Scope::kGlobal;
  }
  return octets[0] == 0xfe && (octets[1] & 0xc0) == 0xc0 ? Scope::kSiteLocal : Scope::kGlobal;
}

Policy policy_of(const IpAddress& address) {
  if (address.is_v4()) return kIpv4Policy;
  return std::ranges::find_if(kPolicies,
                              [&](const PolicyEntry& entry) { return entry.prefix.contains(address); })
      ->policy;
}

bool is_better_source(const SourceCandidate& a, const SourceCandidate& b, const IpAddress& destination) {
  const IpAddress& address_a = a.prefix.address;
  const IpAddress& address_b = b.prefix.address;
  if ((address_a == destination) != (address_b == destination)) return address_a == destination;  // rule 1
  const Scope scope_a = scope_of(address_a);
  const Scope scope_b = scope_of(address_b);
  if (scope_a != scope_b) {  // rule 2: the smallest that reaches, else the largest
    const Scope wanted = scope_of(destination);
    return scope_a < scope_b ? scope_a >= wanted : scope_b < wanted;
  }
  if (a.is_deprecated != b.is_deprecated) return b.is_deprecated;                                   // rule 3
  if (a.is_on_outgoing_interface != b.is_on_outgoing_interface) return a.is_on_outgoing_interface;  // rule 5
  const std::uint8_t label = policy_of(destination).label;
  const bool same_label_a = policy_of(address_a).label == label;
  const bool same_label_b = policy_of(address_b).label == label;
  if (same_label_a != same_label_b) return same_label_a;                               // rule 6
  if (a.is_temporary != b.is_temporary) return a.is_temporary;                         // rule 7
  return common_length(a.prefix, destination) > common_length(b.prefix, destination);  // rule 8
}

std::optional<IpAddress> select_source(std::span<const SourceCandidate> candidates,
                                       const IpAddress& destination) {
  const SourceCandidate* best = nullptr;
  for (const SourceCandidate& candidate : candidates) {
    if (candidate.prefix.address.family() != destination.family()) continue;
    if (best == nullptr || is_better_source(candidate, *best, destination)) best = &candidate;
  }
  if (best == nullptr) return std::nullopt;
  return best->prefix.address;
}

void sort_destinations(std::vector<DestinationCandidate>& destinations) {
  // Insertion sort: a name has few addresses, and std::stable_sort would allocate.
  for (auto place = destinations.begin(); place != destinations.end(); ++place) {
    std::rotate(std::upper_bound(destinations.begin(), place, *place, is_better_destination), place,
                place + 1);
  }
}

}  // namespace transom::ip
