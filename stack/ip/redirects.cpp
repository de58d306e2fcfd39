#include "stack/ip/redirects.h"

namespace transom::ip {

bool Redirects::may_be_followed(const link::Interface& interface, const IpAddress& destination,
                                const IpAddress& target) const {
  if (!config_.accept_redirects || config_.forwarding) return false;
  // RFC 1122 §3.2.2.2: the new first hop is a neighbour on the link that the redirect came by. RFC 4861 §8.1:
  // named by its link-local address, unless it is the destination itself.
  const bool is_neighbour = target.is_v4() ? interface.is_on_link(target) && !target.is_link_local()
                                           : target.is_link_local() || target == destination;
  return is_neighbour && addresses_.is_unicast(target) && !addresses_.is_local(target) &&
         addresses_.is_unicast(destination) && !destination.is_link_local();
}

bool Redirects::follow(link::Interface& interface, const IpAddress& router, const IpAddress& destination,
                       const IpAddress& target) {
  bool is_followed = false;
  if (may_be_followed(interface, destination, target)) {
    // Whichever entries there are: of senders that let the route decide, and of those bound to this
    // interface.
    for (const InterfaceId bound : {InterfaceId::kAny, interface.id()}) {
      const DestinationRef entry = destinations_.find(destination, bound);
      if (!entry || !destinations_.refresh(*entry)) continue;
      // Only the router that it goes through now may say so.
      if (entry->interface != &interface || entry->next_hop != router || entry->next_hop == destination)
        continue;
      if (!entry->redirect) entry->redirect = Destination::Redirect{.routed_hop = router, .target = target};
      entry->redirect->target = target;
      entry->generation = 0;
      is_followed = destinations_.refresh(*entry).has_value() || is_followed;
    }
  }
  if (!is_followed) context_.drop(DropReason::kIcmpIgnored);
  return is_followed;
}

bool Redirects::give_up(Destination& destination) {
  if (!destination.redirect) return false;
  destination.redirect.reset();
  destination.generation = 0;
  return true;
}

}  // namespace transom::ip
