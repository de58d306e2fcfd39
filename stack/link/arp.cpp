#include "stack/link/arp.h"

#include "stack/link/address_book.h"
#include "stack/link/frame_sender.h"

namespace transom::link {

namespace {
constexpr IpAddress kNobody = IpAddress::v4(0);
}

void Arp::send(Interface& interface, const wire::ArpPacket& packet, const MacAddress& destination) {
  Packet payload = context_.pool.allocate();
  if (!payload) {
    context_.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
    return;
  }
  wire::Writer writer(payload.append(wire::ArpPacket::kSize));
  packet.write(writer);
  context_.count(packet.operation == wire::ArpPacket::Operation::kRequest ? Counter::kArpOutRequests
                                                                          : Counter::kArpOutReplies);
  sender_.send_frame(interface, std::move(payload), destination, wire::EtherType::kArp);
}

void Arp::request(Interface& interface, const IpAddress& address, const MacAddress* known) {
  // RFC 826: from an address of ours, best one on the same network.
  IpAddress source = kNobody;
  for (const InterfaceAddress& entry : interface.addresses()) {
    if (!entry.prefix.address.is_v4() || !entry.is_usable()) continue;
    if (source == kNobody || entry.prefix.contains(address)) source = entry.prefix.address;
  }
  send(interface,
       {.sender_mac = interface.mac(), .sender_ip = source, .target_mac = MacAddress(), .target_ip = address},
       known != nullptr ? *known : MacAddress::broadcast());
}

void Arp::probe(Interface& interface, const IpAddress& address) {
  send(
      interface,
      {.sender_mac = interface.mac(), .sender_ip = kNobody, .target_mac = MacAddress(), .target_ip = address},
      MacAddress::broadcast());
}

void Arp::announce(Interface& interface, const IpAddress& address) {
  send(
      interface,
      {.sender_mac = interface.mac(), .sender_ip = address, .target_mac = MacAddress(), .target_ip = address},
      MacAddress::broadcast());
}

bool Arp::is_valid_sender(const Interface& interface, const wire::ArpPacket& packet) const {
  if (packet.sender_mac.is_group() || packet.sender_mac.is_zero()) return false;
  const IpAddress& ip = packet.sender_ip;
  if (ip == kNobody) return packet.operation == wire::ArpPacket::Operation::kRequest;  // a probe
  return !ip.is_multicast() && !ip.is_limited_broadcast() && !ip.is_loopback() &&
         !interface.is_directed_broadcast(ip);
}

void Arp::receive(Interface& interface, NeighbourCache& neighbours, AddressBook& addresses, Bytes octets) {
  wire::Reader reader(octets);
  const auto parsed = wire::ArpPacket::parse(reader);
  if (!parsed) {
    context_.drop(DropReason::kArpMalformed, Counter::kLinkInDiscards);
    return;
  }
  const wire::ArpPacket& packet = *parsed;
  const bool is_request = packet.operation == wire::ArpPacket::Operation::kRequest;
  context_.count(is_request ? Counter::kArpInRequests : Counter::kArpInReplies);
  if (packet.sender_mac == interface.mac()) return;  // our own, come back
  if (!is_valid_sender(interface, packet)) {
    context_.drop(DropReason::kArpInvalidSender, Counter::kLinkInDiscards);
    return;
  }
  const bool is_probe = packet.sender_ip == kNobody;
  // RFC 5227 §2.1.1 and §2.4: somebody else uses, or is about to use, an address that is ours or nearly so.
  if (!is_probe) addresses.conflicting_claim(interface, packet.sender_ip, packet.sender_mac);
  if (is_probe) addresses.conflicting_probe(interface, packet.target_ip, packet.sender_mac);

  const bool is_for_us = interface.usable_address(packet.target_ip) != nullptr;
  const bool sender_is_us = !is_probe && interface.find_address(packet.sender_ip) != nullptr;
  if (!is_probe && !sender_is_us) {
    if (!is_request && is_for_us) {
      // An answer to us. Where none was asked for it must not replace what is known to be good.
      neighbours.arp_reply(packet.sender_ip, packet.sender_mac);
    } else if (is_for_us) {
      neighbours.learn(packet.sender_ip, packet.sender_mac);
    } else {
      neighbours.update(packet.sender_ip, packet.sender_mac);  // RFC 826: merge, but create nothing
    }
  }
  if (is_request && is_for_us) {
    send(interface,
         {.operation = wire::ArpPacket::Operation::kReply,
          .sender_mac = interface.mac(),
          .sender_ip = packet.target_ip,
          .target_mac = packet.sender_mac,
          .target_ip = packet.sender_ip},
         packet.sender_mac);
  }
}

}  // namespace transom::link
