// Default address selection (RFC 6724): which of our addresses to speak from, and in which order to try the
// addresses of a peer. Pure functions over values; both families, IPv4 addresses taking part in their mapped
// form.
//
// Rule 4 of either list (home addresses) never decides: there are none here.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "stack/base/address.h"

namespace transom::ip {

// RFC 6724 §3.1, with the values of RFC 4291 §2.7.
enum class Scope : std::uint8_t { kInterfaceLocal = 1, kLinkLocal = 2, kSiteLocal = 5, kGlobal = 14 };
Scope scope_of(const IpAddress& address);

// The default policy table of RFC 6724 §2.1.
struct Policy {
  std::uint8_t precedence;
  std::uint8_t label;
};
Policy policy_of(const IpAddress& address);

struct SourceCandidate {
  IpPrefix prefix;  // the address, and the length of its on-link prefix
  bool is_deprecated = false;
  bool is_on_outgoing_interface = true;
  bool is_temporary = false;
};

// RFC 6724 §5: true when `a` is strictly better than `b` for speaking to `destination`.
bool is_better_source(const SourceCandidate& a, const SourceCandidate& b, const IpAddress& destination);
// The best candidate of the destination's family; the first of equals.
std::optional<IpAddress> select_source(std::span<const SourceCandidate> candidates,
                                       const IpAddress& destination);

// A destination, with the source that would be used; none when it cannot be reached.
struct DestinationCandidate {
  IpAddress address;
  std::optional<SourceCandidate> source;
};

// RFC 6724 §6: sorts by preference, the best first; equals keep their order (rule 10).
void sort_destinations(std::vector<DestinationCandidate>& destinations);

}  // namespace transom::ip
