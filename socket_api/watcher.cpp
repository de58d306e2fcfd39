#include "socket_api/watcher.h"

#include <cassert>
#include <utility>

namespace transom::sockets {

short poll_events(const Readiness& readiness) {
  int events = 0;
  if (readiness.readable) events |= POLLIN | POLLRDNORM;
  if (readiness.writable) events |= POLLOUT | POLLWRNORM;
  if (readiness.priority) events |= POLLPRI;
  if (readiness.error) events |= POLLERR;
  if (readiness.hang_up) events |= POLLHUP;
  if (readiness.read_hang_up) events |= POLLRDHUP;
  return static_cast<short>(events);
}

// ---------------------------------------------------------------- Pollable

Pollable::~Pollable() { assert(is_closed_ || watchers_ == nullptr); }

void Pollable::announce(short changed) {
  if (watchers_ == nullptr) return;
  const auto now = static_cast<short>(events() & changed);
  for (Watcher* watcher = watchers_; watcher != nullptr;) {
    Watcher* const next = watcher->next_;
    const auto wanted = static_cast<short>(now & watcher->interest());
    if (wanted != 0) watcher->on_ready(wanted);
    watcher = next;
  }
}

void Pollable::close(Session& session) {
  if (std::exchange(is_closed_, true)) return;
  while (watchers_ != nullptr) {
    Watcher& watcher = *watchers_;
    watcher.unlink();
    watcher.on_ready(POLLNVAL);
  }
  on_closing(session);
}

// ---------------------------------------------------------------- Watcher

Watcher::Watcher(Pollable& target, short interest) : target_(&target), next_(target.watchers_) {
  set_interest(interest);
  if (next_ != nullptr) next_->previous_ = this;
  target.watchers_ = this;
}

Watcher::~Watcher() { unlink(); }

void Watcher::set_interest(short interest) {
  interest_ = static_cast<short>(interest | POLLERR | POLLHUP | POLLNVAL);
}

void Watcher::unlink() {
  if (target_ == nullptr) return;
  (previous_ != nullptr ? previous_->next_ : target_->watchers_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  target_ = nullptr;
}

}  // namespace transom::sockets
