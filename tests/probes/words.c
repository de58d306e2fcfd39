/* How probes say what happened. */
#include "probe.h"

const char* error_name(int error) {
  const char* const name = strerrorname_np(error);
  return name != NULL ? name : "?";
}

void say_result(const char* what, long result, int error) {
  if (result == -1)
    say("%s=%s", what, error_name(error));
  else
    say("%s=%ld", what, result);
}

void say_events(const char* what, unsigned events) {
  static const struct {
    unsigned bit;
    const char* name;
  } names[] = {{POLLIN, "IN"},         {POLLPRI, "PRI"},       {POLLOUT, "OUT"},       {POLLERR, "ERR"},
               {POLLHUP, "HUP"},       {POLLNVAL, "NVAL"},     {POLLRDNORM, "RDNORM"}, {POLLRDBAND, "RDBAND"},
               {POLLWRNORM, "WRNORM"}, {POLLWRBAND, "WRBAND"}, {EPOLLRDHUP, "RDHUP"}};
  char text[128] = "";
  for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
    if ((events & names[i].bit) == 0) continue;
    if (text[0] != 0) strcat(text, "+");
    strcat(text, names[i].name);
  }
  say("%s=%s", what, text[0] != 0 ? text : "nothing");
}

void say_address(const char* what, const struct sockaddr* address, socklen_t length) {
  const union address* const known = (const union address*)address;
  char text[INET6_ADDRSTRLEN] = "?";
  uint16_t port = 0;
  if (address->sa_family == AF_INET && length >= sizeof known->v4) {
    inet_ntop(AF_INET, &known->v4.sin_addr, text, sizeof text);
    port = known->v4.sin_port;
  } else if (address->sa_family == AF_INET6 && length >= sizeof known->v6) {
    inet_ntop(AF_INET6, &known->v6.sin6_addr, text, sizeof text);
    port = known->v6.sin6_port;
  }
  say("%s=%s/%s", what, text, port == 0 ? "0" : "port");
}

void say_name(const char* what, int fd, int peer) {
  union address address = {0};
  socklen_t length = sizeof address;
  const int done = peer ? getpeername(fd, &address.any, &length) : getsockname(fd, &address.any, &length);
  if (done != 0)
    say_result(what, done, errno);
  else
    say_address(what, &address.any, length);
}

void say_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  say("SO_ERROR=%s", error == 0 ? "0" : error_name(error));
}

void say_int(const char* what, int fd, int level, int option) {
  int value = 0;
  socklen_t length = sizeof value;
  const int done = getsockopt(fd, level, option, &value, &length);
  if (done != 0)
    say_result(what, done, errno);
  else if (length != sizeof value)
    say("%s=%d(%u octets)", what, value, length);
  else
    say("%s=%d", what, value);
}

void give_up(const char* what) {
  say("not possible: %s: %s", what, error_name(errno));
  _exit(0);
}
