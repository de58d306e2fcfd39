// The event loop of a stack in real time: whoever waits drives.
//
// A thread that has to wait for a socket becomes the driver, if there
// is none: it polls the devices itself, with the lock released only while it sleeps in ppoll(). So a request
// and its answer need no hand-over between threads. A thread that finds a driver at work sleeps until its
// socket is ready. A driver that has got what it waited for passes the work on to a sleeper, unless it keeps
// coming back; and one that has only worked for others gives way to who comes to wait (see Succession).
//
// While nobody waits, a background thread drives. It takes over only when nobody has driven for a moment
// (kGrace, longer the longer threads have driven without a pause): a thread that sends and receives in turns
// drives again and again, and waking another thread each time would cost more than the work. It looks without
// taking the lock, so that it is in nobody's way. Nor is it stopped when a thread starts to wait: both are
// then in ppoll(), and the background thread notices when it next wakes up. A thread that sends and does not
// wait visits the devices now and then (kVisitInterval) on its way out of a call, and takes the
// acknowledgments itself: they would wake the background thread, which would then want the lock.
//
// A sleeper that a driver has left without passing on is called to drive then instead.
//
//   background:   TICKING ──nobody drove or visited for kGrace──► POLLING
//                 POLLING ──somebody drives or visits──► TICKING
//                 TICKING ──the same thread drove for kGrace──► ASLEEP ──that thread leaves──► TICKING
//
// A thread that changes something while another is in ppoll() wakes it only when it would otherwise sleep too
// long.
#pragma once

#include <poll.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "drivers/file_descriptor.h"
#include "socket_api/busy_poll.h"
#include "socket_api/event_loop.h"
#include "socket_api/pump.h"
#include "socket_api/read_ahead.h"
#include "socket_api/succession.h"

namespace transom::sockets {

class RealTimeLoop final : public EventLoop {
 public:
  // A thread that drives looks at the devices for up to `busy_poll` before it sleeps in ppoll().
  explicit RealTimeLoop(Pump& pump, Duration busy_poll = {});
  ~RealTimeLoop() override;

  Instant now() override;
  void wait(Lock& lock, Waiter& waiter, Instant deadline) override;
  void serve(Lock& lock, Waiter& waiter) override;
  void settle(Instant now) override;
  void interrupt() override;

 private:
  void on_wake(Waiter& waiter) override;
  void on_watch() override;
  // A thread in ppoll(), or about to be.
  struct Poller {
    drivers::FileDescriptor wake_up;  // an eventfd
    std::vector<pollfd> descriptors;  // wake_up, those of the devices, those of watches
    bool is_polling = false;
    bool is_kicked = false;
    bool awaits_room = false;  // it polls for room in a device
    Instant until{};
  };
  bool drive(Lock& lock, Waiter& waiter, Instant now, Instant deadline);
  void sleep(Lock& lock, Waiter& waiter, Instant deadline);
  void pass_on();
  void leave();
  void visit(Instant now);
  bool read_ahead(Instant now);
  void poll(Lock& lock, Poller& poller, Instant limit);
  int poll_for_driver();
  bool watches_more_than(const Poller& poller, const Waiter& waiter) const;
  void append_watched(std::vector<pollfd>& descriptors) const;
  void wake_watchers(std::span<const pollfd> polled);
  void run_in_background();
  void call_background();
  void pause_background(std::optional<Duration> limit);
  bool sleeps_too_long(const Poller& poller) const;
  static void kick(Poller& poller);

  Pump& pump_;
  Waiter* driver_ = nullptr;
  bool is_to_give_way_ = false;  // the driver, to a sleeper
  Succession succession_;
  std::atomic<std::uint64_t> drives_ = 0;  // changes whenever a thread starts or stops driving
  std::atomic<std::uint64_t> visits_ = 0;
  std::atomic<bool> has_left_sleepers_ = false;  // the last driver did, without passing on
  Instant last_served_{};                        // the devices, but by the background thread
  std::vector<pollfd> visited_;                  // kept for its memory
  std::list<Waiter*> sleepers_;                  // neither woken nor driving
  Poller driver_poller_;
  BusyPoll busy_poll_;
  ReadAhead read_ahead_;

  Poller background_poller_;
  bool background_is_asleep_ = false;  // until it is called
  std::mutex background_mutex_;        // for the two below; taken after the lock, if both are
  std::condition_variable background_condition_;
  bool background_is_called_ = false;
  std::atomic<bool> is_stopping_ = false;
  std::thread thread_;
};

}  // namespace transom::sockets
