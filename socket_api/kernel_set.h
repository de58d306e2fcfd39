// The descriptors of the kernel that an Epoll watches beside those of the stack, and the descriptor by which
// a foreign event loop watches the Epoll: both are an epoll of the kernel, made when it is first needed. What
// is in it is the kernel's to judge: readiness, edges, one-shot, errors.
#pragma once

#include <sys/epoll.h>

#include <span>
#include <unordered_map>

#include "drivers/file_descriptor.h"
#include "socket_api/outcome.h"

namespace transom::sockets {

class KernelSet {
 public:
  // epoll_ctl(2) for a descriptor of the kernel.
  Outcome<void> control(int operation, int descriptor, const epoll_event* event);
  // What is ready now, without waiting.
  std::size_t collect(std::span<epoll_event> out);
  // Whether collect() would find something. The signal must be low.
  bool is_ready() const;
  bool is_empty() const { return data_.empty(); }

  // Readable when something in the set is ready, or the signal is raised. -1 before the first control() or
  // make_descriptor().
  int descriptor() const { return set_.get(); }
  // The same, made if need be; from then on the signal works.
  Outcome<int> make_descriptor();
  // Says that a socket of the stack may be ready, or that none is.
  void raise_signal();
  void lower_signal();

 private:
  Outcome<void> make_set();

  drivers::FileDescriptor set_;
  drivers::FileDescriptor signal_;  // an eventfd in the set
  bool is_raised_ = false;
  std::unordered_map<int, epoll_data> data_;  // of the user, by descriptor
};

}  // namespace transom::sockets
