#include "socket_api/cxx.h"

#include <netinet/tcp.h>
#include <sys/time.h>

#include "socket_api/option_value.h"

namespace transom::sockets {

namespace {

int domain_of(const IpAddress& address) { return address.is_v4() ? AF_INET : AF_INET6; }

Outcome<std::size_t> send(SocketHandle& handle, Bytes octets, const std::optional<SocketAddress>& to) {
  return handle.with_socket([&](Session& session, Socket& socket) {
    return socket.send(session, {.pieces = {&octets, 1}, .to = to});
  });
}

Outcome<ReceivedFrom> receive_from(SocketHandle& handle, MutableBytes out) {
  Incoming incoming{.buffers = {&out, 1}};
  const auto size =
      handle.with_socket([&](Session& session, Socket& socket) { return socket.receive(session, incoming); });
  if (!size) return std::unexpected(size.error());
  return ReceivedFrom{.size = *size,
                      .source = incoming.from ? incoming.from->endpoint : Endpoint{},
                      .is_truncated = (incoming.result_flags & MSG_TRUNC) != 0};
}

Outcome<void> set_timeout(SocketHandle& handle, int name, Duration timeout) {
  timeval time{};
  if (timeout != Duration::max()) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    // Zero would be for ever.
    const auto rest = std::max(std::chrono::duration_cast<std::chrono::microseconds>(timeout - seconds),
                               std::chrono::microseconds(seconds.count() == 0 ? 1 : 0));
    time = {.tv_sec = seconds.count(), .tv_usec = rest.count()};
  }
  return handle.with_socket([&](Session& session, Socket& socket) {
    return socket.set_option(session, SOL_SOCKET, name,
                             Bytes(reinterpret_cast<const std::uint8_t*>(&time), sizeof time));
  });
}

Outcome<SocketHandle> open_bound(Stack& stack, int type, const Endpoint& local, bool reuse_address) {
  auto handle = SocketHandle::open(stack, {domain_of(local.address), type, 0});
  if (!handle) return handle;
  if (reuse_address) {
    if (const auto done = handle->set_option(SOL_SOCKET, SO_REUSEADDR, 1); !done)
      return std::unexpected(done.error());
  }
  const auto bound =
      handle->with_socket([&](Session& session, Socket& socket) { return socket.bind(session, {local}); });
  if (!bound) return std::unexpected(bound.error());
  return handle;
}

}  // namespace

// ---------------------------------------------------------------- SocketHandle

SocketHandle& SocketHandle::operator=(SocketHandle&& other) noexcept {
  if (this == &other) return *this;
  close();
  stack_ = std::exchange(other.stack_, nullptr);
  socket_ = std::move(other.socket_);
  return *this;
}

Outcome<SocketHandle> SocketHandle::open(Stack& stack, const SocketKind& kind) {
  Session session(stack);
  auto socket = Socket::create(session, kind);
  if (!socket) return std::unexpected(socket.error());
  return SocketHandle(stack, std::move(*socket));
}

void SocketHandle::close() {
  if (stack_ == nullptr) return;
  Session session(*stack_);
  const std::shared_ptr<Socket> socket = std::exchange(socket_, nullptr);
  if (socket) socket->close(session);
}

Outcome<void> SocketHandle::set_non_blocking(bool on) {
  return with_socket([on](Session&, Socket& socket) -> Outcome<void> {
    socket.set_non_blocking(on);
    return {};
  });
}

Outcome<void> SocketHandle::set_receive_timeout(Duration timeout) {
  return set_timeout(*this, SO_RCVTIMEO, timeout);
}
Outcome<void> SocketHandle::set_send_timeout(Duration timeout) {
  return set_timeout(*this, SO_SNDTIMEO, timeout);
}

Outcome<void> SocketHandle::set_option(int level, int name, int value) {
  return with_socket([&](Session& session, Socket& socket) {
    return socket.set_option(session, level, name,
                             Bytes(reinterpret_cast<const std::uint8_t*>(&value), sizeof value));
  });
}

Outcome<int> SocketHandle::get_option(int level, int name) {
  return with_socket([&](Session& session, Socket& socket) -> Outcome<int> {
    int value = 0;
    const auto written = socket.get_option(
        session, level, name, MutableBytes(reinterpret_cast<std::uint8_t*>(&value), sizeof value));
    if (!written) return std::unexpected(written.error());
    return value;
  });
}

Outcome<Endpoint> SocketHandle::local() {
  return with_socket([](Session&, Socket& socket) -> Outcome<Endpoint> {
    const auto address = socket.local_address();
    if (!address) return std::unexpected(address.error());
    return address->endpoint;
  });
}

Outcome<Endpoint> SocketHandle::remote() {
  return with_socket([](Session&, Socket& socket) -> Outcome<Endpoint> {
    const auto address = socket.remote_address();
    if (!address) return std::unexpected(address.error());
    return address->endpoint;
  });
}

// ---------------------------------------------------------------- TcpStream

std::expected<TcpStream, ConnectFailure> TcpStream::connect(Stack& stack, const std::string& name, Port port,
                                                            Duration limit) {
  auto socket = connect_by_name(stack, name, port, limit);
  if (!socket) return std::unexpected(socket.error());
  return TcpStream(SocketHandle(stack, std::move(*socket)));
}

Outcome<TcpStream> TcpStream::connect(Stack& stack, const Endpoint& remote) {
  auto handle = SocketHandle::open(stack, {domain_of(remote.address), SOCK_STREAM, 0});
  if (!handle) return std::unexpected(handle.error());
  const auto connected = handle->with_socket(
      [&](Session& session, Socket& socket) { return socket.connect(session, {remote}); });
  if (!connected) return std::unexpected(connected.error());
  return TcpStream(std::move(*handle));
}

Outcome<std::size_t> TcpStream::read(MutableBytes out) {
  Incoming incoming{.buffers = {&out, 1}};
  return handle_.with_socket(
      [&](Session& session, Socket& socket) { return socket.receive(session, incoming); });
}

Outcome<std::size_t> TcpStream::write(Bytes octets) { return send(handle_, octets, std::nullopt); }

Outcome<void> TcpStream::write_all(Bytes octets) {
  while (!octets.empty()) {
    const auto taken = write(octets);
    if (!taken) return std::unexpected(taken.error());
    octets = octets.subspan(*taken);
  }
  return {};
}

Outcome<void> TcpStream::read_exactly(MutableBytes out) {
  while (!out.empty()) {
    const auto size = read(out);
    if (!size) return std::unexpected(size.error());
    if (*size == 0) return fail(ECONNRESET);
    out = out.subspan(*size);
  }
  return {};
}

Outcome<void> TcpStream::set_no_delay(bool on) {
  return handle_.set_option(IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
}

Outcome<void> TcpStream::shutdown_write() {
  return handle_.with_socket(
      [](Session& session, Socket& socket) { return socket.shutdown(session, SHUT_WR); });
}

// ---------------------------------------------------------------- TcpListener

Outcome<TcpListener> TcpListener::listen(Stack& stack, const Endpoint& local, int backlog) {
  auto handle = open_bound(stack, SOCK_STREAM, local, true);
  if (!handle) return std::unexpected(handle.error());
  const auto listening =
      handle->with_socket([&](Session& session, Socket& socket) { return socket.listen(session, backlog); });
  if (!listening) return std::unexpected(listening.error());
  return TcpListener(std::move(*handle));
}

Outcome<TcpStream> TcpListener::accept() {
  return handle_.with_socket([this](Session& session, Socket& socket) -> Outcome<TcpStream> {
    auto accepted = socket.accept(session);
    if (!accepted) return std::unexpected(accepted.error());
    return TcpStream(SocketHandle(handle_.stack(), std::move(accepted->socket)));
  });
}

// ---------------------------------------------------------------- UdpEndpoint

Outcome<UdpEndpoint> UdpEndpoint::bind(Stack& stack, const Endpoint& local) {
  auto handle = open_bound(stack, SOCK_DGRAM, local, false);
  if (!handle) return std::unexpected(handle.error());
  return UdpEndpoint(std::move(*handle));
}

Outcome<void> UdpEndpoint::connect(const Endpoint& remote) {
  return handle_.with_socket(
      [&](Session& session, Socket& socket) { return socket.connect(session, {remote}); });
}

Outcome<std::size_t> UdpEndpoint::send(Bytes octets) { return sockets::send(handle_, octets, std::nullopt); }

Outcome<std::size_t> UdpEndpoint::send_to(Bytes octets, const Endpoint& remote) {
  return sockets::send(handle_, octets, SocketAddress{remote});
}

Outcome<ReceivedFrom> UdpEndpoint::receive(MutableBytes out) { return receive_from(handle_, out); }

// ---------------------------------------------------------------- RawEndpoint

Outcome<RawEndpoint> RawEndpoint::open(Stack& stack, IpFamily family, IpProtocol protocol) {
  auto handle = SocketHandle::open(
      stack, {family == IpFamily::kIpv4 ? AF_INET : AF_INET6, SOCK_RAW, static_cast<int>(protocol)});
  if (!handle) return std::unexpected(handle.error());
  return RawEndpoint(std::move(*handle));
}

Outcome<std::size_t> RawEndpoint::send_to(Bytes octets, const IpAddress& remote) {
  return sockets::send(handle_, octets, SocketAddress{{remote, Port::kNone}});
}

Outcome<ReceivedFrom> RawEndpoint::receive(MutableBytes out) { return receive_from(handle_, out); }

}  // namespace transom::sockets
