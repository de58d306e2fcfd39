// Controlled delay (RFC 8289): when packets have waited longer than `target` for a whole `interval`, one is
// dropped (or marked), and then more, ever sooner, until the wait is short again.
#pragma once

#include <cmath>

#include "drivers/sim/queue.h"

namespace transom::drivers::sim {

struct CodelParameters {
  std::uint64_t limit = 1000;  // packets
  Duration target = std::chrono::milliseconds(5);
  Duration interval = std::chrono::milliseconds(100);
  Duration ce_threshold = Duration::max();  // mark whatever has waited longer
  bool ecn = false;
};

// The control law, over any queue that can hand out its first packet.
class Codel {
 public:
  // Source: `Waiting pop()` (empty packet: none left), `octets()`, `bool mark(Packet&)`, `drop(Waiting)`.
  template <typename Source>
  Waiting take(const CodelParameters& parameters, Source&& source, Instant now) {
    Waiting next = source.pop();
    bool may_drop = is_persistent(parameters, source, next, now);
    if (is_dropping_) {
      if (!may_drop) is_dropping_ = false;
      while (is_dropping_ && now >= next_drop_) {
        ++count_;
        if (parameters.ecn && source.mark(next.packet)) {
          next_drop_ = control_law(parameters, next_drop_);
          break;
        }
        source.drop(std::move(next));
        next = source.pop();
        may_drop = is_persistent(parameters, source, next, now);
        if (may_drop) {
          next_drop_ = control_law(parameters, next_drop_);
        } else {
          is_dropping_ = false;
        }
      }
    } else if (may_drop) {
      if (!parameters.ecn || !source.mark(next.packet)) {
        source.drop(std::move(next));
        next = source.pop();
        (void)is_persistent(parameters, source, next, now);
      }
      is_dropping_ = true;
      // §5.4: soon after the last time, go on from where the rate was then.
      const std::uint32_t since_last = count_ - last_count_;
      const bool is_recent = now - next_drop_ < 16 * parameters.interval;
      count_ = since_last > 1 && is_recent ? since_last : 1;
      last_count_ = count_;
      next_drop_ = control_law(parameters, now);
    }
    if (next.packet && now - next.since > parameters.ce_threshold) (void)source.mark(next.packet);
    return next;
  }

 private:
  static constexpr std::uint64_t kOnePacket = 1514;

  Instant control_law(const CodelParameters& parameters, Instant from) const {
    return from + Duration(static_cast<std::int64_t>(static_cast<double>(parameters.interval.count()) /
                                                     std::sqrt(static_cast<double>(count_))));
  }

  template <typename Source>
  bool is_persistent(const CodelParameters& parameters, Source&& source, const Waiting& next, Instant now) {
    if (!next.packet || now - next.since < parameters.target || source.octets() <= kOnePacket) {
      above_until_ = kNever;
      return false;
    }
    if (above_until_ == kNever) {
      above_until_ = now + parameters.interval;
      return false;
    }
    return now >= above_until_;
  }

  bool is_dropping_ = false;
  std::uint32_t count_ = 0;
  std::uint32_t last_count_ = 0;
  Instant above_until_ = kNever;
  Instant next_drop_{};
};

class CodelQueue final : public Queue {
 public:
  CodelQueue(link::LinkType type, const CodelParameters& parameters) : Queue(type), parameters_(parameters) {}

  void put(Packet packet, Instant now) override {
    if (waiting_.size() >= parameters_.limit) return count_full();
    waiting_.push_back(enter(std::move(packet), now));
  }

  Packet take(Instant now) override {
    Waiting next = codel_.take(parameters_, Source{*this}, now);
    return next.packet ? leave(std::move(next)) : Packet();
  }

 private:
  struct Source {
    CodelQueue& queue;
    Waiting pop() const {
      if (queue.waiting_.empty()) return {};
      Waiting first = std::move(queue.waiting_.front());
      queue.waiting_.pop_front();
      return first;
    }
    std::uint64_t octets() const { return queue.octets(); }
    bool mark(Packet& packet) const { return queue.mark(packet); }
    void drop(Waiting waiting) const { queue.drop_early(std::move(waiting)); }
  };

  CodelParameters parameters_;
  Codel codel_;
  Ring<Waiting> waiting_;
};

}  // namespace transom::drivers::sim
