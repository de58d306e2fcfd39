// The picture of a connection that getsockopt(TCP_INFO) gives.
#pragma once

#include "socket_api/outcome.h"
#include "stack/base/bytes.h"
#include "stack/tcp/types.h"

namespace transom::sockets {

// Writes as much of Linux's struct tcp_info as there is room for. `unsent` in octets.
std::size_t write_tcp_info(const tcp::Info& info, const tcp::Options& options, std::size_t unsent,
                           MutableBytes out);

}  // namespace transom::sockets
