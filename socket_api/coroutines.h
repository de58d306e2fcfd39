// Sockets for coroutines: many conversations in one thread, each written as if it were alone.
//
//   Task<void> echo(AsyncStream stream) {
//     std::array<std::uint8_t, 4096> buffer;
//     while (auto count = co_await stream.read(buffer))
//       if (*count == 0 || !co_await stream.write_all(Bytes(buffer).first(*count))) break;
//   }
//   Task<void> serve(Scheduler& scheduler, AsyncListener listener) {
//     while (auto stream = co_await listener.accept()) scheduler.spawn(echo(std::move(*stream)));
//   }
//
// A Scheduler belongs to one thread, which calls run(). What is awaited must outlive the waiting: a Task owns
// its coroutine, and who awaits a Task owns that. A coroutine that is spawned takes its sockets by value.
#pragma once

#include <coroutine>
#include <exception>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "socket_api/cxx.h"

namespace transom::sockets {

namespace detail {

template <typename T>
struct TaskResult {
  std::optional<T> value;
  void return_value(T result) { value.emplace(std::move(result)); }
  T take() { return std::move(*value); }
};
template <>
struct TaskResult<void> {
  void return_void() {}
  void take() {}
};

}  // namespace detail

// A coroutine that begins when it is awaited or spawned. An exception goes to who awaits it.
template <typename T>
class [[nodiscard]] Task {
 public:
  struct promise_type : detail::TaskResult<T> {
    std::coroutine_handle<> awaiting = std::noop_coroutine();
    std::exception_ptr exception;

    struct Final {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> done) noexcept {
        return done.promise().awaiting;
      }
      void await_resume() noexcept {}
    };
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    Final final_suspend() noexcept { return {}; }
    void unhandled_exception() { exception = std::current_exception(); }
  };

  Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(coroutine_, other.coroutine_);
    return *this;
  }
  ~Task() {
    if (coroutine_) coroutine_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
    coroutine_.promise().awaiting = awaiting;
    return coroutine_;
  }
  T await_resume() { return take(); }

  // --- for the Scheduler
  void start() { coroutine_.resume(); }
  bool is_done() const { return coroutine_.done(); }
  T take() {
    if (coroutine_.promise().exception) std::rethrow_exception(coroutine_.promise().exception);
    return coroutine_.promise().take();
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}

  std::coroutine_handle<promise_type> coroutine_;
};

class Scheduler {
 public:
  explicit Scheduler(Stack& stack) : stack_(stack) {}
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  Stack& stack() const { return stack_; }
  // Starts it at once, until it waits for the first time.
  void spawn(Task<void> task);
  // Until all that was spawned is done. What one of them throws comes out here; the rest is then given up
  // when the Scheduler goes.
  void run();

  // co_await scheduler.ready(handle, POLLIN): until the socket is ready for one of these events of poll(2),
  // or has been closed.
  class Ready;
  Ready ready(SocketHandle& handle, short events);
  // co_await scheduler.sleep(std::chrono::milliseconds(10)).
  class Sleep;
  Sleep sleep(Duration duration);

 private:
  void make_ready(std::coroutine_handle<> coroutine);

  Stack& stack_;
  std::vector<Task<void>> tasks_;
  std::vector<std::coroutine_handle<>> ready_;  // under the lock of the stack
  std::multimap<Instant, std::coroutine_handle<>> sleepers_;
  Waiter* waiter_ = nullptr;  // of run(), while it sleeps
};

class Scheduler::Ready {
 public:
  Ready(Scheduler& scheduler, SocketHandle& handle, short events);
  ~Ready();

  bool await_ready() const { return socket_ == nullptr; }
  bool await_suspend(std::coroutine_handle<> coroutine);
  void await_resume();

 private:
  class Watch;

  Scheduler& scheduler_;
  std::shared_ptr<Socket> socket_;
  short events_;
  std::unique_ptr<Watch> watch_;
};

class Scheduler::Sleep {
 public:
  Sleep(Scheduler& scheduler, Duration duration) : scheduler_(scheduler), duration_(duration) {}
  bool await_ready() const { return duration_ <= Duration::zero(); }
  void await_suspend(std::coroutine_handle<> coroutine);
  void await_resume() {}

 private:
  Scheduler& scheduler_;
  Duration duration_;
};

inline Scheduler::Ready Scheduler::ready(SocketHandle& handle, short events) {
  return {*this, handle, events};
}
inline Scheduler::Sleep Scheduler::sleep(Duration duration) { return {*this, duration}; }

class AsyncStream {
 public:
  AsyncStream(Scheduler& scheduler, TcpStream stream);
  static Task<Outcome<AsyncStream>> connect(Scheduler& scheduler, Endpoint remote);

  Task<Outcome<std::size_t>> read(MutableBytes out);  // 0 at the end of the stream
  Task<Outcome<std::size_t>> write(Bytes octets);     // some of them
  Task<Outcome<void>> write_all(Bytes octets);
  TcpStream& stream() { return stream_; }

 private:
  Scheduler* scheduler_;
  TcpStream stream_;
};

class AsyncListener {
 public:
  AsyncListener(Scheduler& scheduler, TcpListener listener);
  Task<Outcome<AsyncStream>> accept();
  TcpListener& listener() { return listener_; }

 private:
  Scheduler* scheduler_;
  TcpListener listener_;
};

}  // namespace transom::sockets
