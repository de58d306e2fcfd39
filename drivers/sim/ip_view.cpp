#include "drivers/sim/ip_view.h"

#include "stack/base/siphash.h"

namespace transom::drivers::sim {

namespace {

// The octet that holds the ECN bits, as they stand in an IPv4 header; IPv6 has them four bits further up.
constexpr std::size_t kTrafficClass = 1;

}  // namespace

EcnCodepoint ecn_of(const Packet& packet, link::LinkType type) {
  const Bytes head = packet.head();
  const auto ip = ip_offset_of(head, type);
  if (!ip || head.size() < *ip + 20) return EcnCodepoint::kNotEct;
  const std::uint8_t octet = head[*ip + kTrafficClass];
  return static_cast<EcnCodepoint>((head[*ip] >> 4 == 6 ? octet >> 4 : octet) & 3);
}

bool mark_congestion(Packet& packet, link::LinkType type) {
  const EcnCodepoint before = ecn_of(packet, type);
  if (before == EcnCodepoint::kNotEct) return false;
  if (before == EcnCodepoint::kCe) return true;
  const MutableBytes ip = packet.head().subspan(*ip_offset_of(packet.head(), type));
  if (ip[0] >> 4 == 6) {
    ip[kTrafficClass] |= 0x30;
    return true;
  }
  // RFC 1624 §3, eqn. 3: HC' = ~(~HC + ~m + m')
  const auto old_word = static_cast<std::uint16_t>((ip[0] << 8U) | ip[1]);
  ip[kTrafficClass] |= 0x03;
  const auto new_word = static_cast<std::uint16_t>((ip[0] << 8U) | ip[1]);
  const auto checksum = static_cast<std::uint16_t>((ip[10] << 8U) | ip[11]);
  std::uint32_t sum = static_cast<std::uint16_t>(~checksum);
  sum += static_cast<std::uint16_t>(~old_word);
  sum += new_word;
  sum = (sum & 0xffffU) + (sum >> 16U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  const auto updated = static_cast<std::uint16_t>(~sum);
  ip[10] = static_cast<std::uint8_t>(updated >> 8U);
  ip[11] = static_cast<std::uint8_t>(updated);
  return true;
}

std::uint64_t flow_hash(const Packet& packet, link::LinkType type, std::uint64_t salt) {
  const Bytes head = packet.head();
  const auto layout = layout_of(head, type);
  if (!layout) return salt;
  const bool is_v4 = layout->family == IpFamily::kIpv4;
  const Bytes addresses = head.subspan(layout->ip_offset + (is_v4 ? 12 : 8), is_v4 ? 8 : 32);
  std::uint64_t ports = 0;
  const bool has_ports = layout->protocol == IpProtocol::kTcp || layout->protocol == IpProtocol::kUdp;
  if (has_ports && !layout->is_fragment && head.size() >= layout->transport_offset + 4) {
    const Bytes octets = head.subspan(layout->transport_offset, 4);
    for (const std::uint8_t octet : octets) ports = ports << 8U | octet;
  }
  return siphash({salt, ports ^ static_cast<std::uint64_t>(layout->protocol) << 32U}, addresses);
}

}  // namespace transom::drivers::sim
