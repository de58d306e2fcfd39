// Dual-queue coupled AQM (RFC 9332, DualPI2 of its appendix A): one queue for scalable congestion controls
// (ECT(1) and CE: marked early and often), one for all others (dropped or marked by the square of the same
// probability), so that both kinds get the same share.
#pragma once

#include <algorithm>

#include "drivers/sim/ip_view.h"
#include "drivers/sim/queue.h"

namespace transom::drivers::sim {

struct DualPi2Parameters {
  std::uint64_t limit = 10000;  // packets, both queues
  Duration target = std::chrono::milliseconds(15);
  Duration tupdate = std::chrono::milliseconds(16);
  double alpha = 0.16;  // per second
  double beta = 3.2;    // per second
  double coupling_factor = 2;
  Duration step_thresh = std::chrono::milliseconds(1);
};

class DualPi2Queue final : public Queue {
 public:
  DualPi2Queue(link::LinkType type, const DualPi2Parameters& parameters, const Seed& seed)
      : Queue(type), parameters_(parameters), random_(seed) {}

  void put(Packet packet, Instant now) override {
    update(now);
    if (packets() >= parameters_.limit) return count_full();
    const EcnCodepoint ecn = ecn_of(packet, type());
    const bool is_low_latency = ecn == EcnCodepoint::kEct1 || ecn == EcnCodepoint::kCe;
    (is_low_latency ? low_latency_ : classic_).push_back(enter(std::move(packet), now));
  }

  Packet take(Instant now) override {
    update(now);
    while (!low_latency_.empty() || !classic_.empty()) {
      const bool from_low_latency = is_low_latency_turn();
      Ring<Waiting>& queue = from_low_latency ? low_latency_ : classic_;
      Waiting next = std::move(queue.front());
      queue.pop_front();
      charge(from_low_latency, next.octets);
      if (from_low_latency ? passes_low_latency(next, now) : passes_classic(next))
        return leave(std::move(next));
      drop_early(std::move(next));
    }
    return {};
  }

 private:
  // Above this probability of the classic queue marks are not enough: RFC 9332 §4.1, overload.
  static constexpr double kMaxClassic = 0.25;

  // Weighted round robin: where both wait, the classic queue gets a tenth of the turns for certain; the marks
  // give it the rest (RFC 9332 §4.2.2).
  bool is_low_latency_turn() const {
    if (low_latency_.empty()) return false;
    return classic_.empty() || credit_ <= 0;
  }
  void charge(bool from_low_latency, std::uint32_t octets) {
    if (low_latency_.empty() || classic_.empty()) return;
    credit_ += from_low_latency ? std::int64_t{octets} : -9 * std::int64_t{octets};
  }

  double classic_probability() const { return probability_ * probability_; }

  bool passes_low_latency(Waiting& next, Instant now) {
    if (classic_probability() > kMaxClassic && random_.chance(classic_probability())) return false;
    const bool is_over_step = now - next.since > parameters_.step_thresh && !low_latency_.empty();
    const bool is_coupled = random_.chance(std::min(1.0, parameters_.coupling_factor * probability_));
    if (is_over_step || is_coupled) (void)mark(next.packet);
    return true;
  }

  bool passes_classic(Waiting& next) {
    if (classic_.empty() || !random_.chance(classic_probability())) return true;
    return classic_probability() <= kMaxClassic && mark(next.packet);
  }

  void update(Instant now) {
    constexpr int kUntilForgotten = 1000;
    if (next_update_ == kNever) next_update_ = now + parameters_.tupdate;
    for (int i = 0; now >= next_update_; ++i) {
      if (i == kUntilForgotten) {
        probability_ = 0;
        next_update_ = now + parameters_.tupdate;
        break;
      }
      update_once(next_update_);
      next_update_ += parameters_.tupdate;
    }
  }
  void update_once(Instant at) {
    const auto wait = [at](const Ring<Waiting>& queue) {
      return queue.empty() || queue.front().since > at ? Duration::zero() : at - queue.front().since;
    };
    const auto seconds = [](Duration duration) { return static_cast<double>(duration.count()) * 1e-9; };
    const Duration delay = std::max(wait(classic_), wait(low_latency_));
    probability_ += parameters_.alpha * seconds(delay - parameters_.target) +
                    parameters_.beta * seconds(delay - old_delay_);
    probability_ = std::clamp(probability_, 0.0, 1.0);
    old_delay_ = delay;
  }

  DualPi2Parameters parameters_;
  Random random_;
  double probability_ = 0;  // of the low-latency queue before coupling; the classic one has its square
  std::int64_t credit_ = 0;
  Duration old_delay_{};
  Instant next_update_ = kNever;
  Ring<Waiting> low_latency_;
  Ring<Waiting> classic_;
};

}  // namespace transom::drivers::sim
