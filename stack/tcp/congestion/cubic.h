// CUBIC (RFC 9438) with HyStart++ (RFC 9406): after a loss the window comes down to 0.7, and returns to where
// the loss was along a cubic of the time since then: fast at first, slow around the old window, fast again
// beyond.
//
//   window │                         ╱
//    w_max │- - - - - -.____.·´
//          │      .·´  │
//          │   .·´     │ K
//          │ .´        │
//          └───────────┴──────────── time since the epoch began
//
// Where Reno would have the larger window (short round trips, small windows), it does as Reno does (§4.3).
// All arithmetic is in integers, time in units of 1/1024 s, so that a run is the same on every machine.
#pragma once

#include "stack/tcp/congestion/congestion_control.h"
#include "stack/tcp/congestion/hystart.h"

namespace transom::tcp {

class Cubic final : public CongestionControl {
 public:
  explicit Cubic(const CongestionSettings& settings);

  std::string_view name() const override { return "cubic"; }
  void on_ack(const CongestionView& view, const AckSample& ack) override;
  void on_loss(const CongestionView& view, LossKind kind) override;
  void on_recovery_end(const CongestionView& view) override;
  void on_undo(const CongestionView& view) override;
  void on_idle(const CongestionView& view) override;
  void on_underuse(const CongestionView& view, std::uint64_t used) override;
  Output output() const override { return {.cwnd = cwnd_, .ssthresh = ssthresh_}; }
  std::size_t metrics(std::span<Metric> out) const override;

 private:
  void begin_epoch(const CongestionView& view);
  void avoid_congestion(const CongestionView& view, std::uint64_t acked);
  std::uint64_t cubic_window(Duration since_epoch, std::uint32_t mss) const;
  void grow_reno_estimate(const CongestionView& view, std::uint64_t acked);

  // What a reduction changes, to be put back if it was a mistake.
  struct Windows {
    std::uint64_t cwnd, ssthresh, w_max;
  };

  // The parameters.
  std::uint64_t beta_;   // in thousandths
  std::uint64_t scale_;  // C = scale_ / divisor_ segments/s³
  std::uint64_t divisor_;
  bool converges_fast_;
  bool uses_hystart_;

  std::uint64_t initial_;
  std::uint64_t cwnd_;
  std::uint64_t ssthresh_ = kMaxCongestionWindow;
  std::uint64_t w_max_ = 0;       // the window before the last reduction, in octets
  std::uint64_t origin_ = 0;      // the plateau of the present epoch: w_max, or the window when it began
  std::uint64_t reno_ = 0;        // w_est: what Reno would have, in octets
  std::uint64_t reno_prior_ = 0;  // cwnd_prior: from here on the estimate grows as fast as Reno's own
  std::uint64_t reno_credit_ = 0;
  std::uint64_t credit_ = 0;  // octets acknowledged towards the next growth
  std::uint64_t k_ = 0;       // in 1/1024 s
  Instant epoch_ = kNever;    // kNever: the next ACK in congestion avoidance begins one
  Instant last_ack_{};
  Windows prior_{};
  HyStart hystart_;
};

extern const CongestionFactory kCubic;

}  // namespace transom::tcp
