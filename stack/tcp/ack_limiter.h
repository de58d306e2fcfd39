// How often a connection may be made to send ACKs that tell the peer nothing new: challenge ACKs (RFC 5961
// §7) and answers to unacceptable segments without text. Per connection and with a random limit, so that
// nobody off the path can count (CVE-2016-5696), and two stacks whose numbers were shifted cannot shout at
// each other for ever.
#pragma once

#include "stack/base/random.h"
#include "stack/base/time.h"

namespace transom::tcp {

class AckLimiter {
 public:
  bool may_send(Instant now, Random& random) {
    constexpr Duration kPeriod = std::chrono::seconds(1);
    if (now - period_start_ >= kPeriod || allowed_ == kUnset) {
      period_start_ = now;
      allowed_ = static_cast<std::uint8_t>(2 + random.below(4));
    }
    if (allowed_ == 0) return false;
    --allowed_;
    return true;
  }

 private:
  static constexpr std::uint8_t kUnset = UINT8_MAX;

  Instant period_start_{};
  std::uint8_t allowed_ = kUnset;
};

}  // namespace transom::tcp
