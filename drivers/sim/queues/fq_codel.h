// Flow queue CoDel (RFC 8290): flows are hashed into queues of their own, served in turn by deficit round
// robin with the new ones first, and each is kept short by CoDel.
#pragma once

#include <algorithm>
#include <vector>

#include "drivers/sim/ip_view.h"
#include "drivers/sim/queues/codel.h"

namespace transom::drivers::sim {

struct FqCodelParameters {
  CodelParameters codel{.limit = 10240, .ecn = true};
  std::uint64_t flows = 1024;
  std::uint64_t quantum = 1514;  // octets
};

class FqCodelQueue final : public Queue {
 public:
  FqCodelQueue(link::LinkType type, const FqCodelParameters& parameters, const Seed& seed)
      : Queue(type), parameters_(parameters), salt_(Random(seed).next()), flows_(parameters.flows) {}

  void put(Packet packet, Instant now) override {
    const auto index = static_cast<std::uint32_t>(flow_hash(packet, type(), salt_) % flows_.size());
    Flow& flow = flows_[index];
    flow.waiting.push_back(enter(std::move(packet), now));
    flow.octets += flow.waiting.back().octets;
    if (!flow.is_listed) {
      flow.is_listed = true;
      flow.credit = static_cast<std::int64_t>(parameters_.quantum);
      new_flows_.push_back(index);
    }
    if (packets() > parameters_.codel.limit) drop_from_fattest();
  }

  Packet take(Instant now) override {
    while (!new_flows_.empty() || !old_flows_.empty()) {
      const bool is_new = !new_flows_.empty();
      Ring<std::uint32_t>& list = is_new ? new_flows_ : old_flows_;
      const std::uint32_t index = list.front();
      Flow& flow = flows_[index];
      if (flow.credit <= 0) {
        flow.credit += static_cast<std::int64_t>(parameters_.quantum);
        list.pop_front();
        old_flows_.push_back(index);
        continue;
      }
      Waiting next = flow.codel.take(parameters_.codel, Source{*this, flow}, now);
      if (next.packet) {
        flow.credit -= next.octets;
        return leave(std::move(next));
      }
      list.pop_front();
      // §4.2: an emptied new flow goes through the old ones once, so that it cannot starve them.
      if (is_new && !old_flows_.empty()) {
        old_flows_.push_back(index);
      } else {
        flow.is_listed = false;
      }
    }
    return {};
  }

 private:
  struct Flow {
    Ring<Waiting> waiting;
    std::uint64_t octets = 0;
    std::int64_t credit = 0;
    bool is_listed = false;
    Codel codel;
  };
  struct Source {
    FqCodelQueue& queue;
    Flow& flow;
    Waiting pop() const {
      if (flow.waiting.empty()) return {};
      Waiting first = std::move(flow.waiting.front());
      flow.waiting.pop_front();
      flow.octets -= first.octets;
      return first;
    }
    std::uint64_t octets() const { return flow.octets; }
    bool mark(Packet& packet) const { return queue.mark(packet); }
    void drop(Waiting waiting) const { queue.drop_early(std::move(waiting)); }
  };

  // §4.1.1: half of the longest queue, at most 64 packets, from its head.
  void drop_from_fattest() {
    constexpr std::size_t kBatch = 64;
    Flow& fattest = *std::ranges::max_element(flows_, {}, &Flow::octets);
    const std::size_t count = std::min((fattest.waiting.size() + 1) / 2, kBatch);
    for (std::size_t i = 0; i < count; ++i) {
      leave(Source{*this, fattest}.pop()).reset();
      count_full();
    }
  }

  FqCodelParameters parameters_;
  std::uint64_t salt_;
  std::vector<Flow> flows_;
  Ring<std::uint32_t> new_flows_;
  Ring<std::uint32_t> old_flows_;
};

}  // namespace transom::drivers::sim
