#include "stack/ip/forwarding.h"

#include <algorithm>
#include <array>

#include "stack/ip/fragmentation.h"
#include "stack/ip/quoted_packet.h"

namespace transom::ip {

namespace {

// RFC 1812 §4.2.2.11, §5.3.7 and RFC 4291 §2.5.6: what stays on its link, or never was on one.
bool may_leave_link(const IpAddress& address) {
  return !address.is_unspecified() && !address.is_link_local() && !address.is_loopback() &&
         !address.is_multicast() && !is_reserved(address);
}

// RFC 1624 §3, eqn. 3, for one hop less: the word that TTL and protocol share shrinks by 0x0100.
void decrement_ttl(Packet& packet) {
  constexpr std::size_t kTtl = 8, kChecksum = 10;
  const MutableBytes head = packet.head();
  --head[kTtl];
  std::uint32_t sum = (static_cast<std::uint32_t>(head[kChecksum]) << 8U) + head[kChecksum + 1] + 0x0100U;
  sum = (sum & 0xffffU) + (sum >> 16U);
  head[kChecksum] = static_cast<std::uint8_t>(sum >> 8U);
  head[kChecksum + 1] = static_cast<std::uint8_t>(sum);
}

}  // namespace

DestinationRef Forwarding::route(const Received& received, std::uint8_t hops_left, const Packet& packet) {
  const bool is_v4 = received.source.is_v4();
  const IpFamily family = received.source.family();
  if (hops_left <= 1) {  // RFC 1812 §5.3.1, RFC 4443 §3.3
    context_.drop(DropReason::kIpTtlExceeded, is_v4 ? Counter::kIpInHdrErrors : Counter::kIp6InHdrErrors);
    errors_.send(IcmpErrorMessage::hop_limit_exceeded(family), received, packet);
    return {};
  }
  const auto destination = destinations_.get(received.destination, InterfaceId::kAny);
  if (!destination) {
    context_.drop(DropReason::kIpNoRoute, is_v4 ? Counter::kIpOutNoRoutes : Counter::kIp6OutNoRoutes);
    errors_.send(IcmpErrorMessage::no_route(family), received, packet);
    return {};
  }
  if ((*destination)->is_broadcast || (*destination)->is_local) {
    context_.drop(DropReason::kIpNotForUs, is_v4 ? Counter::kIpInAddrErrors : Counter::kIp6InAddrErrors);
    return {};
  }
  return *destination;
}

// A super-segment stands for packets of its segment size.
bool Forwarding::fits(const Destination& destination, const Packet& packet, std::size_t header_size) const {
  const std::uint16_t segment_size = packet.info().segment_size;
  std::size_t size = packet.size();
  if (segment_size != 0) {
    constexpr std::size_t kDataOffset = 12;
    constexpr std::size_t kMaxTcpHeader = 60;
    const Bytes head = packet.head();
    const std::size_t position = header_size + kDataOffset;
    const std::size_t tcp_header = position < head.size() ? (head[position] >> 4U) * 4U : kMaxTcpHeader;
    size = header_size + tcp_header + segment_size;
  }
  return std::min(size, packet.size()) <= destination.interface->mtu();
}

void Forwarding::forward(link::Interface& arrived, const wire::Ipv4Header& header, Packet packet) {
  const PacketInfo& info = packet.info();
  if (info.link_broadcast || info.link_multicast || !may_leave_link(header.source) ||
      !may_leave_link(header.destination)) {  // RFC 1812 §5.3.4, §5.3.7
    return context_.drop(DropReason::kIpNotForUs, Counter::kIpInAddrErrors);
  }
  const Received received{.interface = arrived,
                          .source = header.source,
                          .destination = header.destination,
                          .protocol = header.protocol,
                          .ttl = header.ttl,
                          .traffic_class = header.traffic_class};
  const DestinationRef destination = route(received, header.ttl, packet);
  if (!destination) return;
  if (!fits(*destination, packet, header.size())) {
    if (!header.dont_fragment) return send_fragments(*destination, header, std::move(packet));
    context_.drop(DropReason::kIpNeedsFragmentation, Counter::kIpFragFails);
    errors_.send(IcmpErrorMessage::too_big(IpFamily::kIpv4, destination->interface->mtu()), received, packet);
    return;
  }
  decrement_ttl(packet);
  context_.count(Counter::kIpForwDatagrams);
  output_.forward(*destination, std::move(packet));
}

void Forwarding::send_fragments(Destination& destination, const wire::Ipv4Header& header, Packet packet) {
  std::array<std::uint8_t, wire::Ipv4Header::kMaxSize> options{};
  std::ranges::copy(header.options, options.begin());  // the view goes with the packet's front
  wire::Ipv4Header own = header;
  --own.ttl;
  own.options = Bytes(options).first(header.options.size());
  packet.trim_front(header.size());
  if (!header.is_fragment()) complete_transport_checksum(packet);
  PacketQueue fragments;
  if (!fragment_ipv4(own, packet, destination.interface->mtu(), fragments))
    return context_.drop(DropReason::kNoBuffers, Counter::kIpFragFails);
  context_.count(Counter::kIpForwDatagrams);
  context_.count(Counter::kIpFragOKs);
  context_.count(Counter::kIpFragCreates, fragments.size());
  while (Packet fragment = fragments.pop()) output_.forward(destination, std::move(fragment));
}

void Forwarding::forward(link::Interface& arrived, const wire::Ipv6Header& header, Packet packet) {
  const Received received{.interface = arrived,
                          .source = header.source,
                          .destination = header.destination,
                          .protocol = header.next_header,
                          .ttl = header.hop_limit,
                          .traffic_class = header.traffic_class};
  if (packet.info().link_broadcast || packet.info().link_multicast || header.source.is_unspecified() ||
      !may_leave_link(header.destination)) {
    return context_.drop(DropReason::kIpNotForUs, Counter::kIp6InAddrErrors);
  }
  if (header.source.is_link_local()) {  // RFC 4443 §3.1, code 2
    context_.drop(DropReason::kIpNotForUs, Counter::kIp6InAddrErrors);
    return errors_.send(IcmpErrorMessage::beyond_scope(), received, packet);
  }
  const DestinationRef destination = route(received, header.hop_limit, packet);
  if (!destination) return;
  if (!fits(*destination, packet, wire::Ipv6Header::kSize)) {  // RFC 8200 §5: only the source fragments
    context_.drop(DropReason::kIpNeedsFragmentation, Counter::kIp6InTooBigErrors);
    return errors_.send(IcmpErrorMessage::too_big(IpFamily::kIpv6, destination->interface->mtu()), received,
                        packet);
  }
  constexpr std::size_t kHopLimit = 7;
  --packet.head()[kHopLimit];
  context_.count(Counter::kIp6OutForwDatagrams);
  output_.forward(*destination, std::move(packet));
}

// RFC 1812 §5.2.7.1, RFC 4443 §3.1 code 3.
void Forwarding::report_unreachable(link::Interface& interface, const QuotedPacket& quoted,
                                    const Packet& packet) {
  if (!is_enabled() || addresses_.is_local(quoted.source)) return;
  errors_.send(IcmpErrorMessage::host_unreachable(quoted.source.family()),
               {.interface = interface, .source = quoted.source, .destination = quoted.destination}, packet);
}

}  // namespace transom::ip
