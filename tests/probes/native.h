/* The calls of sockets as those of socket_api/transom.h, on the stack of the process. Descriptors of the
 * kernel have no place in such probes. */
#ifndef TRANSOM_TESTS_PROBES_NATIVE_H
#define TRANSOM_TESTS_PROBES_NATIVE_H

#include "socket_api/transom.h"

extern transom_stack* the_stack;

ssize_t native_readv(int fd, const struct iovec* pieces, int count);
ssize_t native_writev(int fd, const struct iovec* pieces, int count);
int native_select(int end, fd_set* in, fd_set* out, fd_set* urgent, struct timeval* timeout);

#define socket(...) transom_socket(the_stack, __VA_ARGS__)
#define bind(...) transom_bind(the_stack, __VA_ARGS__)
#define listen(...) transom_listen(the_stack, __VA_ARGS__)
#define accept(...) transom_accept(the_stack, __VA_ARGS__)
#define accept4(...) transom_accept4(the_stack, __VA_ARGS__)
#define connect(...) transom_connect(the_stack, __VA_ARGS__)
#define send(...) transom_send(the_stack, __VA_ARGS__)
#define sendto(...) transom_sendto(the_stack, __VA_ARGS__)
#define sendmsg(...) transom_sendmsg(the_stack, __VA_ARGS__)
#define sendmmsg(...) transom_sendmmsg(the_stack, __VA_ARGS__)
#define recv(...) transom_recv(the_stack, __VA_ARGS__)
#define recvfrom(...) transom_recvfrom(the_stack, __VA_ARGS__)
#define recvmsg(...) transom_recvmsg(the_stack, __VA_ARGS__)
#define recvmmsg(...) transom_recvmmsg(the_stack, __VA_ARGS__)
#define read(fd, buffer, size) transom_recv(the_stack, fd, buffer, size, 0)
#define write(fd, buffer, size) transom_send(the_stack, fd, buffer, size, 0)
#define readv(...) native_readv(__VA_ARGS__)
#define writev(...) native_writev(__VA_ARGS__)
#define shutdown(...) transom_shutdown(the_stack, __VA_ARGS__)
#define close(...) transom_close(the_stack, __VA_ARGS__)
#define getsockname(...) transom_getsockname(the_stack, __VA_ARGS__)
#define getpeername(...) transom_getpeername(the_stack, __VA_ARGS__)
#define setsockopt(...) transom_setsockopt(the_stack, __VA_ARGS__)
#define getsockopt(...) transom_getsockopt(the_stack, __VA_ARGS__)
#define poll(...) transom_poll(the_stack, __VA_ARGS__)
#define select(...) native_select(__VA_ARGS__)
#define epoll_create1(...) transom_epoll_create1(the_stack, __VA_ARGS__)
#define epoll_ctl(...) transom_epoll_ctl(the_stack, __VA_ARGS__)
#define epoll_wait(...) transom_epoll_wait(the_stack, __VA_ARGS__)
#define fcntl(...) transom_fcntl(the_stack, __VA_ARGS__)
#define ioctl(...) transom_ioctl(the_stack, __VA_ARGS__)

#endif
