#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include "socket_api/run/seccomp_source.h"

namespace transom::sockets::run {

namespace {

class SeccompChannel final : public CallChannel {
 public:
  explicit SeccompChannel(drivers::FileDescriptor listener) : listener_(std::move(listener)) {}
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
    seccomp_notif_addfd request{.id = id,
                                .flags = SECCOMP_ADDFD_FLAG_SEND,
                                .srcfd = static_cast<std::uint32_t>(descriptor),
                                .newfd = 0,
                                .newfd_flags = close_on_exec ? static_cast<std::uint32_t>(O_CLOEXEC) : 0};
    if (ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &request) >= 0) return {};
    if (errno == ENOENT) return fail(ESRCH);
    const int error = errno;  // EMFILE, most likely
    finish(id, 0, error);
    return fail(error);
  }
  bool replaces_at_once() const override { return true; }
  Outcome<void> replace(std::uint64_t id, int number, int descriptor, bool close_on_exec) const override {
    seccomp_notif_addfd request{.id = id,
                                .flags = SECCOMP_ADDFD_FLAG_SETFD,
                                .srcfd = static_cast<std::uint32_t>(descriptor),
                                .newfd = static_cast<std::uint32_t>(number),
                                .newfd_flags = close_on_exec ? static_cast<std::uint32_t>(O_CLOEXEC) : 0};
    if (ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &request) < 0) return fail(errno);
    return {};
  }

 private:
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
