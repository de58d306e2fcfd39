// The seccomp filter that makes a program's socket calls ask a supervisor (seccomp_unotify(2)).
//
// Only calls that the kernel could not answer rightly by itself are handed over: making, naming and
// connecting sockets, their options, and messages with addresses. Everything else (read, write, send, recv,
// poll, epoll, shutdown, dup, close, sendfile, ...) works on the program's descriptor natively, which is one
// end of a socketpair: see pair.h.
//
// This is for compatibility and is no sandbox.
#pragma once

#include "drivers/file_descriptor.h"
#include "socket_api/outcome.h"

namespace transom::sockets::run {

// Installs the filter in this thread, for good and for everything that it starts. Without CAP_SYS_ADMIN it
// sets no_new_privs, so that set-user-ID programs gain nothing. Returns the descriptor on which the
// supervisor listens. EBUSY when such a filter is installed already; ENOSYS, EINVAL where the kernel lacks
// it.
Outcome<drivers::FileDescriptor> install_filter();

}  // namespace transom::sockets::run
