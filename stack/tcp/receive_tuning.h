// How large the receive buffer ought to be: dynamic right-sizing (Fisk and Feng, LANL 2001), with the growth
// rule of Linux. In each round trip it counts what the application read. When that grows, the sender has a
// use for more: twice as much may arrive in the next round trip, as in slow start, and the window is to be
// ahead of that. An application that does not read makes no buffer grow.
//
// The round-trip time is measured from the receiver's side, as data flows one way and acknowledgments have no
// reply of their own: by the age of the timestamp that a segment echoes, or by the time that one offered
// window takes to arrive, since the end of it cannot be sent before the offer is there.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "stack/base/seq_num.h"
#include "stack/base/time.h"

namespace transom::tcp {

class ReceiveTuning {
 public:
  // `octets`: what a sender sends at first. `rtt`: of the handshake; zero when it is not known.
  void start(SeqNum nxt, std::uint32_t window, std::uint32_t octets, Duration rtt, Instant now) {
    per_round_ = std::max(octets, 1U);
    since_ = window_since_ = now;
    window_end_ = nxt + window;
    rtt_ = rtt;
  }

  struct Echo {
    std::uint32_t value;  // of our timestamp
    Duration age;         // since we sent it
  };
  // Octets up to `nxt` are there, and `window` more were offered. `echo`: of a segment of full size; of a
  // short one it may be old, as the sender had nothing to send for a while.
  void on_arrival(SeqNum nxt, std::uint32_t window, const std::optional<Echo>& echo, Instant now) {
    if (echo && (echo->value != last_echo_ || rtt_ == Duration::zero())) {
      last_echo_ = echo->value;
      on_sample(echo->age);
    }
    if (is_before(nxt, window_end_)) return;
    // Never below the truth, but above it when the sender does not fill the window.
    if (rtt_ == Duration::zero() || now - window_since_ < rtt_) on_sample(now - window_since_);
    window_end_ = nxt + window;
    window_since_ = now;
  }

  // The application has read so much. The size the buffer ought to have, at least, in octets; nullopt without
  // news. `mss`: of the peer's segments.
  std::optional<std::uint32_t> on_read(std::uint32_t octets, std::uint32_t mss, Instant now) {
    read_ += std::min(octets, UINT32_MAX - read_);
    if (rtt_ == Duration::zero() || now - since_ < rtt_) return std::nullopt;
    const std::uint64_t read = read_;
    read_ = 0;
    since_ = now;
    if (read <= per_round_) return std::nullopt;
    // Twice as much again, with room for a few segments, and ahead of a growth that goes on as it did, but
    // not faster than slow start: what a filled hole brings at once is no growth.
    std::uint64_t wanted = 2 * read + std::uint64_t{kSlackSegments} * mss;
    wanted += 2 * wanted * std::min<std::uint64_t>(read - per_round_, per_round_) / per_round_;
    per_round_ = static_cast<std::uint32_t>(read);
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, UINT32_MAX));
  }

  Duration rtt() const { return rtt_; }                   // zero: not known
  std::uint32_t per_round() const { return per_round_; }  // the most octets that were read in a round trip

 private:
  static constexpr std::uint32_t kSlackSegments = 16;

  // Follows a shorter time quickly: an echo may be old, it is never young.
  void on_sample(Duration sample) {
    sample = std::max(sample, Duration(1));
    if (rtt_ == Duration::zero()) {
      rtt_ = sample;
    } else {
      rtt_ += (sample - rtt_) / (sample < rtt_ ? 2 : 8);
    }
  }

  Duration rtt_{};
  Instant since_{};         // of what is counted in read_
  Instant window_since_{};  // when window_end_ was set
  SeqNum window_end_;       // the right edge at that time
  std::uint32_t last_echo_ = 0;
  std::uint32_t read_ = 0;
  std::uint32_t per_round_ = 1;
};

}  // namespace transom::tcp
