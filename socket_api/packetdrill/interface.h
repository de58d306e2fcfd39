// The table by which packetdrill drives a stack in a shared object (`packetdrill --so_filename=...`), as that
// program lays it out: 33 pointers without a version. Functions get `userdata` first, return what the call of
// their name returns, and set errno.
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>

extern "C" {

// NOLINTBEGIN(readability-identifier-naming)
struct packetdrill_interface {
  void* userdata;
  void (*free)(void*);
  int (*socket)(void*, int domain, int type, int protocol);
  int (*bind)(void*, int fd, const sockaddr*, socklen_t);
  int (*listen)(void*, int fd, int backlog);
  int (*accept)(void*, int fd, sockaddr*, socklen_t*);
  int (*connect)(void*, int fd, const sockaddr*, socklen_t);
  ssize_t (*read)(void*, int fd, void*, size_t);
  ssize_t (*readv)(void*, int fd, const iovec*, int count);
  ssize_t (*recv)(void*, int fd, void*, size_t, int flags);
  ssize_t (*recvfrom)(void*, int fd, void*, size_t, int flags, sockaddr*, socklen_t*);
  ssize_t (*recvmsg)(void*, int fd, msghdr*, int flags);
  ssize_t (*write)(void*, int fd, const void*, size_t);
  ssize_t (*writev)(void*, int fd, const iovec*, int count);
  ssize_t (*send)(void*, int fd, const void*, size_t, int flags);
  ssize_t (*sendto)(void*, int fd, const void*, size_t, int flags, const sockaddr*, socklen_t);
  ssize_t (*sendmsg)(void*, int fd, const msghdr*, int flags);
  int (*fcntl)(void*, int fd, int command, ...);            // none or one int
  int (*ioctl)(void*, int fd, unsigned long request, ...);  // none or one int*
  int (*close)(void*, int fd);
  int (*shutdown)(void*, int fd, int how);
  int (*getsockopt)(void*, int fd, int level, int name, void*, socklen_t*);
  int (*setsockopt)(void*, int fd, int level, int name, const void*, socklen_t);
  int (*poll)(void*, pollfd*, nfds_t, int milliseconds);
  // A raw IP datagram arrives at the stack. 0 when it was taken.
  int (*netdev_send)(void*, const void* packet, size_t);
  // The next one that leaves it; its time in microseconds of gettimeofday(). Waits until there is one.
  int (*netdev_receive)(void*, void* packet, size_t* size, long long* microseconds);
  int (*usleep)(void*, useconds_t);
  int (*gettimeofday)(void*, timeval*, struct timezone*);
  int (*epoll_create)(void*, int size);
  int (*epoll_ctl)(void*, int epfd, int operation, int fd, epoll_event*);
  int (*epoll_wait)(void*, int epfd, epoll_event*, int count, int milliseconds);
  int (*pipe)(void*, int fds[2]);
  ssize_t (*splice)(void*, int in, loff_t* in_offset, int out, loff_t* out_offset, size_t, unsigned flags);
};
// NOLINTEND(readability-identifier-naming)

static_assert(sizeof(packetdrill_interface) == 33 * sizeof(void*));

// The one symbol that packetdrill looks up. `flags`: what `--so_flags` says, null without it. Fills in the
// whole table; for what it does not understand it prints a line and ends the process, as nothing can be
// reported.
void packetdrill_interface_init(const char* flags, packetdrill_interface* out);
}
