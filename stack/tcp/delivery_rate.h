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
  std::uint64_t lost = 0;       // by the connection, when it was sent
  std::uint64_t in_flight = 0;  // with it
  bool application_limited = false;
};

class DeliveryRate {
 public:
  std::uint64_t delivered() const { return delivered_; }  // octets, since the handshake

  // Octets: in flight before this transmission, of it, and ever declared lost.
  struct Sending {
    std::uint64_t in_flight, octets, lost;
  };
  RateStamp on_sent(const Sending& sending, Instant now) {
    if (sending.in_flight == 0) first_sent_ = delivered_at_ = now;
    return {.delivered = delivered_,
            .delivered_at = delivered_at_,
            .first_sent = first_sent_,
            .lost = sending.lost,
            .in_flight = sending.in_flight + sending.octets,
            .application_limited = limited_until_ != 0};
  }
  // The application has nothing more to send though the window would let it.
  void on_application_limited(std::uint64_t in_flight) {
    limited_until_ = std::max<std::uint64_t>(delivered_ + in_flight, 1);
  }

  // `octets` were delivered; `newest` is the stamp of the one sent last among them, at `sent`. There is no
  // sample when the interval is below `min_rtt`: then the segment cannot have been what was acknowledged.
  RateSample on_delivered(std::uint64_t octets, std::uint64_t total_lost, const RateStamp& newest,
                          Instant sent, Instant now, Duration min_rtt) {
    delivered_ += octets;
    delivered_at_ = now;
    if (limited_until_ != 0 && delivered_ > limited_until_) limited_until_ = 0;
    first_sent_ = std::max(first_sent_, sent);
    RateSample sample{.delivered = delivered_ - newest.delivered,
                      .interval = std::max(sent - newest.first_sent, now - newest.delivered_at),
                      .prior_delivered = newest.delivered,
                      .in_flight = newest.in_flight,
                      .lost = total_lost - newest.lost,
                      .application_limited = newest.application_limited};
    if (sample.interval < min_rtt) sample.interval = Duration::zero();
    // As Linux shows it: what the application held back says only that the path is at least so fast.
    if (const std::uint64_t rate = sample.rate(); rate >= (sample.application_limited ? latest_ : 1)) {
      latest_ = rate;
      latest_is_limited_ = sample.application_limited;
    }
    return sample;
  }

  std::uint64_t latest() const { return latest_; }  // octets per second; 0 before the first sample
  bool latest_is_application_limited() const { return latest_is_limited_; }

 private:
  std::uint64_t delivered_ = 0;
  std::uint64_t limited_until_ =
      0;  // samples are application-limited until so much is delivered; 0: they are not
  Instant delivered_at_{};
  Instant first_sent_{};
  std::uint64_t latest_ = 0;
  bool latest_is_limited_ = false;
};

}  // namespace transom::tcp
