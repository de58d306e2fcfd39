/* How connections end: shutdown, close, reset, linger. */
#include "probe.h"

PROBE(end_half_close_write) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("shutdown", shutdown(client, SHUT_WR));
  SAY("send", send(client, "a", 1, MSG_NOSIGNAL));
  SAY("peer-recv", recv(server, room, 1, 0));
  SAY("peer-send", send(server, "data", 4, MSG_NOSIGNAL));
  await(client, POLLIN);
  SAY("recv", recv(client, room, 8, MSG_DONTWAIT));
  SAY("again", shutdown(client, SHUT_WR));
}

PROBE(end_half_close_read) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("shutdown", shutdown(client, SHUT_RD));
  SAY("recv", recv(client, room, 1, 0));
  SAY("send", send(client, "data", 4, MSG_NOSIGNAL));
  await(server, POLLIN);
  SAY("peer-recv", recv(server, room, 8, MSG_DONTWAIT));
}

PROBE(end_shut_read_then_data) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("shutdown", shutdown(client, SHUT_RD));
  SAY("peer-send", send(server, "data", 4, MSG_NOSIGNAL));
  settle();
  SAY("recv", recv(client, room, 8, MSG_DONTWAIT));
  SAY("again", recv(client, room, 8, MSG_DONTWAIT));
  SAY("peer-again", send(server, "data", 4, MSG_NOSIGNAL));
}

PROBE(end_shut_read_with_data) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(server, "data", 4, 0));
  await(client, POLLIN);
  SAY("shutdown", shutdown(client, SHUT_RD));
  SAY("recv", recv(client, room, 8, MSG_DONTWAIT));
  SAY("again", recv(client, room, 8, MSG_DONTWAIT));
}

PROBE(end_shut_both) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("shutdown", shutdown(client, SHUT_RDWR));
  SAY("recv", recv(client, room, 1, MSG_DONTWAIT));
  SAY("send", send(client, "a", 1, MSG_NOSIGNAL));
  SAY("peer-recv", recv(server, room, 1, 0));
  SAY("peer-send", send(server, "a", 1, MSG_NOSIGNAL));
}

PROBE(end_shutdown_after_peer_closed) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  close(server);
  await(client, POLLRDHUP);
  SAY("write", shutdown(client, SHUT_WR));
  settle();
  SAY("again", shutdown(client, SHUT_WR));
  SAY("read", shutdown(client, SHUT_RD));
  say_name("peer", client, 1);
}

PROBE(end_shutdown_after_reset) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  reset_and_close(server);
  await(client, POLLHUP);
  SAY("shutdown", shutdown(client, SHUT_RDWR));
  say_name("peer", client, 1);
  say_name("name", client, 0);
  say_error(client);
}

PROBE(end_write_after_peer_closed) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  close(server);
  await(client, POLLRDHUP);
  SAY("first", send(client, "a", 1, MSG_NOSIGNAL));
  await(client, POLLHUP);
  SAY("second", send(client, "a", 1, MSG_NOSIGNAL));
  SAY("third", send(client, "a", 1, MSG_NOSIGNAL));
  SAY("recv", recv(client, room, 1, MSG_DONTWAIT));
}

PROBE(end_write_after_reset) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  reset_and_close(server);
  await(client, POLLHUP);
  SAY("first", send(client, "a", 1, MSG_NOSIGNAL));
  SAY("second", send(client, "a", 1, MSG_NOSIGNAL));
  SAY("recv", recv(client, room, 1, MSG_DONTWAIT));
}

PROBE(end_read_after_reset) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  reset_and_close(server);
  await(client, POLLHUP);
  SAY("first", recv(client, room, 1, 0));
  SAY("second", recv(client, room, 1, 0));
  SAY("send", send(client, "a", 1, MSG_NOSIGNAL));
}

PROBE(end_data_then_reset) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(server, "data", 4, 0));
  await(client, POLLIN);
  reset_and_close(server);
  await(client, POLLHUP);
  SAY("recv", recv(client, room, 8, MSG_DONTWAIT));
  SAY("then", recv(client, room, 8, MSG_DONTWAIT));
  SAY("end", recv(client, room, 8, MSG_DONTWAIT));
}

PROBE(end_close_with_unread_data) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "data", 4, 0));
  await(server, POLLIN);
  close(server);
  say_events("poll", (unsigned short)await(client, POLLHUP | POLLERR));
  SAY("recv", recv(client, room, 1, MSG_DONTWAIT));
}

PROBE(end_close_with_unread_data_after_answer) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "data", 4, 0));
  await(server, POLLIN);
  MUST(send(server, "answer", 6, 0));
  await(client, POLLIN);
  close(server);
  await(client, POLLHUP);
  SAY("recv", recv(client, room, 8, MSG_DONTWAIT));
  SAY("then", recv(client, room, 8, MSG_DONTWAIT));
}

PROBE(end_data_to_closed_peer) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(server, "last", 4, 0));
  close(server);
  await(client, POLLRDHUP);
  SAY("send", send(client, "late", 4, MSG_NOSIGNAL));
  await(client, POLLHUP);
  SAY("recv", recv(client, room, 8, MSG_DONTWAIT));
  SAY("then", recv(client, room, 8, MSG_DONTWAIT));
}

PROBE(end_orderly) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "data", 4, 0));
  close(client);
  await(server, POLLRDHUP);
  SAY("recv", recv(server, room, 8, 0));
  SAY("end", recv(server, room, 8, 0));
  SAY("again", recv(server, room, 8, 0));
  say_error(server);
}

PROBE(end_linger_zero) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  reset_and_close(server);
  await(client, POLLHUP);
  SAY("recv", recv(client, room, 1, 0));
}

PROBE(end_linger_delivers) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const struct linger two = {.l_onoff = 1, .l_linger = 2};
  MUST(setsockopt(client, SOL_SOCKET, SO_LINGER, &two, sizeof two));
  MUST(send(client, "data", 4, 0));
  SAY("close", close(client));
  await(server, POLLIN);
  SAY("recv", recv(server, room, 8, MSG_DONTWAIT));
}

PROBE(end_linger_zero_after_half_close) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  shutdown(server, SHUT_WR);
  await(client, POLLRDHUP);
  reset_and_close(server);
  settle();
  SAY("end", recv(client, room, 1, MSG_DONTWAIT));
  SAY("send", send(client, "a", 1, MSG_NOSIGNAL));
}

PROBE(end_linger_off) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const struct linger off = {.l_onoff = 0, .l_linger = 0};
  MUST(setsockopt(server, SOL_SOCKET, SO_LINGER, &off, sizeof off));
  close(server);
  await(client, POLLRDHUP);
  SAY("recv", recv(client, room, 1, 0));
}

PROBE(end_simultaneous_close) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  shutdown(client, SHUT_WR);
  shutdown(server, SHUT_WR);
  await(client, POLLHUP), await(server, POLLHUP);
  SAY("client", recv(client, room, 1, MSG_DONTWAIT));
  SAY("server", recv(server, room, 1, MSG_DONTWAIT));
  SAY("shutdown", shutdown(client, SHUT_RDWR));
}

PROBE(end_reset_reaches_blocked_writer) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  fill(client);
  reset_and_close(server);
  await(client, POLLHUP);
  SAY("send", send(client, "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
  SAY("again", send(client, "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
}

PROBE(end_names_after_close_of_peer) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  close(server);
  await(client, POLLRDHUP);
  say_name("peer", client, 1);
  say_name("name", client, 0);
  shutdown(client, SHUT_WR);
  settle();
  say_name("peer", client, 1);
  say_name("name", client, 0);
}

PROBE(end_option_after_reset) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  reset_and_close(server);
  await(client, POLLHUP);
  SAY("recv", recv(client, room, 1, MSG_DONTWAIT));
  SAY("nodelay", set_int(client, IPPROTO_TCP, TCP_NODELAY, 1));
  SAY("keepalive", set_int(client, SOL_SOCKET, SO_KEEPALIVE, 1));
  SAY("connect", connect_to(client, loopback(AF_INET, unused_port(SOCK_STREAM))));
}

PROBE(end_connect_again_after_reset) {
  int client, server;
  uint16_t port = 0;
  tcp_pair(AF_INET, &client, &server);
  reset_and_close(server);
  await(client, POLLHUP);
  SAY("recv", recv(client, room, 1, MSG_DONTWAIT));
  listener(AF_INET, &port);
  SAY("connect", connect_to(client, loopback(AF_INET, port)));
}

/* tcpi_state of each side. */
static void say_state(const char* what, int fd) {
  struct tcp_info info = {0};
  socklen_t length = sizeof info;
  const int done = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
  static const char* const names[] = {"?",          "ESTABLISHED", "SYN_SENT",  "SYN_RECV",
                                      "FIN_WAIT1",  "FIN_WAIT2",   "TIME_WAIT", "CLOSE",
                                      "CLOSE_WAIT", "LAST_ACK",    "LISTEN",    "CLOSING"};
  if (done != 0)
    say_result(what, done, errno);
  else
    say("%s=%s", what, info.tcpi_state < 12 ? names[info.tcpi_state] : "?");
}

PROBE(end_states_in_tcp_info) {
  uint16_t port = 0;
  say_state("fresh", tcp4());
  say_state("listening", listener(AF_INET, &port));
  say_state("connecting", connecting());
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  say_state("connected", client);
  shutdown(client, SHUT_WR);
  await(server, POLLRDHUP);
  settle();
  say_state("half-closed", client);
  say_state("peer", server);
  shutdown(server, SHUT_WR);
  await(client, POLLHUP), await(server, POLLHUP);
  settle();
  say_state("closed", client);
  say_state("peer", server);
}

PROBE(end_info_after_reset) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  reset_and_close(server);
  await(client, POLLHUP);
  say_state("state", client);
}
