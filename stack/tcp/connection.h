// One TCP connection (RFC 9293), from SYN-SENT or ESTABLISHED to CLOSED or TIME-WAIT.
//
// It is put together from a Sender, a Receiver and one timer, and from parts that it has only while it needs
// them (connection_parts.h). The code is in these files: connection.cpp (the user's calls and the state),
// connection_opening.cpp (the handshake, §3.10.7.3), connection_input.cpp (a segment arrives, §3.10.7.4),
// connection_output.cpp (what is sent), connection_timers.cpp, connection_icmp.cpp, connection_info.cpp,
// connection_fast_open.cpp (data in SYNs, RFC 7413).
//
// With fast open a passive connection begins in SYN-RECEIVED, as one of a simultaneous open does: the user
// has it already, reads what came with the SYN, and may send. What it sent is not sent again, and no probe is
// sent, before our SYN is acknowledged; the retransmission timer repeats the SYN-ACK until then.
//
// Half-open passive connections are records of the SYN queue and TIME-WAIT is a record too (see syn_queue.h
// and time_wait.h), so LISTEN and TIME-WAIT are never states of something in the connection table.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "stack/base/bytes.h"
#include "stack/base/readiness.h"
#include "stack/tcp/connection_owner.h"
#include "stack/tcp/connection_parts.h"
#include "stack/tcp/negotiation.h"
#include "stack/tcp/receiver.h"
#include "stack/tcp/segment.h"
#include "stack/tcp/send_buffer.h"
#include "stack/tcp/sender.h"
#include "stack/tcp/types.h"

namespace transom::tcp {

struct SendFlags {
  bool urgent = false;  // MSG_OOB: the last octet is urgent
  bool more = false;    // MSG_MORE: as if corked for this call
};

struct ReceiveFlags {
  bool peek = false;
};

// Who wants to know how far the octets of a connection have come.
class ProgressListener {
 public:
  // It may look at the connection's offsets and note something, and must not call anything else.
  virtual void on_progress() = 0;

 protected:
  ~ProgressListener() = default;
};

class Connection {
 public:
  // For the owner: a connection that will be opened actively, or one whose handshake a listener has finished.
  Connection(ConnectionOwner& owner, const FourTuple& tuple, ip::DestinationRef destination,
             const Options& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Sends the SYN, or lets it wait for data (Options::fast_open_connect). `hold`: the user's claim on the
  // port, if it made one.
  void open(PortHold hold, SeqNum iss);
  // ESTABLISHED at once: the final ACK of a passive open has arrived. `iss` is the number of our SYN.
  void establish_passively(SeqNum iss, SeqNum irs, const Negotiated& negotiated, const Segment& ack,
                           const SynAckHistory& history);

  // SYN-RECEIVED, with the data of the SYN readable: fast open. `queue` is told when the handshake ends.
  // `cookie`: for the client to use the next time.
  void open_fast(SeqNum iss, const Negotiated& negotiated, Segment& syn, std::shared_ptr<FastOpenQueue> queue,
                 const std::optional<wire::FastOpenCookie>& cookie);

  // RFC 9293 §3.10.7.3 and §3.10.7.4.
  void segment_arrives(Segment& segment);
  // True when the quoted segment is in flight (RFC 5927 §4.1) and the error was used.
  bool icmp_error(const ip::IcmpError& error);
  // Sends what is due.
  void output();

  // --- the user's side

  State state() const { return state_; }
  // Its SYN will go out with the first data that is sent, or with an empty send().
  bool waits_for_data() const { return syn_waits_; }
  const FourTuple& tuple() const { return tuple_; }
  Info info() const;

  // Copies what fits into the send queue (into the SYN, if that waits for data) and sends what may be sent.
  // kWouldBlock when nothing fits,
  // kNotConnected before and kBrokenPipe after; a pending error is returned once, first.
  Result<std::size_t> send(std::span<const Bytes> pieces, SendFlags flags = {});
  // The same without a copy, of octets in a buffer of the pool: what is taken leaves the front of `octets`.
  // Who holds another reference to them must not change them any more. Short slices are copied all the same,
  // and so is what goes into a SYN.
  Result<std::size_t> send(Slice& octets, SendFlags flags = {});

  // Moves received octets, in order, to `out`; stops at the urgent mark. 0 at the end of the stream.
  // kWouldBlock when there is nothing yet, kNotConnected before the handshake; a pending error is returned
  // once, after the data, unless the peer's FIN was before it: then the stream has ended, as in Linux.
  Result<std::size_t> receive(MutableBytes out, ReceiveFlags flags = {});
  // The same without a copy: moves up to `limit` (at least 1) of the octets themselves behind `out`. They
  // take room in the receive buffer, and so in the window, until the user says that it has let go of so many.
  Result<std::size_t> receive(std::vector<Slice>& out, std::size_t limit);
  void release(std::size_t octets);
  // The urgent octet, when it is not in line (MSG_OOB). kInvalidArgument when there is none, kWouldBlock when
  // it has not arrived.
  Result<std::uint8_t> receive_urgent(ReceiveFlags flags = {});
  bool at_urgent_mark() const { return receiver_.at_urgent_mark(); }  // SIOCATMARK
  std::size_t readable_octets() const { return receiver_.readable(options_->out_of_band_inline); }  // SIOCINQ
  std::size_t unsent_octets() const { return sender_.unsent(); }         // SIOCOUTQNSD
  std::size_t unacked_octets() const { return sender_.queue().size(); }  // SIOCOUTQ

  void shutdown_send();  // FIN after what is queued
  // As Linux: a receive gives what is there, now or later, and then the end of the stream instead of waiting.
  // Data that comes after our FIN resets the connection.
  void shutdown_receive();
  // The user lets go: FIN after what is queued, or a reset when octets were left unread (RFC 9293 §3.6.1) or
  // with linger 0. The pointer is invalid afterwards; the stack finishes the connection by itself.
  void close();
  void abort();  // reset now, and let go

  std::uint32_t send_buffer() const { return send_buffer_.size(); }    // octets, at present
  std::uint32_t receive_buffer() const { return receiver_.buffer(); }  // the same

  const Options& options() const { return *options_; }
  void set_options(const Options& options);
  Error take_error() { return std::exchange(error_, Error::kNone); }  // the pending error, once (SO_ERROR)
  Readiness readiness() const;
  // Whoever is told of the errors that ICMP reports about it; nullptr: nobody. Outlives the connection, or is
  // taken away before.
  void set_error_listener(ip::IcmpErrorListener* listener) {
    if (listener != nullptr || rarities_) rarities().error_listener = listener;
  }
  // Is told when data has been handed down for the first time or was acknowledged; as above.
  void set_progress_listener(ProgressListener* listener) {
    if (listener != nullptr || rarities_) rarities().progress_listener = listener;
  }
  std::uint64_t sent_offset() const;  // octets of the stream that have been handed down at least once
  std::uint64_t acknowledged_offset() const;
  std::uint64_t queued_offset() const { return acknowledged_offset() + sender_.queue().size(); }
  Instant last_data_received() const { return last_data_received_; }
  // The headers of the SYN that it was accepted for, from the IP header on (TCP_SAVE_SYN).
  std::span<const std::uint8_t> saved_syn() const {
    return rarities_ ? std::span<const std::uint8_t>(rarities_->saved_syn) : std::span<const std::uint8_t>();
  }
  void save_syn(std::vector<std::uint8_t> headers) { rarities().saved_syn = std::move(headers); }
  void set_listener(ReadinessListener* listener) { listener_ = listener; }

  // --- for the owner's bookkeeping
  Connection* next_pending = nullptr;
  bool output_pending = false;  // is in the owner's list
  SeqNum send_next() const { return sender_.nxt(); }
  SeqNum receive_next() const { return receiver_.nxt(); }
  std::uint32_t ts_recent() const { return receiver_.ts_recent(); }
  std::uint32_t timestamp_now() const;
  bool uses_timestamps() const { return negotiated_.timestamps; }
  bool is_orphan() const { return is_orphan_; }
  const ip::DestinationRef& destination() const { return destination_; }
  std::uint16_t last_window() const;

 private:
  // --- connection.cpp
  void set_state(State state, Reason reason);
  void begin_traffic();
  void start_receive_tuning();
  void begin_sending();
  std::unique_ptr<CongestionControl> new_congestion_control(std::uint64_t seed) const;
  const CongestionFactory& congestion_factory() const;
  void finish(Error error, Reason reason);  // to CLOSED
  void begin_time_wait();
  void notify() {
    if (listener_ != nullptr) listener_->on_readiness();
  }
  void notify_input() {
    if (listener_ != nullptr) listener_->on_input();
  }
  void notify_room() {
    if (listener_ != nullptr) listener_->on_room();
  }
  bool is_synchronised() const { return state_ != State::kClosed && state_ != State::kSynSent; }
  bool may_send_data() const {
    return state_ == State::kEstablished || state_ == State::kCloseWait || state_ == State::kFinWait1 ||
           state_ == State::kLastAck || state_ == State::kClosing || may_send_before_handshake();
  }
  // The user must wait for the handshake.
  bool is_connecting() const {
    return state_ == State::kSynSent || (state_ == State::kSynReceived && !is_half_open_fast());
  }
  void after_fin_queued();
  std::size_t send_room() const;
  Result<void> start_send();
  Result<std::size_t> finish_send(std::size_t taken, std::size_t wanted, SendFlags flags);
  void after_read(std::size_t octets);
  void update_window();
  Result<std::size_t> nothing_to_read(bool asks_for_nothing);
  void tune_receive_buffer(std::size_t octets_read);
  std::uint32_t within_clamp(std::uint32_t buffer) const {
    return options_->window_clamp != 0 ? std::min(buffer, options_->window_clamp) : buffer;
  }
  // An orphan has nothing left to do but to wait for the peer's FIN.
  void wait_for_fin();
  void tell_progress() const {
    if (rarities_ && rarities_->progress_listener != nullptr) rarities_->progress_listener->on_progress();
  }

  // --- connection_opening.cpp
  void send_first_syn();
  EcnKind ecn_to_request() const;  // by our SYN
  void arrives_in_syn_sent(Segment& segment);
  bool check_ack_in_syn_received(const Segment& segment);
  void start_receiver(SeqNum irs, std::uint8_t scale);
  // `syn_ack`: the flags of the peer's, for an active open.
  void establish(const Negotiated& negotiated, bool syn_was_retransmitted,
                 const wire::TcpFlags& syn_ack = {});
  void begin_transfer(const Negotiated& negotiated, bool syn_was_retransmitted,
                      const wire::TcpFlags& syn_ack);
  void enter_established();
  void end_opening();

  // --- connection_input.cpp: one function per check of RFC 9293 §3.10.7
  bool check_timestamps(const Segment& segment);
  bool check_sequence(const Segment& segment);
  void on_reset(const Segment& segment);
  bool check_syn(Segment& segment);
  bool check_ack(const Segment& segment);
  void take_acknowledgment(const Segment& segment);
  void advance_after_fin_acknowledged();
  void check_urgent(const Segment& segment);
  void process_text(Segment& segment);
  void measure_arrival(const Segment& segment);
  void on_fin();
  void drop_with_ack(const Segment& segment, DropReason reason);
  void send_challenge_ack(DropReason reason);
  std::uint32_t scaled_window(const Segment& segment) const;

  // --- connection_output.cpp
  void want_output();
  SendPolicy send_policy();
  void refresh_mss();
  std::uint32_t header_octets() const;  // of IP and TCP, with the options of every segment
  std::uint32_t max_super_segment() const;
  wire::TcpHeader make_header(SeqNum sequence, wire::TcpFlags flags);
  bool send_packet(Packet packet, const wire::TcpHeader& header, EcnMark mark = EcnMark::kNotCapable);
  bool transmit(const Transmission& transmission);
  void send_syn(const std::optional<wire::FastOpenCookie>& cookie = std::nullopt);
  void send_ack(SeqNum sequence);
  void send_ack() { send_ack(sender_.nxt()); }
  void send_reset();

  // --- connection_info.cpp
  void describe_sender(Info& info) const;
  void describe_flow(Info& info) const;
  void describe_congestion_control(const CongestionControl& congestion, Info& info) const;
  void describe_traffic(Info& info) const;
  void describe_receiver(Info& info) const;

  // --- connection_fast_open.cpp
  bool is_half_open_fast() const { return opening_ && opening_->fast_open_queue != nullptr; }
  // Once a SYN-ACK is overdue, more data would most likely be lost like it.
  bool may_send_before_handshake() const { return is_half_open_fast() && syn_retries_ == 0; }
  bool may_open_fast() const;
  bool needs_no_cookie() const;
  std::uint32_t syn_room() const;
  Result<std::size_t> send_with_syn(std::span<const Bytes> pieces);
  void add_fast_open(wire::TcpHeader& syn, Packet& packet);
  bool acknowledges_syn(SeqNum ack) const;
  void conclude_fast_open(const Segment& syn_ack);
  void settle_syn_data(SeqNum ack);
  void on_syn_timeout();
  void finish_handshake_of_fast_open(const Segment& ack);
  void leave_fast_open_queue(bool by_reset);
  void tell_fast_open(Reason reason, std::uint32_t octets = 0) const {
    trace_.tell<TcpFastOpenEvent>(reason, octets);
  }

  // --- connection_timers.cpp
  static Reason reason_of(Alarm alarm);
  void on_timer();
  void set_alarm(Alarm alarm, Instant deadline);
  void clear_alarm(Alarm alarm) {
    if (alarms_) alarms_->deadline(alarm) = kNever;
  }
  void clear_all_alarms() { alarms_.reset(); }
  Instant deadline(Alarm alarm) const { return alarms_ ? alarms_->deadline(alarm) : kNever; }
  bool is_set(Alarm alarm) const { return deadline(alarm) != kNever; }
  void no_more_trouble() {
    if (alarms_) alarms_->trouble_since = kNever;
  }
  void on_retransmission_timeout();
  void on_persist_timeout();
  void on_keep_alive();
  void update_alarms_after_output(std::optional<SendLimit> limit);
  Limited limited_by(SendLimit limit) const;
  void restart_keep_alive();
  bool has_given_up(Instant since) const;
  void give_up() { finish(soft_error_ != Error::kNone ? soft_error_ : Error::kTimedOut, Reason::kGaveUp); }

  Rarities& rarities() {
    if (!rarities_) rarities_ = std::make_unique<Rarities>();
    return *rarities_;
  }

  State state_ = State::kClosed;
  Error error_ = Error::kNone;
  Error soft_error_ = Error::kNone;  // what ICMP has said since the last progress (RFC 9293 MUST-47)
  bool is_passive_ = false;
  bool is_orphan_ = false;  // the user has let go
  bool receive_shut_ = false;
  bool override_limits_ = false;  // the persist timer has fired: send what there is
  bool send_more_ = false;        // the last send() said MSG_MORE
  bool writer_waits_ = false;     // the last send() did not take everything
  bool syn_waits_ = false;        // for data
  bool syn_asked_ = false;        // our SYN had the fast-open option, or data
  bool syn_data_ = false;         // data in a SYN was acknowledged
  bool syn_was_lost_ = false;     // or its answer
  bool is_fast_open_child_ = false;
  FastOpenFailure fast_open_failure_{};
  std::uint8_t syn_retries_ = 0;
  std::uint8_t probes_ = 0;  // keep-alive or window probes without an answer
  std::uint8_t persist_backoff_ = 0;
  std::uint16_t link_mtu_ = 0;  // path MTU at the last look

  ConnectionOwner& owner_;
  FourTuple tuple_;
  Trace trace_;
  ip::DestinationRef destination_;
  SharedOptions options_;
  ReadinessListener* listener_ = nullptr;
  std::uint32_t segment_limit_ = UINT32_MAX;  // of the sender, at the last look
  SeqNum iss_;
  std::uint32_t timestamp_offset_ = 0;
  std::uint32_t flow_label_ = 0;
  Negotiated negotiated_;
  SendBuffer send_buffer_;
  Sender sender_;
  Receiver receiver_;
  std::unique_ptr<Ecn> ecn_;        // if it was agreed on
  std::uint64_t output_cause_ = 0;  // of the output() that is pending
  Instant last_sent_{};
  Instant last_received_{};
  Instant last_data_received_{};                      // the handshake before there is any
  std::uint64_t segments_out_ = 0, segments_in_ = 0;  // each of a super-segment

  std::unique_ptr<Opening> opening_;
  std::unique_ptr<Alarms> alarms_;
  std::unique_ptr<Traffic> traffic_;
  std::unique_ptr<Rarities> rarities_;
};

}  // namespace transom::tcp
