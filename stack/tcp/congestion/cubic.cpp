#include "stack/tcp/congestion/cubic.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace transom::tcp {

namespace {

constexpr Parameter kParameters[] = {
    {"beta", "", "what is left of the window after a loss (RFC 9438 4.6)", 0.1, 0.95, 0.7},
    {"c", "segments/s^3", "how fast the cubic grows (RFC 9438 5)", 0.001, 100, 0.4},
    {"fast_convergence", "", "1: leave room for newcomers (RFC 9438 4.7)", 0, 1, 1},
    {"hystart", "", "1: leave slow start by delay (RFC 9406); 0: by loss", 0, 1, 1},
};

constexpr std::uint64_t kThousand = 1000;
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

double value_of(const CongestionSettings& settings, std::size_t parameter) {
  return settings.values.empty() ? kParameters[parameter].standard : settings.values[parameter];
}

std::uint64_t thousandths(double value) {
  return static_cast<std::uint64_t>(std::llround(value * static_cast<double>(kThousand)));
}

}  // namespace

Cubic::Cubic(const CongestionSettings& settings)
    : beta_(thousandths(value_of(settings, 0))),
      scale_(thousandths(value_of(settings, 1))),
      divisor_(kThousand),
      converges_fast_(value_of(settings, 2) != 0),
      uses_hystart_(value_of(settings, 3) != 0),
      initial_(settings.initial_window),
      cwnd_(settings.initial_window) {
  const std::uint64_t common = std::gcd(scale_, divisor_);  // smaller numbers: more fits into 64 bits
  scale_ /= common;
  divisor_ /= common;
}

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
    // HyStart++ is for the first slow start (RFC 9406 §4.3).
    const bool probing = uses_hystart_ && ssthresh_ >= kMaxCongestionWindow;
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
    const std::uint64_t most = std::min(std::uint64_t{1} << 29, (std::uint64_t{1} << 34) / divisor_ - 1);
    const std::uint64_t missing = std::min(w_max_ - cwnd_, most);
    k_ = cube_root((missing * divisor_ << 30) / (scale_ * view.mss));
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
  // offset³ / 2^10 is below 2^41, and C·mss below 2^17·mss/divisor.
  const std::uint64_t cube = offset * offset * offset >> 10;
  const std::uint64_t delta = (std::min(cube, UINT64_MAX / (scale_ * mss)) * (scale_ * mss) / divisor_) >> 20;
  if (t >= k_) return origin_ + delta;
  return origin_ > delta ? origin_ - delta : 0;
}

// §4.3: w_est grows by α segments per window, so that its mean is that of a Reno flow that also comes down to
// β; beyond the last window it grows as Reno's own.
void Cubic::grow_reno_estimate(const CongestionView& view, std::uint64_t acked) {
  // α = 3·(1 − β)/(1 + β), 9/17 for β = 0.7.
  reno_credit_ += reno_ < reno_prior_ ? acked * 3 * (kThousand - beta_) / (kThousand + beta_) : acked;
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
  w_max_ = converges_fast_ && cwnd_ < w_max_ ? cwnd_ * (kThousand + beta_) / (2 * kThousand) : cwnd_;
  ssthresh_ = std::max(used * beta_ / kThousand, std::uint64_t{2} * view.mss);
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

// RFC 2861 §3: half the way down to what was used, and back by slow start to three quarters of what was.
void Cubic::on_underuse(const CongestionView&, std::uint64_t used) {
  used = std::max(used, initial_);
  if (used >= cwnd_) return;
  ssthresh_ = std::max(ssthresh_, cwnd_ / 4 * 3);
  cwnd_ = (cwnd_ + used) / 2;
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
    .name = "cubic",
    .create = [](const CongestionSettings& settings) -> std::unique_ptr<CongestionControl> {
      return std::make_unique<Cubic>(settings);
    },
    .parameters = kParameters};

}  // namespace transom::tcp
