#include "stack/tcp/sender.h"

#include <algorithm>
#include <utility>

namespace transom::tcp {

namespace {
constexpr Duration kWorstDelayedAck = std::chrono::milliseconds(200);  // RFC 8985 §7.2, WCDelAckT
constexpr Duration kProbeSlack = std::chrono::milliseconds(2);  // below it a probe mostly races the ACK
constexpr std::uint32_t kDuplicateThreshold = 3;                // RFC 5681 §3.2

// D-SACK (RFC 2883 §4): the first block lies below the acknowledgment or inside the second block.
bool reports_duplicate(const Acknowledgment& acknowledgment) {
  const auto& sacks = acknowledgment.sacks;
  if (sacks.empty()) return false;
  if (is_at_or_before(sacks[0].right, acknowledgment.ack)) return true;
  return sacks.size() > 1 && is_at_or_after(sacks[0].left, sacks[1].left) &&
         is_at_or_before(sacks[0].right, sacks[1].right);
}
}  // namespace

void Sender::establish(std::uint32_t mss, bool sack, std::unique_ptr<CongestionControl> congestion_control) {
  mss_ = mss;
  sack_ = sack;
  congestion_ = std::move(congestion_control);
  recovery_point_ = small_end_ = urgent_end_ = una_;
}

std::uint32_t Sender::unsent() const {
  const std::uint32_t sent = outstanding() - (fin_sent_ && una_ != nxt_ ? 1U : 0U);
  return queue_.size() - std::min(sent, queue_.size());
}

CongestionView Sender::view(Instant now) const {
  return {.now = now,
          .mss = mss_,
          .in_flight = scoreboard_.in_flight(),
          .srtt = rtt_.srtt(),
          .in_recovery = in_recovery(),
          .cwnd_limited = cwnd_limited_};
}

// ---------------------------------------------------------------- sending

std::uint32_t Sender::window_room() const {
  const std::int32_t room =
      (una_ + window_) - nxt_;  // negative when the peer has shrunk its window (MUST-34)
  return room > 0 ? static_cast<std::uint32_t>(room) : 0;
}

std::uint64_t Sender::congestion_room() const {
  const bool proportional = recovery_ == Recovery::kFast && peer_sends_sack_;
  const std::uint64_t cwnd = proportional ? prr_.window() : congestion_->output().cwnd;
  const std::uint64_t used = scoreboard_.in_flight();
  return cwnd > used ? cwnd - used : 0;
}

std::expected<Transmission, SendLimit> Sender::poll(const SendPolicy& policy) {
  if (probe_due_) return poll_probe(policy);
  auto next = scoreboard_.has_lost() ? poll_retransmission(policy) : poll_new_data(policy);
  if (next) return next;
  if (next.error() == SendLimit::kCongestion) {
    cwnd_limited_ = true;
  } else if (next.error() == SendLimit::kNothingToSend || next.error() == SendLimit::kWindow) {
    cwnd_limited_ = false;
  }
  return next;
}

std::expected<Transmission, SendLimit> Sender::poll_retransmission(const SendPolicy& policy) {
  const std::uint64_t room = congestion_room();
  if (room < mss_ && !force_retransmission_) return std::unexpected(SendLimit::kCongestion);
  const auto whole =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(room, policy.max_octets) / mss_ * mss_);
  const auto lost = scoreboard_.next_lost(force_retransmission_ ? mss_ : std::max(whole, mss_));
  // RFC 9293 §3.8.6, SHLD-16: old data inside a window that has shrunk goes on being retransmitted; beyond
  // it, a probe finds out.
  const std::int32_t inside = (una_ + std::max(window_, 1U)) - lost->begin;
  if (inside <= 0) return std::unexpected(SendLimit::kWindow);
  Transmission next{.begin = lost->begin,
                    .octets = lost->length - (lost->fin ? 1U : 0U),
                    .fin = lost->fin,
                    .retransmission = true};
  if (next.octets > static_cast<std::uint32_t>(inside) && window_ > 0) {
    next.octets = static_cast<std::uint32_t>(inside);
    next.fin = false;
  }
  next.push = next.begin + next.octets == end_of_data();
  return next;
}

// RFC 8985 §7.3: one segment of new data where the peer's window lets it, else the last one again. The
// congestion window does not matter for it.
std::expected<Transmission, SendLimit> Sender::poll_probe(const SendPolicy& policy) {
  const std::uint32_t fresh = std::min({unsent(), window_room(), mss_, policy.max_octets});
  if (fresh > 0) {
    Transmission next{.begin = nxt_, .octets = fresh, .push = fresh == unsent(), .probe = true};
    next.fin = next.push && fin_queued_ && fresh < window_room();
    return next;
  }
  const SentSegment last = scoreboard_.last(mss_);
  return Transmission{.begin = last.begin,
                      .octets = last.length - (last.fin ? 1U : 0U),
                      .fin = last.fin,
                      .push = true,
                      .retransmission = true,
                      .probe = true};
}

std::expected<Transmission, SendLimit> Sender::poll_new_data(const SendPolicy& policy) {
  const std::uint32_t waiting = unsent();
  if (waiting == 0) {
    if (!fin_queued_ || fin_sent_) return std::unexpected(SendLimit::kNothingToSend);
    if (window_room() == 0) return std::unexpected(SendLimit::kWindow);
    return Transmission{.begin = nxt_, .fin = true};
  }
  const std::uint32_t window = window_room();
  if (window == 0) return std::unexpected(SendLimit::kWindow);
  const std::uint64_t congestion = congestion_room();
  const std::uint32_t usable = std::min(waiting, window);
  std::uint32_t octets = std::min(usable, policy.max_octets);
  if (octets > congestion) {
    // Whole segments only: a window that is not a multiple of the MSS must not cut small ones.
    octets = static_cast<std::uint32_t>(congestion / mss_ * mss_);
    if (octets == 0) return std::unexpected(SendLimit::kCongestion);
  }
  const std::uint32_t partial = octets % mss_;
  if (partial != 0) {
    if (const auto limit = why_partial_must_wait(octets, policy)) {
      octets -= partial;
      if (octets == 0) return std::unexpected(*limit);
    }
  }
  Transmission next{.begin = nxt_, .octets = octets};
  next.push = octets == waiting;  // MUST-61
  next.fin = next.push && fin_queued_ && octets < window;
  return next;
}

// `octets` is what would be sent; its last segment is below one MSS.
std::optional<SendLimit> Sender::why_partial_must_wait(std::uint32_t octets, const SendPolicy& policy) const {
  if (octets == unsent()) {  // all that there is
    if (fin_queued_) return std::nullopt;
    if (policy.cork) return SendLimit::kCorked;
    if (policy.no_delay) return std::nullopt;
    // Nagle with Minshall's refinement, as Linux has it: wait only for an earlier small segment.
    if (is_after(small_end_, una_)) return SendLimit::kNagle;
    return std::nullopt;
  }
  if (octets == policy.max_octets) return std::nullopt;
  // Cut short by the peer's window (RFC 9293 §3.8.6.2.1): worth it from half the largest window on.
  if (octets >= std::max(max_window_ / 2, 1U)) return std::nullopt;
  return SendLimit::kSillyWindow;
}

void Sender::transmitted(const Transmission& transmission, Instant now) {
  if (recovery_ == Recovery::kFast) prr_.on_sent(transmission.length());
  if (transmission.retransmission) {
    scoreboard_.on_retransmitted(transmission.begin, transmission.length(), now);
    force_retransmission_ = false;
  } else {
    scoreboard_.on_sent(transmission.begin, transmission.length(), transmission.fin, now);
    nxt_ += transmission.length();
    if (transmission.fin) fin_sent_ = true;
    if (transmission.octets % mss_ != 0) small_end_ = nxt_;
  }
  if (transmission.probe) {
    probe_due_ = false;
    probe_outstanding_ = true;
    probe_repeats_ = transmission.retransmission;
    probe_end_ = nxt_;
  }
  arm_loss_detection(now);
}

// ---------------------------------------------------------------- acknowledgments

bool Sender::update_window(SeqNum sequence, SeqNum ack, std::uint32_t window) {
  const bool is_news = is_before(wl1_, sequence) || (wl1_ == sequence && is_at_or_before(wl2_, ack));
  if (!is_news) return false;
  const bool changed = window != window_;
  set_window(sequence, ack, window);
  return changed;
}

void Sender::set_window(SeqNum sequence, SeqNum ack, std::uint32_t window) {
  window_ = window;
  max_window_ = std::max(max_window_, window);
  wl1_ = sequence;
  wl2_ = ack;
}

bool Sender::acknowledge(const Acknowledgment& acknowledgment, Instant now) {
  const bool moved = is_after(acknowledgment.ack, una_);
  const std::uint32_t prior_in_flight = scoreboard_.in_flight();
  const Instant plausible = now - (rtt_.has_sample() ? rtt_.min_rtt() : Duration::zero());
  auto delivered = scoreboard_.acknowledge(acknowledgment.ack, plausible);
  if (moved) {
    const std::uint32_t data = std::min(delivered.acked, queue_.size());  // the rest is our FIN
    queue_.drop_front(data);
    una_ = acknowledgment.ack;
    duplicate_acks_ = 0;
    timeouts_in_row_ = 0;
    if (is_urgent_ && is_at_or_after(una_, urgent_end_)) is_urgent_ = false;
    if (is_before(small_end_, una_)) small_end_ = una_;
  }
  if (!acknowledgment.sacks.empty()) {
    if (!std::exchange(peer_sends_sack_, true)) scoreboard_.reset_duplicate_acks();
    const auto sacked = scoreboard_.apply_sacks(acknowledgment.sacks, mss_, plausible);
    delivered.newly_delivered += sacked.newly_delivered;
    delivered.reordered = delivered.reordered || sacked.reordered;
    if (sacked.sent && (!delivered.sent || *sacked.sent > *delivered.sent)) delivered.sent = sacked.sent;
    if (sacked.latest && (!delivered.latest || *sacked.latest >= *delivered.latest)) {
      delivered.latest = sacked.latest;
      delivered.latest_end = sacked.latest_end;
    }
  }
  take_rtt_sample(acknowledgment, delivered, prior_in_flight, now);
  if (delivered.latest) rack_.on_delivered(*delivered.latest, delivered.latest_end, now);
  if (delivered.reordered) rack_.on_reordering();

  const bool reported = reports_duplicate(acknowledgment);
  if (reported) rack_.on_duplicate_reported(una_, nxt_);
  const bool is_duplicate = !moved && acknowledgment.may_be_duplicate && outstanding() > 0;
  if (outstanding() == 0) probe_due_ = false;
  if (probe_outstanding_) end_probe_episode(acknowledgment, is_duplicate, reported, now);

  const bool was_in_fast_recovery = recovery_ == Recovery::kFast;
  if (in_recovery() && is_at_or_after(una_, recovery_point_)) {
    recovery_ = Recovery::kNone;
    rack_.on_recovery_end();
    scoreboard_.reset_duplicate_acks();
    congestion_->on_recovery_end(view(now));
  }
  const bool found_losses = look_for_losses(moved, is_duplicate, now);
  if (recovery_ == Recovery::kFast && delivered.newly_delivered > 0) {
    prr_.on_ack(delivered.newly_delivered, scoreboard_.in_flight(), congestion_->output().ssthresh, mss_,
                moved && !found_losses);
  }
  if (moved || delivered.newly_delivered > 0) arm_loss_detection(now);

  if (delivered.newly_delivered > 0 && recovery_ != Recovery::kFast && !was_in_fast_recovery) {
    CongestionView facts = view(now);
    // In slow start a window of which half is used still counts as used, since it doubles.
    const auto output = congestion_->output();
    facts.cwnd_limited =
        cwnd_limited_ || (output.cwnd < output.ssthresh && output.cwnd < std::uint64_t{2} * prior_in_flight);
    congestion_->on_ack(facts, {.acked = delivered.newly_delivered});
  }
  return moved;
}

// Karn: only what was sent once, unless a timestamp tells which transmission was answered (RFC 6298 §3).
// Neither does a segment count that waited at the receiver for the retransmission of one before it. Where the
// peer reports a duplicate, the echoed timestamp is that of the first copy, whose ACK was lost long ago.
void Sender::take_rtt_sample(const Acknowledgment& acknowledgment, const Scoreboard::Delivered& delivered,
                             std::uint32_t prior_in_flight, Instant now) {
  std::optional<Duration> rtt;
  if (delivered.sent && !delivered.any_retransmitted) {
    rtt = now - *delivered.sent;
  } else if (delivered.acked > 0 && acknowledgment.timestamp_rtt && !reports_duplicate(acknowledgment)) {
    rtt = acknowledgment.timestamp_rtt;
  }
  if (rtt) rtt_.sample(*rtt, prior_in_flight / (2 * mss_) + 1);
}

// Whether these are news of losses.
bool Sender::look_for_losses(bool una_moved, bool is_duplicate, Instant now) {
  if (outstanding() == 0) return false;
  const bool news = peer_sends_sack_ ? detect_by_rack(now) : detect_by_duplicates(una_moved, is_duplicate);
  if (news && !in_recovery()) enter_recovery(Recovery::kFast, now);
  return news;
}

bool Sender::detect_by_rack(Instant now) {
  const bool is_certain = in_recovery() || scoreboard_.sacked_segments(mss_) >= kDuplicateThreshold;
  const Duration window = rack_.reordering_window(rtt_, is_certain);
  const auto losses = scoreboard_.detect_losses(rack_, window, now);
  reordering_deadline_ = losses.some_wait ? rack_.last_deadline(window) : kNever;
  return losses.found;
}

// NewReno (RFC 6582), for a peer that reports nothing.
bool Sender::detect_by_duplicates(bool una_moved, bool is_duplicate) {
  bool news = false;
  if (is_duplicate) {
    scoreboard_.on_duplicate_ack(mss_);
    if (duplicate_acks_ < UINT8_MAX) ++duplicate_acks_;
    // RFC 6582 §3.2 step 1: duplicates of what a timeout sent again do not start another recovery.
    const bool beyond_last_recovery = !ever_recovered_ || is_after(una_, recovery_point_);
    if (duplicate_acks_ == kDuplicateThreshold && !in_recovery() && beyond_last_recovery)
      news = scoreboard_.mark_front_lost(mss_);
  }
  if (recovery_ == Recovery::kFast && una_moved) {
    // RFC 6582 §3.2 step 3, a partial acknowledgment: the next hole is lost as well.
    news = scoreboard_.mark_front_lost(mss_) || news;
    force_retransmission_ = true;
  }
  return news;
}

// ---------------------------------------------------------------- tail loss probes and the reordering timer

void Sender::arm_loss_detection(Instant now) {
  loss_deadline_ = reordering_deadline_;
  if (loss_deadline_ != kNever) return;
  // RFC 8985 §7.2: nothing reported, nothing lost, no probe on its way.
  const bool may_probe = sack_ && rtt_.has_sample() && outstanding() > 0 && !in_recovery() &&
                         !probe_outstanding_ && scoreboard_.sacked() == 0 && window_ > 0;
  if (!may_probe) return;
  Duration timeout = 2 * rtt_.srtt() + kProbeSlack;
  if (outstanding() <= mss_) timeout += kWorstDelayedAck;
  loss_deadline_ = now + timeout;
}

void Sender::on_loss_detection_alarm(Instant now) {
  loss_deadline_ = kNever;
  if (outstanding() == 0) return;
  if (reordering_deadline_ == kNever) {
    probe_due_ = true;
    return;
  }
  if (detect_by_rack(now) && !in_recovery()) enter_recovery(Recovery::kFast, now);
  arm_loss_detection(now);
}

// RFC 8985 §7.4.2: was a loss repaired by the probe? Then it calls for the same answer as any other.
void Sender::end_probe_episode(const Acknowledgment& acknowledgment, bool is_duplicate, bool reported,
                               Instant now) {
  if (is_before(acknowledgment.ack, probe_end_)) return;
  const bool arrived_twice = reported && acknowledgment.sacks[0].right == probe_end_;
  const bool is_answer_to_probe = is_duplicate && acknowledgment.sacks.empty();
  if (!probe_repeats_ || arrived_twice || is_answer_to_probe) {
    probe_outstanding_ = false;
  } else if (is_after(acknowledgment.ack, probe_end_)) {
    probe_outstanding_ = false;
    congestion_->on_loss(view(now), LossKind::kFastRecovery);
    congestion_->on_recovery_end(view(now));
  }
}

// ---------------------------------------------------------------- recovery

void Sender::enter_recovery(Recovery kind, Instant now) {
  CongestionView facts = view(now);
  facts.in_flight = scoreboard_.outstanding() - scoreboard_.sacked();
  congestion_->on_loss(facts, kind == Recovery::kFast ? LossKind::kFastRecovery : LossKind::kTimeout);
  recovery_ = kind;
  ever_recovered_ = true;
  recovery_point_ = nxt_;
  force_retransmission_ = true;
  probe_due_ = probe_outstanding_ = false;
  if (kind == Recovery::kFast) prr_.start(facts.in_flight);
}

void Sender::on_retransmission_timeout(Instant now) {
  rtt_.back_off();
  const bool is_first = timeouts_in_row_ == 0;
  if (timeouts_in_row_ < UINT8_MAX) ++timeouts_in_row_;
  duplicate_acks_ = 0;
  if (is_first) {
    enter_recovery(Recovery::kTimeout, now);
  } else {
    recovery_ = Recovery::kTimeout;
    force_retransmission_ = true;
  }
  scoreboard_.mark_all_lost();
  reordering_deadline_ = loss_deadline_ = kNever;
}

void Sender::on_idle(Instant now) { congestion_->on_idle(view(now)); }

void Sender::on_mss_changed(std::uint32_t mss, bool shrank_on_path) {
  mss_ = mss;
  // RFC 1191 §6.5: what was too big is sent again at once, and is no sign of congestion.
  if (shrank_on_path) scoreboard_.mark_longer_than_lost(mss);
}

}  // namespace transom::tcp
