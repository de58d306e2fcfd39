// Redirects: a router on our link says that a destination is better reached by another first hop (RFC 792,
// RFC 1122 §3.2.2.2, §3.3.1.2, RFC 4861 §8).
//
// Believed only from the router that is used for that destination now, and only about a destination that
// something here is sending to; it changes the way to this one destination and never the route table. It
// lasts until the routes say something else, the new first hop does not answer, or the entry of the
// destination cache goes. Routers believe none (RFC 1812 §5.2.7.2, RFC 4861 §8.2).
#pragma once

#include "stack/ip/destination_cache.h"
#include "stack/ip/ip_layer.h"

namespace transom::ip {

class Redirects {
 public:
  Redirects(Context& context, const IpConfig& config, const Addresses& addresses,
            DestinationCache& destinations)
      : context_(context), config_(config), addresses_(addresses), destinations_(destinations) {}

  // `router` says, on the link of `interface`, that `destination` is reached by `target`: a neighbour, or the
  // destination itself. True when it is followed from now on.
  bool follow(link::Interface& interface, const IpAddress& router, const IpAddress& destination,
              const IpAddress& target);
  // Nobody answers at the first hop of `destination`. True when a redirect had named it: the way that the
  // routes know is then used again.
  bool give_up(Destination& destination);

 private:
  bool may_be_followed(const link::Interface& interface, const IpAddress& destination,
                       const IpAddress& target) const;

  Context& context_;
  const IpConfig& config_;
  const Addresses& addresses_;
  DestinationCache& destinations_;
};

}  // namespace transom::ip
