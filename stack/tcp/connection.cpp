#include "stack/tcp/connection.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace transom::tcp {

// ---------------------------------------------------------------- what SYNs agree on

namespace {
constexpr std::uint8_t kMaxShift = 14;      // RFC 7323 §2.3
constexpr std::uint16_t kMinPeerMss = 216;  // smaller offers only serve attacks (CVE-2019-11479)
}  // namespace

Negotiated negotiate(const wire::TcpOptions& peer, const wire::TcpOptions& ours, IpFamily family) {
  Negotiated negotiated;
  const std::uint16_t without_option = family == IpFamily::kIpv4 ? 536 : 1220;  // RFC 9293 MUST-15
  negotiated.peer_mss = std::max(peer.maximum_segment_size.value_or(without_option), kMinPeerMss);
  if (peer.window_scale && ours.window_scale) {
    negotiated.window_scaling = true;
    negotiated.send_scale = std::min(*peer.window_scale, kMaxShift);
    negotiated.receive_scale = *ours.window_scale;
  }
  if (peer.timestamps && ours.timestamps) {
    negotiated.timestamps = true;
    negotiated.ts_recent = peer.timestamps->value;
  }
  negotiated.sack = peer.sack_permitted && ours.sack_permitted;
  return negotiated;
}

Negotiated answer_to(const ConnectionOwner& owner, const Options& options, const Segment& syn,
                     std::uint16_t mss) {
  Negotiated negotiated = negotiate(syn.header.options, syn_options(owner.config, options, mss, nullptr),
                                    syn.received.source.family());
  const CongestionFactory* const chosen = options.congestion_control;
  const EcnUse use = (chosen != nullptr ? *chosen : owner.congestion.standard()).ecn;
  negotiated.ecn = {ecn_to_agree(owner.config.ecn, use, syn.header.flags),
                    ecn_mark_of(syn.received.traffic_class)};
  return negotiated;
}

wire::TcpOptions syn_options(const Config& config, const Options& options, std::uint16_t mss,
                             const wire::TcpOptions* answering) {
  wire::TcpOptions result;
  result.maximum_segment_size = mss;
  result.sack_permitted = config.sack && (answering == nullptr || answering->sack_permitted);
  if (config.timestamps && (answering == nullptr || answering->timestamps))
    result.timestamps = wire::TcpTimestamps{};
  if (config.window_scaling && (answering == nullptr || answering->window_scale)) {
    result.window_scale = window_shift_for(largest_receive_buffer(config, options));
  }
  return result;
}

std::uint32_t first_receive_buffer(const Config& config, const Options& options) {
  return options.receive_buffer != 0 ? options.receive_buffer : config.receive_buffer.initial;
}

std::uint32_t largest_receive_buffer(const Config& config, const Options& options) {
  return options.receive_buffer != 0 ? options.receive_buffer : config.receive_buffer.max;
}

std::uint8_t window_shift_for(std::uint32_t buffer) {
  const auto bits = static_cast<int>(std::bit_width(buffer >> 16));
  return static_cast<std::uint8_t>(std::min<int>(bits, kMaxShift));
}

std::uint16_t receive_mss(const ip::Destination& destination, const Options& options) {
  const std::uint32_t headers = (destination.address.is_v4() ? 20U : 40U) + wire::TcpHeader::kMinSize;
  const std::uint32_t mtu = std::min(destination.interface->mtu(), 65535U);
  std::uint32_t mss = mtu > headers ? mtu - headers : kMinPeerMss;
  if (options.max_segment != 0) mss = std::min<std::uint32_t>(mss, options.max_segment);
  return static_cast<std::uint16_t>(mss);
}

SharedOptions ConnectionOwner::share(const Options& options) {
  if (*latest_options_ != options) latest_options_ = SharedOptions(options);
  return latest_options_;
}

// ---------------------------------------------------------------- life and state

Connection::Connection(ConnectionOwner& owner, const FourTuple& tuple, ip::DestinationRef destination,
                       const Options& options)
    : owner_(owner),
      tuple_(tuple),
      trace_(owner.context, tuple_),
      destination_(std::move(destination)),
      options_(owner.share(options)),
      timestamp_offset_(owner.secrets.timestamp_offset(tuple)),
      flow_label_(tuple.remote.address.is_v6() ? owner.secrets.flow_label(tuple) : 0),
      sender_(owner.config.min_rto, &trace_) {
  send_buffer_.configure(options_->send_buffer, owner_.config.send_buffer, owner_.context.pool.is_scarce());
}

Connection::~Connection() = default;

void Connection::set_state(State state, Reason reason) {
  if (state == state_) return;
  trace_.tell<TcpStateEvent>(to_string(state_), to_string(state), reason);
  state_ = state;
}

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

const CongestionFactory& Connection::congestion_factory() const {
  return options_->congestion_control != nullptr ? *options_->congestion_control
                                                 : owner_.congestion.standard();
}

EcnKind Connection::ecn_to_request() const {
  // RFC 3168 §6.1.1.1: who gets no answer tries without, as some middleboxes drop such SYNs.
  if (syn_retries_ > 0) return EcnKind::kNone;
  return tcp::ecn_to_request(owner_.config.ecn, congestion_factory().ecn);
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

std::unique_ptr<CongestionControl> Connection::new_congestion_control(std::uint64_t seed) const {
  return congestion_factory().make(
      {.initial_window = initial_window(sender_.mss(), syn_was_lost_), .seed = seed});
}

// The handshake is done.
void Connection::end_opening() {
  opening_.reset();
  no_more_trouble();
  if (alarms_ && alarms_->first() == kNever) clear_all_alarms();
}

// The first data comes or goes.
void Connection::begin_traffic() {
  if (traffic_) return;
  traffic_ = std::make_unique<Traffic>();
  traffic_->limited.start(owner_.context.now);
  traffic_->last_sent = traffic_->last_ack_received = owner_.context.now;
  start_receive_tuning();
}

void Connection::start_receive_tuning() {
  const std::uint32_t first_flight = static_cast<std::uint32_t>(initial_window(sender_.mss(), false));
  traffic_->receive_tuning.start(receiver_.nxt(), receiver_.window(),
                                 std::min(receiver_.buffer(), first_flight), sender_.rtt().srtt(),
                                 owner_.context.now);
}

// Data or a FIN is queued for the first time.
void Connection::begin_sending() {
  if (sender_.has_begun()) return;
  begin_traffic();
  sender_.begin();
  if (!is_connecting()) sender_.set_congestion_control(new_congestion_control(owner_.context.random.next()));
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

void Connection::start_receiver(SeqNum irs, std::uint8_t scale) {
  const bool starts_small = options_->receive_buffer == 0 && owner_.context.pool.is_scarce();
  receiver_.start(irs, scale,
                  within_clamp(starts_small ? owner_.config.receive_buffer.min
                                            : first_receive_buffer(owner_.config, *options_)),
                  receive_mss(*destination_, *options_));
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

void Connection::finish(Error error, Reason reason) {
  if (error != Error::kNone) error_ = error;
  if (is_half_open_fast()) leave_fast_open_queue(false);
  syn_waits_ = false;
  opening_.reset();
  clear_all_alarms();
  sender_.clear_queue();
  const bool was_time_wait = state_ == State::kTimeWait;
  set_state(State::kClosed, reason);
  if (!was_time_wait) owner_.has_ended(*this);
  if (rarities_) rarities_->hold = PortHold();
  notify();
  if (is_orphan_) owner_.is_abandoned(*this);
}

void Connection::begin_time_wait() {
  clear_all_alarms();
  // The acknowledgment of the peer's FIN goes out before the numbers are handed over.
  if (receiver_.ack_need() != Receiver::AckNeed::kNone) send_ack();
  owner_.enters_time_wait(*this);
  set_state(State::kTimeWait, Reason::kSegment);
  sender_.clear_queue();
  notify();
  if (is_orphan_) owner_.is_abandoned(*this);
}

// ---------------------------------------------------------------- the user's calls

Result<std::size_t> Connection::send(std::span<const Bytes> pieces, SendFlags flags) {
  if (syn_waits_ && error_ == Error::kNone) return send_with_syn(pieces);
  if (const auto started = start_send(); !started) return std::unexpected(started.error());
  std::size_t taken = 0;
  for (const Bytes& piece : pieces) {
    const Bytes part = piece.first(std::min(piece.size(), send_room()));
    const std::size_t here = sender_.append(owner_.context.pool, part);
    taken += here;
    if (here < piece.size()) break;
  }
  std::size_t wanted = 0;
  for (const Bytes& piece : pieces) wanted += piece.size();
  return finish_send(taken, wanted, flags);
}

Result<std::size_t> Connection::send(Slice& octets, SendFlags flags) {
  if (syn_waits_) {
    const Bytes bytes = octets.bytes();
    const auto taken = send({&bytes, 1}, flags);
    if (taken) octets.trim_front(*taken);
    return taken;
  }
  if (const auto started = start_send(); !started) return std::unexpected(started.error());
  const std::size_t wanted = octets.size();
  const std::size_t taken = std::min(wanted, send_room());
  if (taken == wanted) {
    sender_.append(owner_.context.pool, std::exchange(octets, Slice()));
  } else if (taken > 0) {
    sender_.append(owner_.context.pool, octets.subslice(0, taken));
    octets.trim_front(taken);
  }
  return finish_send(taken, wanted, flags);
}

// What is checked before anything is queued.
Result<void> Connection::start_send() {
  if (error_ != Error::kNone) return std::unexpected(take_error());
  if (is_connecting()) return std::unexpected(Error::kWouldBlock);
  if (!is_synchronised() || sender_.fin_queued() || state_ == State::kTimeWait)
    return std::unexpected(Error::kBrokenPipe);
  begin_sending();
  return {};
}

Result<std::size_t> Connection::finish_send(std::size_t taken, std::size_t wanted, SendFlags flags) {
  writer_waits_ = taken < wanted;
  if (taken == 0 && wanted > 0) return std::unexpected(Error::kWouldBlock);
  if (flags.urgent && taken == wanted && taken > 0) sender_.mark_urgent();
  send_more_ = flags.more;
  want_output();
  return taken;
}

// How many octets the user may write now.
std::size_t Connection::send_room() const {
  const std::size_t queued = sender_.queue().size();
  const std::size_t unsent = sender_.unsent();
  const std::size_t buffer = send_buffer_.size() > queued ? send_buffer_.size() - queued : 0;
  const std::size_t low_water =
      options_->not_sent_low_water > unsent ? options_->not_sent_low_water - unsent : 0;
  return std::min(buffer, low_water);
}

Result<std::size_t> Connection::receive(MutableBytes out, ReceiveFlags flags) {
  const std::size_t taken = receiver_.read(out, flags.peek, options_->out_of_band_inline);
  if (taken == 0) return nothing_to_read(out.empty());
  if (!flags.peek) after_read(taken);
  return taken;
}

Result<std::size_t> Connection::receive(std::vector<Slice>& out, std::size_t limit) {
  const std::size_t taken = receiver_.take(out, limit, options_->out_of_band_inline);
  if (taken == 0) return nothing_to_read(false);
  after_read(taken);
  return taken;
}

void Connection::release(std::size_t octets) {
  receiver_.release(static_cast<std::uint32_t>(octets));
  update_window();
}

void Connection::after_read(std::size_t octets) {
  tune_receive_buffer(octets);
  update_window();
}

void Connection::update_window() {
  if (!is_synchronised() || !receiver_.window_update_due()) return;
  receiver_.need_ack(Receiver::AckNeed::kNow);
  want_output();
}

Result<std::size_t> Connection::nothing_to_read(bool asks_for_nothing) {
  if (receiver_.fin_received()) return 0;
  if (error_ != Error::kNone) return std::unexpected(take_error());
  if (receive_shut_ || state_ == State::kClosed || state_ == State::kTimeWait) return 0;
  if (asks_for_nothing && receiver_.readable() > 0) return 0;
  return std::unexpected(Error::kWouldBlock);
}

void Connection::tune_receive_buffer(std::size_t octets_read) {
  const auto wanted = traffic_->receive_tuning.on_read(static_cast<std::uint32_t>(octets_read),
                                                       receiver_.peer_segment(), owner_.context.now);
  if (!wanted || options_->receive_buffer != 0 || owner_.context.pool.is_scarce()) return;
  receiver_.set_buffer(
      within_clamp(std::max(receiver_.buffer(), std::min(*wanted, owner_.config.receive_buffer.max))));
}

Result<std::uint8_t> Connection::receive_urgent(ReceiveFlags flags) {
  if (state_ == State::kSynSent) return std::unexpected(Error::kNotConnected);
  return receiver_.read_urgent(flags.peek, options_->out_of_band_inline);
}

void Connection::after_fin_queued() {
  switch (state_) {  // RFC 9293 §3.10.4, CLOSE call
    case State::kEstablished:
      set_state(State::kFinWait1, Reason::kUser);
      break;
    case State::kCloseWait:
      set_state(State::kLastAck, Reason::kUser);
      break;
    default:
      break;  // SYN-RECEIVED: the state changes once it is ESTABLISHED
  }
  want_output();
}

void Connection::shutdown_send() {
  if (sender_.fin_queued() || !is_synchronised() || state_ == State::kTimeWait) return;
  begin_sending();
  sender_.queue_fin();
  after_fin_queued();
}

void Connection::shutdown_receive() {
  receive_shut_ = true;
  notify();
}

void Connection::close() {
  listener_ = nullptr;
  is_orphan_ = true;
  if (state_ == State::kClosed || state_ == State::kTimeWait) {
    owner_.is_abandoned(*this);
    return;
  }
  if (state_ == State::kSynSent) {
    finish(Error::kNone, Reason::kUser);
    return;
  }
  const bool unread = receiver_.readable() > 0;
  if (unread || options_->linger == 0) {  // RFC 9293 §3.6.1, RFC 2525 §2.17; SO_LINGER 0
    owner_.context.count(unread ? Counter::kTcpExtTCPAbortOnClose : Counter::kTcpExtTCPAbortOnLinger);
    send_reset();
    finish(Error::kNone, Reason::kUser);
    return;
  }
  shutdown_send();
  if (state_ == State::kFinWait2) wait_for_fin();
}

void Connection::wait_for_fin() {
  if (options_->fin_wait_2 < 0) {
    owner_.context.count(Counter::kTcpExtTCPAbortOnLinger);
    send_reset();
    return finish(Error::kNone, Reason::kUser);
  }
  const Duration limit = options_->fin_wait_2 > 0 ? Duration(std::chrono::seconds(options_->fin_wait_2))
                                                  : owner_.config.fin_wait_2_timeout;
  set_alarm(Alarm::kKeepAlive, owner_.context.now + limit);
}

void Connection::abort() {
  listener_ = nullptr;
  is_orphan_ = true;
  if (state_ == State::kClosed || state_ == State::kTimeWait) {
    owner_.is_abandoned(*this);
    return;
  }
  if (state_ != State::kSynSent) send_reset();  // RFC 9293 §3.10.5
  finish(Error::kNone, Reason::kUser);
}

void Connection::set_options(const Options& options) {
  const SharedOptions before = std::exchange(options_, owner_.share(options));
  const Options& old = *before;
  if (options_->receive_buffer != 0) receiver_.set_buffer(within_clamp(options_->receive_buffer));
  if (options_->window_clamp != 0 && is_synchronised())
    receiver_.set_buffer(within_clamp(receiver_.buffer()));
  send_buffer_.configure(options_->send_buffer, owner_.config.send_buffer, owner_.context.pool.is_scarce());
  if (!is_synchronised() || state_ == State::kTimeWait) return;
  if (options_->keep_alive != old.keep_alive || options_->keep_idle != old.keep_idle ||
      options_->keep_interval != old.keep_interval) {
    restart_keep_alive();
  }
  if (options_->max_segment != old.max_segment) link_mtu_ = 0;
  if (options_->congestion_control != old.congestion_control && sender_.has_begun())
    sender_.set_congestion_control(
        congestion_factory().make({.initial_window = sender_.cwnd(), .seed = owner_.context.random.next()}));
  if (options_->quick_ack && !old.quick_ack && receiver_.ack_need() == Receiver::AckNeed::kDelayed) {
    receiver_.need_ack(Receiver::AckNeed::kNow);
  }
  want_output();
}

Readiness Connection::readiness() const {
  const bool over = state_ == State::kClosed || state_ == State::kTimeWait;
  const bool read_ended = receive_shut_ || receiver_.fin_received() || over;
  const bool write_ended = sender_.fin_queued() || over;
  const bool connecting = is_connecting() && !syn_waits_;
  Readiness ready;
  ready.error = error_ != Error::kNone;
  ready.readable = readable_octets() > 0 || read_ended || ready.error;
  // A third of the buffer must be free before a blocked writer is worth waking.
  const std::size_t queued = sender_.queue().size();
  const std::size_t buffer = send_buffer_.size();
  ready.writable =
      !connecting && (write_ended || ready.error || (queued + buffer / 3 <= buffer && send_room() > 0));
  ready.priority = receiver_.has_urgent();
  ready.read_hang_up = read_ended;
  ready.hang_up = over || (read_ended && write_ended);
  return ready;
}

std::uint64_t Connection::sent_offset() const {
  return traffic_ ? traffic_->bytes_sent - traffic_->bytes_retransmitted : 0;
}
std::uint64_t Connection::acknowledged_offset() const { return traffic_ ? traffic_->bytes_acked : 0; }

std::uint32_t Connection::timestamp_now() const {
  return timestamp_ticks(owner_.context.now) + timestamp_offset_;
}

std::uint16_t Connection::last_window() const {
  return static_cast<std::uint16_t>(std::min(receiver_.window() >> negotiated_.receive_scale, 0xffffU));
}

}  // namespace transom::tcp
