// Who serves the devices and timers of a Stack, and what its threads do while they wait.
//
// All of a Stack happens under one lock. RealTimeLoop serves it in real time; a program with a time of its
// own (a script, a test) gives the Stack another loop, in StackConfig.
#pragma once

#include <condition_variable>
#include <list>
#include <mutex>

#include "stack/base/time.h"

namespace transom::sockets {

class EventLoop;
class KernelWatch;

// One blocked call of one thread. It is woken once; everything happens under the lock.
class Waiter {
 public:
  explicit Waiter(EventLoop& loop) : loop_(loop) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  void wake();
  bool is_woken() const { return woken_; }
  void reset() { woken_ = false; }

 private:
  friend class EventLoop;
  friend class KernelWatch;

  // What the loop notes of a thread that sleeps.
  struct Sleep {
    std::condition_variable condition;
    std::list<Waiter*>::iterator place;  // among the sleepers
    bool is_asleep = false;
  };

  EventLoop& loop_;
  Sleep sleep_;
  bool woken_ = false;
};

// A descriptor of the kernel for which a blocked call waits too: whoever drives polls it, and wakes the
// waiter when there is something to read. Negative descriptors do nothing.
class KernelWatch {
 public:
  KernelWatch(Waiter& waiter, int descriptor);
  ~KernelWatch();
  KernelWatch(const KernelWatch&) = delete;
  KernelWatch& operator=(const KernelWatch&) = delete;

  int descriptor() const { return descriptor_; }
  Waiter& waiter() const { return waiter_; }

 private:
  Waiter& waiter_;
  int descriptor_;
  std::list<KernelWatch*>::iterator place_;
};

class EventLoop {
 public:
  using Lock = std::unique_lock<std::mutex>;

  EventLoop() = default;
  virtual ~EventLoop() = default;  // no thread may be waiting
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  Lock lock() { return Lock(mutex_); }
  // What time it is for the Host. Never goes back. Called under the lock.
  virtual Instant now() = 0;
  // Until `waiter` is woken or `deadline` has passed. The lock is given away meanwhile.
  virtual void wait(Lock& lock, Waiter& waiter, Instant deadline) = 0;
  // What is ready now is served, without sleeping, unless another thread is at it. For a thread that has more
  // to do and lets the devices have their turn. The lock may be given away meanwhile.
  virtual void serve(Lock& lock, Waiter& waiter) = 0;
  // After a thread has changed something and does not wait: sends, and sees to it that somebody serves the
  // next deadline.
  virtual void settle(Instant now) = 0;
  // Whoever serves looks again at what there is to serve: a device has come.
  virtual void interrupt() = 0;

 protected:
  using Sleep = Waiter::Sleep;

  static Sleep& sleep_of(Waiter& waiter) { return waiter.sleep_; }
  const std::list<KernelWatch*>& watches() const { return watches_; }

 private:
  friend class Waiter;
  friend class KernelWatch;

  virtual void on_wake(Waiter& waiter) = 0;  // for the first time
  // A watch has come. A loop that does not sleep in the kernel need not know.
  virtual void on_watch() {}

  std::mutex mutex_;
  std::list<KernelWatch*> watches_;
};

inline KernelWatch::KernelWatch(Waiter& waiter, int descriptor) : waiter_(waiter), descriptor_(descriptor) {
  if (descriptor < 0) return;
  EventLoop& loop = waiter.loop_;
  place_ = loop.watches_.insert(loop.watches_.end(), this);
  loop.on_watch();
}

inline KernelWatch::~KernelWatch() {
  if (descriptor_ >= 0) waiter_.loop_.watches_.erase(place_);
}

inline void Waiter::wake() {
  if (woken_) return;
  woken_ = true;
  loop_.on_wake(*this);
}

}  // namespace transom::sockets
