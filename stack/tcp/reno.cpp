// Reno's window arithmetic (RFC 5681) with appropriate byte counting (RFC 3465): slow start, congestion
// avoidance, halving.
#include <algorithm>

#include "stack/tcp/congestion_control.h"

namespace transom::tcp {

namespace {

constexpr std::uint64_t kMaxWindow = std::uint64_t{1} << 30;  // the largest window that TCP can express

class Reno final : public CongestionControl {
 public:
  explicit Reno(std::uint64_t initial) : initial_(initial), cwnd_(initial) {}

  std::string_view name() const override { return "reno"; }

  void on_ack(const CongestionView& view, const AckSample& ack) override {
    if (!view.cwnd_limited) return;  // RFC 7661 §4: no growth by a window that is not used
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
    cwnd_ = std::min(cwnd_, kMaxWindow);
  }

  void on_loss(const CongestionView& view, LossKind kind) override {
    // RFC 5681 §3.1 equation 4. FlightSize there is what is outstanding; the window in use here.
    ssthresh_ = std::max(std::min(view.in_flight, cwnd_) / 2, std::uint64_t{2} * view.mss);
    cwnd_ = kind == LossKind::kTimeout ? view.mss : ssthresh_;
    acked_ = 0;
  }

  void on_recovery_end(const CongestionView&) override {
    cwnd_ = std::max(std::min(cwnd_, ssthresh_), std::uint64_t{1});
  }

  void on_idle(const CongestionView&) override { cwnd_ = std::min(cwnd_, initial_); }

  Output output() const override { return {cwnd_, ssthresh_}; }

 private:
  std::uint64_t initial_;
  std::uint64_t cwnd_;
  std::uint64_t ssthresh_ = kMaxWindow;
  std::uint64_t acked_ = 0;  // in congestion avoidance, towards the next MSS
};

}  // namespace

std::uint64_t initial_window(std::uint32_t mss, bool syn_was_lost) {
  if (syn_was_lost) return mss;
  return std::min<std::uint64_t>(std::uint64_t{10} * mss,
                                 std::max<std::uint64_t>(std::uint64_t{2} * mss, 14600));
}

std::unique_ptr<CongestionControl> make_reno(std::uint64_t initial_window) {
  return std::make_unique<Reno>(initial_window);
}

}  // namespace transom::tcp
