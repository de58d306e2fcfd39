// poll(2) over the sockets of a stack.
#include <poll.h>

#include <cerrno>
#include <deque>

#include "socket_api/c_call.h"

namespace transom::sockets {

namespace {

class PollWatcher final : public Watcher {
 public:
  PollWatcher(Pollable& target, short interest, Waiter& waiter)
      : Watcher(target, interest), kernel_(waiter, target.kernel_descriptor()), waiter_(waiter) {}
  void on_ready(short) override { waiter_.wake(); }

 private:
  KernelWatch kernel_;
  Waiter& waiter_;
};

// Fills in revents. Returns how many are ready.
int look(const DescriptorTable& table, std::span<pollfd> entries) {
  int ready = 0;
  for (pollfd& entry : entries) {
    entry.revents = 0;
    if (entry.fd < 0) continue;
    const std::shared_ptr<Pollable> target = table.find(entry.fd);
    constexpr short kAlways = POLLERR | POLLHUP;
    entry.revents =
        target ? static_cast<short>(target->events() & (entry.events | kAlways)) : short{POLLNVAL};
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
    // They must not go while their lists hold our watchers.
    std::vector<std::shared_ptr<Pollable>> targets;
    std::deque<PollWatcher> watchers;
    for (const pollfd& entry : entries) {
      if (entry.fd < 0) continue;
      targets.push_back(table.find(entry.fd));
      watchers.emplace_back(*targets.back(), entry.events, waiter);
    }
    session.wait(waiter, deadline);
  }
}

}  // namespace

}  // namespace transom::sockets

int transom_poll(transom_stack* stack, pollfd* descriptors, nfds_t count, int timeout) {
  using namespace transom::sockets;
  return report(with_session(stack, [&](Session& session) -> Outcome<int> {
    if (descriptors == nullptr && count > 0) return fail(EFAULT);
    return poll(session, stack->descriptors, std::span(descriptors, count), timeout);
  }));
}
