#include "stack/ip/delivery.h"

namespace transom::ip {

void Delivery::deliver(const Received& received, std::size_t protocol_offset, Packet packet) {
  const bool is_v4 = received.source.is_v4();
  const bool is_igmp = is_v4 && received.protocol == IpProtocol::kIgmp;
  const bool is_icmp = received.protocol == (is_v4 ? IpProtocol::kIcmp : IpProtocol::kIcmpv6);
  // IPv6's unspecified source speaks NDP and MLD only (RFC 4291 §2.5.2): nothing else could be answered.
  if (!is_icmp && !is_igmp && received.source.is_unspecified()) {
    return context_.drop(DropReason::kIpMartianSource,
                         is_v4 ? Counter::kIpInAddrErrors : Counter::kIp6InAddrErrors);
  }
  const bool has_raw_receiver = raw_.deliver(received, packet);
  Transport* const transport = transports_.find(received.protocol);
  if (!is_icmp && transport == nullptr) {
    if (has_raw_receiver) return context_.count(is_v4 ? Counter::kIpInDelivers : Counter::kIp6InDelivers);
    context_.drop(DropReason::kIpUnknownProtocol,
                  is_v4 ? Counter::kIpInUnknownProtos : Counter::kIp6InUnknownProtos);
    const bool expects_nothing = !is_v4 && received.protocol == IpProtocol::kNoNextHeader;  // RFC 8200 §4.7
    if (!expects_nothing) {
      const auto pointer = static_cast<std::uint32_t>(protocol_offset);
      errors_.send(IcmpErrorMessage::protocol_unreachable(received.source.family(), pointer), received,
                   packet);
    }
    return;
  }
  context_.count(is_v4 ? Counter::kIpInDelivers : Counter::kIp6InDelivers);
  packet.trim_front(received.header_size);
  if (is_icmp) return icmp_.receive(received, std::move(packet));
  transport->receive(received, std::move(packet));
}

}  // namespace transom::ip
