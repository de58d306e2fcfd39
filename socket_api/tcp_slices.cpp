// Sending and receiving of a TcpSocket without a copy: what zero_copy.h stands on.
#include <algorithm>

#include "socket_api/tcp_socket.h"

namespace transom::sockets {

Outcome<std::size_t> TcpSocket::send_slice(Session& session, Slice& octets, int flags) {
  // Data in a SYN is copied, whoever sends it.
  if (connection_ != nullptr && connection_->waits_for_data()) {
    const Bytes bytes = octets.bytes();
    const auto sent = send(session, {.pieces = {&bytes, 1}, .flags = flags});
    if (sent) octets.trim_front(*sent);
    return sent;
  }
  const Instant limit = deadline(session, settings_.send_timeout, flags);
  std::size_t sent = 0;
  do {
    const auto taken = repeat(session, POLLOUT, limit, [&]() -> Outcome<std::size_t> {
      if (connection_ == nullptr) return std::unexpected(error_or(EPIPE));
      if (sent > 0 && connection_->readiness().error) return fail(EPIPE);  // it is for the next call
      const auto here = connection_->send(octets);
      if (!here) return fail(here.error());
      return *here;
    });
    if (!taken) return sent > 0 ? Outcome<std::size_t>(sent) : taken;
    if (settings_.timestamping != 0) note_write(*taken);
    sent += *taken;
  } while (!octets.empty());
  return sent;
}

Outcome<std::size_t> TcpSocket::receive_slices(Session& session, std::vector<Slice>& out, std::size_t limit) {
  const Instant end = deadline(session, settings_.receive_timeout, 0);
  const std::size_t target = std::min(limit, low_water());
  std::size_t received = 0;
  while (true) {
    const auto taken = repeat(session, POLLIN, end, [&]() -> Outcome<std::size_t> {
      if (connection_ == nullptr) return std::unexpected(error_or(ENOTCONN));
      // An error, or the end, is for the next call.
      if (received > 0 && connection_->readable_octets() == 0 && !may_read_more()) return 0;
      const auto here = connection_->receive(out, limit - received);
      if (!here) return fail(here.error());
      return *here;
    });
    if (!taken && received == 0) return taken;
    if (taken) received += *taken;
    if (!taken || *taken == 0 || received >= target || connection_->at_urgent_mark()) break;
  }
  peek_back(received);
  return received;
}

void TcpSocket::release_slices(std::uint32_t connection, std::size_t octets) {
  if (connection_ != nullptr && connection == connection_number_) connection_->release(octets);
}

}  // namespace transom::sockets
