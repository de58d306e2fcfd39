#include "drivers/judge/challenge_rules.h"

namespace transom::drivers::judge {

using std::chrono::seconds;

namespace {
// Linux lets one go in half a second for each connection, RFC 5961 §7 some in five seconds for all.
constexpr seconds kRest{5};
constexpr std::uint32_t kSurely = 3;

// By its own words: who acknowledges text has had the whole handshake.
bool is_established(const PassiveEndpoint& end) {
  return end.at_least.state() == tcp::State::kEstablished || end.acked.value_or(0) > 1;
}

}  // namespace

void ChallengeRules::judge(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (segment.is_copy) return;
  OneSide& own = sides_[index_of(segment.side)];
  OneSide& peer = sides_[index_of(other(segment.side))];
  if (segment.flags().rst) own.is_over = true;
  if (segment.flags().rst && segment.begin <= scene.from.sent_end) peer.is_over = true;
  if (own.unanswered > 0) {
    // Whatever comes soon enough tells the peer what a challenge would have told it.
    const bool was_silent = own.asked_at && segment.time() - *own.asked_at >= kRest;
    if (own.unanswered >= kSurely && was_silent && !own.is_over && is_established(scene.from))
      scene.report.violation_if_complete(
          rule::kChallengeMissing, segment,
          "goes on after {} segments without an answer, the last in frame {}: {}", own.unanswered, own.frame,
          own.by);
    own.unanswered = 0;
    own.asked_at.reset();
  }
  if (segment.flags().syn || !scene.to.acked || !scene.to.edge || !scene.agreed.is_known) return;
  // RFC 5961 §3.2: surely not the next number, and in the window.
  if (segment.flags().rst && segment.begin > scene.from.sent_end && segment.begin < *scene.to.edge)
    provoke(scene, "a reset in the window");
  // RFC 9293 §3.10.7.4, fifth check.
  if (!segment.flags().rst && segment.ack && *segment.ack > scene.to.sent_end &&
      segment.begin >= *scene.to.acked && segment.begin < *scene.to.edge)
    provoke(scene, "an acknowledgment of what was not sent");
}

void ChallengeRules::provoke(const Scene& scene, std::string_view by) {
  // Known for certain where it arrives: at the one that is to answer.
  const bool has_come = scene.to.is_captured_here || scene.is_complete;
  const bool is_open = scene.to.is_from_start() && scene.to.has_sent && !scene.to.fin_at &&
                       !scene.from.fin_at && !sides_[index_of(other(scene.segment.side))].is_over &&
                       is_established(scene.to);
  if (!has_come || !is_open || !scene.segment.is_verified()) return;
  OneSide& answerer = sides_[index_of(other(scene.segment.side))];
  if (answerer.asked_at && scene.segment.time() - *answerer.asked_at < kRest) return;
  ++answerer.unanswered;
  answerer.asked_at = scene.segment.time();
  answerer.by = by;
  answerer.frame = scene.segment.frame();
}

}  // namespace transom::drivers::judge
