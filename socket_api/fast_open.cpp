// TCP Fast Open (RFC 7413) of a TcpSocket: MSG_FASTOPEN and the options, as tcp(7) and the kernel have them.
#include <netinet/tcp.h>

#include <algorithm>

#include "socket_api/limits.h"
#include "socket_api/option_value.h"
#include "socket_api/tcp_socket.h"

namespace transom::sockets {

namespace {

constexpr std::size_t kKeySize = 16;  // octets; TCP_FASTOPEN_KEY takes one, or that and the previous one

SipKey read_key(Bytes octets) {
  SipKey key{};
  for (std::size_t i = 0; i < kKeySize; ++i) key[i / 8] |= std::uint64_t{octets[i]} << i % 8 * 8;
  return key;
}

void write_key(const SipKey& key, MutableBytes octets) {
  for (std::size_t i = 0; i < kKeySize; ++i) octets[i] = static_cast<std::uint8_t>(key[i / 8] >> i % 8 * 8);
}

}  // namespace

// The first send of a connection whose SYN waits for it, or with MSG_FASTOPEN: connect() and send() in one.
Outcome<std::size_t> TcpSocket::send_fast(Session& session, const Outgoing& message) {
  const bool is_asked_for = (message.flags & MSG_FASTOPEN) != 0;
  if (is_asked_for && !session.host().tcp().fast_open_config().client) return fail(EOPNOTSUPP);
  if (phase_ == Phase::kListening || phase_ == Phase::kConnected) return fail(EISCONN);
  const Instant limit = deadline(session, settings_.send_timeout, message.flags);
  std::size_t sent = 0;
  int unfinished = EINPROGRESS;
  if (phase_ == Phase::kFresh) {
    if (!message.to) return fail(EINVAL);
    const auto started = start_connecting(session, *message.to, true);
    if (!started) return std::unexpected(started.error());
  } else if (!connection_->waits_for_data()) {
    unfinished = EALREADY;
  }
  if (connection_->waits_for_data()) {
    if (const auto taken = connection_->send(message.pieces)) sent = *taken;
  }
  const auto connected = finish_connecting(session, limit, unfinished);
  if (connected) return send_octets(session, message, sent);
  const bool is_on_its_way = connected.error() == Errno{unfinished} && sent > 0;
  return is_on_its_way ? Outcome<std::size_t>(sent) : std::unexpected(connected.error());
}

Outcome<void> TcpSocket::set_fast_open_option(Session& session, int name, Bytes value) {
  if (name == TCP_FASTOPEN_KEY) {
    if (value.size() != kKeySize && value.size() != 2 * kKeySize) return fail(EINVAL);
    fast_open_keys_ = {.current = read_key(value)};
    if (value.size() > kKeySize) fast_open_keys_->previous = read_key(value.subspan(kKeySize));
    if (listener_ != nullptr) listener_->set_fast_open_keys(*fast_open_keys_);
    return {};
  }
  const auto number = read_option<int>(value);
  if (!number) return std::unexpected(number.error());
  const bool is_truth = *number == 0 || *number == 1;
  const bool is_unconnected = phase_ == Phase::kFresh || phase_ == Phase::kListening;
  switch (name) {
    case TCP_FASTOPEN:
      if (*number < 0 || !is_unconnected) return fail(EINVAL);
      options_.fast_open_queue = static_cast<std::uint32_t>(std::min(*number, kMaxBacklog));
      return {};
    case TCP_FASTOPEN_CONNECT:
      if (!is_truth) return fail(EINVAL);
      if (!session.host().tcp().fast_open_config().client) return fail(EOPNOTSUPP);
      if (phase_ != Phase::kFresh) return fail(EINVAL);
      options_.fast_open_connect = *number == 1;
      return {};
    default:  // TCP_FASTOPEN_NO_COOKIE
      if (!is_truth || !is_unconnected) return fail(EINVAL);
      options_.fast_open_without_cookie = *number == 1;
      return {};
  }
}

std::size_t TcpSocket::write_fast_open_keys(Session& session, MutableBytes out) const {
  const tcp::FastOpenKeys& keys = fast_open_keys_ ? *fast_open_keys_ : session.host().tcp().fast_open_keys();
  std::array<std::uint8_t, 2 * kKeySize> octets{};
  write_key(keys.current, MutableBytes(octets).first(kKeySize));
  if (keys.previous) write_key(*keys.previous, MutableBytes(octets).last(kKeySize));
  const std::size_t size = std::min(out.size(), keys.previous ? octets.size() : kKeySize);
  std::ranges::copy(Bytes(octets).first(size), out.begin());
  return size;
}

}  // namespace transom::sockets
