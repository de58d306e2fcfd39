// What the probes (tests/probes) have found of programs whose sockets are pairs, one test each.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>

#include <gtest/gtest.h>

#include "tests/unit/socket_api/program_on_stack.h"

namespace transom::sockets::run {
namespace {

using namespace std::string_literals;

sockaddr_in loopback(std::uint16_t port = 0) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int bound(int type, sockaddr_in& address) {
  const int fd = socket(AF_INET, type, 0);
  address = loopback();
  socklen_t size = sizeof address;
  const bool is_bound = bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                        getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  return is_bound ? fd : -1;
}

int connect_to(int fd, const sockaddr_in& address) {
  return connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

struct Connected {
  int client = -1;
  int server = -1;
};

Connected connected() {
  sockaddr_in address{};
  const int listener = bound(SOCK_STREAM, address);
  listen(listener, 8);
  Connected both{.client = socket(AF_INET, SOCK_STREAM, 0)};
  connect_to(both.client, address);
  both.server = accept(listener, nullptr, nullptr);
  close(listener);
  return both;
}

short wait_for(int fd, short events) {
  pollfd entry{.fd = fd, .events = events, .revents = 0};
  poll(&entry, 1, 2000);
  return entry.revents;
}

void reset(int fd) {
  constexpr linger kNow{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &kNow, sizeof kNow);
  close(fd);
}

int error_of(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

// A port where nobody listens.
sockaddr_in nobody(int type) {
  sockaddr_in address{};
  close(bound(type, address));
  usleep(50000);
  return address;
}

TEST(RunSmallBehaviours, AResetReachesAnAcceptedConnectionThatNothingWasAskedOf) {
  EXPECT_EQ(run_on_stack([] {
              const auto [client, server] = connected();
              reset(client);
              char octet = 0;
              REQUIRE_HERE(wait_for(server, POLLIN) != 0);
              REQUIRE_HERE(read(server, &octet, 1) == -1 && errno == ECONNRESET);
              return ""s;
            }),
            "");
}

TEST(RunSmallBehaviours, AClosedListenerResetsWhatNobodyHasAccepted) {
  EXPECT_EQ(run_on_stack([] {
              sockaddr_in address{};
              const int listener = bound(SOCK_STREAM, address);
              listen(listener, 8);
              const int client = socket(AF_INET, SOCK_STREAM, 0);
              REQUIRE_HERE(connect_to(client, address) == 0);
              wait_for(listener, POLLIN);
              close(listener);
              char octet = 0;
              REQUIRE_HERE(recv(client, &octet, 1, 0) == -1 && errno == ECONNRESET);
              return ""s;
            }),
            "");
}

TEST(RunSmallBehaviours, ASecondConnectTellsWhyTheFirstFailed) {
  EXPECT_EQ(run_on_stack([] {
              const sockaddr_in address = nobody(SOCK_STREAM);
              const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
              REQUIRE_HERE(connect_to(fd, address) == -1 && errno == EINPROGRESS);
              wait_for(fd, POLLOUT);
              REQUIRE_HERE(connect_to(fd, address) == -1 && errno == ECONNREFUSED);
              REQUIRE_HERE(connect_to(fd, address) == -1 && errno == EINPROGRESS);
              wait_for(fd, POLLOUT);
              REQUIRE_HERE(error_of(fd) == ECONNREFUSED);
              REQUIRE_HERE(connect_to(fd, address) == -1 && errno == ECONNABORTED);
              return ""s;
            }),
            "");
}

TEST(RunSmallBehaviours, ASecondConnectKeepsThePlacesOfTheFirst) {  // epolls, duplicates, options
  EXPECT_EQ(
      run_on_stack([] {
        const sockaddr_in nowhere = nobody(SOCK_STREAM);
        sockaddr_in address{};
        const int listener = bound(SOCK_STREAM, address);
        listen(listener, 8);
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        const int copy = dup(fd);
        constexpr timeval kSecond{.tv_sec = 1, .tv_usec = 0};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kSecond, sizeof kSecond);
        const int epoll = epoll_create1(0);
        epoll_event event{.events = EPOLLIN | EPOLLOUT, .data = {.u64 = 0x123456789abcdef}};
        REQUIRE_HERE(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
        REQUIRE_HERE(connect_to(fd, nowhere) == -1 && errno == EINPROGRESS);
        REQUIRE_HERE(epoll_wait(epoll, &event, 1, 2000) == 1 && (event.events & EPOLLHUP) != 0);
        REQUIRE_HERE(error_of(fd) == ECONNREFUSED);
        REQUIRE_HERE(connect_to(fd, address) == -1 && errno == ECONNABORTED);
        REQUIRE_HERE(connect_to(fd, address) == -1 && errno == EINPROGRESS);
        REQUIRE_HERE(epoll_wait(epoll, &event, 1, 2000) == 1 && event.events == EPOLLOUT);
        REQUIRE_HERE(event.data.u64 == 0x123456789abcdef);
        const int server = accept(listener, nullptr, nullptr);
        REQUIRE_HERE(write(copy, "a", 1) == 1);
        char octet = 0;
        REQUIRE_HERE(read(server, &octet, 1) == 1 && octet == 'a');
        REQUIRE_HERE(write(server, "b", 1) == 1);
        REQUIRE_HERE((wait_for(fd, POLLIN) & POLLIN) != 0);
        REQUIRE_HERE(epoll_wait(epoll, &event, 1, 2000) == 1 && (event.events & EPOLLIN) != 0);
        REQUIRE_HERE(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr) == 0);  // by the number that it had
        timeval timeout{};
        socklen_t size = sizeof timeout;
        REQUIRE_HERE(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, &size) == 0 && timeout.tv_sec == 1);
        REQUIRE_HERE(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(copy, F_GETFD) == 0);
        return ""s;
      }),
      "");
}

TEST(RunSmallBehaviours, AConnectedSocketSaysSoUntilItIsClosed) {
  EXPECT_EQ(run_on_stack([] {
              const auto [client, server] = connected();
              sockaddr_in address{};
              socklen_t size = sizeof address;
              REQUIRE_HERE(connect_to(client, loopback(9)) == -1 && errno == EISCONN);
              shutdown(client, SHUT_WR);
              shutdown(server, SHUT_WR);
              REQUIRE_HERE((wait_for(client, POLLHUP) & POLLHUP) != 0);
              REQUIRE_HERE(connect_to(client, loopback(9)) == -1 && errno == EISCONN);
              REQUIRE_HERE(getsockname(client, reinterpret_cast<sockaddr*>(&address), &size) == 0);
              REQUIRE_HERE(address.sin_family == AF_INET);
              REQUIRE_HERE(getpeername(client, reinterpret_cast<sockaddr*>(&address), &size) == -1 &&
                           errno == ENOTCONN);
              return ""s;
            }),
            "");
}

TEST(RunSmallBehaviours, AWriterIsToldOfAResetBehindTheEndOfTheStream) {
  EXPECT_EQ(run_on_stack([] {
              const auto [client, server] = connected();
              close(server);
              REQUIRE_HERE((wait_for(client, POLLRDHUP) & POLLRDHUP) != 0);
              REQUIRE_HERE(send(client, "a", 1, MSG_NOSIGNAL) == 1);
              REQUIRE_HERE((wait_for(client, POLLHUP) & POLLHUP) != 0);
              REQUIRE_HERE(send(client, "a", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
              char octet = 0;
              REQUIRE_HERE(read(client, &octet, 1) == 0);
              return ""s;
            }),
            "");
}

TEST(RunSmallBehaviours, AListenerThatWasShutCanListenAgain) {
  EXPECT_EQ(run_on_stack([] {
              sockaddr_in address{};
              const int listener = bound(SOCK_STREAM, address);
              listen(listener, 8);
              int error = 0;
              std::thread waiting([&] { error = accept(listener, nullptr, nullptr) == -1 ? errno : 0; });
              usleep(50000);
              REQUIRE_HERE(shutdown(listener, SHUT_RDWR) == 0);
              waiting.join();
              REQUIRE_HERE(error == EINVAL);
              REQUIRE_HERE(accept4(listener, nullptr, nullptr, 1) == -1 && errno == EINVAL);
              REQUIRE_HERE(listen(listener, 8) == 0);
              REQUIRE_HERE(connect_to(socket(AF_INET, SOCK_STREAM, 0), address) == 0);
              REQUIRE_HERE(accept(listener, nullptr, nullptr) >= 0);
              return ""s;
            }),
            "");
}

TEST(RunSmallBehaviours, TheUrgentMarkIsWhereTheProgramReads) {
  EXPECT_EQ(run_on_stack([] {
              const auto [client, server] = connected();
              constexpr int kOn = 1;
              REQUIRE_HERE(setsockopt(server, SOL_SOCKET, SO_OOBINLINE, &kOn, sizeof kOn) == 0);
              REQUIRE_HERE(send(client, "ab", 2, 0) == 2);
              REQUIRE_HERE(send(client, "u", 1, MSG_OOB) == 1);
              wait_for(server, POLLPRI);
              char octets[8];
              REQUIRE_HERE(recv(server, octets, sizeof octets, 0) == 2);
              int at_mark = 0;
              REQUIRE_HERE(ioctl(server, SIOCATMARK, &at_mark) == 0 && at_mark == 1);
              REQUIRE_HERE(recv(server, octets, sizeof octets, 0) == 1 && octets[0] == 'u');
              return ""s;
            }),
            "");
}

TEST(RunSmallBehaviours, AnErrorOfAConnectedUdpSocketWakes) {
  EXPECT_EQ(
      run_on_stack([] {
        const int fd = socket(AF_INET, SOCK_DGRAM, 0);
        REQUIRE_HERE(connect_to(fd, nobody(SOCK_DGRAM)) == 0);
        REQUIRE_HERE(send(fd, "a", 1, 0) == 1);
        REQUIRE_HERE(wait_for(fd, POLLIN) != 0);
        sockaddr_in from{};
        socklen_t size = sizeof from;
        char octets[8];
        REQUIRE_HERE(recvfrom(fd, octets, 8, 0, reinterpret_cast<sockaddr*>(&from), &size) == -1 &&
                     errno == ECONNREFUSED);
        REQUIRE_HERE(recvfrom(fd, octets, 8, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &size) == -1 &&
                     errno == EAGAIN);
        REQUIRE_HERE(send(fd, "a", 1, 0) == 1);
        REQUIRE_HERE(wait_for(fd, POLLIN) != 0);
        REQUIRE_HERE(error_of(fd) == ECONNREFUSED);
        REQUIRE_HERE(recv(fd, octets, 8, MSG_DONTWAIT) == -1 && errno == EAGAIN);
        return ""s;
      }),
      "");
}

TEST(RunSmallBehaviours, DatagramsAreSizedAndJoinedOneByOne) {
  EXPECT_EQ(run_on_stack([] {
              sockaddr_in address{};
              const int receiver = bound(SOCK_DGRAM, address);
              const int fd = socket(AF_INET, SOCK_DGRAM, 0);
              REQUIRE_HERE(connect_to(fd, address) == 0);
              REQUIRE_HERE(send(fd, "ab", 2, MSG_MORE) == 2);
              REQUIRE_HERE(send(fd, "cde", 3, 0) == 3);
              REQUIRE_HERE(send(fd, "f", 1, 0) == 1);
              wait_for(receiver, POLLIN);
              usleep(50000);
              int size = 0;
              REQUIRE_HERE(ioctl(receiver, FIONREAD, &size) == 0 && size == 5);
              char octets[8];
              REQUIRE_HERE(recv(receiver, octets, 8, 0) == 5);
              REQUIRE_HERE(ioctl(receiver, FIONREAD, &size) == 0 && size == 1);
              return ""s;
            }),
            "");
}

// A UDP socket with IP_RECVERR, and the error of what it has sent in its queue.
int with_a_report(sockaddr_in& nowhere) {
  sockaddr_in own{};
  const int fd = bound(SOCK_DGRAM, own);
  const int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
  nowhere = nobody(SOCK_DGRAM);
  sendto(fd, "lost", 4, 0, reinterpret_cast<const sockaddr*>(&nowhere), sizeof nowhere);
  return (wait_for(fd, POLLERR) & POLLERR) != 0 ? fd : -1;
}

ssize_t read_report(int fd) {
  std::array<char, 16> octets{};
  std::array<char, 256> control{};
  iovec piece{octets.data(), octets.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  return recvmsg(fd, &message, MSG_ERRQUEUE);
}

TEST(RunSmallBehaviours, WhatWaitsForTheErrorQueueShowsAsPollerrUntilItIsRead) {
  EXPECT_EQ(
      run_on_stack([] {
        sockaddr_in nowhere{};
        const int fd = with_a_report(nowhere);
        REQUIRE_HERE(fd >= 0);
        const int epoll = epoll_create1(0);
        epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
        REQUIRE_HERE(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
        REQUIRE_HERE(epoll_wait(epoll, &event, 1, 0) == 1 && (event.events & EPOLLERR) != 0);
        sockaddr_in own{};
        socklen_t size = sizeof own;
        getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size);
        sockaddr_in from{};
        const int other = bound(SOCK_DGRAM, from);
        const auto* to = reinterpret_cast<const sockaddr*>(&own);
        REQUIRE_HERE(sendto(other, "one", 3, 0, to, size) == 3 && sendto(other, "", 0, 0, to, size) == 0);
        usleep(20000);
        REQUIRE_HERE((wait_for(fd, 0) & POLLERR) != 0);  // they do not hide it
        REQUIRE_HERE(read_report(fd) == 4);
        REQUIRE_HERE(read_report(fd) == -1 && errno == EAGAIN);
        REQUIRE_HERE(wait_for(fd, POLLIN) == POLLIN);
        REQUIRE_HERE(epoll_wait(epoll, &event, 1, 0) == 1 && event.events == EPOLLIN);
        std::array<char, 8> octets{};
        REQUIRE_HERE(recv(fd, octets.data(), octets.size(), 0) == 3);
        REQUIRE_HERE(recv(fd, octets.data(), octets.size(), 0) == 0);
        REQUIRE_HERE(recv(fd, octets.data(), octets.size(), MSG_DONTWAIT) == -1 && errno == EAGAIN);
        return ""s;
      }),
      "");
}

TEST(RunSmallBehaviours, EachReportIsShownAndNothingThatWaitsIsLost) {
  EXPECT_EQ(
      run_on_stack([] {
        sockaddr_in nowhere{};
        sockaddr_in from{};
        const int fd = with_a_report(nowhere);
        const int other = bound(SOCK_DGRAM, from);
        REQUIRE_HERE(read_report(fd) == 4);
        sockaddr_in own{};
        socklen_t size = sizeof own;
        getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size);
        for (char octet = 'a'; octet < 'd'; ++octet) {
          REQUIRE_HERE(sendto(other, &octet, 1, 0, reinterpret_cast<sockaddr*>(&own), size) == 1);
          REQUIRE_HERE((wait_for(fd, POLLIN) & POLLIN) != 0);
          while (sendto(fd, "lost", 4, 0, reinterpret_cast<const sockaddr*>(&nowhere), sizeof nowhere) < 0) {
          }  // the error of the one before is told here, too
          REQUIRE_HERE((wait_for(fd, 0) & POLLERR) != 0);
        }
        for (int i = 0; i < 3; ++i) {
          REQUIRE_HERE((wait_for(fd, 0) & POLLERR) != 0);
          REQUIRE_HERE(read_report(fd) == 4);
        }
        for (char octet = 'a', got = 0; octet < 'd'; ++octet)
          REQUIRE_HERE(recv(fd, &got, 1, 0) == 1 && got == octet);
        REQUIRE_HERE(connect_to(fd, from) == 0 && send(fd, "there", 5, 0) == 5);
        std::array<char, 8> octets{};
        REQUIRE_HERE(recv(other, octets.data(), octets.size(), 0) == 5);
        return ""s;
      }),
      "");
}

TEST(RunSmallBehaviours, ASocketThatIsClosedWithAReportLeavesItsPort) {
  EXPECT_EQ(run_on_stack([] {
              sockaddr_in nowhere{};
              const int fd = with_a_report(nowhere);
              sockaddr_in own{};
              socklen_t size = sizeof own;
              getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size);
              wait_for(fd, 0);
              close(fd);
              const int again = socket(AF_INET, SOCK_DGRAM, 0);
              REQUIRE_HERE(bind(again, reinterpret_cast<const sockaddr*>(&own), size) == 0);
              return ""s;
            }),
            "");
}

TEST(RunSmallBehaviours, AProcessThatSharesTheSocketGetsTheNewPairToo) {
  EXPECT_EQ(run_on_stack([] {
              sockaddr_in nowhere{};
              const int fd = with_a_report(nowhere);
              std::array<int, 2> turns{};
              REQUIRE_HERE(pipe(turns.data()) == 0);
              const pid_t child = fork();
              if (child == 0) {  // once the parent has the new pair
                char turn = 0;
                sockaddr_in own{};
                socklen_t size = sizeof own;
                const bool is_good = read(turns[0], &turn, 1) == 1 &&
                                     getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
                                     sendto(fd, "self", 4, 0, reinterpret_cast<sockaddr*>(&own), size) == 4 &&
                                     recv(fd, &turn, 1, 0) == 1 && turn == 's';
                _exit(is_good ? 0 : 1);
              }
              REQUIRE_HERE(read_report(fd) == 4);
              REQUIRE_HERE(write(turns[1], "t", 1) == 1);
              int status = -1;
              REQUIRE_HERE(waitpid(child, &status, 0) == child && status == 0);
              return ""s;
            }),
            "");
}

}  // namespace
}  // namespace transom::sockets::run
