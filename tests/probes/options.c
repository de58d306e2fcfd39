/* Options: what they are at first, what becomes of what is set. */
#include <limits.h>
#include <net/if.h>

#include "probe.h"

enum { kNone = -77777 };

/* The default, and for each value what setsockopt says, and what is there then. */
static void try_values(int fd, int level, int option, int show_default, const int* values) {
  if (show_default) say_int("default", fd, level, option);
  for (; *values != kNone; ++values) {
    const int done = set_int(fd, level, option, *values);
    int got = 0;
    socklen_t length = sizeof got;
    if (done != 0)
      say("%d:%s", *values, error_name(errno));
    else if (getsockopt(fd, level, option, &got, &length) != 0)
      say("%d:unreadable", *values);
    else
      say("%d:%d", *values, got);
  }
}

#define VALUES(...) ((const int[]){__VA_ARGS__, kNone})
#define OPTION_PROBE(name, socket_of_it, level, option, show_default, ...) \
  PROBE(option_##name) { try_values(socket_of_it, level, option, show_default, VALUES(__VA_ARGS__)); }

static int tcp6(void) { return MUST(socket(AF_INET6, SOCK_STREAM, 0)); }
static int udp6(void) { return MUST(socket(AF_INET6, SOCK_DGRAM, 0)); }

OPTION_PROBE(reuseaddr, tcp4(), SOL_SOCKET, SO_REUSEADDR, 1, 1, 5, -1, 0)
OPTION_PROBE(reuseport, tcp4(), SOL_SOCKET, SO_REUSEPORT, 1, 1, 5, 0)
OPTION_PROBE(keepalive, tcp4(), SOL_SOCKET, SO_KEEPALIVE, 1, 1, 9, 0)
OPTION_PROBE(broadcast, udp4(), SOL_SOCKET, SO_BROADCAST, 1, 1, 9, 0)
OPTION_PROBE(oobinline, tcp4(), SOL_SOCKET, SO_OOBINLINE, 1, 1, 9, 0)
OPTION_PROBE(send_buffer, tcp4(), SOL_SOCKET, SO_SNDBUF, 0, 100000, 1, 0)
OPTION_PROBE(receive_buffer, tcp4(), SOL_SOCKET, SO_RCVBUF, 0, 100000, 1, 0)
OPTION_PROBE(udp_send_buffer, udp4(), SOL_SOCKET, SO_SNDBUF, 0, 100000, 1)
OPTION_PROBE(udp_receive_buffer, udp4(), SOL_SOCKET, SO_RCVBUF, 0, 100000, 1)
OPTION_PROBE(low_water, tcp4(), SOL_SOCKET, SO_RCVLOWAT, 1, 0, 100, -1)
OPTION_PROBE(send_low_water, tcp4(), SOL_SOCKET, SO_SNDLOWAT, 1, 5)
OPTION_PROBE(priority, tcp4(), SOL_SOCKET, SO_PRIORITY, 1, 3, 6)
OPTION_PROBE(dontroute, tcp4(), SOL_SOCKET, SO_DONTROUTE, 1, 1)
OPTION_PROBE(timestamp, udp4(), SOL_SOCKET, SO_TIMESTAMP, 1, 1, 0)
OPTION_PROBE(acceptconn, tcp4(), SOL_SOCKET, SO_ACCEPTCONN, 1, 1)
OPTION_PROBE(error, tcp4(), SOL_SOCKET, SO_ERROR, 1, 1)
OPTION_PROBE(rxq_ovfl, udp4(), SOL_SOCKET, SO_RXQ_OVFL, 1, 1)
OPTION_PROBE(incoming_cpu, tcp4(), SOL_SOCKET, SO_INCOMING_CPU, 0, 0)
OPTION_PROBE(busy_poll, tcp4(), SOL_SOCKET, SO_BUSY_POLL, 1, 0)
OPTION_PROBE(zerocopy, tcp4(), SOL_SOCKET, SO_ZEROCOPY, 1, 0)
OPTION_PROBE(udp_zerocopy, udp4(), SOL_SOCKET, SO_ZEROCOPY, 1, 1, 2)
OPTION_PROBE(passcred, tcp4(), SOL_SOCKET, SO_PASSCRED, 0, 1)
OPTION_PROBE(debug, tcp4(), SOL_SOCKET, SO_DEBUG, 1, 0)
OPTION_PROBE(peek_off, tcp4(), SOL_SOCKET, SO_PEEK_OFF, 1, 0)

OPTION_PROBE(nodelay, tcp4(), IPPROTO_TCP, TCP_NODELAY, 1, 1, 7, 0)
OPTION_PROBE(cork, tcp4(), IPPROTO_TCP, TCP_CORK, 1, 1, 0)
OPTION_PROBE(quickack, tcp4(), IPPROTO_TCP, TCP_QUICKACK, 1, 0, 1)
OPTION_PROBE(keepidle, tcp4(), IPPROTO_TCP, TCP_KEEPIDLE, 1, 60, 0, 32767, 32768)
OPTION_PROBE(keepintvl, tcp4(), IPPROTO_TCP, TCP_KEEPINTVL, 1, 60, 0, 32767, 32768)
OPTION_PROBE(keepcnt, tcp4(), IPPROTO_TCP, TCP_KEEPCNT, 1, 5, 0, 127, 128)
OPTION_PROBE(syncnt, tcp4(), IPPROTO_TCP, TCP_SYNCNT, 1, 3, 0, 127, 128)
OPTION_PROBE(linger2, tcp4(), IPPROTO_TCP, TCP_LINGER2, 1, 10, -1, 0, 100000)
OPTION_PROBE(defer_accept, tcp4(), IPPROTO_TCP, TCP_DEFER_ACCEPT, 1, 1, 0)
OPTION_PROBE(window_clamp, tcp4(), IPPROTO_TCP, TCP_WINDOW_CLAMP, 1, 100000, 0)
OPTION_PROBE(maxseg, tcp4(), IPPROTO_TCP, TCP_MAXSEG, 1, 1000, 40, 100000, 0)
OPTION_PROBE(user_timeout, tcp4(), IPPROTO_TCP, TCP_USER_TIMEOUT, 1, 1000, 0, -1)
OPTION_PROBE(notsent_lowat, tcp4(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1, 16384, 0)
OPTION_PROBE(fastopen, tcp4(), IPPROTO_TCP, TCP_FASTOPEN, 1, 5, 0)
OPTION_PROBE(fastopen_connect, tcp4(), IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1, 1, 0)
OPTION_PROBE(thin_linear, tcp4(), IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1, 1, 2)
OPTION_PROBE(save_syn, tcp4(), IPPROTO_TCP, TCP_SAVE_SYN, 1, 1)
OPTION_PROBE(inq, tcp4(), IPPROTO_TCP, TCP_INQ, 1, 1)
OPTION_PROBE(tcp_timestamp, tcp4(), IPPROTO_TCP, TCP_TIMESTAMP, 0, 5)
OPTION_PROBE(tx_delay, tcp4(), IPPROTO_TCP, TCP_TX_DELAY, 1, 0)

OPTION_PROBE(ttl, tcp4(), IPPROTO_IP, IP_TTL, 1, 1, 255, 0, 256, -1)
OPTION_PROBE(tos, tcp4(), IPPROTO_IP, IP_TOS, 1, 0x10, 0xfc, 0x3, 256, -1)
OPTION_PROBE(udp_tos, udp4(), IPPROTO_IP, IP_TOS, 1, 0xb8, 0x3, 256)
OPTION_PROBE(mtu_discover, udp4(), IPPROTO_IP, IP_MTU_DISCOVER, 1, 0, 2, 3, 5, 6)
OPTION_PROBE(mtu, udp4(), IPPROTO_IP, IP_MTU, 1, 1500)
OPTION_PROBE(pktinfo, udp4(), IPPROTO_IP, IP_PKTINFO, 1, 1, 5)
OPTION_PROBE(recvttl, udp4(), IPPROTO_IP, IP_RECVTTL, 1, 1)
OPTION_PROBE(recvtos, udp4(), IPPROTO_IP, IP_RECVTOS, 1, 1)
OPTION_PROBE(recverr, udp4(), IPPROTO_IP, IP_RECVERR, 1, 1)
OPTION_PROBE(freebind, tcp4(), IPPROTO_IP, IP_FREEBIND, 1, 1)
OPTION_PROBE(transparent, tcp4(), IPPROTO_IP, IP_TRANSPARENT, 1, 0)
OPTION_PROBE(minttl, tcp4(), IPPROTO_IP, IP_MINTTL, 1, 255, 0, 256)
OPTION_PROBE(hdrincl, udp4(), IPPROTO_IP, IP_HDRINCL, 1, 1)
OPTION_PROBE(multicast_ttl, udp4(), IPPROTO_IP, IP_MULTICAST_TTL, 1, 0, 255, -1, 256)
OPTION_PROBE(multicast_loop, udp4(), IPPROTO_IP, IP_MULTICAST_LOOP, 1, 0, 5)
OPTION_PROBE(multicast_all, udp4(), IPPROTO_IP, IP_MULTICAST_ALL, 1, 0, 1, 2)
OPTION_PROBE(tcp_multicast_ttl, tcp4(), IPPROTO_IP, IP_MULTICAST_TTL, 1, 3)
OPTION_PROBE(bind_no_port, tcp4(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, 1)

OPTION_PROBE(v6only, tcp6(), IPPROTO_IPV6, IPV6_V6ONLY, 1, 1, 0)
OPTION_PROBE(unicast_hops, tcp6(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, 1, 5, 0, 255, -1, 256, -2)
OPTION_PROBE(multicast_hops, udp6(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1, 5, 0, -1, 256)
OPTION_PROBE(six_multicast_loop, udp6(), IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1, 0, 1, 5)
OPTION_PROBE(tclass, tcp6(), IPPROTO_IPV6, IPV6_TCLASS, 1, 0x10, 255, -1, 256)
OPTION_PROBE(recvpktinfo, udp6(), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, 1)
OPTION_PROBE(recvhoplimit, udp6(), IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, 1)
OPTION_PROBE(six_mtu_discover, udp6(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, 1, 0, 2, 5, 6)
OPTION_PROBE(dontfrag, udp6(), IPPROTO_IPV6, IPV6_DONTFRAG, 1, 1)
OPTION_PROBE(six_recverr, udp6(), IPPROTO_IPV6, IPV6_RECVERR, 1, 1)
OPTION_PROBE(addr_preferences, tcp6(), IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, 1, 2)
OPTION_PROBE(autoflowlabel, tcp6(), IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 1, 0)

OPTION_PROBE(udp_cork, udp4(), IPPROTO_UDP, UDP_CORK, 1, 1, 0)
OPTION_PROBE(udp_segment, udp4(), IPPROTO_UDP, UDP_SEGMENT, 1, 1000, 65536, -1)
OPTION_PROBE(udp_gro, udp4(), IPPROTO_UDP, UDP_GRO, 1, 1)

PROBE(option_kinds) {
  const int fd = tcp4(), datagrams = udp6();
  say_int("type", fd, SOL_SOCKET, SO_TYPE);
  say_int("domain", fd, SOL_SOCKET, SO_DOMAIN);
  say_int("protocol", fd, SOL_SOCKET, SO_PROTOCOL);
  say_int("type", datagrams, SOL_SOCKET, SO_TYPE);
  say_int("domain", datagrams, SOL_SOCKET, SO_DOMAIN);
  say_int("protocol", datagrams, SOL_SOCKET, SO_PROTOCOL);
}

PROBE(option_one_octet) { /* IP options take one octet */
  const int fd = udp4();
  unsigned char octet = 9;
  SAY("ttl", setsockopt(fd, IPPROTO_IP, IP_TTL, &octet, 1));
  socklen_t length = 1;
  octet = 0;
  SAY("get", getsockopt(fd, IPPROTO_IP, IP_TTL, &octet, &length));
  say("length=%u value=%d", length, octet);
  octet = 0;
  SAY("loop", setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &octet, 1));
  SAY("six", setsockopt(udp6(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, &octet, 1));
}

PROBE(option_linger) {
  const int fd = tcp4();
  struct linger linger = {.l_onoff = 5, .l_linger = 10};
  socklen_t length = sizeof linger;
  SAY("set", setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
  MUST(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length));
  say("get=%d,%d", linger.l_onoff, linger.l_linger);
  linger = (struct linger){.l_onoff = 0, .l_linger = 7};
  MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
  MUST(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length));
  say("off=%d,%d", linger.l_onoff, linger.l_linger);
  SAY("short", setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, 4));
}

PROBE(option_timeouts) {
  const int fd = tcp4();
  struct timeval time = {.tv_sec = 2, .tv_usec = 500000};
  socklen_t length = sizeof time;
  SAY("set", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
  MUST(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, &length));
  say("get=%ld.%06ld", (long)time.tv_sec, (long)time.tv_usec);
  time.tv_usec = 1000000;
  SAY("microseconds", setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time));
  time = (struct timeval){.tv_sec = -1};
  SAY("negative", setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time));
  SAY("short", setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, 8));
}

PROBE(option_congestion) {
  const int fd = tcp4();
  char name[16] = "";
  socklen_t length = sizeof name;
  SAY("get", getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length));
  say("length=%u", length);
  SAY("reno", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
  length = sizeof name;
  MUST(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length));
  say("name=%s", name);
  SAY("unknown", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "unheard", 7));
  SAY("empty", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "", 0));
}

PROBE(option_bind_to_device) {
  const int fd = tcp4();
  char name[IFNAMSIZ] = "";
  socklen_t length = sizeof name;
  SAY("get", getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length));
  say("length=%u", length);
  SAY("lo", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
  length = sizeof name;
  MUST(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length));
  say("name=%s length=%u", name, length);
  SAY("unknown", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nothing0", 9));
  SAY("none", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
}

PROBE(option_tcp_info) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  struct tcp_info info = {0};
  socklen_t length = sizeof info;
  SAY("get", getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &length));
  say("whole=%d state=%d timestamps=%d sack=%d scaling=%d", length == sizeof info, info.tcpi_state,
      (info.tcpi_options & TCPI_OPT_TIMESTAMPS) != 0, (info.tcpi_options & TCPI_OPT_SACK) != 0,
      (info.tcpi_options & TCPI_OPT_WSCALE) != 0);
  length = 8;
  SAY("part", getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &length));
  say("length=%u", length);
  SAY("set", setsockopt(client, IPPROTO_TCP, TCP_INFO, &info, sizeof info));
}

PROBE(option_mtu_connected) {
  int one, other;
  udp_pair(&one, &other);
  say_int("mtu", one, IPPROTO_IP, IP_MTU);
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  say_int("tcp", client, IPPROTO_IP, IP_MTU);
}

PROBE(option_v6only_bound) {
  const int fd = tcp6();
  MUST(bind_to(fd, at6("::1", 0)));
  SAY("set", set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
}

PROBE(option_maxseg_connected) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  int mss = 0;
  socklen_t length = sizeof mss;
  MUST(getsockopt(client, IPPROTO_TCP, TCP_MAXSEG, &mss, &length));
  say("sensible=%d", mss > 536 && mss < 65536);
  SAY("set", set_int(client, IPPROTO_TCP, TCP_MAXSEG, 1000));
}

PROBE(option_cookie) {
  uint64_t one = 0, again = 0, other = 0;
  socklen_t length = sizeof one;
  const int fd = tcp4(), another = tcp4();
  SAY("get", getsockopt(fd, SOL_SOCKET, SO_COOKIE, &one, &length));
  MUST(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &again, &length));
  MUST(getsockopt(another, SOL_SOCKET, SO_COOKIE, &other, &length));
  say("same=%d unique=%d", one == again, one != other);
}

PROBE(option_multicast_interface) {
  const int fd = udp4();
  struct in_addr address = {0};
  socklen_t length = sizeof address;
  SAY("get", getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &address, &length));
  say("address=%u length=%u", address.s_addr, length);
  address.s_addr = htonl(INADDR_LOOPBACK);
  SAY("loopback", setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &address, sizeof address));
  MUST(getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &address, &length));
  say("address=%x", ntohl(address.s_addr));
  address.s_addr = htonl(0x0a4d0001);
  SAY("foreign", setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &address, sizeof address));
  SAY("tcp", setsockopt(tcp4(), IPPROTO_IP, IP_MULTICAST_IF, &address, sizeof address));
}
