#include "stack/tcp/congestion/scalable.h"

#include <algorithm>

namespace transom::tcp {

namespace {

constexpr std::uint64_t kGain = 16;  // 1/g
constexpr Duration kReferenceRtt = std::chrono::milliseconds(25);
constexpr Duration kNoRtt = std::chrono::milliseconds(1);

}  // namespace

Duration Scalable::round_time(const CongestionView& view) const {
  const Duration rtt = std::max(view.srtt, kNoRtt / 1000);
  return kind_ == Kind::kPrague ? std::max(rtt, kReferenceRtt) : rtt;
}

void Scalable::on_ack(const CongestionView& view, const AckSample& ack) {
  srtt_ = view.srtt;
  acked_ += ack.acked;
  marked_ += ack.ce_marked;
  if (ack.ce_marked > 0 && cwnd_ < ssthresh_) {  // the first mark ends slow start at once
    ssthresh_ = cwnd_;
    if (alpha_ == kOne && round_end_ > view.now) end_round(view);
  }
  if (view.now >= round_end_) end_round(view);
  if (!view.in_fast_recovery && view.cwnd_limited) grow(view, ack.acked);
}

// RFC 8257 §3.3, steps 4 to 8.
void Scalable::end_round(const CongestionView& view) {
  const std::uint64_t share = acked_ > 0 ? std::min(marked_ * kOne / acked_, kOne) : 0;
  alpha_ = alpha_ - alpha_ / kGain + share / kGain;
  if (marked_ > 0 && !view.in_fast_recovery) {
    const std::uint64_t reduction = cwnd_ / 2 * alpha_ / kOne;
    cwnd_ = std::max(cwnd_ - reduction, std::uint64_t{2} * view.mss);
    ssthresh_ = cwnd_;
  }
  acked_ = marked_ = 0;
  round_end_ = view.now + round_time(view);
}

void Scalable::grow(const CongestionView& view, std::uint64_t acked) {
  if (cwnd_ < ssthresh_) {
    cwnd_ = std::min(cwnd_ + acked, kMaxCongestionWindow);
    return;
  }
  // One segment per window; Prague: per (rtt / 25 ms)² of it, for a rate that grows as at 25 ms.
  std::uint64_t octets = acked * view.mss;
  if (kind_ == Kind::kPrague && view.srtt < kReferenceRtt) {
    const auto rtt = static_cast<std::uint64_t>(std::max(view.srtt, kNoRtt / 1000).count() / 1000);
    constexpr auto kReference = static_cast<std::uint64_t>(kReferenceRtt.count() / 1000);
    octets = octets * rtt / kReference * rtt / kReference;
  }
  credit_ += octets;
  const std::uint64_t growth = credit_ / cwnd_;
  credit_ -= growth * cwnd_;
  cwnd_ = std::min(cwnd_ + growth, kMaxCongestionWindow);
}

// RFC 8257 §3.5: as Reno.
void Scalable::on_loss(const CongestionView& view, LossKind kind) {
  prior_cwnd_ = cwnd_;
  prior_ssthresh_ = ssthresh_;
  const std::uint64_t used = std::min(view.in_flight, cwnd_);
  ssthresh_ = std::max(used / 2, std::uint64_t{2} * view.mss);
  cwnd_ = kind == LossKind::kTimeout ? view.mss : ssthresh_;
}

void Scalable::on_recovery_end(const CongestionView&) {
  cwnd_ = std::max<std::uint64_t>(std::min(cwnd_, ssthresh_), 1);
}

void Scalable::on_undo(const CongestionView&) {
  cwnd_ = std::max(cwnd_, prior_cwnd_);
  ssthresh_ = std::max(ssthresh_, prior_ssthresh_);
}

void Scalable::on_idle(const CongestionView&) { cwnd_ = std::min(cwnd_, initial_); }

// RFC 2861 §3: half the way down to what was used, and back by slow start to three quarters of what was.
void Scalable::on_underuse(const CongestionView&, std::uint64_t used) {
  used = std::max(used, initial_);
  if (used >= cwnd_) return;
  ssthresh_ = std::max(ssthresh_, cwnd_ / 4 * 3);
  cwnd_ = (cwnd_ + used) / 2;
}

CongestionControl::Output Scalable::output() const {
  Output output{.cwnd = cwnd_, .ssthresh = ssthresh_};
  if (kind_ == Kind::kPrague && srtt_ > Duration::zero()) {  // bursts would be marked
    const std::uint64_t rate = cwnd_ * 1'000'000'000 / static_cast<std::uint64_t>(srtt_.count());
    output.pacing_rate = cwnd_ < ssthresh_ ? 2 * rate : rate + rate / 50;
  }
  return output;
}

std::size_t Scalable::metrics(std::span<Metric> out) const {
  if (out.empty()) return 0;
  out[0] = {"alpha", static_cast<double>(alpha_) / static_cast<double>(kOne)};
  return 1;
}

const CongestionFactory kDctcp = {
    "dctcp",
    [](const CongestionSettings& settings) -> std::unique_ptr<CongestionControl> {
      return std::make_unique<Scalable>(settings, Scalable::Kind::kDctcp);
    },
    EcnUse::kEct0};

const CongestionFactory kPrague = {
    "prague",
    [](const CongestionSettings& settings) -> std::unique_ptr<CongestionControl> {
      return std::make_unique<Scalable>(settings, Scalable::Kind::kPrague);
    },
    EcnUse::kEct1};

}  // namespace transom::tcp
