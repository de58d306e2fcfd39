#include "stack/tcp/congestion/reno.h"

#include <algorithm>

namespace transom::tcp {

void Reno::on_ack(const CongestionView& view, const AckSample& ack) {
  // RFC 7661 §4: no growth by a window that is not used.
  if (view.in_fast_recovery || !view.cwnd_limited) return;
  std::uint64_t octets = ack.acked;
  if (cwnd_ < ssthresh_) {  // RFC 5681 §3.1, slow start
    const std::uint64_t growth = std::min(octets, ssthresh_ - cwnd_);
    cwnd_ += growth;
    octets -= growth;
  }
  acked_ += octets;
  if (acked_ >= cwnd_) {  // congestion avoidance: one MSS per window
    acked_ -= cwnd_;
    cwnd_ += view.mss;
  }
  cwnd_ = std::min(cwnd_, kMaxCongestionWindow);
}

void Reno::on_loss(const CongestionView& view, LossKind kind) {
  prior_cwnd_ = cwnd_;
  prior_ssthresh_ = ssthresh_;
  // RFC 5681 §3.1 equation 4. FlightSize there is what is outstanding; the window in use here.
  ssthresh_ = std::max(std::min(view.in_flight, cwnd_) / 2, std::uint64_t{2} * view.mss);
  cwnd_ = kind == LossKind::kTimeout ? view.mss : ssthresh_;
  acked_ = 0;
}

void Reno::on_recovery_end(const CongestionView&) {
  cwnd_ = std::max(std::min(cwnd_, ssthresh_), std::uint64_t{1});
}

void Reno::on_undo(const CongestionView&) {
  cwnd_ = std::max(cwnd_, prior_cwnd_);
  ssthresh_ = std::max(ssthresh_, prior_ssthresh_);
}

void Reno::on_idle(const CongestionView&) { cwnd_ = std::min(cwnd_, initial_); }

// RFC 2861 §3: half the way down to what was used, and back by slow start to three quarters of what was.
void Reno::on_underuse(const CongestionView&, std::uint64_t used) {
  used = std::max(used, initial_);
  if (used >= cwnd_) return;
  ssthresh_ = std::max(ssthresh_, cwnd_ / 4 * 3);
  cwnd_ = (cwnd_ + used) / 2;
}

const CongestionFactory kReno = {
    "reno", [](const CongestionSettings& settings) -> std::unique_ptr<CongestionControl> {
      return std::make_unique<Reno>(settings);
    }};

}  // namespace transom::tcp
