#include "socket_api/run/socket_calls.h"

#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <vector>

#include "socket_api/interface_query.h"

namespace transom::sockets::run {

namespace {

// No option of the stack is longer.
constexpr std::size_t kMaxOption = 4096;

// What the kernel must know too, since it does the waiting of read() and write() itself.
bool concerns_pair(int level, int name) {
  return level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO);
}

// What concerns reading from the pair and nothing else: the stack is read from at once, and by octets.
bool is_of_pair(const Socket& socket, int level, int name) {
  const SocketKind& kind = socket.kind();
  const bool looks_ahead =
      kind.type == SOCK_STREAM || (kind.domain != AF_PACKET && kind.protocol == IPPROTO_UDP);
  return level == SOL_SOCKET &&
         (name == SO_RCVLOWAT || name == SO_OOBINLINE || (name == SO_PEEK_OFF && looks_ahead));
}

// What is written to a stream goes to the pair, and nobody counts the calls that did: programs that are told
// so copy.
bool is_not_for_pair(const Socket& socket, int level, int name) {
  return socket.kind().type == SOCK_STREAM && level == SOL_SOCKET && name == SO_ZEROCOPY;
}

// The program of a filter lies elsewhere in the caller's memory.
Outcome<void> attach_filter(Session& session, Socket& socket, const TrappedCall& call, Bytes value) {
  if (value.size() != sizeof(sock_fprog)) return fail(EINVAL);
  sock_fprog program;
  std::copy_n(value.begin(), sizeof program, reinterpret_cast<std::uint8_t*>(&program));
  std::vector<sock_filter> code(program.len);
  const auto copied =
      call.read(reinterpret_cast<std::uint64_t>(program.filter),
                {reinterpret_cast<std::uint8_t*>(code.data()), code.size() * sizeof(sock_filter)});
  if (!copied) return copied;
  sock_filter nothing{};
  program.filter = code.empty() ? &nothing : code.data();
  return socket.set_option(session, SOL_SOCKET, SO_ATTACH_FILTER,
                           Bytes(reinterpret_cast<const std::uint8_t*>(&program), sizeof program));
}

}  // namespace

void bind_socket(Session& session, Socket& socket, const TrappedCall& call) {
  const auto argument = read_address_argument(call, call.argument(1), call.argument(2));
  if (!argument) return call.finish(argument.error());
  const auto address = read_bind_address(socket.domain(), argument->get(), argument->length);
  if (!address) return call.finish(address.error());
  call.finish(socket.bind(session, *address));
}

void write_name(Socket& socket, const Outcome<SocketAddress>& name, const TrappedCall& call) {
  if (!name) return call.finish(name.error());
  if (call.argument(1) == 0) {
    const auto room = call.read_value<socklen_t>(call.argument(2));
    if (!room || *room > 0) return call.finish(Errno{EFAULT});
    const auto size =
        static_cast<socklen_t>(socket.domain() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    return call.finish(call.write_value(call.argument(2), size));
  }
  call.finish(write_address_argument(call, socket.domain(), *name, call.argument(1), call.argument(2)));
}

void set_option(Session& session, GuestSocket& guest, const TrappedCall& call) {
  const int level = call.int_argument(1);
  const int name = call.int_argument(2);
  const int size = call.int_argument(4);
  if (size < 0) return call.finish(Errno{EINVAL});
  if (is_not_for_pair(guest.socket(), level, name)) return call.finish(Errno{ENOPROTOOPT});
  if (is_of_pair(guest.socket(), level, name)) return call.resume();
  guest.flush(session);
  std::array<std::uint8_t, kMaxOption> octets{};
  const MutableBytes value =
      MutableBytes(octets).first(std::min<std::size_t>(static_cast<std::size_t>(size), kMaxOption));
  if (const auto copied = call.read(call.argument(3), value); !copied) return call.finish(copied.error());
  const auto done = level == SOL_SOCKET && name == SO_ATTACH_FILTER
                        ? attach_filter(session, guest.socket(), call, value)
                        : guest.socket().set_option(session, level, name, value);
  if (done && concerns_pair(level, name)) return call.resume();
  call.finish(done);
  if (!done || level != SOL_SOCKET || value.size() < sizeof(int)) return;
  int number = 0;
  std::copy_n(value.begin(), sizeof number, reinterpret_cast<std::uint8_t*>(&number));
  if (name == SO_SNDBUF || name == SO_SNDBUFFORCE) guest.buffer_is(SO_SNDBUF, number);
  if (name == SO_RCVBUF || name == SO_RCVBUFFORCE) guest.buffer_is(SO_RCVBUF, number);
}

void get_option(Session& session, GuestSocket& guest, const TrappedCall& call) {
  const int level = call.int_argument(1);
  const int name = call.int_argument(2);
  const auto size = call.read_value<int>(call.argument(4));
  if (!size) return call.finish(size.error());
  if (*size < 0) return call.finish(Errno{EINVAL});
  if (is_not_for_pair(guest.socket(), level, name)) return call.finish(Errno{ENOPROTOOPT});
  if ((level == SOL_SOCKET && name == SO_COOKIE) || is_of_pair(guest.socket(), level, name))
    return call.resume();
  std::array<std::uint8_t, kMaxOption> octets{};
  const MutableBytes room =
      MutableBytes(octets).first(std::min<std::size_t>(static_cast<std::size_t>(*size), kMaxOption));
  auto written = guest.socket().get_option(session, level, name, room);
  if (!written) return call.finish(written.error());
  if (level == SOL_SOCKET && name == SO_ERROR && room.size() >= sizeof(int)) {
    // The error of the pair says only that there is one; ours says which. Both are taken.
    int error = 0;
    std::copy_n(room.begin(), sizeof error, reinterpret_cast<std::uint8_t*>(&error));
    if (const int pending = guest.pending_error(); pending != 0) error = pending;
    int of_pair = 0;
    socklen_t length = sizeof of_pair;
    if (const auto theirs = call.take_descriptor(call.int_argument(0)))
      getsockopt(theirs->get(), SOL_SOCKET, SO_ERROR, &of_pair, &length);
    if (error == 0) error = of_pair;
    std::copy_n(reinterpret_cast<const std::uint8_t*>(&error), sizeof error, room.begin());
  }
  if (const auto copied = call.write(call.argument(3), room.first(*written)); !copied)
    return call.finish(copied.error());
  call.finish(call.write_value(call.argument(4), static_cast<int>(*written)));
}

void query_interface(Session& session, const TrappedCall& call) {
  auto argument = call.read_value<ifreq>(call.argument(2));
  if (!argument) return call.finish(argument.error());
  if (const auto found = sockets::query_interface(session, call.argument(1), *argument); !found)
    return call.finish(found.error());
  call.finish(call.write_value(call.argument(2), *argument));
}

}  // namespace transom::sockets::run
