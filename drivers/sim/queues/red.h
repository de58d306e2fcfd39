// Random early detection (Floyd and Jacobson, 1993), with the parameters and the behaviour of tc-red(8)
// without "adaptive": the average length decides; between `min` and `max` a packet is dropped or marked with
// a probability that grows to `probability`, from `max` on always.
#pragma once

#include <algorithm>

#include "drivers/sim/queue.h"

namespace transom::drivers::sim {

struct RedParameters {
  std::uint64_t limit = 400'000;  // octets, as the next two
  std::uint64_t min = 30'000;
  std::uint64_t max = 90'000;
  std::uint64_t avpkt = 1000;  // octets of a typical packet
  std::uint64_t burst = 0;     // packets that may come at once; 0: (2 * min + max) / (3 * avpkt)
  double probability = 0.02;
  std::uint64_t bandwidth = 10'000'000;  // bit/s of the link: how fast the average falls while it is idle
  bool ecn = false;
};

class RedQueue final : public Queue {
 public:
  RedQueue(link::LinkType type, const RedParameters& parameters, const Seed& seed)
      : Queue(type), parameters_(parameters), random_(seed), weight_(weight_for(parameters)) {}

  void put(Packet packet, Instant now) override {
    update_average(now);
    if (must_signal() && (!parameters_.ecn || !mark(packet))) return count_early();
    if (octets() + packet.size() > parameters_.limit) return count_full();
    waiting_.push_back(enter(std::move(packet), now));
  }

  Packet take(Instant now) override {
    if (waiting_.empty()) return {};
    Packet packet = leave(std::move(waiting_.front()));
    waiting_.pop_front();
    if (waiting_.empty()) idle_since_ = now;
    return packet;
  }

 private:
  // The largest power of 1/2 with which a burst from an empty queue brings the average to `min` only; as tc.
  static double weight_for(const RedParameters& parameters) {
    const auto typical = static_cast<double>(parameters.avpkt);
    const double burst = parameters.burst != 0
                             ? static_cast<double>(parameters.burst)
                             : static_cast<double>(2 * parameters.min + parameters.max) / (3 * typical);
    const double excess = burst + 1 - static_cast<double>(parameters.min) / typical;
    double weight = 0.5;
    for (int i = 1; i < 31; ++i, weight /= 2) {
      double left = 1;  // (1 - weight) ^ burst
      for (int n = 0; n < static_cast<int>(burst); ++n) left *= 1 - weight;
      if (excess <= (1 - left) / weight) break;
    }
    return weight;
  }

  void update_average(Instant now) {
    if (!waiting_.empty()) {
      average_ += weight_ * (static_cast<double>(octets()) - average_);
      return;
    }
    const double typical_time =
        static_cast<double>(parameters_.avpkt) * 8e9 / static_cast<double>(parameters_.bandwidth);
    auto missed = static_cast<double>((now - idle_since_).count()) / typical_time;
    for (; missed >= 1 && average_ > 1; missed -= 1) average_ *= 1 - weight_;
  }

  bool must_signal() {
    if (average_ < static_cast<double>(parameters_.min)) {
      since_last_ = -1;
      return false;
    }
    if (average_ >= static_cast<double>(parameters_.max)) {
      since_last_ = 0;
      return true;
    }
    ++since_last_;
    const double base = parameters_.probability * (average_ - static_cast<double>(parameters_.min)) /
                        static_cast<double>(parameters_.max - parameters_.min);
    const double spread = 1 - since_last_ * base;  // so that the gaps are uniform, not geometric
    if (spread > 0 && !random_.chance(base / spread)) return false;
    since_last_ = 0;
    return true;
  }

  RedParameters parameters_;
  Random random_;
  double weight_;
  double average_ = 0;  // octets
  double since_last_ = -1;
  Instant idle_since_{};
  Ring<Waiting> waiting_;
};

}  // namespace transom::drivers::sim
