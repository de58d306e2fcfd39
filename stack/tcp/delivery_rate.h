// How fast the network delivers, measured at each ACK (draft-ietf-ccwg-bbr §4.1): what was delivered between
// the sending of a segment and its acknowledgment, over the longer of the times in which that was sent and
// was acknowledged. The first keeps a burst of ACKs from looking like a fast path, the second a burst of
// sends.
#pragma once

#include <algorithm>
#include <cstdint>

#include "stack/base/time.h"
#include "stack/tcp/congestion/congestion_control.h"

namespace transom::tcp {

// What is noted with each transmission.
struct RateStamp {
  std::uint64_t delivered = 0;  // by the connection, when it was sent
  Instant delivered_at{};       // the latest delivery before it was sent
  Instant first_sent{};         // when the flight began that it belongs to
  bool application_limited = false;
};

class DeliveryRate {
 public:
  std::uint64_t delivered() const { return delivered_; }  // octets, since the handshake

  RateStamp on_sent(Instant now, bool nothing_in_flight) {
    if (nothing_in_flight) first_sent_ = delivered_at_ = now;
    return {delivered_, delivered_at_, first_sent_, limited_until_ != 0};
  }
  // The application has nothing more to send though the window would let it.
  void on_application_limited(std::uint64_t in_flight) {
    limited_until_ = std::max<std::uint64_t>(delivered_ + in_flight, 1);
  }

  // `octets` were delivered; `newest` is the stamp of the one sent last among them, at `sent`. There is no
  // sample when the interval is below `min_rtt`: then the segment cannot have been what was acknowledged.
  RateSample on_delivered(std::uint64_t octets, const RateStamp& newest, Instant sent, Instant now,
                          Duration min_rtt) {
    delivered_ += octets;
    delivered_at_ = now;
    if (limited_until_ != 0 && delivered_ > limited_until_) limited_until_ = 0;
    first_sent_ = std::max(first_sent_, sent);
    RateSample sample{.delivered = delivered_ - newest.delivered,
                      .interval = std::max(sent - newest.first_sent, now - newest.delivered_at),
                      .prior_delivered = newest.delivered,
                      .application_limited = newest.application_limited};
    if (sample.interval < min_rtt) sample.interval = Duration::zero();
    return sample;
  }

 private:
  std::uint64_t delivered_ = 0;
  std::uint64_t limited_until_ =
      0;  // samples are application-limited until so much is delivered; 0: they are not
  Instant delivered_at_{};
  Instant first_sent_{};
};

}  // namespace transom::tcp
