#include "stack/tcp/rack.h"

#include <algorithm>

namespace transom::tcp {

void Rack::on_duplicate_reported(SeqNum una, SeqNum nxt) {
  if (in_round_ && is_before(una, round_end_)) return;
  in_round_ = true;
  round_end_ = nxt;
  if (window_factor_ < UINT8_MAX) ++window_factor_;
  persist_ = kPersist;
}

void Rack::on_recovery_end() {
  in_round_ = false;
  if (persist_ > 0) --persist_;
  if (persist_ == 0) window_factor_ = 1;
}

Duration Rack::reordering_window(const RttEstimator& rtt, bool is_certain) const {
  if (!rtt.has_sample() || (!reordering_seen_ && is_certain)) return Duration::zero();
  return std::min(window_factor_ * (rtt.min_rtt() / 4), rtt.srtt());
}

}  // namespace transom::tcp
