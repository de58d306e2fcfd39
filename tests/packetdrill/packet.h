// Packets of a script as octets, and octets of the stack against a script. None of it is code of the stack:
// what it judges must not judge itself.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/packetdrill/script.h"

namespace packetdrill {

using Octets = std::vector<std::uint8_t>;

struct Network {
  bool is_v6 = false;
  Octets local;   // the stack's address, as it is in a header
  Octets remote;  // the script's
};

// One conversation. The script's sequence numbers start at 0; ours are those that the stack chose.
struct Flow {
  bool is_tcp = true;
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;
  bool is_passive = false;
  bool has_local_isn = false;
  bool has_remote_syn = false;
  std::uint32_t local_isn = 0;
  std::map<std::uint32_t, std::uint32_t> timestamps{};  // of the stack, by what the script calls them
  std::uint32_t sent = 0;  // the highest sequence number sent to the stack, for resets
};

// A packet of the stack, taken apart.
struct LivePacket {
  bool is_v6 = false;
  std::uint8_t protocol = 0;
  std::uint8_t traffic_class = 0;
  std::uint8_t ttl = 0;
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgment = 0;
  std::string flags{};
  std::uint16_t window = 0;
  std::uint16_t urgent = 0;
  Octets options;
  std::size_t payload = 0;

  bool has(char flag) const { return flags.find(flag) != std::string::npos; }
};

// Throws Failure for what is malformed: lengths, checksums, fragments, extension headers.
LivePacket take_apart(const Octets& octets);

Octets make_tcp(const Network& network, Flow& flow, const PacketSpec& packet);
Octets make_udp(const Network& network, const Flow& flow, const PacketSpec& packet);
Octets make_icmp(const Network& network, const Flow& flow, const PacketSpec& packet);

// Why `live` is not what the script says; empty when it is. `first`: octets of the script's packet that
// earlier packets have brought. Learns the initial sequence number and timestamps.
std::string compare_tcp(const LivePacket& live, const PacketSpec& packet, Flow& flow, std::uint32_t first);

std::string describe(const LivePacket& live, const Flow& flow);

}  // namespace packetdrill
