// The alarms of a connection. They share one Timer, which is set to the earliest and never moved back: an
// alarm that was cleared or postponed costs at most one idle wake-up.
#include <algorithm>

#include "stack/tcp/connection.h"
#include "stack/tcp/syn_queue.h"

namespace transom::tcp {

namespace {
constexpr Duration kDefaultUserTimeout =
    std::chrono::seconds(924);  // what 15 back-offs from 200 ms add up to, as Linux
constexpr Duration kCorkTimeout = std::chrono::milliseconds(200);
constexpr std::uint8_t kFirstAdvice = 3;  // R1: RFC 9293 SHLD-10
}  // namespace

Reason Connection::reason_of(Alarm alarm) {
  constexpr Reason kTimers[] = {Reason::kRetransmit, Reason::kLossDetection, Reason::kPersist,
                                Reason::kDelayedAck, Reason::kKeepAlive,     Reason::kPacing};
  return kTimers[static_cast<std::size_t>(alarm)];
}

void Connection::set_alarm(Alarm alarm, Instant when) {
  if (when == kNever) return clear_alarm(alarm);
  if (trace_.is_on() && when != deadline(alarm)) trace_.tell<TcpTimerSetEvent>(reason_of(alarm), when);
  if (!alarms_) alarms_ = std::make_unique<Alarms>(call_member<&Connection::on_timer>, this);
  alarms_->deadline(alarm) = when;
  if (when < alarms_->timer.deadline()) alarms_->timer.start(owner_.context.timers, when);
}

void Connection::on_timer() {
  const CauseScope scope(owner_.context, 0);
  const Instant now = owner_.context.now;
  const auto is_due = [&](Alarm alarm) {
    if (deadline(alarm) > now) return false;
    clear_alarm(alarm);
    owner_.context.cause = trace_.tell<TcpTimerEvent>(reason_of(alarm));
    return true;
  };
  if (is_due(Alarm::kDelayedAck)) {
    owner_.context.count(Counter::kTcpExtDelayedACKs);
    receiver_.on_ack_delay_expired(sender_.rtt().rto());
    want_output();
  }
  if (is_due(Alarm::kPacing)) want_output();
  if (is_due(Alarm::kLossDetection)) {
    sender_.on_loss_detection_alarm(now);
    if (sender_.probe_is_due()) clear_alarm(Alarm::kRetransmit);  // starts anew with the probe
    want_output();
  }
  if (is_due(Alarm::kRetransmit)) on_retransmission_timeout();
  if (state_ != State::kClosed && is_due(Alarm::kPersist)) on_persist_timeout();
  if (state_ != State::kClosed && is_due(Alarm::kKeepAlive)) on_keep_alive();
  if (!alarms_) return;
  const Instant next = alarms_->first();
  if (next == kNever && !output_pending) return clear_all_alarms();
  if (next < alarms_->timer.deadline()) alarms_->timer.start(owner_.context.timers, next);
}

bool Connection::has_given_up(Instant since) const {
  const Duration limit = options_->user_timeout != 0
                             ? Duration(std::chrono::milliseconds(options_->user_timeout))
                             : kDefaultUserTimeout;
  return since != kNever && owner_.context.now - since >= limit;
}

void Connection::on_retransmission_timeout() {
  Context& context = owner_.context;
  context.count(Counter::kTcpExtTCPTimeouts);
  if (state_ == State::kSynSent || state_ == State::kSynReceived) {
    // RFC 9293 MUST-22, MUST-23: the same thresholds for SYNs, but R2 at least three minutes.
    const std::size_t most_retries = is_half_open_fast() ? SynQueue::kMaxRetries : options_->syn_retries;
    if (syn_retries_ >= most_retries ||
        (options_->user_timeout != 0 && has_given_up(alarms_->trouble_since))) {
      context.count(Counter::kTcpAttemptFails);
      give_up();
      return;
    }
    if (alarms_->trouble_since == kNever) alarms_->trouble_since = opening_->syn_sent;
    ++syn_retries_;
    on_syn_timeout();
    context.count(Counter::kTcpExtTCPSynRetrans);
    context.count(Counter::kTcpRetransSegs);
    if (syn_retries_ >= kFirstAdvice) owner_.ip.suspect(*destination_);
    send_syn();
    set_alarm(Alarm::kRetransmit, context.now + sender_.rtt().rto());
    return;
  }
  if (sender_.outstanding() == 0) return;
  // SHLD-17: a peer that has shut its window but still answers is not dead.
  const bool peer_answers =
      !is_orphan_ && sender_.window() == 0 && context.now - last_received_ < RttEstimator::kMaxRto;
  if (alarms_->trouble_since == kNever || peer_answers) alarms_->trouble_since = last_sent_;
  if (has_given_up(alarms_->trouble_since)) {  // R2
    context.count(Counter::kTcpExtTCPAbortOnTimeout);
    give_up();
    return;
  }
  sender_.on_retransmission_timeout(context.now);
  if (owner_.config.mtu_probing) {
    // Every path takes 1280 octets of IPv6 (RFC 8200 §5); of IPv4 only 68, which none is known to be down to.
    constexpr std::uint32_t kMinMtu6 = 1280;
    sender_.look_for_black_hole(tuple_.remote.address.is_v4() ? 0 : kMinMtu6 - header_octets());
  }
  if (syn_data_ && !is_passive_ && sender_.timeouts_in_row() == kFirstAdvice) {
    // RFC 7413 §4.1.3.1: some middleboxes let such a connection through and then drop what belongs to it.
    owner_.fast_open_cache.on_silence(tuple_, context.now);
    context.count(Counter::kTcpExtTCPFastOpenBlackhole);
  }
  if (sender_.timeouts_in_row() == kFirstAdvice) owner_.ip.suspect(*destination_);  // R1: MUST-20
  want_output();
}

void Connection::on_persist_timeout() {
  if (sender_.window() > 0 && sender_.outstanding() == 0) {  // the override timer of RFC 9293 §3.8.6.2.1
    override_limits_ = true;
    want_output();
    return;
  }
  // A probe is never given up while it is answered (MUST-37); silence is judged as for retransmissions. Where
  // our user has let go, answers without progress are judged so too, or peers could collect such connections
  // (CVE-2008-4609).
  if ((probes_ > 0 || is_orphan_) && has_given_up(alarms_->trouble_since)) {
    owner_.context.count(Counter::kTcpExtTCPAbortOnTimeout);
    if (is_orphan_) send_reset();
    give_up();
    return;
  }
  if (alarms_->trouble_since == kNever || (probes_ == 0 && !is_orphan_))
    alarms_->trouble_since = owner_.context.now;
  if (probes_ < UINT8_MAX) ++probes_;
  if (persist_backoff_ < 16) ++persist_backoff_;
  owner_.context.count(Counter::kTcpExtTCPWinProbe);
  // One number before what the peer expects: it must answer with an ACK, which carries its window (MUST-36).
  // Nothing is sent beyond the window.
  send_ack(sender_.una() - 1);
  want_output();  // sets the alarm again
}

void Connection::restart_keep_alive() {
  if (state_ == State::kFinWait2 && is_orphan_) return;
  if (!options_->keep_alive) {
    clear_alarm(Alarm::kKeepAlive);
    return;
  }
  set_alarm(Alarm::kKeepAlive, owner_.context.now + std::chrono::seconds(options_->keep_idle));
}

void Connection::on_keep_alive() {
  Context& context = owner_.context;
  if (state_ == State::kFinWait2 && is_orphan_) {  // nobody waits for the peer's FIN any more
    finish(Error::kNone, Reason::kNobodyWaits);
    return;
  }
  if (!options_->keep_alive) return;
  const Duration idle_limit = std::chrono::seconds(options_->keep_idle);
  const Duration idle = context.now - last_received_;
  // RFC 9293 MUST-26: only when idle. What is in flight is the retransmission timer's business.
  if (idle < idle_limit || sender_.outstanding() > 0 || sender_.has_work()) {
    set_alarm(Alarm::kKeepAlive,
              std::max(last_received_ + idle_limit, context.now + std::chrono::seconds(1)));
    return;
  }
  const bool silent_too_long = options_->user_timeout != 0
                                   ? idle >= std::chrono::milliseconds(options_->user_timeout) && probes_ > 0
                                   : probes_ >= options_->keep_count;
  if (silent_too_long) {
    context.count(Counter::kTcpExtTCPAbortOnTimeout);
    send_reset();
    give_up();
    return;
  }
  ++probes_;
  context.count(Counter::kTcpExtTCPKeepAlive);
  send_ack(sender_.una() - 1);
  set_alarm(Alarm::kKeepAlive, context.now + std::chrono::seconds(options_->keep_interval));
}

void Connection::update_alarms_after_output(std::optional<SendLimit> limit) {
  const Instant now = owner_.context.now;
  if (limit == SendLimit::kPacing) set_alarm(Alarm::kPacing, sender_.pacing_deadline());
  if (is_half_open_fast()) {  // the retransmission timer is that of the SYN-ACK
    if (limit == SendLimit::kCorked && !is_set(Alarm::kPersist))
      set_alarm(Alarm::kPersist, now + kCorkTimeout);
    return;
  }
  if (sender_.outstanding() > 0) {
    clear_alarm(Alarm::kPersist);
    if (!is_set(Alarm::kRetransmit))
      set_alarm(Alarm::kRetransmit, now + sender_.rtt().rto());  // RFC 6298 §5.1
    Instant detection = sender_.loss_detection_deadline();
    if (sender_.awaits_probe()) detection = std::min(detection, deadline(Alarm::kRetransmit));
    set_alarm(Alarm::kLossDetection, detection);
    return;
  }
  clear_alarm(Alarm::kRetransmit);
  clear_alarm(Alarm::kLossDetection);
  if (!limit || !sender_.has_work()) {
    clear_alarm(Alarm::kPersist);
    return;
  }
  if (is_set(Alarm::kPersist)) return;
  if (*limit == SendLimit::kCorked) {
    set_alarm(Alarm::kPersist, now + kCorkTimeout);
  } else if (*limit == SendLimit::kWindow || *limit == SendLimit::kSillyWindow) {
    Duration interval = sender_.rtt().rto();  // SHLD-29, SHLD-30
    for (int i = 0; i < persist_backoff_ && interval < RttEstimator::kMaxRto; ++i) interval *= 2;
    set_alarm(Alarm::kPersist, now + std::min(interval, RttEstimator::kMaxRto));
  }
}

}  // namespace transom::tcp
