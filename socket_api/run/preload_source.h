// Calls that a preloaded library hands over: preload.c.
#pragma once

#include "socket_api/run/call_source.h"

namespace transom::sockets::run {

std::unique_ptr<CallSource> make_preload_source(drivers::FileDescriptor listener);

}  // namespace transom::sockets::run
