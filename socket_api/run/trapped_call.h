// One system call of the program that is held until the supervisor answers it.
#pragma once

#include <linux/seccomp.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "drivers/file_descriptor.h"
#include "socket_api/outcome.h"
#include "socket_api/run/call_channel.h"
#include "stack/base/bytes.h"

namespace transom::sockets::run {

// To be answered exactly once: by finish(), resume() or give(). The calling thread may be killed or
// interrupted at any time; then the answers go nowhere, and the call may come again. What a handler does must
// bear that.
class TrappedCall {
 public:
  TrappedCall() = default;
  // `thread`: who made it; a process where it is not known which thread.
  TrappedCall(std::shared_ptr<const CallChannel> channel, std::uint64_t id, pid_t thread,
              const seccomp_data& data)
      : channel_(std::move(channel)), id_(id), thread_(thread), data_(data) {}

  int number() const { return data_.nr; }
  pid_t thread() const { return thread_; }
  std::uint64_t argument(int index) const { return data_.args[index]; }
  int int_argument(int index) const { return static_cast<int>(data_.args[index]); }

  // The thread still waits for the answer. Before it is relied on that `thread()` is who it was.
  bool is_alive() const;

  // --- the answers
  void finish(std::int64_t value) const;
  void finish(const Outcome<void>& outcome) const;
  void finish(Errno error) const;
  void resume() const;  // let the kernel do it
  // `descriptor` becomes one of the program's, whose number is the result; close_on_exec for O_CLOEXEC.
  // ESRCH when nobody waits any more: the descriptor went nowhere.
  Outcome<void> give(int descriptor, bool close_on_exec) const;
  // The same, with a number of which all is asked (asked_numbers.h) if there is one to be had.
  Outcome<void> give_asked(int descriptor, bool close_on_exec) const;
  // `descriptor` takes the place of the program's `number`, and is closed on exec if that was; the call is
  // still to be answered.
  Outcome<void> replace(int number, int descriptor) const;
  bool replaces_at_once() const { return channel_->replaces_at_once(); }

  // --- the program's memory. EFAULT as the kernel would say it.
  Outcome<void> read(std::uint64_t address, MutableBytes out) const;
  Outcome<void> write(std::uint64_t address, Bytes data) const;
  template <typename T>
  Outcome<T> read_value(std::uint64_t address) const {
    T value;
    const auto done = read(address, {reinterpret_cast<std::uint8_t*>(&value), sizeof value});
    if (!done) return std::unexpected(done.error());
    return value;
  }
  template <typename T>
  Outcome<void> write_value(std::uint64_t address, const T& value) const {
    return write(address, Bytes(reinterpret_cast<const std::uint8_t*>(&value), sizeof value));
  }

  // The program's descriptor of that number, as one of ours. EBADF.
  Outcome<drivers::FileDescriptor> take_descriptor(int number) const;

 private:
  std::shared_ptr<const CallChannel> channel_;
  std::uint64_t id_ = 0;
  pid_t thread_ = 0;
  seccomp_data data_{};
};

// Descriptor `number` of the process or thread `id`. EBADF, ESRCH, EPERM.
Outcome<drivers::FileDescriptor> take_descriptor(pid_t id, int number);

}  // namespace transom::sockets::run
