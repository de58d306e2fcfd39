// How much the user may have written that the peer has not acknowledged. What SO_SNDBUF says, or, as long as
// it says nothing, three times the congestion window: one window in flight, one to be sent while its
// acknowledgments arrive, also in slow start, where each acknowledgment lets twice as much go, and a third,
// as the writer is woken only when a third of the buffer is free. It only grows, as what is queued cannot be
// handed back.
#pragma once

#include <algorithm>
#include <cstdint>

#include "stack/tcp/types.h"

namespace transom::tcp {

class SendBuffer {
 public:
  // `set_by_user`: octets; 0: tuned within `range`. `is_scarce`: packet buffers are few.
  void configure(std::uint32_t set_by_user, const BufferRange& range, bool is_scarce) {
    is_tuned_ = set_by_user == 0;
    if (!is_tuned_) {
      size_ = set_by_user;
    } else if (size_ == 0) {
      size_ = is_scarce ? range.min : range.initial;
    }
  }

  std::uint32_t size() const { return size_; }  // octets

  // The congestion window may have grown.
  void on_acknowledgment(std::uint64_t cwnd, const BufferRange& range, bool is_scarce) {
    if (!is_tuned_ || is_scarce || kWindows * cwnd <= size_) return;
    size_ = std::max(size_, static_cast<std::uint32_t>(std::min<std::uint64_t>(kWindows * cwnd, range.max)));
  }

 private:
  static constexpr std::uint64_t kWindows = 3;

  std::uint32_t size_ = 0;
  bool is_tuned_ = true;
};

}  // namespace transom::tcp
