// splice(2) between a socket of the stack and a pipe of the kernel.
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "drivers/file_descriptor.h"
#include "socket_api/packetdrill/door.h"

namespace transom::sockets {

namespace {

int readable_octets(int pipe) {
  int octets = 0;
  return ioctl(pipe, FIONREAD, &octets) == 0 ? octets : 0;
}

ssize_t fail_with(int error) {
  errno = error;
  return -1;
}

}  // namespace

// No more than the pipe has room for: what is taken from the socket must not be lost.
ssize_t Door::splice_to_pipe(int number, int pipe, std::size_t size, unsigned flags) {
  const int room = fcntl(pipe, F_GETPIPE_SZ) - readable_octets(pipe);
  if (room <= 0) return fail_with(EAGAIN);
  std::vector<std::uint8_t> octets(std::min(size, static_cast<std::size_t>(room)));
  const int wait = (flags & SPLICE_F_NONBLOCK) != 0 ? MSG_DONTWAIT : 0;
  const ssize_t taken = transom_recv(&stack_, number, octets.data(), octets.size(), wait);
  return taken <= 0 ? taken : ::write(pipe, octets.data(), static_cast<std::size_t>(taken));
}

// What the socket does not take stays in the pipe: it is looked at through a second pipe first.
ssize_t Door::splice_from_pipe(int pipe, int number, std::size_t size, unsigned flags) {
  const int there = readable_octets(pipe);
  if (there == 0) {
    pollfd entry{.fd = pipe, .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, 0) > 0 ? 0 : fail_with(EAGAIN);  // no writer any more, or nothing yet
  }
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return -1;
  const drivers::FileDescriptor out(ends[0]);
  const drivers::FileDescriptor in(ends[1]);
  const ssize_t seen =
      tee(pipe, in.get(), std::min(size, static_cast<std::size_t>(there)), SPLICE_F_NONBLOCK);
  if (seen <= 0) return seen;
  std::vector<std::uint8_t> octets(static_cast<std::size_t>(seen));
  if (const ssize_t got = ::read(out.get(), octets.data(), octets.size()); got <= 0) return got;
  const int wait = (flags & SPLICE_F_NONBLOCK) != 0 ? MSG_DONTWAIT : 0;
  const int more = (flags & SPLICE_F_MORE) != 0 ? MSG_MORE : 0;
  const ssize_t sent = transom_send(&stack_, number, octets.data(), octets.size(), wait | more);
  return sent <= 0 ? sent : ::read(pipe, octets.data(), static_cast<std::size_t>(sent));
}

ssize_t Door::splice(int in, loff_t* in_offset, int out, loff_t* out_offset, std::size_t size,
                     unsigned flags) {
  // packetdrill cannot pass a null pointer: an offset of 0 is none.
  const auto place = [](loff_t* offset) { return offset == nullptr || *offset == 0 ? nullptr : offset; };
  in_offset = place(in_offset);
  out_offset = place(out_offset);
  const std::optional<int> from = placeholders_.find(in);
  const std::optional<int> to = placeholders_.find(out);
  if (!from && !to) return ::splice(in, in_offset, out, out_offset, size, flags);
  if (in_offset != nullptr || out_offset != nullptr) return fail_with(ESPIPE);
  if (from && to) return fail_with(EINVAL);  // one of them must be a pipe
  const ssize_t result =
      from ? splice_to_pipe(*from, out, size, flags) : splice_from_pipe(in, *to, size, flags);
  settle();
  return result;
}

}  // namespace transom::sockets
