// pfifo and bfifo: first in, first out, and what does not fit is dropped at the tail.
#pragma once

#include "drivers/sim/queue.h"

namespace transom::drivers::sim {

struct FifoParameters {
  std::uint64_t limit_packets = 1000;
  std::uint64_t limit_octets = UINT64_MAX;
};

class FifoQueue final : public Queue {
 public:
  FifoQueue(link::LinkType type, const FifoParameters& parameters) : Queue(type), parameters_(parameters) {}

  void put(Packet packet, Instant now) override {
    if (waiting_.size() >= parameters_.limit_packets || octets() + packet.size() > parameters_.limit_octets)
      return count_full();
    waiting_.push_back(enter(std::move(packet), now));
  }

  Packet take(Instant) override {
    if (waiting_.empty()) return {};
    Packet packet = leave(std::move(waiting_.front()));
    waiting_.pop_front();
    return packet;
  }

 private:
  FifoParameters parameters_;
  Ring<Waiting> waiting_;
};

}  // namespace transom::drivers::sim
