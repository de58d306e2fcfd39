#include "drivers/judge/ecn_rules.h"

#include <algorithm>

namespace transom::drivers::judge {

using Ecn = Agreement::Ecn;

void EcnRules::judge(const Scene& scene) {
  const Segment& segment = scene.segment;
  const wire::TcpFlags& flags = segment.flags();
  if (flags.syn && flags.ack && flags.ece && !flags.cwr && !flags.ae && scene.to.is_from_start() &&
      !any_syn(scene.to, [](const wire::TcpHeader& syn) { return syn.flags.ece && syn.flags.cwr; }))
    scene.report.violation_if_complete(rule::kEcnUnoffered, segment,
                                       "ECE in the answer to a SYN without ECE and CWR");
  judge_marks(scene);
  if (segment.is_copy || flags.syn || flags.rst || scene.agreed.ecn != Ecn::kClassic) return;
  judge_answer(scene);
  judge_echo(scene);
}

void EcnRules::judge_marks(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (segment.ecn() == 0) return;
  const wire::TcpFlags& flags = segment.flags();
  if (scene.agreed.is_known && scene.agreed.ecn == Ecn::kNone && !flags.syn && !flags.rst)
    return scene.report.violation_if_complete(rule::kEcnNotAgreed, segment, "the ECN field is {}",
                                              segment.ecn());
  if (scene.agreed.ecn == Ecn::kAccurate || scene.agreed.ecn == Ecn::kUnsure) return;
  const bool is_control = flags.syn || flags.rst || (segment.is_pure_ack() && scene.agreed.is_known);
  if (is_control)
    scene.report.noteworthy(rule::kEctOnControl, segment, "the ECN field of {} is {}",
                            flags.syn   ? "a SYN"
                            : flags.rst ? "a reset"
                                        : "a pure acknowledgment",
                            segment.ecn());
  else if (segment.is_repeat && !segment.is_copy && segment.text_length() > 1 && scene.agreed.is_known)
    scene.report.noteworthy(rule::kEctOnRetransmission, segment, "{}:{} again, the ECN field is {}",
                            segment.text_begin, segment.text_end, segment.ecn());
}

// What came with a mark is acknowledged with ECE, until a CWR has come. One that is on its way may come
// first.
void EcnRules::judge_echo(const Scene& scene) {
  const Segment& segment = scene.segment;
  OneSide& side = sides_[index_of(segment.side)];
  if (segment.text_length() > 0) {
    constexpr std::uint8_t kCe = 3;
    if (segment.ecn() == kCe) {
      for (const PositionRange& part : side.unmarked.missing(segment.text_begin, segment.text_end))
        side.marked.add(part.begin, part.end);
    } else {
      side.marked.remove(segment.text_begin, segment.text_end);
      side.unmarked.add(segment.text_begin, segment.text_end);
    }
    if (segment.flags().cwr) {
      side.reduced_at = std::max(side.reduced_at.value_or(segment.text_end), segment.text_end);
      if (segment.ecn() != kCe) side.marked.clear();
    }
  }
  OneSide& peer = sides_[index_of(other(segment.side))];
  if (!segment.ack || !scene.from.acked) return;
  const Position before = *scene.from.acked;
  const bool may_have_been_answered = peer.reduced_at && *peer.reduced_at > before;
  if (!segment.flags().ece && !may_have_been_answered && !scene.from.fin_at && !scene.to.fin_at &&
      peer.marked.overlaps(before, *segment.ack))
    scene.report.violation_if_complete(rule::kCeNotEchoed, segment,
                                       "acknowledges {}, marked text among it, without ECE", *segment.ack);
  peer.marked.remove(0, *segment.ack);
  peer.unmarked.remove(0, *segment.ack);
}

// Within two round trips of the echo there is a CWR on new data (RFC 3168 §6.1.2).
void EcnRules::judge_answer(const Scene& scene) {
  const Segment& segment = scene.segment;
  OneSide& own = sides_[index_of(segment.side)];
  const auto forget = [](OneSide& side) {
    side.echo.reset();
    side.heard_at.reset();
    side.round_end.reset();
  };
  if (segment.flags().cwr || (segment.is_repeat && segment.text_length() > 0)) forget(own);
  if (own.echo && !own.heard_at && own.echo->is_given_by(segment))
    own.heard_at = std::max(scene.from.sent_end, segment.end);

  OneSide& peer = sides_[index_of(other(segment.side))];
  if (!segment.flags().ece) {
    forget(peer);
  } else if (!peer.echo) {
    peer.echo = ReceiptProof(segment, scene.from);
  } else if (peer.heard_at && segment.ack) {
    if (!peer.round_end && *segment.ack > *peer.heard_at) peer.round_end = scene.to.sent_end;
    if (peer.round_end && *segment.ack > *peer.round_end) {
      scene.report.violation_if_complete(rule::kEceIgnored, segment,
                                         "still echoes congestion, no CWR has come");
      forget(peer);
    }
  }
}

}  // namespace transom::drivers::judge
