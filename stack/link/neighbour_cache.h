// The neighbours of one interface: which MAC address belongs to which IP address, and whether it still
// answers. One cache for ARP and NDP; the states are those of RFC 4861 §7.3.2 for both.
//
//   INCOMPLETE ─ answer ─► REACHABLE ─ time ─► STALE ─ use ─► DELAY ─ 5 s ─► PROBE ─ no answer ─► gone
//        └ no answer ─► FAILED for a while                          └ answer, or progress seen above ─►
//        REACHABLE
//
// Packets for a neighbour that is being resolved wait in its own bounded queue. The cache is bounded; the
// entries that were not used for longest go first. What is learnt from others' packets never creates more
// than a STALE entry, and never replaces a REACHABLE one unasked (ARP and NDP spoofing).
#pragma once

#include <memory>
#include <vector>

#include "stack/base/context.h"
#include "stack/base/keyed_table.h"
#include "stack/link/interface.h"
#include "stack/link/link_layer.h"

namespace transom::link {

class NeighbourCache;

struct Neighbour {
  Neighbour(NeighbourCache& the_cache, std::uint32_t the_index);

  void on_timer();

  NeighbourCache& cache;
  std::uint32_t index;  // of its slot
  std::uint32_t generation = 0;
  bool in_use = false;
  IpAddress address;
  MacAddress mac;
  NeighbourState state = NeighbourState::kIncomplete;
  std::uint8_t solicits = 0;  // without an answer
  Instant confirmed{};
  Instant last_used{};
  PacketQueue pending;
  Timer timer{call_member<&Neighbour::on_timer>, this};
};

// What the cache needs of the protocols around it.
class NeighbourResolver {
 public:
  // Asks for `address`: everybody, or only `known`, its last MAC address.
  virtual void solicit(Interface& interface, const IpAddress& address, const MacAddress* known) = 0;
  // The packet may go to this MAC address now.
  virtual void transmit(Interface& interface, Packet packet, const MacAddress& destination) = 0;
  virtual void failed(Interface& interface, Packet packet) = 0;

 protected:
  ~NeighbourResolver() = default;
};

class NeighbourCache {
 public:
  NeighbourCache(Context& context, const LinkConfig& config, Interface& interface,
                 NeighbourResolver& resolver);
  ~NeighbourCache();
  NeighbourCache(const NeighbourCache&) = delete;
  NeighbourCache& operator=(const NeighbourCache&) = delete;

  // Sends now, or queues and resolves.
  void send(Packet packet, const IpAddress& address, NeighbourHandle* handle);

  // A packet showed who `address` is, unasked: creates a STALE entry, or makes an entry with another MAC
  // doubtful.
  void learn(const IpAddress& address, const MacAddress& mac);
  // The same, but only for an entry that exists (ARP between others).
  void update(const IpAddress& address, const MacAddress& mac);
  // An answer: an ARP reply, or a neighbour advertisement (RFC 4861 §7.2.5).
  struct Answer {
    const MacAddress* mac = nullptr;
    bool solicited = false;
    bool overrides = false;
  };
  void answered(const IpAddress& address, const Answer& answer);
  // An ARP reply says nothing of why it was sent: it counts as an answer where one is awaited, else as
  // gossip.
  void arp_reply(const IpAddress& address, const MacAddress& mac);

  std::optional<MacAddress> known_mac(const IpAddress& address) const;
  void confirm(const IpAddress& address, NeighbourHandle* handle);
  void suspect(const IpAddress& address);

  void set_permanent(const IpAddress& address, const MacAddress& mac);
  bool forget(const IpAddress& address);
  void list(std::vector<NeighbourInfo>& out) const;

 private:
  friend struct Neighbour;
  struct ByAddress {
    using Key = IpAddress;
    static const IpAddress& key(const Neighbour& neighbour) { return neighbour.address; }
    static std::uint64_t hash(const SipKey& key, const IpAddress& address);
  };

  Neighbour* find(const IpAddress& address, NeighbourHandle* handle);
  Neighbour* create(const IpAddress& address);
  Neighbour* evict();
  void remove(Neighbour& neighbour);
  void resolved(Neighbour& neighbour, const MacAddress& mac, NeighbourState state);
  void start_resolution(Neighbour& neighbour);
  void start_probing(Neighbour& neighbour);
  void fail(Neighbour& neighbour);
  void enqueue(Neighbour& neighbour, Packet packet);
  void on_timer(Neighbour& neighbour);
  bool is_fresh(const Neighbour& neighbour) const;

  Context& context_;
  const LinkConfig& config_;
  Interface& interface_;
  NeighbourResolver& resolver_;
  Duration reachable_time_;
  std::vector<std::unique_ptr<Neighbour>> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t clock_hand_ = 0;
  KeyedTable<Neighbour, ByAddress> table_;
};

}  // namespace transom::link
