#include "socket_api/epoll.h"

#include <algorithm>
#include <cassert>
#include <optional>

namespace transom::sockets {

namespace {

constexpr int kMaxDepth = 5;  // of Epolls in Epolls, as Linux
constexpr std::uint32_t kFlags = EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE;
// epoll_ctl(2): what EPOLLEXCLUSIVE may be combined with.
constexpr std::uint32_t kWithExclusive =
    EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

short interest_of(std::uint32_t events) {
  return static_cast<short>(events & ~kFlags & 0xffff);  // the bits of poll(2)
}

}  // namespace

// One watched target.
class Epoll::Item final : public Watcher {
 public:
  Item(Epoll& epoll, Pollable& target, const epoll_event& event)
      : Watcher(target, interest_of(event.events)), epoll_(epoll), target_(target) {
    change(event);
  }
  ~Item() override {
    if (is_on_ready_list_) epoll_.ready_.erase(place_);
    if (Epoll* const below = target_.as_epoll(); below != nullptr) below->watched_by_.remove(&epoll_);
  }

  void change(const epoll_event& event) {
    flags_ = event.events & kFlags;
    data_ = event.data;
    is_deaf_ = false;
    set_interest(interest_of(event.events));
  }
  Pollable& target() const { return target_; }
  bool is_exclusive() const { return (flags_ & EPOLLEXCLUSIVE) != 0; }
  // What would be reported now.
  short events() const { return is_deaf_ ? short{0} : static_cast<short>(target_.events() & interest()); }

  void on_ready(short events) override {
    if ((events & POLLNVAL) != 0) {
      epoll_.remove(*this);
    } else if (!is_deaf_) {
      epoll_.put_on_ready_list(*this);
    }
  }

 private:
  friend class Epoll;

  Epoll& epoll_;
  Pollable& target_;
  std::uint32_t flags_ = 0;
  epoll_data data_{};
  bool is_deaf_ = false;  // one-shot, and the shot is fired
  bool is_on_ready_list_ = false;
  std::list<Item*>::iterator place_;
};

Epoll::Epoll() = default;
Epoll::~Epoll() { assert(items_.empty()); }

void Epoll::on_closing(Session&) {
  items_.clear();
  for (Waiter* waiter : waiters_) waiter->wake();
}

// ---------------------------------------------------------------- what is watched

int Epoll::depth_below() const {
  int deepest = 0;
  for (const auto& [target, item] : items_) {
    if (const Epoll* const below = target->as_epoll(); below != nullptr)
      deepest = std::max(deepest, 1 + below->depth_below());
  }
  return deepest;
}

int Epoll::depth_above() const {
  int highest = 0;
  for (const Epoll* above : watched_by_) highest = std::max(highest, 1 + above->depth_above());
  return highest;
}

bool Epoll::reaches(const Epoll& other, int levels) const {
  if (this == &other) return true;
  return levels > 0 && std::ranges::any_of(items_, [&](const auto& entry) {
           const Epoll* const below = entry.first->as_epoll();
           return below != nullptr && below->reaches(other, levels - 1);
         });
}

bool Epoll::would_loop(Pollable& target) const {
  const Epoll* const below = target.as_epoll();
  if (below == nullptr) return false;
  return below->reaches(*this, kMaxDepth) || depth_above() + 1 + below->depth_below() >= kMaxDepth;
}

Outcome<void> Epoll::check_event(int operation, Pollable& target, const epoll_event* event) const {
  if (operation != EPOLL_CTL_ADD && operation != EPOLL_CTL_MOD && operation != EPOLL_CTL_DEL)
    return fail(EINVAL);
  if (&target == this) return fail(EINVAL);
  if (operation == EPOLL_CTL_DEL) return {};
  if (event == nullptr) return fail(EFAULT);
  if ((event->events & EPOLLEXCLUSIVE) == 0) return {};
  if (operation == EPOLL_CTL_MOD || target.as_epoll() != nullptr || (event->events & ~kWithExclusive) != 0)
    return fail(EINVAL);
  return {};
}

Outcome<void> Epoll::control(int operation, Pollable& target, const epoll_event* event) {
  if (const auto checked = check_event(operation, target, event); !checked) return checked;
  const auto found = items_.find(&target);
  if (operation == EPOLL_CTL_ADD) {
    if (would_loop(target)) return fail(ELOOP);
    if (found != items_.end()) return fail(EEXIST);
    return add(target, *event);
  }
  if (found == items_.end()) return fail(ENOENT);
  Item& item = *found->second;
  if (operation == EPOLL_CTL_DEL) {
    remove(item);
    return {};
  }
  if (item.is_exclusive()) return fail(EINVAL);
  item.change(*event);
  // What is ready already counts as an edge.
  if (item.events() != 0) put_on_ready_list(item);
  return {};
}

Outcome<void> Epoll::add(Pollable& target, const epoll_event& event) {
  // The kernel makes a target ready without the stack's knowing.
  if (target.kernel_descriptor() >= 0) return fail(EINVAL);
  if (Epoll* const below = target.as_epoll(); below != nullptr) below->watched_by_.push_back(this);
  Item& item = *items_.emplace(&target, std::make_unique<Item>(*this, target, event)).first->second;
  if (item.events() != 0) put_on_ready_list(item);
  return {};
}

void Epoll::remove(Item& item) { items_.erase(&item.target()); }

Outcome<void> Epoll::control_kernel(int operation, int descriptor, const epoll_event* event) {
  if (!watched_by_.empty()) return fail(EINVAL);
  const auto done = kernel_.control(operation, descriptor, event);
  // Threads that wait already did not know of a kernel descriptor.
  if (done && operation != EPOLL_CTL_DEL) {
    for (Waiter* waiter : waiters_) waiter->wake();
  }
  return done;
}

// ---------------------------------------------------------------- what is ready

void Epoll::put_on_ready_list(Item& item) {
  if (item.is_on_ready_list_) return;
  item.place_ = ready_.insert(ready_.end(), &item);
  item.is_on_ready_list_ = true;
  kernel_.raise_signal();
  wake_one();
  announce(POLLIN | POLLRDNORM);
}

void Epoll::wake_one() {
  const auto asleep =
      std::ranges::find_if(waiters_, [](const Waiter* waiter) { return !waiter->is_woken(); });
  if (asleep != waiters_.end()) (*asleep)->wake();
}

bool Epoll::drop_stale() {
  while (!ready_.empty() && ready_.front()->events() == 0) {
    ready_.front()->is_on_ready_list_ = false;
    ready_.pop_front();
  }
  if (ready_.empty()) kernel_.lower_signal();
  return !ready_.empty();
}

short Epoll::events() {
  return drop_stale() || kernel_.is_ready() ? static_cast<short>(POLLIN | POLLRDNORM) : short{0};
}

std::size_t Epoll::collect_items(std::span<epoll_event> out) {
  std::size_t count = 0;
  // Each that is on the list now once, although what is level-triggered goes back to its end.
  for (std::size_t left = ready_.size(); left > 0 && count < out.size(); --left) {
    Item& item = *ready_.front();
    const short events = item.events();
    const bool stays = events != 0 && (item.flags_ & (EPOLLET | EPOLLONESHOT)) == 0;
    if (stays) {
      ready_.splice(ready_.end(), ready_, ready_.begin());
    } else {
      ready_.pop_front();
      item.is_on_ready_list_ = false;
    }
    if (events == 0) continue;
    item.is_deaf_ = (item.flags_ & EPOLLONESHOT) != 0;
    out[count].events = static_cast<std::uint16_t>(events);
    out[count++].data = item.data_;
  }
  if (ready_.empty()) kernel_.lower_signal();
  return count;
}

std::size_t Epoll::collect(std::span<epoll_event> out) {
  kernel_goes_first_ = !kernel_goes_first_;
  std::size_t count = kernel_goes_first_ ? kernel_.collect(out) : 0;
  count += collect_items(out.subspan(count));
  if (!kernel_goes_first_) count += kernel_.collect(out.subspan(count));
  return count;
}

Outcome<int> Epoll::wait(Session& session, std::span<epoll_event> out, Instant deadline) {
  while (true) {
    const std::size_t count = collect(out);
    if (count > 0) {
      if (!ready_.empty()) wake_one();  // there may be something for another thread too
      return static_cast<int>(count);
    }
    if (session.now() >= deadline) return 0;
    Waiter waiter(session.loop());
    const KernelWatch kernel(waiter, kernel_descriptor());
    const auto place = waiters_.insert(waiters_.end(), &waiter);
    session.wait(waiter, deadline);
    waiters_.erase(place);
    if (is_closed()) return fail(EBADF);
  }
}

Outcome<int> Epoll::wake_descriptor() {
  const auto descriptor = kernel_.make_descriptor();
  if (descriptor && !ready_.empty()) kernel_.raise_signal();
  return descriptor;
}

}  // namespace transom::sockets
