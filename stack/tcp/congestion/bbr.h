// BBR version 3 (draft-ietf-ccwg-bbr-02): instead of filling the queue until it drops, it keeps a model of
// the path, the largest rate at which data was delivered and the smallest round-trip time, and paces at that
// rate with about their product in flight. To notice changes it sends a little faster now and then, and less
// after that; losses above 2 % and what was in flight then bound how far it goes.
//
//   Startup ─► Drain ─► ProbeBW: ─► DOWN ─► CRUISE ─► REFILL ─► UP ─┐
//      ▲                             ▲                              │
//      └───── ProbeRTT (every 5 s) ◄─┴──────────────────────────────┘
//
// All arithmetic is in integers: octets, octets per second, nanoseconds; gains in hundredths. A mark of RFC
// 3168 counts as a loss in its round. The names are those of the draft.
#pragma once

#include <array>

#include "stack/tcp/congestion/congestion_control.h"

namespace transom::tcp {

class Bbr final : public CongestionControl {
 public:
  explicit Bbr(const CongestionSettings& settings);

  std::string_view name() const override { return "bbr"; }
  void on_ack(const CongestionView& view, const AckSample& ack) override;
  void on_loss(const CongestionView& view, LossKind kind) override;
  void on_recovery_end(const CongestionView& view) override;
  void on_undo(const CongestionView& view) override;
  void on_sent(const CongestionView& view, std::uint64_t octets) override;
  void on_idle(const CongestionView& view) override;
  Output output() const override;
  bool wants_proportional_reduction() const override { return false; }
  std::size_t metrics(std::span<Metric> out) const override;

 private:
  static constexpr std::uint64_t kInfinite = UINT64_MAX;

  enum class State : std::uint8_t {
    kStartup,
    kDrain,
    kProbeBwDown,
    kProbeBwCruise,
    kProbeBwRefill,
    kProbeBwUp,
    kProbeRtt
  };
  // Of the feedback to a probe for bandwidth (§5.3.3.2).
  enum class AckPhase : std::uint8_t { kInit, kRefilling, kProbeStarting, kProbeFeedback, kProbeStopping };

  // What one ACK brings, for all steps.
  struct Step {
    const CongestionView& view;
    const AckSample& ack;
    std::uint64_t rate;
  };

  // --- the model
  void update_round(const Step& step);
  void start_round(std::uint64_t delivered);
  void update_latest_delivery_signals(const Step& step);
  void update_congestion_signals(const Step& step);
  void update_ack_aggregation(const Step& step);
  void check_full_bandwidth(const Step& step);
  void check_startup_high_loss(const Step& step);
  void update_min_rtt(const Step& step);
  void reset_congestion_signals();
  void reset_lower_bounds();
  void reset_full_bandwidth(std::uint64_t rate);
  std::uint64_t max_bandwidth() const { return std::max(max_bandwidth_[0], max_bandwidth_[1]); }
  std::uint64_t bandwidth() const { return std::min(max_bandwidth(), bandwidth_low_); }

  // --- the states
  void enter_startup();
  void enter_drain();
  void update_probe_bw_cycle(const Step& step);
  void adapt_long_term_model(const Step& step);
  bool is_in_flight_too_high(const Step& step) const;
  void handle_in_flight_too_high(const Step& step);
  void probe_in_flight_upward(const Step& step);
  void raise_in_flight_slope(const Step& step);
  bool is_time_to_probe(const Step& step) const;
  bool is_time_to_cruise(const Step& step) const;
  void start_down(const Step& step);
  void start_refill(const Step& step);
  void start_up(const Step& step);
  void check_probe_rtt(const Step& step);
  void exit_probe_rtt(const Step& step);
  bool is_in_probe_bw() const { return state_ >= State::kProbeBwDown && state_ <= State::kProbeBwUp; }
  bool is_probing_bandwidth() const {
    return state_ == State::kStartup || state_ == State::kProbeBwRefill || state_ == State::kProbeBwUp;
  }

  // --- the controls
  std::uint64_t bdp(std::uint64_t rate, std::uint32_t gain) const;
  std::uint64_t quantized(std::uint64_t octets, std::uint32_t mss) const;
  std::uint64_t target_in_flight(const CongestionView& view) const;
  std::uint64_t in_flight_with_headroom(std::uint32_t mss) const;
  void set_pacing_rate(std::uint32_t gain);
  void set_cwnd(const Step& step);
  std::uint32_t pacing_gain() const;
  std::uint32_t cwnd_gain() const;
  std::uint64_t random_below(std::uint64_t bound);

  State state_ = State::kStartup;
  AckPhase ack_phase_ = AckPhase::kInit;
  std::uint64_t random_;

  std::uint64_t cwnd_;
  std::uint64_t initial_;
  std::uint64_t prior_cwnd_ = 0;
  std::uint64_t pacing_rate_ = 0;
  bool has_rate_ = false;  // a pacing rate from a round-trip time

  // Rounds: a round trip each, counted by what was delivered.
  std::uint64_t next_round_delivered_ = 0;
  bool round_start_ = false;
  std::uint64_t rounds_since_probe_ = 0;

  // The path.
  std::array<std::uint64_t, 2> max_bandwidth_{};  // of the last cycle and of this one
  Duration min_rtt_ = Duration::max();
  Instant min_rtt_at_{};
  Duration probe_rtt_min_ = Duration::max();
  Instant probe_rtt_min_at_{};

  // Bounds: of the short term (the last rounds with loss) and the long term.
  std::uint64_t bandwidth_low_ = kInfinite;
  std::uint64_t in_flight_low_ = kInfinite;
  std::uint64_t in_flight_high_ = kInfinite;
  std::uint64_t bandwidth_latest_ = 0;
  std::uint64_t in_flight_latest_ = 0;
  std::uint64_t loss_round_delivered_ = 0;
  bool loss_round_start_ = false;
  bool loss_in_round_ = false;
  std::uint32_t loss_events_in_round_ = 0;
  bool was_in_recovery_ = false;
  struct Bounds {
    std::uint64_t bandwidth_low, in_flight_low, in_flight_high;
  };
  Bounds before_loss_{kInfinite, kInfinite, kInfinite};

  // Is the pipe full?
  std::uint64_t full_bandwidth_ = 0;
  std::uint32_t full_count_ = 0;
  bool full_now_ = false;
  bool full_reached_ = false;

  // Aggregation of ACKs: what arrives beyond the rate.
  Instant extra_acked_since_{};
  std::uint64_t extra_acked_delivered_ = 0;
  std::array<std::uint64_t, 2> extra_acked_{};  // the largest of the last windows of five rounds
  std::uint32_t extra_acked_rounds_ = 0;

  // Probing for bandwidth.
  Instant cycle_at_{};
  Duration probe_wait_{};
  std::uint64_t probe_up_acked_ = 0;
  std::uint64_t probe_up_count_ = kInfinite;  // octets acknowledged per MSS of growth
  std::uint32_t probe_up_rounds_ = 0;
  bool has_probe_samples_ = false;

  // ProbeRTT.
  Instant probe_rtt_done_at_ = kNever;
  bool probe_rtt_round_done_ = false;
  bool idle_restart_ = false;
};

extern const CongestionFactory kBbr;

}  // namespace transom::tcp
