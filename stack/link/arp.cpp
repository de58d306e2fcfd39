#include "stack/link/arp.h"

#include "stack/link/address_book.h"
#include "stack/link/frame_sender.h"

namespace transom::link {

namespace {

constexpr IpAddress kNobody = IpAddress::v4(0);

// An address that a node could have: not of 0/8, 127/8, the groups, or the reserved ones behind them.
bool is_host_address(const IpAddress& address) {
  const std::uint32_t first = address.v4_value() >> 24;
  return first != 0 && first < 224 && !address.is_loopback();
}

bool is_valid_sender(const Interface& interface, const wire::ArpPacket& packet) {
  if (packet.sender_mac.is_group() || packet.sender_mac.is_zero()) return false;
  if (packet.sender_ip == kNobody)
    return packet.operation == wire::ArpPacket::Operation::kRequest;  // a probe
  return is_host_address(packet.sender_ip) && !interface.is_directed_broadcast(packet.sender_ip);
}

}  // namespace

void Arp::send(Interface& interface, const wire::ArpPacket& packet, const MacAddress& destination) {
  Packet payload = context_.pool.allocate();
  if (!payload) return context_.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
  wire::Writer writer(payload.append(wire::ArpPacket::kSize));
  packet.write(writer);
  const bool is_request = packet.operation == wire::ArpPacket::Operation::kRequest;
  context_.count(is_request ? Counter::kArpOutRequests : Counter::kArpOutReplies);
  sender_.send(interface, std::move(payload), destination, wire::EtherType::kArp);
}

void Arp::request(Interface& interface, const IpAddress& address, const MacAddress* known) {
  // Without an address of ours it would be taken for a probe (RFC 5227 §1.1), and the answer not be for us.
  const IpAddress* const source = interface.address_towards(address);
  if (source == nullptr) return;
  send(interface,
       {.sender_mac = interface.mac(), .sender_ip = *source, .target_mac = {}, .target_ip = address},
       known != nullptr ? *known : MacAddress::broadcast());
}

void Arp::probe(Interface& interface, const IpAddress& address) {
  send(interface,
       {.sender_mac = interface.mac(), .sender_ip = kNobody, .target_mac = {}, .target_ip = address},
       MacAddress::broadcast());
}

void Arp::announce(Interface& interface, const IpAddress& address) {
  send(interface,
       {.sender_mac = interface.mac(), .sender_ip = address, .target_mac = {}, .target_ip = address},
       MacAddress::broadcast());
}

void Arp::receive(Interface& interface, NeighbourCache& neighbours, AddressBook& addresses, Bytes octets) {
  wire::Reader reader(octets);
  const auto parsed = wire::ArpPacket::parse(reader);
  if (!parsed) return context_.drop(DropReason::kArpMalformed, Counter::kLinkInDiscards);
  const wire::ArpPacket& packet = *parsed;
  const bool is_request = packet.operation == wire::ArpPacket::Operation::kRequest;
  context_.count(is_request ? Counter::kArpInRequests : Counter::kArpInReplies);
  if (packet.sender_mac == interface.mac()) return;  // our own, come back
  if (!is_valid_sender(interface, packet)) {
    return context_.drop(DropReason::kArpInvalidSender, Counter::kLinkInDiscards);
  }
  const bool is_probe = packet.sender_ip == kNobody;
  // RFC 5227 §2.1.1 and §2.4: somebody else uses, or is about to use, an address that is ours or nearly so. A
  // claim is answered by the defence alone, never by a reply to each (a storm).
  if (is_probe) {
    addresses.conflicting_probe(interface, packet.target_ip, packet.sender_mac);
  } else if (interface.find_address(packet.sender_ip) != nullptr) {
    return addresses.conflicting_claim(interface, packet.sender_ip, packet.sender_mac);
  }
  const bool is_for_us = interface.usable_address(packet.target_ip) != nullptr;
  if (!is_probe) learn_from(interface, neighbours, packet, is_for_us);
  if (is_request && is_for_us) reply(interface, packet);
}

void Arp::learn_from(Interface& interface, NeighbourCache& neighbours, const wire::ArpPacket& packet,
                     bool is_for_us) {
  if (packet.operation == wire::ArpPacket::Operation::kReply && is_for_us) {
    neighbours.arp_reply(packet.sender_ip, packet.sender_mac);
  } else if (is_for_us && interface.is_on_link(packet.sender_ip)) {
    neighbours.learn(packet.sender_ip, packet.sender_mac);
  } else {
    neighbours.overhear(packet.sender_ip, packet.sender_mac);  // RFC 826: merge, but create nothing
  }
}

// RFC 826: to the sender hardware address of the request, in the frame too, wherever the request's frame came
// from. One unicast reply per request, and not many for one asker, so that nobody can be flooded through us.
void Arp::reply(Interface& interface, const wire::ArpPacket& request) {
  if (!replies_.may_answer(request.sender_mac)) return context_.drop(DropReason::kNeighbourRateLimited);
  send(interface,
       {.operation = wire::ArpPacket::Operation::kReply,
        .sender_mac = interface.mac(),
        .sender_ip = request.target_ip,
        .target_mac = request.sender_mac,
        .target_ip = request.sender_ip},
       request.sender_mac);
}

}  // namespace transom::link
