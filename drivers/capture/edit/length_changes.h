// Changes of captured packets that change their length, or make several of one.
#pragma once

#include <vector>

#include "drivers/capture/packet_view.h"

namespace transom::drivers {

// A packet whose octets are its own.
struct OwnedPacket {
  CapturedPacket packet;  // its octets are those of `octets`
  std::vector<std::uint8_t> octets;

  static OwnedPacket copy_of(const CapturedPacket& packet);
  // After `octets` was changed.
  void refresh(std::uint32_t original_length);
};

// A cut packet filled with zeros to its length on the wire. Its checksums are not those of its zeros then.
void pad_to_length(OwnedPacket& packet);
// What of an IP packet is longer than `mtu` octets is cut off, and the packet says that it never was longer.
// Packets that a snap length has cut become as long as what is left of them.
void cut_to_length(OwnedPacket& packet, std::uint32_t mtu);
// The kinds of the TCP options of a packet, in their order, without padding; up to the first that is
// malformed. Empty for a packet that has none, is a fragment or was cut.
std::vector<std::uint8_t> tcp_option_kinds(const CapturedPacket& packet);
// The packet without its TCP options of that kind; as it was when it has none.
void drop_tcp_options(OwnedPacket& packet, std::uint8_t kind);
// A TCP segment longer than `segment` octets of payload, as the segments that a device makes of it (RFC 9293
// §3.7.1; CWR on the first, FIN and PSH on the last). Empty when it is none, or was cut.
std::vector<OwnedPacket> segments_of(const CapturedPacket& packet, const PacketView& view,
                                     std::uint32_t segment);
// The packet as bare IP (LinkType::kRaw); false when it is not IP.
bool reduce_to_ip(OwnedPacket& packet);

}  // namespace transom::drivers
