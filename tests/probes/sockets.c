/* The sockets that probes are made of. */
#include "probe.h"

char room[65536];

#ifdef PROBE_NATIVE
transom_stack* the_stack;
void prepare_probes(void) {
  const struct transom_config config = {0};
  the_stack = transom_stack_create(&config, NULL, 0);
  if (the_stack == NULL) give_up("transom_stack_create");
}
#else
void prepare_probes(void) {}
#endif

/* ------------------------------------------------------------------ addresses */

union address at4(const char* host, uint16_t port) {
  union address address = {.v4 = {.sin_family = AF_INET, .sin_port = htons(port)}};
  inet_pton(AF_INET, host, &address.v4.sin_addr);
  return address;
}

union address at6(const char* host, uint16_t port) {
  union address address = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};
  inet_pton(AF_INET6, host, &address.v6.sin6_addr);
  return address;
}

union address loopback(int family, uint16_t port) {
  return family == AF_INET ? at4("127.0.0.1", port) : at6("::1", port);
}

socklen_t size_of(const union address* address) {
  return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

uint16_t port_of(int fd) {
  union address address = {0};
  socklen_t length = sizeof address;
  MUST(getsockname(fd, &address.any, &length));
  return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

/* ------------------------------------------------------------------ sockets */

int tcp4(void) { return MUST(socket(AF_INET, SOCK_STREAM, 0)); }
int udp4(void) { return MUST(socket(AF_INET, SOCK_DGRAM, 0)); }

int bind_to(int fd, union address address) { return bind(fd, &address.any, size_of(&address)); }
int connect_to(int fd, union address address) { return connect(fd, &address.any, size_of(&address)); }

int listener(int family, uint16_t* port) {
  const int fd = MUST(socket(family, SOCK_STREAM, 0));
  MUST(bind_to(fd, loopback(family, 0)));
  MUST(listen(fd, 16));
  *port = port_of(fd);
  return fd;
}

void tcp_pair(int family, int* client, int* server) {
  uint16_t port = 0;
  const int listening = listener(family, &port);
  *client = MUST(socket(family, SOCK_STREAM, 0));
  MUST(connect_to(*client, loopback(family, port)));
  *server = MUST(accept(listening, NULL, NULL));
  close(listening);
}

int udp_bound(int family, uint16_t* port) {
  const int fd = MUST(socket(family, SOCK_DGRAM, 0));
  MUST(bind_to(fd, loopback(family, 0)));
  *port = port_of(fd);
  return fd;
}

void udp_pair(int* one, int* other) {
  uint16_t one_port = 0, other_port = 0;
  *one = udp_bound(AF_INET, &one_port);
  *other = udp_bound(AF_INET, &other_port);
  MUST(connect_to(*one, loopback(AF_INET, other_port)));
  MUST(connect_to(*other, loopback(AF_INET, one_port)));
}

uint16_t unused_port(int type) {
  const int fd = MUST(socket(AF_INET, type, 0));
  MUST(bind_to(fd, loopback(AF_INET, 0)));
  const uint16_t port = port_of(fd);
  close(fd);
  settle(); /* under `transom run` a port is free again when the supervisor has seen the end */
  return port;
}

int connecting(void) {
  const int listening = tcp4();
  MUST(bind_to(listening, loopback(AF_INET, 0)));
  MUST(listen(listening, 0));
  const uint16_t port = port_of(listening);
  int last = -1;
  for (int i = 0; i < 3; ++i) {
    last = tcp4();
    set_non_blocking(last);
    connect_to(last, loopback(AF_INET, port));
    settle();
  }
  return last;
}

void set_non_blocking(int fd) { MUST(fcntl(fd, F_SETFL, O_NONBLOCK)); }

int set_int(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value);
}

void reset_and_close(int fd) {
  const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
  close(fd);
}

/* ------------------------------------------------------------------ waiting */

short await(int fd, short events) {
  struct pollfd entry = {.fd = fd, .events = events};
  for (int i = 0; i < 200; ++i) {
    if (poll(&entry, 1, 10) < 0) give_up("poll");
    if ((entry.revents & events) == events || (entry.revents & POLLNVAL) != 0) break;
    if (entry.revents != 0) usleep(10000);
  }
  return entry.revents;
}

void settle(void) { usleep(50000); }

void fill(int fd) {
  static const char octets[16384];
  int idle = 0;
  while (idle < 5) { /* more room comes as the peer takes what was sent */
    if (send(fd, octets, sizeof octets, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
      idle = 0;
    } else {
      ++idle;
      usleep(20000);
    }
  }
}

long drain(int fd) {
  long total = 0;
  int idle = 0;
  while (idle < 5) {
    const ssize_t size = recv(fd, room, sizeof room, MSG_DONTWAIT);
    if (size > 0) {
      total += size;
      idle = 0;
    } else if (size == 0) {
      break;
    } else {
      ++idle;
      usleep(20000);
    }
  }
  return total;
}

/* ------------------------------------------------------------------ calls that block */

static void* make_call(void* argument) {
  struct call* const call = argument;
  errno = 0;
  call->result = call->function(call->fd);
  call->error = errno;
  __atomic_store_n(&call->is_done, 1, __ATOMIC_RELEASE);
  return NULL;
}

void start_call(struct call* call, long (*function)(int fd), int fd) {
  *call = (struct call){.function = function, .fd = fd};
  if (pthread_create(&call->thread, NULL, make_call, call) != 0) give_up("pthread_create");
  settle();
}

void say_call(const char* what, struct call* call) {
  for (int i = 0; i < 50 && !__atomic_load_n(&call->is_done, __ATOMIC_ACQUIRE); ++i) usleep(10000);
  if (call->is_done)
    say_result(what, call->result, call->error);
  else
    say("%s=blocked", what);
}
