// Packetization-layer path MTU discovery (RFC 4821, with the search of RFC 8899 §5.3) for black holes: paths
// on which what is too long vanishes, and no ICMP message tells.
//
//   off ──timeouts of full segments──► searching ◄──after 10 minutes── found
//                                       base 1024, then 512           ▲
//                                       └── probes halve what is open ┘
//
//            delivered                       open                     lost, or more than the path can have
//    |------------------------- low_ ···· probe ···· high_ -----------------------
//
// Sizes are octets of payload in one segment. A probe is a segment of new data that is longer than the
// others; when it is lost nothing is known of congestion (RFC 4821 §7.6.2), but three must be lost, as others
// are too.
#pragma once

#include <algorithm>
#include <cstdint>

#include "stack/base/seq_num.h"
#include "stack/base/time.h"

namespace transom::tcp {

class PathMtuSearch {
 public:
  static constexpr std::uint32_t kBase = 1024;  // RFC 4821 §7.7; what Linux calls tcp_base_mss
  static constexpr std::uint32_t kFallback = 512;
  static constexpr Duration kRaise = std::chrono::minutes(10);  // RFC 4821 §7.7, PMTU_RAISE_TIMER of RFC 8899

  // The longest segment that is to be sent, apart from probes. UINT32_MAX: no limit.
  std::uint32_t limit() const { return is_on_ ? low_ : UINT32_MAX; }

  // `mss` is what the path is supposed to take. Of full segments nothing arrives any more: try shorter ones.
  // False when there are none: `least` is what every path takes (of IPv6: 1280 less the headers).
  bool fall_back(std::uint32_t mss, std::uint32_t least) {
    const std::uint32_t next = std::max(limit() <= kBase ? kFallback : kBase, least);
    if (next >= std::min(mss, limit())) return false;
    high_ = static_cast<std::uint16_t>(std::min(mss, 0xffffU));
    low_ = static_cast<std::uint16_t>(next);
    is_on_ = true;
    lost_ = 0;
    has_probe_ = is_found_ = false;
    next_probe_at_ = Instant{};
    return true;
  }

  // The size of the next probe; 0: none is due. `mss`: what the path is supposed to take, at present.
  std::uint32_t due_probe(std::uint32_t mss, Instant now) {
    if (!is_on_ || has_probe_ || now < next_probe_at_) return 0;
    if (is_found_) {  // the path may be a better one by now
      is_found_ = false;
      high_ = static_cast<std::uint16_t>(std::min(mss, 0xffffU));
    }
    high_ = static_cast<std::uint16_t>(std::min<std::uint32_t>(high_, mss));
    if (high_ <= low_) {
      is_found_ = true;
      next_probe_at_ = now + kRaise;
      return 0;
    }
    // Where little is open its upper end is worth a look: that is what a path without a hole takes.
    if (high_ < low_ + kClose) return high_;
    return (std::uint32_t{low_} + high_ + 1) / 2;
  }
  void on_probe_sent(SeqNum begin, std::uint32_t octets) {
    has_probe_ = true;
    begin_ = begin;
    size_ = static_cast<std::uint16_t>(octets);
  }

  // The numbers of the probe that is on its way.
  bool has_probe() const { return has_probe_; }
  SeqNum probe_begin() const { return begin_; }
  SeqNum probe_end() const { return begin_ + size_; }
  std::uint32_t probe_size() const { return size_; }

  // The peer has it.
  void on_probe_delivered() {
    has_probe_ = false;
    lost_ = 0;
    low_ = std::max(low_, size_);
    high_ = std::max(high_, low_);
  }
  // Another one is not sent before `again`.
  void on_probe_lost(Instant again) {
    constexpr std::uint8_t kMaxProbes = 3;  // RFC 8899 §5.1.2
    has_probe_ = false;
    next_probe_at_ = again;
    if (++lost_ < kMaxProbes) return;
    lost_ = 0;
    high_ = static_cast<std::uint16_t>(high_ < low_ + kClose ? low_ : size_ - 1);
  }
  // Something else was lost with it: no verdict.
  void forget_probe() { has_probe_ = false; }

 private:
  static constexpr std::uint32_t kClose = 16;

  bool is_on_ = false;
  bool is_found_ = false;
  bool has_probe_ = false;
  std::uint8_t lost_ = 0;  // probes of this size
  std::uint16_t low_ = 0;
  std::uint16_t high_ = 0;
  std::uint16_t size_ = 0;  // of the probe
  SeqNum begin_;            // of the probe
  Instant next_probe_at_{};
};

}  // namespace transom::tcp
