// HyStart++ (RFC 9406): leaves slow start when the round-trip time grows, before the queue overflows.
//
//   slow start ── RTT of this round ≥ that of the last + threshold ──► conservative slow start (a quarter of
//   the growth)
//        ▲                                                                       │
//        └── the RTT has come down again: it was noise ──────────────────────────┤
//                                          five rounds of it ──► congestion avoidance
//
// Rounds are told by what has been delivered: one ends when a segment that was sent after its begin has
// arrived.
#pragma once

#include "stack/tcp/congestion/congestion_control.h"

namespace transom::tcp {

class HyStart {
 public:
  void restart() { *this = HyStart(); }

  // One ACK in slow start; returns by how much the window may grow.
  std::uint64_t growth(const AckSample& ack);
  // Slow start is over: ssthresh is to be the present window.
  bool is_done() const { return done_; }
  bool is_conservative() const { return conservative_rounds_ > 0; }

 private:
  static constexpr Duration kMinThreshold = std::chrono::milliseconds(4);   // MIN_RTT_THRESH
  static constexpr Duration kMaxThreshold = std::chrono::milliseconds(16);  // MAX_RTT_THRESH
  static constexpr int kDivisor = 8;                                        // MIN_RTT_DIVISOR
  static constexpr std::uint8_t kSamples = 8;                               // N_RTT_SAMPLE
  static constexpr std::uint64_t kConservativeDivisor = 4;                  // CSS_GROWTH_DIVISOR
  static constexpr std::uint8_t kConservativeRounds = 5;                    // CSS_ROUNDS

  void begin_round(const AckSample& ack);
  void take_sample(Duration rtt);

  std::uint64_t round_end_ = 0;  // of total_delivered
  Duration last_min_ = Duration::max();
  Duration current_min_ = Duration::max();
  Duration baseline_ = Duration::max();
  std::uint8_t samples_ = 0;
  std::uint8_t conservative_rounds_ = 0;  // 0: not conservative
  bool done_ = false;
};

}  // namespace transom::tcp
