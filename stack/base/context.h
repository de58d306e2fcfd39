// What every layer of one Host shares: the current time, randomness, memory, timers, counters and the
// observer. The Host sets `now` at each entry from outside; nothing else changes it.
#pragma once

#include <array>

#include "stack/base/counters.h"
#include "stack/base/drop_reason.h"
#include "stack/base/observer.h"
#include "stack/base/packet.h"
#include "stack/base/random.h"
#include "stack/base/time.h"
#include "stack/base/timer_wheel.h"

namespace transom {

struct Context {
  Context(BufferPool& buffers, const Seed& seed, Instant start)
      : now(start), pool(buffers), random(seed), timers(start) {}

  Instant now;
  BufferPool& pool;
  Random random;
  TimerWheel timers;
  Counters counters;
  std::array<std::uint64_t, kDropReasonCount> drops{};
  Observer* observer = nullptr;

  void count(Counter counter, std::uint64_t amount = 1) { counters.add(counter, amount); }

  void drop(DropReason reason) {
    ++drops[static_cast<std::size_t>(reason)];
    if (observer != nullptr) observer->on_event({now, DropEvent{reason}});
  }
  void drop(DropReason reason, Counter counter) {
    count(counter);
    drop(reason);
  }
  template <typename What>
  void tell(What&& what) {
    if (observer != nullptr) observer->on_event({now, std::forward<What>(what)});
  }
};

}  // namespace transom
