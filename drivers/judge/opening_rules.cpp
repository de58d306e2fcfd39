#include "drivers/judge/opening_rules.h"

#include <algorithm>

namespace transom::drivers::judge {

void OpeningRules::judge(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (segment.flags().syn && segment.flags().ack) judge_syn_ack(scene);
  if (segment.flags().rst) judge_reset(scene);
  judge_text(scene);
  const std::size_t side = index_of(segment.side);
  syns_[side] += segment.flags().syn && !segment.flags().ack;
  resets_[side] += segment.flags().rst;
}

void OpeningRules::judge_syn_ack(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (!scene.to.is_from_start()) return;
  const SeqNum number = segment.header().acknowledgment;
  if (*segment.ack <= 0 &&
      !any_syn(scene.to, [&](const wire::TcpHeader& syn) { return syn.sequence + 1 == number; })) {
    scene.report.violation_if_complete(rule::kSynAckNumber, segment, "acknowledges {}, the SYN was {}",
                                       number.value(), scene.to.syn().sequence.value());
    return;
  }
  // RFC 9293 §3.6.1 lets TIME-WAIT end early for a SYN beyond the old numbers, RFC 6191 for a later
  // timestamp.
  constexpr std::chrono::seconds kSurelyWithin{20};  // shorter than anybody's TIME-WAIT
  if (!previous_ || previous_->waits != segment.side || segment.time() - previous_->ended > kSurelyWithin)
    return;
  const wire::TcpHeader& syn = scene.to.syn();
  const bool is_beyond = is_at_or_after(syn.sequence, previous_->peer_end);
  const bool is_stamped = syn.options.timestamps.has_value() && previous_->peer_timestamp;
  const bool is_later =
      is_stamped && static_cast<std::int32_t>(syn.options.timestamps->value - *previous_->peer_timestamp) > 0;
  if (!is_beyond && !is_later)
    scene.report.violation_if_complete(rule::kTimeWaitCutShort, segment,
                                       "accepts SYN {} within TIME-WAIT, the old connection had come to {}",
                                       syn.sequence.value(), previous_->peer_end.value());
}

void OpeningRules::judge_reset(const Scene& scene) {
  const Segment& segment = scene.segment;
  const std::size_t side = index_of(segment.side), peer = index_of(other(segment.side));
  const bool said_nothing_else = scene.from.segments == resets_[side];
  if (!said_nothing_else || scene.to.segments == 0) return;
  if (scene.to.segments == resets_[peer]) {
    const char* text = "a reset came, and nothing else";
    if (scene.is_complete)
      scene.report.violation_if_complete(rule::kResetOfReset, segment, "{}", text);
    else
      scene.report.unknown(rule::kResetOfReset, segment, "{}; or what was answered passed before the capture",
                           text);
    return;
  }
  if (scene.to.segments != syns_[peer]) return;
  const bool acknowledges_it = segment.flags().ack && *segment.ack >= 1 && *segment.ack <= scene.to.sent_end;
  if (!acknowledges_it)
    scene.report.violation_if_complete(rule::kResetOfSyn, segment, "{}",
                                       segment.flags().ack ? "acknowledges another number" : "no ACK flag");
}

void OpeningRules::judge_text(const Scene& scene) {
  const Segment& segment = scene.segment;
  // Whether the peer's direction passes here at all shows only when its SYN comes, too late.
  auto& early = early_text_[index_of(other(segment.side))];
  if (segment.flags().syn && early && !scene.from.has_sent) {
    scene.report.add(rule::kDataBeforeHandshake, Verdict::kViolation, true, *early,
                     fmt::format("text before the SYN of the peer, which came in frame {}", segment.frame()));
    early.reset();
  }
  const bool is_from_start = scene.from.is_from_start() || segment.flags().syn;
  if (segment.text_length() == 0 || scene.to.is_from_start() || !is_from_start) return;
  auto& own = early_text_[index_of(segment.side)];
  if (!segment.flags().syn && !scene.to.has_sent && !own) own = Report::Place(segment);
  if (segment.flags().syn && !segment.header().options.fast_open)
    scene.report.noteworthy(rule::kDataBeforeHandshake, segment,
                            "{} octets in a SYN without a fast-open cookie", segment.text_length());
}

void OpeningRules::judge_foreign_syn(const Scene& scene, SeqNum sequence_behind) {
  foreign_[index_of(scene.segment.side)] = sequence_behind;
  scene.report.noteworthy(rule::kSynInConnection, scene.segment, "SYN {}",
                          scene.segment.header().sequence.value());
}

bool OpeningRules::accepts_foreign_syn(const Scene& scene) {
  const Segment& segment = scene.segment;
  const auto& foreign = foreign_[index_of(other(segment.side))];
  const wire::TcpFlags& flags = segment.flags();
  if (!foreign || !flags.ack || !(flags.syn || flags.rst) || segment.header().acknowledgment != *foreign)
    return false;
  const bool was_open = scene.from.at_least.state() == tcp::State::kEstablished && !scene.to.has_reset;
  if (was_open) {
    const std::string text =
        fmt::format("answers a SYN within the connection with {}", flags.rst ? "a reset" : "SYN-ACK");
    if (scene.shows_what_came())
      scene.report.violation_if_complete(rule::kSynAccepted, segment, "{}", text);
    else
      scene.report.unknown(rule::kSynAccepted, segment, "{}; or the connection had ended there", text);
  }
  return flags.syn;
}

}  // namespace transom::drivers::judge
