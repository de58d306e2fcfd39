/* Threads that share a socket: what wakes a blocked call. */
#include "probe.h"

static char other_room[4096];

static long receive(int fd) { return recv(fd, other_room, sizeof other_room, 0); }
static long receive_all(int fd) { return recv(fd, other_room, 8, MSG_WAITALL); }
static long take(int fd) {
  const int accepted = accept(fd, NULL, NULL);
  return accepted < 0 ? accepted : 0;
}
static long send_much(int fd) { return send(fd, other_room, sizeof other_room, MSG_NOSIGNAL); }
static long poll_for_ever(int fd) {
  struct pollfd entry = {.fd = fd, .events = POLLIN};
  const long done = poll(&entry, 1, -1);
  return done < 0 ? done : entry.revents;
}
static uint16_t connect_port;
static long connect_there(int fd) { return connect_to(fd, loopback(AF_INET, connect_port)); }

PROBE(thread_data_wakes) {
  int client, server;
  struct call call;
  tcp_pair(AF_INET, &client, &server);
  start_call(&call, receive, server);
  MUST(send(client, "data", 4, 0));
  say_call("recv", &call);
}

PROBE(thread_close_and_receive) {
  int client, server;
  struct call call;
  tcp_pair(AF_INET, &client, &server);
  start_call(&call, receive, server);
  SAY("close", close(server));
  say_call("recv", &call);
}

PROBE(thread_shutdown_wakes_receive) {
  int client, server;
  struct call call;
  tcp_pair(AF_INET, &client, &server);
  start_call(&call, receive, server);
  SAY("shutdown", shutdown(server, SHUT_RD));
  say_call("recv", &call);
}

PROBE(thread_shutdown_wakes_accept) {
  uint16_t port = 0;
  struct call call;
  const int listening = listener(AF_INET, &port);
  start_call(&call, take, listening);
  SAY("shutdown", shutdown(listening, SHUT_RDWR));
  say_call("accept", &call);
}

PROBE(thread_close_and_accept) {
  uint16_t port = 0;
  struct call call;
  const int listening = listener(AF_INET, &port);
  start_call(&call, take, listening);
  SAY("close", close(listening));
  say_call("accept", &call);
}

PROBE(thread_reset_wakes_receive) {
  int client, server;
  struct call call;
  tcp_pair(AF_INET, &client, &server);
  start_call(&call, receive_all, server);
  reset_and_close(client);
  say_call("recv", &call);
}

PROBE(thread_reset_wakes_send) {
  int client, server;
  struct call call;
  tcp_pair(AF_INET, &client, &server);
  fill(client);
  start_call(&call, send_much, client);
  reset_and_close(server);
  say_call("send", &call);
}

PROBE(thread_reading_wakes_send) {
  int client, server;
  struct call call;
  tcp_pair(AF_INET, &client, &server);
  fill(client);
  start_call(&call, send_much, client);
  drain(server);
  say_call("send", &call);
}

PROBE(thread_shutdown_wakes_send) {
  int client, server;
  struct call call;
  tcp_pair(AF_INET, &client, &server);
  fill(client);
  start_call(&call, send_much, client);
  SAY("shutdown", shutdown(client, SHUT_WR));
  say_call("send", &call);
}

PROBE(thread_two_accepts) {
  uint16_t port = 0;
  struct call one, other;
  const int listening = listener(AF_INET, &port);
  start_call(&one, take, listening);
  start_call(&other, take, listening);
  MUST(connect_to(tcp4(), loopback(AF_INET, port)));
  settle();
  say("woken=%d", one.is_done + other.is_done);
  MUST(connect_to(tcp4(), loopback(AF_INET, port)));
  say_call("one", &one);
  say_call("other", &other);
}

PROBE(thread_two_receives) {
  int client, server;
  struct call one, other;
  tcp_pair(AF_INET, &client, &server);
  start_call(&one, receive, server);
  start_call(&other, receive, server);
  MUST(send(client, "data", 4, 0));
  settle();
  say("woken=%d", one.is_done + other.is_done);
  shutdown(client, SHUT_WR);
  pthread_join(one.thread, NULL);
  pthread_join(other.thread, NULL);
  say("received=%ld", one.result + other.result);
}

PROBE(thread_close_and_poll) {
  int client, server;
  struct call call;
  tcp_pair(AF_INET, &client, &server);
  start_call(&call, poll_for_ever, server);
  SAY("close", close(server));
  MUST(send(client, "a", 1, MSG_NOSIGNAL));
  say_call("poll", &call);
}

PROBE(thread_shutdown_wakes_poll) {
  int client, server;
  struct call call;
  tcp_pair(AF_INET, &client, &server);
  start_call(&call, poll_for_ever, server);
  SAY("shutdown", shutdown(server, SHUT_RD));
  say_call("poll", &call);
}

PROBE(thread_blocked_connect) {
  struct call call;
  const int listening = tcp4();
  MUST(bind_to(listening, loopback(AF_INET, 0)));
  MUST(listen(listening, 0));
  connect_port = port_of(listening);
  for (int i = 0; i < 3; ++i) {
    const int filler = tcp4();
    set_non_blocking(filler);
    connect_there(filler);
    settle();
  }
  const int fd = tcp4();
  start_call(&call, connect_there, fd);
  SAY("shutdown", shutdown(fd, SHUT_RDWR));
  say_call("connect", &call);
}

PROBE(thread_udp_shutdown_wakes_receive) {
  int one, other;
  struct call call;
  udp_pair(&one, &other);
  start_call(&call, receive, one);
  SAY("shutdown", shutdown(one, SHUT_RD));
  say_call("recv", &call);
}

PROBE(thread_udp_unconnected_shutdown_wakes_receive) {
  uint16_t port = 0;
  struct call call;
  const int fd = udp_bound(AF_INET, &port);
  start_call(&call, receive, fd);
  SAY("shutdown", shutdown(fd, SHUT_RD));
  say_call("recv", &call);
}

PROBE(thread_non_blocking_meanwhile) {
  int client, server;
  struct call call;
  tcp_pair(AF_INET, &client, &server);
  start_call(&call, receive, server);
  set_non_blocking(server); /* concerns calls to come */
  say_call("recv", &call);
}
