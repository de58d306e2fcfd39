// What is due next: one instant for each flow at most.
#pragma once

#include <map>
#include <set>

#include "stack/base/time.h"

namespace transom::drivers::replay {

class Agenda {
 public:
  bool is_empty() const { return by_time_.empty(); }
  // Of the earliest; not of an empty agenda. Of several at the same instant, the lowest number.
  Instant due() const { return by_time_.begin()->first; }
  std::size_t flow() const { return by_time_.begin()->second; }

  bool has(std::size_t flow) const { return by_flow_.contains(flow); }
  // In place of what it had.
  void set(std::size_t flow, Instant due) {
    remove(flow);
    by_flow_.emplace(flow, due);
    by_time_.emplace(due, flow);
  }
  void remove(std::size_t flow) {
    const auto found = by_flow_.find(flow);
    if (found == by_flow_.end()) return;
    by_time_.erase({found->second, flow});
    by_flow_.erase(found);
  }

 private:
  std::set<std::pair<Instant, std::size_t>> by_time_;
  std::map<std::size_t, Instant> by_flow_;
};

}  // namespace transom::drivers::replay
