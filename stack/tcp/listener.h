// A passive open: the SYN queue of half-open records, the accept queue of finished connections, and SYN cookies when the
// SYN queue is full (RFC 4987).
#pragma once

#include "stack/base/readiness.h"
#include "stack/tcp/types.h"

namespace transom::tcp {

class Connection;

class Listener {
 public:
  // The oldest established connection; kWouldBlock when there is none. It belongs to the caller from then on.
  virtual Result<Connection*> accept() = 0;
  // Changes the backlog (listen() again). What is queued stays.
  virtual void set_backlog(std::size_t backlog) = 0;
  virtual Options& options() = 0;
  virtual Endpoint local() const = 0;
  virtual Readiness readiness() const = 0;
  virtual void set_listener(ReadinessListener* listener) = 0;
  // Ends the passive open: queued connections are reset. The pointer is invalid afterwards.
  virtual void close() = 0;

 protected:
  ~Listener() = default;
};

}  // namespace transom::tcp
