// Link headers, and what is neither IPv4 nor IPv6.
#include "drivers/capture/text/hex_text.h"
#include "drivers/capture/text/printer.h"
#include "stack/wire/ethernet.h"
#include "stack/wire/ipv4.h"

namespace transom::drivers {

namespace {

constexpr std::uint16_t kFirstEtherType = 0x0600;  // below: the length of an IEEE 802.3 frame

std::string_view name_of_ether_type(std::uint16_t type) {
  switch (type) {
    case 0x0800:
      return "IPv4";
    case 0x0806:
      return "ARP";
    case 0x8100:
      return "802.1Q";
    case 0x86dd:
      return "IPv6";
    case 0x88a8:
      return "802.1Q-QinQ";
    case 0x88cc:
      return "LLDP";
    case 0x8863:
      return "PPPoE D";
    case 0x8864:
      return "PPPoE S";
    case 0x8847:
      return "MPLS unicast";
    default:
      return "Unknown";
  }
}

bool is_tag(std::uint16_t type) { return type == 0x8100 || type == 0x88a8 || type == 0x9100; }

// packet_type of cooked headers.
std::string_view name_of_packet_type(unsigned type) {
  switch (type) {
    case 0:
      return "In";
    case 1:
      return "B";
    case 2:
      return "M";
    case 3:
      return "P";
    case 4:
      return "Out";
    default:
      return "?";
  }
}

}  // namespace

void Printer::packet(const CapturedPacket& packet) {
  const Part whole{packet.octets, packet.original_length};
  switch (packet.link_type) {
    case LinkType::kEthernet:
      return ethernet(packet);
    case LinkType::kLinuxSll:
      return cooked_1(packet);
    case LinkType::kLinuxSll2:
      return cooked_2(packet);
    case LinkType::kNull:
    case LinkType::kLoop:
      return loopback(packet);
    case LinkType::kRaw:
    case LinkType::kIpv4:
    case LinkType::kIpv6:
      if (style_.link_header) print("ip: ");
      return ip(whole);
  }
  print("link type {}, length {}", static_cast<int>(packet.link_type), packet.original_length);
  unknown(whole);
}

void Printer::ethernet(const CapturedPacket& packet) {
  wire::Reader reader(packet.octets);
  const MacAddress destination = wire::read_mac(reader), source = wire::read_mac(reader);
  const std::uint16_t type = reader.u16();
  if (!reader.ok()) return truncated("ether");
  const auto header = [&] {
    print("{} > {}, ", source, destination);
    if (type < kFirstEtherType)
      print("802.3");
    else
      print("ethertype {} (0x{:04x})", name_of_ether_type(type), type);
    print(", length {}: ", packet.original_length);
  };
  const bool is_known = type == 0x0800 || type == 0x86dd || type == 0x0806 || is_tag(type);
  if (style_.link_header || !is_known) header();
  ether_type(type, Part{packet.octets, packet.original_length}.behind(reader.position()), true);
}

void Printer::ether_type(std::uint16_t type, Part part, bool is_link_shown) {
  while (is_tag(type)) {
    wire::Reader reader(part.octets);
    const std::uint16_t control = reader.u16();
    type = reader.u16();
    if (!reader.ok()) return truncated("vlan");
    part = part.behind(4);
    if (!style_.link_header) continue;
    print("vlan {}, p {}{}, ", control & 0xfffU, control >> 13U, (control & 0x1000U) != 0 ? ", DEI" : "");
    if (type >= kFirstEtherType) print("ethertype {} (0x{:04x}), ", name_of_ether_type(type), type);
  }
  switch (type) {
    case 0x0800:
      return ipv4(part);
    case 0x86dd:
      return ipv6(part);
    case 0x0806:
      return arp(part);
    default:
      if (!is_link_shown)
        print("ethertype {} (0x{:04x}), length {}: ", name_of_ether_type(type), type, part.length);
      return unknown(part);
  }
}

void Printer::unknown(Part part) {
  if (!style_.hides_unknown) out_ += hex_text(part.octets, true);
}

void Printer::cooked_1(const CapturedPacket& packet) {
  wire::Reader reader(packet.octets);
  const unsigned packet_type = reader.u16();
  reader.skip(2);
  const std::size_t address_length = reader.u16();
  const Bytes address = reader.bytes(8);
  const std::uint16_t type = reader.u16();
  if (!reader.ok()) return truncated("sll");
  if (style_.link_header) {
    print("{:>3} ", name_of_packet_type(packet_type));
    if (address_length == 6) {
      wire::Reader mac(address);
      print("{} ", wire::read_mac(mac));
    }
    print("ethertype {} (0x{:04x}), length {}: ", name_of_ether_type(type), type, packet.original_length);
  }
  ether_type(type, Part{packet.octets, packet.original_length}.behind(16), style_.link_header);
}

void Printer::cooked_2(const CapturedPacket& packet) {
  wire::Reader reader(packet.octets);
  const std::uint16_t type = reader.u16();
  reader.skip(2);
  const std::uint32_t interface = reader.u32();
  reader.skip(2);
  const unsigned packet_type = reader.u8();
  const std::size_t address_length = reader.u8();
  const Bytes address = reader.bytes(8);
  if (!reader.ok()) return truncated("sll2");
  print("ifindex {} {:<3} ", interface, name_of_packet_type(packet_type));
  if (style_.link_header) {
    if (address_length == 6) {
      wire::Reader mac(address);
      print("{} ", wire::read_mac(mac));
    }
    print("ethertype {} (0x{:04x}), length {}: ", name_of_ether_type(type), type, packet.original_length);
  }
  ether_type(type, Part{packet.octets, packet.original_length}.behind(20), style_.link_header);
}

void Printer::loopback(const CapturedPacket& packet) {
  wire::Reader reader(packet.octets);
  std::uint32_t family = reader.u32();
  if (!reader.ok()) return truncated("null");
  if (family > 0xffff) family = std::byteswap(family);
  const bool is_v4 = family == 2;
  if (style_.link_header)
    print("AF {} ({}), length {}: ", is_v4 ? "IPv4" : "IPv6", family, packet.original_length);
  const Part part = Part{packet.octets, packet.original_length}.behind(4);
  if (is_v4) return ipv4(part);
  if (family == 10 || family == 24 || family == 28 || family == 30) return ipv6(part);
  unknown(part);
}

// RFC 826, for Ethernet and IPv4.
void Printer::arp(Part part) {
  wire::Reader reader(part.octets);
  const unsigned hardware = reader.u16(), protocol = reader.u16();
  const unsigned hardware_length = reader.u8(), protocol_length = reader.u8();
  const unsigned operation = reader.u16();
  if (!style_.link_header) print("ARP, ");
  if (reader.ok() && (hardware != 1 || protocol != 0x0800 || hardware_length != 6 || protocol_length != 4)) {
    print("hardware {}, protocol 0x{:04x}, operation {}, length {}", hardware, protocol, operation,
          part.length);
    return;
  }
  const MacAddress sender_mac = wire::read_mac(reader);
  const IpAddress sender = wire::read_ipv4_address(reader);
  const MacAddress target_mac = wire::read_mac(reader);
  const IpAddress target = wire::read_ipv4_address(reader);
  if (!reader.ok()) return truncated("arp");
  if (is_verbose()) print("Ethernet (len 6), IPv4 (len 4), ");
  switch (operation) {
    case 1:
      print("Request who-has {}", target);
      if (!target_mac.is_zero()) print(" ({})", target_mac);
      print(" tell {}", sender);
      break;
    case 2:
      print("Reply {} is-at {}", sender, sender_mac);
      break;
    default:
      print("operation {}", operation);
  }
  print(", length {}", part.length);
}

}  // namespace transom::drivers
