// What programs meet whose sockets are pairs: bugs that programs have found, one test each.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include <gtest/gtest.h>

#include "tests/unit/socket_api/program_on_stack.h"

namespace transom::sockets::run {
namespace {

using namespace std::string_literals;

sockaddr_in6 loopback(std::uint16_t port = 0) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = in6addr_loopback;
  return address;
}

bool bind_to_loopback(int fd, sockaddr_in6& address) {
  address = loopback();
  socklen_t size = sizeof address;
  return bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
         getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
}

bool connect_to(int fd, const sockaddr_in6& address) {
  return connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

TEST(RunProgram, ControlMessagesAreCutWhereTheRoomEnds) {
  const auto program = [] {
    const int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    sockaddr_in6 address{};
    constexpr int kOn = 1;
    REQUIRE_HERE(bind_to_loopback(fd, address));
    REQUIRE_HERE(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &kOn, sizeof kOn) == 0);
    REQUIRE_HERE(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &kOn, sizeof kOn) == 0);
    REQUIRE_HERE(sendto(fd, "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 1);
    char octet = 0;
    iovec piece{&octet, 1};
    // One message and the head of another.
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int)) + CMSG_LEN(0)> control{};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    REQUIRE_HERE(recvmsg(fd, &message, 0) == 1);
    REQUIRE_HERE((message.msg_flags & MSG_CTRUNC) != 0);
    REQUIRE_HERE(message.msg_controllen == control.size());
    const cmsghdr* const first = CMSG_FIRSTHDR(&message);
    REQUIRE_HERE(first != nullptr && first->cmsg_len == CMSG_LEN(sizeof(int)));
    const cmsghdr* const second = CMSG_NXTHDR(&message, const_cast<cmsghdr*>(first));
    REQUIRE_HERE(second != nullptr && second->cmsg_len == CMSG_LEN(0));
    return ""s;
  };
  EXPECT_EQ(run_on_stack(program), "");
}

// Python's ssl module asks so whether it has a connection to wrap.
TEST(RunProgram, OneOctetOfASocketThatWasNeverConnectedIsRefused) {
  const auto program = [] {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    char octet = 0;
    REQUIRE_HERE(recv(fd, &octet, 1, 0) == -1 && errno == ENOTCONN);
    iovec piece{&octet, 1};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    REQUIRE_HERE(recvmsg(fd, &message, 0) == -1 && errno == ENOTCONN);
    REQUIRE_HERE(sendmsg(fd, &message, MSG_NOSIGNAL) == -1 && errno == EPIPE);
    REQUIRE_HERE(listen(fd, 1) == 0);
    REQUIRE_HERE(recv(fd, &octet, 1, 0) == -1 && errno == ENOTCONN);
    return ""s;
  };
  EXPECT_EQ(run_on_stack(program), "");
}

TEST(RunProgram, ShutdownWithoutAConnectionSaysSo) {
  const auto program = [] {
    const int stream = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE_HERE(shutdown(stream, SHUT_RDWR) == -1 && errno == ENOTCONN);
    const int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    REQUIRE_HERE(shutdown(datagrams, SHUT_RDWR) == -1 && errno == ENOTCONN);
    char octet = 0;
    REQUIRE_HERE(recvfrom(datagrams, &octet, 1, 0, nullptr, nullptr) == 0);
    const int listening = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE_HERE(listen(listening, 1) == 0 && shutdown(listening, SHUT_RD) == 0);
    REQUIRE_HERE(shutdown(listening, SHUT_RD) == -1 && errno == ENOTCONN);
    REQUIRE_HERE(listen(listening, 1) == 0);
    return ""s;
  };
  EXPECT_EQ(run_on_stack(program), "");
}

TEST(RunProgram, OctetsGoThroughAConnectionAndItsEndIsSeen) {
  const auto program = [] {
    const int listening = socket(AF_INET6, SOCK_STREAM, 0);
    sockaddr_in6 address{};
    REQUIRE_HERE(bind_to_loopback(listening, address) && listen(listening, 1) == 0);
    const int client = socket(AF_INET6, SOCK_STREAM, 0);
    REQUIRE_HERE(connect_to(client, address));
    const int server = accept(listening, nullptr, nullptr);
    REQUIRE_HERE(server >= 0);
    REQUIRE_HERE(write(client, "request", 7) == 7 && shutdown(client, SHUT_WR) == 0);
    std::string got;
    char octet = 0;
    while (recv(server, &octet, 1, 0) == 1) got += octet;
    REQUIRE_HERE(got == "request");
    REQUIRE_HERE(write(server, "answer", 6) == 6 && close(server) == 0);
    char text[16];
    REQUIRE_HERE(recv(client, text, sizeof text, MSG_WAITALL) == 6);
    return ""s;
  };
  EXPECT_EQ(run_on_stack(program), "");
}

// The kernel: EPIPE for who writes, and still the end for who reads.
TEST(RunProgram, ResetBehindTheEndIsNoErrorOfRead) {
  const auto program = [] {
    const int listening = socket(AF_INET6, SOCK_STREAM, 0);
    sockaddr_in6 address{};
    REQUIRE_HERE(bind_to_loopback(listening, address) && listen(listening, 1) == 0);
    const int client = socket(AF_INET6, SOCK_STREAM, 0);
    REQUIRE_HERE(connect_to(client, address));
    const int server = accept(listening, nullptr, nullptr);
    REQUIRE_HERE(server >= 0 && close(server) == 0);
    pollfd look{.fd = client, .events = POLLRDHUP, .revents = 0};
    REQUIRE_HERE(poll(&look, 1, 10000) == 1);
    REQUIRE_HERE(send(client, "x", 1, MSG_NOSIGNAL) == 1);  // is answered by a reset
    look.events = 0;
    REQUIRE_HERE(poll(&look, 1, 10000) == 1 && (look.revents & POLLHUP) != 0);
    REQUIRE_HERE(send(client, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
    char octet = 0;
    REQUIRE_HERE(recv(client, &octet, 1, 0) == 0);
    return ""s;
  };
  EXPECT_EQ(run_on_stack(program), "");
}

// With select() and a blocking accept(), a listener that looks ready and is not stops the program.
TEST(RunProgram, ListenerIsNotReadableOnceItsOnlyConnectionIsAccepted) {
  const auto program = [] {
    const int listening = socket(AF_INET6, SOCK_STREAM, 0);
    sockaddr_in6 address{};
    REQUIRE_HERE(bind_to_loopback(listening, address) && listen(listening, 1) == 0);
    for (int i = 0; i < 100; ++i) {
      const int client = socket(AF_INET6, SOCK_STREAM, 0);
      REQUIRE_HERE(connect_to(client, address));
      pollfd look{.fd = listening, .events = POLLIN, .revents = 0};
      REQUIRE_HERE(poll(&look, 1, 10000) == 1);
      const int server = accept(listening, nullptr, nullptr);
      REQUIRE_HERE(server >= 0 && poll(&look, 1, 0) == 0);
      REQUIRE_HERE(close(server) == 0 && close(client) == 0);
    }
    return ""s;
  };
  EXPECT_EQ(run_on_stack(program), "");
}

// A close() is not heard of but by the end of the pair: it must be looked for before the call behind it.
TEST(RunProgram, PortIsFreeAsSoonAsItsSocketIsClosed) {
  const auto program = [] {
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    sockaddr_in6 address{};
    REQUIRE_HERE(bind_to_loopback(fd, address));
    for (int i = 0; i < 500; ++i) {
      REQUIRE_HERE(close(fd) == 0);
      fd = socket(AF_INET6, SOCK_STREAM, 0);
      REQUIRE_HERE(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    return ""s;
  };
  EXPECT_EQ(run_on_stack(program), "");
}

// How much a program may write that nobody reads is bounded by what it has asked for.
TEST(RunProgram, SmallBuffersHoldLittle) {
  const auto program = [] {
    constexpr int kSmall = 4096;
    const int listening = socket(AF_INET6, SOCK_STREAM, 0);
    sockaddr_in6 address{};
    REQUIRE_HERE(setsockopt(listening, SOL_SOCKET, SO_RCVBUF, &kSmall, sizeof kSmall) == 0);
    REQUIRE_HERE(bind_to_loopback(listening, address) && listen(listening, 1) == 0);
    const int client = socket(AF_INET6, SOCK_STREAM, 0);
    REQUIRE_HERE(setsockopt(client, SOL_SOCKET, SO_SNDBUF, &kSmall, sizeof kSmall) == 0);
    REQUIRE_HERE(connect_to(client, address));
    constexpr timeval kPatience{.tv_sec = 0, .tv_usec = 100000};
    REQUIRE_HERE(setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience) == 0);
    const std::string piece(1024, 'x');
    std::size_t written = 0;
    while (written < 1 << 20 && send(client, piece.data(), piece.size(), 0) > 0) written += piece.size();
    REQUIRE_HERE(written < 64 << 10);
    return ""s;
  };
  EXPECT_EQ(run_on_stack(program), "");
}

}  // namespace
}  // namespace transom::sockets::run
