// The destination cache (RFC 4861 §5.1 has the same for IPv6): one entry per remote address in use, holding what sending to it needs:
// interface, next hop, source address, path MTU, and the neighbour's place in its cache. Connections hold
// a DestinationRef; an entry that nobody holds may be evicted. When routes, addresses or interfaces change, entries are
// resolved again at their next use.
#pragma once

#include <cstdint>
#include <utility>

#include "stack/base/address.h"
#include "stack/base/time.h"
#include "stack/link/link_layer.h"

namespace transom::ip {

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

  std::uint32_t references = 0;
  Instant last_used{};
};

// A counted reference. Copies are cheap; not for several threads.
class DestinationRef {
 public:
  DestinationRef() = default;
  explicit DestinationRef(Destination* destination) : destination_(destination) {
    if (destination_ != nullptr) ++destination_->references;
  }
  DestinationRef(const DestinationRef& other) : DestinationRef(other.destination_) {}
  DestinationRef(DestinationRef&& other) noexcept : destination_(std::exchange(other.destination_, nullptr)) {}
  DestinationRef& operator=(DestinationRef other) noexcept {
    std::swap(destination_, other.destination_);
    return *this;
  }
  ~DestinationRef() {
    if (destination_ != nullptr) --destination_->references;
  }

  explicit operator bool() const { return destination_ != nullptr; }
  Destination& operator*() const { return *destination_; }
  Destination* operator->() const { return destination_; }

 private:
  Destination* destination_ = nullptr;
};

}  // namespace transom::ip
