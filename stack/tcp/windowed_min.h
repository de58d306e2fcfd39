// The smallest round-trip time of the last five minutes, in constant space: the filter of Kathleen Nichols,
// which Linux has in lib/minmax.c. It keeps the smallest of the window, the smallest since that, and the
// smallest since that one, so that there is a successor, from the later part of the window, when the first
// grows too old. A minimum of the connection's whole life would be that of a path it may no longer have.
#pragma once

#include <array>

#include "stack/base/time.h"

namespace transom::tcp {

class WindowedMin {
 public:
  static constexpr Duration kWindow = std::chrono::minutes(5);  // tcp_min_rtt_wlen of Linux

  void update(Duration value, Instant now) {
    const Sample sample{value, now};
    if (value <= best_[0].value || now - best_[2].at > kWindow) {
      best_.fill(sample);
      return;
    }
    if (value <= best_[1].value) {
      best_[1] = best_[2] = sample;
    } else if (value <= best_[2].value) {
      best_[2] = sample;
    }
    if (now - best_[0].at > kWindow) {
      best_ = {best_[1], best_[2], sample};
      if (now - best_[0].at > kWindow) best_ = {best_[1], best_[2], sample};
    } else if (best_[1].at == best_[0].at && now - best_[0].at > kWindow / 4) {
      best_[1] = best_[2] = sample;  // of the second quarter, at the latest
    } else if (best_[2].at == best_[1].at && now - best_[1].at > kWindow / 2) {
      best_[2] = sample;  // of the second half
    }
  }

  Duration value() const { return best_[0].value; }  // Duration::max() before the first sample

 private:
  struct Sample {
    Duration value = Duration::max();
    Instant at{};
  };
  std::array<Sample, 3> best_{};  // value and time both grow from each to the next
};

}  // namespace transom::tcp
