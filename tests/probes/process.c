/* What only a kernel's descriptors have: dup, fork, exec, passing, sendfile, splice, limits. */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "probe.h"

PROBE_OF_PROCESS(dup_shares) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const int copy = MUST(dup(client));
  SAY("close", close(client));
  SAY("send", send(copy, "data", 4, 0));
  await(server, POLLIN);
  SAY("recv", recv(server, room, 8, 0));
  say_name("peer", copy, 1);
  MUST(set_int(copy, IPPROTO_TCP, TCP_NODELAY, 1));
  close(copy);
  await(server, POLLRDHUP);
  SAY("end", recv(server, room, 8, MSG_DONTWAIT));
}

PROBE_OF_PROCESS(dup_shares_flags) {
  const int fd = tcp4(), copy = MUST(dup(fd));
  set_non_blocking(fd);
  say("non-blocking=%d", (fcntl(copy, F_GETFL) & O_NONBLOCK) != 0);
  const int closing = MUST(fcntl(fd, F_DUPFD_CLOEXEC, 50));
  say("at=%d cloexec=%d", closing >= 50, fcntl(closing, F_GETFD));
}

PROBE_OF_PROCESS(dup_onto) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("dup2", dup2(client, 99));
  close(client);
  SAY("send", send(99, "data", 4, 0));
  await(server, POLLIN);
  SAY("recv", recv(server, room, 8, 0));
  say_name("name", 99, 0);
  SAY("dup3", dup3(99, 98, O_CLOEXEC));
  say("cloexec=%d", fcntl(98, F_GETFD));
  SAY("same", dup3(99, 99, 0));
}

PROBE_OF_PROCESS(dup_onto_closes) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const int other = tcp4();
  MUST(dup2(other, client));
  await(server, POLLRDHUP);
  SAY("end", recv(server, room, 8, MSG_DONTWAIT));
}

PROBE_OF_PROCESS(dup_before_connect) {
  uint16_t port = 0;
  listener(AF_INET, &port);
  const int fd = tcp4(), copy = MUST(dup(fd));
  MUST(connect_to(fd, loopback(AF_INET, port)));
  say_name("peer", copy, 1);
  SAY("send", send(copy, "a", 1, MSG_NOSIGNAL));
}

PROBE_OF_PROCESS(dup_after_refused) {
  uint16_t port = 0;
  const int fd = tcp4(), copy = MUST(dup(fd));
  set_non_blocking(fd);
  connect_to(fd, loopback(AF_INET, unused_port(SOCK_STREAM)));
  await(fd, POLLHUP);
  listener(AF_INET, &port);
  SAY("error", connect_to(fd, loopback(AF_INET, port)));
  SAY("again", connect_to(fd, loopback(AF_INET, port)));
  await(fd, POLLOUT);
  say_name("peer", fd, 1);
  say_name("copy", copy, 1);
}

/* A datagram socket under a number that the program has chosen. */
PROBE_OF_PROCESS(dup_onto_of_refused_udp) {
  const int fd = udp4();
  MUST(connect_to(fd, loopback(AF_INET, unused_port(SOCK_DGRAM))));
  MUST(dup2(fd, 99));
  close(fd);
  MUST(send(99, "a", 1, 0));
  settle();
  SAY("recv", recv(99, room, 8, MSG_DONTWAIT));
  SAY("again", recv(99, room, 8, MSG_DONTWAIT));
  MUST(send(99, "a", 1, 0));
  settle();
  union address from = {0};
  socklen_t length = sizeof from;
  SAY("recvfrom", recvfrom(99, room, 8, MSG_DONTWAIT, &from.any, &length));
  MUST(send(99, "a", 1, 0));
  settle();
  say_error(99);
}

static pid_t run_child(int (*function)(int fd), int fd) {
  const pid_t child = fork();
  if (child == 0) _exit(function(fd));
  return child;
}
static int status_of(pid_t child) {
  int status = 0;
  MUST(waitpid(child, &status, 0));
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
static int child_sends(int fd) { return (int)send(fd, "child", 5, MSG_NOSIGNAL); }
static int child_closes(int fd) { return close(fd) == 0 ? 0 : errno; }
static int child_shuts(int fd) { return shutdown(fd, SHUT_WR) == 0 ? 0 : errno; }
static int child_accepts(int fd) {
  const int accepted = accept(fd, NULL, NULL);
  return accepted < 0 ? 1 : (int)send(accepted, "child", 5, MSG_NOSIGNAL);
}

PROBE_OF_PROCESS(fork_shares) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  say("child=%d", status_of(run_child(child_sends, client)));
  await(server, POLLIN);
  SAY("recv", recv(server, room, 8, 0));
  say("closes=%d", status_of(run_child(child_closes, client)));
  SAY("send", send(client, "a", 1, MSG_NOSIGNAL));
  await(server, POLLIN);
  SAY("recv", recv(server, room, 8, MSG_DONTWAIT));
}

PROBE_OF_PROCESS(fork_shutdown_is_shared) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  say("child=%d", status_of(run_child(child_shuts, client)));
  SAY("send", send(client, "a", 1, MSG_NOSIGNAL));
  await(server, POLLRDHUP);
  SAY("end", recv(server, room, 8, MSG_DONTWAIT));
}

PROBE_OF_PROCESS(fork_accepts) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port), client = tcp4();
  const pid_t child = run_child(child_accepts, listening);
  MUST(connect_to(client, loopback(AF_INET, port)));
  say("child=%d", status_of(child));
  await(client, POLLRDHUP);
  SAY("recv", recv(client, room, 8, MSG_DONTWAIT));
  SAY("end", recv(client, room, 8, MSG_DONTWAIT));
}

PROBE_OF_PROCESS(fork_death_closes) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  close(client);
  settle();
  SAY("open", recv(server, room, 8, MSG_DONTWAIT));
  kill(child, SIGKILL);
  say("child=%d", status_of(child));
  await(server, POLLRDHUP);
  SAY("end", recv(server, room, 8, MSG_DONTWAIT));
}

/* Runs sh with the descriptor as its output, or with it open. */
static int run_shell(const char* script) {
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", script, (char*)NULL);
    _exit(127);
  }
  return status_of(child);
}

PROBE_OF_PROCESS(exec_inherits) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(dup2(client, 9));
  say("status=%d", run_shell("echo shell >&9"));
  await(server, POLLIN);
  SAY("recv", recv(server, room, 8, 0));
}

PROBE_OF_PROCESS(exec_closes) {
  const int fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  say("cloexec=%d", fcntl(fd, F_GETFD));
  MUST(dup3(fd, 9, O_CLOEXEC));
  say("closed=%d", run_shell("test -e /proc/self/fd/9"));
  MUST(fcntl(9, F_SETFD, 0));
  say("open=%d", run_shell("test -e /proc/self/fd/9"));
}

PROBE_OF_PROCESS(accept_cloexec) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port);
  MUST(connect_to(tcp4(), loopback(AF_INET, port)));
  MUST(connect_to(tcp4(), loopback(AF_INET, port)));
  say("flag=%d", fcntl(MUST(accept4(listening, NULL, NULL, SOCK_CLOEXEC)), F_GETFD));
  say("plain=%d", fcntl(MUST(accept(listening, NULL, NULL)), F_GETFD));
}

static long pass(int over, int fd) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {0};
  struct iovec piece = {"x", 1};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr* const header = CMSG_FIRSTHDR(&message);
  *header =
      (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return sendmsg(over, &message, 0);
}

static int take_passed(int over) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
  char octet;
  struct iovec piece = {&octet, 1};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  MUST(recvmsg(over, &message, 0));
  int fd = -1;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  return fd;
}

PROBE_OF_PROCESS(pass_connection) {
  int client, server, ends[2];
  tcp_pair(AF_INET, &client, &server);
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  SAY("pass", pass(ends[0], client));
  close(client);
  const int passed = take_passed(ends[1]);
  say_name("peer", passed, 1);
  SAY("send", send(passed, "data", 4, MSG_NOSIGNAL));
  await(server, POLLIN);
  SAY("recv", recv(server, room, 8, 0));
  say_int("type", passed, SOL_SOCKET, SO_TYPE);
  SAY("reset", set_int(passed, SOL_SOCKET, SO_KEEPALIVE, 1));
}

PROBE_OF_PROCESS(pass_listener_to_child) {
  uint16_t port = 0;
  int ends[2];
  const int listening = listener(AF_INET, &port);
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  const pid_t child = fork();
  if (child == 0) {
    close(listening);
    const int passed = take_passed(ends[1]);
    const int accepted = accept(passed, NULL, NULL);
    _exit(accepted < 0 ? 1 : (int)send(accepted, "passed", 6, 0));
  }
  MUST(pass(ends[0], listening));
  const int client = tcp4();
  MUST(connect_to(client, loopback(AF_INET, port)));
  await(client, POLLIN);
  SAY("recv", recv(client, room, 8, MSG_DONTWAIT));
  say("child=%d", status_of(child));
}

PROBE_OF_PROCESS(pass_over_stream) { /* only AF_UNIX can */
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("sendmsg", pass(client, server));
}

static int file_of(size_t size) {
  const int fd = MUST(memfd_create("probe", 0));
  MUST(ftruncate(fd, (off_t)size));
  return fd;
}

PROBE_OF_PROCESS(sendfile_to_stream) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  off_t offset = 100;
  SAY("sendfile", sendfile(client, file_of(1000), &offset, 5000));
  say("offset=%ld", (long)offset);
  say("received=%ld", drain(server));
  SAY("end", sendfile(client, file_of(0), NULL, 10));
  SAY("from-socket", sendfile(client, server, NULL, 10));
  shutdown(client, SHUT_WR);
  signal(SIGPIPE, SIG_IGN);
  SAY("shut", sendfile(client, file_of(10), NULL, 10));
}

PROBE_OF_PROCESS(sendfile_when_full) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  fill(client);
  set_non_blocking(client);
  SAY("sendfile", sendfile(client, file_of(1000), NULL, 1000));
}

PROBE_OF_PROCESS(splice_both_ways) {
  int client, server, ends[2];
  tcp_pair(AF_INET, &client, &server);
  MUST(pipe(ends));
  MUST(write(ends[1], "data", 4));
  SAY("to-socket", splice(ends[0], NULL, client, NULL, 4, 0));
  await(server, POLLIN);
  SAY("from-socket", splice(server, NULL, ends[1], NULL, 8, 0));
  SAY("read", read(ends[0], room, 8));
  set_non_blocking(server);
  SAY("none", splice(server, NULL, ends[1], NULL, 8, 0));
  close(client);
  await(server, POLLRDHUP);
  SAY("end", splice(server, NULL, ends[1], NULL, 8, 0));
}

PROBE_OF_PROCESS(limit_of_descriptors) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port), client = tcp4();
  MUST(connect_to(client, loopback(AF_INET, port)));
  await(listening, POLLIN);
  struct rlimit before, none;
  MUST(getrlimit(RLIMIT_NOFILE, &before));
  none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
  MUST(setrlimit(RLIMIT_NOFILE, &none));
  SAY("socket", socket(AF_INET, SOCK_STREAM, 0));
  SAY("accept", accept(listening, NULL, NULL));
  MUST(setrlimit(RLIMIT_NOFILE, &before));
  const int fd = accept(listening, NULL, NULL);
  say("later=%s", fd >= 0 ? "accepted" : error_name(errno));
}

PROBE_OF_PROCESS(standard_io) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  FILE* const out = fdopen(client, "w");
  FILE* const in = fdopen(server, "r");
  fprintf(out, "line one\nline two\n");
  fclose(out);
  char line[32] = "";
  say("first=%d", fgets(line, sizeof line, in) != NULL && strcmp(line, "line one\n") == 0);
  say("second=%d", fgets(line, sizeof line, in) != NULL && strcmp(line, "line two\n") == 0);
  say("end=%d", fgets(line, sizeof line, in) == NULL);
}

PROBE_OF_PROCESS(preadv_on_socket) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "data", 4, 0));
  await(server, POLLIN);
  struct iovec piece = {room, 8};
  SAY("offset", preadv(server, &piece, 1, 0));
  SAY("current", preadv2(server, &piece, 1, -1, 0));
}

PROBE_OF_PROCESS(process_sockets_of_exited_child) {
  uint16_t port = 0;
  const pid_t child = fork();
  if (child == 0) {
    listener(AF_INET, &port);
    _exit(0);
  }
  say("child=%d", status_of(child));
  const int fd = tcp4();
  MUST(set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1));
  SAY("bind", bind_to(fd, loopback(AF_INET, 0)));
}

PROBE_OF_PROCESS(abort_on_death_with_unread) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port), client = tcp4();
  const pid_t child = fork();
  if (child == 0) {
    const int accepted = accept(listening, NULL, NULL);
    await(accepted, POLLIN);
    _exit(0);
  }
  MUST(connect_to(client, loopback(AF_INET, port)));
  MUST(send(client, "unread", 6, 0));
  say("child=%d", status_of(child));
  await(client, POLLHUP);
  SAY("recv", recv(client, room, 8, MSG_DONTWAIT));
}
