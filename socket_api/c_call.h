// What the functions of the C API have in common: the lock, the descriptor, errno.
#pragma once

#include <cerrno>
#include <new>

#include "socket_api/c_stack.h"
#include "socket_api/socket.h"

namespace transom::sockets {

// What a C function returns: the outcome, or -1 and errno.
template <typename Result>
Result report(const Outcome<Result>& outcome) {
  if (outcome) return *outcome;
  errno = to_number(outcome.error());
  return -1;
}

inline int report(const Outcome<void>& outcome) {
  if (outcome) return 0;
  errno = to_number(outcome.error());
  return -1;
}

// Runs `call(session)` under the lock. No exception leaves the library.
template <typename Call>
auto with_session(transom_stack* stack, Call call) -> decltype(call(std::declval<Session&>())) {
  if (stack == nullptr) return fail(EFAULT);
  try {
    Session session(stack->stack);
    return call(session);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

// Runs `call(session, socket)`; EBADF for a descriptor that is not open, ENOTSOCK for one of an epoll.
template <typename Call>
auto with_socket(transom_stack* stack, int fd, Call call)
    -> decltype(call(std::declval<Session&>(), std::declval<Socket&>())) {
  return with_session(stack, [&](Session& session) -> decltype(call(session, std::declval<Socket&>())) {
    // Keeps the socket alive while this thread is blocked in it and another closes it.
    const std::shared_ptr<Pollable> open = stack->descriptors.find(fd);
    if (!open) return fail(EBADF);
    Socket* const socket = open->as_socket();
    if (socket == nullptr) return fail(ENOTSOCK);
    return call(session, *socket);
  });
}

}  // namespace transom::sockets
