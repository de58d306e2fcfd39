#include "socket_api/run/pair.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

namespace transom::sockets::run {

namespace {

constexpr int kSmallBuffer = 1;  // the kernel makes it its minimum

}  // namespace

void set_send_buffer(int descriptor, int size) {
  size = std::min(size, kPairBuffer);
  if (setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
    (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

Outcome<Pair> make_pair(int type) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) != 0) return fail(errno);
  Pair pair{drivers::FileDescriptor(ends[0]), drivers::FileDescriptor(ends[1])};
  if (fcntl(pair.ours.get(), F_SETFL, O_NONBLOCK) != 0) return fail(errno);
  set_send_buffer(pair.ours.get(), kPairBuffer);
  return pair;
}

std::uint64_t cookie_of(int descriptor) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

std::uint64_t inode_of(int descriptor) {
  struct stat status{};
  return fstat(descriptor, &status) == 0 ? status.st_ino : 0;
}

void Gate::close(const Pair& pair) {
  constexpr std::array<char, 1024> kJunk{};
  set_send_buffer(pair.theirs.get(), kSmallBuffer);
  while (true) {
    const ssize_t size = send(pair.theirs.get(), kJunk.data(), kJunk.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size <= 0) break;
    junk_ += static_cast<std::size_t>(size);
  }
}

void Gate::open(int ours, int theirs, int send_room) {
  if (theirs >= 0) set_send_buffer(theirs, send_room);
  std::array<char, 4096> junk;
  while (junk_ > 0) {
    const ssize_t size = recv(ours, junk.data(), std::min(junk.size(), junk_), MSG_DONTWAIT);
    if (size <= 0) break;
    junk_ -= static_cast<std::size_t>(size);
  }
  junk_ = 0;
}

void reset(drivers::FileDescriptor& ours, int theirs) {
  constexpr char kUnread = 0;
  if (theirs >= 0) (void)send(theirs, &kUnread, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  ours.reset();
}

}  // namespace transom::sockets::run
