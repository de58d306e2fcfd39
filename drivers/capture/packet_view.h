// A captured packet taken apart: where its headers are and what they say. Looks, never judges: what is cut or
// malformed is left out, and the rest is there.
#pragma once

#include <optional>

#include "drivers/capture/captured_packet.h"
#include "stack/base/address.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"
#include "stack/wire/tcp.h"
#include "stack/wire/udp.h"

namespace transom::drivers {

// Not to be confused with transom::ChecksumState, which says what a device has to do.
enum class ChecksumVerdict : std::uint8_t {
  kAbsent,   // the header has none, or UDP over IPv4 sent 0
  kUnknown,  // cannot be said: the packet is cut, a fragment, or of a protocol that is not looked into
  kGood,
  kUnfilled,  // the sum of the pseudo header alone: the sender left the rest to its device (checksum offload)
  kBad,
};

struct PacketView {
  // --- network layer: set by parse() for each view there is
  IpFamily family = IpFamily::kIpv4;
  IpAddress source = IpAddress::v4(0), destination = IpAddress::v4(0);
  std::uint8_t traffic_class = 0;  // ECN in the lower two bits
  std::uint8_t hop_limit = 0;      // or TTL
  bool dont_fragment = false;
  bool is_fragment = false;
  bool more_fragments = false;
  std::uint16_t fragment_offset = 0;  // octets
  std::uint32_t identification = 0;   // of IPv4 always, of IPv6 in fragments
  IpProtocol protocol{};              // behind IPv6 extension headers
  std::size_t network_offset = 0;     // of the IP header in the captured octets
  std::size_t transport_offset = 0;   // of what follows IP and its extension headers
  // Octets on the wire by IP's own length: not the padding of Ethernet. Super-packets that are too long for
  // that length say 0; it is then what the link carried.
  std::uint32_t transport_length = 0;
  ChecksumVerdict network_checksum = ChecksumVerdict::kAbsent;

  // --- transport layer: of unfragmented packets and first fragments whose header was captured whole
  std::optional<wire::TcpHeader> tcp;
  std::optional<wire::UdpHeader> udp;
  ChecksumVerdict transport_checksum = ChecksumVerdict::kUnknown;  // of ICMP, ICMPv6 and IGMP too
  std::size_t payload_offset = 0;    // behind the TCP or UDP header; where there is none, as transport_offset
  std::uint32_t payload_length = 0;  // octets on the wire
  Bytes payload;                     // as many of them as were captured

  bool has_whole_payload() const { return payload.size() == payload_length; }
  // TCP: text, and one for SYN and FIN each (SEG.LEN of RFC 9293).
  std::uint32_t sequence_length() const;

  // nullopt for what carries no IP or whose IP headers are not whole; ARP among it.
  static std::optional<PacketView> parse(const CapturedPacket& packet);
};

// Octets in front of the network header and the EtherType that it has; nullopt when the packet is shorter or
// its link type is not known. 802.1Q and 802.1ad tags are passed over.
struct LinkView {
  std::size_t network_offset = 0;  // octets.size() at most
  std::uint16_t ether_type = 0;    // 0x0800 and 0x86dd also for links without one; 0: neither
};
std::optional<LinkView> parse_link(const CapturedPacket& packet);

}  // namespace transom::drivers
