// What a socket-like object can do right now, and who wants to know when that changes.
#pragma once

#include <cstdint>

namespace transom {

// A set of conditions; the socket API maps them to POLLIN, POLLOUT, POLLPRI, POLLERR, POLLHUP and POLLRDHUP.
struct Readiness {
  bool readable = false;      // data, end of file, an error, or a connection to accept
  bool writable = false;      // room in the send buffer, or writing would fail at once
  bool priority = false;      // urgent data
  bool error = false;         // a pending error
  bool hang_up = false;       // both directions are closed
  bool read_hang_up = false;  // the peer has closed its sending direction

  friend bool operator==(const Readiness&, const Readiness&) = default;
};

// Told whenever a condition may have become true. It may look at readiness(), and must not call anything else
// of the stack from inside the call.
class ReadinessListener {
 public:
  virtual void on_readiness() = 0;
  // The same where it is known what has happened, which is what edge-triggered waiting is about: more has
  // come to be read, perhaps behind something that is still unread; or there is room to write again.
  virtual void on_input() { on_readiness(); }
  virtual void on_room() { on_readiness(); }

 protected:
  ~ReadinessListener() = default;
};

}  // namespace transom
