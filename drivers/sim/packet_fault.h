// Faults that hit one certain packet, as data:
//
//   drop the 3rd retransmission              duplicate the first syn-ack
//   corrupt byte 20 of data segment 7        delay data segments 5-9 by 30ms
//   mark every data segment                  drop the 1st fin
//
// Packets are counted, per kind, where they enter one direction of a link, from 1. Bytes are counted from 0
// at the transport header.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "stack/base/packet.h"
#include "stack/base/seq_num.h"
#include "stack/base/time.h"
#include "stack/link/interface.h"

namespace transom::drivers::sim {

enum class PacketKind : std::uint8_t {
  kPacket,          // any
  kData,            // TCP with payload, sent again or not
  kRetransmission,  // TCP with payload that begins before the end of what has passed already
  kAck,             // TCP without payload, SYN, FIN and RST
  kSyn,
  kSynAck,
  kFin,
  kReset,
  kUdp,
  kIcmp,
  kCount
};

struct PacketFault {
  enum class Action : std::uint8_t { kDrop, kDuplicate, kCorrupt, kDelay, kMark };

  Action action = Action::kDrop;
  PacketKind kind = PacketKind::kPacket;
  std::uint64_t first = 1;  // the first and the last that it hits
  std::uint64_t last = 1;
  std::size_t byte = 0;  // kCorrupt: whose bits are all turned
  Duration delay{};      // kDelay: in front of the queue
};

// On failure: a line that says what was not understood and gives an example.
std::expected<PacketFault, std::string> parse_packet_fault(std::string_view text);

class PacketFaults {
 public:
  PacketFaults(std::vector<PacketFault> faults, link::LinkType type)
      : faults_(std::move(faults)), type_(type) {}

  struct Verdict {
    bool drop = false;
    bool duplicate = false;
    bool mark = false;
    std::optional<std::size_t> corrupt_byte;
    Duration delay{};
  };
  // Counts the packet.
  Verdict judge(const Packet& packet);
  bool empty() const { return faults_.empty(); }

 private:
  using Kinds = std::uint32_t;  // a set: one bit per PacketKind
  Kinds kinds_of(const Packet& packet);

  std::vector<PacketFault> faults_;
  link::LinkType type_;
  std::uint64_t counts_[static_cast<std::size_t>(PacketKind::kCount)] = {};
  std::unordered_map<std::uint64_t, SeqNum> highest_;  // behind the last octet that has passed, by flow
};

}  // namespace transom::drivers::sim
