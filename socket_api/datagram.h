// Datagrams into the buffers of recvmsg(2).
#pragma once

#include "socket_api/socket.h"

namespace transom::sockets {

// Copies `header` and then the payloads into the buffers of `message`. Sets MSG_TRUNC there when not all had
// room. Returns how much was copied, or with MSG_TRUNC asked for, how long it all is.
std::size_t scatter(Incoming& message, Bytes header, std::span<const Packet> payloads);
inline std::size_t scatter(Incoming& message, Bytes header, const Packet& payload) {
  return scatter(message, header, std::span(&payload, 1));
}

// shutdown(2) of a socket that has no connection: as Linux, it counts even where it fails with ENOTCONN.
Outcome<void> shut_sides(int how, bool is_connected, bool& receive_shut, bool& send_shut);

}  // namespace transom::sockets
