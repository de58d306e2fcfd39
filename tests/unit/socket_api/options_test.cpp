// setsockopt() and getsockopt().
#include <linux/sockios.h>
#include <net/if.h>

#include "tests/unit/socket_api/sockets_under_test.h"

namespace transom::sockets {
namespace {

class SocketOptions : public BothTest {};
INSTANTIATE_BOTH(SocketOptions);

TEST_P(SocketOptions, TellWhatASocketIs) {
  const int stream = socket_ok(AF_INET6, SOCK_STREAM);
  EXPECT_EQ(get_int(stream, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
  EXPECT_EQ(get_int(stream, SOL_SOCKET, SO_DOMAIN), AF_INET6);
  EXPECT_EQ(get_int(stream, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
  EXPECT_EQ(get_int(stream, SOL_SOCKET, SO_ACCEPTCONN), 0);
  EXPECT_EQ(get_int(stream, SOL_SOCKET, SO_ERROR), 0);
  const int datagram = socket_ok(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(get_int(datagram, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
  EXPECT_EQ(get_int(datagram, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDP);
  EXPECT_ERRNO(set_int(stream, SOL_SOCKET, SO_TYPE, 1), ENOPROTOOPT);
  EXPECT_ERRNO(set_int(stream, SOL_SOCKET, SO_ERROR, 1), ENOPROTOOPT);
  EXPECT_ERRNO(set_int(stream, SOL_SOCKET, 12345, 1), ENOPROTOOPT);
  EXPECT_ERRNO(set_int(stream, IPPROTO_TCP, 12345, 1), ENOPROTOOPT);
  EXPECT_ERRNO(set_int(datagram, IPPROTO_TCP, TCP_NODELAY, 1), ENOPROTOOPT);
  EXPECT_ERRNO(set_int(datagram, IPPROTO_IPV6, IPV6_V6ONLY, 1), ENOPROTOOPT);
}

TEST_P(SocketOptions, ChooseACongestionControlByName) {
  const int stream = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_NE(get_text(stream, IPPROTO_TCP, TCP_CONGESTION, 16),
            "");  // the kernel has whatever its owner chose
  EXPECT_EQ(set_text(stream, IPPROTO_TCP, TCP_CONGESTION, "reno"), 0) << errno_name(errno);
  EXPECT_EQ(get_text(stream, IPPROTO_TCP, TCP_CONGESTION, 16), "reno");
  EXPECT_ERRNO(set_text(stream, IPPROTO_TCP, TCP_CONGESTION, "nosuch"), ENOENT);
  EXPECT_ERRNO(set_text(stream, IPPROTO_TCP, TCP_CONGESTION, ""), EINVAL);
}

TEST_P(SocketOptions, KeepWhatIsSet) {
  const int stream = socket_ok(AF_INET, SOCK_STREAM);
  struct {
    int level, name, value;
  } const numbers[] = {
      {SOL_SOCKET, SO_REUSEADDR, 1},
      {SOL_SOCKET, SO_REUSEPORT, 1},
      {SOL_SOCKET, SO_KEEPALIVE, 1},
      {SOL_SOCKET, SO_OOBINLINE, 1},
      {SOL_SOCKET, SO_BROADCAST, 1},
      {IPPROTO_TCP, TCP_NODELAY, 1},
      {IPPROTO_TCP, TCP_CORK, 1},
      {IPPROTO_TCP, TCP_KEEPIDLE, 77},
      {IPPROTO_TCP, TCP_KEEPINTVL, 7},
      {IPPROTO_TCP, TCP_KEEPCNT, 5},
      {IPPROTO_TCP, TCP_SYNCNT, 3},
      {IPPROTO_TCP, TCP_USER_TIMEOUT, 12345},
      {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16384},
      {IPPROTO_IP, IP_TTL, 33},
      {IPPROTO_IP, IP_TOS, 0x88},
  };
  for (const auto& [level, name, value] : numbers) {
    EXPECT_EQ(set_int(stream, level, name, value), 0) << level << ' ' << name << ' ' << errno_name(errno);
    EXPECT_EQ(get_int(stream, level, name), value) << level << ' ' << name;
  }
  const int datagram = socket_ok(AF_INET6, SOCK_DGRAM);
  struct {
    int level, name, value;
  } const more[] = {
      {IPPROTO_IPV6, IPV6_V6ONLY, 1},
      {IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9},
      {IPPROTO_IPV6, IPV6_TCLASS, 0x20},
      {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 4},
      {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0},
      {IPPROTO_IPV6, IPV6_RECVPKTINFO, 1},
      {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1},
      {IPPROTO_IPV6, IPV6_RECVTCLASS, 1},
      {IPPROTO_IP, IP_RECVTTL, 1},
  };
  for (const auto& [level, name, value] : more) {
    EXPECT_EQ(set_int(datagram, level, name, value), 0) << level << ' ' << name << ' ' << errno_name(errno);
    EXPECT_EQ(get_int(datagram, level, name), value) << level << ' ' << name;
  }
}

TEST_P(SocketOptions, RefuseWhatIsOutOfRange) {
  const int stream = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_ERRNO(set_int(stream, IPPROTO_TCP, TCP_KEEPIDLE, 0), EINVAL);
  EXPECT_ERRNO(set_int(stream, IPPROTO_TCP, TCP_KEEPIDLE, 40000), EINVAL);
  EXPECT_ERRNO(set_int(stream, IPPROTO_TCP, TCP_KEEPCNT, 128), EINVAL);
  EXPECT_ERRNO(set_int(stream, IPPROTO_TCP, TCP_SYNCNT, 0), EINVAL);
  EXPECT_ERRNO(set_int(stream, IPPROTO_TCP, TCP_MAXSEG, 10), EINVAL);
  EXPECT_ERRNO(set_int(stream, IPPROTO_TCP, TCP_USER_TIMEOUT, -1), EINVAL);
  EXPECT_ERRNO(set_int(stream, IPPROTO_IP, IP_TTL, 0), EINVAL);
  EXPECT_ERRNO(set_int(stream, IPPROTO_IP, IP_TTL, 256), EINVAL);
  EXPECT_EQ(set_int(stream, IPPROTO_IP, IP_TTL, -1), 0);
  EXPECT_EQ(get_int(stream, IPPROTO_IP, IP_TTL), 64);
  const char octet = 1;
  EXPECT_ERRNO(calls().setsockopt(stream, SOL_SOCKET, SO_REUSEADDR, &octet, 1), EINVAL);
  EXPECT_EQ(calls().setsockopt(stream, IPPROTO_IP, IP_TTL, &octet, 1), 0);  // ip(7) takes one octet
  EXPECT_EQ(get_int(stream, IPPROTO_IP, IP_TTL), 1);
}

TEST_P(SocketOptions, ShowTwiceTheBufferThatWasAskedFor) {
  const int stream = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_EQ(set_int(stream, SOL_SOCKET, SO_SNDBUF, 20000), 0);
  EXPECT_EQ(get_int(stream, SOL_SOCKET, SO_SNDBUF), 40000);
  EXPECT_EQ(set_int(stream, SOL_SOCKET, SO_RCVBUF, 30000), 0);
  EXPECT_EQ(get_int(stream, SOL_SOCKET, SO_RCVBUF), 60000);
  EXPECT_EQ(set_int(stream, SOL_SOCKET, SO_SNDBUF, 1), 0);
  EXPECT_EQ(get_int(stream, SOL_SOCKET, SO_SNDBUF), 4608);
  const int datagram = socket_ok(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(get_int(datagram, SOL_SOCKET, SO_RCVBUF), 212992);
  EXPECT_EQ(set_int(datagram, SOL_SOCKET, SO_RCVBUF, 5000), 0);
  EXPECT_EQ(get_int(datagram, SOL_SOCKET, SO_RCVBUF), 10000);
  EXPECT_EQ(set_int(datagram, SOL_SOCKET, SO_RCVBUF, 1), 0);
  EXPECT_EQ(get_int(datagram, SOL_SOCKET, SO_RCVBUF), 2304);
}

TEST_P(SocketOptions, KeepLingerAndTimeouts) {
  const int stream = socket_ok(AF_INET, SOCK_STREAM);
  linger value{.l_onoff = 1, .l_linger = 5};
  EXPECT_EQ(calls().setsockopt(stream, SOL_SOCKET, SO_LINGER, &value, sizeof value), 0);
  value = {};
  socklen_t size = sizeof value;
  EXPECT_EQ(calls().getsockopt(stream, SOL_SOCKET, SO_LINGER, &value, &size), 0);
  EXPECT_EQ(value.l_onoff, 1);
  EXPECT_EQ(value.l_linger, 5);
  EXPECT_ERRNO(calls().setsockopt(stream, SOL_SOCKET, SO_LINGER, &value, 4), EINVAL);

  timeval time{.tv_sec = 3, .tv_usec = 500000};
  EXPECT_EQ(calls().setsockopt(stream, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time), 0);
  time = {};
  size = sizeof time;
  EXPECT_EQ(calls().getsockopt(stream, SOL_SOCKET, SO_RCVTIMEO, &time, &size), 0);
  EXPECT_EQ(time.tv_sec, 3);
  EXPECT_EQ(time.tv_usec, 500000);
  time.tv_usec = 1'000'000;
  EXPECT_ERRNO(calls().setsockopt(stream, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time), EDOM);
}

TEST_P(SocketOptions, CutWhatThereIsNoRoomFor) {
  const int stream = socket_ok(AF_INET, SOCK_STREAM);
  int value = -1;
  socklen_t size = 2;
  EXPECT_EQ(calls().getsockopt(stream, SOL_SOCKET, SO_TYPE, &value, &size), 0);
  EXPECT_EQ(size, 2U);
  EXPECT_EQ(value & 0xffff, SOCK_STREAM);
  size = 100;
  int many[25] = {};
  EXPECT_EQ(calls().getsockopt(stream, SOL_SOCKET, SO_TYPE, many, &size), 0);
  EXPECT_EQ(size, sizeof(int));
}

TEST_P(SocketOptions, AreInheritedByAcceptedSockets) {
  const int listening = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_EQ(set_int(listening, IPPROTO_TCP, TCP_NODELAY, 1), 0);
  EXPECT_EQ(set_int(listening, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
  EXPECT_EQ(set_int(listening, IPPROTO_TCP, TCP_KEEPIDLE, 99), 0);
  EXPECT_EQ(bind_to(listening, "127.0.0.1"), 0);
  EXPECT_EQ(calls().listen(listening, 1), 0);
  EXPECT_EQ(calls().fcntl(listening, F_SETFL, O_NONBLOCK), 0);
  const int client = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_EQ(connect_to(client, "127.0.0.1", local_port(listening)), 0);
  EXPECT_EQ(poll_one(listening, POLLIN), POLLIN);
  const int server = close_later(calls().accept4(listening, nullptr, nullptr, 0));
  EXPECT_EQ(get_int(server, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(get_int(server, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(get_int(server, IPPROTO_TCP, TCP_KEEPIDLE), 99);
  EXPECT_EQ(calls().fcntl(server, F_GETFL, 0) & O_NONBLOCK, 0);
}

TEST_P(SocketOptions, ShowTheConnectionInTcpInfo) {
  const auto pair = connected_pair();
  EXPECT_EQ(send(pair.client, "hello"), 5);
  EXPECT_EQ(receive(pair.server), "hello");
  tcp_info info{};
  socklen_t size = sizeof info;
  EXPECT_EQ(calls().getsockopt(pair.client, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
  EXPECT_GE(size, 104U);
  EXPECT_EQ(info.tcpi_state, TCP_ESTABLISHED);
  EXPECT_GE(info.tcpi_snd_mss, 1000U);
  EXPECT_GE(info.tcpi_snd_cwnd, 2U);
  EXPECT_EQ(info.tcpi_options & (TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE),
            TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE);
  EXPECT_GE(get_int(pair.client, IPPROTO_TCP, TCP_MAXSEG), 1000);
  const int fresh = socket_ok(AF_INET, SOCK_STREAM);
  size = sizeof info;
  EXPECT_EQ(calls().getsockopt(fresh, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
  EXPECT_EQ(info.tcpi_state, TCP_CLOSE);
  EXPECT_EQ(get_int(fresh, IPPROTO_TCP, TCP_MAXSEG), 536);
}

TEST_P(SocketOptions, V6OnlyIsDecidedBeforeBinding) {
  const int fd = socket_ok(AF_INET6, SOCK_STREAM);
  EXPECT_EQ(bind_to(fd, "::1"), 0);
  EXPECT_ERRNO(set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), EINVAL);
}

TEST_P(SocketOptions, MembershipsAreChecked) {
  const int fd = socket_ok(AF_INET, SOCK_DGRAM);
  ip_mreq request{};
  inet_pton(AF_INET, "10.1.2.3", &request.imr_multiaddr);
  inet_pton(AF_INET, "127.0.0.1", &request.imr_interface);
  EXPECT_ERRNO(calls().setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request), EINVAL);
  inet_pton(AF_INET, "239.1.2.3", &request.imr_multiaddr);
  EXPECT_ERRNO(calls().setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, sizeof request),
               EADDRNOTAVAIL);
  EXPECT_EQ(calls().setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request), 0);
  EXPECT_ERRNO(calls().setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request), EADDRINUSE);
  EXPECT_EQ(calls().setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, sizeof request), 0);
  EXPECT_ERRNO(calls().setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, 4), EINVAL);
}

TEST_P(SocketOptions, NameTheInterfaceOfMulticast) {
  const int fd = socket_ok(AF_INET, SOCK_DGRAM);
  in_addr address{};
  socklen_t size = sizeof address;
  EXPECT_EQ(calls().getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &address, &size), 0);
  EXPECT_EQ(address.s_addr, INADDR_ANY);
  inet_pton(AF_INET, "127.0.0.1", &address);
  EXPECT_EQ(calls().setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &address, sizeof address), 0);
  address = {};
  EXPECT_EQ(calls().getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &address, &size), 0);
  EXPECT_EQ(ntohl(address.s_addr), INADDR_LOOPBACK);
  inet_pton(AF_INET, "198.51.100.1", &address);
  EXPECT_ERRNO(calls().setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &address, sizeof address), EADDRNOTAVAIL);
}

TEST_P(SocketOptions, BindToADevice) {
  const int fd = socket_ok(AF_INET, SOCK_DGRAM);
  char name[IFNAMSIZ] = "";
  socklen_t size = sizeof name;
  EXPECT_EQ(calls().getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size), 0);
  EXPECT_EQ(size, 0U);
  EXPECT_ERRNO(calls().setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nowhere", 8), ENODEV);
  EXPECT_EQ(calls().setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0) << errno_name(errno);
  size = sizeof name;
  EXPECT_EQ(calls().getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size), 0);
  EXPECT_STREQ(name, "lo");
  EXPECT_EQ(size, 3U);
  size = 4;
  EXPECT_ERRNO(calls().getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size), EINVAL);
}

TEST_P(SocketOptions, NonBlockingModeIsSeenByFcntlAndSetByIoctl) {
  const int fd = socket_ok(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  EXPECT_NE(calls().fcntl(fd, F_GETFL, 0) & O_NONBLOCK, 0);
  int off = 0;
  EXPECT_EQ(calls().ioctl(fd, FIONBIO, &off), 0);
  EXPECT_EQ(calls().fcntl(fd, F_GETFL, 0) & O_NONBLOCK, 0);
  EXPECT_EQ(calls().fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  EXPECT_EQ(calls().fcntl(fd, F_GETFL, 0) & (O_NONBLOCK | O_ACCMODE), O_NONBLOCK | O_RDWR);
}

TEST_P(SocketOptions, QueriesCountOctets) {
  const auto pair = connected_pair();
  int value = -1;
  EXPECT_EQ(calls().ioctl(pair.server, FIONREAD, &value), 0);
  EXPECT_EQ(value, 0);
  EXPECT_EQ(send(pair.client, "hello"), 5);
  EXPECT_EQ(poll_one(pair.server, POLLIN), POLLIN);
  EXPECT_EQ(calls().ioctl(pair.server, FIONREAD, &value), 0);
  EXPECT_EQ(value, 5);
  EXPECT_EQ(calls().ioctl(pair.client, SIOCOUTQ, &value), 0);
  EXPECT_LE(value, 5);
  const int listening = listener();
  EXPECT_ERRNO(calls().ioctl(listening, FIONREAD, &value), EINVAL);
}

}  // namespace
}  // namespace transom::sockets
