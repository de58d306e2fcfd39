#include "stack/tcp/congestion/cubic.h"

#include <algorithm>
#include <bit>

namespace transom::tcp {

namespace {

constexpr std::uint64_t kBetaTenths = 7;       // β = 0.7 (RFC 9438 §4.6)
constexpr std::uint64_t kScaleTenths = 4;      // C = 0.4 segments/s³ (§5)
constexpr std::uint64_t kMaxOffset = 1 << 17;  // 128 s from K: the cubic is far beyond any window there

std::uint64_t to_units(Duration duration) {
  return static_cast<std::uint64_t>(std::max(duration, Duration::zero()).count() / 1000) * 1024 / 1'000'000;
}

// The largest integer whose cube is not above `value`.
std::uint64_t cube_root(std::uint64_t value) {
  std::uint64_t root = 0;
  for (std::uint64_t bit = std::uint64_t{1} << ((std::bit_width(value) + 2) / 3); bit > 0; bit >>= 1) {
    const std::uint64_t next = root + bit;
    if (next <= 2'642'245 && next * next * next <= value) root = next;  // 2642245³ is below 2⁶⁴
  }
  return root;
}

}  // namespace

void Cubic::on_ack(const CongestionView& view, const AckSample& ack) {
  if (view.in_fast_recovery) return;
  if (!view.cwnd_limited) {
    // §5.8: the time in which the window was not used must not count towards its growth.
    if (epoch_ != kNever) epoch_ += view.now - last_ack_;
    last_ack_ = view.now;
    return;
  }
  last_ack_ = view.now;
  std::uint64_t octets = ack.acked;
  if (cwnd_ < ssthresh_) {
    const bool probing =
        ssthresh_ >= kMaxCongestionWindow;  // HyStart++ is for the first slow start (RFC 9406 §4.3)
    const std::uint64_t wanted = probing ? hystart_.growth(ack) : octets;
    const std::uint64_t growth = std::min(wanted, ssthresh_ - cwnd_);
    cwnd_ += growth;
    octets = wanted - growth;
    if (probing && hystart_.is_done()) ssthresh_ = cwnd_;
    if (octets == 0) return;
  }
  avoid_congestion(view, octets);
  cwnd_ = std::min(cwnd_, kMaxCongestionWindow);
}

void Cubic::begin_epoch(const CongestionView& view) {
  epoch_ = view.now;
  credit_ = reno_credit_ = 0;
  reno_ = cwnd_;
  if (cwnd_ < w_max_) {
    // §4.2, figure 2: K = ∛((w_max − cwnd) / C), here in 1/1024 s.
    const std::uint64_t missing = std::min(w_max_ - cwnd_, std::uint64_t{1} << 29);
    k_ = cube_root((missing * 10 << 30) / (kScaleTenths * view.mss));
    origin_ = w_max_;
  } else {
    k_ = 0;
    origin_ = cwnd_;
  }
}

// W_cubic(t) = C·(t − K)³ + origin, in octets.
std::uint64_t Cubic::cubic_window(Duration since_epoch, std::uint32_t mss) const {
  const std::uint64_t t = to_units(since_epoch);
  const std::uint64_t offset = std::min(t > k_ ? t - k_ : k_ - t, kMaxOffset);
  const std::uint64_t delta = ((offset * offset * offset >> 10) * (kScaleTenths * mss) / 10) >> 20;
  if (t >= k_) return origin_ + delta;
  return origin_ > delta ? origin_ - delta : 0;
}

// §4.3: w_est grows by α segments per window, so that its mean is that of a Reno flow that also comes down to
// β; beyond the last window it grows as Reno's own.
void Cubic::grow_reno_estimate(const CongestionView& view, std::uint64_t acked) {
  // α = 3·(1 − β)/(1 + β) = 9/17.
  reno_credit_ += reno_ < reno_prior_ ? acked * 9 / 17 : acked;
  const std::uint64_t segments = reno_credit_ / std::max<std::uint64_t>(cwnd_, 1);
  reno_ += segments * view.mss;
  reno_credit_ -= segments * cwnd_;
}

void Cubic::avoid_congestion(const CongestionView& view, std::uint64_t acked) {
  if (epoch_ == kNever) begin_epoch(view);
  grow_reno_estimate(view, acked);
  const Duration since_epoch = view.now - epoch_;
  if (cubic_window(since_epoch, view.mss) < reno_) {  // §4.3, the Reno-friendly region
    cwnd_ = std::max(cwnd_, reno_);
    return;
  }
  // §4.4, §4.5: reach the window of one round trip ahead within a round trip; at most half as much again.
  const std::uint64_t target =
      std::clamp(cubic_window(since_epoch + view.srtt, view.mss), cwnd_, cwnd_ + cwnd_ / 2);
  // Per ACK of `acked`: acked · (target − cwnd) / cwnd, kept in credit to the octet.
  credit_ += std::min(acked, cwnd_) * (target - cwnd_);
  const std::uint64_t growth = credit_ / cwnd_;
  credit_ -= growth * cwnd_;
  cwnd_ += growth;
}

void Cubic::on_loss(const CongestionView& view, LossKind kind) {
  prior_ = {cwnd_, ssthresh_, w_max_};
  const std::uint64_t used = std::max<std::uint64_t>(std::min(view.in_flight, cwnd_), view.mss);
  reno_prior_ = cwnd_;
  // §4.7, fast convergence: below the last maximum, leave more room for newcomers.
  w_max_ = cwnd_ < w_max_ ? cwnd_ * (10 + kBetaTenths) / 20 : cwnd_;
  ssthresh_ = std::max(used * kBetaTenths / 10, std::uint64_t{2} * view.mss);
  cwnd_ = kind == LossKind::kTimeout ? view.mss : ssthresh_;
  epoch_ = kNever;
}

void Cubic::on_recovery_end(const CongestionView&) {
  cwnd_ = std::max<std::uint64_t>(std::min(cwnd_, ssthresh_), 1);
}

void Cubic::on_undo(const CongestionView&) {  // §4.9
  cwnd_ = std::max(cwnd_, prior_.cwnd);
  ssthresh_ = std::max(ssthresh_, prior_.ssthresh);
  w_max_ = prior_.w_max;
  epoch_ = kNever;
}

void Cubic::on_idle(const CongestionView&) {
  cwnd_ = std::min(cwnd_, initial_);
  epoch_ = kNever;
}

std::size_t Cubic::metrics(std::span<Metric> out) const {
  const Metric all[] = {{"w_max octets", static_cast<double>(w_max_)},
                        {"k ms", static_cast<double>(k_) * 1000 / 1024},
                        {"w_est octets", static_cast<double>(reno_)},
                        {"conservative slow start", hystart_.is_conservative() ? 1.0 : 0.0}};
  const std::size_t count = std::min(out.size(), std::size(all));
  std::copy_n(all, count, out.begin());
  return count;
}

const CongestionFactory kCubic = {
    "cubic", [](const CongestionSettings& settings) -> std::unique_ptr<CongestionControl> {
      return std::make_unique<Cubic>(settings);
    }};

}  // namespace transom::tcp
