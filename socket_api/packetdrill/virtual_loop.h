// The event loop of a stack whose time belongs to a script: the clock stands still until the script's thread
// moves it, and the timers that are passed by run in order, each at its own instant.
//
// One thread, the one that makes the loop, moves the clock. Others may block in socket calls: they sleep
// until they are woken or the clock reaches their deadline. Who wakes one waits, in real time, until that
// thread has looked at the clock or has fallen asleep again: else the clock would have gone on before the
// thread could say when its call returned.
#pragma once

#include <sys/types.h>

#include <list>
#include <thread>
#include <vector>

#include "socket_api/event_loop.h"
#include "socket_api/pump.h"

namespace transom::sockets {

class VirtualLoop final : public EventLoop {
 public:
  VirtualLoop(Pump& pump, Instant start) : pump_(pump), now_(start), master_(std::this_thread::get_id()) {}

  // --- for whoever owns the time. The lock is held, and given away only while a woken thread is waited for.
  // One look at the clock, which moves it by a microsecond: who waits for a time in a loop gets there.
  Instant look(Lock& lock);
  // Runs everything that is due up to `instant`, and sets the clock to it.
  void run_until(Lock& lock, Instant instant);
  // Moves the clock to the next instant at which something happens, and lets it happen. False, with the clock
  // as it was, when there is none up to `limit`.
  bool run_next(Lock& lock, Instant limit);
  // Lets the devices hand over what they have received.
  void run_devices();
  // After a call that may have woken threads. See above.
  void settle_debts(Lock& lock);
  // Waits, in real time, until the threads whose calls have returned sleep again: they have something to do
  // with what they got, for which they may need a lock of the script's thread. The lock is not held.
  void let_threads_finish();

  // --- EventLoop
  Instant now() override { return now_; }
  void wait(Lock& lock, Waiter& waiter, Instant deadline) override;
  void serve(Lock&, Waiter&) override { run_devices(); }
  void settle(Instant now) override { pump_.transmit(now); }
  void interrupt() override {}

 private:
  struct Sleeper {
    Waiter* waiter;
    Instant deadline;
    std::thread::id thread;
    bool is_called = false;
  };

  void on_wake(Waiter& waiter) override;
  void call(Sleeper& sleeper);
  void pay();  // the debt of this thread
  Instant next_event() const;
  void run_due();
  void drive(Lock& lock, Waiter& waiter, Instant deadline);

  Pump& pump_;
  Instant now_;
  const std::thread::id master_;
  std::list<Sleeper> sleepers_;
  std::vector<std::thread::id> debtors_;  // woken, and not yet seen since
  std::condition_variable paid_;
  std::vector<pid_t> returned_;  // threads whose calls have returned, of late
};

}  // namespace transom::sockets
