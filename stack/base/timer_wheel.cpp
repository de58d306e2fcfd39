#include "stack/base/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace transom {

namespace {

// Two instants may be further apart than a Duration can say (kNever, seen from before the origin of time);
// unsigned arithmetic does not overflow on that.
std::uint64_t unsigned_count(Instant instant) {
  return static_cast<std::uint64_t>(instant.time_since_epoch().count());
}

}  // namespace

// ---------------------------------------------------------------- Timer

void Timer::start(TimerWheel& wheel, Instant deadline) {
  cancel();
  wheel_ = &wheel;
  deadline_ = deadline;
  order_ = wheel.next_order_++;
  wheel.insert(*this);
  ++wheel.size_;
}

void Timer::cancel() {
  if (!is_running()) return;
  TimerWheel& wheel = *wheel_;
  unlink();
  --wheel.size_;
}

void Timer::link_before(TimerLink& position) {
  next = &position;
  previous = position.previous;
  previous->next = this;
  position.previous = this;
}

void Timer::unlink() {
  previous->next = next;
  next->previous = previous;
  next = previous = nullptr;
}

// ---------------------------------------------------------------- TimerWheel

TimerWheel::TimerWheel(Instant start) : origin_(start) {
  const auto make_empty = [](TimerLink& head) { head.next = head.previous = &head; };
  for (auto& level : slots_) {
    for (TimerLink& head : level) make_empty(head);
  }
  make_empty(due_);
}

TimerWheel::~TimerWheel() {
  const auto release = [](TimerLink& head) {
    while (head.next != &head) timer_at(*head.next).unlink();
    head.next = head.previous = nullptr;
  };
  for (auto& level : slots_) {
    for (TimerLink& head : level) release(head);
  }
  release(due_);
}

std::uint64_t TimerWheel::tick_of(Instant instant) const {
  if (instant <= origin_) return 0;
  return (unsigned_count(instant) - unsigned_count(origin_)) >> kTickBits;
}

void TimerWheel::insert(Timer& timer) {
  const std::uint64_t tick = std::max(tick_of(timer.deadline_), tick_);
  // The level is the highest group of six bits in which the deadline differs from the present.
  const std::uint64_t difference = tick ^ tick_;
  const int level = difference == 0 ? 0 : (63 - std::countl_zero(difference)) / kSlotBits;
  const int slot = static_cast<int>((tick >> (level * kSlotBits)) & (kSlots - 1));
  const auto l = static_cast<std::size_t>(level);
  timer.link_before(slots_[l][static_cast<std::size_t>(slot)]);
  occupied_[l] |= std::uint64_t{1} << slot;
}

void TimerWheel::cascade(int level, int slot) {
  const auto l = static_cast<std::size_t>(level);
  TimerLink& head = slots_[l][static_cast<std::size_t>(slot)];
  occupied_[l] &= ~(std::uint64_t{1} << slot);
  while (head.next != &head) {  // tick_ is inside this slot now, so every timer moves to a lower level
    Timer& timer = timer_at(*head.next);
    timer.unlink();
    insert(timer);
  }
}

void TimerWheel::collect_due(int slot, Instant now) {
  TimerLink& head = slots_[0][static_cast<std::size_t>(slot)];
  for (TimerLink* link = head.next; link != &head;) {
    Timer& timer = timer_at(*link);
    link = link->next;
    if (timer.deadline_ > now) continue;
    timer.unlink();
    TimerLink* position = due_.previous;
    const auto is_later = [&timer](const Timer& other) {
      return timer.deadline_ != other.deadline_ ? timer.deadline_ < other.deadline_
                                                : timer.order_ < other.order_;
    };
    while (position != &due_ && is_later(timer_at(*position))) position = position->previous;
    timer.link_before(*position->next);
  }
  if (head.next == &head) occupied_[0] &= ~(std::uint64_t{1} << slot);
}

std::optional<TimerWheel::Position> TimerWheel::first_occupied() const {
  // Every timer of a level lies behind all timers of the levels below it, so the first level with one
  // decides.
  for (int level = 0; level < kLevels; ++level) {
    const auto l = static_cast<std::size_t>(level);
    const int shift = level * kSlotBits;
    const auto present = static_cast<int>((tick_ >> shift) & (kSlots - 1));
    std::uint64_t ahead = occupied_[l] & (~std::uint64_t{0} << present);
    for (; ahead != 0; ahead &= ahead - 1) {
      const int slot = std::countr_zero(ahead);
      const TimerLink& head = slots_[l][static_cast<std::size_t>(slot)];
      if (head.next == &head) continue;  // emptied by cancel()
      const std::uint64_t window = (tick_ >> (shift + kSlotBits)) << (shift + kSlotBits);
      return Position{level, slot, std::max(tick_, window | (static_cast<std::uint64_t>(slot) << shift))};
    }
  }
  return std::nullopt;
}

Instant TimerWheel::first_deadline_in(int slot) const {
  const TimerLink& head = slots_[0][static_cast<std::size_t>(slot)];
  Instant first = kNever;
  for (const TimerLink* link = head.next; link != &head; link = link->next) {
    first = std::min(first, static_cast<const Timer*>(link)->deadline_);
  }
  return first;
}

Instant TimerWheel::next_deadline() const {
  const auto position = first_occupied();
  if (!position) return kNever;
  if (position->level == 0) return first_deadline_in(position->slot);
  return Instant(
      Duration(static_cast<std::int64_t>(unsigned_count(origin_) + (position->tick << kTickBits))));
}

void TimerWheel::advance(Instant now) {
  const std::uint64_t target = tick_of(now);
  for (;;) {
    const auto position = first_occupied();
    if (!position || position->tick > target) break;
    tick_ = position->tick;
    if (position->level > 0) {
      cascade(position->level, position->slot);
      continue;
    }
    if (first_deadline_in(position->slot) > now) break;  // later within this very microsecond
    collect_due(position->slot, now);
    while (due_.next != &due_) {
      Timer& timer = timer_at(*due_.next);
      timer.unlink();
      --size_;
      timer.callback_(timer.owner_);
    }
  }
  tick_ = std::max(tick_, target);
}

}  // namespace transom
