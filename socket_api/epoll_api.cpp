// The epoll calls of the C API.
#include <sys/epoll.h>

#include <climits>
#include <csignal>

#include "socket_api/c_call.h"
#include "socket_api/epoll.h"

namespace transom::sockets {

namespace {

constexpr int kMaxEvents = INT_MAX / static_cast<int>(sizeof(epoll_event));

// Runs `call(session, epoll)`; EBADF for a descriptor that is not open, EINVAL for one of a socket.
template <typename Call>
auto with_epoll(transom_stack* stack, int fd, Call call)
    -> decltype(call(std::declval<Session&>(), std::declval<Epoll&>())) {
  return with_session(stack, [&](Session& session) -> decltype(call(session, std::declval<Epoll&>())) {
    const std::shared_ptr<Pollable> open = stack->descriptors.find(fd);
    if (!open) return fail(EBADF);
    Epoll* const epoll = open->as_epoll();
    if (epoll == nullptr) return fail(EINVAL);
    return call(session, *epoll);
  });
}

int wait(transom_stack* stack, int fd, epoll_event* events, int count, Duration timeout) {
  return report(with_epoll(stack, fd, [&](Session& session, Epoll& epoll) -> Outcome<int> {
    if (count <= 0 || count > kMaxEvents) return fail(EINVAL);
    if (events == nullptr) return fail(EFAULT);
    const Instant deadline = timeout == Duration::max() ? kNever : session.now() + timeout;
    return epoll.wait(session, std::span(events, static_cast<std::size_t>(count)), deadline);
  }));
}

// The signals that a thread lets through, for as long as this lives.
class SignalMask {
 public:
  explicit SignalMask(const sigset_t* mask) : is_set_(mask != nullptr) {
    if (is_set_) pthread_sigmask(SIG_SETMASK, mask, &before_);
  }
  ~SignalMask() {
    if (is_set_) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SignalMask(const SignalMask&) = delete;
  SignalMask& operator=(const SignalMask&) = delete;

 private:
  bool is_set_;
  sigset_t before_{};
};

}  // namespace

}  // namespace transom::sockets

using namespace transom::sockets;

int transom_epoll_create1(transom_stack* stack, int flags) {
  return report(with_session(stack, [&](Session& session) -> Outcome<int> {
    if ((flags & ~EPOLL_CLOEXEC) != 0) return fail(EINVAL);
    const auto epoll = std::make_shared<Epoll>();
    const auto number = stack->descriptors.add(epoll);
    if (!number) epoll->close(session);
    return number;
  }));
}

int transom_epoll_ctl(transom_stack* stack, int epfd, int operation, int fd, epoll_event* event) {
  return report(with_session(stack, [&](Session&) -> Outcome<void> {
    const std::shared_ptr<Pollable> open = stack->descriptors.find(epfd);
    const std::shared_ptr<Pollable> target = stack->descriptors.find(fd);
    if (!open || !target) return fail(EBADF);
    Epoll* const epoll = open->as_epoll();
    if (epoll == nullptr) return fail(EINVAL);
    return epoll->control(operation, *target, event);
  }));
}

int transom_epoll_ctl_kernel(transom_stack* stack, int epfd, int operation, int kernel_fd,
                             epoll_event* event) {
  return report(with_epoll(stack, epfd, [&](Session&, Epoll& epoll) {
    return epoll.control_kernel(operation, kernel_fd, event);
  }));
}

int transom_epoll_wait(transom_stack* stack, int epfd, epoll_event* events, int count, int timeout) {
  return wait(stack, epfd, events, count,
              timeout < 0 ? transom::Duration::max() : std::chrono::milliseconds(timeout));
}

int transom_epoll_pwait2(transom_stack* stack, int epfd, epoll_event* events, int count,
                         const timespec* timeout, const sigset_t* mask) {
  constexpr long kSecond = 1'000'000'000;
  constexpr time_t kForEver = kSecond;  // 30 years
  transom::Duration limit = transom::Duration::max();
  if (timeout != nullptr) {
    if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= kSecond) {
      errno = EINVAL;
      return -1;
    }
    if (timeout->tv_sec < kForEver)
      limit = std::chrono::seconds(timeout->tv_sec) + std::chrono::nanoseconds(timeout->tv_nsec);
  }
  const SignalMask let_through(mask);
  return wait(stack, epfd, events, count, limit);
}

int transom_epoll_descriptor(transom_stack* stack, int epfd) {
  return report(with_epoll(stack, epfd, [](Session&, Epoll& epoll) { return epoll.wake_descriptor(); }));
}
