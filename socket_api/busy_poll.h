// How long a thread that waits for frames looks for them before it sleeps. To look costs the time of a core,
// to sleep and be woken costs many microseconds more than what it waits for may take.
//
// Adaptive, as hypervisors poll for halted processors: looking grows towards the limit while frames come
// shortly after the thread went to sleep, and shrinks to nothing while they take longer than the limit, so
// that an idle stack costs nothing, nor one whose peer waits for the same core.
#pragma once

#include <algorithm>

#include "stack/base/time.h"

namespace transom::sockets {

class BusyPoll {
 public:
  // Zero: never looks, always sleeps.
  explicit BusyPoll(Duration limit) : limit_(limit), budget_(limit) {}

  bool is_enabled() const { return limit_ > Duration{}; }
  // How long to look this time.
  Duration budget() const { return budget_; }

  // A wait ended after so long, looking included.
  void on_wait(Duration waited) {
    if (waited <= budget_) return;
    budget_ = waited <= limit_    ? std::min(limit_, std::max(2 * budget_, kFirst))
              : budget_ <= kFirst ? Duration{}
                                  : budget_ / 2;
  }

 private:
  static constexpr Duration kFirst = std::chrono::microseconds(5);

  Duration limit_;
  Duration budget_;
};

}  // namespace transom::sockets
