// One end of a connection, known by the packets that passed the capture: what it has said, and what may have
// come to it at the most. What passed may have been lost before it arrived; what has arrived must have
// passed, unless the capture missed it.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "drivers/capture/packet_view.h"
#include "drivers/capture/position_ranges.h"
#include "drivers/judge/finding.h"
#include "drivers/judge/passive_state.h"

namespace transom::drivers::judge {

struct PassiveEndpoint {
  Endpoint address;
  // The capture was taken at this end: what passes towards it has arrived, in that order, and nothing else
  // has.
  bool is_captured_here = false;

  bool has_sent = false;  // a segment that can be believed
  bool has_reset = false;
  bool is_aborted = false;  // that reset was of this connection's own sequence numbers
  // Its SYNs that differ, the latest last; at most kMaxSyns. Empty: the capture does not show its beginning.
  static constexpr std::size_t kMaxSyns = 8;
  std::vector<wire::TcpHeader> syns;

  StreamNumbers numbers;
  Position sent_end = 0;   // behind the furthest that it has sent
  PositionRanges sent;     // what it has sent: what may have come to the other end
  PositionRanges damaged;  // what passed with a wrong checksum only
  std::optional<Position> fin_at;
  std::optional<Position> first_text;  // where its first text after the SYN began

  std::optional<Position> acked;        // the furthest of the peer's stream that it has acknowledged
  std::optional<Position> edge;         // how far it has ever let the peer send
  std::optional<std::uint64_t> window;  // the latest that it offered, octets
  std::uint64_t largest_window = 0;
  PositionRanges sacked;  // of the peer's stream, beyond the acknowledgment

  std::optional<std::uint32_t> latest_timestamp;  // the latest that it has sent
  std::uint64_t segments = 0, octets = 0;         // octets of text, repeated ones too
  std::optional<Duration> last_sent;              // when its last segment passed

  PassiveState at_least, at_most;

  bool is_from_start() const { return !syns.empty(); }
  const wire::TcpHeader& syn() const { return syns.back(); }
  // "ESTABLISHED", or "SYN-RECEIVED or ESTABLISHED".
  std::string state_text() const;
};

// What the two SYNs agree on. Nothing is known before both were seen.
struct Agreement {
  // kUnsure: SYN-ACKs that differ.
  enum class Ecn : std::uint8_t { kNone, kClassic, kAccurate, kUnsure };

  bool is_known = false;
  bool scaled = false;
  bool timestamps = false;
  Ecn ecn = Ecn::kNone;

  static Agreement of(const PassiveEndpoint& first, const PassiveEndpoint& second);
};

// Whether any of the SYNs of an end has what `is_wanted` looks for.
template <typename Predicate>
bool any_syn(const PassiveEndpoint& end, Predicate is_wanted) {
  for (const wire::TcpHeader& syn : end.syns)
    if (is_wanted(syn)) return true;
  return false;
}

// Octets that may be in a segment, options included, by the MSS of who receives it (RFC 9293 §3.7.1).
std::uint32_t largest_segment(const PassiveEndpoint& receiver);

}  // namespace transom::drivers::judge
