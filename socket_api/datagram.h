// One datagram into the buffers of recvmsg(2).
#pragma once

#include "socket_api/socket.h"

namespace transom::sockets {

// Copies `header` and then `payload` into the buffers of `message`. Sets MSG_TRUNC there when not all had
// room. Returns how much was copied, or with MSG_TRUNC asked for, how long the datagram is.
std::size_t scatter(Incoming& message, Bytes header, const Packet& payload);

}  // namespace transom::sockets
