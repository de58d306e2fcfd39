// The first pass over a capture: who took part, and of each end of each TCP connection what a stack in its
// place must be told before the first packet: its initial sequence number, the options of its SYN, its
// windows, its clock, and how it closed.
#pragma once

#include <functional>
#include <map>
#include <set>

#include "drivers/capture/capture_reader.h"
#include "drivers/replay/flow_table.h"
#include "drivers/replay/identification_pattern.h"
#include "drivers/replay/segment_joiner.h"
#include "drivers/replay/sequence_offsets.h"

namespace transom::drivers::replay {

struct TcpEnd {
  std::optional<SeqNum> initial;  // of its SYN
  bool is_opener = false;         // its first SYN came without an ACK
  wire::TcpOptions syn_options;
  std::uint16_t syn_window = 0;
  std::uint8_t ip_ttl = 64;  // of its first packet
  bool syn_had_data = false;
  bool asked_for_ecn = false;
  std::uint32_t largest_window = 0;              // octets
  std::optional<std::uint32_t> first_timestamp;  // TSval
  Duration first_timestamp_time{};
  SequenceOffsets offsets;
  std::int64_t end = 0;  // offset behind the last octet or FIN that it sent
  std::optional<std::int64_t> fin;
  bool has_reset = false;
  bool outlived_reset = false;                            // it went on after a reset of the other end
  bool refused = false;                                   // answered the first SYN with a reset
  std::int64_t acknowledged = 0;                          // of the other end's octets
  std::int64_t acknowledged_at_fin = 0;                   // the same when its FIN was first seen
  bool acknowledged_syn_data = false;                     // fast open: its SYN-ACK covered more than the SYN
  std::optional<std::uint32_t> keep_idle, keep_interval;  // seconds, where it sent keep-alive probes
  IdentificationPattern identifications;                  // IPv4
  bool took_data_after_fin() const { return fin && acknowledged > acknowledged_at_fin + 1; }
};

struct TcpFacts {
  std::array<TcpEnd, 2> ends;
  std::uint64_t packets = 0;
  Duration begin{}, last{};
  Duration last_activity{};  // that was no keep-alive probe
  // Recorded from the first SYN on, so that a stack can take part.
  bool has_handshake() const {
    return (ends[0].initial && ends[0].is_opener) || (ends[1].initial && ends[1].is_opener);
  }
  // The end answered with resets only, or not at all: no connection of its own is needed.
  bool is_stray(std::size_t side) const { return !ends[side].initial && ends[side].end == 0; }
  // What the numbering of IPv4 packets may depend on: of a segment of this side, by offsets.
  IdentificationPattern::Kind kind_of(std::size_t side, const wire::TcpFlags& flags, std::int64_t sequence,
                                      std::int64_t acknowledgment) const;
  std::uint8_t scale(std::size_t side) const {  // of the windows that this end sends
    const auto &ours = ends[side].syn_options.window_scale, &theirs = ends[1 - side].syn_options.window_scale;
    return ours && theirs ? std::min<std::uint8_t>(*ours, 14) : 0;
  }
};

struct Scene {
  std::vector<Flow> flows;
  std::map<std::size_t, TcpFacts> tcp;      // by flow
  std::map<IpAddress, MacAddress> macs;     // sources of Ethernet frames
  std::map<IpAddress, MacAddress> sent_to;  // where Ethernet frames to one host went
  std::set<IpAddress> broadcasts;           // addresses of all hosts of a network, as far as can be told
  LinkType link_type = LinkType::kEthernet;
  std::uint64_t packets = 0;
  std::uint64_t octets = 0;  // that were kept of them
  std::uint64_t unfilled_checksums = 0;
  std::uint64_t cut = 0;            // by the snap length
  std::uint64_t super_packets = 0;  // longer than any link's MTU here: offload
  std::uint64_t without_ip = 0;
  bool has_tags = false;              // 802.1Q
  std::uint32_t longest[2] = {0, 0};  // octets of IP packet, IPv4 and IPv6, of what was no super-packet
  std::set<std::pair<IpAddress, Port>> udp_refused;  // ICMP said that the port was closed
  Duration begin{}, end{};
};

class Survey {
 public:
  void add(const CapturedPacket& packet);
  Scene finish() &&;

 private:
  void add_tcp(const PacketView& view, const Place& place, Duration time);
  void add_keep_alive(TcpFacts& facts, TcpEnd& end, const PacketView& view, Duration time);
  void add_icmp(const CapturedPacket& packet, const PacketView& view);
  void add_macs(const CapturedPacket& packet, const PacketView& view);

  Scene scene_;
  FlowTable table_;
  SegmentJoiner joiner_;
};

// Reads the whole capture. `progress` is called now and then with the number of packets read.
std::expected<Scene, CaptureError> survey(CaptureReader& reader,
                                          const std::function<void(std::uint64_t)>& progress = nullptr);

}  // namespace transom::drivers::replay
