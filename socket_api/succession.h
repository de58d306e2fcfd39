// Which thread should drive. To hand the driving over costs two changes of threads, many times what it costs
// to serve a frame: so it should stay with the thread that is served, and come to it from one that merely
// waits.
#pragma once

#include <cstdint>
#include <thread>

#include "stack/base/time.h"

namespace transom::sockets {

class Succession {
 public:
  void on_begin(Instant now) {
    const std::thread::id self = std::this_thread::get_id();
    returns_ = self == last_ && now - left_ < kShort ? returns_ + 1 : 0;
    last_ = self;
    turns_ = 0;
  }
  // The driver has served the devices and is not done.
  void on_turn() { ++turns_; }
  void on_end(Instant now) { left_ = now; }

  // Whoever comes to wait does better to drive than the driver, who has worked for others all the time.
  bool is_idle() const { return turns_ >= kManyTurns; }
  // The driver that leaves has come back again and again: it need not be replaced at once.
  bool comes_back() const { return returns_ >= kManyReturns; }

 private:
  static constexpr Duration kShort = std::chrono::microseconds(200);
  static constexpr std::uint32_t kManyTurns = 64;
  static constexpr std::uint32_t kManyReturns = 8;

  std::thread::id last_;
  Instant left_{};
  std::uint32_t returns_ = 0;
  std::uint32_t turns_ = 0;
};

}  // namespace transom::sockets
