/* poll(2) and select(2): the bits of each state. */
#include "probe.h"

static const short kAll = POLLIN | POLLPRI | POLLOUT | POLLRDHUP;

/* What poll says now, and what it says with nothing asked for. */
static void say_poll(const char* what, int fd) {
  struct pollfd entry = {.fd = fd, .events = kAll};
  MUST(poll(&entry, 1, 0));
  say_events(what, (unsigned short)entry.revents);
}

PROBE(poll_fresh_tcp) { say_poll("poll", tcp4()); }
PROBE(poll_fresh_udp) { say_poll("poll", udp4()); }

PROBE(poll_bound_tcp) {
  const int fd = tcp4();
  MUST(bind_to(fd, loopback(AF_INET, 0)));
  say_poll("poll", fd);
}

PROBE(poll_listening) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port);
  say_poll("idle", listening);
  const int client = tcp4();
  MUST(connect_to(client, loopback(AF_INET, port)));
  await(listening, POLLIN);
  say_poll("waiting", listening);
  MUST(accept(listening, NULL, NULL));
  say_poll("accepted", listening);
  shutdown(listening, SHUT_RD);
  say_poll("shut", listening);
}

PROBE(poll_connecting) { say_poll("poll", connecting()); }

PROBE(poll_connected) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  say_poll("client", client);
  say_poll("server", server);
  MUST(send(client, "a", 1, 0));
  await(server, POLLIN);
  say_poll("data", server);
  MUST(recv(server, room, 1, 0));
  say_poll("read", server);
}

PROBE(poll_peer_half_closed) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  shutdown(server, SHUT_WR);
  await(client, POLLRDHUP);
  say_poll("poll", client);
  say_poll("shutter", server);
}

PROBE(poll_both_half_closed) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  shutdown(server, SHUT_WR);
  shutdown(client, SHUT_WR);
  await(client, POLLHUP);
  await(server, POLLHUP);
  say_poll("client", client);
  say_poll("server", server);
}

PROBE(poll_shut_read) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  shutdown(client, SHUT_RD);
  say_poll("poll", client);
  say_poll("peer", server);
}

PROBE(poll_shut_both) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  shutdown(client, SHUT_RDWR);
  settle();
  say_poll("poll", client);
  await(server, POLLIN);
  say_poll("peer", server);
}

PROBE(poll_peer_closed_with_data) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(server, "data", 4, 0));
  close(server);
  await(client, POLLRDHUP);
  say_poll("before", client);
  MUST(recv(client, room, 4, 0));
  say_poll("read", client);
  SAY("end", recv(client, room, 4, 0));
  say_poll("after", client);
}

PROBE(poll_reset) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  reset_and_close(server);
  await(client, POLLHUP);
  say_poll("before", client);
  SAY("recv", recv(client, room, 1, 0));
  say_poll("after", client);
  SAY("recv", recv(client, room, 1, 0));
}

PROBE(poll_reset_error_taken) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  reset_and_close(server);
  await(client, POLLHUP);
  say_error(client);
  say_poll("after", client);
}

PROBE(poll_refused) {
  const int fd = tcp4();
  set_non_blocking(fd);
  SAY("connect", connect_to(fd, loopback(AF_INET, unused_port(SOCK_STREAM))));
  await(fd, POLLHUP);
  say_poll("before", fd);
  say_error(fd);
  say_poll("after", fd);
  say_error(fd);
}

PROBE(poll_send_buffer_full) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  fill(client);
  say_poll("full", client);
  drain(server);
  await(client, POLLOUT);
  say_poll("drained", client);
}

PROBE(poll_urgent) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "u", 1, MSG_OOB));
  await(server, POLLPRI);
  say_poll("before", server);
  SAY("recv", recv(server, room, 1, MSG_OOB));
  say_poll("after", server);
}

PROBE(poll_urgent_inline) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(set_int(server, SOL_SOCKET, SO_OOBINLINE, 1));
  MUST(send(client, "u", 1, MSG_OOB));
  await(server, POLLIN);
  say_poll("before", server);
  SAY("oob", recv(server, room, 1, MSG_OOB));
  SAY("recv", recv(server, room, 1, MSG_DONTWAIT));
  say_poll("after", server);
}

PROBE(poll_low_water) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(set_int(server, SOL_SOCKET, SO_RCVLOWAT, 8));
  MUST(send(client, "data", 4, 0));
  settle();
  say_poll("below", server);
  MUST(send(client, "data", 4, 0));
  await(server, POLLIN);
  say_poll("reached", server);
}

PROBE(poll_udp_data) {
  int one, other;
  udp_pair(&one, &other);
  MUST(send(one, "a", 1, 0));
  await(other, POLLIN);
  say_poll("before", other);
  MUST(recv(other, room, 1, 0));
  say_poll("after", other);
}

PROBE(poll_udp_error) {
  const int fd = udp4();
  MUST(connect_to(fd, loopback(AF_INET, unused_port(SOCK_DGRAM))));
  MUST(send(fd, "a", 1, 0));
  await(fd, POLLERR);
  say_poll("before", fd);
  say_error(fd);
  say_poll("after", fd);
}

PROBE(poll_udp_shut) {
  int one, other;
  udp_pair(&one, &other);
  shutdown(one, SHUT_RD);
  say_poll("read", one);
  shutdown(one, SHUT_WR);
  say_poll("both", one);
  shutdown(other, SHUT_WR);
  say_poll("write", other);
}

PROBE(poll_bands) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "a", 1, 0));
  await(server, POLLIN);
  struct pollfd entry = {.fd = server, .events = POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND};
  SAY("poll", poll(&entry, 1, 0));
  say_events("tcp", (unsigned short)entry.revents);
  entry.fd = udp4();
  SAY("poll", poll(&entry, 1, 0));
  say_events("udp", (unsigned short)entry.revents);
}

PROBE(poll_asks_for_nothing) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  struct pollfd entry = {.fd = client, .events = 0};
  SAY("idle", poll(&entry, 1, 0));
  reset_and_close(server);
  await(client, POLLHUP);
  SAY("reset", poll(&entry, 1, 1000));
  say_events("revents", (unsigned short)entry.revents);
}

PROBE(poll_odd_entries) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const int closed = tcp4();
  close(closed);
  struct pollfd entries[] = {{.fd = -1, .events = POLLOUT},
                             {.fd = closed, .events = POLLOUT},
                             {.fd = client, .events = POLLOUT},
                             {.fd = client, .events = POLLIN | POLLOUT}};
  SAY("poll", poll(entries, 4, 0));
  say_events("negative", (unsigned short)entries[0].revents);
  say_events("closed", (unsigned short)entries[1].revents);
  say_events("twice", (unsigned short)entries[3].revents);
  SAY("none", poll(NULL, 0, 1));
}

PROBE(poll_waits_for_data) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  struct pollfd entry = {.fd = server, .events = POLLIN};
  SAY("time", poll(&entry, 1, 20));
  MUST(send(client, "a", 1, 0));
  SAY("data", poll(&entry, 1, 2000));
}

static void say_select(const char* what, int fd) {
  fd_set in, out, urgent;
  FD_ZERO(&in);
  FD_ZERO(&out);
  FD_ZERO(&urgent);
  FD_SET(fd, &in);
  FD_SET(fd, &out);
  FD_SET(fd, &urgent);
  struct timeval now = {0};
  const int bits = select(fd + 1, &in, &out, &urgent, &now);
  if (bits < 0)
    say_result(what, bits, errno);
  else
    say("%s=%d(%s%s%s)", what, bits, FD_ISSET(fd, &in) ? "r" : "", FD_ISSET(fd, &out) ? "w" : "",
        FD_ISSET(fd, &urgent) ? "x" : "");
}

PROBE(select_states) {
  int client, server;
  say_select("fresh", tcp4());
  tcp_pair(AF_INET, &client, &server);
  say_select("connected", client);
  MUST(send(server, "u", 1, MSG_OOB));
  await(client, POLLPRI);
  say_select("urgent", client);
  reset_and_close(server);
  await(client, POLLHUP);
  say_select("reset", client);
}

PROBE(select_closed) {
  const int fd = tcp4();
  close(fd);
  say_select("closed", fd);
}
