// Who wants to know when a socket becomes ready. The seam for everything that waits: a blocked call, poll(),
// epoll, another event loop.
#pragma once

#include <poll.h>

#include "stack/base/readiness.h"

namespace transom::sockets {

class Socket;

// The same, in the bits of poll(2): POLLIN, POLLOUT, POLLPRI, POLLERR, POLLHUP, POLLRDHUP.
short poll_events(const Readiness& readiness);

// Linked into the socket's list from construction to destruction, both under the lock of the stack. When the
// socket is closed it is told POLLNVAL and unlinked.
class Watcher {
 public:
  // POLLERR, POLLHUP and POLLNVAL are always of interest.
  Watcher(Socket& socket, short interest);
  virtual ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  short interest() const { return interest_; }
  // The socket may just have become ready for `events`, some of which are of interest. Called under the lock,
  // perhaps from within the stack: it may note it and wake a thread, and nothing else.
  virtual void on_ready(short events) = 0;

 private:
  friend class Socket;

  void unlink();

  short interest_;
  Socket* socket_;
  Watcher* next_;
  Watcher* previous_ = nullptr;
};

}  // namespace transom::sockets
