// What an acknowledgment or the passing of time changes: what is delivered, what is lost, and when recovery
// begins and ends.
#include <algorithm>
#include <utility>

#include "stack/tcp/sender.h"

namespace transom::tcp {

namespace {

constexpr Duration kWorstDelayedAck = std::chrono::milliseconds(200);  // RFC 8985 §7.2, WCDelAckT
constexpr Duration kProbeSlack = std::chrono::milliseconds(2);  // below it a probe mostly races the ACK

// D-SACK (RFC 2883 §4): the first block lies below the acknowledgment or inside the second block.
bool reports_duplicate(const Acknowledgment& acknowledgment) {
  const auto& sacks = acknowledgment.sacks;
  if (sacks.empty()) return false;
  if (is_at_or_before(sacks[0].right, acknowledgment.ack)) return true;
  return sacks.size() > 1 && is_at_or_after(sacks[0].left, sacks[1].left) &&
         is_at_or_before(sacks[0].right, sacks[1].right);
}

}  // namespace

bool Sender::update_window(SeqNum sequence, SeqNum ack, std::uint32_t window) {
  // Besides the rule of the RFC: whatever acknowledges more is newer, also when it carries old text again.
  // The window counts from snd_una, so without it the right edge would move with the acknowledgment. As
  // Linux.
  const bool is_news =
      is_after(ack, wl2_) || is_before(wl1_, sequence) || (wl1_ == sequence && is_at_or_before(wl2_, ack));
  if (!is_news) return false;
  sequence = later_of(sequence, wl1_);
  const bool changed = window != window_;
  set_window(sequence, ack, window);
  return changed;
}

void Sender::set_window(SeqNum sequence, SeqNum ack, std::uint32_t window) {
  if (window != window_) tell<TcpPeerWindowEvent>(window_, window);
  window_ = window;
  max_window_ = std::max(max_window_, window);
  wl1_ = sequence;
  wl2_ = ack;
}

bool Sender::acknowledge(const Acknowledgment& acknowledgment, Instant now) {
  if (!flow_) return false;
  const bool moved = is_after(acknowledgment.ack, una_);
  const std::uint32_t prior_in_flight = flow_->scoreboard.in_flight();
  const std::uint64_t lost_before = flow_->scoreboard.total_lost();
  const auto delivered = take_delivered(acknowledgment, moved, now);
  const auto rtt = rtt_of(acknowledgment, delivered, now);
  if (rtt) {
    rtt_.sample(*rtt, prior_in_flight / (2 * mss_) + 1, now);
    tell<TcpRttEvent>(*rtt, rtt_.srtt(), rtt_.rttvar(), rtt_.rto());
  }
  if (delivered.latest) flow_->rack.on_delivered(*delivered.latest, delivered.latest_end, now);
  if (delivered.reordered) {
    flow_->rack.on_reordering();
    ++flow_->experience.reorderings;
  }
  const bool reported = reports_duplicate(acknowledgment);
  if (reported) {
    count(Counter::kTcpExtTCPDSACKRecv);
    ++flow_->experience.duplicates_reported;
    flow_->rack.on_duplicate_reported(una_, nxt_);
    flow_->spurious.on_duplicate_reported(
        octets_between(acknowledgment.sacks[0].left, acknowledgment.sacks[0].right));
  }
  const bool is_duplicate = !moved && acknowledgment.may_be_duplicate && outstanding() > 0;
  if (outstanding() == 0) flow_->probe_due = false;
  if (flow_->probe_outstanding)
    end_probe_episode(acknowledgment, is_duplicate, reported, prior_in_flight, now);

  const bool was_in_fast_recovery = flow_->recovery == Recovery::kFast;
  const SpuriousRecovery::Ack signs{acknowledgment.echoed_before, moved, delivered.sent.has_value()};
  if (flow_->spurious.is_spurious(signs)) undo_recovery(now);
  if (in_recovery() && is_at_or_after(una_, flow_->recovery_point)) end_recovery(now);
  const bool found_losses = look_for_losses(moved, is_duplicate, now);
  if (flow_->recovery == Recovery::kFast && delivered.newly_delivered > 0) {
    flow_->prr.on_ack(delivered.newly_delivered, flow_->scoreboard.in_flight(), control().ssthresh, mss_,
                      moved && !found_losses);
  }
  if (moved || delivered.newly_delivered > 0) arm_loss_detection(now);
  if (delivered.newly_delivered == 0) return moved;

  CongestionView facts = view(now);
  facts.in_fast_recovery = facts.in_fast_recovery || was_in_fast_recovery;
  const auto output = control();
  AckSample sample{.acked = delivered.newly_delivered,
                   .lost = flow_->scoreboard.total_lost() - lost_before,
                   .ce_marked = std::min(std::uint64_t{acknowledgment.marked_segments} * mss_,
                                         std::uint64_t{delivered.newly_delivered}),
                   .rtt = rtt};
  sample.rate =
      flow_->delivery_rate.on_delivered(delivered.newly_delivered, flow_->scoreboard.total_lost(),
                                        delivered.rate, delivered.newest.value_or(now), now, facts.min_rtt);
  sample.total_delivered = flow_->delivery_rate.delivered();
  flow_->experience.delivered_marked += sample.ce_marked;
  const Windows before = windows();
  flow_->congestion->on_ack(facts, sample);
  tell_change(before, output.cwnd < output.ssthresh ? Reason::kSlowStart : Reason::kCongestionAvoidance);
  return moved;
}

// Takes the acknowledged out of the queue and marks the reported.
Scoreboard::Delivered Sender::take_delivered(const Acknowledgment& acknowledgment, bool moved, Instant now) {
  const Instant plausible = now - (rtt_.has_sample() ? rtt_.min_rtt() : Duration::zero());
  auto delivered = flow_->scoreboard.acknowledge(acknowledgment.ack, plausible);
  if (moved) {
    const std::uint32_t data = std::min(delivered.acked, flow_->queue.size());  // the rest is our FIN
    flow_->queue.drop_front(data);
    una_ = acknowledgment.ack;
    flow_->duplicate_acks = 0;
    // RFC 3042: what duplicates vouched for counts until the next acknowledgment, else they add up.
    if (flow_->recovery != Recovery::kFast) flow_->scoreboard.reset_duplicate_acks();
    flow_->timeouts_in_row = 0;
    if (flow_->is_urgent && is_at_or_after(una_, flow_->urgent_end)) flow_->is_urgent = false;
    if (is_before(flow_->small_end, una_)) flow_->small_end = una_;
  }
  if (delivered.acked >= mss_ && !delivered.any_retransmitted) flow_->mss_is_proven = true;
  if (flow_->path_mtu_search.has_probe() && is_at_or_after(una_, flow_->path_mtu_search.probe_end())) {
    count(Counter::kTcpExtTCPMTUPSuccess);
    flow_->path_mtu_search.on_probe_delivered();
  }
  if (!acknowledgment.sacks.empty()) {
    if (!std::exchange(flow_->peer_sends_sack, true)) flow_->scoreboard.reset_duplicate_acks();
    delivered.add(flow_->scoreboard.apply_sacks(acknowledgment.sacks, mss_, plausible));
  }
  return delivered;
}

// Karn: only what was sent once, unless a timestamp tells which transmission was answered (RFC 6298 §3).
// Neither does a segment count that waited at the receiver for the retransmission of one before it. Where the
// peer reports a duplicate, the echoed timestamp is that of the first copy, whose ACK was lost long ago; so
// it may be without a report when the echo is older than the last transmission, which had time to be
// answered.
std::optional<Duration> Sender::rtt_of(const Acknowledgment& acknowledgment,
                                       const Scoreboard::Delivered& delivered, Instant now) const {
  if (delivered.sent && !delivered.any_retransmitted) return now - *delivered.sent;
  if (delivered.acked == 0 || reports_duplicate(acknowledgment)) return std::nullopt;
  const bool echoes_first_copy =
      acknowledgment.echoed_before && delivered.newest && *acknowledgment.echoed_before <= *delivered.newest;
  const Duration fastest = rtt_.has_sample() ? rtt_.min_rtt() : Duration::zero();
  if (echoes_first_copy && now - *delivered.newest >= fastest) return std::nullopt;
  return acknowledgment.timestamp_rtt;
}

// Whether these are news of losses.
bool Sender::look_for_losses(bool una_moved, bool is_duplicate, Instant now) {
  if (outstanding() == 0) return false;
  const bool news =
      flow_->peer_sends_sack ? detect_by_rack(now) : detect_by_duplicates(una_moved, is_duplicate, now);
  if (news && !in_recovery())
    enter_recovery(Recovery::kFast, flow_->peer_sends_sack ? Reason::kOvertaken : Reason::kDuplicateAcks,
                   now);
  return news;
}

bool Sender::detect_by_rack(Instant now) {
  const bool is_certain = in_recovery() || flow_->scoreboard.sacked_segments(mss_) >= kDuplicateThreshold;
  const Duration window = flow_->rack.reordering_window(rtt_, is_certain);
  const auto losses = flow_->scoreboard.detect_losses(flow_->rack, window, now);
  flow_->reordering_deadline = losses.some_wait ? flow_->rack.last_deadline(window) : kNever;
  if (losses.retransmissions > 0) count(Counter::kTcpExtTCPLostRetransmit);
  return declare(losses, Reason::kOvertaken, now);
}

// True when there are any.
bool Sender::declare(const Scoreboard::Losses& losses, Reason reason, Instant now) {
  if (losses.octets == 0) return false;
  const bool is_path_probe = take_path_probe_losses(losses, now);
  tell<TcpLossEvent>(losses.begin, losses.end, losses.octets,
                     is_path_probe ? Reason::kTooBigForPath : reason);
  return !is_path_probe;
}

// The first segment as a whole, as far as it was sent as one.
std::uint32_t Sender::front_size() const {
  const bool is_path_probe =
      flow_->path_mtu_search.has_probe() && flow_->path_mtu_search.probe_begin() == una_;
  return is_path_probe ? flow_->path_mtu_search.probe_size() : mss_;
}

// Whether the losses are those of a probe for a longer path MTU, and no sign of congestion (RFC 4821 §7.6.2).
bool Sender::take_path_probe_losses(const Scoreboard::Losses& losses, Instant now) {
  if (!flow_->path_mtu_search.has_probe()) return false;
  const SeqNum begin = flow_->path_mtu_search.probe_begin();
  const SeqNum end = flow_->path_mtu_search.probe_end();
  if (is_at_or_before(losses.end, begin) || is_at_or_after(losses.begin, end)) return false;
  if (losses.begin != begin || losses.end != end || in_recovery()) {
    flow_->path_mtu_search.forget_probe();
    return false;
  }
  count(Counter::kTcpExtTCPMTUPFail);
  flow_->path_mtu_search.on_probe_lost(now + rtt_.srtt());
  flow_->scoreboard.discount_losses(losses.octets);
  return true;
}

void Sender::look_for_black_hole(std::uint32_t least) {
  // A size that has worked is given up later: then it is the path that has changed, or is down (R1).
  const std::uint8_t patience = flow_->mss_is_proven ? 3 : 2;
  if (flow_->timeouts_in_row < patience || flow_->scoreboard.empty() ||
      flow_->scoreboard.front().length < mss_)
    return;
  if (flow_->path_mtu_search.fall_back(path_mss_, least)) flow_->mss_is_proven = false;
}

// NewReno (RFC 6582), for a peer that reports nothing.
bool Sender::detect_by_duplicates(bool una_moved, bool is_duplicate, Instant now) {
  bool news = false;
  if (is_duplicate) {
    flow_->scoreboard.on_duplicate_ack(mss_);
    if (flow_->duplicate_acks < UINT8_MAX) ++flow_->duplicate_acks;
    // RFC 6582 §3.2 step 1: duplicates of what a timeout sent again do not start another recovery.
    const bool beyond_last_recovery = !flow_->ever_recovered || is_after(una_, flow_->recovery_point);
    if (flow_->duplicate_acks == kDuplicateThreshold && !in_recovery() && beyond_last_recovery)
      news = declare(flow_->scoreboard.mark_front_lost(front_size()), Reason::kDuplicateAcks, now);
  }
  if (flow_->recovery == Recovery::kFast && una_moved) {
    // RFC 6582 §3.2 step 3, a partial acknowledgment: the next hole is lost as well.
    news = declare(flow_->scoreboard.mark_front_lost(front_size()), Reason::kPartialAck, now) || news;
    flow_->force_retransmission = true;
    if (flow_->partial_acks < UINT8_MAX) ++flow_->partial_acks;
  }
  return news;
}

// ---------------------------------------------------------------- tail loss probes and the reordering timer

void Sender::arm_loss_detection(Instant now) {
  flow_->loss_deadline = flow_->reordering_deadline;
  if (flow_->loss_deadline != kNever) return;
  // RFC 8985 §7.2: nothing reported, nothing lost, no probe on its way.
  const bool may_probe = sack_ && rtt_.has_sample() && outstanding() > 0 && !in_recovery() &&
                         !flow_->probe_outstanding && flow_->scoreboard.sacked() == 0 && window_ > 0;
  if (!may_probe) return;
  Duration timeout = 2 * rtt_.srtt() + kProbeSlack;
  const std::uint32_t one_segment = mss_ + (fin_sent_ ? 1U : 0U);
  if (outstanding() <= one_segment) timeout += kWorstDelayedAck;
  flow_->loss_deadline = now + timeout;
}

void Sender::on_loss_detection_alarm(Instant now) {
  flow_->loss_deadline = kNever;
  if (outstanding() == 0) return;
  if (flow_->reordering_deadline == kNever) {
    flow_->probe_due = true;
    return;
  }
  if (detect_by_rack(now) && !in_recovery()) enter_recovery(Recovery::kFast, Reason::kOvertaken, now);
  arm_loss_detection(now);
}

// RFC 8985 §7.4.2: was a loss repaired by the probe? Then it calls for the same answer as any other.
void Sender::end_probe_episode(const Acknowledgment& acknowledgment, bool is_duplicate, bool reported,
                               std::uint32_t prior_in_flight, Instant now) {
  if (is_before(acknowledgment.ack, flow_->probe_end)) return;
  const bool arrived_twice = reported && acknowledgment.sacks[0].right == flow_->probe_end;
  const bool is_answer_to_probe = is_duplicate && acknowledgment.sacks.empty();
  if (!flow_->probe_repeats || arrived_twice || is_answer_to_probe) {
    flow_->probe_outstanding = false;
  } else if (is_after(acknowledgment.ack, flow_->probe_end)) {
    flow_->probe_outstanding = false;
    CongestionView facts = view(now);
    facts.in_flight = prior_in_flight;  // with what this acknowledgment has taken out of the network
    reduce(LossKind::kFastRecovery, Reason::kProbeRepaired, facts);
    flow_->congestion->on_recovery_end(view(now));
  }
}

// ---------------------------------------------------------------- recovery

Sender::Windows Sender::windows() const {
  if (trace_ == nullptr || !trace_->is_on()) return {};
  return {cwnd(), control().ssthresh};
}

void Sender::tell_change(const Windows& before, Reason reason) const {
  const Windows now = windows();
  if (now == before) return;
  trace_->tell<TcpCongestionEvent>(before.cwnd, now.cwnd, now.ssthresh,
                                   std::uint64_t{flow_->scoreboard.in_flight()}, reason);
}

void Sender::reduce(LossKind kind, Reason reason, const CongestionView& facts) {
  const Windows before = windows();
  flow_->congestion->on_loss(facts, kind);
  tell_change(before, reason);
}

Sender::Experience Sender::experience(Instant now) const {
  Experience experience = flow_->experience;
  if (in_timeout_recovery()) experience.timeout_recovery_time += now - flow_->timeout_recovery_since;
  return experience;
}

void Sender::leave_timeout_recovery(Instant now) {
  if (in_timeout_recovery()) flow_->experience.timeout_recovery_time += now - flow_->timeout_recovery_since;
}

void Sender::end_recovery(Instant now) {
  const Windows before = windows();
  leave_timeout_recovery(now);
  flow_->recovery = Recovery::kNone;
  flow_->rack.on_recovery_end();
  flow_->scoreboard.reset_duplicate_acks();
  flow_->congestion->on_recovery_end(view(now));
  tell<TcpRecoveryEvent>(RecoveryPhase::kLeft, flow_->recovery_point, Reason::kAllAcknowledged);
  tell_change(before, Reason::kAllAcknowledged);
}

// RFC 4015: as if it had not been.
void Sender::undo_recovery(Instant now) {
  const Windows before = windows();
  if (flow_->recovery == Recovery::kTimeout) count(Counter::kTcpExtTCPSpuriousRTOs);
  leave_timeout_recovery(now);
  flow_->recovery = Recovery::kNone;
  flow_->force_retransmission = false;
  flow_->scoreboard.forget_losses();
  flow_->congestion->on_undo(view(now));
  tell<TcpRecoveryEvent>(RecoveryPhase::kUndone, flow_->recovery_point, Reason::kNothingWasLost);
  tell_change(before, Reason::kNothingWasLost);
}

void Sender::enter_recovery(Recovery kind, Reason reason, Instant now) {
  CongestionView facts = view(now);
  // RFC 5681 §2: FlightSize is all that is not acknowledged cumulatively, reported or not.
  facts.in_flight = flow_->scoreboard.outstanding();
  tell<TcpRecoveryEvent>(RecoveryPhase::kEntered, nxt_, reason);
  if (kind == Recovery::kFast)
    count(flow_->peer_sends_sack ? Counter::kTcpExtTCPSackRecovery : Counter::kTcpExtTCPRenoRecovery);
  reduce(kind == Recovery::kFast ? LossKind::kFastRecovery : LossKind::kTimeout, reason, facts);
  flow_->recovery = kind;
  flow_->ever_recovered = true;
  flow_->recovery_point = nxt_;
  flow_->partial_acks = 0;
  flow_->force_retransmission = true;
  flow_->probe_due = flow_->probe_outstanding = false;
  flow_->spurious.start(kind == Recovery::kTimeout);
  // RFC 9937 §6: without what was reported before.
  if (kind == Recovery::kFast) flow_->prr.start(flow_->scoreboard.outstanding() - flow_->scoreboard.sacked());
}

void Sender::on_retransmission_timeout(Instant now) {
  rtt_.back_off();
  ++flow_->experience.timeouts;
  if (!in_timeout_recovery()) {
    ++flow_->experience.timeout_recoveries;
    flow_->timeout_recovery_since = now;
  }
  const bool is_first = flow_->timeouts_in_row == 0;
  if (flow_->timeouts_in_row < UINT8_MAX) ++flow_->timeouts_in_row;
  flow_->duplicate_acks = 0;
  if (is_first) {
    enter_recovery(Recovery::kTimeout, Reason::kTimeout, now);
  } else {
    flow_->recovery = Recovery::kTimeout;
    flow_->force_retransmission = true;
  }
  const auto losses = flow_->scoreboard.mark_all_lost();
  if (losses.reneged) count(Counter::kTcpExtTCPSACKReneging);
  declare(losses, Reason::kTimeout, now);
  flow_->reordering_deadline = flow_->loss_deadline = kNever;
}

void Sender::on_congestion_echo(Instant now) {
  if (!flow_ || in_recovery()) return;  // the window comes down already
  reduce(LossKind::kEcn, Reason::kCongestionEcho, view(now));
}

void Sender::on_idle(Instant now) {
  const Windows before = windows();
  flow_->congestion->on_idle(view(now));
  tell_change(before, Reason::kIdle);
}

void Sender::on_mss_changed(std::uint32_t mss, std::uint32_t path_mss, bool shrank_on_path) {
  if (flow_ && mss > mss_) flow_->mss_is_proven = false;
  mss_ = mss;
  path_mss_ = path_mss;
  // RFC 1191 §6.5: what was too big is sent again at once, and is no sign of congestion.
  if (flow_ && shrank_on_path)
    declare(flow_->scoreboard.mark_longer_than_lost(mss), Reason::kTooBigForPath, Instant{});
}

}  // namespace transom::tcp
