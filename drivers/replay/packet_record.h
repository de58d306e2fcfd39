// What a comparison needs to know of one packet, without its octets.
#pragma once

#include <string>

#include "drivers/capture/packet_view.h"
#include "drivers/replay/sequence_offsets.h"

namespace transom::drivers::replay {

struct PacketRecord {
  std::uint64_t number = 0;  // in the capture, or in what happened
  Duration time{};           // since the beginning of the capture
  IpProtocol protocol{};
  bool is_ours = false;      // of the end that we play; else the peer's
  std::uint32_t length = 0;  // octets of TCP or UDP payload, else of what follows the IP header
  std::uint64_t digest = 0;  // of those octets
  bool is_fragment = false;
  bool is_whole = true;                         // they were all captured
  std::optional<std::uint32_t> identification;  // of IPv4, and of fragments of IPv6
  // --- TCP
  wire::TcpFlags flags;
  std::int64_t sequence = 0;        // offset: 0 is the SYN
  std::int64_t acknowledgment = 0;  // offset in the other direction; with flags.ack
  std::uint32_t window = 0;         // octets
  std::uint8_t sack_blocks = 0;
  std::optional<std::uint16_t> maximum_segment_size;
  std::optional<std::uint8_t> window_scale;
  bool sack_permitted = false;
  bool has_timestamps = false;
  // --- else: the first two octets (type and code of ICMP)
  std::uint16_t kind = 0;

  std::int64_t end() const { return sequence + length + (flags.syn ? 1 : 0) + (flags.fin ? 1 : 0); }
  bool is_pure_ack() const { return flags.ack && !flags.syn && !flags.fin && !flags.rst && length == 0; }
};

// `ours`, `theirs`: offsets in the direction of the packet and in the other; not needed where there is no
// TCP.
PacketRecord make_record(const CapturedPacket& packet, const PacketView& view, std::int64_t sequence,
                         std::int64_t acknowledgment, std::uint8_t scale);

// Not against an attacker: to see whether two packets carry the same.
std::uint64_t digest_of(Bytes octets);

// As tcpdump -S would, with relative numbers: "P. 1:1461(1460) ack 1 win 512".
std::string describe(const PacketRecord& record);

}  // namespace transom::drivers::replay
