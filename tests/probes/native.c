/* The calls that transom.h does not have, by those that it has. */
#include "probe.h"

ssize_t native_readv(int fd, const struct iovec* pieces, int count) {
  struct msghdr message = {.msg_iov = (struct iovec*)pieces, .msg_iovlen = (size_t)count};
  return recvmsg(fd, &message, 0);
}

ssize_t native_writev(int fd, const struct iovec* pieces, int count) {
  struct msghdr message = {.msg_iov = (struct iovec*)pieces, .msg_iovlen = (size_t)count};
  return sendmsg(fd, &message, 0);
}

/* As the kernel builds select(2) from poll bits. */
int native_select(int end, fd_set* in, fd_set* out, fd_set* urgent, struct timeval* timeout) {
  struct pollfd entries[FD_SETSIZE];
  nfds_t count = 0;
  for (int fd = 0; fd < end; ++fd) {
    struct pollfd entry = {.fd = fd};
    if (in != NULL && FD_ISSET(fd, in)) entry.events |= POLLIN | POLLHUP | POLLERR;
    if (out != NULL && FD_ISSET(fd, out)) entry.events |= POLLOUT | POLLERR;
    if (urgent != NULL && FD_ISSET(fd, urgent)) entry.events |= POLLPRI;
    if (entry.events != 0) entries[count++] = entry;
  }
  const int milliseconds = timeout == NULL ? -1 : (int)(timeout->tv_sec * 1000 + timeout->tv_usec / 1000);
  const int done = poll(entries, count, milliseconds);
  if (done < 0) return done;
  int bits = 0;
  for (nfds_t i = 0; i < count; ++i) {
    const struct pollfd* entry = &entries[i];
    if ((entry->revents & POLLNVAL) != 0) {
      errno = EBADF;
      return -1;
    }
    const short wanted = entry->events, got = entry->revents;
    if (in != NULL && FD_ISSET(entry->fd, in)) {
      if ((got & (POLLIN | POLLHUP | POLLERR)) != 0)
        ++bits;
      else
        FD_CLR(entry->fd, in);
    }
    if (out != NULL && FD_ISSET(entry->fd, out)) {
      if ((got & (POLLOUT | POLLERR)) != 0)
        ++bits;
      else
        FD_CLR(entry->fd, out);
    }
    if (urgent != NULL && FD_ISSET(entry->fd, urgent)) {
      if ((wanted & got & POLLPRI) != 0)
        ++bits;
      else
        FD_CLR(entry->fd, urgent);
    }
  }
  return bits;
}
