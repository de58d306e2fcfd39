// poll(2) over the sockets of a stack.
#include <poll.h>

#include <cerrno>
#include <deque>

#include "drivers/clock.h"
#include "socket_api/c_stack.h"

namespace transom::sockets {

namespace {

class PollWatcher final : public Watcher {
 public:
  PollWatcher(Socket& socket, short interest, Waiter& waiter) : Watcher(socket, interest), waiter_(waiter) {}
  void on_ready(short) override { waiter_.wake(); }

 private:
  Waiter& waiter_;
};

// Fills in revents. Returns how many are ready.
int look(const DescriptorTable& table, std::span<pollfd> entries) {
  int ready = 0;
  for (pollfd& entry : entries) {
    entry.revents = 0;
    if (entry.fd < 0) continue;
    const std::shared_ptr<Socket> socket = table.find(entry.fd);
    constexpr short kAlways = POLLERR | POLLHUP;
    entry.revents =
        socket ? static_cast<short>(socket->events() & (entry.events | kAlways)) : short{POLLNVAL};
    if (entry.revents != 0) ++ready;
  }
  return ready;
}

int poll(Session& session, const DescriptorTable& table, std::span<pollfd> entries, int timeout) {
  const Instant deadline = timeout < 0 ? kNever : session.now() + std::chrono::milliseconds(timeout);
  while (true) {
    const int ready = look(table, entries);
    if (ready > 0 || session.now() >= deadline) return ready;
    Waiter waiter(session.loop());
    // The sockets must not go while their lists hold our watchers.
    std::vector<std::shared_ptr<Socket>> sockets;
    std::deque<PollWatcher> watchers;
    for (const pollfd& entry : entries) {
      if (entry.fd < 0) continue;
      sockets.push_back(table.find(entry.fd));
      watchers.emplace_back(*sockets.back(), entry.events, waiter);
    }
    session.wait(waiter, deadline);
  }
}

}  // namespace

}  // namespace transom::sockets

int transom_poll(transom_stack* stack, pollfd* descriptors, nfds_t count, int timeout) {
  using transom::sockets::Session;
  if (stack == nullptr || (descriptors == nullptr && count > 0)) {
    errno = EFAULT;
    return -1;
  }
  try {
    Session session(stack->stack);
    return transom::sockets::poll(session, stack->descriptors, std::span(descriptors, count), timeout);
  } catch (const std::bad_alloc&) {
    errno = ENOMEM;
    return -1;
  }
}
