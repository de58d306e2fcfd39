#include "socket_api/kernel_set.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace transom::sockets {

Outcome<void> KernelSet::make_set() {
  if (set_.get() >= 0) return {};
  const int descriptor = epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) return fail(errno);
  set_ = drivers::FileDescriptor(descriptor);
  return {};
}

Outcome<void> KernelSet::control(int operation, int descriptor, const epoll_event* event) {
  if (const auto made = make_set(); !made) return made;
  if (operation != EPOLL_CTL_DEL && event == nullptr) return fail(EFAULT);
  if (descriptor == signal_.get() || descriptor == set_.get()) return fail(EINVAL);
  epoll_event inner{};
  if (operation != EPOLL_CTL_DEL) inner.events = event->events;
  inner.data.fd = descriptor;
  if (epoll_ctl(set_.get(), operation, descriptor, &inner) != 0) return fail(errno);
  if (operation == EPOLL_CTL_DEL) {
    data_.erase(descriptor);
  } else {
    data_[descriptor] = event->data;
  }
  return {};
}

std::size_t KernelSet::collect(std::span<epoll_event> out) {
  if (data_.empty() || out.empty()) return 0;
  constexpr std::size_t kMost = 1 << 20;
  const int ready = epoll_wait(set_.get(), out.data(), static_cast<int>(std::min(out.size(), kMost)), 0);
  std::size_t count = 0;
  for (int i = 0; i < ready; ++i) {
    const epoll_event event = out[static_cast<std::size_t>(i)];
    if (event.data.fd == signal_.get()) continue;
    out[count] = event;
    out[count++].data = data_[event.data.fd];
  }
  return count;
}

bool KernelSet::is_ready() const {
  if (data_.empty()) return false;
  pollfd entry{.fd = set_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, 0) > 0;
}

Outcome<int> KernelSet::make_descriptor() {
  if (const auto made = make_set(); !made) return std::unexpected(made.error());
  if (signal_.get() >= 0) return set_.get();
  drivers::FileDescriptor signal(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (signal.get() < 0) return fail(errno);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = signal.get();
  if (epoll_ctl(set_.get(), EPOLL_CTL_ADD, signal.get(), &event) != 0) return fail(errno);
  signal_ = std::move(signal);
  return set_.get();
}

void KernelSet::raise_signal() {
  if (signal_.get() >= 0 && !std::exchange(is_raised_, true)) eventfd_write(signal_.get(), 1);
}

void KernelSet::lower_signal() {
  eventfd_t ignored = 0;
  if (std::exchange(is_raised_, false)) eventfd_read(signal_.get(), &ignored);
}

}  // namespace transom::sockets
