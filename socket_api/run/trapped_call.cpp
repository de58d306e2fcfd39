#include "socket_api/run/trapped_call.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include <fmt/format.h>

namespace transom::sockets::run {

namespace {

constexpr unsigned kPidfdThread = O_EXCL;  // PIDFD_THREAD, since Linux 6.9

int open_pidfd(pid_t id, unsigned flags) { return static_cast<int>(syscall(SYS_pidfd_open, id, flags)); }

// The process that a thread belongs to, for kernels that know no thread descriptors.
pid_t process_of(pid_t thread) {
  std::FILE* const status = std::fopen(fmt::format("/proc/{}/status", thread).c_str(), "re");
  if (status == nullptr) return thread;
  pid_t process = thread;
  for (char line[256]; std::fgets(line, sizeof line, status) != nullptr;) {
    if (std::sscanf(line, "Tgid: %d", &process) == 1) break;
  }
  std::fclose(status);
  return process;
}

}  // namespace

std::optional<TrappedCall> receive_call(int listener) {
  seccomp_notif notification{};
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) != 0) return std::nullopt;
  return TrappedCall(listener, notification);
}

bool TrappedCall::is_alive() const { return ioctl(listener_, SECCOMP_IOCTL_NOTIF_ID_VALID, &id_) == 0; }

void TrappedCall::respond(std::int64_t value, int error, std::uint32_t flags) const {
  seccomp_notif_resp response{.id = id_, .val = value, .error = error, .flags = flags};
  (void)ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &response);  // ENOENT: nobody waits any more
}

void TrappedCall::finish(std::int64_t value) const { respond(value, 0, 0); }
void TrappedCall::finish(Errno error) const { respond(0, -to_number(error), 0); }
void TrappedCall::finish(const Outcome<void>& outcome) const {
  outcome ? finish(std::int64_t{0}) : finish(outcome.error());
}
void TrappedCall::resume() const { respond(0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE); }

Outcome<void> TrappedCall::give(int descriptor, bool close_on_exec) const {
  seccomp_notif_addfd request{.id = id_,
                              .flags = SECCOMP_ADDFD_FLAG_SEND,
                              .srcfd = static_cast<std::uint32_t>(descriptor),
                              .newfd = 0,
                              .newfd_flags = close_on_exec ? static_cast<std::uint32_t>(O_CLOEXEC) : 0};
  if (ioctl(listener_, SECCOMP_IOCTL_NOTIF_ADDFD, &request) >= 0) return {};
  if (errno == ENOENT) return fail(ESRCH);
  const int error = errno;  // EMFILE, most likely
  finish(Errno{error});
  return fail(error);
}

Outcome<void> TrappedCall::replace(int number, int descriptor) const {
  const auto old = take_descriptor(number);
  if (!old) return std::unexpected(old.error());
  seccomp_notif_addfd request{.id = id_,
                              .flags = SECCOMP_ADDFD_FLAG_SETFD,
                              .srcfd = static_cast<std::uint32_t>(descriptor),
                              .newfd = static_cast<std::uint32_t>(number),
                              .newfd_flags = 0};
  if (ioctl(listener_, SECCOMP_IOCTL_NOTIF_ADDFD, &request) < 0) return fail(errno);
  return {};
}

Outcome<void> TrappedCall::read(std::uint64_t address, MutableBytes out) const {
  if (out.empty()) return {};
  const iovec local{out.data(), out.size()};
  const iovec remote{reinterpret_cast<void*>(address), out.size()};
  const ssize_t size = process_vm_readv(thread_, &local, 1, &remote, 1, 0);
  if (size != static_cast<ssize_t>(out.size())) return fail(EFAULT);
  return {};
}

Outcome<void> TrappedCall::write(std::uint64_t address, Bytes data) const {
  if (data.empty()) return {};
  const iovec local{const_cast<std::uint8_t*>(data.data()), data.size()};
  const iovec remote{reinterpret_cast<void*>(address), data.size()};
  const ssize_t size = process_vm_writev(thread_, &local, 1, &remote, 1, 0);
  if (size != static_cast<ssize_t>(data.size())) return fail(EFAULT);
  return {};
}

Outcome<drivers::FileDescriptor> TrappedCall::take_descriptor(int number) const {
  return run::take_descriptor(thread_, number);
}

Outcome<drivers::FileDescriptor> take_descriptor(pid_t id, int number) {
  int raw = open_pidfd(id, kPidfdThread);
  if (raw < 0 && errno == EINVAL) raw = open_pidfd(process_of(id), 0);
  if (raw < 0) return fail(ESRCH);
  const drivers::FileDescriptor process(raw);
  const int taken = static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), number, 0));
  if (taken < 0) return fail(errno);
  return drivers::FileDescriptor(taken);
}

}  // namespace transom::sockets::run
