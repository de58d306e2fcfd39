// Where the calls of programs come from: the kernel's seccomp notification, or, where that is not to be had,
// a library that is loaded into each program and asks through a socket (preload.c).
#pragma once

#include <memory>
#include <optional>

#include "drivers/file_descriptor.h"
#include "socket_api/run/trapped_call.h"

namespace transom::sockets::run {

enum class Interception : std::uint8_t { kSeccomp, kPreload };

class CallSource {
 public:
  virtual ~CallSource() = default;
  // Readable when a call may be waiting.
  virtual int descriptor() const = 0;
  // nullopt when there is none, or when the thread that made it is gone.
  virtual std::optional<TrappedCall> next() = 0;
};

// `listener`: of install_filter(), or of listen_for_preload(). Throws std::system_error.
std::unique_ptr<CallSource> make_call_source(Interception kind, drivers::FileDescriptor listener);

// For programs of this network namespace, once in each: what their preloaded library connects to. EADDRINUSE.
Outcome<drivers::FileDescriptor> listen_for_preload();

}  // namespace transom::sockets::run
