#include "socket_api/run/trapped_call.h"

#include <fcntl.h>
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

// FD_CLOEXEC of a descriptor of another process, of which a copy knows nothing.
bool is_closed_on_exec(pid_t id, int number) {
  std::FILE* const info = std::fopen(fmt::format("/proc/{}/fdinfo/{}", id, number).c_str(), "re");
  if (info == nullptr) return false;
  unsigned flags = 0;
  for (char line[256]; std::fgets(line, sizeof line, info) != nullptr;) {
    if (std::sscanf(line, "flags: %o", &flags) == 1) break;
  }
  std::fclose(info);
  return (flags & O_CLOEXEC) != 0;
}

}  // namespace

bool TrappedCall::is_alive() const { return channel_->is_alive(id_); }
void TrappedCall::finish(std::int64_t value) const { channel_->finish(id_, value, 0); }
void TrappedCall::finish(Errno error) const { channel_->finish(id_, 0, to_number(error)); }
void TrappedCall::finish(const Outcome<void>& outcome) const {
  outcome ? finish(std::int64_t{0}) : finish(outcome.error());
}
void TrappedCall::resume() const { channel_->resume(id_); }
Outcome<void> TrappedCall::give(int descriptor, bool close_on_exec) const {
  return channel_->give(id_, descriptor, close_on_exec);
}

Outcome<void> TrappedCall::give_asked(int descriptor, bool close_on_exec) const {
  return channel_->give_asked(id_, thread_, descriptor, close_on_exec);
}

Outcome<void> TrappedCall::replace(int number, int descriptor) const {
  const auto old = take_descriptor(number);
  if (!old) return std::unexpected(old.error());
  return channel_->replace(id_, number, descriptor, is_closed_on_exec(thread_, number));
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
