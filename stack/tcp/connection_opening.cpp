// The handshake, from our SYN or from that of the peer to ESTABLISHED (RFC 9293 §3.5, §3.10.7.3). Data in
// SYNs is in connection_fast_open.cpp; what a listener does before there is a connection, in syn_queue.cpp.
#include <utility>

#include "stack/tcp/connection.h"

namespace transom::tcp {

void Connection::open(PortHold hold, SeqNum iss) {
  if (hold) rarities().hold = std::move(hold);
  iss_ = iss;
  opening_ = std::make_unique<Opening>();
  sender_.set_initial_sequence(iss_);
  set_state(State::kSynSent, Reason::kUser);
  owner_.context.count(Counter::kTcpActiveOpens);
  sender_.syn_sent();
  syn_waits_ = may_open_fast();
  if (!syn_waits_) send_first_syn();
}

void Connection::send_first_syn() {
  send_syn();
  set_alarm(Alarm::kRetransmit, owner_.context.now + sender_.rtt().rto());
}

EcnKind Connection::ecn_to_request() const {
  // RFC 3168 §6.1.1.1: who gets no answer tries without, as some middleboxes drop such SYNs.
  if (syn_retries_ > 0) return EcnKind::kNone;
  return tcp::ecn_to_request(owner_.config.ecn, congestion_factory().ecn);
}

void Connection::arrives_in_syn_sent(Segment& segment) {
  const wire::TcpHeader& header = segment.header;
  Context& context = owner_.context;
  const bool acceptable_ack = header.flags.ack && !syn_waits_ && acknowledges_syn(header.acknowledgment);
  // first: the ACK bit
  if (header.flags.ack && !acceptable_ack) {
    context.drop(DropReason::kTcpUnacceptableAck);
    send_reset_for(context, owner_.ip, segment);  // says nothing to a reset
    return;
  }
  // second: the RST bit
  if (header.flags.rst) {
    if (!acceptable_ack) {
      context.drop(DropReason::kTcpInvalidReset);
      return;
    }
    context.count(Counter::kTcpAttemptFails);
    finish(Error::kConnectionRefused, Reason::kReset);
    return;
  }
  // fourth: the SYN bit
  if (!header.flags.syn) {
    context.drop(DropReason::kTcpMissingAck);
    return;
  }
  const std::uint16_t our_mss = receive_mss(*destination_, *options_);
  Negotiated negotiated = negotiate(header.options, syn_options(owner_.config, *options_, our_mss, nullptr),
                                    tuple_.remote.address.family());
  if (header.flags.ack) {
    const EcnKind asked = ecn_to_request();
    if (asked == EcnKind::kAccurate && agrees_to_accurate_ecn(header.flags)) {
      negotiated.ecn.kind = EcnKind::kAccurate;
    } else if (asked != EcnKind::kNone && agrees_to_ecn(header.flags)) {
      negotiated.ecn.kind = EcnKind::kClassic;
    }
  } else {
    negotiated.ecn.kind = ecn_to_agree(owner_.config.ecn, congestion_factory().ecn, header.flags);
  }
  negotiated.ecn.peer_syn = ecn_mark_of(segment.received.traffic_class);
  start_receiver(header.sequence, negotiated.receive_scale);
  last_received_ = context.now;
  if (!header.flags.ack) {
    // Simultaneous open (MUST-10): answer with a SYN-ACK and wait for its acknowledgment.
    negotiated_ = negotiated;
    if (negotiated.timestamps) receiver_.start_timestamps(negotiated.ts_recent, context.now);
    receiver_.offer_window();
    opening_->irs = header.sequence;
    syn_waits_ = false;
    sender_.set_window(header.sequence, header.acknowledgment, header.window);
    set_state(State::kSynReceived, Reason::kSegment);
    send_first_syn();
    return;
  }
  sender_.syn_acknowledged();
  if (syn_retries_ == 0) sender_.rtt().sample(context.now - opening_->syn_sent, 1, context.now);
  syn_data_ = header.acknowledgment != sender_.una();
  establish(negotiated, syn_retries_ > 0, header.flags);
  if (syn_asked_) conclude_fast_open(segment);
  sender_.set_window(header.sequence, header.acknowledgment,
                     header.window);  // the window of a SYN is not scaled
  end_opening();
  if (segment.octets > 0 || header.flags.fin) {  // RFC 9293: text with the SYN-ACK is queued
    segment.header.sequence += 1;
    segment.header.flags.syn = false;
    receiver_.offer_window();
    process_text(segment);
  }
  receiver_.need_ack(Receiver::AckNeed::kNow);
  owner_.ip.confirm_reachable(*destination_);
  notify();
  want_output();
}

bool Connection::check_ack_in_syn_received(const Segment& segment) {
  if (!acknowledges_syn(segment.header.acknowledgment)) {
    owner_.context.drop(DropReason::kTcpUnacceptableAck);
    send_reset_for(owner_.context, owner_.ip, segment);
    return false;
  }
  if (is_half_open_fast()) {
    finish_handshake_of_fast_open(segment);
    return true;
  }
  sender_.syn_acknowledged();
  if (syn_retries_ == 0) sender_.rtt().sample(owner_.context.now - opening_->syn_sent, 1, owner_.context.now);
  syn_data_ = segment.header.acknowledgment != sender_.una();
  establish(negotiated_, syn_retries_ > 0);
  settle_syn_data(segment.header.acknowledgment);
  end_opening();
  sender_.set_window(segment.header.sequence, segment.header.acknowledgment, scaled_window(segment));
  if (sender_.fin_queued()) after_fin_queued();
  notify();
  want_output();
  return true;
}

void Connection::establish_passively(SeqNum iss, SeqNum irs, const Negotiated& negotiated, const Segment& ack,
                                     const SynAckHistory& history) {
  is_passive_ = true;
  state_ = State::kSynReceived;  // that of the record it comes from
  iss_ = iss;
  sender_.set_initial_sequence(iss);
  sender_.syn_sent();
  sender_.syn_acknowledged();
  start_receiver(irs, negotiated.receive_scale);
  receiver_.offer_window();
  if (history.round_trip) sender_.rtt().sample(*history.round_trip, 1, owner_.context.now);
  establish(negotiated, history.was_repeated);
  sender_.set_window(ack.header.sequence, ack.header.acknowledgment, scaled_window(ack));
  owner_.context.count(Counter::kTcpPassiveOpens);
}

void Connection::start_receiver(SeqNum irs, std::uint8_t scale) {
  const bool starts_small = options_->receive_buffer == 0 && owner_.context.pool.is_scarce();
  receiver_.start(irs, scale,
                  within_clamp(starts_small ? owner_.config.receive_buffer.min
                                            : first_receive_buffer(owner_.config, *options_)),
                  receive_mss(*destination_, *options_));
}

void Connection::establish(const Negotiated& negotiated, bool syn_was_retransmitted,
                           const wire::TcpFlags& syn_ack) {
  begin_transfer(negotiated, syn_was_retransmitted, syn_ack);
  enter_established();
}

// From now on data may be sent and received.
void Connection::begin_transfer(const Negotiated& negotiated, bool syn_was_retransmitted,
                                const wire::TcpFlags& syn_ack) {
  negotiated_ = negotiated;
  syn_was_lost_ = syn_was_retransmitted;
  link_mtu_ = 0;
  refresh_mss();
  sender_.establish(sender_.mss(), negotiated.sack);
  if (sender_.has_begun())
    sender_.set_congestion_control(new_congestion_control(owner_.context.random.next()));
  if (negotiated.timestamps) receiver_.start_timestamps(negotiated.ts_recent, owner_.context.now);
  // RFC 9331 §4.2: who lives by accurate feedback and does not get it reacts to marks as any other, and never
  // says ECT(1).
  EcnUse use = congestion_factory().ecn;
  if (use == EcnUse::kEct1 && negotiated.ecn.kind != EcnKind::kAccurate) use = EcnUse::kAsHost;
  if (negotiated.ecn.kind != EcnKind::kNone)
    ecn_ = std::make_unique<Ecn>(negotiated.ecn, use, !is_passive_, syn_ack);
  if (traffic_) start_receive_tuning();  // it began with the SYN
}

void Connection::enter_established() {
  clear_alarm(Alarm::kRetransmit);
  probes_ = 0;
  soft_error_ = Error::kNone;
  if (syn_was_lost_) sender_.rtt().syn_was_lost();
  trace_.tell<TcpNegotiatedEvent>(sender_.mss(), negotiated_.send_scale, negotiated_.receive_scale,
                                  negotiated_.timestamps, negotiated_.sack,
                                  negotiated_.ecn.kind != EcnKind::kNone, syn_data_);
  set_state(State::kEstablished, Reason::kSegment);
  last_received_ = last_data_received_ = owner_.context.now;
  restart_keep_alive();
}

// The handshake is done.
void Connection::end_opening() {
  opening_.reset();
  no_more_trouble();
  if (alarms_ && alarms_->first() == kNever) clear_all_alarms();
}

}  // namespace transom::tcp
