// Changes captured packets in place: addresses, ports, payload; wherever they stand, within ARP, Neighbor
// Discovery and the packets that ICMP errors quote, too. No length changes.
//
// Checksums keep their verdict: what was right is right again, what was wrong stays wrong by as much, what
// was left to a device is left to it still. They are updated by the difference (RFC 1624), so that this holds
// for cut packets and fragments, too.
#pragma once

#include <optional>

#include "drivers/capture/packet_view.h"

namespace transom::drivers {

// What becomes what. Called for everything that is found; the default changes nothing.
class PacketChanges {
 public:
  virtual ~PacketChanges() = default;

  virtual MacAddress source_mac(const MacAddress& mac) { return mac; }
  virtual MacAddress destination_mac(const MacAddress& mac) { return mac; }
  virtual IpAddress source(const IpAddress& address) { return address; }
  virtual IpAddress destination(const IpAddress& address) { return address; }
  virtual std::uint16_t port(std::uint16_t port) { return port; }
  virtual std::uint8_t hop_limit(std::uint8_t hop_limit) { return hop_limit; }
  virtual std::uint8_t traffic_class(std::uint8_t traffic_class) { return traffic_class; }
  // The payload of TCP begins at `place` of its sequence space, that of others at `place` of the datagram.
  virtual void payload(MutableBytes /*octets*/, std::uint32_t /*place*/) {}
  // Octets that may tell anything: options that are not known, what follows the known part of a message.
  virtual void unknown(MutableBytes /*octets*/) {}
  // The payloads are changed: what a checksum covers elsewhere, in another fragment, must keep its sum.
  virtual bool changes_payload() const { return false; }
};

class PacketEditor {
 public:
  explicit PacketEditor(PacketChanges& changes) : changes_(changes) {}

  // `octets`: those of the packet, to be changed.
  void edit(const CapturedPacket& packet, MutableBytes octets);

 private:
  void link_header(LinkType type, MutableBytes octets);
  void arp(MutableBytes octets);
  // A packet from its IP header on; false when it is none. `on_wire`: its octets there.
  bool ip(MutableBytes octets, std::uint32_t on_wire);
  void network_header(MutableBytes octets, const PacketView& view);
  void ipv4_options(MutableBytes options);
  void extension_headers(MutableBytes octets, std::size_t end);
  void transport(MutableBytes octets, const PacketView& view);
  void icmp(MutableBytes message);
  void igmp(MutableBytes message);
  void icmpv6(MutableBytes message);
  void neighbour_options(MutableBytes options, bool is_advertisement);
  void group_records(MutableBytes records, std::size_t address_size);
  void change_payload(MutableBytes payload, std::uint32_t place, bool keeps_sum);
  // The address of 4 or 16 octets at `offset`, if it is there.
  void change_address(MutableBytes octets, std::size_t offset, std::size_t size, bool is_source);
  void change_addresses(MutableBytes octets, std::size_t offset, std::size_t size, bool is_source);
  void change_mac(MutableBytes octets, std::size_t offset, bool is_source);

  PacketChanges& changes_;
  unsigned depth_ = 0;                       // of packets within packets
  std::optional<IpAddress> before_, after_;  // the last address of a routing header, which checksums cover
};

// The checksum over all that is there, put where it belongs; packets that are cut or fragments, or have none,
// stay as they are.
void fill_in_checksums(const CapturedPacket& packet, MutableBytes octets);

}  // namespace transom::drivers
