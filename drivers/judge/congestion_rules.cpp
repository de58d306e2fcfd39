#include "drivers/judge/congestion_rules.h"

#include <algorithm>

namespace transom::drivers::judge {

void CongestionRules::judge(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (segment.is_copy || !scene.agreed.is_known || segment.flags().syn || segment.flags().rst) return;
  OneSide& peer = sides_[index_of(other(segment.side))];
  if (segment.ack && *segment.ack > 1) peer.is_acknowledged = true;
  const bool is_duplicate = segment.is_pure_ack() && scene.from.acked == segment.ack && *segment.ack > 1;
  if (segment.header().options.sack_count > 0 || is_duplicate) peer.is_over = true;

  OneSide& side = sides_[index_of(segment.side)];
  if (side.is_over || segment.text_length() == 0) return;
  if (segment.is_repeat) {
    side.is_over = true;
    return;
  }
  const Position mss = largest_segment(scene.to);
  const Position initial = std::max<Position>(10 * mss, 14600);
  const Position sent = std::max(segment.text_end, scene.from.sent_end) - 1;
  // The segment at hand may have been on its way when the acknowledgment passed.
  if (!side.is_acknowledged) side.first_flight = std::max(side.first_flight, sent);
  if (!side.is_acknowledged && sent > initial) {
    side.is_over = true;
    scene.report.noteworthy(rule::kInitialWindow, segment, "{} octets before any acknowledgment, MSS {}",
                            sent, mss);
    return;
  }
  const Position acknowledged = scene.to.acked ? std::max<Position>(*scene.to.acked - 1, 0) : 0;
  // Limited transmit (RFC 3042) and a tail loss probe come on top.
  if (sent > std::max(initial, side.first_flight) + 2 * acknowledged + 3 * mss) {
    side.is_over = true;
    scene.report.noteworthy(rule::kSlowStart, segment, "{} octets sent, {} acknowledged", sent, acknowledged);
  }
}

}  // namespace transom::drivers::judge
