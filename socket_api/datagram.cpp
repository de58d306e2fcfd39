#include "socket_api/datagram.h"

#include <algorithm>

namespace transom::sockets {

std::size_t scatter(Incoming& message, Bytes header, const Packet& payload) {
  const std::size_t payload_size = payload ? payload.size() : 0;
  const std::size_t size = header.size() + payload_size;
  std::size_t copied = 0;
  for (MutableBytes buffer : message.buffers) {
    if (copied < header.size()) {
      const std::size_t part = std::min(buffer.size(), header.size() - copied);
      std::ranges::copy(header.subspan(copied, part), buffer.begin());
      copied += part;
      buffer = buffer.subspan(part);
    }
    const std::size_t part = std::min(buffer.size(), size - copied);
    if (part == 0 || copied < header.size()) continue;
    payload.copy_out(copied - header.size(), buffer.first(part));
    copied += part;
  }
  if (copied == size) return size;
  message.result_flags |= MSG_TRUNC;
  return (message.flags & MSG_TRUNC) != 0 ? size : copied;
}

}  // namespace transom::sockets
