/* SO_ATTACH_FILTER of streams: what a filter refuses is as if it were lost. */
#include <linux/filter.h>

#include "probe.h"

static long attach(int fd, const struct sock_filter* code, unsigned short length) {
  const struct sock_fprog program = {.len = length, .filter = (struct sock_filter*)code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static long attach_answer(int fd, uint32_t octets) {
  const struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, octets)};
  return attach(fd, code, 1);
}

static long detach(int fd) { return set_int(fd, SOL_SOCKET, SO_DETACH_FILTER, 0); }

PROBE(filter_options) {
  const int fd = tcp4();
  SAY("detach", detach(fd));
  SAY("attach", attach_answer(fd, 100));
  SAY("again", attach_answer(fd, 200));
  SAY("lock", set_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 1));
  SAY("attach", attach_answer(fd, 100));
  SAY("detach", detach(fd));
  SAY("unlock", set_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 0));
  say_int("locked", fd, SOL_SOCKET, SO_LOCK_FILTER);
  const struct sock_filter endless[] = {BPF_STMT(BPF_LD | BPF_IMM, 1)};
  SAY("no-answer", attach(tcp4(), endless, 1));
  SAY("empty", attach(tcp4(), endless, 0));
}

PROBE(filter_of_connection) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("attach", attach_answer(server, 0));
  SAY("send", send(client, "abc", 3, 0));
  settle();
  SAY("recv", recv(server, room, 8, MSG_DONTWAIT));
  SAY("detach", detach(server));
  await(server, POLLIN); /* it is sent again */
  SAY("recv", recv(server, room, 8, MSG_DONTWAIT));
}

PROBE(filter_of_listener) {
  uint16_t port = 0;
  const int fd = listener(AF_INET, &port), client = tcp4();
  SAY("attach", attach_answer(fd, 0));
  set_non_blocking(client);
  set_non_blocking(fd);
  SAY("connect", connect_to(client, loopback(AF_INET, port)));
  settle();
  SAY("accept", accept(fd, NULL, NULL));
  struct pollfd entry = {.fd = client, .events = POLLOUT};
  SAY("connected", poll(&entry, 1, 0));
  SAY("detach", detach(fd));
  say_events("connected", (unsigned short)await(client, POLLOUT));
}

PROBE(filter_is_inherited) {
  uint16_t port = 0;
  const int fd = listener(AF_INET, &port), client = tcp4();
  MUST(attach_answer(fd, 65535));
  MUST(set_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 1));
  MUST(connect_to(client, loopback(AF_INET, port)));
  const int server = MUST(accept(fd, NULL, NULL));
  say_int("locked", server, SOL_SOCKET, SO_LOCK_FILTER);
  SAY("detach", detach(server));
  SAY("send", send(client, "abc", 3, 0));
  await(server, POLLIN);
  SAY("recv", recv(server, room, 8, MSG_DONTWAIT));
}

/* The program is given the segment from its header on, and what it cuts off has not come. */
PROBE(filter_sees_segments) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const struct sock_filter of_port[] = {BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 2),
                                        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port_of(server), 0, 1),
                                        BPF_STMT(BPF_RET | BPF_K, 65535), BPF_STMT(BPF_RET | BPF_K, 0)};
  SAY("attach", attach(server, of_port, 4));
  SAY("send", send(client, "abc", 3, 0));
  await(server, POLLIN);
  SAY("recv", recv(server, room, 8, MSG_DONTWAIT));
  const struct sock_filter two_octets[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 12), /* data offset, in words */
      BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4), BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 4),
      BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 2), BPF_STMT(BPF_RET | BPF_A, 0)};
  SAY("attach", attach(server, two_octets, 5));
  SAY("send", send(client, "defg", 4, 0));
  await(server, POLLIN);
  SAY("recv", recv(server, room, 8, MSG_DONTWAIT));
  await(server, POLLIN);
  SAY("recv", recv(server, room, 8, MSG_DONTWAIT));
  SAY("header-alone", attach_answer(server, 1));
  SAY("send", send(client, "hi", 2, 0));
  settle();
  SAY("recv", recv(server, room, 8, MSG_DONTWAIT));
}
