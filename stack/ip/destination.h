// The destination cache (RFC 4861 §5.1 has the same for IPv6): one entry per remote address in use, holding
// what sending to it needs: interface, next hop, source address, path MTU, and the neighbour's place in its
// cache. Connections hold a DestinationRef; an entry that nobody holds may be evicted. When routes, addresses
// or interfaces change, entries are resolved again at their next use.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "stack/base/address.h"
#include "stack/base/age_list.h"
#include "stack/base/time.h"
#include "stack/link/link_layer.h"

namespace transom::ip {

class DestinationCache;

struct Destination {
  // The key.
  IpAddress address;
  InterfaceId bound = InterfaceId::kAny;  // required interface, for link-local and SO_BINDTODEVICE

  // The answer; valid while `generation` is that of the route table.
  link::Interface* interface = nullptr;
  IpAddress next_hop;
  IpAddress source;  // preferred source address (RFC 6724)
  link::NeighbourHandle neighbour;
  bool is_broadcast = false;
  bool is_multicast = false;
  bool is_local = false;  // one of our own addresses
  std::uint64_t generation = 0;

  // Learnt path MTU (RFC 1191, RFC 8201); 0 when none is known.
  std::uint32_t learnt_mtu = 0;
  Instant learnt_mtu_expires = kNever;
  // IPv4: a router reported less than the floor, so packets of the floor's size go without DF (RFC 1191 §3
  // allows it).
  bool mtu_is_locked = false;

  // What a router has said about the way (redirects.h). In force while the routes lead to `routed_hop`.
  struct Redirect {
    IpAddress routed_hop;
    IpAddress target;
  };
  std::optional<Redirect> redirect;

  std::uint32_t next_identification = 0;  // see identification.h

  // Kept by DestinationRef and the cache.
  std::uint32_t references = 0;
  DestinationCache* cache = nullptr;
  AgeLinks<Destination> links;
};

namespace detail {
// The first reference was taken, the last was given back: the cache may evict what nobody holds.
void acquired(Destination& destination);
void released(Destination& destination);
}  // namespace detail

// A counted reference. Copies are cheap; not for several threads.
class DestinationRef {
 public:
  DestinationRef() = default;
  explicit DestinationRef(Destination* destination) : destination_(destination) {
    if (destination_ != nullptr && destination_->references++ == 0) detail::acquired(*destination_);
  }
  DestinationRef(const DestinationRef& other) : DestinationRef(other.destination_) {}
  DestinationRef(DestinationRef&& other) noexcept
      : destination_(std::exchange(other.destination_, nullptr)) {}
  DestinationRef& operator=(DestinationRef other) noexcept {
    std::swap(destination_, other.destination_);
    return *this;
  }
  ~DestinationRef() {
    if (destination_ != nullptr && --destination_->references == 0) detail::released(*destination_);
  }

  explicit operator bool() const { return destination_ != nullptr; }
  Destination& operator*() const { return *destination_; }
  Destination* operator->() const { return destination_; }

 private:
  Destination* destination_ = nullptr;
};

}  // namespace transom::ip
