// Is the congestion window in use? What was never filled says nothing about the path, so such a window must
// not grow, and one that has not been filled for long must not be kept.
//
// The rule is that of Linux (tcp_cwnd_validate), which is RFC 2861's; RFC 7661 is milder to bursts and needs
// more state. A window counts as used for a whole round trip when it held the sender back once in it; in slow
// start, when half of it was in flight, since it doubles. Not used for one retransmission timeout, by the
// choice of the application or of the peer's window, it comes down half the way to what was used.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "stack/base/seq_num.h"
#include "stack/base/time.h"

namespace transom::tcp {

class WindowValidation {
 public:
  // Octets, with what the window and the sender's numbers are.
  struct Use {
    SeqNum una, nxt;
    std::uint32_t in_flight = 0;
    std::uint64_t cwnd = 0, ssthresh = 0;
  };

  // All that may be sent was sent. `is_limited`: there is more, but the window is full.
  void on_sent(const Use& use, bool is_limited, Instant now) {
    if (is_at_or_after(use.una, round_end_) || is_limited || (!was_limited_ && use.in_flight > most_)) {
      was_limited_ = is_limited;
      most_ = use.in_flight;
      round_end_ = use.nxt;
    }
    if (is_used(use.cwnd, use.ssthresh)) {
      most_since_used_ = 0;
      used_at_ = now;
    } else {
      most_since_used_ = std::max(most_since_used_, use.in_flight);
    }
  }

  bool is_used(std::uint64_t cwnd, std::uint64_t ssthresh) const {
    return was_limited_ || (cwnd < ssthresh && cwnd < std::uint64_t{2} * most_);
  }
  // Octets that were in flight at most, when the window was not used for `rto` since it last was, or since
  // this last said so.
  std::optional<std::uint32_t> take_underuse(Duration rto, Instant now) {
    if (now - used_at_ < rto) return std::nullopt;
    used_at_ = now;
    return std::exchange(most_since_used_, 0);
  }
  void start(SeqNum una) { round_end_ = una; }

 private:
  SeqNum round_end_;
  std::uint32_t most_ = 0;  // in flight, in this round trip
  std::uint32_t most_since_used_ = 0;
  Instant used_at_{};
  bool was_limited_ = false;  // in this round trip
};

}  // namespace transom::tcp
