#include "socket_api/datagram.h"

#include <algorithm>

namespace transom::sockets {

namespace {

// Where the next octet goes.
class Buffers {
 public:
  explicit Buffers(std::span<const MutableBytes> buffers) : rest_(buffers) {}

  // The room for up to `wanted` octets in one piece; empty when there is none left.
  MutableBytes next(std::size_t wanted) {
    while (!rest_.empty() && used_ == rest_.front().size()) {
      rest_ = rest_.subspan(1);
      used_ = 0;
    }
    if (rest_.empty()) return {};
    const MutableBytes free = rest_.front().subspan(used_);
    const std::size_t size = std::min(wanted, free.size());
    used_ += size;
    return free.first(size);
  }

 private:
  std::span<const MutableBytes> rest_;
  std::size_t used_ = 0;
};

}  // namespace

std::size_t scatter(Incoming& message, Bytes header, std::span<const Packet> payloads) {
  Buffers buffers(message.buffers);
  std::size_t size = 0;
  std::size_t copied = 0;
  const auto put = [&](std::size_t length, auto copy) {
    size += length;
    std::size_t done = 0;
    while (done < length) {
      const MutableBytes room = buffers.next(length - done);
      if (room.empty()) break;
      copy(done, room);
      done += room.size();
    }
    copied += done;
  };
  put(header.size(), [&](std::size_t offset, MutableBytes room) {
    std::ranges::copy(header.subspan(offset, room.size()), room.begin());
  });
  for (const Packet& payload : payloads) {
    put(payload ? payload.size() : 0,
        [&](std::size_t offset, MutableBytes room) { payload.copy_out(offset, room); });
  }
  if (copied == size) return size;
  message.result_flags |= MSG_TRUNC;
  return (message.flags & MSG_TRUNC) != 0 ? size : copied;
}

Outcome<void> shut_sides(int how, bool is_connected, bool& receive_shut, bool& send_shut) {
  if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) return fail(EINVAL);
  receive_shut |= how != SHUT_WR;
  send_shut |= how != SHUT_RD;
  if (!is_connected) return fail(ENOTCONN);
  return {};
}

}  // namespace transom::sockets
