// How one trapped call is answered.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "socket_api/outcome.h"

namespace transom::sockets::run {

class CallChannel {
 public:
  virtual ~CallChannel() = default;
  // The thread still waits for the answer to its call `id`.
  virtual bool is_alive(std::uint64_t id) const = 0;
  virtual void finish(std::uint64_t id, std::int64_t value, int error) const = 0;
  virtual void resume(std::uint64_t id) const = 0;
  // ESRCH when nobody waits any more; else the errno that the program is told.
  virtual Outcome<void> give(std::uint64_t id, int descriptor, bool close_on_exec) const = 0;
  // With a number of which all is asked (asked_numbers.h), if there is one to be had by the process of
  // `thread`.
  virtual Outcome<void> give_asked(std::uint64_t id, pid_t thread, int descriptor,
                                   bool close_on_exec) const = 0;
  // What replace() does has happened when it returns.
  virtual bool replaces_at_once() const = 0;
  virtual Outcome<void> replace(std::uint64_t id, int number, int descriptor, bool close_on_exec) const = 0;
};

}  // namespace transom::sockets::run
