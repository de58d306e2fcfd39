#include "stack/tcp/sender.h"

#include <algorithm>
#include <utility>

namespace transom::tcp {

void Sender::establish(std::uint32_t mss, std::unique_ptr<CongestionControl> congestion_control) {
  mss_ = mss;
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
  const std::uint64_t cwnd = congestion_->output().cwnd;
  const std::uint64_t used = scoreboard_.in_flight();
  return cwnd > used ? cwnd - used : 0;
}

std::expected<Transmission, SendLimit> Sender::poll(const SendPolicy& policy) {
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
  if (transmission.retransmission) {
    scoreboard_.on_retransmitted(transmission.begin, transmission.length(), now);
    force_retransmission_ = false;
    return;
  }
  scoreboard_.on_sent(transmission.begin, transmission.length(), transmission.fin, now);
  nxt_ += transmission.length();
  if (transmission.fin) fin_sent_ = true;
  if (transmission.octets % mss_ != 0) small_end_ = nxt_;
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
  auto delivered = scoreboard_.acknowledge(acknowledgment.ack);
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
    const auto sacked = scoreboard_.apply_sacks(acknowledgment.sacks, mss_);
    delivered.newly_delivered += sacked.newly_delivered;
    if (sacked.sent && (!delivered.sent || *sacked.sent > *delivered.sent)) delivered.sent = sacked.sent;
  }

  // Karn: only what was sent once, unless a timestamp tells which transmission was answered (RFC 6298 §3).
  // Neither does a segment count that waited at the receiver for the retransmission of one before it. Where
  // the peer reports a duplicate (D-SACK), the echoed timestamp is that of the first copy, whose ACK was lost
  // long ago.
  const bool reports_duplicate =
      !acknowledgment.sacks.empty() && is_at_or_before(acknowledgment.sacks[0].right, acknowledgment.ack);
  std::optional<Duration> rtt;
  if (delivered.sent && !delivered.any_retransmitted) {
    rtt = now - *delivered.sent;
  } else if (moved && acknowledgment.timestamp_rtt && !reports_duplicate) {
    rtt = acknowledgment.timestamp_rtt;
  }
  if (rtt) rtt_.sample(*rtt, prior_in_flight / (2 * mss_) + 1);

  const bool is_duplicate = !moved && acknowledgment.may_be_duplicate && outstanding() > 0;
  const bool was_in_fast_recovery = recovery_ == Recovery::kFast;
  if (in_recovery() && is_at_or_after(una_, recovery_point_)) {
    recovery_ = Recovery::kNone;
    scoreboard_.reset_duplicate_acks();
    congestion_->on_recovery_end(view(now));
  }
  look_for_losses(moved, is_duplicate, !acknowledgment.sacks.empty(), now);

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

void Sender::look_for_losses(bool una_moved, bool is_duplicate, bool has_sacks, Instant now) {
  if (outstanding() == 0) return;
  bool news = false;
  if (peer_sends_sack_) {
    if (has_sacks) news = scoreboard_.detect_losses(mss_);
  } else if (is_duplicate) {
    scoreboard_.on_duplicate_ack(mss_);
    if (duplicate_acks_ < UINT8_MAX) ++duplicate_acks_;
    // RFC 6582 §3.2 step 1: duplicates of what a timeout sent again do not start another recovery.
    const bool beyond_last_recovery = !ever_recovered_ || is_after(una_, recovery_point_);
    if (duplicate_acks_ == 3 && !in_recovery() && beyond_last_recovery)
      news = scoreboard_.mark_front_lost(mss_);
  }
  if (recovery_ == Recovery::kFast && una_moved && !peer_sends_sack_) {
    // RFC 6582 §3.2 step 3, a partial acknowledgment: the next hole is lost as well.
    news = scoreboard_.mark_front_lost(mss_) || news;
    force_retransmission_ = true;
  }
  if (news && !in_recovery()) enter_recovery(Recovery::kFast, now);
}

void Sender::enter_recovery(Recovery kind, Instant now) {
  CongestionView facts = view(now);
  facts.in_flight = scoreboard_.outstanding() - scoreboard_.sacked();
  congestion_->on_loss(facts, kind == Recovery::kFast ? LossKind::kFastRecovery : LossKind::kTimeout);
  recovery_ = kind;
  ever_recovered_ = true;
  recovery_point_ = nxt_;
  force_retransmission_ = true;
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
}

void Sender::on_idle(Instant now) { congestion_->on_idle(view(now)); }

void Sender::on_mss_changed(std::uint32_t mss, bool shrank_on_path) {
  mss_ = mss;
  // RFC 1191 §6.5: what was too big is sent again at once, and is no sign of congestion.
  if (shrank_on_path) scoreboard_.mark_longer_than_lost(mss);
}

}  // namespace transom::tcp
