// What kept a sender from sending more, and for how long: at each moment it is one of these, so that the
// times add up to the age of the connection. Linux has three of them in TCP_INFO: busy (all but kIdle),
// kReceiveWindow and kSendBuffer.
#pragma once

#include <array>
#include <cstdint>

#include "stack/base/time.h"

namespace transom::tcp {

enum class Limited : std::uint8_t {
  kIdle,              // everything is acknowledged and nothing is to be sent
  kApplication,       // all that was written is in flight, or waits for more (Nagle, cork)
  kSendBuffer,        // the same, while the application waits for room to write more
  kReceiveWindow,     // the peer's window
  kCongestionWindow,  // the congestion window
  kRecovery,          // the congestion window, while losses are repaired
  kPacing,            // the pacing rate
  kCount
};

using LimitedTotals = std::array<Duration, static_cast<std::size_t>(Limited::kCount)>;

class LimitedTimes {
 public:
  void start(Instant now) { since_ = now; }
  void change(Limited limited, Instant now) {
    if (limited == limited_) return;
    totals_[index(limited_)] += now - since_;
    since_ = now;
    limited_ = limited;
  }

  Limited current() const { return limited_; }
  // Until `now`.
  LimitedTotals totals(Instant now) const {
    LimitedTotals totals = totals_;
    totals[index(limited_)] += now - since_;
    return totals;
  }

 private:
  static constexpr std::size_t index(Limited limited) { return static_cast<std::size_t>(limited); }

  LimitedTotals totals_{};
  Instant since_{};
  Limited limited_ = Limited::kIdle;
};

}  // namespace transom::tcp
