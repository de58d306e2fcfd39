/* Octets of a stream: flags, limits, urgent data, timeouts, queues. */
#include <limits.h>
#include <time.h>

#include <linux/errqueue.h>

#include "probe.h"

PROBE(stream_peek) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "data", 4, 0));
  await(server, POLLIN);
  SAY("peek", recv(server, room, 2, MSG_PEEK));
  SAY("again", recv(server, room, 8, MSG_PEEK));
  SAY("recv", recv(server, room, 8, 0));
  SAY("empty", recv(server, room, 8, MSG_PEEK | MSG_DONTWAIT));
  shutdown(client, SHUT_WR);
  await(server, POLLRDHUP);
  SAY("end", recv(server, room, 8, MSG_PEEK));
}

PROBE(stream_peek_offset) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("set", set_int(server, SOL_SOCKET, SO_PEEK_OFF, 1));
  MUST(send(client, "abcdef", 6, 0));
  await(server, POLLIN);
  for (int i = 0; i < 3; ++i) {
    SAY("peek", recv(server, room, 2, MSG_PEEK | MSG_DONTWAIT));
    say("%c", room[0]);
  }
  SAY("peek", recv(server, room, 2, MSG_PEEK | MSG_DONTWAIT));
  SAY("recv", recv(server, room, 4, 0));
  SAY("peek", recv(server, room, 2, MSG_PEEK | MSG_DONTWAIT));
  SAY("off", set_int(server, SOL_SOCKET, SO_PEEK_OFF, -1));
  SAY("peek", recv(server, room, 2, MSG_PEEK | MSG_DONTWAIT));
  say("%c", room[0]);
}

PROBE(stream_peek_wait_all) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "data", 4, 0));
  shutdown(client, SHUT_WR);
  await(server, POLLRDHUP);
  SAY("peek", recv(server, room, 8, MSG_PEEK | MSG_WAITALL));
  SAY("recv", recv(server, room, 8, MSG_WAITALL));
}

PROBE(stream_truncate) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "0123456789", 10, 0));
  await(server, POLLIN);
  SAY("thrown", recv(server, NULL, 4, MSG_TRUNC));
  memset(room, 0, 8);
  SAY("recv", recv(server, room, 3, 0));
  say("got=%s", room);
  SAY("peek", recv(server, room, 8, MSG_TRUNC | MSG_PEEK));
  SAY("rest", recv(server, room, 8, MSG_TRUNC | MSG_DONTWAIT));
  SAY("none", recv(server, room, 8, MSG_TRUNC | MSG_DONTWAIT));
}

PROBE(stream_wait_all) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "data", 4, 0));
  await(server, POLLIN);
  SAY("without-wait", recv(server, room, 8, MSG_WAITALL | MSG_DONTWAIT));
  MUST(send(client, "data", 4, 0));
  await(server, POLLIN);
  const struct timeval soon = {.tv_usec = 50000};
  MUST(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
  SAY("timeout", recv(server, room, 8, MSG_WAITALL));
}

PROBE(stream_wait_all_until_reset) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "data", 4, 0));
  await(server, POLLIN);
  reset_and_close(client);
  await(server, POLLHUP);
  SAY("recv", recv(server, room, 8, MSG_WAITALL));
  SAY("then", recv(server, room, 8, MSG_WAITALL));
}

PROBE(stream_dont_wait) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("recv", recv(server, room, 8, MSG_DONTWAIT));
  SAY("blocking", (fcntl(server, F_GETFL) & O_NONBLOCK) != 0);
  set_non_blocking(server);
  SAY("read", read(server, room, 8));
  SAY("wait-all", recv(server, room, 8, MSG_WAITALL));
}

PROBE(stream_empty_calls) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("send", send(client, "a", 0, 0));
  MUST(send(client, "data", 4, 0));
  await(server, POLLIN);
  SAY("recv", recv(server, room, 0, MSG_DONTWAIT));
  SAY("read", read(server, room, 0));
  SAY("all", recv(server, room, 8, 0));
  SAY("none", recv(server, room, 0, MSG_DONTWAIT));
}

PROBE(stream_address_is_ignored) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const union address elsewhere = at4("10.77.0.1", 9);
  SAY("sendto", sendto(client, "data", 4, MSG_NOSIGNAL, &elsewhere.any, size_of(&elsewhere)));
  union address from = {0};
  socklen_t length = sizeof from;
  await(server, POLLIN);
  SAY("recvfrom", recvfrom(server, room, 8, 0, &from.any, &length));
  say("length=%u", length);
}

PROBE(stream_receive_timeout) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const struct timeval soon = {.tv_usec = 50000};
  MUST(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
  SAY("recv", recv(server, room, 8, 0));
}

PROBE(stream_send_timeout) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  fill(client);
  const struct timeval soon = {.tv_usec = 50000};
  MUST(setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon));
  SAY("send", send(client, room, 65536, MSG_NOSIGNAL));
}

PROBE(stream_full_buffer) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  fill(client);
  SAY("dont-wait", send(client, "a", 1, MSG_DONTWAIT));
  set_non_blocking(client);
  SAY("write", write(client, "a", 1));
  shutdown(client, SHUT_WR);
  say("everything-arrives=%d", drain(server) > 65536);
  await(server, POLLRDHUP);
  SAY("end", recv(server, room, 1, MSG_DONTWAIT));
}

PROBE(stream_urgent) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("none", recv(server, room, 1, MSG_OOB));
  MUST(send(client, "abc", 3, MSG_OOB));
  await(server, POLLPRI);
  int at_mark = 0;
  SAY("ioctl", ioctl(server, SIOCATMARK, &at_mark));
  say("at-mark=%d", at_mark);
  SAY("peek", recv(server, room, 4, MSG_OOB | MSG_PEEK));
  SAY("oob", recv(server, room, 4, MSG_OOB));
  say("octet=%c", room[0]);
  SAY("again", recv(server, room, 4, MSG_OOB));
  SAY("recv", recv(server, room, 8, MSG_DONTWAIT));
  MUST(ioctl(server, SIOCATMARK, &at_mark));
  say("at-mark=%d", at_mark);
}

PROBE(stream_urgent_stops_reading) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "ab", 2, 0));
  MUST(send(client, "u", 1, MSG_OOB));
  MUST(send(client, "cd", 2, 0));
  await(server, POLLPRI);
  settle();
  SAY("before", recv(server, room, 8, MSG_DONTWAIT));
  int at_mark = 0;
  MUST(ioctl(server, SIOCATMARK, &at_mark));
  say("at-mark=%d", at_mark);
  SAY("after", recv(server, room, 8, MSG_DONTWAIT));
  say("octet=%c", room[0]);
}

PROBE(stream_urgent_inline) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(set_int(server, SOL_SOCKET, SO_OOBINLINE, 1));
  MUST(send(client, "ab", 2, 0));
  MUST(send(client, "u", 1, MSG_OOB));
  await(server, POLLPRI);
  settle();
  SAY("before", recv(server, room, 8, MSG_DONTWAIT));
  SAY("urgent", recv(server, room, 8, MSG_DONTWAIT));
  say("octet=%c", room[0]);
  SAY("oob", recv(server, room, 8, MSG_OOB));
}

PROBE(stream_two_urgents) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "a", 1, MSG_OOB));
  settle();
  MUST(send(client, "b", 1, MSG_OOB));
  settle();
  await(server, POLLPRI);
  SAY("oob", recv(server, room, 1, MSG_OOB));
  say("octet=%c", room[0]);
  SAY("recv", recv(server, room, 8, MSG_DONTWAIT));
  say("octet=%c", room[0]);
}

PROBE(stream_urgent_peek_on_closed) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  shutdown(client, SHUT_WR);
  await(server, POLLRDHUP);
  SAY("oob", recv(server, room, 1, MSG_OOB));
  SAY("fresh", recv(tcp4(), room, 1, MSG_OOB));
}

PROBE(stream_more) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "ab", 2, MSG_MORE));
  MUST(send(client, "cd", 2, 0));
  await(server, POLLIN);
  settle();
  SAY("recv", recv(server, room, 8, MSG_DONTWAIT));
}

PROBE(stream_cork) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(set_int(client, IPPROTO_TCP, TCP_CORK, 1));
  MUST(send(client, "ab", 2, 0));
  MUST(send(client, "cd", 2, 0));
  settle();
  SAY("corked", recv(server, room, 8, MSG_DONTWAIT));
  MUST(set_int(client, IPPROTO_TCP, TCP_CORK, 0));
  await(server, POLLIN);
  SAY("released", recv(server, room, 8, MSG_DONTWAIT));
}

PROBE(stream_cork_then_shutdown) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(set_int(client, IPPROTO_TCP, TCP_CORK, 1));
  MUST(send(client, "ab", 2, 0));
  shutdown(client, SHUT_WR);
  await(server, POLLRDHUP);
  SAY("recv", recv(server, room, 8, MSG_DONTWAIT));
  SAY("end", recv(server, room, 8, MSG_DONTWAIT));
}

PROBE(stream_vectors) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  char one[3] = "", other[4] = "";
  const struct iovec out[] = {{"ab", 2}, {NULL, 0}, {"cde", 3}};
  const struct iovec in[] = {{one, 2}, {other, 3}};
  SAY("writev", writev(client, out, 3));
  await(server, POLLIN);
  settle();
  SAY("readv", readv(server, in, 2));
  say("got=%s,%s", one, other);
}

PROBE(stream_vector_limits) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  static struct iovec pieces[IOV_MAX + 1];
  for (int i = 0; i <= IOV_MAX; ++i) pieces[i] = (struct iovec){"a", 1};
  SAY("most", writev(client, pieces, IOV_MAX));
  SAY("none", writev(client, pieces, 0));
  struct msghdr message = {.msg_iov = pieces, .msg_iovlen = IOV_MAX + 1};
  SAY("sendmsg", sendmsg(client, &message, MSG_NOSIGNAL));
  SAY("recvmsg", recvmsg(server, &message, MSG_DONTWAIT));
  pieces[0].iov_len = (size_t)-1;
  SAY("negative", writev(client, pieces, 1));
}

PROBE_OF_PROCESS(stream_vector_too_many) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  static struct iovec pieces[IOV_MAX + 1];
  SAY("writev", writev(client, pieces, IOV_MAX + 1));
  SAY("readv", readv(client, pieces, IOV_MAX + 1));
}

PROBE(stream_queues) {
  int client, server, value = -1;
  tcp_pair(AF_INET, &client, &server);
  SAY("fionread", ioctl(server, FIONREAD, &value));
  say("octets=%d", value);
  MUST(send(client, "data", 4, 0));
  await(server, POLLIN);
  settle();
  MUST(ioctl(server, FIONREAD, &value));
  say("octets=%d", value);
  SAY("siocoutq", ioctl(client, SIOCOUTQ, &value));
  say("octets=%d", value);
  SAY("siocoutqnsd", ioctl(client, SIOCOUTQNSD, &value));
  say("octets=%d", value);
  shutdown(client, SHUT_WR);
  await(server, POLLRDHUP);
  MUST(recv(server, room, 8, 0));
  MUST(ioctl(server, FIONREAD, &value));
  say("end=%d", value);
}

PROBE(stream_queues_of_others) {
  uint16_t port = 0;
  int value = -1;
  const int listening = listener(AF_INET, &port);
  SAY("listening", ioctl(listening, FIONREAD, &value));
  SAY("listening-out", ioctl(listening, SIOCOUTQ, &value));
  const int fresh = tcp4();
  SAY("fresh", ioctl(fresh, FIONREAD, &value));
  say("octets=%d", value);
  SAY("fresh-out", ioctl(fresh, SIOCOUTQ, &value));
  say("octets=%d", value);
}

PROBE(stream_unsent_queue) {
  int client, server, value = 0, unsent = 0;
  tcp_pair(AF_INET, &client, &server);
  fill(client);
  MUST(ioctl(client, SIOCOUTQ, &value));
  MUST(ioctl(client, SIOCOUTQNSD, &unsent));
  say("unacknowledged=%d unsent=%d", value > 0, unsent > 0 && unsent <= value);
}

PROBE(stream_non_blocking_ioctl) {
  int client, server, on = 1;
  tcp_pair(AF_INET, &client, &server);
  SAY("on", ioctl(client, FIONBIO, &on));
  SAY("recv", recv(client, room, 1, 0));
  say("flag=%d", (fcntl(client, F_GETFL) & O_NONBLOCK) != 0);
  on = 0;
  SAY("off", ioctl(client, FIONBIO, &on));
  say("flag=%d", (fcntl(client, F_GETFL) & O_NONBLOCK) != 0);
}

PROBE(stream_message_flags) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "data", 4, 0));
  await(server, POLLIN);
  char control[64];
  union address from = {0};
  struct iovec piece = {room, 2};
  struct msghdr message = {.msg_name = &from,
                           .msg_namelen = sizeof from,
                           .msg_iov = &piece,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof control,
                           .msg_flags = -1};
  SAY("recvmsg", recvmsg(server, &message, 0));
  say("name=%u control=%zu flags=%x", message.msg_namelen, message.msg_controllen,
      (unsigned)message.msg_flags);
}

PROBE(stream_error_queue) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  struct iovec piece = {room, 2};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  SAY("recvmsg", recvmsg(server, &message, MSG_ERRQUEUE));
  SAY("recv", recv(server, room, 1, MSG_ERRQUEUE));
}

PROBE(stream_low_water) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(set_int(server, SOL_SOCKET, SO_RCVLOWAT, 8));
  MUST(send(client, "data", 4, 0));
  settle();
  const struct timeval soon = {.tv_usec = 50000};
  MUST(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
  SAY("below", recv(server, room, 8, 0));
  MUST(send(client, "dat", 3, 0));
  shutdown(client, SHUT_WR);
  await(server, POLLRDHUP);
  SAY("end", recv(server, room, 8, 0));
}

PROBE(stream_large_transfer) {
  enum { kSize = 4 << 20 };
  static unsigned char whole[kSize], got[kSize];
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  set_non_blocking(client);
  for (size_t i = 0; i < kSize; ++i) whole[i] = (unsigned char)(i * i >> 7);
  size_t sent = 0, received = 0;
  while (received < kSize) {
    const ssize_t out = sent < kSize ? send(client, whole + sent, kSize - sent, MSG_NOSIGNAL) : -1;
    if (out > 0) sent += (size_t)out;
    const ssize_t in = recv(server, got + received, kSize - received, sent < kSize ? MSG_DONTWAIT : 0);
    if (in == 0 || (in < 0 && errno != EAGAIN)) break;
    if (in > 0) received += (size_t)in;
  }
  say("sent=%zu received=%zu same=%d", sent, received, memcmp(whole, got, kSize) == 0);
}

PROBE(stream_over_six) {
  int client, server;
  tcp_pair(AF_INET6, &client, &server);
  SAY("send", send(client, "data", 4, MSG_NOSIGNAL));
  await(server, POLLIN);
  SAY("recv", recv(server, room, 8, 0));
  say_name("name", server, 0);
  say_name("peer", server, 1);
}

/* How many calls with MSG_ZEROCOPY are reported as done, in one report or more. */
PROBE(stream_zero_copy) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("without", send(client, "a", 1, MSG_ZEROCOPY));
  SAY("two", set_int(client, SOL_SOCKET, SO_ZEROCOPY, 2));
  SAY("set", set_int(client, SOL_SOCKET, SO_ZEROCOPY, 1));
  for (int i = 0; i < 2; ++i) SAY("send", send(client, "abc", 3, MSG_ZEROCOPY));
  SAY("plain", send(client, "a", 1, 0));
  for (long got = 0; got < 8;) got += MUST(recv(server, room, sizeof room, 0));
  settle();
  uint32_t next = 0;
  struct sock_extended_err error = {0};
  char control[512];
  struct msghdr message = {.msg_control = control, .msg_controllen = sizeof control};
  while (recvmsg(client, &message, MSG_ERRQUEUE) == 0) {
    memcpy(&error, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof error);
    if (error.ee_info == next) next = error.ee_data + 1;
    message.msg_controllen = sizeof control;
  }
  say("errno=%u origin=%d code=%d calls=%u", error.ee_errno, error.ee_origin, error.ee_code, next);
  say_error(client);
}
