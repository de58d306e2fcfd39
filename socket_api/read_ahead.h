// Whether a thread that is about to wait should read from the devices first. Where the answer to what it has
// just sent comes before it gets so far, as it does when both ends share a core, that saves asking for it
// with ppoll(). To read where nothing is costs as much as is saved, so that this is left off while it does
// not pay.
#pragma once

#include <algorithm>
#include <cstdint>

namespace transom::sockets {

class ReadAhead {
 public:
  // For each wait.
  bool is_due() {
    if (skip_ == 0) return true;
    --skip_;
    return false;
  }

  void on_read(bool found) {
    if (!found) {
      pause_ = std::min(2 * pause_ + 1, kLongestPause);
      skip_ = pause_;
      in_a_row_ = 0;
    } else if (++in_a_row_ % kMostInARow == 0) {
      skip_ = 1;
    } else {
      pause_ = 0;
    }
  }

 private:
  static constexpr std::uint32_t kLongestPause = 63;  // waits
  // Then ppoll() has its turn, which lets other threads have the lock.
  static constexpr std::uint32_t kMostInARow = 64;

  std::uint32_t skip_ = 0;
  std::uint32_t pause_ = 0;
  std::uint32_t in_a_row_ = 0;
};

}  // namespace transom::sockets
