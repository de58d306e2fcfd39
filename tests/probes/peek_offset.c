/* SO_PEEK_OFF of datagrams: MSG_PEEK goes on where the last one ended, over the ends of datagrams. */
#include "probe.h"

static void say_peek(int fd, size_t size, int flags) {
  struct iovec piece = {room, size};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  errno = 0;
  const long result = recvmsg(fd, &message, flags | MSG_DONTWAIT);
  say_result((flags & MSG_PEEK) != 0 ? "peek" : "recv", result, errno);
  if (result > 0 && result <= (long)size) say("%.*s", (int)result, room);
  if (result >= 0) say("flags=%x", (unsigned)message.msg_flags);
}

static void say_offset(int fd) { say_int("offset", fd, SOL_SOCKET, SO_PEEK_OFF); }

PROBE(peek_offset_option) {
  const int raw = MUST(socket(AF_INET, SOCK_RAW, 253)),
            ping = MUST(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
  const int fds[] = {udp4(), tcp4(), ping, raw};
  for (int i = 0; i < 4; ++i) {
    say_offset(fds[i]);
    SAY("set", set_int(fds[i], SOL_SOCKET, SO_PEEK_OFF, 7));
    SAY("short", setsockopt(fds[i], SOL_SOCKET, SO_PEEK_OFF, "a", 1));
    say_offset(fds[i]);
    SAY("negative", set_int(fds[i], SOL_SOCKET, SO_PEEK_OFF, -5));
    say_offset(fds[i]);
  }
}

PROBE(peek_offset_of_datagrams) {
  int one, other;
  udp_pair(&one, &other);
  MUST(send(one, "abcdefgh", 8, 0));
  MUST(send(one, "ijk", 3, 0));
  await(other, POLLIN);
  settle();
  MUST(set_int(other, SOL_SOCKET, SO_PEEK_OFF, 0));
  say_peek(other, 2, MSG_PEEK);
  say_offset(other);
  say_peek(other, 3, MSG_PEEK);
  say_peek(other, 3, MSG_PEEK);
  say_offset(other);
  say_peek(other, 8, MSG_PEEK);
  say_offset(other);
  say_peek(other, 8, MSG_PEEK);
  say_peek(other, 3, 0);
  say_offset(other);
  say_peek(other, 8, MSG_PEEK);
  MUST(set_int(other, SOL_SOCKET, SO_PEEK_OFF, 1));
  say_peek(other, 1, MSG_PEEK | MSG_TRUNC);
  say_offset(other);
  MUST(set_int(other, SOL_SOCKET, SO_PEEK_OFF, -1));
  say_peek(other, 8, MSG_PEEK);
  say_peek(other, 8, 0);
  say_offset(other);
}

PROBE(peek_offset_and_empty_datagrams) {
  int one, other;
  udp_pair(&one, &other);
  MUST(send(one, "", 0, 0));
  MUST(send(one, "ab", 2, 0));
  MUST(send(one, "", 0, 0));
  MUST(send(one, "c", 1, 0));
  await(other, POLLIN);
  settle();
  MUST(set_int(other, SOL_SOCKET, SO_PEEK_OFF, 0));
  for (int i = 0; i < 5; ++i) say_peek(other, 8, MSG_PEEK);
  say_offset(other);
  for (int i = 0; i < 4; ++i) say_peek(other, 8, 0);
  say_offset(other);
}

PROBE(peek_offset_by_recv) {
  int one, other;
  udp_pair(&one, &other);
  MUST(send(one, "abc", 3, 0));
  MUST(send(one, "de", 2, 0));
  await(other, POLLIN);
  settle();
  MUST(set_int(other, SOL_SOCKET, SO_PEEK_OFF, 2));
  SAY("peek", recv(other, room, 8, MSG_PEEK));
  SAY("peek", recv(other, room, 8, MSG_PEEK));
  SAY("recv", recv(other, room, 8, 0));
  SAY("peek", recv(other, room, 8, MSG_PEEK | MSG_DONTWAIT));
  say_offset(other);
}
