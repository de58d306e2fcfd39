#include "stack/ip/destination_cache.h"

#include <vector>

#include "stack/ip/address_words.h"

namespace transom::ip {

namespace detail {

void acquired(Destination& destination) {
  if (destination.cache != nullptr) destination.cache->idle_.remove(destination);
}

void released(Destination& destination) {
  DestinationCache* const cache = destination.cache;
  if (cache == nullptr) return;
  cache->idle_.push(destination);
  if (cache->idle_.size() > cache->max_idle_) cache->discard(*cache->idle_.oldest());
}

}  // namespace detail

std::uint64_t DestinationCache::Traits::hash(const SipKey& sip_key, const Key& key) {
  const auto [high, low] = words_of(key.address);
  const std::uint64_t words[] = {high, low, static_cast<std::uint64_t>(key.bound)};
  return siphash_words(sip_key, words);
}

DestinationCache::DestinationCache(Context& context, const RouteTable& routes, const Routing& routing,
                                   std::size_t max_idle)
    : context_(context),
      routes_(routes),
      routing_(routing),
      max_idle_(max_idle),
      table_(context.random.key()) {}

DestinationCache::~DestinationCache() {
  std::vector<Destination*> all;
  table_.for_each([&](Destination& destination) { all.push_back(&destination); });
  for (Destination* destination : all) delete destination;
}

Result<DestinationRef> DestinationCache::get(const IpAddress& address, InterfaceId bound) {
  const Key key{address, bound};
  Destination* destination = table_.find(key);
  const bool is_new = destination == nullptr;
  if (is_new) destination = &make(key);
  if (const auto resolved = refresh(*destination); !resolved) {
    if (is_new) discard(*destination);
    return std::unexpected(resolved.error());
  }
  return DestinationRef(destination);
}

Result<void> DestinationCache::refresh(Destination& destination) {
  if (destination.generation == routes_.generation()) return {};
  return routing_.resolve(destination);
}

Destination& DestinationCache::make(const Key& key) {
  Destination* destination = nullptr;
  if (idle_.size() > 0 && idle_.size() >= max_idle_) {
    destination = idle_.oldest();
    table_.erase(*destination);
    idle_.remove(*destination);
    *destination = Destination{};
  } else {
    destination = new Destination;
  }
  destination->address = key.address;
  destination->bound = key.bound;
  destination->next_identification = static_cast<std::uint32_t>(context_.random.next());
  destination->cache = this;
  table_.insert(*destination);
  idle_.push(*destination);
  return *destination;
}

void DestinationCache::discard(Destination& destination) {
  table_.erase(destination);
  idle_.remove(destination);
  delete &destination;
}

}  // namespace transom::ip
