// Threads that share sockets and close them under each other: nothing may hang, crash or be lost.
#include <atomic>
#include <thread>

#include "tests/unit/socket_api/sockets_under_test.h"

namespace transom::sockets {
namespace {

class SharedSockets : public testing::Test {
 protected:
  SharedSockets() : stack_(transom_stack_create(nullptr, nullptr, 0)) { EXPECT_NE(stack_, nullptr); }
  ~SharedSockets() override { transom_stack_destroy(stack_); }

  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  int bound(int type) {
    const int fd = transom_socket(stack_, AF_INET, type, 0);
    const sockaddr_in any = loopback(0);
    EXPECT_EQ(transom_bind(stack_, fd, reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
    return fd;
  }
  sockaddr_in address_of(int fd) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    EXPECT_EQ(transom_getsockname(stack_, fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    return address;
  }

  transom_stack* stack_;
};

TEST_F(SharedSockets, LoseNoDatagramBetweenReaders) {
  constexpr int kReaders = 3, kWriters = 3, kEach = 200;
  const int receiver = bound(SOCK_DGRAM);
  const int buffer = 8 << 20;
  EXPECT_EQ(transom_setsockopt(stack_, receiver, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer), 0);
  const sockaddr_in to = address_of(receiver);
  const int sender = bound(SOCK_DGRAM);
  std::array<std::atomic<int>, kWriters * kEach> seen{};
  std::vector<std::thread> readers, writers;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] {
      int number = 0;
      while (transom_recv(stack_, receiver, &number, sizeof number, 0) == sizeof number && number >= 0)
        ++seen[static_cast<std::size_t>(number)];
    });
  }
  const auto send = [&](int number) {
    EXPECT_EQ(transom_sendto(stack_, sender, &number, sizeof number, 0,
                             reinterpret_cast<const sockaddr*>(&to), sizeof to),
              static_cast<ssize_t>(sizeof number));
  };
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([&, i] {
      for (int j = 0; j < kEach; ++j) send(i * kEach + j);
    });
  }
  for (std::thread& thread : writers) thread.join();
  for (int i = 0; i < kReaders; ++i) send(-1);
  for (std::thread& thread : readers) thread.join();
  for (const auto& count : seen) EXPECT_EQ(count, 1);
}

TEST_F(SharedSockets, WakeEveryCallWhenClosed) {
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    const int listener = bound(SOCK_STREAM);
    EXPECT_EQ(transom_listen(stack_, listener, 8), 0);
    const sockaddr_in to = address_of(listener);
    const int client = transom_socket(stack_, AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(transom_connect(stack_, client, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    const int server = transom_accept(stack_, listener, nullptr, nullptr);
    EXPECT_GE(server, 0);
    const int epfd = transom_epoll_create1(stack_, 0);
    epoll_event event{};
    event.events = EPOLLIN;
    EXPECT_EQ(transom_epoll_ctl(stack_, epfd, EPOLL_CTL_ADD, server, &event), 0);

    std::atomic<int> ready = 0;
    std::vector<std::thread> blocked;
    const auto block = [&](auto call) {
      blocked.emplace_back([&ready, call] {
        ++ready;
        errno = 0;
        EXPECT_EQ(call(), -1);
        EXPECT_EQ(errno_name(errno), "EBADF");
      });
    };
    block([&] { return transom_accept(stack_, listener, nullptr, nullptr); });
    block([&] {
      char octet;
      return static_cast<int>(transom_recv(stack_, server, &octet, 1, 0));
    });
    block([&] {
      char octet;
      return static_cast<int>(transom_recv(stack_, server, &octet, 1, MSG_PEEK));
    });
    block([&] {
      epoll_event got;
      return transom_epoll_wait(stack_, epfd, &got, 1, -1);
    });
    while (ready < 4) std::this_thread::yield();
    for (const int fd : {listener, server, epfd}) EXPECT_EQ(transom_close(stack_, fd), 0);
    for (std::thread& thread : blocked) thread.join();
    EXPECT_EQ(transom_close(stack_, client), 0);
  }
}

TEST_F(SharedSockets, ComeAndGoUnderAnEpollThatSeveralWaitFor) {
  constexpr int kThreads = 3, kConnections = 60;
  const int listener = bound(SOCK_STREAM);
  EXPECT_EQ(transom_listen(stack_, listener, 64), 0);
  int on = 1;
  EXPECT_EQ(transom_ioctl(stack_, listener, FIONBIO, &on), 0);
  const sockaddr_in to = address_of(listener);
  const int epfd = transom_epoll_create1(stack_, 0);
  const auto watch = [&](int fd, int operation) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLONESHOT;
    event.data.fd = fd;
    transom_epoll_ctl(stack_, epfd, operation, fd, &event);
  };
  watch(listener, EPOLL_CTL_ADD);
  std::vector<std::thread> servers;
  for (int i = 0; i < kThreads; ++i) {
    servers.emplace_back([&] {
      epoll_event event{};
      while (transom_epoll_wait(stack_, epfd, &event, 1, -1) == 1) {
        const int fd = event.data.fd;
        if (fd == listener) {
          const int client = transom_accept4(stack_, listener, nullptr, nullptr, SOCK_NONBLOCK);
          watch(listener, EPOLL_CTL_MOD);
          if (client >= 0) watch(client, EPOLL_CTL_ADD);
          continue;
        }
        char text[100];
        const ssize_t size = transom_recv(stack_, fd, text, sizeof text, 0);
        if (size > 0) {
          EXPECT_EQ(transom_send(stack_, fd, text, static_cast<size_t>(size), 0), size);
          watch(fd, EPOLL_CTL_MOD);
        } else {
          EXPECT_EQ(transom_close(stack_, fd), 0);
        }
      }
      EXPECT_EQ(errno_name(errno), "EBADF");
    });
  }
  std::vector<std::thread> clients;
  for (int i = 0; i < kThreads; ++i) {
    clients.emplace_back([&] {
      for (int j = 0; j < kConnections / kThreads; ++j) {
        const int fd = transom_socket(stack_, AF_INET, SOCK_STREAM, 0);
        ASSERT_EQ(transom_connect(stack_, fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0)
            << errno_name(errno);
        char text[5] = "";
        EXPECT_EQ(transom_send(stack_, fd, "hello", 5, 0), 5);
        EXPECT_EQ(transom_recv(stack_, fd, text, sizeof text, MSG_WAITALL), 5);
        EXPECT_EQ(transom_close(stack_, fd), 0);
      }
    });
  }
  for (std::thread& thread : clients) thread.join();
  EXPECT_EQ(transom_close(stack_, epfd), 0);
  for (std::thread& thread : servers) thread.join();
}

}  // namespace
}  // namespace transom::sockets
