// A segment arrives: RFC 9293 §3.10.7.4, check by check, with RFC 5961 (blind attacks) and RFC 7323 (PAWS) at
// the places they name. SYN-SENT (§3.10.7.3) is in connection_opening.cpp.
#include <algorithm>

#include "stack/tcp/connection.h"

namespace transom::tcp {

namespace {
constexpr std::uint32_t kPlausibleEcho = 10 * 60 * 1000;  // ms: a made-up echo must not become an RTT of days

// Of a super-segment.
std::uint32_t segments_of(const Segment& segment) {
  return segment.segment_size == 0 ? 1 : (segment.octets + segment.segment_size - 1) / segment.segment_size;
}
}  // namespace

void Connection::segment_arrives(Segment& segment) {
  segments_in_ += segments_of(segment);
  if (traffic_ && segment.octets > 0) traffic_->data_segments_in += segments_of(segment);
  if (state_ == State::kSynSent) {
    arrives_in_syn_sent(segment);
    return;
  }
  if (!check_timestamps(segment)) return;  // RFC 7323 §5.3, before everything else
  if (!check_sequence(segment)) return;    // first
  last_received_ = owner_.context.now;
  if (segment.header.flags.rst) {  // second
    on_reset(segment);
    return;
  }
  // third: security and compartment are not implemented (RFC 9293 Appendix A.1)
  if (!check_syn(segment)) return;  // fourth
  if (!segment.header.flags.ack) {
    owner_.context.drop(DropReason::kTcpMissingAck);
    return;
  }
  if (!check_ack(segment)) return;  // fifth
  if (state_ == State::kClosed || state_ == State::kTimeWait) return;
  if (ecn_ &&
      ecn_->on_segment(ecn_mark_of(segment.received.traffic_class), segment.header.flags, segment.octets > 0))
    receiver_.need_ack(Receiver::AckNeed::kNow);
  check_urgent(segment);  // sixth
  process_text(segment);  // seventh and eighth
}

bool Connection::check_timestamps(const Segment& segment) {
  if (!negotiated_.timestamps || segment.header.flags.rst) return true;  // RFC 7323 §5.2: resets are exempt
  const auto& timestamps = segment.header.options.timestamps;
  if (!timestamps) {                            // RFC 7323 §3.2: SHOULD be dropped
    if (segment.header.flags.syn) return true;  // draws a challenge ACK further down
    owner_.context.drop(DropReason::kTcpMissingTimestamp);
    return false;
  }
  if (!receiver_.is_too_old(timestamps->value, owner_.context.now) || segment.header.flags.syn) return true;
  owner_.context.count(Counter::kTcpExtPAWSEstab);
  drop_with_ack(segment, DropReason::kTcpPaws);
  return false;
}

// First: the sequence number. Also RFC 7323 §4.3: an acceptable segment may bring a new timestamp to echo.
bool Connection::check_sequence(const Segment& segment) {
  const wire::TcpHeader& header = segment.header;
  if (header.flags.syn)
    return true;  // RFC 5961 §4.2: a challenge ACK whatever its sequence number; see check_syn
  const bool is_next = header.sequence == receiver_.nxt();
  const bool acceptable = header.flags.rst  // RFC 5961 §3.2; its text does not count (SHLD-2)
                              ? is_next || receiver_.is_in_window(header.sequence)
                              : receiver_.is_acceptable(header.sequence, segment.length()) ||
                                    (receiver_.window() == 0 && is_next);
  if (acceptable) {
    if (negotiated_.timestamps && header.options.timestamps && !header.flags.rst) {
      receiver_.update_timestamp(header.options.timestamps->value, header.sequence, owner_.context.now);
    }
    return true;
  }
  if (header.flags.rst) {
    owner_.context.drop(DropReason::kTcpOutOfWindow);
    return false;
  }
  // A keep-alive or window probe lands here too; it shows that the peer lives.
  last_received_ = owner_.context.now;
  receiver_.note_duplicate(header.sequence, segment.octets);
  if (segment.octets > 0) owner_.context.count(Counter::kTcpExtTCPDSACKOldSent);
  drop_with_ack(segment, DropReason::kTcpOutOfWindow);
  return false;
}

void Connection::drop_with_ack(const Segment& segment, DropReason reason) {
  owner_.context.drop(reason);
  // Text is always answered: our ACK of it may have been lost. Anything else only so often, against loops of
  // ACKs.
  if (segment.octets == 0 && !rarities().ack_limiter.may_send(owner_.context.now, owner_.context.random)) {
    owner_.context.count(reason == DropReason::kTcpPaws ? Counter::kTcpExtTCPACKSkippedPAWS
                                                        : Counter::kTcpExtTCPACKSkippedSeq);
    return;
  }
  receiver_.need_ack(Receiver::AckNeed::kNow);
  if (state_ == State::kSynReceived) {
    send_ack();
  } else {
    want_output();
  }
}

void Connection::send_challenge_ack(DropReason reason) {
  owner_.context.drop(reason);
  if (!rarities().ack_limiter.may_send(owner_.context.now, owner_.context.random)) {
    owner_.context.count(Counter::kTcpExtTCPACKSkippedChallenge);
    return;
  }
  owner_.context.count(Counter::kTcpExtTCPChallengeACK);
  send_ack();
}

// Second: the RST bit. Only a reset at exactly rcv_nxt counts (RFC 5961 §3.2).
void Connection::on_reset(const Segment& segment) {
  if (segment.header.sequence != receiver_.nxt()) {
    send_challenge_ack(DropReason::kTcpInvalidReset);
    return;
  }
  Error error = Error::kConnectionReset;
  if (state_ == State::kSynReceived) {
    owner_.context.count(Counter::kTcpAttemptFails);
    if (is_half_open_fast()) {
      leave_fast_open_queue(true);
    } else {
      error = Error::kConnectionRefused;  // of a simultaneous open (MUST-11)
    }
  } else {
    if (state_ == State::kEstablished || state_ == State::kCloseWait)
      owner_.context.count(Counter::kTcpEstabResets);
    if (state_ == State::kCloseWait) error = Error::kBrokenPipe;
  }
  finish(error, Reason::kReset);
}

// Fourth: the SYN bit. In a synchronised state it draws a challenge ACK (RFC 5961 §4.2); the SYN-ACK that
// ends a simultaneous open is an acknowledgment.
bool Connection::check_syn(Segment& segment) {
  wire::TcpHeader& header = segment.header;
  if (!header.flags.syn) return true;
  const bool ends_simultaneous_open = state_ == State::kSynReceived && !is_half_open_fast() &&
                                      header.flags.ack && header.sequence == opening_->irs &&
                                      acknowledges_syn(header.acknowledgment);
  if (ends_simultaneous_open) {
    header.flags.syn = false;
    header.sequence += 1;
    return true;
  }
  owner_.context.count(Counter::kTcpExtTCPSYNChallenge);
  if (header.flags.ack && ecn_) ecn_->on_syn_ack_again();
  if (state_ == State::kSynReceived && !header.flags.ack && header.sequence == opening_->irs) {
    send_syn();  // its SYN again: our SYN-ACK was lost
    return false;
  }
  send_challenge_ack(DropReason::kTcpSynInWindow);
  return false;
}

std::uint32_t Connection::scaled_window(const Segment& segment) const {
  return std::uint32_t{segment.header.window} << negotiated_.send_scale;
}

// Fifth: the ACK field.
bool Connection::check_ack(const Segment& segment) {
  if (state_ == State::kSynReceived) return check_ack_in_syn_received(segment);
  const SeqNum ack = segment.header.acknowledgment;
  if (is_after(ack, sender_.nxt())) {  // acknowledges what was never sent
    drop_with_ack(segment, DropReason::kTcpUnacceptableAck);
    return false;
  }
  if (is_before(ack, sender_.una() - sender_.max_window())) {  // RFC 5961 §5.2
    send_challenge_ack(DropReason::kTcpOldAck);
    return false;
  }
  probes_ = 0;
  if (is_at_or_after(ack, sender_.una())) take_acknowledgment(segment);
  return true;
}

void Connection::take_acknowledgment(const Segment& segment) {
  const wire::TcpHeader& header = segment.header;
  const Instant now = owner_.context.now;
  if (traffic_) traffic_->last_ack_received = now;
  const std::uint32_t queued_before = sender_.queue().size();
  const bool was_full = !readiness().writable;
  const std::uint32_t window = scaled_window(segment);
  Acknowledgment acknowledgment{.ack = header.acknowledgment};
  if (negotiated_.sack) acknowledgment.sacks = header.options.sacks();
  acknowledgment.may_be_duplicate = segment.length() == 0 && window == sender_.window();  // RFC 5681 §2
  if (negotiated_.timestamps && header.options.timestamps && header.options.timestamps->echo != 0) {
    const std::uint32_t elapsed = timestamp_now() - header.options.timestamps->echo;
    if (elapsed < kPlausibleEcho) {
      // Below one tick of that clock nothing is known.
      acknowledgment.timestamp_rtt = std::chrono::milliseconds(std::max(elapsed, 1U));
      const auto tick = std::chrono::floor<std::chrono::milliseconds>(now);
      acknowledgment.echoed_before = tick - std::chrono::milliseconds(elapsed) + std::chrono::milliseconds(1);
    }
  }
  const bool was_in_recovery = sender_.in_recovery();
  const std::uint32_t segments =
      (octets_between(sender_.una(), acknowledgment.ack) + sender_.mss() - 1) / sender_.mss();
  Ecn::Echo echo;
  if (ecn_) echo = ecn_->on_acknowledgment(header.flags, segments, header.acknowledgment, sender_.nxt());
  acknowledgment.marked_segments = echo.marked_segments;
  const bool moved = sender_.acknowledge(acknowledgment, now);
  if (ecn_ && sender_.in_recovery() && !was_in_recovery) ecn_->on_reduction(sender_.nxt());
  if (sender_.has_begun()) {
    send_buffer_.on_acknowledgment(sender_.cwnd(), owner_.config.send_buffer,
                                   owner_.context.pool.is_scarce());
  }
  if (queued_before != sender_.queue().size()) {
    traffic_->bytes_acked += queued_before - sender_.queue().size();
    tell_progress();
  }
  if (echo.must_reduce) sender_.on_congestion_echo(now);
  const bool window_changed = sender_.update_window(header.sequence, header.acknowledgment, window);
  if (window > 0) persist_backoff_ = 0;
  if (moved) {
    if (sender_.restarts_timer()) clear_alarm(Alarm::kRetransmit);  // RFC 6298 §5.3: output() starts it anew
    no_more_trouble();
    soft_error_ = Error::kNone;
    owner_.ip.confirm_reachable(*destination_);
  }
  if (was_full && readiness().writable) notify_room();  // the buffer may have grown, too
  if (window_changed) clear_alarm(Alarm::kPersist);
  if (sender_.fin_acknowledged()) advance_after_fin_acknowledged();
  if (state_ != State::kClosed && state_ != State::kTimeWait) want_output();
}

void Connection::advance_after_fin_acknowledged() {
  switch (state_) {
    case State::kFinWait1:
      set_state(State::kFinWait2, Reason::kSegment);
      if (is_orphan_) wait_for_fin();
      break;
    case State::kClosing:
      begin_time_wait();
      break;
    case State::kLastAck:
      finish(Error::kNone, Reason::kSegment);
      break;
    default:
      break;
  }
}

// Sixth: the URG bit.
void Connection::check_urgent(const Segment& segment) {
  if (!segment.header.flags.urg) return;
  const bool may_receive =
      state_ == State::kEstablished || state_ == State::kFinWait1 || state_ == State::kFinWait2;
  if (may_receive && receiver_.on_urgent(segment.header.sequence, segment.header.urgent_pointer)) notify();
}

// Seventh: the segment text. Eighth: the FIN bit.
void Connection::process_text(Segment& segment) {
  if (segment.length() == 0) return;
  const bool may_receive =
      state_ == State::kEstablished || state_ == State::kFinWait1 || state_ == State::kFinWait2;
  if (!may_receive) return;  // the peer has sent its FIN before: nothing may follow
  const SeqNum end = segment.header.sequence + segment.octets;
  const bool nobody_reads = is_orphan_ || (receive_shut_ && state_ != State::kEstablished);
  if (nobody_reads && segment.octets > 0 && is_after(end, receiver_.nxt())) {
    // RFC 9293 SHLD-3, RFC 2525 §2.16: nobody will ever read this.
    owner_.context.count(Counter::kTcpExtTCPAbortOnData);
    owner_.context.drop(DropReason::kTcpAfterClose);
    send_reset();
    finish(Error::kNone, Reason::kNobodyReads);
    return;
  }
  if (segment.octets > 0) {
    if (!traffic_) {
      begin_traffic();
      traffic_->data_segments_in = segments_of(segment);
    }
    receiver_.on_text(owner_.context.now - last_data_received_, sender_.rtt().rto());
  }
  const auto accepted =
      receiver_.accept(owner_.context.pool, segment.header.sequence, Payload(std::move(segment.packet)),
                       segment.header.flags.fin, segment.segment_size);
  if (segment.octets > 0) last_data_received_ = owner_.context.now;
  if (accepted.out_of_order) ++traffic_->out_of_order_segments;
  if (accepted.delivered > 0) {
    measure_arrival(segment);
    traffic_->bytes_received += accepted.delivered;
  }
  if (accepted.fin_reached) on_fin();
  if (accepted.fin_reached) {
    notify();
  } else if (accepted.delivered > 0) {
    notify_input();
  }
  if (state_ != State::kClosed && state_ != State::kTimeWait) want_output();
}

// For the size of the receive buffer.
void Connection::measure_arrival(const Segment& segment) {
  std::optional<ReceiveTuning::Echo> echo;
  const auto& timestamps = segment.header.options.timestamps;
  if (negotiated_.timestamps && timestamps && segment.octets >= receiver_.peer_segment()) {
    const std::uint32_t elapsed = timestamp_now() - timestamps->echo;
    if (elapsed < kPlausibleEcho) echo = {timestamps->echo, std::chrono::milliseconds(std::max(elapsed, 1U))};
  }
  traffic_->receive_tuning.on_arrival(receiver_.nxt(), receiver_.window(), echo, owner_.context.now);
}

void Connection::on_fin() {
  switch (state_) {
    case State::kEstablished:
      set_state(State::kCloseWait, Reason::kSegment);
      break;
    case State::kFinWait1:  // our FIN is not acknowledged, or we would be in FIN-WAIT-2
      set_state(State::kClosing, Reason::kSegment);
      break;
    case State::kFinWait2:
      begin_time_wait();
      break;
    default:
      break;
  }
}

}  // namespace transom::tcp
