#include "stack/tcp/congestion/hystart.h"

#include <algorithm>

namespace transom::tcp {

std::uint64_t HyStart::growth(const AckSample& ack) {
  if (ack.rate.prior_delivered >= round_end_) begin_round(ack);
  if (ack.rtt && !done_) take_sample(*ack.rtt);
  // RFC 9406 §4.2 limits the growth per ACK to L segments; L is infinite here, as receivers that coalesce
  // acknowledge whole super-segments.
  return is_conservative() ? ack.acked / kConservativeDivisor : ack.acked;
}

void HyStart::begin_round(const AckSample& ack) {
  if (is_conservative() && ++conservative_rounds_ > kConservativeRounds) done_ = true;
  round_end_ = ack.total_delivered;
  last_min_ = current_min_;
  current_min_ = Duration::max();
  samples_ = 0;
}

void HyStart::take_sample(Duration rtt) {
  current_min_ = std::min(current_min_, rtt);
  if (samples_ < kSamples) ++samples_;
  if (samples_ < kSamples || last_min_ == Duration::max()) return;
  if (is_conservative()) {
    if (current_min_ < baseline_) {  // it was noise: back to slow start
      baseline_ = Duration::max();
      conservative_rounds_ = 0;
    }
    return;
  }
  const Duration threshold = std::clamp(last_min_ / kDivisor, kMinThreshold, kMaxThreshold);
  if (current_min_ >= last_min_ + threshold) {
    baseline_ = current_min_;
    conservative_rounds_ = 1;
  }
}

}  // namespace transom::tcp
