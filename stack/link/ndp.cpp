#include "stack/link/ndp.h"

#include <algorithm>

#include "stack/link/address_book.h"
#include "stack/link/frame_sender.h"
#include "stack/wire/ipv6.h"

namespace transom::link {

namespace {

constexpr std::uint8_t kHopLimit = 255;  // proves that the packet was not routed (RFC 4861 §3.1)

// A link address that another node could have.
bool is_possible(const Interface& interface, const std::optional<MacAddress>& mac) {
  return !mac || (!mac->is_group() && !mac->is_zero() && *mac != interface.mac());
}

}  // namespace

// ---------------------------------------------------------------- out

template <typename Message>
Packet Ndp::make(const IpAddress& source, const IpAddress& destination, const Message& message) {
  Packet packet = context_.pool.allocate();
  if (!packet) {
    context_.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
    return packet;
  }
  const MutableBytes octets = packet.append(wire::Ipv6Header::kSize + message.size());
  wire::Ipv6Header header;
  header.payload_length = static_cast<std::uint16_t>(message.size());
  header.next_header = IpProtocol::kIcmpv6;
  header.hop_limit = kHopLimit;
  header.source = source;
  header.destination = destination;
  wire::Writer writer(octets);
  header.write(writer);
  message.write(writer);
  wire::write_icmpv6_checksum(octets.subspan(wire::Ipv6Header::kSize), source, destination);
  context_.count(Counter::kIp6OutRequests);
  context_.count(Counter::kIcmp6OutMsgs);
  return packet;
}

void Ndp::send(Interface& interface, Packet packet, const MacAddress& mac) {
  if (packet) sender_.send(interface, std::move(packet), mac, wire::EtherType::kIpv6);
}

void Ndp::solicit(Interface& interface, const IpAddress& address, const MacAddress* known) {
  const IpAddress* const source = interface.address_towards(address);
  if (source == nullptr) return;  // nothing to ask from yet; asked again at the next interval
  wire::NeighborSolicitation message;
  message.target = address;
  message.options.source_link_address = interface.mac();
  const IpAddress group = solicited_node_multicast(address);
  context_.count(Counter::kIcmp6OutNeighborSolicits);
  // RFC 4861 §7.2.2 and §7.3.3: to the group, or to the address itself.
  send(interface, make(*source, known != nullptr ? address : group, message),
       known != nullptr ? *known : wire::multicast_mac(group));
}

void Ndp::solicit_for_detection(Interface& interface, const IpAddress& address, const Nonce& nonce) {
  wire::NeighborSolicitation message;
  message.target = address;
  message.options.nonce = nonce;
  const IpAddress group = solicited_node_multicast(address);
  context_.count(Counter::kIcmp6OutNeighborSolicits);
  send(interface, make(IpAddress(), group, message), wire::multicast_mac(group));
}

// RFC 4861 §4.1: who has no address yet does not give its link address either.
void Ndp::solicit_routers(Interface& interface) {
  const IpAddress* const own = interface.address_towards(kAllRouters);
  const auto link_local = std::ranges::find_if(interface.addresses(), [](const InterfaceAddress& entry) {
    return entry.is_usable() && entry.prefix.address.is_v6() && entry.prefix.address.is_link_local();
  });
  const bool has_link_local = link_local != interface.addresses().end();
  const IpAddress source = has_link_local ? link_local->prefix.address : own != nullptr ? *own : IpAddress();
  wire::RouterSolicitation message;
  if (!source.is_unspecified()) message.options.source_link_address = interface.mac();
  context_.count(Counter::kIcmp6OutRouterSolicits);
  send(interface, make(source, kAllRouters, message), wire::multicast_mac(kAllRouters));
}

Packet Ndp::advertisement(Interface& interface, const IpAddress& target, const IpAddress& destination,
                          bool solicited) {
  wire::NeighborAdvertisement message;
  message.solicited = solicited;
  message.override_cache = true;
  message.target = target;
  message.options.target_link_address = interface.mac();
  context_.count(Counter::kIcmp6OutNeighborAdvertisements);
  return make(target, destination, message);
}

void Ndp::announce(Interface& interface, const IpAddress& address) {
  send(interface, advertisement(interface, address, kAllNodes, false), wire::multicast_mac(kAllNodes));
}

// RFC 4861 §7.2.4: to who asked; to all nodes when that is nobody yet (it is trying to take our address into
// use).
void Ndp::answer(Interface& interface, NeighbourCache& neighbours, const IpAddress& target,
                 const IpAddress& asker, const std::optional<MacAddress>& asker_mac) {
  const bool to_all = asker.is_unspecified();
  std::optional<MacAddress> known = to_all ? wire::multicast_mac(kAllNodes) : neighbours.known_mac(asker);
  if (!known) known = asker_mac;  // there was no room to remember it
  if (!replies_.may_answer(known.value_or(MacAddress())))
    return context_.drop(DropReason::kNeighbourRateLimited);
  if (to_all) return announce(interface, target);
  Packet packet = advertisement(interface, target, asker, true);
  if (known) return send(interface, std::move(packet), *known);
  // A solicitation to us alone may leave the asker's link address out; then it is asked for.
  if (packet) neighbours.send(std::move(packet), asker, nullptr);
}

// ---------------------------------------------------------------- in

void Ndp::receive(Interface& interface, NeighbourCache& neighbours, AddressBook& addresses,
                  NetworkReceiver& network, const LinkLayer::NdpContext& context, Bytes message) {
  if (context.fragmented) {  // RFC 6980 §5
    return context_.drop(DropReason::kNdpFragmented, Counter::kIcmp6InErrors);
  }
  if (context.hop_limit != kHopLimit) {
    return context_.drop(DropReason::kNdpBadHopLimit, Counter::kIcmp6InErrors);
  }
  if (message.empty()) return malformed();
  switch (static_cast<wire::Icmpv6Type>(message[0])) {
    case wire::Icmpv6Type::kNeighborSolicitation:
      context_.count(Counter::kIcmp6InNeighborSolicits);
      return on_solicitation(interface, neighbours, addresses, context, message);
    case wire::Icmpv6Type::kNeighborAdvertisement:
      context_.count(Counter::kIcmp6InNeighborAdvertisements);
      return on_advertisement(interface, neighbours, addresses, context, message);
    case wire::Icmpv6Type::kRouterAdvertisement:
      context_.count(Counter::kIcmp6InRouterAdvertisements);
      return on_router_advertisement(interface, neighbours, network, context, message);
    case wire::Icmpv6Type::kRedirect:
      context_.count(Counter::kIcmp6InRedirects);
      return on_redirect(interface, neighbours, network, context, message);
    default:
      break;
  }
  context_.drop(DropReason::kIcmpIgnored);
}

void Ndp::on_solicitation(Interface& interface, NeighbourCache& neighbours, AddressBook& addresses,
                          const LinkLayer::NdpContext& context, Bytes message) {
  const auto solicitation = wire::NeighborSolicitation::parse(message);
  if (!solicitation) return malformed();
  const IpAddress& target = solicitation->target;
  const auto& source_mac = solicitation->options.source_link_address;
  const bool from_nobody = context.source.is_unspecified();
  // RFC 4861 §7.1.1
  const bool is_detection =
      from_nobody && context.destination == solicited_node_multicast(target) && !source_mac;
  if (from_nobody != is_detection || context.source.is_multicast()) return malformed();
  if (!is_possible(interface, source_mac)) return malformed();

  if (is_detection) addresses.conflicting_detection(interface, target, solicitation->options.nonce);
  // RFC 4862 §5.4.3: nothing is said for an address that is tentative.
  if (interface.usable_address(target) == nullptr) return context_.drop(DropReason::kNdpUnmatched);
  if (!is_detection) {
    // Only for real neighbours, and never for ourselves (CVE-2008-2476).
    const bool is_neighbour =
        interface.is_on_link(context.source) && interface.find_address(context.source) == nullptr;
    if (!is_neighbour) return context_.drop(DropReason::kNdpUnmatched);
    if (source_mac) neighbours.learn_from_solicitation(context.source, *source_mac);
  }
  answer(interface, neighbours, target, context.source, source_mac);
}

void Ndp::on_advertisement(Interface& interface, NeighbourCache& neighbours, AddressBook& addresses,
                           const LinkLayer::NdpContext& context, Bytes message) {
  const auto advertised = wire::NeighborAdvertisement::parse(message);
  if (!advertised) return malformed();
  // RFC 4861 §7.1.2
  if (context.destination.is_multicast() && advertised->solicited) return malformed();
  const auto& mac = advertised->options.target_link_address;
  if (!is_possible(interface, mac)) return malformed();
  if (interface.find_address(advertised->target) != nullptr) {
    return addresses.conflicting_claim(interface, advertised->target, mac.value_or(MacAddress()));
  }
  neighbours.advertised(advertised->target, {.mac = mac ? &*mac : nullptr,
                                             .solicited = advertised->solicited,
                                             .overrides = advertised->override_cache});
}

// RFC 4861 §6.1.2, §6.3.4.
void Ndp::on_router_advertisement(Interface& interface, NeighbourCache& neighbours, NetworkReceiver& network,
                                  const LinkLayer::NdpContext& context, Bytes message) {
  const auto advertisement = wire::RouterAdvertisement::parse(message);
  if (!advertisement || !context.source.is_link_local()) return malformed();
  const auto& mac = advertisement->options.source_link_address;
  if (!is_possible(interface, mac) || interface.find_address(context.source) != nullptr) return malformed();
  if (!network.router_advertised(interface, context.source, *advertisement))
    return context_.drop(DropReason::kIcmpIgnored);
  if (mac) neighbours.learn_from_solicitation(context.source, *mac);
}

// RFC 4861 §8.1, §8.3. Whether the sender is the router in use is for the network layer to say.
void Ndp::on_redirect(Interface& interface, NeighbourCache& neighbours, NetworkReceiver& network,
                      const LinkLayer::NdpContext& context, Bytes message) {
  const auto redirect = wire::NdpRedirect::parse(message);
  if (!redirect || !context.source.is_link_local()) return malformed();
  const auto& mac = redirect->options.target_link_address;
  if (!is_possible(interface, mac)) return malformed();
  if (!network.redirected(interface, context.source, redirect->destination, redirect->target)) return;
  if (mac) neighbours.learn_from_solicitation(redirect->target, *mac);
}

}  // namespace transom::link
