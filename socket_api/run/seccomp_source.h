// Calls by seccomp notification: seccomp_unotify(2).
#pragma once

#include "socket_api/run/call_source.h"

namespace transom::sockets::run {

std::unique_ptr<CallSource> make_seccomp_source(drivers::FileDescriptor listener);

}  // namespace transom::sockets::run
