/* Connecting without blocking, being refused, and SO_ERROR. */
#include "probe.h"

PROBE(connect_non_blocking) {
  uint16_t port = 0;
  listener(AF_INET, &port);
  const int fd = tcp4();
  set_non_blocking(fd);
  SAY("connect", connect_to(fd, loopback(AF_INET, port)));
  say_events("poll", (unsigned short)await(fd, POLLOUT));
  say_error(fd);
  SAY("again", connect_to(fd, loopback(AF_INET, port)));
  SAY("third", connect_to(fd, loopback(AF_INET, port)));
  say_name("peer", fd, 1);
}

PROBE(connect_refused) {
  const uint16_t port = unused_port(SOCK_STREAM);
  const int fd = tcp4();
  SAY("connect", connect_to(fd, loopback(AF_INET, port)));
  say_error(fd);
  say_name("name", fd, 0);
  say_name("peer", fd, 1);
  SAY("send", send(fd, "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
  SAY("recv", recv(fd, room, 1, MSG_DONTWAIT));
  SAY("again", connect_to(fd, loopback(AF_INET, port)));
}

PROBE(connect_refused_six) {
  const int fd = MUST(socket(AF_INET6, SOCK_STREAM, 0));
  SAY("connect", connect_to(fd, loopback(AF_INET6, unused_port(SOCK_STREAM))));
  say_error(fd);
}

PROBE(connect_refused_then_accepted) {
  uint16_t port = 0;
  const int fd = tcp4();
  SAY("refused", connect_to(fd, loopback(AF_INET, unused_port(SOCK_STREAM))));
  listener(AF_INET, &port);
  SAY("accepted", connect_to(fd, loopback(AF_INET, port)));
  SAY("send", send(fd, "a", 1, MSG_NOSIGNAL));
}

PROBE(connect_refused_non_blocking) {
  const uint16_t port = unused_port(SOCK_STREAM);
  const int fd = tcp4();
  set_non_blocking(fd);
  SAY("connect", connect_to(fd, loopback(AF_INET, port)));
  await(fd, POLLHUP);
  SAY("again", connect_to(fd, loopback(AF_INET, port)));
  SAY("third", connect_to(fd, loopback(AF_INET, port)));
}

PROBE(connect_refused_error_taken) {
  const uint16_t port = unused_port(SOCK_STREAM);
  const int fd = tcp4();
  set_non_blocking(fd);
  SAY("connect", connect_to(fd, loopback(AF_INET, port)));
  await(fd, POLLHUP);
  say_error(fd);
  say_error(fd);
  SAY("again", connect_to(fd, loopback(AF_INET, port)));
}

PROBE(connect_refused_then_receive) {
  const int fd = tcp4();
  set_non_blocking(fd);
  SAY("connect", connect_to(fd, loopback(AF_INET, unused_port(SOCK_STREAM))));
  await(fd, POLLHUP);
  SAY("recv", recv(fd, room, 1, 0));
  SAY("again", recv(fd, room, 1, 0));
  say_error(fd);
}

PROBE(connect_refused_then_send) {
  const int fd = tcp4();
  set_non_blocking(fd);
  SAY("connect", connect_to(fd, loopback(AF_INET, unused_port(SOCK_STREAM))));
  await(fd, POLLHUP);
  SAY("send", send(fd, "a", 1, MSG_NOSIGNAL));
  SAY("again", send(fd, "a", 1, MSG_NOSIGNAL));
  say_error(fd);
}

PROBE(connecting_state) {
  const int fd = connecting();
  SAY("connect", connect_to(fd, loopback(AF_INET, 1)));
  say_name("name", fd, 0);
  say_name("peer", fd, 1);
  SAY("send", send(fd, "a", 1, MSG_NOSIGNAL));
  SAY("recv", recv(fd, room, 1, 0));
  SAY("listen", listen(fd, 1));
  SAY("bind", bind_to(fd, loopback(AF_INET, 0)));
  say_error(fd);
}

PROBE(connecting_shutdown) {
  int fd = connecting();
  SAY("write", shutdown(fd, SHUT_WR));
  fd = connecting();
  SAY("read", shutdown(fd, SHUT_RD));
  say_name("peer", fd, 1);
  fd = connecting();
  SAY("both", shutdown(fd, SHUT_RDWR));
}

PROBE(connecting_disconnect) {
  const int fd = connecting();
  const struct sockaddr none = {.sa_family = AF_UNSPEC};
  SAY("disconnect", connect(fd, &none, sizeof none));
  uint16_t port = 0;
  listener(AF_INET, &port);
  SAY("connect", connect_to(fd, loopback(AF_INET, port)));
  await(fd, POLLOUT);
  say_name("peer", fd, 1);
}

PROBE(connect_send_timeout) {
  const int fd = connecting();
  const struct timeval soon = {.tv_usec = 50000};
  MUST(fcntl(fd, F_SETFL, 0));
  MUST(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon));
  SAY("connect", connect_to(fd, loopback(AF_INET, 1)));
}

PROBE(connect_disconnect) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const struct sockaddr none = {.sa_family = AF_UNSPEC};
  SAY("disconnect", connect(client, &none, sizeof none));
  say_name("peer", client, 1);
  say_name("name", client, 0);
  await(server, POLLIN);
  SAY("peer-recv", recv(server, room, 1, MSG_DONTWAIT));
  say_error(client);
}

PROBE(connect_disconnect_then_connect) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const struct sockaddr none = {.sa_family = AF_UNSPEC};
  SAY("disconnect", connect(client, &none, sizeof none));
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port);
  SAY("connect", connect_to(client, loopback(AF_INET, port)));
  const int other = accept(listening, NULL, NULL);
  SAY("send", send(client, "data", 4, MSG_NOSIGNAL));
  await(other, POLLIN);
  SAY("recv", recv(other, room, 8, MSG_DONTWAIT));
}

PROBE(connect_to_itself) { /* RFC 9293 3.5: simultaneous open, with oneself */
  const int fd = tcp4();
  MUST(bind_to(fd, loopback(AF_INET, 0)));
  SAY("connect", connect_to(fd, loopback(AF_INET, port_of(fd))));
  SAY("send", send(fd, "data", 4, MSG_NOSIGNAL | MSG_DONTWAIT));
  await(fd, POLLIN);
  SAY("recv", recv(fd, room, 8, MSG_DONTWAIT));
}

PROBE(connect_to_any) {
  uint16_t port = 0;
  listener(AF_INET, &port);
  const int fd = tcp4();
  SAY("connect", connect_to(fd, at4("0.0.0.0", port)));
  say_name("peer", fd, 1);
  const int six = MUST(socket(AF_INET6, SOCK_STREAM, 0));
  uint16_t six_port = 0;
  listener(AF_INET6, &six_port);
  SAY("six", connect_to(six, at6("::", six_port)));
  say_name("peer", six, 1);
}

PROBE(connect_from_bound_port) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port);
  const int fd = tcp4();
  MUST(bind_to(fd, at4("127.0.0.5", 0)));
  const uint16_t mine = port_of(fd);
  SAY("connect", connect_to(fd, loopback(AF_INET, port)));
  say_name("name", fd, 0);
  union address from = {0};
  socklen_t length = sizeof from;
  MUST(accept(listening, &from.any, &length));
  say("same-port=%d", ntohs(from.v4.sin_port) == mine);
}

PROBE(connect_same_four_tuple) {
  uint16_t port = 0;
  listener(AF_INET, &port);
  const int one = tcp4(), other = tcp4();
  MUST(set_int(one, SOL_SOCKET, SO_REUSEADDR, 1));
  MUST(set_int(other, SOL_SOCKET, SO_REUSEADDR, 1));
  MUST(bind_to(one, loopback(AF_INET, 0)));
  MUST(bind_to(other, loopback(AF_INET, port_of(one))));
  SAY("first", connect_to(one, loopback(AF_INET, port)));
  SAY("second", connect_to(other, loopback(AF_INET, port)));
}

PROBE(connect_v6only_to_mapped) {
  uint16_t port = 0;
  listener(AF_INET, &port);
  const int fd = MUST(socket(AF_INET6, SOCK_STREAM, 0));
  SAY("mapped", connect_to(fd, at6("::ffff:127.0.0.1", port)));
  say_name("peer", fd, 1);
  say_name("name", fd, 0);
  const int only = MUST(socket(AF_INET6, SOCK_STREAM, 0));
  MUST(set_int(only, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  SAY("only", connect_to(only, at6("::ffff:127.0.0.1", port)));
}

PROBE(accept_of_ended_connections) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port);
  int client = tcp4();
  MUST(connect_to(client, loopback(AF_INET, port)));
  MUST(send(client, "data", 4, 0));
  close(client);
  settle();
  int fd = accept(listening, NULL, NULL);
  SAY("recv", recv(fd, room, 8, 0));
  SAY("end", recv(fd, room, 8, 0));
  say_name("peer", fd, 1);
  client = tcp4();
  MUST(connect_to(client, loopback(AF_INET, port)));
  settle();
  reset_and_close(client);
  settle();
  set_non_blocking(listening);
  fd = accept(listening, NULL, NULL);
  say("reset=%s", fd >= 0 ? "accepted" : error_name(errno));
  if (fd < 0) return;
  SAY("recv", recv(fd, room, 8, 0));
}

PROBE(accept_inherits) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port);
  MUST(set_int(listening, SOL_SOCKET, SO_KEEPALIVE, 1));
  MUST(set_int(listening, IPPROTO_TCP, TCP_NODELAY, 1));
  MUST(set_int(listening, IPPROTO_IP, IP_TTL, 33));
  const struct linger linger = {.l_onoff = 1, .l_linger = 7};
  MUST(setsockopt(listening, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
  const struct timeval time = {.tv_sec = 3};
  MUST(setsockopt(listening, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
  set_non_blocking(listening);
  MUST(connect_to(tcp4(), loopback(AF_INET, port)));
  await(listening, POLLIN);
  const int fd = MUST(accept(listening, NULL, NULL));
  say_int("keepalive", fd, SOL_SOCKET, SO_KEEPALIVE);
  say_int("nodelay", fd, IPPROTO_TCP, TCP_NODELAY);
  say_int("ttl", fd, IPPROTO_IP, IP_TTL);
  struct linger got = {0};
  socklen_t length = sizeof got;
  getsockopt(fd, SOL_SOCKET, SO_LINGER, &got, &length);
  say("linger=%d,%d", got.l_onoff, got.l_linger);
  struct timeval timeout = {0};
  length = sizeof timeout;
  getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, &length);
  say("timeout=%ld", (long)timeout.tv_sec);
  say("non-blocking=%d", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  say_int("acceptconn", fd, SOL_SOCKET, SO_ACCEPTCONN);
}

PROBE(accept_flags) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port);
  MUST(connect_to(tcp4(), loopback(AF_INET, port)));
  const int fd = MUST(accept4(listening, NULL, NULL, SOCK_NONBLOCK));
  say("non-blocking=%d", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  SAY("recv", recv(fd, room, 1, 0));
}

PROBE(accept_timeout) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port);
  const struct timeval soon = {.tv_usec = 50000};
  MUST(setsockopt(listening, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
  SAY("accept", accept(listening, NULL, NULL));
}

PROBE(accept_backlog_full) {
  const int listening = tcp4();
  MUST(bind_to(listening, loopback(AF_INET, 0)));
  MUST(listen(listening, 1));
  const uint16_t port = port_of(listening);
  int there = 0;
  for (int i = 0; i < 5; ++i) {
    const int fd = tcp4();
    set_non_blocking(fd);
    connect_to(fd, loopback(AF_INET, port));
    struct pollfd entry = {.fd = fd, .events = POLLOUT};
    poll(&entry, 1, 100);
    if ((entry.revents & POLLOUT) != 0) ++there;
  }
  say("connected=%d", there);
}

PROBE(accept_then_close_listener) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port);
  const int client = tcp4();
  MUST(connect_to(client, loopback(AF_INET, port)));
  settle();
  close(listening); /* with a connection that nobody has accepted */
  say_events("client", (unsigned short)await(client, POLLIN | POLLHUP));
  SAY("recv", recv(client, room, 1, MSG_DONTWAIT));
  SAY("connect", connect_to(tcp4(), loopback(AF_INET, port)));
}
