/* epoll(7): level, edge, one-shot, exclusive. */
#include "probe.h"

static int epoll(void) { return MUST(epoll_create1(0)); }

static int add(int epfd, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.u64 = (uint64_t)fd};
  return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
}

static int modify(int epfd, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.u64 = (uint64_t)fd};
  return epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &event);
}

static void say_wait(const char* what, int epfd, int timeout) {
  struct epoll_event events[8];
  const int count = epoll_wait(epfd, events, 8, timeout);
  if (count == 1)
    say_events(what, events[0].events);
  else
    say_result(what, count, errno);
}

PROBE(epoll_errors) {
  const int epfd = epoll(), fd = tcp4();
  struct epoll_event event = {.events = EPOLLIN};
  SAY("flags", epoll_create1(1));
  SAY("add", add(epfd, fd, EPOLLIN));
  SAY("again", add(epfd, fd, EPOLLIN));
  SAY("delete", epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL));
  SAY("delete-again", epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL));
  SAY("modify", modify(epfd, fd, EPOLLIN));
  SAY("itself", add(epfd, epfd, EPOLLIN));
  SAY("operation", epoll_ctl(epfd, 9, fd, &event));
  SAY("null", epoll_ctl(epfd, EPOLL_CTL_ADD, fd, NULL));
  SAY("not-epoll", add(fd, epfd, EPOLLIN));
  SAY("count", epoll_wait(epfd, &event, 0, 0));
  SAY("not-epoll-wait", epoll_wait(fd, &event, 1, 0));
  const int closed = tcp4();
  close(closed);
  SAY("closed", add(epfd, closed, EPOLLIN));
  SAY("closed-epoll", add(closed, fd, EPOLLIN));
}

PROBE(epoll_level) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const int epfd = epoll();
  MUST(add(epfd, server, EPOLLIN));
  say_wait("nothing", epfd, 0);
  MUST(send(client, "ab", 2, 0));
  say_wait("data", epfd, 2000);
  say_wait("again", epfd, 0);
  MUST(recv(server, room, 1, 0));
  say_wait("part", epfd, 0);
  MUST(recv(server, room, 1, 0));
  say_wait("all", epfd, 0);
}

PROBE(epoll_edge) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const int epfd = epoll();
  MUST(add(epfd, server, EPOLLIN | EPOLLET));
  MUST(send(client, "ab", 2, 0));
  say_wait("data", epfd, 2000);
  say_wait("again", epfd, 0);
  MUST(recv(server, room, 1, 0));
  say_wait("part", epfd, 0);
  MUST(send(client, "c", 1, 0));
  say_wait("more", epfd, 2000);
}

PROBE(epoll_edge_of_what_is_there) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "ab", 2, 0));
  await(server, POLLIN);
  const int epfd = epoll();
  MUST(add(epfd, server, EPOLLIN | EPOLLET));
  say_wait("added", epfd, 0);
  say_wait("again", epfd, 0);
  MUST(modify(epfd, server, EPOLLIN | EPOLLET));
  say_wait("modified", epfd, 0);
}

PROBE(epoll_edge_out) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const int epfd = epoll();
  MUST(add(epfd, client, EPOLLOUT | EPOLLET));
  say_wait("first", epfd, 0);
  say_wait("again", epfd, 0);
  fill(client);
  say_wait("full", epfd, 0);
  drain(server);
  say_wait("drained", epfd, 2000);
}

PROBE(epoll_one_shot) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const int epfd = epoll();
  MUST(add(epfd, server, EPOLLIN | EPOLLONESHOT));
  MUST(send(client, "a", 1, 0));
  say_wait("first", epfd, 2000);
  say_wait("again", epfd, 0);
  MUST(send(client, "b", 1, 0));
  settle();
  say_wait("more", epfd, 0);
  MUST(modify(epfd, server, EPOLLIN | EPOLLONESHOT));
  say_wait("armed", epfd, 0);
}

PROBE(epoll_exclusive) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port), one = epoll(), other = epoll();
  SAY("add", add(one, listening, EPOLLIN | EPOLLEXCLUSIVE));
  SAY("other", add(other, listening, EPOLLIN | EPOLLEXCLUSIVE));
  SAY("modify", modify(one, listening, EPOLLIN));
  SAY("modify-exclusive", modify(one, listening, EPOLLIN | EPOLLEXCLUSIVE));
  SAY("one-shot", add(epoll(), listening, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT));
  MUST(connect_to(tcp4(), loopback(AF_INET, port)));
  say_wait("wait", one, 2000);
}

PROBE(epoll_states) {
  const int epfd = epoll();
  const uint32_t all = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP;
  const int fresh = tcp4();
  MUST(add(epfd, fresh, all));
  say_wait("fresh", epfd, 0);
  close(fresh);
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(add(epfd, client, all));
  say_wait("connected", epfd, 0);
  shutdown(server, SHUT_WR);
  await(client, POLLRDHUP);
  say_wait("half-closed", epfd, 0);
  shutdown(client, SHUT_WR);
  await(client, POLLHUP);
  say_wait("closed", epfd, 0);
}

PROBE(epoll_reset) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const int epfd = epoll();
  MUST(add(epfd, client, 0));
  say_wait("idle", epfd, 0);
  reset_and_close(server);
  say_wait("reset", epfd, 2000);
}

PROBE(epoll_connect) {
  uint16_t port = 0;
  listener(AF_INET, &port);
  const int epfd = epoll(), fd = tcp4();
  set_non_blocking(fd);
  MUST(add(epfd, fd, EPOLLOUT | EPOLLET));
  say_wait("fresh", epfd, 0);
  SAY("connect", connect_to(fd, loopback(AF_INET, port)));
  say_wait("connected", epfd, 2000);
  say_error(fd);
}

PROBE(epoll_connect_refused) {
  const int epfd = epoll(), fd = tcp4();
  set_non_blocking(fd);
  SAY("connect", connect_to(fd, loopback(AF_INET, unused_port(SOCK_STREAM))));
  MUST(add(epfd, fd, EPOLLIN | EPOLLOUT | EPOLLET));
  await(fd, POLLHUP);
  say_wait("refused", epfd, 2000);
  say_error(fd);
}

PROBE(epoll_accept_edges) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port), epfd = epoll();
  MUST(add(epfd, listening, EPOLLIN | EPOLLET));
  MUST(connect_to(tcp4(), loopback(AF_INET, port)));
  say_wait("first", epfd, 2000);
  say_wait("again", epfd, 0);
  MUST(connect_to(tcp4(), loopback(AF_INET, port)));
  say_wait("second", epfd, 2000);
  MUST(accept(listening, NULL, NULL));
  MUST(accept(listening, NULL, NULL));
  set_non_blocking(listening);
  SAY("empty", accept(listening, NULL, NULL));
}

PROBE(epoll_close_removes) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const int epfd = epoll();
  MUST(add(epfd, client, EPOLLOUT));
  say_wait("before", epfd, 0);
  close(client);
  say_wait("closed", epfd, 0);
}

PROBE(epoll_nested) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const int inner = epoll(), outer = epoll();
  MUST(add(inner, server, EPOLLIN));
  SAY("add", add(outer, inner, EPOLLIN));
  SAY("loop", add(inner, outer, EPOLLIN));
  say_wait("nothing", outer, 0);
  MUST(send(client, "a", 1, 0));
  say_wait("data", outer, 2000);
  struct pollfd entry = {.fd = inner, .events = POLLIN};
  SAY("poll", poll(&entry, 1, 0));
}

PROBE(epoll_udp) {
  int one, other;
  udp_pair(&one, &other);
  const int epfd = epoll();
  MUST(add(epfd, other, EPOLLIN | EPOLLET));
  MUST(send(one, "a", 1, 0));
  say_wait("first", epfd, 2000);
  MUST(send(one, "b", 1, 0));
  settle();
  say_wait("second", epfd, 0);
  say_wait("again", epfd, 0);
}

PROBE(epoll_many_ready) {
  const int epfd = epoll();
  for (int i = 0; i < 5; ++i) MUST(add(epfd, udp4(), EPOLLOUT));
  struct epoll_event events[8];
  SAY("all", epoll_wait(epfd, events, 8, 0));
  SAY("some", epoll_wait(epfd, events, 3, 0));
  uint64_t before = events[0].data.u64;
  SAY("others", epoll_wait(epfd, events, 3, 0));
  say("rotates=%d", events[0].data.u64 != before);
}

PROBE_OF_PROCESS(epoll_duplicate_stays) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const int epfd = epoll(), copy = MUST(dup(client));
  MUST(add(epfd, client, EPOLLOUT));
  close(client);
  say_wait("closed", epfd, 0);
  SAY("delete", epoll_ctl(epfd, EPOLL_CTL_DEL, client, NULL));
  close(copy);
  say_wait("both", epfd, 0);
}

PROBE_OF_PROCESS(epoll_duplicate_apart) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const int epfd = epoll(), copy = MUST(dup(client));
  SAY("one", add(epfd, client, EPOLLOUT));
  SAY("copy", add(epfd, copy, EPOLLOUT));
  say_wait("both", epfd, 0);
}
