#include "drivers/judge/reset_rules.h"

#include <algorithm>

namespace transom::drivers::judge {

void ResetRules::judge(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (segment.is_copy) return;
  OneSide& own = sides_[index_of(segment.side)];
  follow_close(scene);
  if (segment.flags().rst) {
    judge_time_wait(scene);
    return judge_reset(scene);
  }
  if (own.challenged_by && segment.flags().ack) own.challenged_by.reset();  // it lives
  if (own.reset_at && segment.text_length() > 0 && segment.text_begin >= *own.reset_at &&
      segment.text_begin >= scene.from.sent_end)
    scene.report.noteworthy(rule::kAliveAfterReset, segment, "sends new data at {}, after a reset at {}",
                            segment.text_begin, *own.reset_at);
}

void ResetRules::judge_reset(const Scene& scene) {
  const Segment& segment = scene.segment;
  OneSide& own = sides_[index_of(segment.side)];
  OneSide& peer = sides_[index_of(other(segment.side))];
  const bool is_open = scene.from.is_from_start() && scene.to.is_from_start() && scene.to.acked;

  // The form that RFC 9293 §3.10.7.1 gives to the answer of who has no connection.
  const bool is_answer = !segment.flags().ack;
  if (own.challenged_by && is_answer && !scene.from.fin_at && !scene.from.has_reset) {
    const std::string text =
        fmt::format("no connection any more since the reset in frame {}", *own.challenged_by);
    if (scene.shows_what_came())
      scene.report.violation_if_complete(rule::kResetAccepted, segment, "{}", text);
    else
      scene.report.unknown(rule::kResetAccepted, segment, "{}; or it had ended for another reason", text);
  }
  if (!is_open) return;
  if (segment.begin > scene.from.sent_end || segment.begin < *scene.to.acked) {
    scene.report.noteworthy(
        rule::kResetNotExact, segment, "reset at {}, expected is {}{}", segment.begin, *scene.to.acked,
        scene.from.sent_end == *scene.to.acked ? "" : fmt::format(" to {}", scene.from.sent_end));
    if (segment.begin > scene.from.sent_end && scene.to.edge && segment.begin < *scene.to.edge &&
        !scene.to.has_reset && !scene.from.has_reset)
      peer.challenged_by = segment.frame();
  } else if (segment.begin == scene.from.sent_end && segment.flags().ack) {
    own.reset_at = segment.begin;
  }
}

// Who has sent its FIN before it had the peer's, and has both acknowledged, waits.
void ResetRules::follow_close(const Scene& scene) {
  const Segment& segment = scene.segment;
  OneSide& own = sides_[index_of(segment.side)];
  const auto &own_fin = scene.from.fin_at, &peer_fin = scene.to.fin_at;
  if (segment.flags().fin && !own_fin && segment.ack)
    own.closes_first = !peer_fin || *segment.ack <= *peer_fin;
  if (own.closes_first && !own.waits_since && own_fin && peer_fin && scene.from.acked && scene.to.acked &&
      *scene.from.acked > *peer_fin && *scene.to.acked > *own_fin)
    own.waits_since = scene.from.last_sent;
}

// RFC 9293 §3.10.7.4: TIME-WAIT acknowledges what comes again, for 2 MSL. Who answers as if there were no
// connection has forgotten it; but a reset of the peer may end it (RFC 1337).
void ResetRules::judge_time_wait(const Scene& scene) {
  const Segment& segment = scene.segment;
  const OneSide& own = sides_[index_of(segment.side)];
  constexpr std::chrono::seconds kSurelyWithin{20};  // shorter than anybody's TIME-WAIT
  if (segment.flags().ack || !own.waits_since || scene.from.has_reset || scene.to.has_reset ||
      segment.time() - *own.waits_since > kSurelyWithin)
    return;
  scene.report.violation_if_complete(
      rule::kTimeWaitForgotten, segment, "no connection any more {} ms after it had acknowledged the FIN",
      std::chrono::duration_cast<std::chrono::milliseconds>(segment.time() - *own.waits_since).count());
}

}  // namespace transom::drivers::judge
