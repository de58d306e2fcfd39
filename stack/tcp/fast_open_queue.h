// How many fast-open connections of one listener wait for the end of their handshake: the
// PendingFastOpenRequests of RFC 7413 §4.2.2.
//
// One that was reset counts on for a while (§5.1): else whoever sends SYNs with a stolen cookie from spoofed
// addresses would have the resets of the spoofed make room for more.
#pragma once

#include "stack/base/ring.h"
#include "stack/base/time.h"

namespace transom::tcp {

class FastOpenQueue {
 public:
  static constexpr Duration kResetCountsFor = std::chrono::seconds(60);  // as Linux

  // Whether one more may enter. Never more than `limit` are held, resets included.
  bool has_room(std::size_t limit, Instant now) {
    while (!resets_.empty() && resets_.front() <= now) resets_.pop_front();
    return size() < limit;
  }
  void enter() { ++waiting_; }
  // The handshake is done, or the connection has ended otherwise than by the peer's reset.
  void leave() { --waiting_; }
  void leave_by_reset(Instant now) {
    --waiting_;
    resets_.push_back(now + kResetCountsFor);
  }
  std::size_t size() const { return waiting_ + resets_.size(); }

 private:
  std::size_t waiting_ = 0;
  Ring<Instant> resets_;  // when each is forgotten
};

}  // namespace transom::tcp
