// The sending half of a connection: what may be sent now, and what an acknowledgment changes (RFC 9293 §3.8,
// RFC 5681, 6582, 6675, 8985, 9937).
//
//            una            nxt                  una + window
//   acked     |  in flight   |   may be sent      |   not yet
//   ----------|==============|--------------------|-----------
//             |<------------- queue: what the user wrote ----------- ... FIN
//
// It knows sequence numbers, windows and losses; it knows nothing of packets, states or timers. poll() says
// either what to send next or what limits it; the caller sends that and reports transmitted(). The code is in
// two files: sender.cpp (what to send), sender_input.cpp (acknowledgments and recovery).
//
// Most connections of a large server are idle, and many only receive: until begin() a Sender is a few numbers
// and sends nothing; the rest of it, its Flow, is made then.
#pragma once

#include <expected>
#include <memory>
#include <optional>

#include "stack/base/seq_num.h"
#include "stack/tcp/congestion/congestion_control.h"
#include "stack/tcp/delivery_rate.h"
#include "stack/tcp/pacer.h"
#include "stack/tcp/path_mtu_search.h"
#include "stack/tcp/prr.h"
#include "stack/tcp/rack.h"
#include "stack/tcp/rtt_estimator.h"
#include "stack/tcp/scoreboard.h"
#include "stack/tcp/send_queue.h"
#include "stack/tcp/spurious_recovery.h"
#include "stack/tcp/trace.h"
#include "stack/tcp/window_validation.h"

namespace transom::tcp {

// Why nothing is sent.
enum class SendLimit : std::uint8_t {
  kNothingToSend,  // the application
  kWindow,         // the peer's window
  kCongestion,     // the congestion window
  kNagle,          // a small segment is on its way already (RFC 9293 §3.7.4)
  kCorked,         // the user asked to wait for a full segment
  kSillyWindow,    // the window is too small to be worth it (RFC 9293 §3.8.6.2.1)
  kPacing,         // the pacing rate: pacing_deadline() says until when
};

struct Transmission {
  SeqNum begin;
  std::uint32_t octets = 0;  // of payload
  bool fin = false;
  bool push = false;
  bool retransmission = false;
  bool probe = false;       // a tail loss probe (RFC 8985 §7)
  bool path_probe = false;  // one segment, longer than the MSS (RFC 4821)

  std::uint32_t length() const { return octets + (fin ? 1U : 0U); }
};

// How the user wants small segments treated.
struct SendPolicy {
  Instant now{};
  bool no_delay = false;
  bool cork = false;
  bool override_limits = false;       // the override timer has fired: a small segment is better than none
  bool writer_waits = false;          // for room in the send buffer
  std::uint64_t max_pacing_rate = 0;  // octets per second; 0: as the congestion control wants
  std::uint32_t max_octets = 0;  // payload of one transmission, at least one MSS: the largest super-segment
};

// An acceptable acknowledgment, as far as the sender is concerned.
struct Acknowledgment {
  SeqNum ack;
  std::span<const wire::SackBlock> sacks{};
  bool may_be_duplicate = false;            // no payload, no SYN or FIN, same window (RFC 5681 §2)
  std::optional<Duration> timestamp_rtt{};  // from the echoed timestamp
  std::uint32_t marked_segments = 0;        // with congestion marks; UINT32_MAX: all that it acknowledges
  std::optional<Instant> echoed_before{};   // what carried that timestamp was sent before this
};

class Sender {
 public:
  // What it has met with.
  struct Experience {
    std::uint64_t delivered_marked = 0;     // octets that arrived with a congestion mark
    std::uint32_t duplicates_reported = 0;  // D-SACKs
    std::uint32_t reorderings = 0;
    std::uint32_t timeouts = 0;
    std::uint32_t timeout_recoveries = 0;
    Duration timeout_recovery_time{};  // of those that are over
  };

  // `trace`: where decisions are told; may be absent.
  explicit Sender(Duration min_rto, const Trace* trace = nullptr) : trace_(trace), rtt_(min_rto) {}

  // --- the handshake
  void set_initial_sequence(SeqNum iss) { una_ = nxt_ = iss; }
  void syn_sent() { nxt_ = una_ + 1; }
  void syn_acknowledged() { una_ = nxt_; }
  // From now on data may flow. `sack`: both ends agreed to report selectively.
  void establish(std::uint32_t mss, bool sack);

  // `octets` of data went with our SYN, and `acked` of them were acknowledged with it. The peer has not taken
  // the rest, which is no sign of congestion.
  void take_over_syn_data(std::uint32_t octets, std::uint32_t acked, Instant sent);

  // Something is going to be queued for the first time. A congestion control is set then, or, before the
  // handshake is done, with it.
  void begin();
  bool has_begun() const { return flow_ != nullptr; }
  // At first or in the middle of a connection; a recovery that goes on ends by the rules of the new one.
  void set_congestion_control(std::unique_ptr<CongestionControl> congestion_control) {
    flow_->congestion = std::move(congestion_control);
  }

  // --- the user's side
  const SendQueue& queue() const { return flow_ ? flow_->queue : kNothingQueued; }
  // Copies octets to the end. Returns how many; fewer only when the pool is exhausted.
  std::size_t append(BufferPool& pool, Bytes octets) { return flow_->queue.append(pool, octets); }
  void append(BufferPool& pool, Slice octets) { flow_->queue.append(pool, std::move(octets)); }
  // Puts payload from `sequence` on behind `packet`. Returns how many octets fitted its slices.
  std::uint32_t attach(Packet& packet, SeqNum sequence, std::uint32_t octets) {
    return static_cast<std::uint32_t>(flow_->queue.attach(packet, octets_between(una_, sequence), octets));
  }
  void clear_queue() {
    if (flow_) flow_->queue.clear();
  }
  void queue_fin() { fin_queued_ = true; }
  bool fin_queued() const { return fin_queued_; }
  bool fin_sent() const { return fin_sent_; }
  bool fin_acknowledged() const { return fin_sent_ && una_ == nxt_; }

  // --- sending
  std::expected<Transmission, SendLimit> poll(SendPolicy policy);
  // Octets per second; 0: not paced.
  std::uint64_t pacing_rate() const { return flow_ ? flow_->pacing_rate : 0; }
  Instant pacing_deadline() const { return flow_->pacer.next(); }  // after SendLimit::kPacing
  void transmitted(const Transmission& transmission, Instant now);

  // --- the peer's side
  // What the acknowledgment of something outstanding, or a duplicate, changes. True when una moved.
  bool acknowledge(const Acknowledgment& acknowledgment, Instant now);
  // RFC 9293 §3.10.7.4, fifth check: only from a segment that is not older than the last update. `window` is
  // unscaled to octets. True when the window changed.
  bool update_window(SeqNum sequence, SeqNum ack, std::uint32_t window);
  void set_window(SeqNum sequence, SeqNum ack, std::uint32_t window);

  // --- timers
  void on_retransmission_timeout(Instant now);
  // When on_loss_detection_alarm() wants to be called, before any retransmission timeout; kNever for not at
  // all.
  Instant loss_detection_deadline() const { return flow_ ? flow_->loss_deadline : kNever; }
  // That alarm is for a tail loss probe, which comes instead of a retransmission timeout that would be
  // earlier (RFC 8985 §7.2).
  bool awaits_probe() const {
    return loss_detection_deadline() != kNever && flow_->reordering_deadline == kNever;
  }
  bool probe_is_due() const { return flow_ && flow_->probe_due; }
  void on_loss_detection_alarm(Instant now);
  // The peer says that the network marked what it got; at most once per round trip (RFC 3168 §6.1.2).
  void on_congestion_echo(Instant now);
  void on_idle(Instant now);
  // `path_mss`: what the path is supposed to take, at least `mss`.
  void on_mss_changed(std::uint32_t mss, std::uint32_t path_mss, bool shrank_on_path);
  // After a timeout: do full-sized segments vanish? Then the segments become shorter, which segment_limit()
  // says; not below `least` octets.
  void look_for_black_hole(std::uint32_t least);
  std::uint32_t segment_limit() const { return flow_ ? flow_->path_mtu_search.limit() : UINT32_MAX; }

  SeqNum una() const { return una_; }
  SeqNum nxt() const { return nxt_; }
  SeqNum end_of_data() const { return una_ + queue().size(); }  // meaningful while no FIN is acknowledged
  std::uint32_t window() const { return window_; }
  std::uint32_t max_window() const { return max_window_; }
  std::uint32_t mss() const { return mss_; }
  std::uint32_t path_mss() const { return path_mss_; }
  std::uint32_t outstanding() const { return octets_between(una_, nxt_); }
  std::uint32_t unsent() const;
  bool has_work() const { return unsent() > 0 || (fin_queued_ && !fin_sent_); }
  bool in_recovery() const { return flow_ && flow_->recovery != Recovery::kNone; }
  // RFC 6582 §3.2, step 3: without SACK, only the first partial acknowledgment of a recovery restarts the
  // retransmission timer, so that a window with many losses ends in slow start and not one hole per round
  // trip.
  bool restarts_timer() const {
    return !flow_ || flow_->recovery != Recovery::kFast || flow_->peer_sends_sack || flow_->partial_acks <= 1;
  }

  RttEstimator& rtt() { return rtt_; }
  const RttEstimator& rtt() const { return rtt_; }

  // --- once it has begun
  const Scoreboard& scoreboard() const { return flow_->scoreboard; }
  const CongestionControl* congestion_control() const { return flow_->congestion.get(); }
  std::uint64_t cwnd() const;  // octets; what counts now, in recovery too
  const DeliveryRate& delivery_rate() const { return flow_->delivery_rate; }
  // With the recovery that goes on, until `now`.
  Experience experience(Instant now) const;
  bool in_timeout_recovery() const { return flow_->recovery == Recovery::kTimeout; }
  // Duplicates or reports have come, and no recovery has begun.
  bool sees_disorder() const {
    return !in_recovery() && (flow_->scoreboard.sacked() > 0 || flow_->duplicate_acks > 0);
  }
  std::uint8_t timeouts_in_row() const { return flow_->timeouts_in_row; }

  // --- urgent data: the sequence number behind the last urgent octet (RFC 9293 §3.8.5, MUST-62)
  void mark_urgent() {
    flow_->urgent_end = end_of_data();
    flow_->is_urgent = true;
  }
  bool is_urgent_from(SeqNum sequence) const {
    return flow_ && flow_->is_urgent && is_after(flow_->urgent_end, sequence);
  }
  SeqNum urgent_end() const { return flow_->urgent_end; }

 private:
  enum class Recovery : std::uint8_t { kNone, kFast, kTimeout };

  static constexpr std::uint32_t kDuplicateThreshold = 3;  // RFC 5681 §3.2

  CongestionView view(Instant now) const;
  std::uint32_t window_room() const;
  std::uint64_t congestion_room() const;
  std::expected<Transmission, SendLimit> poll_next(const SendPolicy& policy);
  std::expected<Transmission, SendLimit> poll_retransmission(const SendPolicy& policy);
  std::optional<std::expected<Transmission, SendLimit>> poll_path_probe(const SendPolicy& policy);
  std::uint32_t front_size() const;
  bool take_path_probe_losses(const Scoreboard::Losses& losses, Instant now);
  std::expected<Transmission, SendLimit> poll_new_data(const SendPolicy& policy);
  std::optional<SendLimit> why_partial_must_wait(std::uint32_t octets, const SendPolicy& policy) const;
  void enter_recovery(Recovery kind, Reason reason, Instant now);
  bool look_for_losses(bool una_moved, bool is_duplicate, Instant now);
  bool detect_by_rack(Instant now);
  bool detect_by_duplicates(bool una_moved, bool is_duplicate, Instant now);
  bool declare(const Scoreboard::Losses& losses, Reason reason, Instant now);
  Scoreboard::Delivered take_delivered(const Acknowledgment& acknowledgment, bool moved, Instant now);
  std::optional<Duration> rtt_of(const Acknowledgment& acknowledgment, const Scoreboard::Delivered& delivered,
                                 Instant now) const;
  void leave_timeout_recovery(Instant now);
  void undo_recovery(Instant now);
  void end_recovery(Instant now);
  void reduce(LossKind kind, Reason reason, const CongestionView& facts);
  // What the congestion control wants, within what TCP does.
  CongestionControl::Output control() const;
  // For tell_change(), which tells when one of them is another by now. Zeros while nobody observes.
  struct Windows {
    std::uint64_t cwnd = 0, ssthresh = 0;
    friend bool operator==(const Windows&, const Windows&) = default;
  };
  Windows windows() const;
  void tell_change(const Windows& before, Reason reason) const;
  void tell_clamp();
  void tell_limit(SendLimit limit);
  void validate_window(SendLimit limit, const SendPolicy& policy);
  template <typename What, typename... Members>
  void tell(Members&&... members) const {
    if (trace_ != nullptr) trace_->tell<What>(std::forward<Members>(members)...);
  }
  void count(Counter counter, std::uint64_t amount = 1) const {
    if (trace_ != nullptr) trace_->count(counter, amount);
  }
  void arm_loss_detection(Instant now);
  std::expected<Transmission, SendLimit> poll_probe(const SendPolicy& policy);
  void end_probe_episode(const Acknowledgment& acknowledgment, bool is_duplicate, bool reported,
                         std::uint32_t prior_in_flight, Instant now);

  // What only who sends data needs.
  struct Flow {
    SendQueue queue;
    Scoreboard scoreboard;
    Rack rack;
    ProportionalRateReduction prr;
    DeliveryRate delivery_rate;
    Pacer pacer;
    std::uint64_t pacing_rate = 0;  // at the last poll()
    WindowValidation window_validation;
    SpuriousRecovery spurious;
    PathMtuSearch path_mtu_search;
    std::unique_ptr<CongestionControl> congestion;

    SeqNum recovery_point;  // nxt when recovery was entered
    SeqNum small_end;       // behind the last segment sent that was below one MSS
    SeqNum urgent_end;
    SeqNum probe_end;  // nxt after the probe
    Recovery recovery = Recovery::kNone;
    bool ever_recovered = false;
    bool force_retransmission = false;  // the first one of a recovery goes out whatever the window
    bool mss_is_proven = false;         // a segment of that size has arrived
    bool is_urgent = false;
    bool peer_sends_sack = false;
    bool probe_due = false;  // the next poll() gives a tail loss probe
    bool probe_outstanding = false;
    bool probe_repeats = false;  // it was a retransmission
    bool told_clamp = false;
    std::uint8_t duplicate_acks = 0;
    std::uint8_t timeouts_in_row = 0;
    std::uint8_t partial_acks = 0;  // of this recovery
    std::optional<SendLimit> told_limit;
    Experience experience;
    Instant timeout_recovery_since{};
    Instant reordering_deadline = kNever;  // overtaken segments count as lost from here on
    Instant loss_deadline = kNever;

    void start(SeqNum una) {
      recovery_point = small_end = urgent_end = una;
      window_validation.start(una);
    }
  };
  static const SendQueue kNothingQueued;

  const Trace* trace_;
  SeqNum una_;
  SeqNum nxt_;
  SeqNum wl1_;
  SeqNum wl2_;
  std::uint32_t window_ = 0;
  std::uint32_t max_window_ = 0;
  std::uint32_t mss_ = 536;
  std::uint32_t path_mss_ = 536;
  bool fin_queued_ = false;
  bool fin_sent_ = false;
  bool sack_ = false;  // agreed on
  RttEstimator rtt_;
  std::unique_ptr<Flow> flow_;
};

}  // namespace transom::tcp
