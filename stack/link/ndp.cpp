#include "stack/link/ndp.h"

#include <algorithm>

#include "stack/link/address_book.h"
#include "stack/link/frame_sender.h"
#include "stack/wire/ipv6.h"

namespace transom::link {

namespace {

constexpr std::uint8_t kHopLimit = 255;  // proves that the packet was not routed (RFC 4861 §3.1)

bool is_on_link(const Interface& interface, const IpAddress& address) {
  if (address.is_link_local()) return true;
  return std::any_of(interface.addresses().begin(), interface.addresses().end(),
                     [&](const InterfaceAddress& entry) { return entry.prefix.contains(address); });
}

}  // namespace

template <typename Message>
void Ndp::send(Interface& interface, const IpAddress& source, const IpAddress& destination,
               const MacAddress& mac, const Message& message) {
  Packet packet = context_.pool.allocate();
  if (!packet) {
    context_.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
    return;
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
  sender_.send_frame(interface, std::move(packet), mac, wire::EtherType::kIpv6);
}

void Ndp::solicit(Interface& interface, const IpAddress& address, const MacAddress* known) {
  // RFC 4861 §7.2.2: from an address of ours; link-local for link-local, else one that is not.
  IpAddress source;
  for (const InterfaceAddress& entry : interface.addresses()) {
    if (!entry.prefix.address.is_v6() || !entry.is_usable()) continue;
    const bool fits = entry.prefix.address.is_link_local() == address.is_link_local();
    if (source.is_unspecified() || fits) source = entry.prefix.address;
  }
  if (source.is_unspecified()) return;  // nothing to ask from yet; asked again at the next interval
  wire::NeighborSolicitation message;
  message.target = address;
  message.options.source_link_address = interface.mac();
  const IpAddress group = solicited_node_multicast(address);
  context_.count(Counter::kIcmp6OutNeighborSolicits);
  send(interface, source, known != nullptr ? address : group,
       known != nullptr ? *known : wire::multicast_mac(group), message);
}

void Ndp::solicit_for_detection(Interface& interface, const IpAddress& address, const Nonce& nonce) {
  wire::NeighborSolicitation message;
  message.target = address;
  message.options.nonce = nonce;
  const IpAddress group = solicited_node_multicast(address);
  context_.count(Counter::kIcmp6OutNeighborSolicits);
  send(interface, IpAddress(), group, wire::multicast_mac(group), message);
}

void Ndp::advertise(Interface& interface, const IpAddress& target, const IpAddress& destination,
                    const MacAddress& mac, bool solicited) {
  wire::NeighborAdvertisement message;
  message.solicited = solicited;
  message.override_cache = true;
  message.target = target;
  message.options.target_link_address = interface.mac();
  context_.count(Counter::kIcmp6OutNeighborAdvertisements);
  send(interface, target, destination, mac, message);
}

void Ndp::receive(Interface& interface, NeighbourCache& neighbours, AddressBook& addresses,
                  const LinkLayer::NdpContext& context, Bytes message) {
  if (context.fragmented) {  // RFC 6980
    context_.drop(DropReason::kNdpFragmented, Counter::kIcmp6InErrors);
    return;
  }
  if (context.hop_limit != kHopLimit) {
    context_.drop(DropReason::kNdpBadHopLimit, Counter::kIcmp6InErrors);
    return;
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
      break;
    case wire::Icmpv6Type::kRedirect:
      context_.count(Counter::kIcmp6InRedirects);
      break;
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
  if (target.is_multicast() || (from_nobody && !is_detection) || context.source.is_multicast())
    return malformed();
  if (source_mac && source_mac->is_group()) return malformed();

  if (from_nobody) addresses.conflicting_detection(interface, target, solicitation->options.nonce);
  if (interface.usable_address(target) == nullptr) {
    context_.drop(DropReason::kNdpUnmatched);
    return;
  }
  if (from_nobody) {  // somebody would like to have our address
    advertise(interface, target, kAllNodes, wire::multicast_mac(kAllNodes), false);
    return;
  }
  if (!is_on_link(interface, context.source) || interface.find_address(context.source) != nullptr) {
    context_.drop(DropReason::kNdpUnmatched);
    return;
  }
  if (source_mac) {
    neighbours.learn(context.source, *source_mac);
    advertise(interface, target, context.source, *source_mac, true);
    return;
  }
  // A unicast solicitation may leave its link address out; then we know it already.
  if (const auto known = neighbours.known_mac(context.source))
    advertise(interface, target, context.source, *known, true);
}

void Ndp::on_advertisement(Interface& interface, NeighbourCache& neighbours, AddressBook& addresses,
                           const LinkLayer::NdpContext& context, Bytes message) {
  const auto advertisement = wire::NeighborAdvertisement::parse(message);
  if (!advertisement) return malformed();
  // RFC 4861 §7.1.2
  if (advertisement->target.is_multicast() ||
      (context.destination.is_multicast() && advertisement->solicited))
    return malformed();
  const auto& mac = advertisement->options.target_link_address;
  if (mac && mac->is_group()) return malformed();
  if (interface.find_address(advertisement->target) != nullptr) {
    addresses.conflicting_claim(interface, advertisement->target, mac.value_or(MacAddress()));
    return;
  }
  neighbours.answered(advertisement->target, {.mac = mac ? &*mac : nullptr,
                                              .solicited = advertisement->solicited,
                                              .overrides = advertisement->override_cache});
}

}  // namespace transom::link
