// Sockets for C++: closed when they go out of scope, results instead of errno.
//
//   auto stream = TcpStream::connect(stack, {*IpAddress::parse("10.9.0.1"), Port{80}});
//   if (!stream) return complain(stream.error());
//   stream->write_all(request);
//   while (auto count = stream->read(buffer)) { if (*count == 0) break; ... }
//
// All calls block, unless `handle().set_non_blocking(true)`; Errno{EAGAIN} says that a call would
// have to. Options are those of setsockopt(2), by handle().set_option(). The Stack must outlive them.
#pragma once

#include <memory>

#include "socket_api/names/resolver.h"
#include "socket_api/socket.h"
#include "socket_api/zero_copy.h"

namespace transom::sockets {

// An open socket of a Stack; may be empty. Movable. Several threads may use it, and one may close it: the
// others then get EBADF.
class SocketHandle {
 public:
  SocketHandle() = default;
  SocketHandle(Stack& stack, std::shared_ptr<Socket> socket) : stack_(&stack), socket_(std::move(socket)) {}
  SocketHandle(SocketHandle&& other) noexcept
      : stack_(std::exchange(other.stack_, nullptr)), socket_(std::move(other.socket_)) {}
  SocketHandle& operator=(SocketHandle&& other) noexcept;
  ~SocketHandle() { close(); }

  static Outcome<SocketHandle> open(Stack& stack, const SocketKind& kind);

  explicit operator bool() const { return socket_ != nullptr; }
  Stack& stack() const { return *stack_; }
  const std::shared_ptr<Socket>& socket() const { return socket_; }
  bool is_of(const Stack* stack) const { return stack_ == stack; }
  void close();
  Outcome<void> set_non_blocking(bool on);

  // `call(session, socket)`, under the lock.
  template <typename Call>
  auto with_socket(Call call) const -> decltype(call(std::declval<Session&>(), std::declval<Socket&>())) {
    if (stack_ == nullptr) return fail(EBADF);
    Session session(*stack_);
    const std::shared_ptr<Socket> socket =
        socket_;  // another thread may close the handle while this one is blocked
    if (!socket) return fail(EBADF);
    return call(session, *socket);
  }

  // How long a call waits, to receive and to accept, or to send and to connect; max(): without limit.
  // Errno{EAGAIN} (EINPROGRESS of connect) then.
  Outcome<void> set_receive_timeout(Duration timeout);
  Outcome<void> set_send_timeout(Duration timeout);
  Outcome<void> set_option(int level, int name, int value);
  Outcome<int> get_option(int level, int name);
  Outcome<Endpoint> local();
  Outcome<Endpoint> remote();

 private:
  Stack* stack_ = nullptr;
  std::shared_ptr<Socket> socket_;
};

class TcpStream {
 public:
  explicit TcpStream(SocketHandle handle) : handle_(std::move(handle)) {}

  static Outcome<TcpStream> connect(Stack& stack, const Endpoint& remote);
  // By name: connect_by_name() of names/resolver.h.
  static std::expected<TcpStream, ConnectFailure> connect(Stack& stack, const std::string& name, Port port,
                                                          Duration limit = Duration::max());

  // 0 at the end of the stream.
  Outcome<std::size_t> read(MutableBytes out);
  Outcome<std::size_t> write(Bytes octets);
  // Everything, or an error.
  Outcome<void> write_all(Bytes octets);
  // Fills `out`, or an error; ECONNRESET when the stream ends before.
  Outcome<void> read_exactly(MutableBytes out);
  // Without a copy: zero_copy.h. What is taken leaves the front of `buffer`: all of it, unless there is no
  // more room and the call may not block, or not any longer.
  Outcome<std::size_t> write(OutgoingBuffer& buffer);
  Outcome<void> write_all(OutgoingBuffer buffer);
  // Lets go of what `octets` holds, and gives what has arrived, at most `limit`, which is not 0.
  Outcome<std::size_t> read(ReceivedOctets& octets, std::size_t limit = SIZE_MAX);
  Outcome<void> shutdown_write();
  Outcome<void> set_no_delay(bool on);

  SocketHandle& handle() { return handle_; }

 private:
  SocketHandle handle_;
};

class TcpListener {
 public:
  // Port 0: one is chosen, and handle().local() tells which. "::" listens for IPv4 too. The port may be in
  // TIME-WAIT.
  static Outcome<TcpListener> listen(Stack& stack, const Endpoint& local, int backlog = 128);

  Outcome<TcpStream> accept();

  SocketHandle& handle() { return handle_; }

 private:
  explicit TcpListener(SocketHandle handle) : handle_(std::move(handle)) {}

  SocketHandle handle_;
};

// A datagram, or a packet, and where it came from.
struct ReceivedFrom {
  std::size_t size = 0;
  Endpoint source;
  bool is_truncated = false;
};

class UdpEndpoint {
 public:
  using From = ReceivedFrom;

  // Port 0: one is chosen.
  static Outcome<UdpEndpoint> bind(Stack& stack, const Endpoint& local);

  Outcome<void> connect(const Endpoint& remote);
  Outcome<std::size_t> send(Bytes octets);  // to the connected peer
  Outcome<std::size_t> send_to(Bytes octets, const Endpoint& remote);
  Outcome<From> receive(MutableBytes out);

  SocketHandle& handle() { return handle_; }

 private:
  explicit UdpEndpoint(SocketHandle handle) : handle_(std::move(handle)) {}

  SocketHandle handle_;
};

// raw(7): packets of one protocol. Of IPv4 what is received begins with the IP header, of IPv6 behind it.
class RawEndpoint {
 public:
  static Outcome<RawEndpoint> open(Stack& stack, IpFamily family, IpProtocol protocol);

  Outcome<std::size_t> send_to(Bytes octets, const IpAddress& remote);
  Outcome<ReceivedFrom> receive(MutableBytes out);

  SocketHandle& handle() { return handle_; }

 private:
  explicit RawEndpoint(SocketHandle handle) : handle_(std::move(handle)) {}

  SocketHandle handle_;
};

}  // namespace transom::sockets
