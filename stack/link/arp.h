// ARP for the interfaces of one Host (RFC 826), and the packets of IPv4 address conflict detection (RFC
// 5227). Who may use which address is decided by the AddressBook.
#pragma once

#include "stack/base/context.h"
#include "stack/link/interface.h"
#include "stack/link/neighbour_cache.h"
#include "stack/link/reply_limiter.h"
#include "stack/wire/arp.h"

namespace transom::link {

class AddressBook;
class FrameSender;

class Arp {
 public:
  Arp(Context& context, FrameSender& sender) : context_(context), sender_(sender), replies_(context) {}

  void receive(Interface& interface, NeighbourCache& neighbours, AddressBook& addresses, Bytes octets);

  // Who has `address`? Asks everybody, or only `known`.
  void request(Interface& interface, const IpAddress& address, const MacAddress* known);
  // RFC 5227 §2.1.1: asks for `address` without claiming to have it.
  void probe(Interface& interface, const IpAddress& address);
  // RFC 5227 §2.3: says that `address` is ours.
  void announce(Interface& interface, const IpAddress& address);

 private:
  void send(Interface& interface, const wire::ArpPacket& packet, const MacAddress& destination);
  void learn_from(Interface& interface, NeighbourCache& neighbours, const wire::ArpPacket& packet,
                  bool is_for_us);
  void reply(Interface& interface, const wire::ArpPacket& request);

  Context& context_;
  FrameSender& sender_;
  ReplyLimiter replies_;
};

}  // namespace transom::link
