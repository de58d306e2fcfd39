// A congestion control of one's own, as a shared object: additive increase, multiplicative decrease, with
// both numbers to choose. docs/congestion-control.md walks through it.
//
//   c++ -std=c++23 -shared -fPIC -I.../include/transom aimd.cpp -o aimd.so
//   transom sim scenario.toml        with: congestion_control = "./aimd.so:increase=2,decrease=0.8"
#include <algorithm>

#include "stack/tcp/congestion/plugin.h"

namespace {

using namespace transom::tcp;

// In the order in which `create` gets their values.
constexpr Parameter kParameters[] = {
    {"increase", "segments per round trip", "how fast the window grows", 0.01, 100, 1},
    {"decrease", "", "what is left of the window after a loss", 0.1, 0.95, 0.5},
};

class Aimd final : public CongestionControl {
 public:
  explicit Aimd(const CongestionSettings& settings)
      : initial_(settings.initial_window),
        cwnd_(settings.initial_window),
        increase_(settings.values[0]),
        decrease_(settings.values[1]) {}

  std::string_view name() const override { return "aimd"; }

  void on_ack(const CongestionView& view, const AckSample& ack) override {
    if (view.in_fast_recovery || !view.cwnd_limited) return;
    if (cwnd_ < ssthresh_) {  // slow start
      cwnd_ = std::min(cwnd_ + ack.acked, ssthresh_);
      return;
    }
    // `increase` segments per window of acknowledged octets; what is less than an octet is kept.
    credit_ += increase_ * static_cast<double>(view.mss) * static_cast<double>(ack.acked) /
               static_cast<double>(cwnd_);
    const auto whole = static_cast<std::uint64_t>(credit_);
    credit_ -= static_cast<double>(whole);
    cwnd_ += whole;
  }

  void on_loss(const CongestionView& view, LossKind kind) override {
    before_ = {cwnd_, ssthresh_};
    ++losses_;
    ssthresh_ = std::max(static_cast<std::uint64_t>(static_cast<double>(cwnd_) * decrease_),
                         std::uint64_t{2} * view.mss);
    cwnd_ = kind == LossKind::kTimeout ? view.mss : ssthresh_;
  }
  void on_recovery_end(const CongestionView&) override { cwnd_ = std::min(cwnd_, ssthresh_); }
  void on_undo(const CongestionView&) override {
    cwnd_ = std::max(cwnd_, before_.cwnd);
    ssthresh_ = std::max(ssthresh_, before_.ssthresh);
  }
  void on_idle(const CongestionView&) override { cwnd_ = std::min(cwnd_, initial_); }
  Output output() const override { return {.cwnd = cwnd_, .ssthresh = ssthresh_}; }

  std::size_t metrics(std::span<Metric> out) const override {
    if (out.empty()) return 0;
    out[0] = {"losses", static_cast<double>(losses_)};
    return 1;
  }

 private:
  struct Windows {
    std::uint64_t cwnd = 0, ssthresh = 0;
  };

  std::uint64_t initial_;
  std::uint64_t cwnd_;
  std::uint64_t ssthresh_ = kMaxCongestionWindow;
  double increase_;
  double decrease_;
  double credit_ = 0;
  std::uint64_t losses_ = 0;
  Windows before_;
};

constexpr CongestionFactory kAimd = {
    .name = "aimd",
    .create = [](const CongestionSettings& settings) -> std::unique_ptr<CongestionControl> {
      return std::make_unique<Aimd>(settings);
    },
    .parameters = kParameters,
};

}  // namespace

extern "C" const CongestionFactory* transom_congestion_control_v1() { return &kAimd; }
