// Who has something to do next: a binary heap of deadlines, one per participant, each of which can be moved
// in O(log n). Equal deadlines come in the order of the participants' numbers, so a run is reproducible.
#pragma once

#include <vector>

#include "stack/base/time.h"

namespace transom::drivers::sim {

class Agenda {
 public:
  // Returns the new participant's number: 0, 1, 2, ...
  std::size_t add() {
    const std::size_t number = deadlines_.size();
    deadlines_.push_back(kNever);
    places_.push_back(heap_.size());
    heap_.push_back(number);
    rise(heap_.size() - 1);
    return number;
  }

  void set(std::size_t number, Instant deadline) {
    const Instant before = deadlines_[number];
    if (before == deadline) return;
    deadlines_[number] = deadline;
    if (deadline < before) {
      rise(places_[number]);
    } else {
      sink(places_[number]);
    }
  }

  std::size_t first() const { return heap_.front(); }
  Instant deadline() const { return heap_.empty() ? kNever : deadlines_[heap_.front()]; }

 private:
  bool is_earlier(std::size_t a, std::size_t b) const {
    return deadlines_[a] != deadlines_[b] ? deadlines_[a] < deadlines_[b] : a < b;
  }
  void place(std::size_t position, std::size_t number) {
    heap_[position] = number;
    places_[number] = position;
  }
  void rise(std::size_t position) {
    const std::size_t number = heap_[position];
    while (position > 0 && is_earlier(number, heap_[(position - 1) / 2])) {
      place(position, heap_[(position - 1) / 2]);
      position = (position - 1) / 2;
    }
    place(position, number);
  }
  void sink(std::size_t position) {
    const std::size_t number = heap_[position];
    for (;;) {
      std::size_t child = 2 * position + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && is_earlier(heap_[child + 1], heap_[child])) ++child;
      if (!is_earlier(heap_[child], number)) break;
      place(position, heap_[child]);
      position = child;
    }
    place(position, number);
  }

  std::vector<Instant> deadlines_;   // by number
  std::vector<std::size_t> places_;  // by number: where in the heap
  std::vector<std::size_t> heap_;
};

}  // namespace transom::drivers::sim
