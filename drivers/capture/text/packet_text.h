// A packet as tcpdump 4.99 prints it with -n: what stands behind the time.
//
//   IP 10.0.0.1.4000 > 10.0.0.2.80: Flags [P.], seq 1:11, ack 1, win 512, length 10
//
// docs/captures.md lists where it differs on purpose: names are never looked up, and of what UDP and TCP
// carry only DNS and the sender of DHCP are read.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>

#include "drivers/capture/captured_packet.h"
#include "stack/base/address.h"

namespace transom::drivers {

struct PacketTextStyle {
  bool link_header = false;       // -e
  int verbosity = 0;              // -v, -vv
  bool absolute_numbers = false;  // -S
  bool hides_unknown = false;     // no octets of what cannot be read: they are shown anyhow
};

// The first sequence number of each direction of each connection, from which the others are counted, as
// tcpdump does: the first segment with ACK is shown with both of its numbers whole.
class SequenceBases {
 public:
  struct Pair {
    std::uint32_t own = 0;   // of the direction that was asked for
    std::uint32_t peer = 0;  // of the other
    bool is_first = true;    // the segment begins a conversation: its own numbers are shown whole
  };
  Pair look_up(const Endpoint& from, const Endpoint& to, std::uint32_t sequence, std::uint32_t acknowledgment,
               bool is_syn);

 private:
  // A file of nothing but beginnings shall not fill the memory: past that many, all are forgotten.
  static constexpr std::size_t kMaxConnections = 65536;
  // From the lower to the higher endpoint, and back.
  std::map<std::pair<Endpoint, Endpoint>, std::array<std::uint32_t, 2>> bases_;
};

class PacketText {
 public:
  explicit PacketText(PacketTextStyle style = {}) : style_(style) {}

  // Verbose text has several lines.
  std::string line(const CapturedPacket& packet);

 private:
  PacketTextStyle style_;
  SequenceBases bases_;
};

}  // namespace transom::drivers
