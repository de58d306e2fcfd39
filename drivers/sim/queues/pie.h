// Proportional integral controller enhanced (RFC 8033): packets are dropped (or marked) on arrival, with a
// probability that follows the waiting time and its trend.
#pragma once

#include <algorithm>

#include "drivers/sim/queue.h"

namespace transom::drivers::sim {

struct PieParameters {
  std::uint64_t limit = 1000;  // packets
  Duration target = std::chrono::milliseconds(15);
  Duration tupdate = std::chrono::milliseconds(15);
  double alpha = 2;  // in sixteenths per second, as tc; RFC 8033 §5.1: 0.125
  double beta = 20;  // likewise: 1.25
  bool ecn = false;
};

class PieQueue final : public Queue {
 public:
  PieQueue(link::LinkType type, const PieParameters& parameters, const Seed& seed)
      : Queue(type), parameters_(parameters), random_(seed) {}

  void put(Packet packet, Instant now) override {
    update(now);
    if (waiting_.size() >= parameters_.limit) return count_full();
    if (must_signal()) {
      constexpr double kMaxMarking = 0.1;  // §5.1: above, marks alone would not help
      const bool may_mark = parameters_.ecn && probability_ <= kMaxMarking;
      if (!may_mark || !mark(packet)) return count_early();
    }
    waiting_.push_back(enter(std::move(packet), now));
  }

  Packet take(Instant now) override {
    update(now);
    if (waiting_.empty()) return {};
    delay_ = now - waiting_.front().since;
    Packet packet = leave(std::move(waiting_.front()));
    waiting_.pop_front();
    if (waiting_.empty()) delay_ = Duration::zero();
    return packet;
  }

 private:
  static constexpr Duration kMaxBurst = std::chrono::milliseconds(150);

  static double seconds(Duration duration) { return static_cast<double>(duration.count()) * 1e-9; }

  // §4.1, §5.4 (the gap between drops is kept from becoming very short or very long).
  bool must_signal() {
    constexpr std::uint64_t kTwoPackets = 3028;
    if (burst_ > Duration::zero()) return false;
    if (old_delay_ < parameters_.target / 2 && probability_ < 0.2) return false;
    if (octets() <= kTwoPackets) return false;
    accumulated_ = probability_ == 0 ? 0 : accumulated_ + probability_;
    if (accumulated_ < 0.85) return false;
    if (accumulated_ < 8.5 && !random_.chance(probability_)) return false;
    accumulated_ = 0;
    return true;
  }

  // All updates that were due by now.
  void update(Instant now) {
    constexpr int kUntilForgotten = 1000;
    if (next_update_ == kNever) next_update_ = now + parameters_.tupdate;
    for (int i = 0; now >= next_update_; ++i) {
      if (i == kUntilForgotten) {
        probability_ = 0;
        next_update_ = now + parameters_.tupdate;
        break;
      }
      update_once();
      next_update_ += parameters_.tupdate;
    }
  }

  // §4.2, §5.2, §5.5.
  void update_once() {
    double change = parameters_.alpha / 16 * seconds(delay_ - parameters_.target) +
                    parameters_.beta / 16 * seconds(delay_ - old_delay_);
    for (const auto& [below, divisor] : {std::pair{0.000001, 2048.0},
                                         {0.00001, 512.0},
                                         {0.0001, 128.0},
                                         {0.001, 32.0},
                                         {0.01, 8.0},
                                         {0.1, 2.0}}) {
      if (probability_ >= below) continue;
      change /= divisor;
      break;
    }
    if (probability_ >= 0.1 && change > 0.02) change = 0.02;
    if (delay_ > std::chrono::milliseconds(250)) change = 0.02;
    probability_ = std::clamp(probability_ + change, 0.0, 1.0);
    if (delay_ == Duration::zero() && old_delay_ == Duration::zero()) probability_ *= 0.98;
    burst_ = std::max(burst_ - parameters_.tupdate, Duration::zero());
    if (probability_ == 0 && delay_ < parameters_.target / 2 && old_delay_ < parameters_.target / 2)
      burst_ = kMaxBurst;
    old_delay_ = delay_;
  }

  PieParameters parameters_;
  Random random_;
  double probability_ = 0;
  double accumulated_ = 0;
  Duration delay_{};
  Duration old_delay_{};
  Duration burst_ = kMaxBurst;
  Instant next_update_ = kNever;
  Ring<Waiting> waiting_;
};

}  // namespace transom::drivers::sim
