// Hierarchical timing wheel (Varghese and Lauck, 1987): start and cancel are O(1) and allocate nothing.
//
// Nine levels of 64 slots. A slot of level n is 64^n ticks wide and a tick is 1024 ns, so level 0 spans 65
// us, level 3 spans 17 s and level 8 spans all that an Instant can say. A timer sits in the level that its
// distance fits; when the wheel reaches the slot, timers that are not due yet move down. Timers fire in order
// of their deadline; equal deadlines fire in the order in which they were started, so a run is reproducible.
//
// A Timer is a member of the object that it wakes; it may be started, restarted and cancelled from inside any
// timer's callback, and destroying it cancels it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "stack/base/time.h"

namespace transom {

class TimerWheel;

// A place in a doubly linked list: a timer's, or the head of a slot.
struct TimerLink {
  TimerLink* next = nullptr;
  TimerLink* previous = nullptr;
};

class Timer : private TimerLink {
 public:
  using Callback = void (*)(void* owner);

  Timer(Callback callback, void* owner) : callback_(callback), owner_(owner) {}
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Fire once at `deadline` (at the next advance() if that has passed). Restarting moves the deadline.
  void start(TimerWheel& wheel, Instant deadline);
  void cancel();

  bool is_running() const { return next != nullptr; }
  Instant deadline() const { return is_running() ? deadline_ : kNever; }

 private:
  friend class TimerWheel;

  void link_before(TimerLink& position);
  void unlink();

  TimerWheel* wheel_ = nullptr;
  Instant deadline_ = kNever;
  std::uint64_t order_ = 0;  // when it was started, for ties
  Callback callback_;
  void* owner_;
};

// Adapts a member function to Timer::Callback: `Timer timer_{call_member<&Arp::on_tick>, this}`.
template <auto Member>
void call_member(void* owner) {
  [owner]<typename Owner>(void (Owner::*member)()) { (static_cast<Owner*>(owner)->*member)(); }(Member);
}

class TimerWheel {
 public:
  explicit TimerWheel(Instant start);
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Fires every timer whose deadline is not after `now`. Time never goes back: an earlier `now` is ignored.
  void advance(Instant now);

  // No timer is due before this instant. It may be earlier than the first deadline (never later): the wheel
  // then only moves timers one level down. kNever when no timer runs.
  Instant next_deadline() const;

  std::size_t size() const { return size_; }

 private:
  friend class Timer;
  static constexpr int kLevels = 9;
  static constexpr int kSlotBits = 6;
  static constexpr int kSlots = 1 << kSlotBits;
  static constexpr int kTickBits = 10;

  struct Position {
    int level;
    int slot;
    std::uint64_t tick;
  };

  static Timer& timer_at(TimerLink& link) { return static_cast<Timer&>(link); }
  void insert(Timer& timer);
  std::optional<Position> first_occupied() const;
  Instant first_deadline_in(int slot) const;  // of level 0
  void cascade(int level, int slot);
  void collect_due(int slot, Instant now);
  std::uint64_t tick_of(Instant instant) const;

  Instant origin_;
  std::uint64_t tick_ = 0;  // every slot before this tick is empty
  std::uint64_t next_order_ = 0;
  std::size_t size_ = 0;
  std::array<std::uint64_t, kLevels> occupied_{};  // one bit per non-empty slot
  std::array<std::array<TimerLink, kSlots>, kLevels> slots_;
  TimerLink due_;  // sorted by (deadline, order) while advance() runs
};

}  // namespace transom
