/* LD_PRELOAD library for `transom run --preload`: where the kernel has no seccomp notification to give, the
 * socket calls of a program are handed to the supervisor here, one by one, as the filter would hand them
 * (seccomp_filter.h). Everything else works on the descriptors natively: see pair.h.
 *
 * It has no state, so fork, exec, threads and closefrom() mean nothing to it: each call makes a connection of
 * its own. What a program asks the kernel for by other ways than these functions (static programs, the
 * resolver within the C library) goes past it. */
#define _GNU_SOURCE
#include "../asked_numbers.h"
#include "../preload_protocol.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))
#define WORD(value) ((uint64_t)(value))

static long fail(int error) {
  errno = error;
  return -1;
}

/* The lowest number there is, as a new descriptor has it. */
static int lowest(int descriptor, int close_on_exec) {
  int low = fcntl(descriptor, close_on_exec ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
  if (low >= 0 && low < descriptor) {
    close(descriptor);
    return low;
  }
  if (low >= 0) close(low);
  fcntl(descriptor, F_SETFD, close_on_exec ? FD_CLOEXEC : 0);
  return descriptor;
}

static int is_asked(int number) { return number >= TRANSOM_ASKED_FIRST && number < TRANSOM_ASKED_END; }

static int place(int descriptor, int giving) {
  int close_on_exec = (giving & TRANSOM_CLOSE_ON_EXEC) != 0;
  if ((giving & TRANSOM_ASKED_NUMBER) != 0) {
    int asked = fcntl(descriptor, close_on_exec ? F_DUPFD_CLOEXEC : F_DUPFD, TRANSOM_ASKED_FIRST);
    if (is_asked(asked)) {
      close(descriptor);
      return asked;
    }
    if (asked >= 0) close(asked);
  }
  return lowest(descriptor, close_on_exec);
}

static ssize_t receive(int connection, struct transom_answer* answer, int* descriptor, int flags) {
  union {
    struct cmsghdr header;
    char octets[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec piece = {answer, sizeof *answer};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t size = syscall(SYS_recvmsg, connection, &message, flags | MSG_CMSG_CLOEXEC);
  *descriptor = -1;
  if (size > 0 && message.msg_controllen >= CMSG_LEN(sizeof(int)))
    memcpy(descriptor, CMSG_DATA(&control.header), sizeof(int));
  return size;
}

static int connect_to_supervisor(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const char name[] = TRANSOM_PRELOAD_NAME;
  memcpy(address.sun_path, name, sizeof name - 1);
  int connection = (int)syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (connection < 0) return -1;
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof name - 1);
  if (syscall(SYS_connect, connection, &address, size) == 0) return connection;
  close(connection);
  return (int)fail(ENETDOWN); /* the supervisor is gone */
}

static long ask(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
  int before = errno;
  struct transom_request request = {number, {a, b, c, d, e, f}};
  int connection = connect_to_supervisor();
  if (connection < 0) return -1;
  long sent = syscall(SYS_sendto, connection, &request, sizeof request, MSG_NOSIGNAL, NULL, 0);
  struct transom_answer answer = {0, ENETDOWN, TRANSOM_FINISH};
  int given = -1;
  while (sent > 0) {
    ssize_t size = receive(connection, &answer, &given, 0);
    if (size < 0 && errno == EINTR) {
      /* The call is taken back; an answer that came at the same time still counts. */
      syscall(SYS_shutdown, connection, SHUT_RD);
      size = receive(connection, &answer, &given, MSG_DONTWAIT);
      if (size <= 0) answer = (struct transom_answer){0, EINTR, TRANSOM_FINISH};
    } else if (size <= 0) {
      answer = (struct transom_answer){0, ENETDOWN, TRANSOM_FINISH};
    }
    if (answer.kind != TRANSOM_REPLACE) break;
    int flags = fcntl((int)answer.value, F_GETFD);
    dup3(given, (int)answer.value, (flags & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0);
    close(given);
  }
  close(connection);
  errno = before;
  if (answer.kind == TRANSOM_RESUME) return syscall(number, a, b, c, d, e, f);
  if (answer.kind == TRANSOM_GIVE) return given < 0 ? fail(EMFILE) : place(given, (int)answer.value);
  return answer.error != 0 ? fail(answer.error) : answer.value;
}

PUBLIC int socket(int domain, int type, int protocol) {
  if (domain != AF_INET && domain != AF_INET6) return (int)syscall(SYS_socket, domain, type, protocol);
  return (int)ask(SYS_socket, WORD(domain), WORD(type), WORD(protocol), 0, 0, 0);
}

PUBLIC int connect(int fd, const struct sockaddr* address, socklen_t size) {
  return (int)ask(SYS_connect, WORD(fd), WORD(address), size, 0, 0, 0);
}

PUBLIC int bind(int fd, const struct sockaddr* address, socklen_t size) {
  return (int)ask(SYS_bind, WORD(fd), WORD(address), size, 0, 0, 0);
}

PUBLIC int listen(int fd, int backlog) { return (int)ask(SYS_listen, WORD(fd), WORD(backlog), 0, 0, 0, 0); }

PUBLIC int accept(int fd, struct sockaddr* address, socklen_t* size) {
  return (int)ask(SYS_accept, WORD(fd), WORD(address), WORD(size), 0, 0, 0);
}

PUBLIC int accept4(int fd, struct sockaddr* address, socklen_t* size, int flags) {
  return (int)ask(SYS_accept4, WORD(fd), WORD(address), WORD(size), WORD(flags), 0, 0);
}

PUBLIC int getsockname(int fd, struct sockaddr* address, socklen_t* size) {
  return (int)ask(SYS_getsockname, WORD(fd), WORD(address), WORD(size), 0, 0, 0);
}

PUBLIC int getpeername(int fd, struct sockaddr* address, socklen_t* size) {
  return (int)ask(SYS_getpeername, WORD(fd), WORD(address), WORD(size), 0, 0, 0);
}

PUBLIC int setsockopt(int fd, int level, int name, const void* value, socklen_t size) {
  return (int)ask(SYS_setsockopt, WORD(fd), WORD(level), WORD(name), WORD(value), size, 0);
}

PUBLIC int getsockopt(int fd, int level, int name, void* value, socklen_t* size) {
  return (int)ask(SYS_getsockopt, WORD(fd), WORD(level), WORD(name), WORD(value), WORD(size), 0);
}

PUBLIC int shutdown(int fd, int how) { return (int)ask(SYS_shutdown, WORD(fd), WORD(how), 0, 0, 0, 0); }

PUBLIC ssize_t sendto(int fd, const void* data, size_t size, int flags, const struct sockaddr* to,
                      socklen_t length) {
  if (to == NULL && (flags & MSG_FASTOPEN) == 0 && !is_asked(fd))
    return syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
  return ask(SYS_sendto, WORD(fd), WORD(data), size, WORD(flags), WORD(to), length);
}

PUBLIC ssize_t send(int fd, const void* data, size_t size, int flags) {
  return sendto(fd, data, size, flags, NULL, 0);
}

PUBLIC ssize_t recvfrom(int fd, void* data, size_t size, int flags, struct sockaddr* from,
                        socklen_t* length) {
  if (from == NULL && size != 1 && !is_asked(fd) && (flags & (MSG_ERRQUEUE | MSG_TRUNC)) == 0)
    return syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
  return ask(SYS_recvfrom, WORD(fd), WORD(data), size, WORD(flags), WORD(from), WORD(length));
}

PUBLIC ssize_t recv(int fd, void* data, size_t size, int flags) {
  return recvfrom(fd, data, size, flags, NULL, NULL);
}

/* What fortified programs call. */
PUBLIC ssize_t __recvfrom_chk(int fd, void* data, size_t size, size_t room, int flags, struct sockaddr* from,
                              socklen_t* length) {
  if (size > room) __builtin_trap();
  return recvfrom(fd, data, size, flags, from, length);
}

PUBLIC ssize_t __recv_chk(int fd, void* data, size_t size, size_t room, int flags) {
  return __recvfrom_chk(fd, data, size, room, flags, NULL, NULL);
}

/* These of a few numbers alone. Of others they are the C library's, which can be cancelled in them. */
#define OF_LIBRARY(type, name) ((type)dlsym(RTLD_NEXT, name))
typedef ssize_t (*reader)(int, void*, size_t);
typedef ssize_t (*writer)(int, const void*, size_t);
typedef ssize_t (*piece_function)(int, const struct iovec*, int);

PUBLIC ssize_t read(int fd, void* data, size_t size) {
  static reader of_library;
  if (is_asked(fd)) return ask(SYS_read, WORD(fd), WORD(data), size, 0, 0, 0);
  if (of_library == NULL) of_library = OF_LIBRARY(reader, "read");
  return of_library(fd, data, size);
}

PUBLIC ssize_t __read_chk(int fd, void* data, size_t size, size_t room) {
  if (size > room) __builtin_trap();
  return read(fd, data, size);
}

PUBLIC ssize_t write(int fd, const void* data, size_t size) {
  static writer of_library;
  if (is_asked(fd)) return ask(SYS_write, WORD(fd), WORD(data), size, 0, 0, 0);
  if (of_library == NULL) of_library = OF_LIBRARY(writer, "write");
  return of_library(fd, data, size);
}

PUBLIC ssize_t readv(int fd, const struct iovec* pieces, int count) {
  static piece_function of_library;
  if (is_asked(fd)) return ask(SYS_readv, WORD(fd), WORD(pieces), WORD(count), 0, 0, 0);
  if (of_library == NULL) of_library = OF_LIBRARY(piece_function, "readv");
  return of_library(fd, pieces, count);
}

PUBLIC ssize_t writev(int fd, const struct iovec* pieces, int count) {
  static piece_function of_library;
  if (is_asked(fd)) return ask(SYS_writev, WORD(fd), WORD(pieces), WORD(count), 0, 0, 0);
  if (of_library == NULL) of_library = OF_LIBRARY(piece_function, "writev");
  return of_library(fd, pieces, count);
}

PUBLIC ssize_t sendmsg(int fd, const struct msghdr* message, int flags) {
  return ask(SYS_sendmsg, WORD(fd), WORD(message), WORD(flags), 0, 0, 0);
}

PUBLIC ssize_t recvmsg(int fd, struct msghdr* message, int flags) {
  return ask(SYS_recvmsg, WORD(fd), WORD(message), WORD(flags), 0, 0, 0);
}

PUBLIC int sendmmsg(int fd, struct mmsghdr* messages, unsigned count, int flags) {
  return (int)ask(SYS_sendmmsg, WORD(fd), WORD(messages), count, WORD(flags), 0, 0);
}

PUBLIC int recvmmsg(int fd, struct mmsghdr* messages, unsigned count, int flags, struct timespec* timeout) {
  return (int)ask(SYS_recvmmsg, WORD(fd), WORD(messages), count, WORD(flags), WORD(timeout), 0);
}

PUBLIC int ioctl(int fd, unsigned long request, ...) {
  va_list rest;
  va_start(rest, request);
  void* argument = va_arg(rest, void*);
  va_end(rest);
  if (request == SIOCATMARK || request == SIOCOUTQ || request == SIOCOUTQNSD)
    return (int)ask(SYS_ioctl, WORD(fd), request, WORD(argument), 0, 0, 0);
  return (int)syscall(SYS_ioctl, fd, request, argument);
}
