// Congestion control by the share of marked octets: DCTCP (RFC 8257) and Prague
// (draft-briscoe-iccrg-prague-congestion-control-04). Once per round the window shrinks by half of the
// smoothed share, so that a few marks cost little and the queue can be kept short by marking early. Losses
// halve it.
//
//   alpha  ← (1 − 1/16)·alpha + 1/16·(marked / delivered)        each round
//   window ← window·(1 − alpha/2)                                each round with marks
//
// Prague is DCTCP for the Internet: it says ECT(1) (L4S, RFC 9331), paces, and below 25 ms of round trip
// grows and reacts as slowly as a flow of 25 ms would, so that distance does not decide the share (§3.4
// there).
#pragma once

#include "stack/tcp/congestion/congestion_control.h"

namespace transom::tcp {

class Scalable final : public CongestionControl {
 public:
  enum class Kind : std::uint8_t { kDctcp, kPrague };

  Scalable(const CongestionSettings& settings, Kind kind)
      : kind_(kind), initial_(settings.initial_window), cwnd_(settings.initial_window) {}

  std::string_view name() const override { return kind_ == Kind::kDctcp ? "dctcp" : "prague"; }
  void on_ack(const CongestionView& view, const AckSample& ack) override;
  void on_loss(const CongestionView& view, LossKind kind) override;
  void on_recovery_end(const CongestionView& view) override;
  void on_undo(const CongestionView& view) override;
  void on_idle(const CongestionView& view) override;
  void on_underuse(const CongestionView& view, std::uint64_t used) override;
  Output output() const override;
  std::size_t metrics(std::span<Metric> out) const override;

 private:
  static constexpr std::uint64_t kOne = 1 << 20;  // alpha is a fraction of this

  Duration round_time(const CongestionView& view) const;
  void end_round(const CongestionView& view);
  void grow(const CongestionView& view, std::uint64_t acked);

  Kind kind_;
  std::uint64_t initial_;
  std::uint64_t cwnd_;
  std::uint64_t ssthresh_ = kMaxCongestionWindow;
  std::uint64_t alpha_ = kOne;  // RFC 8257 §3.3: the first marks count in full
  std::uint64_t credit_ = 0;    // towards the next growth, octets squared
  std::uint64_t acked_ = 0;     // in this round
  std::uint64_t marked_ = 0;
  Instant round_end_{};
  Duration srtt_{};
  std::uint64_t prior_cwnd_ = 0, prior_ssthresh_ = 0;
};

extern const CongestionFactory kDctcp;
extern const CongestionFactory kPrague;

}  // namespace transom::tcp
