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
  std::uint64_t last_event = 0;  // ids of events, while there is an observer
  std::uint64_t cause = 0;       // what is going on because of it

  void count(Counter counter, std::uint64_t amount = 1) { counters.add(counter, amount); }

  void drop(DropReason reason) {
    ++drops[static_cast<std::size_t>(reason)];
    tell(DropEvent{reason});
  }
  void drop(DropReason reason, Counter counter) {
    count(counter);
    drop(reason);
  }
  // Returns the id of the event; 0 without an observer.
  template <typename What>
  std::uint64_t tell(What&& what) {
    if (observer == nullptr) return 0;
    observer->on_event({now, std::forward<What>(what), ++last_event, cause});
    return last_event;
  }
};

// While it lives, what happens does so because of one event.
class CauseScope {
 public:
  CauseScope(Context& context, std::uint64_t cause) : context_(context), before_(context.cause) {
    context.cause = cause;
  }
  ~CauseScope() { context_.cause = before_; }
  CauseScope(const CauseScope&) = delete;
  CauseScope& operator=(const CauseScope&) = delete;

 private:
  Context& context_;
  std::uint64_t before_;
};

}  // namespace transom
