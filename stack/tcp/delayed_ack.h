// When an acknowledgment may wait, and how long (RFC 9293 §3.8.6.3, RFC 5681 §4.2), with the policy of Linux:
//
//   quick acks    the first acknowledgments of a connection are not delayed, nor those after a long pause or
//                 after a hole: the peer is in slow start then, and each of them lets it send more
//   ato           how long one waits else: 40 ms, and longer where the peer's segments come at longer
//                 intervals, so that the next may still be in time; never above 200 ms, nor a round trip
//   conversation  where the application answers, the acknowledgment rides on the answer: quick acks end
//
// That every second full-sized segment is acknowledged at once is the receiver's business.
#pragma once

#include <algorithm>
#include <cstdint>

#include "stack/base/time.h"

namespace transom::tcp {

class DelayedAck {
 public:
  static constexpr Duration kMin = std::chrono::milliseconds(40);
  static constexpr Duration kMax = std::chrono::milliseconds(200);  // MUST-40 allows 500 ms
  static constexpr std::uint32_t kMaxQuick = 16;

  // `quick`: how many acknowledgments are not to be delayed; half the segments that fill our window is all
  // that is of use.
  void go_quick(std::uint32_t quick) {
    quick_ = std::max(quick_, static_cast<std::uint8_t>(std::clamp(quick, 2U, kMaxQuick)));
  }
  bool is_quick() const { return quick_ > 0 && !is_conversation_; }

  // A segment with text has come, `gap` after the one before. `rto`: of our sender, as a measure of the path.
  void on_arrival(Duration gap, Duration rto, std::uint32_t quick) {
    if (gap > rto) {  // the peer has begun anew, or ought to have
      go_quick(quick);
    } else if (gap <= kMin / 2) {
      set_wait(wait() / 2 + kMin / 2, rto);
    } else if (gap < wait()) {
      set_wait(wait() / 2 + gap, rto);
    }
  }
  // Something is missing or came twice: the peer needs to know soon.
  void on_disorder(std::uint32_t quick) {
    is_conversation_ = false;
    ato_ms_ = kMinMs;
    go_quick(quick);
  }
  // Data was sent, `gap` after the latest arrival: is that an answer?
  void on_data_sent(Duration gap) { is_conversation_ = is_conversation_ || gap < wait(); }
  // An acknowledgment was sent, with data or alone.
  void on_sent() {
    if (quick_ > 0) --quick_;
  }
  // The acknowledgment has waited in vain.
  void on_expired(Duration rto) {
    if (is_conversation_) {  // there was no answer for it to ride on
      is_conversation_ = false;
      ato_ms_ = kMinMs;
    } else {
      set_wait(2 * wait(), rto);
    }
  }

  // How long the next one may wait. `srtt`: zero when it is not known.
  Duration delay(Duration srtt) const {
    const Duration most = srtt > Duration::zero() ? std::min(std::max(srtt, kMin), kMax) : kMax;
    return std::min(wait(), most);
  }

 private:
  static constexpr std::uint8_t kMinMs = kMin / std::chrono::milliseconds(1);

  Duration wait() const { return std::chrono::milliseconds(ato_ms_); }
  void set_wait(Duration wait, Duration rto) {
    wait = std::clamp(wait, kMin, std::max(std::min(rto, kMax), kMin));
    ato_ms_ = static_cast<std::uint8_t>(wait / std::chrono::milliseconds(1));
  }

  std::uint8_t ato_ms_ = kMinMs;
  std::uint8_t quick_ = 0;
  bool is_conversation_ = false;
};

}  // namespace transom::tcp
