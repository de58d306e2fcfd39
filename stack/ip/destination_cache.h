// All Destinations, found by keyed hash. Those that somebody holds stay; of the others the least recently
// held go when there are too many. Under a flood of new addresses the objects are used again, so nothing is
// allocated.
#pragma once

#include "stack/base/age_list.h"
#include "stack/base/context.h"
#include "stack/base/keyed_table.h"
#include "stack/ip/destination.h"
#include "stack/ip/routing.h"

namespace transom::ip {

class DestinationCache {
 public:
  DestinationCache(Context& context, const RouteTable& routes, const Routing& routing, std::size_t max_idle);
  ~DestinationCache();
  DestinationCache(const DestinationCache&) = delete;
  DestinationCache& operator=(const DestinationCache&) = delete;

  // The entry for `address`, resolved. Errors of Routing::resolve.
  Result<DestinationRef> get(const IpAddress& address, InterfaceId bound);
  // The entry if there is one, in whatever state.
  DestinationRef find(const IpAddress& address, InterfaceId bound) const {
    return DestinationRef(table_.find({address, bound}));
  }
  // Resolves again if routes or addresses have changed.
  Result<void> refresh(Destination& destination);

  std::size_t size() const { return table_.size(); }

 private:
  friend void detail::acquired(Destination& destination);
  friend void detail::released(Destination& destination);

  struct Key {
    IpAddress address;
    InterfaceId bound;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Traits {
    using Key = DestinationCache::Key;
    static Key key(const Destination& destination) { return {destination.address, destination.bound}; }
    static std::uint64_t hash(const SipKey& sip_key, const Key& key);
  };

  Destination& make(const Key& key);
  void discard(Destination& destination);

  Context& context_;
  const RouteTable& routes_;
  const Routing& routing_;
  std::size_t max_idle_;
  KeyedTable<Destination, Traits> table_;
  AgeList<Destination> idle_;  // held by nobody; the one released longest ago first
};

}  // namespace transom::ip
