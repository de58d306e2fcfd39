#include "drivers/frame_layout.h"

#include "stack/wire/cursor.h"
#include "stack/wire/ethernet.h"

namespace transom::drivers {

namespace {

constexpr std::size_t kMacAddresses = 12;

bool find_ipv4_transport(wire::Reader& reader, FrameLayout& layout) {
  const std::uint8_t version_and_length = reader.u8();
  const std::size_t header = std::size_t{version_and_length & 0x0fU} * 4;
  if (version_and_length >> 4 != 4 || header < 20) return false;
  reader.skip(5);  // traffic class, total length, identification
  constexpr std::uint16_t kMoreFragmentsOrOffset = 0x3fff;
  layout.is_fragment = (reader.u16() & kMoreFragmentsOrOffset) != 0;
  reader.skip(1);  // time to live
  layout.protocol = IpProtocol{reader.u8()};
  reader.skip(header - 10);
  layout.family = IpFamily::kIpv4;
  return reader.ok();
}

bool find_ipv6_transport(wire::Reader& reader, FrameLayout& layout) {
  if (reader.u8() >> 4 != 6) return false;
  reader.skip(5);  // traffic class and flow label, payload length
  IpProtocol next{reader.u8()};
  reader.skip(33);  // hop limit, addresses
  // RFC 8200 §4.1: the walk ends at the first header that is not an extension header. It is bounded by the
  // octets at hand.
  while (reader.ok()) {
    if (next == IpProtocol::kFragment) {
      layout.is_fragment = true;
      next = IpProtocol{reader.u8()};
      reader.skip(7);
    } else if (next == IpProtocol::kHopByHop || next == IpProtocol::kDestinationOptions ||
               next == IpProtocol::kRouting) {
      next = IpProtocol{reader.u8()};
      const std::size_t length = reader.u8();
      reader.skip(length * 8 + 6);
    } else {
      break;
    }
  }
  layout.protocol = next;
  layout.family = IpFamily::kIpv6;
  return reader.ok();
}

}  // namespace

std::optional<std::size_t> ip_offset_of(Bytes head, link::LinkType type) {
  if (type != link::LinkType::kEthernet) return head.empty() ? std::nullopt : std::optional<std::size_t>(0);
  wire::Reader reader(head);
  reader.skip(kMacAddresses);
  wire::EtherType ether_type{reader.u16()};
  if (ether_type == wire::EtherType::kVlan) {
    reader.skip(2);
    ether_type = wire::EtherType{reader.u16()};
  }
  if (!reader.ok() || (ether_type != wire::EtherType::kIpv4 && ether_type != wire::EtherType::kIpv6))
    return std::nullopt;
  return reader.position();
}

std::optional<FrameLayout> layout_of(Bytes head, link::LinkType type) {
  const std::optional<std::size_t> ip_offset = ip_offset_of(head, type);
  if (!ip_offset) return std::nullopt;
  const Bytes packet = head.subspan(*ip_offset);
  if (packet.empty()) return std::nullopt;
  FrameLayout layout;
  layout.ip_offset = *ip_offset;
  wire::Reader reader(packet);
  const bool found =
      packet[0] >> 4 == 4 ? find_ipv4_transport(reader, layout) : find_ipv6_transport(reader, layout);
  if (!found) return std::nullopt;
  layout.transport_offset = *ip_offset + reader.position();
  return layout;
}

}  // namespace transom::drivers
