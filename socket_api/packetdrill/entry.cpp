// The symbols of the shared object: packetdrill_interface_init, and close() and getsockopt() for a process
// that preloads it. packetdrill closes what a script has left open, and asks for TCP_INFO on behalf of code
// blocks, with the functions of the C library; those then come by here.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "socket_api/packetdrill/door.h"
#include "socket_api/packetdrill/interface.h"

namespace {

using transom::Bytes;
using transom::sockets::Door;
using transom::sockets::Settings;

// The one that the interposed functions ask.
std::atomic<Door*> the_door = nullptr;

Door& door(void* userdata) { return *static_cast<Door*>(userdata); }

[[noreturn]] void die(const std::string& line) {
  fmt::print(stderr, "transom: --so_flags: {}\n", line);
  std::exit(EXIT_FAILURE);
}

// Calls that only change the descriptor: `ours` for the stack, `theirs` for the kernel.
#define TRANSOM_FORWARD(fd, ours, theirs) \
  door(userdata).call(fd, [&](transom_stack* stack, int number) { return ours; }, [&] { return theirs; })

int do_bind(void* userdata, int fd, const sockaddr* address, socklen_t length) {
  return TRANSOM_FORWARD(fd, transom_bind(stack, number, address, length), ::bind(fd, address, length));
}

ssize_t do_recvmsg(void* userdata, int fd, msghdr* message, int flags) {
  return TRANSOM_FORWARD(fd, transom_recvmsg(stack, number, message, flags), ::recvmsg(fd, message, flags));
}

ssize_t do_sendmsg(void* userdata, int fd, const msghdr* message, int flags) {
  return TRANSOM_FORWARD(fd, transom_sendmsg(stack, number, message, flags), ::sendmsg(fd, message, flags));
}

ssize_t do_recvfrom(void* userdata, int fd, void* buffer, size_t size, int flags, sockaddr* from,
                    socklen_t* length) {
  return TRANSOM_FORWARD(fd, transom_recvfrom(stack, number, buffer, size, flags, from, length),
                         ::recvfrom(fd, buffer, size, flags, from, length));
}

ssize_t do_sendto(void* userdata, int fd, const void* buffer, size_t size, int flags, const sockaddr* to,
                  socklen_t length) {
  return TRANSOM_FORWARD(fd, transom_sendto(stack, number, buffer, size, flags, to, length),
                         ::sendto(fd, buffer, size, flags, to, length));
}

ssize_t do_read(void* userdata, int fd, void* buffer, size_t size) {
  return TRANSOM_FORWARD(fd, transom_recv(stack, number, buffer, size, 0), ::read(fd, buffer, size));
}

ssize_t do_write(void* userdata, int fd, const void* buffer, size_t size) {
  return TRANSOM_FORWARD(fd, transom_send(stack, number, buffer, size, 0), ::write(fd, buffer, size));
}

msghdr message_of(const iovec* pieces, int count) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces);
  message.msg_iovlen = static_cast<size_t>(count);
  return message;
}

ssize_t do_readv(void* userdata, int fd, const iovec* pieces, int count) {
  msghdr message = message_of(pieces, count);
  return TRANSOM_FORWARD(fd, transom_recvmsg(stack, number, &message, 0), ::readv(fd, pieces, count));
}

ssize_t do_writev(void* userdata, int fd, const iovec* pieces, int count) {
  const msghdr message = message_of(pieces, count);
  return TRANSOM_FORWARD(fd, transom_sendmsg(stack, number, &message, 0), ::writev(fd, pieces, count));
}

int do_fcntl(void* userdata, int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  const int argument = va_arg(arguments, int);
  va_end(arguments);
  return TRANSOM_FORWARD(fd, transom_fcntl(stack, number, command, argument), ::fcntl(fd, command, argument));
}

int do_ioctl(void* userdata, int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  int* const argument = va_arg(arguments, int*);
  va_end(arguments);
  return TRANSOM_FORWARD(fd, transom_ioctl(stack, number, request, argument), ::ioctl(fd, request, argument));
}

int do_shutdown(void* userdata, int fd, int how) {
  return TRANSOM_FORWARD(fd, transom_shutdown(stack, number, how), ::shutdown(fd, how));
}

int do_setsockopt(void* userdata, int fd, int level, int name, const void* value, socklen_t length) {
  return TRANSOM_FORWARD(fd, transom_setsockopt(stack, number, level, name, value, length),
                         ::setsockopt(fd, level, name, value, length));
}

#undef TRANSOM_FORWARD

int do_netdev_receive(void* userdata, void* buffer, size_t* size, long long* microseconds) {
  const auto sent = door(userdata).netdev_receive();
  if (!sent) {
    // Any other answer would be asked for again, for ever.
    *size = 0;
    *microseconds = 0;
    return 0;
  }
  const size_t length = std::min(*size, sent->octets.size());
  std::copy_n(sent->octets.data(), length, static_cast<std::uint8_t*>(buffer));
  *size = length;
  *microseconds =
      std::chrono::duration_cast<std::chrono::microseconds>(sent->time.time_since_epoch()).count();
  return 0;
}

int do_gettimeofday(void* userdata, timeval* time, struct timezone*) {
  const auto now = door(userdata).look_at_clock().time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now);
  time->tv_sec = seconds.count();
  time->tv_usec = std::chrono::duration_cast<std::chrono::microseconds>(now - seconds).count();
  return 0;
}

void do_free(void* userdata) {
  Door* expected = &door(userdata);
  the_door.compare_exchange_strong(expected, nullptr);
  delete &door(userdata);
}

void fill_in(Door& made, packetdrill_interface& table) {
  table.userdata = &made;
  table.free = do_free;
  table.socket = [](void* userdata, int domain, int type, int protocol) {
    return door(userdata).socket(domain, type, protocol);
  };
  table.bind = do_bind;
  table.listen = [](void* userdata, int fd, int backlog) { return door(userdata).listen(fd, backlog); };
  table.accept = [](void* userdata, int fd, sockaddr* address, socklen_t* length) {
    return door(userdata).accept(fd, address, length);
  };
  table.connect = [](void* userdata, int fd, const sockaddr* address, socklen_t length) {
    return door(userdata).connect(fd, address, length);
  };
  table.read = do_read;
  table.readv = do_readv;
  table.recv = [](void* userdata, int fd, void* buffer, size_t size, int flags) {
    return do_recvfrom(userdata, fd, buffer, size, flags, nullptr, nullptr);
  };
  table.recvfrom = do_recvfrom;
  table.recvmsg = do_recvmsg;
  table.write = do_write;
  table.writev = do_writev;
  table.send = [](void* userdata, int fd, const void* buffer, size_t size, int flags) {
    return do_sendto(userdata, fd, buffer, size, flags, nullptr, 0);
  };
  table.sendto = do_sendto;
  table.sendmsg = do_sendmsg;
  table.fcntl = do_fcntl;
  table.ioctl = do_ioctl;
  table.close = [](void* userdata, int fd) { return door(userdata).close(fd); };
  table.shutdown = do_shutdown;
  table.getsockopt = [](void* userdata, int fd, int level, int name, void* value, socklen_t* length) {
    return door(userdata).getsockopt(fd, level, name, value, length);
  };
  table.setsockopt = do_setsockopt;
  table.poll = [](void* userdata, pollfd* entries, nfds_t count, int milliseconds) {
    return door(userdata).poll(entries, count, milliseconds);
  };
  table.netdev_send = [](void* userdata, const void* packet, size_t size) {
    door(userdata).netdev_send(Bytes(static_cast<const std::uint8_t*>(packet), size));
    return 0;
  };
  table.netdev_receive = do_netdev_receive;
  table.usleep = [](void* userdata, useconds_t microseconds) {
    door(userdata).sleep(std::chrono::microseconds(microseconds));
    return 0;
  };
  table.gettimeofday = do_gettimeofday;
  table.epoll_create = [](void* userdata, int size) { return door(userdata).epoll_create(size); };
  table.epoll_ctl = [](void* userdata, int epfd, int operation, int fd, epoll_event* event) {
    return door(userdata).epoll_ctl(epfd, operation, fd, event);
  };
  table.epoll_wait = [](void* userdata, int epfd, epoll_event* events, int count, int milliseconds) {
    return door(userdata).epoll_wait(epfd, events, count, milliseconds);
  };
  table.pipe = [](void*, int* fds) { return ::pipe(fds); };
  table.splice = [](void* userdata, int in, loff_t* in_offset, int out, loff_t* out_offset, size_t size,
                    unsigned flags) {
    return door(userdata).splice(in, in_offset, out, out_offset, size, flags);
  };
}

}  // namespace

void packetdrill_interface_init(const char* flags, packetdrill_interface* out) {
  const std::string_view text = flags != nullptr ? flags : "";
  if (text == "help") {
    fmt::print("{}", transom::sockets::describe_knobs());
    std::exit(EXIT_SUCCESS);
  }
  auto settings = Settings::parse(text);
  if (!settings) die(settings.error());
  if (const char* const file = std::getenv("TRANSOM_SYSCTL_FILE");
      file != nullptr && settings->sysctl_file.empty())
    settings->sysctl_file = file;
  try {
    auto* const made = new Door(std::move(*settings));
    fill_in(*made, *out);
    the_door = made;
  } catch (const std::exception& problem) {
    die(problem.what());
  }
}

extern "C" {

int close(int fd) {
  Door* const made = the_door;
  if (made != nullptr && made->has(fd)) return made->close(fd);
  return static_cast<int>(syscall(SYS_close, fd));
}

int getsockopt(int fd, int level, int name, void* value, socklen_t* length) noexcept {
  Door* const made = the_door;
  if (made != nullptr && made->has(fd)) return made->getsockopt(fd, level, name, value, length);
  return static_cast<int>(syscall(SYS_getsockopt, fd, level, name, value, length));
}
}
