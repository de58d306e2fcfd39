#include "drivers/judge/congestion_rules.h"

#include <algorithm>

#include "drivers/judge/acknowledgment_rules.h"

namespace transom::drivers::judge {

void CongestionRules::judge(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (segment.is_copy || !scene.agreed.is_known || segment.flags().syn || segment.flags().rst) return;
  OneSide& peer = sides_[index_of(other(segment.side))];
  if (segment.ack && *segment.ack > 1) peer.is_acknowledged = true;
  const bool is_duplicate = segment.is_pure_ack() && scene.from.acked == segment.ack && *segment.ack > 1;
  if (segment.header().options.sack_count > 0 || is_duplicate) peer.is_over = true;

  follow_recovery(scene);
  if (segment.text_length() == 0) return;
  judge_first_flight(scene);
  judge_reduction(scene);
}

void CongestionRules::judge_first_flight(const Scene& scene) {
  const Segment& segment = scene.segment;
  OneSide& side = sides_[index_of(segment.side)];
  if (side.is_over) return;
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

// What the acknowledgments of the peer say of its recovery.
void CongestionRules::follow_recovery(const Scene& scene) {
  const Segment& segment = scene.segment;
  OneSide& peer = sides_[index_of(other(segment.side))];
  if (!segment.ack || !scene.from.acked) return;
  if (*segment.ack > *scene.from.acked)
    peer.duplicates = 0;
  else if (segment.is_pure_ack() && *segment.ack == *scene.from.acked)
    ++peer.duplicates;
  if (!peer.recovery) return;
  // It was a mistake, and may be undone (RFC 3522, RFC 3708): the first copy has come as well.
  const auto& timestamps = segment.header().options.timestamps;
  const bool echoes_the_first = timestamps && peer.recovery->timestamp && !peer.recovery->is_over &&
                                *segment.ack > *scene.from.acked &&
                                static_cast<std::int32_t>(timestamps->echo - *peer.recovery->timestamp) < 0;
  if (echoes_the_first || has_duplicate_block(segment, scene.to.numbers)) {
    peer.recovery.reset();
    peer.growth.reset();
  } else if (*segment.ack >= peer.recovery->until && peer.recovery->is_over)
    peer.recovery.reset();
  else if (*segment.ack >= peer.recovery->until) {
    peer.recovery->is_over = true, peer.recovery->until = scene.to.sent_end;
    if (peer.recovery->shows_window)
      peer.growth = OneSide::Growth{.flight = peer.largest_flight, .acknowledged = *segment.ack};
  }
}

// RFC 5681 §3.2: three duplicate acknowledgments halve the window; CUBIC leaves seven tenths of it (RFC 9438
// §4.6). In the round trip behind the recovery there is room for less than before it. Judged at the sender,
// where it is known what is in flight.
void CongestionRules::judge_reduction(const Scene& scene) {
  const Segment& segment = scene.segment;
  OneSide& side = sides_[index_of(segment.side)];
  if (!scene.from.is_captured_here || !scene.to.acked) return;
  const Position flight = std::max(segment.text_end, scene.from.sent_end) - *scene.to.acked;
  constexpr std::uint32_t kLoss = 3;
  constexpr Position kJudged = 8;  // segments in flight; of fewer, single ones matter
  const Position mss = largest_segment(scene.to);
  if (segment.is_repeat)
    side.growth.reset();
  else
    judge_growth(scene, side, flight);
  side.largest_flight = std::max(side.largest_flight, flight);
  if (segment.is_repeat && !side.recovery && side.duplicates >= kLoss && flight >= kJudged * mss) {
    const auto& timestamps = segment.header().options.timestamps;
    side.recovery =
        OneSide::Recovery{.flight = flight,
                          .until = scene.from.sent_end,
                          .shows_window = scene.to.edge && *scene.to.edge - *scene.to.acked >= 2 * flight,
                          .timestamp = timestamps ? std::optional(timestamps->value) : std::nullopt};
  } else if (!segment.is_repeat && side.recovery && side.recovery->is_over &&
             flight > side.recovery->flight) {
    scene.report.noteworthy(rule::kWindowKept, segment, "{} octets in flight, {} when a loss was found",
                            flight, side.recovery->flight);
    side.recovery.reset();
  }
}

// RFC 5681 §3.1: each acknowledgment makes room for what it acknowledges, and for as much again at the most,
// whatever the algorithm. What was in flight before the loss need not have filled the window: half of it may
// have been unused, then it grows no further (RFC 7661 §4.3). Where the peer's window was the limit, nothing
// is known of that of the network.
void CongestionRules::judge_growth(const Scene& scene, OneSide& side, Position flight) {
  if (!side.growth) return;
  const Position acknowledged = *scene.to.acked - side.growth->acknowledged;
  const Position mss = largest_segment(scene.to);
  // Limited transmit (RFC 3042) and a tail loss probe come on top.
  if (flight <= 2 * side.growth->flight + acknowledged + 3 * mss) return;
  scene.report.noteworthy(rule::kGrowthAfterLoss, scene.segment,
                          "{} octets in flight, never more than {} before the loss, {} acknowledged since",
                          flight, side.growth->flight, acknowledged);
  side.growth.reset();
}

}  // namespace transom::drivers::judge
