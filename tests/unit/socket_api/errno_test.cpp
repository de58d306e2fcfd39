// What fails, fails as on Linux.
#include "tests/unit/socket_api/sockets_under_test.h"

namespace transom::sockets {
namespace {

class SocketErrors : public BothTest {};
INSTANTIATE_BOTH(SocketErrors);

TEST_P(SocketErrors, RefusesKindsThatDoNotExist) {
  EXPECT_ERRNO(calls().socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
  EXPECT_ERRNO(calls().socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
  EXPECT_ERRNO(calls().socket(AF_INET6, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
  EXPECT_ERRNO(calls().socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6), EPROTONOSUPPORT);
  EXPECT_ERRNO(calls().socket(12345, SOCK_STREAM, 0), EAFNOSUPPORT);
  EXPECT_ERRNO(calls().socket(AF_INET, 99, 0), EINVAL);
  EXPECT_ERRNO(calls().socket(AF_INET, SOCK_STREAM, -1), EINVAL);
}

TEST_P(SocketErrors, KnowsClosedDescriptors) {
  const int fd = socket_ok(AF_INET, SOCK_STREAM);
  close_now(fd);
  char octet = 0;
  sockaddr_storage any = address("127.0.0.1", 0);
  socklen_t size = sizeof any;
  EXPECT_ERRNO(calls().close(fd), EBADF);
  EXPECT_ERRNO(calls().bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof(sockaddr_in)), EBADF);
  EXPECT_ERRNO(calls().listen(fd, 1), EBADF);
  EXPECT_ERRNO(calls().accept4(fd, nullptr, nullptr, 0), EBADF);
  EXPECT_ERRNO(calls().connect(fd, reinterpret_cast<sockaddr*>(&any), sizeof(sockaddr_in)), EBADF);
  EXPECT_ERRNO(calls().sendto(fd, &octet, 1, MSG_NOSIGNAL, nullptr, 0), EBADF);
  EXPECT_ERRNO(calls().recvfrom(fd, &octet, 1, 0, nullptr, nullptr), EBADF);
  EXPECT_ERRNO(calls().shutdown(fd, SHUT_WR), EBADF);
  EXPECT_ERRNO(calls().getsockname(fd, reinterpret_cast<sockaddr*>(&any), &size), EBADF);
  EXPECT_ERRNO(set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1), EBADF);
  EXPECT_ERRNO(calls().fcntl(fd, F_GETFL, 0), EBADF);
  EXPECT_EQ(poll_one(fd, POLLIN, 0), POLLNVAL);
  EXPECT_EQ(poll_one(-1, POLLIN, 0), 0);
}

TEST_P(SocketErrors, ChecksTheAddressOfBind) {
  const int fd = socket_ok(AF_INET, SOCK_STREAM);
  const auto ipv4 = address("127.0.0.1", 0);
  const auto ipv6 = address("::1", 0);
  EXPECT_ERRNO(calls().bind(fd, reinterpret_cast<const sockaddr*>(&ipv4), 8), EINVAL);
  EXPECT_ERRNO(calls().bind(fd, reinterpret_cast<const sockaddr*>(&ipv6), sizeof(sockaddr_in6)),
               EAFNOSUPPORT);
  EXPECT_ERRNO(calls().bind(fd, nullptr, sizeof(sockaddr_in)), EFAULT);
  EXPECT_ERRNO(bind_to(fd, "198.51.100.1"), EADDRNOTAVAIL);
  EXPECT_EQ(bind_to(fd, "127.0.0.1"), 0);
  EXPECT_ERRNO(bind_to(fd, "127.0.0.1"), EINVAL);
  const int six = socket_ok(AF_INET6, SOCK_STREAM);
  EXPECT_ERRNO(bind_to(six, "fe80::1"), EINVAL);  // on which link?
  EXPECT_ERRNO(bind_to(six, "2001:db8::1"), EADDRNOTAVAIL);
}

TEST_P(SocketErrors, RefusesAPortThatIsTaken) {
  const int first = listener();
  const int second = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_ERRNO(bind_to(second, "127.0.0.1", local_port(first)), EADDRINUSE);
  EXPECT_ERRNO(bind_to(second, "0.0.0.0", local_port(first)), EADDRINUSE);
  EXPECT_EQ(set_int(second, SOL_SOCKET, SO_REUSEADDR, 1), 0);
  EXPECT_ERRNO(bind_to(second, "127.0.0.1", local_port(first)), EADDRINUSE);  // somebody listens
  EXPECT_EQ(bind_to(second, "127.0.0.2", local_port(first)), 0) << errno_name(errno);
  const int datagram = socket_ok(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(bind_to(datagram, "127.0.0.1", local_port(first)), 0);
}

TEST_P(SocketErrors, WantsAListenerForAccept) {
  const int fd = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_ERRNO(calls().accept4(fd, nullptr, nullptr, 0), EINVAL);
  EXPECT_ERRNO(calls().accept4(fd, nullptr, nullptr, 0x1234), EINVAL);
  const int datagram = socket_ok(AF_INET, SOCK_DGRAM);
  EXPECT_ERRNO(calls().accept4(datagram, nullptr, nullptr, 0), EOPNOTSUPP);
  EXPECT_ERRNO(calls().listen(datagram, 1), EOPNOTSUPP);
}

TEST_P(SocketErrors, KnowsWhatAnUnconnectedStreamCannotDo) {
  const int fd = socket_ok(AF_INET, SOCK_STREAM);
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  EXPECT_EQ(receive(fd), "-ENOTCONN");
  EXPECT_ERRNO(send(fd, "x"), EPIPE);
  EXPECT_ERRNO(calls().getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size), ENOTCONN);
  EXPECT_EQ(poll_one(fd, POLLIN | POLLOUT, 0), POLLOUT | POLLHUP);
  EXPECT_ERRNO(calls().shutdown(fd, SHUT_RDWR), ENOTCONN);
  EXPECT_EQ(local_port(fd), 0);
}

TEST_P(SocketErrors, KnowsWhatAListenerCannotDo) {
  const int fd = listener();
  EXPECT_EQ(receive(fd), "-ENOTCONN");
  EXPECT_ERRNO(send(fd, "x"), EPIPE);
  EXPECT_ERRNO(connect_to(fd, "127.0.0.1", local_port(fd)), EISCONN);
  EXPECT_EQ(poll_one(fd, POLLIN | POLLOUT, 0), 0);
  EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
}

TEST_P(SocketErrors, KnowsWhatAnUnconnectedDatagramSocketCannotDo) {
  const int fd = socket_ok(AF_INET, SOCK_DGRAM);
  EXPECT_ERRNO(send(fd, "x"), EDESTADDRREQ);
  EXPECT_ERRNO(send_to(fd, "x", "127.0.0.1", 0), EINVAL);
  EXPECT_ERRNO(send_to(fd, std::string(70000, 'x'), "127.0.0.1", 9), EMSGSIZE);
  EXPECT_ERRNO(send_to(fd, "x", "::1", 9), EAFNOSUPPORT);
  EXPECT_ERRNO(send(fd, "x", MSG_OOB), EOPNOTSUPP);
  EXPECT_ERRNO(calls().shutdown(fd, SHUT_RDWR), ENOTCONN);
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  EXPECT_ERRNO(calls().getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size), ENOTCONN);
  EXPECT_EQ(poll_one(fd, POLLIN | POLLOUT, 0) & POLLOUT, POLLOUT);
}

TEST_P(SocketErrors, ChecksPointers) {
  const auto pair = connected_pair();
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr_storage name{};
  EXPECT_EQ(send(pair.client, "x"), 1);
  EXPECT_EQ(poll_one(pair.server, POLLIN), POLLIN);
  EXPECT_ERRNO(calls().recvfrom(pair.server, nullptr, 10, 0, nullptr, nullptr), EFAULT);
  EXPECT_ERRNO(calls().sendto(pair.server, nullptr, 10, MSG_NOSIGNAL, nullptr, 0), EFAULT);
  EXPECT_ERRNO(calls().getsockname(pair.server, nullptr, &size), EFAULT);
  EXPECT_ERRNO(calls().getsockname(pair.server, reinterpret_cast<sockaddr*>(&name), nullptr), EFAULT);
  EXPECT_ERRNO(calls().setsockopt(pair.server, SOL_SOCKET, SO_REUSEADDR, nullptr, sizeof(int)), EFAULT);
  EXPECT_ERRNO(calls().getsockopt(pair.server, SOL_SOCKET, SO_TYPE, &size, nullptr), EFAULT);
  size = static_cast<socklen_t>(-1);
  EXPECT_ERRNO(calls().getsockname(pair.server, reinterpret_cast<sockaddr*>(&name), &size), EINVAL);
}

TEST_P(SocketErrors, ChecksHowToShutDown) {
  const auto pair = connected_pair();
  EXPECT_ERRNO(calls().shutdown(pair.client, 7), EINVAL);
  EXPECT_ERRNO(calls().shutdown(pair.client, -1), EINVAL);
}

TEST_P(SocketErrors, ReportsAnAddressThatDoesNotFitByItsLength) {
  const auto pair = connected_pair();
  sockaddr_storage name{};
  socklen_t size = 4;
  EXPECT_EQ(calls().getpeername(pair.client, reinterpret_cast<sockaddr*>(&name), &size), 0);
  EXPECT_EQ(size, sizeof(sockaddr_in));
  EXPECT_EQ(name.ss_family, AF_INET);
}

TEST_P(SocketErrors, HasNoRouteToTheUnknown) {
  if (is_kernel()) GTEST_SKIP() << "depends on the routes of the machine";
  const int fd = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_ERRNO(connect_to(fd, "192.0.2.1", 80), ENETUNREACH);
  const int datagram = socket_ok(AF_INET, SOCK_DGRAM);
  EXPECT_ERRNO(send_to(datagram, "x", "192.0.2.1", 80), ENETUNREACH);
  const int six = socket_ok(AF_INET6, SOCK_DGRAM);
  EXPECT_ERRNO(send_to(six, "x", "2001:db8::1", 80), ENETUNREACH);
}

}  // namespace
}  // namespace transom::sockets
