#include "drivers/judge/reset_rules.h"

#include <algorithm>

namespace transom::drivers::judge {

void ResetRules::judge(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (segment.is_copy) return;
  OneSide& own = sides_[index_of(segment.side)];
  if (segment.flags().rst) return judge_reset(scene);
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

}  // namespace transom::drivers::judge
