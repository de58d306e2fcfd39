// Proportional rate reduction (RFC 9937): during recovery, for what was delivered a part of it is sent, so
// that the window comes down to ssthresh over one round trip instead of pausing and bursting.
#pragma once

#include <algorithm>
#include <cstdint>

namespace transom::tcp {

class ProportionalRateReduction {
 public:
  // Recovery begins with `flight` octets in the network (RecoverFS of §6).
  void start(std::uint64_t flight) {
    recover_flight_ = std::max<std::uint64_t>(flight, 1);
    delivered_ = sent_ = 0;
    window_ = 0;
  }
  void on_sent(std::uint32_t octets) { sent_ += octets; }

  // One ACK arrived. `delivered`: octets newly delivered. `in_flight`: octets thought to be in the network
  // now. `is_safe`: it moved snd_una and found no further loss.
  void on_ack(std::uint64_t delivered, std::uint64_t in_flight, std::uint64_t ssthresh, std::uint32_t mss,
              bool is_safe) {
    delivered_ += delivered;
    std::uint64_t budget = 0;
    if (in_flight > ssthresh) {  // proportional
      const std::uint64_t share = (delivered_ * ssthresh + recover_flight_ - 1) / recover_flight_;
      budget = share > sent_ ? share - sent_ : 0;
    } else {  // below the target: grow back to it, like slow start while that is safe
      budget = std::max(delivered_ > sent_ ? delivered_ - sent_ : 0, delivered);
      if (is_safe) budget += mss;
      budget = std::min(budget, ssthresh - in_flight);
    }
    if (sent_ == 0) budget = std::max<std::uint64_t>(budget, mss);  // the fast retransmit itself
    window_ = in_flight + budget;
  }

  std::uint64_t window() const { return window_; }  // the congestion window in octets, during recovery

 private:
  std::uint64_t recover_flight_ = 1;
  std::uint64_t delivered_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t window_ = 0;
};

}  // namespace transom::tcp
