#include "tests/unit/socket_api/sockets_under_test.h"

namespace transom::sockets {

namespace {

class KernelCalls final : public Calls {
 public:
  bool is_kernel() const override { return true; }
  int socket(int domain, int type, int protocol) override { return ::socket(domain, type, protocol); }
  int bind(int fd, const sockaddr* address, socklen_t length) override { return ::bind(fd, address, length); }
  int listen(int fd, int backlog) override { return ::listen(fd, backlog); }
  int accept4(int fd, sockaddr* address, socklen_t* length, int flags) override {
    return ::accept4(fd, address, length, flags);
  }
  int connect(int fd, const sockaddr* address, socklen_t length) override {
    return ::connect(fd, address, length);
  }
  ssize_t sendto(int fd, const void* buffer, size_t size, int flags, const sockaddr* to,
                 socklen_t length) override {
    return ::sendto(fd, buffer, size, flags, to, length);
  }
  ssize_t sendmsg(int fd, const msghdr* message, int flags) override { return ::sendmsg(fd, message, flags); }
  ssize_t recvfrom(int fd, void* buffer, size_t size, int flags, sockaddr* from, socklen_t* length) override {
    return ::recvfrom(fd, buffer, size, flags, from, length);
  }
  ssize_t recvmsg(int fd, msghdr* message, int flags) override { return ::recvmsg(fd, message, flags); }
  int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) override {
    return ::sendmmsg(fd, messages, count, flags);
  }
  int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) override {
    return ::recvmmsg(fd, messages, count, flags, timeout);
  }
  int shutdown(int fd, int how) override { return ::shutdown(fd, how); }
  int close(int fd) override { return ::close(fd); }
  int getsockname(int fd, sockaddr* address, socklen_t* length) override {
    return ::getsockname(fd, address, length);
  }
  int getpeername(int fd, sockaddr* address, socklen_t* length) override {
    return ::getpeername(fd, address, length);
  }
  int setsockopt(int fd, int level, int name, const void* value, socklen_t length) override {
    return ::setsockopt(fd, level, name, value, length);
  }
  int getsockopt(int fd, int level, int name, void* value, socklen_t* length) override {
    return ::getsockopt(fd, level, name, value, length);
  }
  int poll(pollfd* descriptors, nfds_t count, int timeout) override {
    return ::poll(descriptors, count, timeout);
  }
  int fcntl(int fd, int command, int argument) override { return ::fcntl(fd, command, argument); }
  int ioctl(int fd, unsigned long request, int* argument) override { return ::ioctl(fd, request, argument); }
  int epoll_create1(int flags) override { return ::epoll_create1(flags); }
  int epoll_ctl(int epfd, int operation, int fd, epoll_event* event) override {
    return ::epoll_ctl(epfd, operation, fd, event);
  }
  int epoll_ctl_kernel(int epfd, int operation, int fd, epoll_event* event) override {
    return ::epoll_ctl(epfd, operation, fd, event);
  }
  int epoll_wait(int epfd, epoll_event* events, int count, int timeout) override {
    return ::epoll_wait(epfd, events, count, timeout);
  }
  int epoll_descriptor(int epfd) override { return epfd; }
};

class TransomCalls final : public Calls {
 public:
  TransomCalls() {
    char error[200] = "";
    stack_ = transom_stack_create(nullptr, error, sizeof error);
    EXPECT_NE(stack_, nullptr) << error;
  }
  ~TransomCalls() override { transom_stack_destroy(stack_); }
  TransomCalls(const TransomCalls&) = delete;
  TransomCalls& operator=(const TransomCalls&) = delete;

  bool is_kernel() const override { return false; }
  int socket(int domain, int type, int protocol) override {
    return transom_socket(stack_, domain, type, protocol);
  }
  int bind(int fd, const sockaddr* address, socklen_t length) override {
    return transom_bind(stack_, fd, address, length);
  }
  int listen(int fd, int backlog) override { return transom_listen(stack_, fd, backlog); }
  int accept4(int fd, sockaddr* address, socklen_t* length, int flags) override {
    return transom_accept4(stack_, fd, address, length, flags);
  }
  int connect(int fd, const sockaddr* address, socklen_t length) override {
    return transom_connect(stack_, fd, address, length);
  }
  ssize_t sendto(int fd, const void* buffer, size_t size, int flags, const sockaddr* to,
                 socklen_t length) override {
    return transom_sendto(stack_, fd, buffer, size, flags, to, length);
  }
  ssize_t sendmsg(int fd, const msghdr* message, int flags) override {
    return transom_sendmsg(stack_, fd, message, flags);
  }
  ssize_t recvfrom(int fd, void* buffer, size_t size, int flags, sockaddr* from, socklen_t* length) override {
    return transom_recvfrom(stack_, fd, buffer, size, flags, from, length);
  }
  ssize_t recvmsg(int fd, msghdr* message, int flags) override {
    return transom_recvmsg(stack_, fd, message, flags);
  }
  int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) override {
    return transom_sendmmsg(stack_, fd, messages, count, flags);
  }
  int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) override {
    return transom_recvmmsg(stack_, fd, messages, count, flags, timeout);
  }
  int shutdown(int fd, int how) override { return transom_shutdown(stack_, fd, how); }
  int close(int fd) override { return transom_close(stack_, fd); }
  int getsockname(int fd, sockaddr* address, socklen_t* length) override {
    return transom_getsockname(stack_, fd, address, length);
  }
  int getpeername(int fd, sockaddr* address, socklen_t* length) override {
    return transom_getpeername(stack_, fd, address, length);
  }
  int setsockopt(int fd, int level, int name, const void* value, socklen_t length) override {
    return transom_setsockopt(stack_, fd, level, name, value, length);
  }
  int getsockopt(int fd, int level, int name, void* value, socklen_t* length) override {
    return transom_getsockopt(stack_, fd, level, name, value, length);
  }
  int poll(pollfd* descriptors, nfds_t count, int timeout) override {
    return transom_poll(stack_, descriptors, count, timeout);
  }
  int fcntl(int fd, int command, int argument) override {
    return transom_fcntl(stack_, fd, command, argument);
  }
  int ioctl(int fd, unsigned long request, int* argument) override {
    return transom_ioctl(stack_, fd, request, argument);
  }
  int epoll_create1(int flags) override { return transom_epoll_create1(stack_, flags); }
  int epoll_ctl(int epfd, int operation, int fd, epoll_event* event) override {
    return transom_epoll_ctl(stack_, epfd, operation, fd, event);
  }
  int epoll_ctl_kernel(int epfd, int operation, int fd, epoll_event* event) override {
    return transom_epoll_ctl_kernel(stack_, epfd, operation, fd, event);
  }
  int epoll_wait(int epfd, epoll_event* events, int count, int timeout) override {
    return transom_epoll_wait(stack_, epfd, events, count, timeout);
  }
  int epoll_descriptor(int epfd) override { return transom_epoll_descriptor(stack_, epfd); }

 private:
  transom_stack* stack_;
};

const sockaddr* generic(const sockaddr_storage& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}
sockaddr* generic(sockaddr_storage& address) { return reinterpret_cast<sockaddr*>(&address); }

}  // namespace

std::unique_ptr<Calls> make_kernel_calls() { return std::make_unique<KernelCalls>(); }
std::unique_ptr<Calls> make_transom_calls() { return std::make_unique<TransomCalls>(); }

std::string errno_name(int number) {
  const char* const name = strerrorname_np(number);
  return name != nullptr ? name : std::to_string(number);
}

sockaddr_storage BothTest::address(const char* text, std::uint16_t port) {
  sockaddr_storage storage{};
  if (std::strchr(text, ':') != nullptr) {
    sockaddr_in6 ipv6{};
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(port);
    EXPECT_EQ(inet_pton(AF_INET6, text, &ipv6.sin6_addr), 1) << text;
    std::memcpy(&storage, &ipv6, sizeof ipv6);
  } else {
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(port);
    EXPECT_EQ(inet_pton(AF_INET, text, &ipv4.sin_addr), 1) << text;
    std::memcpy(&storage, &ipv4, sizeof ipv4);
  }
  return storage;
}

socklen_t BothTest::length(const sockaddr_storage& address) {
  return address.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

std::uint16_t BothTest::port_of(const sockaddr_storage& address) {
  sockaddr_in ipv4;  // the port is in the same place in both
  std::memcpy(&ipv4, &address, sizeof ipv4);
  return ntohs(ipv4.sin_port);
}

std::string BothTest::text_of(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  const char* const octets = reinterpret_cast<const char*>(&address);
  const bool is_ipv6 = address.ss_family == AF_INET6;
  inet_ntop(address.ss_family,
            octets + (is_ipv6 ? offsetof(sockaddr_in6, sin6_addr) : offsetof(sockaddr_in, sin_addr)), text,
            sizeof text);
  return text;
}

int BothTest::socket_ok(int domain, int type, int protocol) {
  const int fd = calls_->socket(domain, type, protocol);
  EXPECT_GE(fd, 0) << errno_name(errno);
  return close_later(fd);
}

void BothTest::close_now(int fd) {
  EXPECT_EQ(calls_->close(fd), 0) << errno_name(errno);
  std::erase(open_, fd);
}

int BothTest::bind_to(int fd, const char* text, std::uint16_t port) {
  const auto to = address(text, port);
  return calls_->bind(fd, generic(to), length(to));
}

int BothTest::connect_to(int fd, const char* text, std::uint16_t port) {
  const auto to = address(text, port);
  return calls_->connect(fd, generic(to), length(to));
}

std::uint16_t BothTest::local_port(int fd) {
  sockaddr_storage local{};
  socklen_t size = sizeof local;
  EXPECT_EQ(calls_->getsockname(fd, generic(local), &size), 0);
  return port_of(local);
}

int BothTest::listener(const char* text, int backlog) {
  const int fd = socket_ok(std::strchr(text, ':') != nullptr ? AF_INET6 : AF_INET, SOCK_STREAM);
  EXPECT_EQ(bind_to(fd, text), 0) << errno_name(errno);
  EXPECT_EQ(calls_->listen(fd, backlog), 0) << errno_name(errno);
  return fd;
}

BothTest::Pair BothTest::connected_pair(const char* text) {
  const int listening = listener(text);
  const int client = socket_ok(std::strchr(text, ':') != nullptr ? AF_INET6 : AF_INET, SOCK_STREAM);
  EXPECT_EQ(connect_to(client, text, local_port(listening)), 0) << errno_name(errno);
  const int server = calls_->accept4(listening, nullptr, nullptr, 0);
  EXPECT_GE(server, 0) << errno_name(errno);
  close_now(listening);
  return {client, close_later(server)};
}

int BothTest::get_int(int fd, int level, int name) {
  int value = -12345;
  socklen_t size = sizeof value;
  EXPECT_EQ(calls_->getsockopt(fd, level, name, &value, &size), 0) << errno_name(errno);
  return value;
}

int BothTest::set_receive_timeout(int fd, int milliseconds) {
  const timeval time{.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
  return calls_->setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
}

ssize_t BothTest::send_to(int fd, std::string_view text, const char* to, std::uint16_t port, int flags) {
  const auto destination = address(to, port);
  return calls_->sendto(fd, text.data(), text.size(), flags, generic(destination), length(destination));
}

std::string BothTest::receive(int fd, std::size_t size, int flags) {
  std::string buffer(size, '\0');
  const ssize_t count = calls_->recvfrom(fd, buffer.data(), buffer.size(), flags, nullptr, nullptr);
  if (count < 0) return "-" + errno_name(errno);
  buffer.resize(std::min(buffer.size(), static_cast<std::size_t>(count)));
  return buffer;
}

short BothTest::poll_one(int fd, short events, int timeout) {
  pollfd entry{.fd = fd, .events = events, .revents = 0};
  EXPECT_GE(calls_->poll(&entry, 1, timeout), 0);
  return entry.revents;
}

}  // namespace transom::sockets
