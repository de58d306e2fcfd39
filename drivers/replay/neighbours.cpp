#include "drivers/replay/neighbours.h"

#include "stack/wire/arp.h"
#include "stack/wire/ethernet.h"
#include "stack/wire/ipv6.h"
#include "stack/wire/ndp.h"

namespace transom::drivers::replay {

namespace {
constexpr std::uint8_t kNdpHopLimit = 255;  // RFC 4861 §7.1.2
}  // namespace

MacAddress Neighbours::mac_of(const IpAddress& address) const {
  const auto found = macs_.find(address);
  return found != macs_.end() ? found->second : other_;
}

std::optional<std::vector<std::uint8_t>> Neighbours::answer_to(Bytes frame) const {
  wire::Reader reader(frame);
  const auto header = wire::EthernetHeader::parse(reader);
  if (!header) return std::nullopt;
  if (header->type == wire::EtherType::kArp) return answer_arp(reader.rest());
  if (header->type == wire::EtherType::kIpv6) return answer_solicitation(reader.rest());
  return std::nullopt;
}

std::optional<std::vector<std::uint8_t>> Neighbours::answer_arp(Bytes packet) const {
  wire::Reader reader(packet);
  const auto request = wire::ArpPacket::parse(reader);
  if (!request || request->operation != wire::ArpPacket::Operation::kRequest ||
      request->target_ip == request->sender_ip || request->sender_ip.is_unspecified())
    return std::nullopt;
  const MacAddress mac = mac_of(request->target_ip);
  std::vector<std::uint8_t> frame(wire::EthernetHeader::kSize + wire::ArpPacket::kSize);
  wire::Writer writer(frame);
  wire::EthernetHeader{request->sender_mac, mac, {}, wire::EtherType::kArp}.write(writer);
  wire::ArpPacket{wire::ArpPacket::Operation::kReply, mac, request->target_ip, request->sender_mac,
                  request->sender_ip}
      .write(writer);
  return frame;
}

std::optional<std::vector<std::uint8_t>> Neighbours::answer_solicitation(Bytes packet) const {
  wire::Reader reader(packet);
  const auto header = wire::Ipv6Header::parse(reader);
  if (!header || header->next_header != IpProtocol::kIcmpv6 || header->source.is_unspecified())
    return std::nullopt;
  const Bytes message = reader.rest();
  if (message.empty() || message[0] != static_cast<std::uint8_t>(wire::Icmpv6Type::kNeighborSolicitation))
    return std::nullopt;
  const auto solicitation = wire::NeighborSolicitation::parse(message);
  if (!solicitation || !solicitation->options.source_link_address) return std::nullopt;
  const MacAddress mac = mac_of(solicitation->target);
  wire::NeighborAdvertisement answer;
  answer.solicited = answer.override_cache = true;
  answer.target = solicitation->target;
  answer.options.target_link_address = mac;
  std::vector<std::uint8_t> frame(wire::EthernetHeader::kSize + wire::Ipv6Header::kSize + answer.size());
  wire::Writer writer(frame);
  wire::EthernetHeader{*solicitation->options.source_link_address, mac, {}, wire::EtherType::kIpv6}.write(
      writer);
  wire::Ipv6Header ip;
  ip.payload_length = static_cast<std::uint16_t>(answer.size());
  ip.next_header = IpProtocol::kIcmpv6;
  ip.hop_limit = kNdpHopLimit;
  ip.source = solicitation->target;
  ip.destination = header->source;
  ip.write(writer);
  answer.write(writer);
  wire::write_icmpv6_checksum(MutableBytes(frame).last(answer.size()), ip.source, ip.destination);
  return frame;
}

}  // namespace transom::drivers::replay
