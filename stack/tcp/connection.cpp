#include "stack/tcp/connection.h"

#include <algorithm>
#include <utility>

namespace transom::tcp {

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

const CongestionFactory& Connection::congestion_factory() const {
  return options_->congestion_control != nullptr ? *options_->congestion_control
                                                 : owner_.congestion.standard();
}

std::unique_ptr<CongestionControl> Connection::new_congestion_control(std::uint64_t seed) const {
  return congestion_factory().make(
      {.initial_window = initial_window(sender_.mss(), syn_was_lost_), .seed = seed});
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
