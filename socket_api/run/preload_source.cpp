#include "socket_api/run/preload_source.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <system_error>
#include <unordered_map>

#include "drivers/descriptor_message.h"
#include "socket_api/run/preload_protocol.h"

namespace transom::sockets::run {

namespace {

// The connection of one call.
class PreloadChannel final : public CallChannel {
 public:
  explicit PreloadChannel(drivers::FileDescriptor connection) : connection_(std::move(connection)) {}

  bool is_alive(std::uint64_t) const override {
    char octet = 0;
    return recv(connection_.get(), &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }
  void finish(std::uint64_t, std::int64_t value, int error) const override {
    (void)answer({.value = value, .error = error, .kind = TRANSOM_FINISH}, -1);
  }
  void resume(std::uint64_t) const override {
    (void)answer({.value = 0, .error = 0, .kind = TRANSOM_RESUME}, -1);
  }
  Outcome<void> give(std::uint64_t, int descriptor, bool close_on_exec) const override {
    return give_as(close_on_exec ? TRANSOM_CLOSE_ON_EXEC : 0, descriptor);
  }
  Outcome<void> give_asked(std::uint64_t, pid_t, int descriptor, bool close_on_exec) const override {
    return give_as(TRANSOM_ASKED_NUMBER | (close_on_exec ? TRANSOM_CLOSE_ON_EXEC : 0), descriptor);
  }
  bool replaces_at_once() const override { return false; }
  Outcome<void> replace(std::uint64_t, int number, int descriptor, bool) const override {  // it knows
    return answer({.value = number, .error = 0, .kind = TRANSOM_REPLACE}, descriptor);
  }

 private:
  Outcome<void> give_as(int giving, int descriptor) const {
    return answer({.value = giving, .error = 0, .kind = TRANSOM_GIVE}, descriptor);
  }
  Outcome<void> answer(transom_answer text, int descriptor) const {
    const Bytes octets(reinterpret_cast<const std::uint8_t*>(&text), sizeof text);
    if (drivers::send_with_descriptor(connection_.get(), octets, descriptor, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
      return fail(ESRCH);
    return {};
  }

  drivers::FileDescriptor connection_;
};

class PreloadSource final : public CallSource {
 public:
  explicit PreloadSource(drivers::FileDescriptor listener)
      : listener_(std::move(listener)), events_(epoll_create1(EPOLL_CLOEXEC)) {
    if (!events_ || !watch(listener_.get())) throw std::system_error(errno, std::generic_category(), "epoll");
  }

  int descriptor() const override { return events_.get(); }

  std::optional<TrappedCall> next() override {
    while (true) {
      epoll_event event{};
      if (epoll_wait(events_.get(), &event, 1, 0) <= 0) return std::nullopt;
      if (event.data.fd == listener_.get()) {
        drivers::FileDescriptor connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!connection) return std::nullopt;  // too many open files: when some are closed
        if (watch(connection.get())) {
          const int number = connection.get();
          connections_[number] = std::move(connection);
        }
      } else if (const auto call = take(event.data.fd)) {
        return call;
      }
    }
  }

 private:
  bool watch(int descriptor) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
    return epoll_ctl(events_.get(), EPOLL_CTL_ADD, descriptor, &event) == 0;
  }

  // The request of a connection, which leaves the list of those that have yet to make theirs.
  std::optional<TrappedCall> take(int number) {
    drivers::FileDescriptor connection = std::move(connections_.at(number));
    connections_.erase(number);
    epoll_ctl(events_.get(), EPOLL_CTL_DEL, number, nullptr);
    transom_request request{};
    ucred who{};
    socklen_t size = sizeof who;
    if (recv(number, &request, sizeof request, MSG_DONTWAIT) != sizeof request ||
        getsockopt(number, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
      return std::nullopt;
    seccomp_data data{};
    data.nr = static_cast<int>(request.number);
    std::ranges::copy(request.arguments, data.args);
    return TrappedCall(std::make_shared<PreloadChannel>(std::move(connection)), 0, who.pid, data);
  }

  drivers::FileDescriptor listener_;
  drivers::FileDescriptor events_;
  std::unordered_map<int, drivers::FileDescriptor> connections_;
};

}  // namespace

std::unique_ptr<CallSource> make_preload_source(drivers::FileDescriptor listener) {
  return std::make_unique<PreloadSource>(std::move(listener));
}

Outcome<drivers::FileDescriptor> listen_for_preload() {
  drivers::FileDescriptor listener(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  constexpr char kName[] = TRANSOM_PRELOAD_NAME;
  std::copy_n(kName, sizeof kName - 1, address.sun_path);
  constexpr socklen_t kSize = offsetof(sockaddr_un, sun_path) + sizeof kName - 1;
  if (!listener || bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), kSize) != 0 ||
      listen(listener.get(), SOMAXCONN) != 0)
    return fail(errno);
  return listener;
}

}  // namespace transom::sockets::run
