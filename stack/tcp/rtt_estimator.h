// Round-trip time and retransmission timeout (RFC 6298), with the weights of RFC 7323 appendix G where there
// are many samples per round trip.
//
// Karn's rule is the caller's: no sample from a segment that was retransmitted, unless a timestamp tells
// which transmission was answered. A backed-off timeout stays until a valid sample comes (RFC 6298 §5.5 to
// §5.7).
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "stack/base/time.h"
#include "stack/tcp/windowed_min.h"

namespace transom::tcp {

class RttEstimator {
 public:
  static constexpr Duration kInitialRto = std::chrono::seconds(1);        // RFC 6298 §2.1
  static constexpr Duration kMaxRto = std::chrono::seconds(120);          // at least 60 s (§2.4)
  static constexpr Duration kGranularity = std::chrono::milliseconds(1);  // G of §2.3
  static constexpr Duration kAfterSynLoss = std::chrono::seconds(3);      // §5.7

  // `min_rto`: the least that the timeout is above SRTT. RFC 6298 §2.4 bounds the timeout as a whole; where
  // the bound is low and the path steady, a queue that grows would then overtake it, so it is applied, as
  // Linux does, to the term of the variance.
  explicit RttEstimator(Duration min_rto)
      : base_rto_(std::max(kInitialRto, min_rto)),
        min_rto_(std::chrono::duration_cast<ShortDuration>(min_rto)) {}

  // `samples_per_rtt` is how many are expected in the present round trip, at least 1.
  void sample(Duration rtt, std::uint32_t samples_per_rtt, Instant now);

  Duration rto() const;  // backed off
  void back_off() {
    if (backoff_ < kMaxBackoff) ++backoff_;
  }
  void reset_backoff() { backoff_ = 0; }
  // The SYN was retransmitted: start the data with 3 s (§5.7).
  void syn_was_lost() {
    base_rto_ = kAfterSynLoss;
    backoff_ = 0;
  }

  bool has_sample() const { return srtt_ > Duration::zero(); }
  Duration srtt() const { return srtt_; }
  Duration rttvar() const { return rttvar_; }
  // Of the last minutes; meaningful once there is a sample.
  Duration min_rtt() const { return history_ ? history_->min.value() : srtt_; }
  Duration latest() const { return history_ ? history_->latest : srtt_; }
  std::uint8_t backoff() const { return backoff_; }

 private:
  static constexpr std::uint8_t kMaxBackoff = 16;

  using ShortDuration = std::chrono::duration<std::uint32_t, std::micro>;  // an hour at most

  // Of the samples behind the first, which the handshake gives: many connections never get another.
  struct History {
    WindowedMin min;
    Duration latest{};
  };

  Duration srtt_{};
  Duration rttvar_{};
  std::unique_ptr<History> history_;
  Duration base_rto_;
  ShortDuration min_rto_;
  std::uint8_t backoff_ = 0;
};

}  // namespace transom::tcp
