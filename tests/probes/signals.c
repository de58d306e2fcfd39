/* Signals: SIGPIPE, EINTR, SA_RESTART. */
#include "probe.h"

static volatile sig_atomic_t pipes = 0, alarms = 0;
static void on_pipe(int signal) {
  (void)signal;
  ++pipes;
}
static void on_alarm(int signal) {
  (void)signal;
  ++alarms;
}

static void handle(int signal, void (*handler)(int), int flags) {
  const struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  MUST(sigaction(signal, &action, NULL));
}

static void alarm_soon(void) {
  const struct itimerval soon = {.it_value.tv_usec = 50000};
  MUST(setitimer(ITIMER_REAL, &soon, NULL));
}

/* An alarm, and some time after it whatever `then` does. */
struct later {
  long (*function)(int fd);
  int fd;
};
static void* do_later(void* argument) {
  const struct later* const later = argument;
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  usleep(150000);
  later->function(later->fd);
  return NULL;
}
static void start_later(struct later* later) {
  pthread_t thread;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* the alarm is for the thread that waits */
  if (pthread_create(&thread, NULL, do_later, later) != 0) give_up("pthread_create");
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}
static long send_one(int fd) { return send(fd, "a", 1, MSG_NOSIGNAL); }

PROBE(signal_pipe) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  handle(SIGPIPE, on_pipe, 0);
  shutdown(client, SHUT_WR);
  SAY("send", send(client, "a", 1, 0));
  say("signals=%d", (int)pipes);
  SAY("nosignal", send(client, "a", 1, MSG_NOSIGNAL));
  say("signals=%d", (int)pipes);
  SAY("write", write(client, "a", 1));
  say("signals=%d", (int)pipes);
}

PROBE(signal_pipe_after_reset) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  handle(SIGPIPE, on_pipe, 0);
  reset_and_close(server);
  await(client, POLLHUP);
  SAY("first", send(client, "a", 1, 0));
  say("signals=%d", (int)pipes);
  SAY("second", send(client, "a", 1, 0));
  say("signals=%d", (int)pipes);
}

PROBE(signal_pipe_of_fresh) {
  handle(SIGPIPE, on_pipe, 0);
  SAY("send", send(tcp4(), "a", 1, MSG_DONTWAIT));
  say("signals=%d", (int)pipes);
}

PROBE(signal_interrupts_receive) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  handle(SIGALRM, on_alarm, 0);
  struct later later = {send_one, client};
  start_later(&later);
  alarm_soon();
  SAY("recv", recv(server, room, 8, 0));
  say("alarms=%d", (int)alarms);
}

PROBE(signal_restarts_receive) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  handle(SIGALRM, on_alarm, SA_RESTART);
  struct later later = {send_one, client};
  start_later(&later);
  alarm_soon();
  SAY("recv", recv(server, room, 8, 0));
  say("alarms=%d", (int)alarms);
}

PROBE(signal_interrupts_receive_with_timeout) { /* signal(7): with SO_RCVTIMEO even in spite of SA_RESTART */
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const struct timeval second = {.tv_sec = 1};
  MUST(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second));
  handle(SIGALRM, on_alarm, SA_RESTART);
  alarm_soon();
  SAY("recv", recv(server, room, 8, 0));
}

PROBE(signal_interrupts_wait_all) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  MUST(send(client, "data", 4, 0));
  await(server, POLLIN);
  handle(SIGALRM, on_alarm, 0);
  struct later later = {send_one, client};
  start_later(&later);
  alarm_soon();
  SAY("recv", recv(server, room, 5, MSG_WAITALL));
}

static uint16_t later_port;
static long connect_later(int fd) { return connect_to(fd, loopback(AF_INET, later_port)); }

PROBE(signal_interrupts_accept) {
  const int listening = listener(AF_INET, &later_port);
  handle(SIGALRM, on_alarm, 0);
  struct later later = {connect_later, tcp4()};
  start_later(&later);
  alarm_soon();
  const int fd = accept(listening, NULL, NULL);
  say("accept=%s", fd >= 0 ? "accepted" : error_name(errno));
  const int next = fd >= 0 ? fd : accept(listening, NULL, NULL);
  say("next=%s", next >= 0 ? "accepted" : error_name(errno));
}

PROBE(signal_restarts_accept) {
  const int listening = listener(AF_INET, &later_port);
  handle(SIGALRM, on_alarm, SA_RESTART);
  struct later later = {connect_later, tcp4()};
  start_later(&later);
  alarm_soon();
  const int fd = accept(listening, NULL, NULL);
  say("accept=%s", fd >= 0 ? "accepted" : error_name(errno));
}

PROBE(signal_interrupts_connect) {
  const int listening = tcp4();
  MUST(bind_to(listening, loopback(AF_INET, 0)));
  MUST(listen(listening, 0));
  for (int i = 0; i < 3; ++i) {
    const int filler = tcp4();
    set_non_blocking(filler);
    connect_to(filler, loopback(AF_INET, port_of(listening)));
    settle();
  }
  handle(SIGALRM, on_alarm, 0);
  const int fd = tcp4();
  const struct timeval second = {.tv_usec = 400000};
  MUST(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second));
  alarm_soon();
  SAY("connect", connect_to(fd, loopback(AF_INET, port_of(listening))));
  set_non_blocking(fd);
  SAY("again", connect_to(fd, loopback(AF_INET, port_of(listening))));
}

PROBE(signal_interrupts_poll) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  handle(SIGALRM, on_alarm, SA_RESTART);
  struct pollfd entry = {.fd = server, .events = POLLIN};
  alarm_soon();
  SAY("poll", poll(&entry, 1, 300));
}

PROBE(signal_interrupts_epoll) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  handle(SIGALRM, on_alarm, SA_RESTART);
  const int epfd = MUST(epoll_create1(0));
  struct epoll_event event = {.events = EPOLLIN};
  MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, server, &event));
  alarm_soon();
  SAY("epoll_wait", epoll_wait(epfd, &event, 1, 300));
}

PROBE(signal_interrupts_full_send) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  fill(client);
  handle(SIGALRM, on_alarm, 0);
  const struct timeval second = {.tv_usec = 400000};
  MUST(setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second));
  alarm_soon();
  SAY("send", send(client, "a", 1, MSG_NOSIGNAL));
  say("alarms=%d", (int)alarms);
}

PROBE(signal_interrupts_udp_receive) {
  int one, other;
  udp_pair(&one, &other);
  handle(SIGALRM, on_alarm, 0);
  struct later later = {send_one, other};
  start_later(&later);
  alarm_soon();
  union address from = {0};
  socklen_t length = sizeof from;
  SAY("recvfrom", recvfrom(one, room, 8, 0, &from.any, &length));
}

PROBE_OF_PROCESS(signal_io) { /* O_ASYNC */
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  handle(SIGIO, on_alarm, 0);
  SAY("owner", fcntl(server, F_SETOWN, getpid()));
  SAY("async", fcntl(server, F_SETFL, O_ASYNC));
  MUST(send(client, "a", 1, 0));
  await(server, POLLIN);
  settle();
  say("signalled=%d", alarms > 0);
}

PROBE_OF_PROCESS(signal_urgent) { /* SIGURG */
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  handle(SIGURG, on_alarm, 0);
  MUST(fcntl(server, F_SETOWN, getpid()));
  MUST(send(client, "u", 1, MSG_OOB));
  settle();
  await(server, POLLPRI);
  say("signalled=%d", alarms > 0);
}

PROBE_OF_PROCESS(signal_pipe_kills) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  signal(SIGPIPE, SIG_DFL);
  shutdown(client, SHUT_WR);
  send(client, "a", 1, 0);
  say("survived");
}
