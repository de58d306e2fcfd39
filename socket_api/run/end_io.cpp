#include "socket_api/run/end_io.h"

#include <sys/socket.h>

#include <array>

namespace transom::sockets::run {

MutableBytes chunk() {
  thread_local std::array<std::uint8_t, 64 << 10> the_chunk;
  return the_chunk;
}

ssize_t write_end(int end, Bytes data, int flags) {
  return ::send(end, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL | flags);
}

}  // namespace transom::sockets::run
