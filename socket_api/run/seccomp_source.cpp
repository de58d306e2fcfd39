#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include "socket_api/run/asked_numbers.h"
#include "socket_api/run/seccomp_source.h"

namespace transom::sockets::run {

namespace {

// Of <linux/seccomp.h> since Linux 6.6, whatever the headers at hand know: the supervisor runs where the
// caller does, which waits for it, and the caller goes on there. Without it each hand-over wakes another
// processor.
constexpr unsigned long kSetFlags = SECCOMP_IOW(4, std::uint64_t);  // SECCOMP_IOCTL_NOTIF_SET_FLAGS
constexpr std::uint64_t kSyncWakeUp = 1;                            // SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP

class SeccompChannel final : public CallChannel {
 public:
  explicit SeccompChannel(drivers::FileDescriptor listener) : listener_(std::move(listener)) {
    (void)ioctl(listener_.get(), kSetFlags, kSyncWakeUp);  // older kernels do without
  }
  int listener() const { return listener_.get(); }

  bool is_alive(std::uint64_t id) const override {
    return ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
  }
  void finish(std::uint64_t id, std::int64_t value, int error) const override {
    respond({.id = id, .val = value, .error = -error, .flags = 0});
  }
  void resume(std::uint64_t id) const override {
    respond({.id = id, .val = 0, .error = 0, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE});
  }
  Outcome<void> give(std::uint64_t id, int descriptor, bool close_on_exec) const override {
    if (add(id, SECCOMP_ADDFD_FLAG_SEND, descriptor, 0, close_on_exec)) return {};
    if (errno == ENOENT) return fail(ESRCH);
    const int error = errno;  // EMFILE, most likely
    finish(id, 0, error);
    return fail(error);
  }
  Outcome<void> give_asked(std::uint64_t id, pid_t thread, int descriptor,
                           bool close_on_exec) const override {
    for (int number = TRANSOM_ASKED_FIRST; number < TRANSOM_ASKED_END; ++number) {
      const auto occupant = take_descriptor(thread, number);
      if (occupant) continue;
      if (occupant.error() != Errno{EBADF}) break;
      if (add(id, SECCOMP_ADDFD_FLAG_SEND | SECCOMP_ADDFD_FLAG_SETFD, descriptor, number, close_on_exec))
        return {};
      if (errno == ENOENT) return fail(ESRCH);
      if (errno != EBUSY) break;  // EBUSY: it is being opened; EBADF: beyond the limit of open files
    }
    return give(id, descriptor, close_on_exec);
  }
  bool replaces_at_once() const override { return true; }
  Outcome<void> replace(std::uint64_t id, int number, int descriptor, bool close_on_exec) const override {
    if (!add(id, SECCOMP_ADDFD_FLAG_SETFD, descriptor, number, close_on_exec)) return fail(errno);
    return {};
  }

 private:
  // False: errno says why.
  bool add(std::uint64_t id, std::uint32_t flags, int descriptor, int number, bool close_on_exec) const {
    seccomp_notif_addfd request{.id = id,
                                .flags = flags,
                                .srcfd = static_cast<std::uint32_t>(descriptor),
                                .newfd = static_cast<std::uint32_t>(number),
                                .newfd_flags = close_on_exec ? static_cast<std::uint32_t>(O_CLOEXEC) : 0};
    return ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &request) >= 0;
  }
  void respond(seccomp_notif_resp response) const {
    (void)ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, &response);  // ENOENT: nobody waits any more
  }

  drivers::FileDescriptor listener_;
};

class SeccompSource final : public CallSource {
 public:
  explicit SeccompSource(drivers::FileDescriptor listener)
      : channel_(std::make_shared<SeccompChannel>(std::move(listener))) {}
  int descriptor() const override { return channel_->listener(); }
  std::optional<TrappedCall> next() override {
    seccomp_notif notification{};
    if (ioctl(channel_->listener(), SECCOMP_IOCTL_NOTIF_RECV, &notification) != 0) return std::nullopt;
    return TrappedCall(channel_, notification.id, static_cast<pid_t>(notification.pid), notification.data);
  }

 private:
  std::shared_ptr<SeccompChannel> channel_;
};

}  // namespace

std::unique_ptr<CallSource> make_seccomp_source(drivers::FileDescriptor listener) {
  return std::make_unique<SeccompSource>(std::move(listener));
}

}  // namespace transom::sockets::run
