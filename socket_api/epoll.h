// epoll(7) over what a stack has descriptors for, and over descriptors of the kernel beside them.
//
// Each watched target has an Item. An Item whose target may have become ready is put on the ready list, and
// that is all that happens until somebody waits: epoll_wait() takes Items from the list, asks their targets
// what they are ready for, and drops those that are not ready after all. So a wait costs what is ready, not
// what is watched.
//
//   level-triggered   an Item that was reported goes back to the end of the list: it is asked again next time
//   EPOLLET           it is off the list until its target announces something again
//   EPOLLONESHOT      it is deaf until EPOLL_CTL_MOD
//
// Descriptors of the kernel are in a KernelSet. What the stack has and what the kernel has take turns in
// being first, so neither starves the other.
#pragma once

#include <list>
#include <memory>
#include <unordered_map>

#include "socket_api/kernel_set.h"
#include "socket_api/stack_instance.h"
#include "socket_api/watcher.h"

namespace transom::sockets {

class Epoll final : public Pollable {
 public:
  Epoll();
  ~Epoll() override;

  // epoll_ctl(2) for a target of the same stack. EEXIST, ENOENT, EINVAL, ELOOP, EFAULT.
  Outcome<void> control(int operation, Pollable& target, const epoll_event* event);
  // epoll_ctl(2) for a descriptor of the kernel; the kernel's errors. EINVAL when another Epoll watches this
  // one.
  Outcome<void> control_kernel(int operation, int descriptor, const epoll_event* event);
  // Waits for at least one event until the deadline; returns how many were written to `out`, which has room
  // for at least one. EBADF when closed meanwhile.
  Outcome<int> wait(Session& session, std::span<epoll_event> out, Instant deadline);
  // A descriptor of the kernel, owned by this, that is readable while wait() would not have to wait.
  Outcome<int> wake_descriptor();

  short events() override;
  int kernel_descriptor() const override { return kernel_.is_empty() ? -1 : kernel_.descriptor(); }
  Epoll* as_epoll() override { return this; }

 protected:
  void on_closing(Session& session) override;

 private:
  class Item;
  using Items = std::unordered_map<Pollable*, std::unique_ptr<Item>>;

  Outcome<void> check_event(int operation, Pollable& target, const epoll_event* event) const;
  // Whether watching `target`, which other Epolls may be below, would make a circle or too deep a tree.
  bool would_loop(Pollable& target) const;
  int depth_below() const;
  int depth_above() const;
  bool reaches(const Epoll& other, int levels) const;
  Outcome<void> add(Pollable& target, const epoll_event& event);
  void remove(Item& item);
  void put_on_ready_list(Item& item);
  bool drop_stale();  // from the front of the ready list; false when nothing is left
  std::size_t collect(std::span<epoll_event> out);
  std::size_t collect_items(std::span<epoll_event> out);
  void wake_one();

  Items items_;
  std::list<Item*> ready_;
  KernelSet kernel_;
  bool kernel_goes_first_ = false;
  std::list<Waiter*> waiters_;    // threads in wait()
  std::list<Epoll*> watched_by_;  // Epolls that this is a target of
};

}  // namespace transom::sockets
