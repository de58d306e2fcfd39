// Reno's window arithmetic (RFC 5681) with appropriate byte counting (RFC 3465): slow start, congestion
// avoidance, halving.
#pragma once

#include "stack/tcp/congestion/congestion_control.h"

namespace transom::tcp {

class Reno final : public CongestionControl {
 public:
  explicit Reno(const CongestionSettings& settings)
      : initial_(settings.initial_window), cwnd_(settings.initial_window) {}

  std::string_view name() const override { return "reno"; }
  void on_ack(const CongestionView& view, const AckSample& ack) override;
  void on_loss(const CongestionView& view, LossKind kind) override;
  void on_recovery_end(const CongestionView& view) override;
  void on_undo(const CongestionView& view) override;
  void on_idle(const CongestionView& view) override;
  void on_underuse(const CongestionView& view, std::uint64_t used) override;
  Output output() const override { return {.cwnd = cwnd_, .ssthresh = ssthresh_}; }

 private:
  std::uint64_t initial_;
  std::uint64_t cwnd_;
  std::uint64_t ssthresh_ = kMaxCongestionWindow;
  std::uint64_t acked_ = 0;                            // in congestion avoidance, towards the next MSS
  std::uint64_t prior_cwnd_ = 0, prior_ssthresh_ = 0;  // before the last reduction
};

extern const CongestionFactory kReno;

}  // namespace transom::tcp
