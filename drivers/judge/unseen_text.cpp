#include "drivers/judge/unseen_text.h"

namespace transom::drivers::judge {

void UnseenText::claim(const Scene& scene, const Rule& rule, PositionRange range, std::string text) {
  if (scene.shows_what_was_sent()) {
    scene.report.violation_if_complete(rule, scene.segment, "{}", text);
    return;
  }
  auto& claims = claims_[index_of(scene.segment.side)];
  if (claims.size() >= kMaxClaims) {
    give_up(scene.report, claims.front());
    claims.erase(claims.begin());
  }
  claims.push_back({.rule = &rule,
                    .range = range,
                    .place = Report::Place(scene.segment),
                    .proof = ReceiptProof(scene.segment, scene.from),
                    .is_within = range.begin < scene.to.sent_end,
                    .text = std::move(text)});
}

void UnseenText::judge(const Scene& scene) {
  const Segment& segment = scene.segment;
  auto& claims = claims_[index_of(other(segment.side))];
  if (claims.empty() || segment.is_copy || segment.flags().syn) return;
  for (Claim& claim : claims)
    claim.is_within |= segment.text_begin >= claim.range.end && segment.text_length() > 0;
  std::erase_if(claims, [&](const Claim& claim) {
    const bool sends_it = segment.text_length() > 0 && segment.text_begin < claim.range.end &&
                          segment.text_end > claim.range.begin;
    // What has no text has the number of what comes next (RFC 9293 §3.10.7.4); a FIN stands behind all text.
    const bool is_next = segment.begin == segment.text_end && !segment.flags().rst;
    // But a keep-alive has the last number that was acknowledged.
    const bool is_behind = is_next && segment.begin <= claim.range.begin &&
                           segment.begin + 1 < claim.range.end && claim.proof.is_given_by(segment);
    const bool ends_before = segment.flags().fin && segment.text_end <= claim.range.begin;
    if (!sends_it && !is_behind && !ends_before) return false;
    if (sends_it && claim.is_within) {  // perhaps again: what lies behind it had been sent
      give_up(scene.report, claim);
      return true;
    }
    scene.report.add(*claim.rule, Verdict::kViolation, true, claim.place,
                     fmt::format("{}; frame {} shows that {}", claim.text, segment.frame(),
                                 sends_it ? "it was sent later only" : "the sender had not got so far"));
    return true;
  });
}

void UnseenText::give_up(Report& report, const Claim& claim) {
  if (claim.is_within) report.capture_missed();
  report.add(*claim.rule, Verdict::kUnknown, false, claim.place,
             fmt::format("{}; or the capture has missed it", claim.text));
}

void UnseenText::end(Report& report) {
  for (auto& claims : claims_) {
    for (const Claim& claim : claims) give_up(report, claim);
    claims.clear();
  }
}

}  // namespace transom::drivers::judge
