// What a connection sends: data and FIN as the Sender allows, acknowledgments as the Receiver asks, and the
// SYN.
#include <algorithm>

#include "stack/tcp/connection.h"
#include "stack/wire/checksum.h"

namespace transom::tcp {

namespace {
constexpr std::uint32_t kTimestampOctets = 12;  // with the two NOPs
constexpr std::uint32_t kMaxIpPacket = 65535;
}  // namespace

void Connection::want_output() {
  if (output_pending) return;
  output_cause_ = owner_.context.cause;
  owner_.wants_output(*this);
}

// RFC 9293 §3.7.1: what the path takes and the peer takes, less the options of every segment.
void Connection::refresh_mss() {
  const std::uint32_t mtu = owner_.ip.path_mtu(*destination_);
  if (mtu == link_mtu_ && segment_limit_ == sender_.segment_limit()) return;
  const std::uint32_t before = link_mtu_;
  link_mtu_ = static_cast<std::uint16_t>(std::min(mtu, kMaxIpPacket));
  segment_limit_ = sender_.segment_limit();
  const std::uint32_t headers = (tuple_.remote.address.is_v4() ? 20U : 40U) + wire::TcpHeader::kMinSize;
  std::uint32_t path_mss =
      std::min<std::uint32_t>(negotiated_.peer_mss, link_mtu_ > headers ? link_mtu_ - headers : 1);
  if (options_->max_segment != 0) path_mss = std::min<std::uint32_t>(path_mss, options_->max_segment);
  path_mss -= std::min(path_mss - 1, header_octets() - headers);
  const std::uint32_t mss = std::min(path_mss, segment_limit_);
  if (mss == sender_.mss() && path_mss == sender_.path_mss()) return;
  sender_.on_mss_changed(mss, path_mss, before != 0 && mss < sender_.mss());
}

std::uint32_t Connection::header_octets() const {
  constexpr std::uint32_t kTcpHeader = wire::TcpHeader::kMinSize;
  return (tuple_.remote.address.is_v4() ? 20U : 40U) + kTcpHeader +
         (negotiated_.timestamps ? kTimestampOctets : 0);
}

std::uint32_t Connection::max_super_segment() const {
  // Who cuts a super-segment copies the urgent pointer, which would then point somewhere else in each piece.
  if (sender_.is_urgent_from(sender_.una())) return sender_.mss();
  const std::uint32_t room = kMaxIpPacket - 40 - wire::TcpHeader::kMaxSize;
  return std::max(room / sender_.mss(), 1U) * sender_.mss();
}

SendPolicy Connection::send_policy() {
  return {.now = owner_.context.now,
          .no_delay = options_->no_delay,
          .cork = options_->cork || send_more_,
          .override_limits = override_limits_,
          .writer_waits = writer_waits_ && !readiness().writable,
          .max_pacing_rate = options_->max_pacing_rate,
          .max_octets = max_super_segment()};
}

wire::TcpHeader Connection::make_header(SeqNum sequence, wire::TcpFlags flags) {
  wire::TcpHeader header;
  header.source_port = tuple_.local.port;
  header.destination_port = tuple_.remote.port;
  header.sequence = sequence;
  header.flags = flags;
  if (flags.ack) header.acknowledgment = receiver_.nxt();
  header.window = static_cast<std::uint16_t>(receiver_.offer_window() >> negotiated_.receive_scale);
  if (negotiated_.timestamps)
    header.options.timestamps = wire::TcpTimestamps{timestamp_now(), receiver_.ts_recent()};
  if (sender_.is_urgent_from(
          sequence)) {  // RFC 9293 MUST-62: behind the last urgent octet, as far as the field reaches
    header.flags.urg = true;
    header.urgent_pointer =
        static_cast<std::uint16_t>(std::min(octets_between(sequence, sender_.urgent_end()), 0xffffU));
  }
  return header;
}

bool Connection::send_packet(Packet packet, const wire::TcpHeader& header, EcnMark mark) {
  const std::size_t segment_size = packet.info().segment_size;
  const std::size_t segments = segment_size == 0 ? 1 : (packet.size() + segment_size - 1) / segment_size;
  prepend_header(packet, header, tuple_);
  owner_.context.count(Counter::kTcpOutSegs, segments);
  segments_out_ += segments;
  last_sent_ = owner_.context.now;
  const auto sent = owner_.ip.send(*destination_, tuple_.local.address, IpProtocol::kTcp, std::move(packet),
                                   {.ttl = options_->ttl,
                                    .traffic_class = static_cast<std::uint8_t>(
                                        (options_->traffic_class & 0xfc) | static_cast<std::uint8_t>(mark)),
                                    .dont_fragment = true,
                                    .flow_label = flow_label_});
  return sent.has_value();
}

void Connection::output() {
  const CauseScope scope(owner_.context, output_cause_);
  output_pending = false;
  if (!is_synchronised() || state_ == State::kTimeWait || is_connecting()) return;
  refresh_mss();
  // Selective acknowledgments travel alone: beside a full segment there is no room, and a duplicate ACK must
  // carry no data.
  if (receiver_.ack_need() == Receiver::AckNeed::kNow && receiver_.has_sack_blocks()) send_ack();

  std::optional<SendLimit> limit;
  if (may_send_data()) {
    const bool was_full = options_->not_sent_low_water != UINT32_MAX && !readiness().writable;
    if (sender_.outstanding() == 0 && sender_.has_work() &&
        owner_.context.now - last_sent_ > sender_.rtt().rto()) {
      sender_.on_idle(owner_.context.now);  // RFC 5681 §4.1
    }
    for (;;) {
      const auto next = sender_.poll(send_policy());
      if (!next) {
        limit = next.error();
        break;
      }
      if (!transmit(*next)) break;
    }
    override_limits_ = false;
    if (was_full && readiness().writable) notify_room();
  }
  if (receiver_.ack_need() == Receiver::AckNeed::kNow ||
      (receiver_.ack_need() != Receiver::AckNeed::kNone && options_->quick_ack)) {
    send_ack();
  }
  if (receiver_.ack_need() == Receiver::AckNeed::kNone) {
    clear_alarm(Alarm::kDelayedAck);
  } else if (!is_set(Alarm::kDelayedAck)) {
    set_alarm(Alarm::kDelayedAck, owner_.context.now + receiver_.ack_delay(sender_.rtt().srtt()));
  }
  if (limit && traffic_) traffic_->limited.change(limited_by(*limit), owner_.context.now);
  update_alarms_after_output(limit);
}

Limited Connection::limited_by(SendLimit limit) const {
  switch (limit) {
    case SendLimit::kWindow:
    case SendLimit::kSillyWindow:
      return Limited::kReceiveWindow;
    case SendLimit::kCongestion:
      return sender_.in_recovery() ? Limited::kRecovery : Limited::kCongestionWindow;
    case SendLimit::kPacing:
      return Limited::kPacing;
    case SendLimit::kNothingToSend:
    case SendLimit::kNagle:
    case SendLimit::kCorked:
      break;
  }
  if (sender_.outstanding() == 0 && !sender_.has_work()) return Limited::kIdle;
  return writer_waits_ && !readiness().writable ? Limited::kSendBuffer : Limited::kApplication;
}

bool Connection::transmit(const Transmission& transmission) {
  Transmission sent = transmission;
  Packet packet = owner_.context.pool.allocate();
  if (!packet) {  // the retransmission timer will try again
    owner_.context.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
    return false;
  }
  if (sent.octets > 0) {
    const std::uint32_t attached = sender_.attach(packet, sent.begin, sent.octets);
    if (attached < sent.octets) {  // the queue is made of many small buffers: a shorter super-segment
      sent.octets = attached > sender_.mss() ? attached / sender_.mss() * sender_.mss() : attached;
      packet.trim_back(attached - sent.octets);
      sent.fin = sent.push = sent.path_probe = false;
    }
    if (sent.octets > sender_.mss() && !sent.path_probe)
      packet.info().segment_size = static_cast<std::uint16_t>(sender_.mss());
  }
  wire::TcpFlags flags;
  flags.ack = true;
  flags.psh = sent.push && sent.octets > 0;
  flags.fin = sent.fin;
  wire::TcpHeader header = make_header(sent.begin, flags);
  EcnMark mark = EcnMark::kNotCapable;
  if (ecn_) {
    mark = ecn_->prepare(header.flags, !sent.retransmission && sent.octets > 0);
    packet.info().repeats_cwr = ecn_->repeats_cwr();
  }
  const Reason reason = sent.probe            ? Reason::kTailLossProbe
                        : sent.retransmission ? Reason::kRetransmission
                                              : Reason::kNewData;
  trace_.tell<TcpSendEvent>(sent.begin, sent.begin + sent.length(), reason);
  if (!send_packet(std::move(packet), header, mark)) owner_.context.count(Counter::kIpOutDiscards);

  // A packet that could not be handed down is as good as lost in the network.
  sender_.transmitted(sent, owner_.context.now);
  if (sent.probe) {  // RFC 8985 §7.3: the timeout starts anew
    owner_.context.count(Counter::kTcpExtTCPLossProbes);
    set_alarm(Alarm::kRetransmit, owner_.context.now + sender_.rtt().rto());
  }
  receiver_.ack_sent();
  traffic_->bytes_sent += sent.octets;
  const std::uint32_t segments = sent.path_probe ? 1 : (sent.length() + sender_.mss() - 1) / sender_.mss();
  if (sent.octets > 0) {
    traffic_->last_sent = owner_.context.now;
    receiver_.on_data_sent(owner_.context.now - last_data_received_);
    traffic_->data_segments_out += segments;
  }
  if (sent.retransmission) {
    traffic_->bytes_retransmitted += sent.octets;
    traffic_->retransmitted_segments += segments;
    owner_.context.count(Counter::kTcpRetransSegs, segments);
  } else {
    owner_.context.count(Counter::kTcpExtTCPOrigDataSent, (sent.octets + sender_.mss() - 1) / sender_.mss());
    if (sent.octets > 0) tell_progress();
  }
  return true;
}

void Connection::send_ack(SeqNum sequence) {
  Packet packet = owner_.context.pool.allocate();
  if (!packet) {
    owner_.context.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
    return;
  }
  wire::TcpFlags flags;
  flags.ack = true;
  wire::TcpHeader header = make_header(sequence, flags);
  if (ecn_) ecn_->prepare(header.flags, false);
  if (negotiated_.sack && receiver_.has_sack_blocks()) {
    const std::size_t room = negotiated_.timestamps ? 3 : 4;  // RFC 2018 §3
    header.options.sack_count =
        static_cast<std::uint8_t>(receiver_.sack_blocks(std::span(header.options.sack_blocks).first(room)));
  }
  send_packet(std::move(packet), header);
  receiver_.ack_sent();
  clear_alarm(Alarm::kDelayedAck);
}

void Connection::send_syn(const std::optional<wire::FastOpenCookie>& cookie) {
  Packet packet = owner_.context.pool.allocate();
  if (!packet) {
    owner_.context.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
    return;
  }
  wire::TcpHeader header;
  header.source_port = tuple_.local.port;
  header.destination_port = tuple_.remote.port;
  header.sequence = iss_;
  header.flags.syn = true;
  header.window = static_cast<std::uint16_t>(
      std::min(first_receive_buffer(owner_.config, *options_), 0xffffU));  // never scaled (RFC 7323 §2.2)
  const bool answers = state_ == State::kSynReceived;
  if (answers) {
    set_syn_ack_flags(header.flags, negotiated_.ecn);
  } else {
    set_syn_flags(header.flags, ecn_to_request());
  }
  header.options = syn_options(owner_.config, *options_, receive_mss(*destination_, *options_), nullptr);
  if (answers) {
    header.flags.ack = true;
    header.acknowledgment = receiver_.nxt();
    header.window = static_cast<std::uint16_t>(std::min(receiver_.window(), 0xffffU));
    header.options.sack_permitted = negotiated_.sack;
    if (!negotiated_.window_scaling) header.options.window_scale.reset();
    if (!negotiated_.timestamps) header.options.timestamps.reset();
    header.options.fast_open = cookie;
  }
  if (header.options.timestamps)
    header.options.timestamps = wire::TcpTimestamps{timestamp_now(), answers ? receiver_.ts_recent() : 0};
  // RFC 7413 §4.2.2: who gets no answer tries without, as some middleboxes drop such SYNs.
  if (!answers && syn_retries_ == 0 && options_->fast_open_connect) add_fast_open(header, packet);
  send_packet(std::move(packet), header);
  opening_->syn_sent = owner_.context.now;
}

void Connection::send_reset() {
  Packet packet = owner_.context.pool.allocate();
  if (!packet) {
    owner_.context.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
    return;
  }
  wire::TcpFlags flags;
  flags.rst = true;
  flags.ack = true;
  wire::TcpHeader header = make_header(sender_.nxt(), flags);
  header.flags.urg = false;
  header.urgent_pointer = 0;
  owner_.context.count(Counter::kTcpOutRsts);
  send_packet(std::move(packet), header);
}

}  // namespace transom::tcp
