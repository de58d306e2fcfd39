#include "stack/tcp/rtt_estimator.h"

#include <algorithm>

namespace transom::tcp {

void RttEstimator::sample(Duration rtt, std::uint32_t samples_per_rtt, Instant now) {
  rtt = std::max(rtt, Duration(1));
  if (!has_sample()) {  // RFC 6298 §2.2
    srtt_ = rtt;
    rttvar_ = rtt / 2;
  } else {
    if (!history_) {
      history_ = std::make_unique<History>();
      history_->min.update(srtt_, now);
    }
    history_->min.update(rtt, now);
    history_->latest = rtt;
    // §2.3: alpha = 1/8, beta = 1/4, both divided by the samples per round trip (RFC 7323 appendix G)
    const auto samples = static_cast<std::int64_t>(std::max(samples_per_rtt, 1U));
    const Duration deviation = rtt > srtt_ ? rtt - srtt_ : srtt_ - rtt;
    rttvar_ += (deviation - rttvar_) / (4 * samples);
    srtt_ += (rtt - srtt_) / (8 * samples);
  }
  base_rto_ = srtt_ + std::max({kGranularity, Duration(min_rto_), 4 * rttvar_});
  backoff_ = 0;
}

Duration RttEstimator::rto() const {
  Duration rto = base_rto_;
  for (int i = 0; i < backoff_ && rto < kMaxRto; ++i) rto *= 2;
  return std::min(rto, kMaxRto);
}

}  // namespace transom::tcp
