// The neighbours of one interface: which MAC address belongs to which IP address, and whether it still
// answers. One cache for ARP and NDP; the states are those of RFC 4861 §7.3.2 for both.
//
//   INCOMPLETE ─ answer ─► REACHABLE ─ time ─► STALE ─ use ─► DELAY ─ 5 s ─► PROBE ─ no answer ─► gone
//        └ no answer ─► FAILED for a while                          └ answer, or progress above ─► REACHABLE
//
// Packets for a neighbour that is being resolved wait in its own bounded queue; all that wait are bounded
// together, too. That a REACHABLE entry has grown old is noticed when it is used, not by a timer.
//
// Whom to believe. An answer is believed where one was asked for. What others say unasked never makes more
// than a STALE entry, which is probed soon after its use. For ARP, hearsay of another MAC address has no
// effect on an entry that answered within the reachable time but that it is probed at its known address; only
// when nobody answers there, everybody is asked (ARP poisoning). NDP replaces as RFC 4861 §7.2.3 and §7.2.5
// say.
#pragma once

#include <optional>
#include <vector>

#include "stack/base/context.h"
#include "stack/link/interface.h"
#include "stack/link/link_layer.h"
#include "stack/link/neighbour_table.h"

namespace transom::link {

// What the cache needs of the protocols around it.
class NeighbourResolver {
 public:
  // Asks for `address`: everybody, or only `known`, its last MAC address.
  virtual void solicit(Interface& interface, const IpAddress& address, const MacAddress* known) = 0;
  // The packet may go to this MAC address now.
  virtual void transmit(Interface& interface, Packet packet, const MacAddress& destination) = 0;
  // The packet cannot go anywhere.
  virtual void failed(Interface& interface, Packet packet) = 0;

 protected:
  ~NeighbourResolver() = default;
};

class NeighbourCache {
 public:
  NeighbourCache(Context& context, const LinkConfig& config, Interface& interface,
                 NeighbourResolver& resolver);
  NeighbourCache(const NeighbourCache&) = delete;
  NeighbourCache& operator=(const NeighbourCache&) = delete;

  // Sends now, or queues and resolves.
  void send(Packet packet, const IpAddress& address, NeighbourHandle* handle);

  // An ARP request to us showed who asks: creates a STALE entry, or makes one with another MAC doubtful.
  void learn(const IpAddress& address, const MacAddress& mac);
  // The same, but only for an entry that exists (ARP between others).
  void overhear(const IpAddress& address, const MacAddress& mac);
  // A neighbour solicitation did (RFC 4861 §7.2.3): creates a STALE entry, or makes one with another MAC
  // STALE.
  void learn_from_solicitation(const IpAddress& address, const MacAddress& mac);

  // A neighbour advertisement (RFC 4861 §7.2.5).
  struct Advertised {
    const MacAddress* mac = nullptr;
    bool solicited = false;
    bool overrides = false;
  };
  void advertised(const IpAddress& address, const Advertised& what);
  // An ARP reply says nothing of why it was sent: it is an answer where one is awaited, else hearsay.
  void arp_reply(const IpAddress& address, const MacAddress& mac);

  std::optional<MacAddress> known_mac(const IpAddress& address) const;
  void confirm(const IpAddress& address, NeighbourHandle* handle);
  void suspect(const IpAddress& address);

  bool set_permanent(const IpAddress& address, const MacAddress& mac);  // false when there is no room
  bool forget(const IpAddress& address);                                // false when it is not known
  void list(std::vector<NeighbourInfo>& out) const;

 private:
  friend struct Neighbour;

  Neighbour* create(const IpAddress& address, NeighbourTable::Purpose purpose);
  void remove(Neighbour& neighbour);
  void enqueue(Neighbour& neighbour, Packet packet);
  void settle(Neighbour& neighbour, MacAddress mac, NeighbourState state);
  void start_asking(Neighbour& neighbour, NeighbourState state);
  void ask(Neighbour& neighbour);
  void fail(Neighbour& neighbour);
  void on_timer(Neighbour& neighbour);
  PacketQueue take_pending(Neighbour& neighbour);
  bool is_fresh(const Neighbour& neighbour) const {
    return context_.now - neighbour.confirmed <= reachable_time(neighbour);
  }
  Duration retrans_timer(const Neighbour& neighbour) const;
  Duration reachable_time(const Neighbour& neighbour) const;

  Context& context_;
  const LinkConfig& config_;
  Interface& interface_;
  NeighbourResolver& resolver_;
  Duration reachable_time_;
  std::size_t pending_ = 0;  // packets in all queues
  NeighbourTable table_;
};

}  // namespace transom::link
