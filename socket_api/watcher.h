// What can be waited for, and who wants to know when it becomes ready. The seam for everything that waits: a
// blocked call, poll(), epoll, another event loop.
#pragma once

#include <poll.h>

#include "stack/base/readiness.h"

namespace transom::sockets {

class Epoll;
class Session;
class Socket;
class Watcher;

// The same, in the bits of poll(2): POLLIN, POLLOUT, POLLPRI, POLLERR, POLLHUP, POLLRDHUP.
short poll_events(const Readiness& readiness);

// What a descriptor of a stack stands for: a Socket or an Epoll. All of it under the lock of the stack.
class Pollable {
 public:
  Pollable() = default;
  virtual ~Pollable();  // must have been closed
  Pollable(const Pollable&) = delete;
  Pollable& operator=(const Pollable&) = delete;

  // What it is ready for now, in the bits of poll(2).
  virtual short events() = 0;
  // A descriptor of the kernel that becomes readable when the kernel makes this ready, where the stack does
  // not hear of it; -1 without.
  virtual int kernel_descriptor() const { return -1; }
  virtual Socket* as_socket() { return nullptr; }
  virtual Epoll* as_epoll() { return nullptr; }

  // Of no use afterwards. Whoever watches is told.
  void close(Session& session);
  bool is_closed() const { return is_closed_; }

 protected:
  // Of `changed`, some may have become true: tells the watchers.
  void announce(short changed);
  // Releases what it has.
  virtual void on_closing(Session& session) = 0;

 private:
  friend class Watcher;

  Watcher* watchers_ = nullptr;
  bool is_closed_ = false;
};

// Linked into the list of what it watches from construction to destruction, both under the lock of the stack.
// When that is closed, the watcher is unlinked and told POLLNVAL.
class Watcher {
 public:
  // POLLERR, POLLHUP and POLLNVAL are always of interest.
  Watcher(Pollable& target, short interest);
  virtual ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  short interest() const { return interest_; }
  void set_interest(short interest);
  // The target may just have become ready for `events`, some of which are of interest. Called under the lock,
  // perhaps from within the stack: it may note it and wake a thread, and nothing else. After POLLNVAL it may
  // be destroyed.
  virtual void on_ready(short events) = 0;

 private:
  friend class Pollable;

  void unlink();

  short interest_;
  Pollable* target_;
  Watcher* next_;
  Watcher* previous_ = nullptr;
};

}  // namespace transom::sockets
