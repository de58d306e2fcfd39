// epoll of the stack, with the kernel's descriptors in it where a script has pipes.
#include "socket_api/packetdrill/door.h"

namespace transom::sockets {

int Door::epoll_create(int size) {
  if (size <= 0) {
    errno = EINVAL;
    return -1;
  }
  const int number = transom_epoll_create1(&stack_, 0);
  return number < 0 ? -1 : give_descriptor(number);
}

int Door::epoll_ctl(int epfd, int operation, int fd, epoll_event* event) {
  const std::optional<int> target = placeholders_.find(fd);
  return call(
      epfd,
      [&](transom_stack* stack, int number) {
        return target ? transom_epoll_ctl(stack, number, operation, *target, event)
                      : transom_epoll_ctl_kernel(stack, number, operation, fd, event);
      },
      [&] { return ::epoll_ctl(epfd, operation, fd, event); });
}

int Door::epoll_wait(int epfd, epoll_event* events, int count, int milliseconds) {
  return call(
      epfd,
      [&](transom_stack* stack, int number) {
        return transom_epoll_wait(stack, number, events, count, milliseconds);
      },
      [&] { return ::epoll_wait(epfd, events, count, milliseconds); });
}

}  // namespace transom::sockets
