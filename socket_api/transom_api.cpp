// The C API: looks up the descriptor, translates arguments and errors, and leaves the rest to the Socket.
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdarg>

#include "socket_api/c_call.h"
#include "socket_api/interface_query.h"

namespace {

using transom::Bytes;
using transom::MutableBytes;
using transom::sockets::fail;
using transom::sockets::Incoming;
using transom::sockets::Outcome;
using transom::sockets::Outgoing;
using transom::sockets::read_address;
using transom::sockets::read_bind_address;
using transom::sockets::read_destination;
using transom::sockets::report;
using transom::sockets::Session;
using transom::sockets::Socket;
using transom::sockets::SocketAddress;
using transom::sockets::with_session;
using transom::sockets::with_socket;
using transom::sockets::write_address;

// The pieces of an iovec as spans; a few without allocation.
template <typename Span>
class Pieces {
 public:
  // `may_be_null`: the octets are not touched.
  Outcome<void> assign(const iovec* pieces, std::size_t count, bool may_be_null = false) {
    if (count > IOV_MAX) return fail(EMSGSIZE);
    if (pieces == nullptr && count > 0) return fail(EFAULT);
    if (count > few_.size()) many_.resize(count);
    spans_ = std::span(count > few_.size() ? many_.data() : few_.data(), count);
    std::size_t total = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (pieces[i].iov_base == nullptr && pieces[i].iov_len > 0 && !may_be_null) return fail(EFAULT);
      total += pieces[i].iov_len;
      if (pieces[i].iov_len > SSIZE_MAX || total > SSIZE_MAX) return fail(EINVAL);
      spans_[i] = Span(static_cast<typename Span::pointer>(pieces[i].iov_base), pieces[i].iov_len);
    }
    return {};
  }
  std::span<const Span> spans() const { return spans_; }

 private:
  std::array<Span, 8> few_;
  std::vector<Span> many_;
  std::span<Span> spans_;
};

Outcome<std::optional<SocketAddress>> read_destination(const Socket& socket, const void* address,
                                                       socklen_t length, int flags) {
  // tcp(7): a connected stream socket ignores the address. A zero length counts as none.
  const bool is_ignored = socket.kind().type == SOCK_STREAM && (flags & MSG_FASTOPEN) == 0;
  if (static_cast<int>(length) < 0) return fail(EINVAL);
  if (address == nullptr || is_ignored) return std::nullopt;
  const auto result = read_destination(socket.domain(), static_cast<const sockaddr*>(address), length);
  if (!result) return std::unexpected(result.error());
  return *result;
}

Outcome<ssize_t> send_message(Session& session, Socket& socket, const msghdr& message, int flags) {
  Pieces<Bytes> pieces;
  if (const auto done = pieces.assign(message.msg_iov, message.msg_iovlen); !done)
    return std::unexpected(done.error());
  Outgoing outgoing{.pieces = pieces.spans(), .flags = flags};
  const auto to = read_destination(socket, message.msg_name, message.msg_namelen, flags);
  if (!to) return std::unexpected(to.error());
  outgoing.to = *to;
  if (message.msg_control != nullptr && message.msg_controllen > 0) {
    const Bytes octets(static_cast<const std::uint8_t*>(message.msg_control), message.msg_controllen);
    const auto control = transom::sockets::read_control(socket.kind(), octets);
    if (!control) return std::unexpected(control.error());
    outgoing.control = *control;
  }
  const auto sent = socket.send(session, outgoing);
  if (!sent) return std::unexpected(sent.error());
  return static_cast<ssize_t>(*sent);
}

Outcome<ssize_t> receive_message(Session& session, Socket& socket, msghdr& message, int flags) {
  Pieces<MutableBytes> pieces;
  const bool discards = (flags & MSG_TRUNC) != 0 && socket.kind().type == SOCK_STREAM;
  if (const auto done = pieces.assign(message.msg_iov, message.msg_iovlen, discards); !done)
    return std::unexpected(done.error());
  if (message.msg_name != nullptr && static_cast<int>(message.msg_namelen) < 0) return fail(EINVAL);
  Incoming incoming{.buffers = pieces.spans(), .flags = flags};
  if (message.msg_control != nullptr)
    incoming.control = MutableBytes(static_cast<std::uint8_t*>(message.msg_control), message.msg_controllen);
  const auto received = socket.receive(session, incoming);
  if (!received) return std::unexpected(received.error());
  if (message.msg_name != nullptr && incoming.from) {
    const auto named = write_address(socket.domain(), *incoming.from,
                                     static_cast<sockaddr*>(message.msg_name), &message.msg_namelen);
    if (!named) return std::unexpected(named.error());
  } else {
    message.msg_namelen = 0;
  }
  message.msg_controllen = incoming.control_size;
  message.msg_flags = incoming.result_flags;
  return static_cast<ssize_t>(*received);
}

}  // namespace

int transom_socket(transom_stack* stack, int domain, int type, int protocol) {
  constexpr int kFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  return report(with_session(stack, [&](Session& session) -> Outcome<int> {
    const auto socket = Socket::create(session, {domain, type & ~kFlags, protocol});
    if (!socket) return std::unexpected(socket.error());
    (*socket)->set_non_blocking((type & SOCK_NONBLOCK) != 0);
    const auto number = stack->descriptors.add(*socket);
    if (!number) (*socket)->close(session);
    return number;
  }));
}

int transom_bind(transom_stack* stack, int fd, const sockaddr* address, socklen_t length) {
  return report(with_socket(stack, fd, [&](Session& session, Socket& socket) -> Outcome<void> {
    const auto to = read_bind_address(socket.domain(), address, length);
    if (!to) return std::unexpected(to.error());
    return socket.bind(session, *to);
  }));
}

int transom_listen(transom_stack* stack, int fd, int backlog) {
  return report(with_socket(
      stack, fd, [&](Session& session, Socket& socket) { return socket.listen(session, backlog); }));
}

int transom_accept(transom_stack* stack, int fd, sockaddr* address, socklen_t* length) {
  return transom_accept4(stack, fd, address, length, 0);
}

int transom_accept4(transom_stack* stack, int fd, sockaddr* address, socklen_t* length, int flags) {
  return report(with_socket(stack, fd, [&](Session& session, Socket& socket) -> Outcome<int> {
    if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != 0) return fail(EINVAL);
    if (address != nullptr && length == nullptr) return fail(EFAULT);
    const auto accepted = socket.accept(session);
    if (!accepted) return std::unexpected(accepted.error());
    Socket& connection = *accepted->socket;
    if (address != nullptr) {
      if (const auto named = write_address(connection.domain(), accepted->from, address, length); !named) {
        connection.close(session);
        return std::unexpected(named.error());
      }
    }
    connection.set_non_blocking((flags & SOCK_NONBLOCK) != 0);
    const auto number = stack->descriptors.add(accepted->socket);
    if (!number) connection.close(session);
    return number;
  }));
}

int transom_connect(transom_stack* stack, int fd, const sockaddr* address, socklen_t length) {
  return report(with_socket(stack, fd, [&](Session& session, Socket& socket) -> Outcome<void> {
    if (transom::sockets::is_unspecified_family(address, length)) return socket.disconnect(session);
    const bool is_stream = socket.kind().type == SOCK_STREAM;
    const auto to = is_stream ? read_address(socket.domain(), address, length)
                              : read_destination(socket.domain(), address, length);
    if (!to) return std::unexpected(to.error());
    return socket.connect(session, *to);
  }));
}

ssize_t transom_send(transom_stack* stack, int fd, const void* buffer, size_t size, int flags) {
  return transom_sendto(stack, fd, buffer, size, flags, nullptr, 0);
}

ssize_t transom_sendto(transom_stack* stack, int fd, const void* buffer, size_t size, int flags,
                       const sockaddr* to, socklen_t length) {
  iovec piece{.iov_base = const_cast<void*>(buffer), .iov_len = size};
  msghdr message{};
  message.msg_name = const_cast<sockaddr*>(to);
  message.msg_namelen = length;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  return transom_sendmsg(stack, fd, &message, flags);
}

ssize_t transom_sendmsg(transom_stack* stack, int fd, const msghdr* message, int flags) {
  return report(with_socket(stack, fd, [&](Session& session, Socket& socket) -> Outcome<ssize_t> {
    if (message == nullptr) return fail(EFAULT);
    return send_message(session, socket, *message, flags);
  }));
}

ssize_t transom_recv(transom_stack* stack, int fd, void* buffer, size_t size, int flags) {
  return transom_recvfrom(stack, fd, buffer, size, flags, nullptr, nullptr);
}

ssize_t transom_recvfrom(transom_stack* stack, int fd, void* buffer, size_t size, int flags, sockaddr* from,
                         socklen_t* length) {
  return report(with_socket(stack, fd, [&](Session& session, Socket& socket) -> Outcome<ssize_t> {
    if (from != nullptr && length == nullptr) return fail(EFAULT);
    iovec piece{.iov_base = buffer, .iov_len = size};
    msghdr message{};
    message.msg_name = from;
    message.msg_namelen = from != nullptr ? *length : 0;
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    const auto received = receive_message(session, socket, message, flags);
    if (received && from != nullptr) *length = message.msg_namelen;
    return received;
  }));
}

ssize_t transom_recvmsg(transom_stack* stack, int fd, msghdr* message, int flags) {
  return report(with_socket(stack, fd, [&](Session& session, Socket& socket) -> Outcome<ssize_t> {
    if (message == nullptr) return fail(EFAULT);
    return receive_message(session, socket, *message, flags);
  }));
}

int transom_sendmmsg(transom_stack* stack, int fd, mmsghdr* messages, unsigned count, int flags) {
  return report(with_socket(stack, fd, [&](Session& session, Socket& socket) -> Outcome<int> {
    if (messages == nullptr && count > 0) return fail(EFAULT);
    const unsigned limit = std::min<unsigned>(count, IOV_MAX);
    for (unsigned i = 0; i < limit; ++i) {
      const auto sent = send_message(session, socket, messages[i].msg_hdr, flags);
      if (!sent) return i > 0 ? Outcome<int>(static_cast<int>(i)) : std::unexpected(sent.error());
      messages[i].msg_len = static_cast<unsigned>(*sent);
    }
    return static_cast<int>(limit);
  }));
}

int transom_recvmmsg(transom_stack* stack, int fd, mmsghdr* messages, unsigned count, int flags,
                     timespec* timeout) {
  return report(with_socket(stack, fd, [&](Session& session, Socket& socket) -> Outcome<int> {
    if (messages == nullptr && count > 0) return fail(EFAULT);
    constexpr long kSecond = 1'000'000'000;
    constexpr time_t kForEver = kSecond;  // 30 years
    transom::Instant deadline = transom::kNever;
    if (timeout != nullptr) {
      if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= kSecond) return fail(EINVAL);
      if (timeout->tv_sec < kForEver)
        deadline = session.now() + std::chrono::seconds(timeout->tv_sec) +
                   std::chrono::nanoseconds(timeout->tv_nsec);
    }
    const unsigned limit = std::min<unsigned>(count, IOV_MAX);
    unsigned received = 0;
    while (received < limit) {
      const auto size = receive_message(session, socket, messages[received].msg_hdr, flags & ~MSG_WAITFORONE);
      if (!size)
        return received > 0 ? Outcome<int>(static_cast<int>(received)) : std::unexpected(size.error());
      messages[received++].msg_len = static_cast<unsigned>(*size);
      if ((flags & MSG_WAITFORONE) != 0) flags |= MSG_DONTWAIT;
      // As Linux: looked at between messages, so a wait for the next is not cut short.
      if (session.now() >= deadline) break;
    }
    return static_cast<int>(received);
  }));
}

int transom_shutdown(transom_stack* stack, int fd, int how) {
  return report(with_socket(stack, fd,
                            [&](Session& session, Socket& socket) { return socket.shutdown(session, how); }));
}

int transom_close(transom_stack* stack, int fd) {
  return report(with_session(stack, [&](Session& session) -> Outcome<void> {
    const auto open = stack->descriptors.remove(fd);
    if (!open) return fail(EBADF);
    open->close(session);
    return {};
  }));
}

int transom_getsockname(transom_stack* stack, int fd, sockaddr* address, socklen_t* length) {
  return report(with_socket(stack, fd, [&](Session&, Socket& socket) -> Outcome<void> {
    const auto local = socket.local_address();
    if (!local) return std::unexpected(local.error());
    return write_address(socket.domain(), *local, address, length);
  }));
}

int transom_getpeername(transom_stack* stack, int fd, sockaddr* address, socklen_t* length) {
  return report(with_socket(stack, fd, [&](Session&, Socket& socket) -> Outcome<void> {
    const auto remote = socket.remote_address();
    if (!remote) return std::unexpected(remote.error());
    return write_address(socket.domain(), *remote, address, length);
  }));
}

int transom_setsockopt(transom_stack* stack, int fd, int level, int name, const void* value,
                       socklen_t length) {
  return report(with_socket(stack, fd, [&](Session& session, Socket& socket) -> Outcome<void> {
    if (static_cast<int>(length) < 0) return fail(EINVAL);
    if (value == nullptr && length > 0) return fail(EFAULT);
    return socket.set_option(session, level, name, Bytes(static_cast<const std::uint8_t*>(value), length));
  }));
}

int transom_getsockopt(transom_stack* stack, int fd, int level, int name, void* value, socklen_t* length) {
  return report(with_socket(stack, fd, [&](Session& session, Socket& socket) -> Outcome<void> {
    if (length == nullptr || (value == nullptr && *length > 0)) return fail(EFAULT);
    if (static_cast<int>(*length) < 0) return fail(EINVAL);
    const auto written =
        socket.get_option(session, level, name, MutableBytes(static_cast<std::uint8_t*>(value), *length));
    if (!written) return std::unexpected(written.error());
    *length = static_cast<socklen_t>(*written);
    return {};
  }));
}

int transom_fcntl(transom_stack* stack, int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  const int flags = command == F_SETFL || command == F_SETFD ? va_arg(arguments, int) : 0;
  va_end(arguments);
  return report(with_socket(stack, fd, [&](Session&, Socket& socket) -> Outcome<int> {
    switch (command) {
      case F_GETFL:
        return O_RDWR | (socket.is_non_blocking() ? O_NONBLOCK : 0);
      case F_SETFL:
        socket.set_non_blocking((flags & O_NONBLOCK) != 0);
        return 0;
      case F_GETFD:
      case F_SETFD:
        return 0;
      default:
        return fail(EINVAL);
    }
  }));
}

int transom_ioctl(transom_stack* stack, int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return report(with_socket(stack, fd, [&](Session& session, Socket& socket) -> Outcome<void> {
    if (request == SIOCGIFCONF) {
      if (argument == nullptr) return fail(EFAULT);
      return transom::sockets::list_interfaces(session, *static_cast<ifconf*>(argument));
    }
    if (transom::sockets::is_interface_query(request)) {
      if (argument == nullptr) return fail(EFAULT);
      return transom::sockets::query_interface(session, request, *static_cast<ifreq*>(argument));
    }
    int* const value = static_cast<int*>(argument);
    if (request == FIONBIO) {
      if (value == nullptr) return fail(EFAULT);
      socket.set_non_blocking(*value != 0);
      return {};
    }
    const auto answer = socket.query(request);
    if (!answer) return std::unexpected(answer.error());
    if (value == nullptr) return fail(EFAULT);
    *value = *answer;
    return {};
  }));
}
