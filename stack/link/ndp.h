// Neighbour Discovery for the interfaces of one Host (RFC 4861 §7, RFC 4862 §5.4, RFC 7527): solicitations
// and advertisements both ways; router solicitations out, router advertisements (§6) and redirects (§8) in.
#pragma once

#include "stack/base/context.h"
#include "stack/link/interface.h"
#include "stack/link/link_layer.h"
#include "stack/link/neighbour_cache.h"
#include "stack/link/reply_limiter.h"
#include "stack/wire/ndp.h"

namespace transom::link {

class AddressBook;
class FrameSender;

class Ndp {
 public:
  using Nonce = std::array<std::uint8_t, 6>;

  Ndp(Context& context, FrameSender& sender) : context_(context), sender_(sender), replies_(context) {}

  void receive(Interface& interface, NeighbourCache& neighbours, AddressBook& addresses,
               NetworkReceiver& network, const LinkLayer::NdpContext& context, Bytes message);

  // Who has `address`? Asks its solicited-node group, or only `known`.
  void solicit(Interface& interface, const IpAddress& address, const MacAddress* known);
  // RFC 4862 §5.4.2: asks for an address without claiming it; the nonce tells our own packet, come back, from
  // another node's.
  void solicit_for_detection(Interface& interface, const IpAddress& address, const Nonce& nonce);
  // RFC 4861 §6.3.7: to all routers of the link.
  void solicit_routers(Interface& interface);
  // RFC 4861 §7.2.6: says to all nodes that `address` is ours, so that nobody goes on sending to who had it
  // before.
  void announce(Interface& interface, const IpAddress& address);

 private:
  void on_solicitation(Interface& interface, NeighbourCache& neighbours, AddressBook& addresses,
                       const LinkLayer::NdpContext& context, Bytes message);
  void on_advertisement(Interface& interface, NeighbourCache& neighbours, AddressBook& addresses,
                        const LinkLayer::NdpContext& context, Bytes message);
  void on_redirect(Interface& interface, NeighbourCache& neighbours, NetworkReceiver& network,
                   const LinkLayer::NdpContext& context, Bytes message);
  void on_router_advertisement(Interface& interface, NeighbourCache& neighbours, NetworkReceiver& network,
                               const LinkLayer::NdpContext& context, Bytes message);
  void answer(Interface& interface, NeighbourCache& neighbours, const IpAddress& target,
              const IpAddress& asker, const std::optional<MacAddress>& asker_mac);
  Packet advertisement(Interface& interface, const IpAddress& target, const IpAddress& destination,
                       bool solicited);
  // A whole IPv6 packet; an empty one when out of buffers.
  template <typename Message>
  Packet make(const IpAddress& source, const IpAddress& destination, const Message& message);
  void send(Interface& interface, Packet packet, const MacAddress& mac);
  void malformed() { context_.drop(DropReason::kNdpMalformed, Counter::kIcmp6InErrors); }

  Context& context_;
  FrameSender& sender_;
  ReplyLimiter replies_;
};

}  // namespace transom::link
