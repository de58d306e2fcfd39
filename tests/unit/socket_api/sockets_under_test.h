// The socket calls, made to Transom or to the kernel: a test that is written against this is judged by both.
// The kernel says what is right; where Transom differs on purpose, the test says so.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "socket_api/transom.h"

namespace transom::sockets {

class Calls {
 public:
  virtual ~Calls() = default;
  virtual bool is_kernel() const = 0;
  virtual int socket(int domain, int type, int protocol) = 0;
  virtual int bind(int fd, const sockaddr* address, socklen_t length) = 0;
  virtual int listen(int fd, int backlog) = 0;
  virtual int accept4(int fd, sockaddr* address, socklen_t* length, int flags) = 0;
  virtual int connect(int fd, const sockaddr* address, socklen_t length) = 0;
  virtual ssize_t sendto(int fd, const void* buffer, size_t size, int flags, const sockaddr* to,
                         socklen_t length) = 0;
  virtual ssize_t sendmsg(int fd, const msghdr* message, int flags) = 0;
  virtual ssize_t recvfrom(int fd, void* buffer, size_t size, int flags, sockaddr* from,
                           socklen_t* length) = 0;
  virtual ssize_t recvmsg(int fd, msghdr* message, int flags) = 0;
  virtual int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) = 0;
  virtual int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) = 0;
  virtual int shutdown(int fd, int how) = 0;
  virtual int close(int fd) = 0;
  virtual int getsockname(int fd, sockaddr* address, socklen_t* length) = 0;
  virtual int getpeername(int fd, sockaddr* address, socklen_t* length) = 0;
  virtual int setsockopt(int fd, int level, int name, const void* value, socklen_t length) = 0;
  virtual int getsockopt(int fd, int level, int name, void* value, socklen_t* length) = 0;
  virtual int poll(pollfd* descriptors, nfds_t count, int timeout) = 0;
  virtual int fcntl(int fd, int command, int argument) = 0;
  virtual int ioctl(int fd, unsigned long request, int* argument) = 0;
  virtual int epoll_create1(int flags) = 0;
  virtual int epoll_ctl(int epfd, int operation, int fd, epoll_event* event) = 0;
  // With a descriptor of the kernel.
  virtual int epoll_ctl_kernel(int epfd, int operation, int fd, epoll_event* event) = 0;
  virtual int epoll_wait(int epfd, epoll_event* events, int count, int timeout) = 0;
  virtual int epoll_descriptor(int epfd) = 0;
};

std::unique_ptr<Calls> make_kernel_calls();
std::unique_ptr<Calls> make_transom_calls();

enum class Implementation { kTransom, kKernel };

// A test of both. Methods that end in `_ok` expect success.
class BothTest : public testing::TestWithParam<Implementation> {
 protected:
  BothTest() : calls_(GetParam() == Implementation::kKernel ? make_kernel_calls() : make_transom_calls()) {}
  ~BothTest() override {
    for (const int fd : open_) calls_->close(fd);
  }

  Calls& calls() { return *calls_; }
  bool is_kernel() const { return calls_->is_kernel(); }

  static sockaddr_storage address(const char* text, std::uint16_t port);
  static socklen_t length(const sockaddr_storage& address);
  static std::uint16_t port_of(const sockaddr_storage& address);
  static std::string text_of(const sockaddr_storage& address);  // "127.0.0.1"

  int socket_ok(int domain, int type, int protocol = 0);
  int close_later(int fd) {
    open_.push_back(fd);
    return fd;
  }
  void close_now(int fd);
  int bind_to(int fd, const char* text, std::uint16_t port = 0);
  int connect_to(int fd, const char* text, std::uint16_t port);
  std::uint16_t local_port(int fd);

  // A socket that listens on a port of the given address.
  int listener(const char* text = "127.0.0.1", int backlog = 16);
  struct Pair {
    int client;
    int server;
  };
  Pair connected_pair(const char* text = "127.0.0.1");

  int set_int(int fd, int level, int name, int value) {
    return calls_->setsockopt(fd, level, name, &value, sizeof value);
  }
  int get_int(int fd, int level, int name);
  int set_text(int fd, int level, int name, std::string_view value) {
    return calls_->setsockopt(fd, level, name, value.data(), static_cast<socklen_t>(value.size()));
  }
  // What getsockopt() gives in `size` octets of room, up to the first zero.
  std::string get_text(int fd, int level, int name, std::size_t size) {
    std::string value(size, '?');
    auto length = static_cast<socklen_t>(size);
    EXPECT_EQ(calls_->getsockopt(fd, level, name, value.data(), &length), 0);
    EXPECT_EQ(length, size);
    return value.c_str();
  }
  int set_receive_timeout(int fd, int milliseconds);

  ssize_t send(int fd, std::string_view text, int flags = MSG_NOSIGNAL) {
    return calls_->sendto(fd, text.data(), text.size(), flags, nullptr, 0);
  }
  ssize_t send_to(int fd, std::string_view text, const char* to, std::uint16_t port,
                  int flags = MSG_NOSIGNAL);
  // What one recv() gives; "-EAGAIN" and the like when it fails.
  std::string receive(int fd, std::size_t size = 65536, int flags = 0);
  // The events of one descriptor, after waiting for any of `events`.
  short poll_one(int fd, short events, int timeout = 2000);

 private:
  std::unique_ptr<Calls> calls_;
  std::vector<int> open_;
};

std::string errno_name(int number);

// EXPECT that a call fails with this errno.
#define EXPECT_ERRNO(call, number)                               \
  do {                                                           \
    errno = 0;                                                   \
    const auto result_of_call = (call);                          \
    EXPECT_EQ(result_of_call, -1) << #call;                      \
    if (result_of_call == -1) {                                  \
      EXPECT_EQ(errno_name(errno), errno_name(number)) << #call; \
    }                                                            \
  } while (false)

#define INSTANTIATE_BOTH(suite)                                                        \
  INSTANTIATE_TEST_SUITE_P(                                                            \
      Both, suite, testing::Values(Implementation::kTransom, Implementation::kKernel), \
      [](const auto& instance) { return instance.param == Implementation::kKernel ? "Kernel" : "Transom"; })

}  // namespace transom::sockets
