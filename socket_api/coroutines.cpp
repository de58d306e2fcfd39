#include "socket_api/coroutines.h"

namespace transom::sockets {

// ---------------------------------------------------------------- Scheduler

// Tells the scheduler, once.
class Scheduler::Ready::Watch final : public Watcher {
 public:
  Watch(Socket& socket, short events, Scheduler& scheduler, std::coroutine_handle<> coroutine)
      : Watcher(socket, events), scheduler_(scheduler), coroutine_(coroutine) {}
  void on_ready(short) override {
    if (coroutine_) scheduler_.make_ready(std::exchange(coroutine_, nullptr));
  }

 private:
  Scheduler& scheduler_;
  std::coroutine_handle<> coroutine_;
};

Scheduler::Ready::Ready(Scheduler& scheduler, SocketHandle& handle, short events)
    : scheduler_(scheduler), socket_(handle.socket()), events_(events) {}

Scheduler::Ready::~Ready() { await_resume(); }

bool Scheduler::Ready::await_suspend(std::coroutine_handle<> coroutine) {
  Session session(scheduler_.stack_);
  if (socket_->is_closed() || (socket_->events() & (events_ | POLLERR | POLLHUP)) != 0) return false;
  watch_ = std::make_unique<Watch>(*socket_, events_, scheduler_, coroutine);
  return true;
}

void Scheduler::Ready::await_resume() {
  if (!watch_) return;
  Session session(scheduler_.stack_);
  watch_.reset();
}

void Scheduler::Sleep::await_suspend(std::coroutine_handle<> coroutine) {
  Session session(scheduler_.stack_);
  scheduler_.sleepers_.emplace(session.now() + duration_, coroutine);
}

void Scheduler::make_ready(std::coroutine_handle<> coroutine) {
  ready_.push_back(coroutine);
  if (waiter_ != nullptr) waiter_->wake();
}

void Scheduler::spawn(Task<void> task) {
  task.start();
  if (task.is_done()) return task.take();
  tasks_.push_back(std::move(task));
}

void Scheduler::run() {
  while (!tasks_.empty()) {
    std::vector<std::coroutine_handle<>> ready;
    {
      Session session(stack_);
      if (ready_.empty()) {
        Waiter waiter(session.loop());
        waiter_ = &waiter;
        session.wait(waiter, sleepers_.empty() ? kNever : sleepers_.begin()->first);
        waiter_ = nullptr;
      }
      while (!sleepers_.empty() && sleepers_.begin()->first <= session.now()) {
        ready_.push_back(sleepers_.begin()->second);
        sleepers_.erase(sleepers_.begin());
      }
      ready.swap(ready_);
    }
    for (const std::coroutine_handle<> coroutine : ready) coroutine.resume();
    for (std::size_t i = 0; i < tasks_.size();) {
      if (!tasks_[i].is_done()) {
        ++i;
        continue;
      }
      Task<void> done = std::move(tasks_[i]);
      tasks_[i] = std::move(tasks_.back());
      tasks_.pop_back();
      done.take();
    }
  }
}

// ---------------------------------------------------------------- sockets

namespace {

// Repeats `call` for as long as it says EAGAIN, and waits in between.
template <typename Call>
auto when_ready(Scheduler& scheduler, SocketHandle& handle, short events, Call call)
    -> Task<decltype(call())> {
  while (true) {
    auto result = call();
    if (result || result.error() != Errno{EAGAIN}) co_return result;
    co_await scheduler.ready(handle, events);
  }
}

}  // namespace

AsyncStream::AsyncStream(Scheduler& scheduler, TcpStream stream)
    : scheduler_(&scheduler), stream_(std::move(stream)) {
  (void)stream_.handle().set_non_blocking(true);
}

Task<Outcome<AsyncStream>> AsyncStream::connect(Scheduler& scheduler, Endpoint remote) {
  auto handle =
      SocketHandle::open(scheduler.stack(), {remote.address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM, 0});
  if (!handle) co_return std::unexpected(handle.error());
  AsyncStream result(scheduler, TcpStream(std::move(*handle)));
  while (true) {
    const auto connected = result.stream_.handle().with_socket(
        [&](Session& session, Socket& socket) { return socket.connect(session, {remote}); });
    if (connected || connected.error() == Errno{EISCONN}) co_return std::move(result);
    const bool is_on_its_way =
        connected.error() == Errno{EINPROGRESS} || connected.error() == Errno{EALREADY};
    if (!is_on_its_way) co_return std::unexpected(connected.error());
    co_await scheduler.ready(result.stream_.handle(), POLLOUT);
  }
}

Task<Outcome<std::size_t>> AsyncStream::read(MutableBytes out) {
  return when_ready(*scheduler_, stream_.handle(), POLLIN, [this, out] { return stream_.read(out); });
}

Task<Outcome<std::size_t>> AsyncStream::write(Bytes octets) {
  return when_ready(*scheduler_, stream_.handle(), POLLOUT, [this, octets] { return stream_.write(octets); });
}

Task<Outcome<void>> AsyncStream::write_all(Bytes octets) {
  while (!octets.empty()) {
    const auto taken = co_await write(octets);
    if (!taken) co_return std::unexpected(taken.error());
    octets = octets.subspan(*taken);
  }
  co_return Outcome<void>();
}

AsyncListener::AsyncListener(Scheduler& scheduler, TcpListener listener)
    : scheduler_(&scheduler), listener_(std::move(listener)) {
  (void)listener_.handle().set_non_blocking(true);
}

Task<Outcome<AsyncStream>> AsyncListener::accept() {
  auto stream =
      co_await when_ready(*scheduler_, listener_.handle(), POLLIN, [this] { return listener_.accept(); });
  if (!stream) co_return std::unexpected(stream.error());
  co_return AsyncStream(*scheduler_, std::move(*stream));
}

}  // namespace transom::sockets
