#include "drivers/replay/flow_report.h"

#include <algorithm>

namespace transom::drivers::replay {

Likeness likeness_of(judge::Verdict verdict) {
  switch (verdict) {
    case judge::Verdict::kLegal:
      return Likeness::kLegal;
    case judge::Verdict::kUnknown:
      return Likeness::kUnknown;
    case judge::Verdict::kViolation:
      break;
  }
  return Likeness::kViolation;
}

bool FlowReport::octets_are_equal() const {
  if (!is_tcp || !tcp.is_playable) return true;
  if (!acknowledged) return tcp.received.are_equal();
  const auto needed = static_cast<std::uint64_t>(std::max<std::int64_t>(*acknowledged - 1, 0));
  return tcp.received.different() == 0 && tcp.received.length(StreamCheck::Side::kActual) >= needed;
}

Likeness FlowReport::likeness() const {
  if (is_tcp && !tcp.is_playable) return Likeness::kUnknown;
  Likeness worst = std::max(least, comparison.likeness());
  if (peer) worst = std::max(worst, peer->likeness());
  for (const judge::Finding& finding : findings) {
    // What a SHOULD says is no difference to the recording.
    if (finding.verdict == judge::Verdict::kViolation) worst = Likeness::kViolation;
  }
  if (!octets_are_equal() || !tcp.stall.empty()) worst = Likeness::kViolation;
  return worst;
}

}  // namespace transom::drivers::replay
