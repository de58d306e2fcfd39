#include "socket_api/packetdrill/virtual_loop.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace transom::sockets {

namespace {
constexpr Duration kTick = std::chrono::microseconds(1);
// A woken thread that has not looked at the clock after so much real time never will.
constexpr auto kPatience = std::chrono::seconds(2);
constexpr useconds_t kLook = 20;
// A call of the script's own thread for which nothing happens in so much virtual time is stuck.
constexpr Duration kHorizon = std::chrono::hours(24);

// Whether a thread of this process waits for something; also when there is none such (any more).
bool is_asleep(pid_t thread) {
  std::ifstream file(fmt::format("/proc/self/task/{}/stat", thread));
  std::string line;
  if (!std::getline(file, line)) return true;
  const std::size_t behind_name = line.rfind(") ");
  return behind_name == std::string::npos || line.compare(behind_name + 2, 1, "S") == 0;
}

}  // namespace

// ---------------------------------------------------------------- the clock

Instant VirtualLoop::look(Lock& lock) {
  pay();
  now_ += kTick;
  if (std::this_thread::get_id() != master_) {
    returned_.push_back(gettid());
    return now_;
  }
  const Instant seen = now_;
  run_due();
  settle_debts(lock);
  return seen;
}

Instant VirtualLoop::next_event() const {
  Instant next = pump_.next_deadline();
  for (const Sleeper& sleeper : sleepers_) {
    if (!sleeper.is_called) next = std::min(next, sleeper.deadline);
  }
  return next;
}

void VirtualLoop::run_due() {
  if (next_event() > now_) return;
  pump_.run({}, now_);
  for (Sleeper& sleeper : sleepers_) {
    if (sleeper.deadline <= now_) call(sleeper);
  }
}

bool VirtualLoop::run_next(Lock& lock, Instant limit) {
  settle_debts(lock);
  const Instant next = next_event();
  if (next > limit) return false;
  now_ = std::max(now_, next);
  run_due();
  settle_debts(lock);
  return true;
}

void VirtualLoop::run_until(Lock& lock, Instant instant) {
  while (run_next(lock, instant)) {
  }
  now_ = std::max(now_, instant);
}

void VirtualLoop::run_devices() {
  std::vector<pollfd> descriptors;
  pump_.append_descriptors(descriptors);
  pump_.run(descriptors, now_);
}

// ---------------------------------------------------------------- threads

void VirtualLoop::wait(Lock& lock, Waiter& waiter, Instant deadline) {
  if (std::this_thread::get_id() == master_) return drive(lock, waiter, deadline);
  const auto place = sleepers_.insert(
      sleepers_.end(), {.waiter = &waiter, .deadline = deadline, .thread = std::this_thread::get_id()});
  pay();
  while (!waiter.is_woken() && now_ < deadline) sleep_of(waiter).condition.wait(lock);
  sleepers_.erase(place);
}

// Nobody else would move the clock.
void VirtualLoop::drive(Lock& lock, Waiter& waiter, Instant deadline) {
  const Instant limit = std::min(deadline, now_ + kHorizon);
  while (!waiter.is_woken() && run_next(lock, limit)) {
  }
  if (waiter.is_woken()) return;
  if (limit == deadline) {
    now_ = std::max(now_, deadline);
    return;
  }
  fmt::print(stderr,
             "transom: a call blocks for ever. One that may block is written with the time of its return: "
             "+0...0.5 read(...)\n");
  std::exit(EXIT_FAILURE);
}

void VirtualLoop::on_wake(Waiter& waiter) {
  const auto sleeper = std::ranges::find(sleepers_, &waiter, &Sleeper::waiter);
  if (sleeper != sleepers_.end()) call(*sleeper);
}

void VirtualLoop::call(Sleeper& sleeper) {
  if (std::exchange(sleeper.is_called, true)) return;
  debtors_.push_back(sleeper.thread);
  sleep_of(*sleeper.waiter).condition.notify_one();
}

void VirtualLoop::pay() {
  if (std::erase(debtors_, std::this_thread::get_id()) > 0) paid_.notify_all();
}

void VirtualLoop::let_threads_finish() {
  std::vector<pid_t> threads;
  {
    const Lock held = lock();
    threads = std::exchange(returned_, {});
  }
  for (const pid_t thread : threads) {
    const auto limit = std::chrono::steady_clock::now() + kPatience;
    while (!is_asleep(thread) && std::chrono::steady_clock::now() < limit) ::usleep(kLook);
  }
}

void VirtualLoop::settle_debts(Lock& lock) {
  if (std::this_thread::get_id() != master_ || debtors_.empty()) return;
  if (!paid_.wait_for(lock, kPatience, [this] { return debtors_.empty(); })) debtors_.clear();
}

}  // namespace transom::sockets
