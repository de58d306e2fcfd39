/* Small behaviours of sockets, each a function that prints one line of what happened. The same source is
 * compiled twice: for the system's calls, which are the kernel's or, under `transom run`, the stack's; and
 * with PROBE_NATIVE for the calls of socket_api/transom.h.
 *
 *   PROBE(recv_fresh) { SAY("recv", recv(tcp4(), room, 1, 0)); }        prints        recv_fresh:
 * recv=ENOTCONN
 *
 * A probe waits for events, not for time, and prints nothing that differs from run to run: no ports, no
 * times. */
#ifndef TRANSOM_TESTS_PROBES_PROBE_H
#define TRANSOM_TESTS_PROBES_PROBE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef PROBE_NATIVE
#include "native.h"
#endif

/* ------------------------------------------------------------------ probes */

/* Before the probe starts: makes the stack, where it is ours to make. */
void prepare_probes(void);
void add_probe(const char* name, void (*function)(void));

#define PROBE(name)                                                                             \
  static void probe_##name(void);                                                               \
  __attribute__((constructor)) static void add_##name(void) { add_probe(#name, probe_##name); } \
  static void probe_##name(void)

/* Of what only descriptors of a kernel have: dup, fork, exec, passing, sendfile. */
#ifdef PROBE_NATIVE
#define PROBE_OF_PROCESS(name) __attribute__((unused)) static void probe_##name(void)
#else
#define PROBE_OF_PROCESS(name) PROBE(name)
#endif

/* ------------------------------------------------------------------ what they print */

__attribute__((format(printf, 1, 2))) void say(const char* format, ...); /* a word */
void say_result(const char* what, long result, int error);
void say_events(const char* what, unsigned events); /* poll(2) or epoll(7) bits */
void say_name(const char* what, int fd,
              int peer); /* getsockname, or getpeername if `peer`; a port as 0 or "port" */
void say_address(const char* what, const struct sockaddr* address, socklen_t length);
void say_error(int fd);                                        /* SO_ERROR, which takes it */
void say_int(const char* what, int fd, int level, int option); /* getsockopt of an int */
const char* error_name(int error);
void give_up(const char* what); /* the probe cannot be made; ends */

#define SAY(what, call)                 \
  do {                                  \
    errno = 0;                          \
    const long result_ = (long)(call);  \
    say_result((what), result_, errno); \
  } while (0)
/* In a probe's preparations: what must not fail. */
#define MUST(call)                   \
  __extension__({                    \
    const long must_ = (long)(call); \
    if (must_ < 0) give_up(#call);   \
    (int)must_;                      \
  })

/* ------------------------------------------------------------------ sockets to probe */

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  struct sockaddr_storage storage;
};

extern char room[65536]; /* for what is received; nobody looks at it */

union address at4(const char* host, uint16_t port);
union address at6(const char* host, uint16_t port);
union address loopback(int family, uint16_t port); /* 127.0.0.1 or ::1 */
socklen_t size_of(const union address* address);
uint16_t port_of(int fd); /* its own */

int tcp4(void);
int udp4(void);
int bind_to(int fd, union address address);    /* as bind(2) */
int connect_to(int fd, union address address); /* as connect(2) */
int listener(int family, uint16_t* port);      /* on the loopback address */
void tcp_pair(int family, int* client, int* server);
int udp_bound(int family, uint16_t* port); /* on the loopback address */
void udp_pair(int* one, int* other);       /* connected to each other */
uint16_t unused_port(int type);            /* of 127.0.0.1: nobody listens there */
int connecting(void); /* non-blocking, to a listener that does not answer: its backlog is full */
void set_non_blocking(int fd);
int set_int(int fd, int level, int option, int value); /* as setsockopt(2) */
void reset_and_close(int fd);                          /* RST to the peer */

/* Waits until all of `events` are there, for up to two seconds; returns poll(2)'s revents. */
short await(int fd, short events);
/* Waits for what cannot be waited for. Long enough for a loopback interface, and short. */
void settle(void);
void fill(int fd);  /* sends until there is no room */
long drain(int fd); /* receives what is there, without waiting; how much */

/* A call in a thread of its own, which is given time to block. */
struct call {
  pthread_t thread;
  long (*function)(int fd);
  int fd;
  long result;
  int error;
  volatile int is_done;
};
void start_call(struct call* call, long (*function)(int fd), int fd);
/* "what=result", or "what=blocked" when it does not end within half a second. */
void say_call(const char* what, struct call* call);

#endif
