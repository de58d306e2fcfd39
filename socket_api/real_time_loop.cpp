#include "socket_api/real_time_loop.h"

#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <system_error>

#include "drivers/clock.h"

namespace transom::sockets {

namespace {

constexpr Duration kGrace = std::chrono::milliseconds(1);
constexpr Duration kVisitInterval = std::chrono::microseconds(50);
constexpr Duration kLongestGrace = std::chrono::milliseconds(8);

drivers::FileDescriptor make_event() {
  const int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  return drivers::FileDescriptor(descriptor);
}

// monotonic_now() and steady_clock are both CLOCK_MONOTONIC.
std::chrono::steady_clock::time_point to_steady(Instant instant) {
  return std::chrono::steady_clock::time_point(instant.time_since_epoch());
}

timespec to_timespec(Duration duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  return {.tv_sec = seconds.count(), .tv_nsec = static_cast<long>((duration - seconds).count())};
}

int poll_until(std::vector<pollfd>& descriptors, Instant until) {
  timespec timeout{};
  if (until != kNever) timeout = to_timespec(std::max(until - drivers::monotonic_now(), Duration{}));
  return ppoll(descriptors.data(), descriptors.size(), until == kNever ? nullptr : &timeout, nullptr);
}

}  // namespace

// ---------------------------------------------------------------- RealTimeLoop

RealTimeLoop::RealTimeLoop(Pump& pump, Duration busy_poll) : pump_(pump), busy_poll_(busy_poll) {
  driver_poller_.wake_up = make_event();
  background_poller_.wake_up = make_event();
  // The program's signal handlers are not for this thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run_in_background(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

RealTimeLoop::~RealTimeLoop() {
  {
    const Lock held = lock();
    is_stopping_ = true;
    background_is_asleep_ = true;  // or on its way: it is called
    call_background();
    kick(background_poller_);
  }
  thread_.join();
}

Instant RealTimeLoop::now() { return drivers::monotonic_now(); }

void RealTimeLoop::on_wake(Waiter& waiter) {
  Sleep& sleep = sleep_of(waiter);
  if (sleep.is_asleep) {
    // No longer a candidate for driving: it has something better to do.
    sleepers_.erase(sleep.place);
    sleep.is_asleep = false;
    sleep.condition.notify_one();
  } else if (driver_ == &waiter) {
    kick(driver_poller_);
  }
}

void RealTimeLoop::wait(Lock& lock, Waiter& waiter, Instant deadline) {
  bool gives_way = false;
  while (!waiter.is_woken()) {
    const Instant now = drivers::monotonic_now();
    if (now >= deadline) break;
    if (driver_ == nullptr && !gives_way) {
      gives_way = drive(lock, waiter, now, deadline);
      if (gives_way) pass_on();
    } else {
      sleep(lock, waiter, deadline);
      gives_way = false;
    }
  }
  if (driver_ == nullptr) leave();
}

void RealTimeLoop::serve(Lock& lock, Waiter& waiter) {
  if (driver_ != nullptr) return;
  const Instant now = drivers::monotonic_now();
  drive(lock, waiter, now, now);
}

// True when another is to drive instead, who sleeps.
bool RealTimeLoop::drive(Lock& lock, Waiter& waiter, Instant now, Instant deadline) {
  driver_ = &waiter;
  ++drives_;
  succession_.on_begin(now);
  while (true) {
    if (!read_ahead(now)) poll(lock, driver_poller_, deadline);
    if (waiter.is_woken() || is_to_give_way_) break;
    now = drivers::monotonic_now();
    if (now >= deadline) break;
    succession_.on_turn();
  }
  succession_.on_end(last_served_);
  driver_ = nullptr;
  ++drives_;
  return std::exchange(is_to_give_way_, false) && !waiter.is_woken() && !sleepers_.empty();
}

void RealTimeLoop::sleep(Lock& lock, Waiter& waiter, Instant deadline) {
  Sleep& own = sleep_of(waiter);
  if (driver_ != nullptr && succession_.is_idle()) {
    is_to_give_way_ = true;
    kick(driver_poller_);
    own.place = sleepers_.insert(sleepers_.begin(), &waiter);  // the next to drive
  } else {
    if (watches_more_than(driver_poller_, waiter)) kick(driver_poller_);
    own.place = sleepers_.insert(sleepers_.end(), &waiter);
  }
  own.is_asleep = true;
  if (deadline == kNever) {
    own.condition.wait(lock);
  } else {
    own.condition.wait_until(lock, to_steady(deadline));
  }
  if (own.is_asleep) {  // too late, or it is its turn to drive
    sleepers_.erase(own.place);
    own.is_asleep = false;
  }
}

void RealTimeLoop::pass_on() {
  if (!sleepers_.empty()) {
    sleep_of(*sleepers_.front()).condition.notify_one();
  } else {
    call_background();
  }
}

// Who drives leaves, or finds that nobody does.
void RealTimeLoop::leave() {
  has_left_sleepers_ = succession_.comes_back() && !sleepers_.empty();
  if (has_left_sleepers_) {
    call_background();
  } else {
    pass_on();
  }
}

void RealTimeLoop::settle(Instant now) {
  pump_.transmit(now);
  if (driver_ == nullptr) {
    if (now - last_served_ >= kVisitInterval) visit(now);
    call_background();
  } else if (sleeps_too_long(driver_poller_)) {
    kick(driver_poller_);
  }
}

void RealTimeLoop::visit(Instant now) {
  last_served_ = now;
  ++visits_;
  visited_.clear();
  pump_.append_descriptors(visited_);
  poll_until(visited_, now);
  pump_.run(visited_, now);
}

bool RealTimeLoop::sleeps_too_long(const Poller& poller) const {
  return poller.is_polling &&
         (pump_.next_deadline() < poller.until || (pump_.is_blocked() && !poller.awaits_room));
}

void RealTimeLoop::interrupt() {
  kick(driver_poller_);
  kick(background_poller_);
}

void RealTimeLoop::kick(Poller& poller) {
  if (!poller.is_polling || std::exchange(poller.is_kicked, true)) return;
  eventfd_write(poller.wake_up.get(), 1);
}

void RealTimeLoop::on_watch() {
  if (driver_ != nullptr) kick(driver_poller_);  // it polls without the new one so far
}

void RealTimeLoop::append_watched(std::vector<pollfd>& descriptors) const {
  for (const KernelWatch* watch : watches()) {
    // One that is woken has yet to look at its descriptor, which is ready meanwhile.
    if (!watch->waiter().is_woken())
      descriptors.push_back({.fd = watch->descriptor(), .events = POLLIN, .revents = 0});
  }
}

// The driver polls without the descriptors of a waiter that was woken. When that waits again, they are
// missed.
bool RealTimeLoop::watches_more_than(const Poller& poller, const Waiter& waiter) const {
  return std::ranges::any_of(watches(), [&](const KernelWatch* watch) {
    return &watch->waiter() == &waiter && !std::ranges::any_of(poller.descriptors, [&](const pollfd& entry) {
      return entry.fd == watch->descriptor();
    });
  });
}

void RealTimeLoop::wake_watchers(std::span<const pollfd> polled) {
  for (const pollfd& entry : polled) {
    if (entry.revents == 0) continue;
    for (const KernelWatch* watch : watches()) {
      if (watch->descriptor() == entry.fd) watch->waiter().wake();
    }
  }
}

// True when something has come. Not where descriptors are watched as well: of them only ppoll() knows.
bool RealTimeLoop::read_ahead(Instant now) {
  if (!watches().empty() || !read_ahead_.is_due()) return false;
  const bool found = pump_.run_all(now);
  read_ahead_.on_read(found);
  if (found) last_served_ = now;
  return found;
}

void RealTimeLoop::poll(Lock& lock, Poller& poller, Instant limit) {
  poller.descriptors.assign(1, {.fd = poller.wake_up.get(), .events = POLLIN, .revents = 0});
  pump_.append_descriptors(poller.descriptors);
  const std::size_t devices_end = poller.descriptors.size();
  // A thread that watches waits, so somebody drives: this is nothing for the background thread.
  if (&poller == &driver_poller_) append_watched(poller.descriptors);
  poller.awaits_room = pump_.is_blocked();
  poller.until = std::min(limit, pump_.next_deadline());
  poller.is_polling = true;
  lock.unlock();
  const int ready =
      &poller == &driver_poller_ ? poll_for_driver() : poll_until(poller.descriptors, poller.until);
  lock.lock();
  poller.is_polling = false;
  if (std::exchange(poller.is_kicked, false)) {
    eventfd_t ignored = 0;
    eventfd_read(poller.wake_up.get(), &ignored);
  }
  if (ready < 0) return;  // a signal
  if (&poller == &background_poller_ && driver_ != nullptr)
    return;  // woken by the same, and nearer to who waits
  const std::span<const pollfd> polled = poller.descriptors;
  wake_watchers(polled.subspan(devices_end));
  const Instant now = drivers::monotonic_now();
  if (&poller == &driver_poller_) last_served_ = now;
  pump_.run(polled.subspan(1, devices_end - 1), now);
}

// Without the lock: others may change what they like, and kick. Only the driver uses busy_poll_.
int RealTimeLoop::poll_for_driver() {
  Poller& poller = driver_poller_;
  if (!busy_poll_.is_enabled()) return poll_until(poller.descriptors, poller.until);
  const Instant begin = drivers::monotonic_now();
  const Instant end_of_looking = std::min(begin + busy_poll_.budget(), poller.until);
  int ready = 0;
  Instant now = begin;
  while (ready == 0 && now < end_of_looking) {
    ready = poll_until(poller.descriptors, now);
    now = drivers::monotonic_now();
  }
  if (ready == 0 && now < poller.until) {
    ready = poll_until(poller.descriptors, poller.until);
    now = drivers::monotonic_now();
  }
  busy_poll_.on_wait(now - begin);
  return ready;
}

// ---------------------------------------------------------------- the background thread

void RealTimeLoop::run_in_background() {
  std::uint64_t seen = drives_;
  std::uint64_t seen_visits = visits_;
  Duration grace = kGrace;
  while (!is_stopping_) {
    if (std::exchange(seen, drives_) != drives_) {
      pause_background(grace);
      grace = has_left_sleepers_ ? kGrace : std::min(2 * grace, kLongestGrace);
      continue;
    }
    grace = kGrace;
    if (std::exchange(seen_visits, visits_) != visits_) {
      pause_background(grace);
      continue;
    }
    Lock held = lock();
    if (seen != drives_ || is_stopping_) continue;
    if (driver_ == nullptr && !sleepers_.empty()) {
      pass_on();
      held.unlock();
      pause_background(grace);
    } else if (driver_ == nullptr) {
      poll(held, background_poller_, kNever);
    } else {
      background_is_asleep_ = true;
      held.unlock();
      pause_background(std::nullopt);
    }
  }
}

// Until it is called, or for so long.
void RealTimeLoop::pause_background(std::optional<Duration> limit) {
  std::unique_lock held(background_mutex_);
  const auto is_called = [this] { return background_is_called_; };
  if (limit) {
    background_condition_.wait_for(held, *limit, is_called);
  } else {
    background_condition_.wait(held, is_called);
  }
  background_is_called_ = false;
}

void RealTimeLoop::call_background() {
  if (std::exchange(background_is_asleep_, false)) {
    const std::scoped_lock held(background_mutex_);
    background_is_called_ = true;
    background_condition_.notify_one();
  } else if (sleeps_too_long(background_poller_)) {
    kick(background_poller_);
  }
}

}  // namespace transom::sockets
