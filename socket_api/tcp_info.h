// The picture of a connection that getsockopt(TCP_INFO) gives.
#pragma once

#include "socket_api/outcome.h"
#include "stack/base/bytes.h"
#include "stack/tcp/types.h"

namespace transom::sockets {

// Writes as much of struct transom_tcp_info (transom.h), which begins with Linux's struct tcp_info, as there
// is room for.
std::size_t write_tcp_info(const tcp::Info& info, MutableBytes out);

}  // namespace transom::sockets
