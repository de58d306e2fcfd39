// What a Judge is told about a capture, and what it tells on its way.
#pragma once

#include <functional>
#include <vector>

#include "drivers/judge/segment.h"

namespace transom::drivers::judge {

// How a segment moved the two state machines. The Segment and the packet are good during the call only.
struct SegmentEvent {
  struct Move {
    Side side = Side::kFirst;
    bool by_sending = false;  // or by receiving
    StateChange change{};
  };
  std::uint64_t connection = 0;
  const Segment* segment = nullptr;
  const PassiveEndpoint* from = nullptr;  // after it
  const PassiveEndpoint* to = nullptr;
  std::vector<Move> moves{};  // as if all that passes arrives
};

struct JudgeOptions {
  // The capture missed nothing, and all that passed has arrived: it was made by a simulation, or by the host
  // itself.
  bool is_complete = false;
  // The capture missed nothing of what passed at `captured_at`, but that may have been lost behind it: a host
  // looked at itself.
  bool has_missed_nothing = false;
  // Addresses of hosts at which the capture was taken: what passes towards them has arrived.
  std::vector<IpAddress> captured_at{};
  // No device cut or joined segments behind the capture, so that one that is too long is just that.
  bool has_offload = true;
  std::size_t max_connections = 65536;  // at a time; beyond, that which was silent for longest is given up
  std::size_t max_findings = 10000;
  std::size_t max_summaries = 100000;
  // Called for each TCP segment whose checksum is not wrong. May be empty.
  std::function<void(const SegmentEvent&)> on_segment = nullptr;
};

struct ConnectionSummary {
  struct End {
    Endpoint address;
    std::uint64_t segments = 0, octets = 0;
    std::string state{};  // at the end of the capture
  };
  std::uint64_t number = 0;  // from 1, in the order of their first packets
  std::array<End, 2> ends;   // by Side
  std::uint64_t first_frame = 0, last_frame = 0;
  Duration first_time{}, last_time{};
  bool has_handshake = false;  // both SYNs were seen
  bool has_missed = false;     // the capture missed packets of it
  std::uint64_t left_out = 0;  // findings like others that were kept
};

}  // namespace transom::drivers::judge
