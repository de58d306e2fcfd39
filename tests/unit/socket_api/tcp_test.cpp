// Streams over the loopback interface, on Transom and on the kernel.
#include <linux/sockios.h>

#include <atomic>
#include <numeric>
#include <thread>

#include "tests/unit/socket_api/sockets_under_test.h"

namespace transom::sockets {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr short kAll = POLLIN | POLLOUT | POLLPRI | POLLRDHUP;

class TcpSockets : public BothTest {
 protected:
  // A port that nobody listens on.
  std::uint16_t closed_port() {
    const int fd = listener();
    const std::uint16_t port = local_port(fd);
    close_now(fd);
    return port;
  }
};
INSTANTIATE_BOTH(TcpSockets);

TEST_P(TcpSockets, CarryOctetsBothWays) {
  for (const char* text : {"127.0.0.1", "::1"}) {
    const auto pair = connected_pair(text);
    EXPECT_EQ(send(pair.client, "hello"), 5);
    EXPECT_EQ(receive(pair.server), "hello");
    EXPECT_EQ(send(pair.server, "world"), 5);
    EXPECT_EQ(receive(pair.client), "world");
  }
}

TEST_P(TcpSockets, TellBothAddresses) {
  const int listening = listener();
  const int client = socket_ok(AF_INET, SOCK_STREAM);
  ASSERT_EQ(connect_to(client, "127.0.0.1", local_port(listening)), 0);
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  const int server = close_later(calls().accept4(listening, reinterpret_cast<sockaddr*>(&peer), &size, 0));
  EXPECT_EQ(size, sizeof(sockaddr_in));
  EXPECT_EQ(text_of(peer), "127.0.0.1");
  EXPECT_EQ(port_of(peer), local_port(client));
  EXPECT_EQ(local_port(server), local_port(listening));
  size = sizeof peer;
  EXPECT_EQ(calls().getpeername(client, reinterpret_cast<sockaddr*>(&peer), &size), 0);
  EXPECT_EQ(port_of(peer), local_port(listening));
}

TEST_P(TcpSockets, ShowIpv4PeersOfADualStackListenerAsMapped) {
  const int listening = listener("::");
  const int client = socket_ok(AF_INET, SOCK_STREAM);
  ASSERT_EQ(connect_to(client, "127.0.0.1", local_port(listening)), 0) << errno_name(errno);
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  const int server = close_later(calls().accept4(listening, reinterpret_cast<sockaddr*>(&peer), &size, 0));
  EXPECT_EQ(size, sizeof(sockaddr_in6));
  EXPECT_EQ(text_of(peer), "::ffff:127.0.0.1");
  EXPECT_EQ(send(server, "six"), 3);
  EXPECT_EQ(receive(client), "six");

  const int mapped = socket_ok(AF_INET6, SOCK_STREAM);
  EXPECT_EQ(connect_to(mapped, "::ffff:127.0.0.1", local_port(listening)), 0) << errno_name(errno);
}

TEST_P(TcpSockets, KeepIpv4FromAV6OnlyListener) {
  const int listening = socket_ok(AF_INET6, SOCK_STREAM);
  EXPECT_EQ(set_int(listening, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
  EXPECT_EQ(bind_to(listening, "::"), 0);
  EXPECT_EQ(calls().listen(listening, 1), 0);
  const int client = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_ERRNO(connect_to(client, "127.0.0.1", local_port(listening)), ECONNREFUSED);
  const int other = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_EQ(bind_to(other, "0.0.0.0", local_port(listening)), 0) << "the port is free for IPv4";
}

TEST_P(TcpSockets, AreRefusedAndCanTryAgain) {
  const std::uint16_t port = closed_port();
  const int client = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_ERRNO(connect_to(client, "127.0.0.1", port), ECONNREFUSED);
  EXPECT_ERRNO(connect_to(client, "127.0.0.1", port), ECONNREFUSED);
  EXPECT_EQ(get_int(client, SOL_SOCKET, SO_ERROR), 0);
  EXPECT_EQ(receive(client), "-ENOTCONN");
  const int listening = listener();
  EXPECT_EQ(connect_to(client, "127.0.0.1", local_port(listening)), 0) << errno_name(errno);
  EXPECT_ERRNO(connect_to(client, "127.0.0.1", local_port(listening)), EISCONN);
}

TEST_P(TcpSockets, ConnectWithoutBlocking) {
  const int listening = listener();
  const int client = socket_ok(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  EXPECT_ERRNO(connect_to(client, "127.0.0.1", local_port(listening)), EINPROGRESS);
  EXPECT_EQ(poll_one(client, POLLOUT), POLLOUT);
  EXPECT_EQ(get_int(client, SOL_SOCKET, SO_ERROR), 0);
  EXPECT_EQ(connect_to(client, "127.0.0.1", local_port(listening)), 0)
      << "the first call after the handshake says so";
  EXPECT_ERRNO(connect_to(client, "127.0.0.1", local_port(listening)), EISCONN);
  EXPECT_EQ(receive(client), "-EAGAIN");
}

TEST_P(TcpSockets, TellARefusalByPollOnce) {
  const int client = socket_ok(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  EXPECT_ERRNO(connect_to(client, "127.0.0.1", closed_port()), EINPROGRESS);
  EXPECT_EQ(poll_one(client, kAll), POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
  EXPECT_EQ(get_int(client, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  EXPECT_EQ(get_int(client, SOL_SOCKET, SO_ERROR), 0);
  EXPECT_EQ(poll_one(client, kAll), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
  EXPECT_EQ(receive(client), "");
  EXPECT_ERRNO(send(client, "x"), EPIPE);
}

TEST_P(TcpSockets, TellARefusalByASecondConnect) {
  const std::uint16_t port = closed_port();
  const int client = socket_ok(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  EXPECT_ERRNO(connect_to(client, "127.0.0.1", port), EINPROGRESS);
  poll_one(client, POLLOUT);
  EXPECT_ERRNO(connect_to(client, "127.0.0.1", port), ECONNREFUSED);
  EXPECT_ERRNO(connect_to(client, "127.0.0.1", port), EINPROGRESS);
  poll_one(client, POLLOUT);
  EXPECT_EQ(get_int(client, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  EXPECT_ERRNO(connect_to(client, "127.0.0.1", port), ECONNABORTED);
}

TEST_P(TcpSockets, AcceptWithoutBlocking) {
  const int listening = listener();
  EXPECT_EQ(calls().fcntl(listening, F_SETFL, O_NONBLOCK), 0);
  EXPECT_ERRNO(calls().accept4(listening, nullptr, nullptr, 0), EAGAIN);
  EXPECT_EQ(poll_one(listening, POLLIN, 0), 0);
  const int client = socket_ok(AF_INET, SOCK_STREAM);
  ASSERT_EQ(connect_to(client, "127.0.0.1", local_port(listening)), 0);
  EXPECT_EQ(poll_one(listening, POLLIN), POLLIN);
  const int server = close_later(calls().accept4(listening, nullptr, nullptr, SOCK_NONBLOCK));
  EXPECT_EQ(receive(server), "-EAGAIN");
  EXPECT_EQ(poll_one(listening, POLLIN, 0), 0);
}

TEST_P(TcpSockets, CloseEachDirectionOnItsOwn) {
  const auto pair = connected_pair();
  EXPECT_EQ(send(pair.client, "last words"), 10);
  EXPECT_EQ(calls().shutdown(pair.client, SHUT_WR), 0);
  EXPECT_ERRNO(send(pair.client, "x"), EPIPE);
  EXPECT_EQ(receive(pair.server), "last words");
  EXPECT_EQ(receive(pair.server), "");
  EXPECT_EQ(poll_one(pair.server, kAll), POLLIN | POLLOUT | POLLRDHUP);
  EXPECT_EQ(send(pair.server, "answer"), 6);
  EXPECT_EQ(receive(pair.client), "answer");
  EXPECT_EQ(poll_one(pair.client, kAll, 0), POLLOUT);
  EXPECT_EQ(calls().shutdown(pair.server, SHUT_WR), 0);
  EXPECT_EQ(receive(pair.client), "");
  EXPECT_EQ(poll_one(pair.client, kAll), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
}

TEST_P(TcpSockets, ReadTheEndAfterShuttingDownReading) {
  const auto pair = connected_pair();
  EXPECT_EQ(calls().shutdown(pair.client, SHUT_RD), 0);
  EXPECT_EQ(receive(pair.client), "");
  EXPECT_EQ(poll_one(pair.client, kAll, 0), POLLIN | POLLOUT | POLLRDHUP);
  EXPECT_EQ(send(pair.client, "still writing"), 13);
  EXPECT_EQ(receive(pair.server), "still writing");
}

TEST_P(TcpSockets, ResetWhenClosedWithUnreadOctets) {
  const auto pair = connected_pair();
  EXPECT_EQ(send(pair.client, "unread"), 6);
  EXPECT_EQ(poll_one(pair.server, POLLIN), POLLIN);
  close_now(pair.server);
  EXPECT_EQ(poll_one(pair.client, kAll), POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
  EXPECT_EQ(receive(pair.client), "-ECONNRESET");
  EXPECT_EQ(receive(pair.client), "");
  EXPECT_ERRNO(send(pair.client, "x"), EPIPE);
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  EXPECT_ERRNO(calls().getpeername(pair.client, reinterpret_cast<sockaddr*>(&peer), &size), ENOTCONN);
  EXPECT_ERRNO(calls().shutdown(pair.client, SHUT_WR), ENOTCONN);
}

TEST_P(TcpSockets, ResetOnCloseWithLingerZero) {
  const auto pair = connected_pair();
  const linger now{.l_onoff = 1, .l_linger = 0};
  EXPECT_EQ(calls().setsockopt(pair.server, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
  close_now(pair.server);
  EXPECT_EQ(poll_one(pair.client, POLLIN) & POLLERR, POLLERR);
  EXPECT_EQ(get_int(pair.client, SOL_SOCKET, SO_ERROR), ECONNRESET);
}

TEST_P(TcpSockets, LingerOnlyForAsLongAsThePeerNeeds) {
  const auto pair = connected_pair();
  const linger patient{.l_onoff = 1, .l_linger = 30};
  EXPECT_EQ(calls().setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &patient, sizeof patient), 0);
  EXPECT_EQ(send(pair.client, "bye"), 3);
  const auto start = steady_clock::now();
  close_now(pair.client);
  EXPECT_LT(steady_clock::now() - start, milliseconds(5000));
  EXPECT_EQ(receive(pair.server), "bye");
  EXPECT_EQ(receive(pair.server), "");
}

TEST_P(TcpSockets, FirstWriteAfterAResetTellsIt) {
  const auto pair = connected_pair();
  const linger now{.l_onoff = 1, .l_linger = 0};
  EXPECT_EQ(calls().setsockopt(pair.server, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
  close_now(pair.server);
  poll_one(pair.client, POLLIN);
  EXPECT_ERRNO(send(pair.client, "x"), ECONNRESET);
  EXPECT_ERRNO(send(pair.client, "x"), EPIPE);
}

TEST_P(TcpSockets, GiveUpReadingInTime) {
  const auto pair = connected_pair();
  EXPECT_EQ(set_receive_timeout(pair.client, 60), 0);
  const auto start = steady_clock::now();
  EXPECT_EQ(receive(pair.client), "-EAGAIN");
  const auto waited = steady_clock::now() - start;
  EXPECT_GE(waited, milliseconds(50));
  EXPECT_LT(waited, milliseconds(5000));
}

TEST_P(TcpSockets, GiveUpWritingInTimeAndSayHowMuchWasTaken) {
  const auto pair = connected_pair();
  EXPECT_EQ(set_int(pair.client, SOL_SOCKET, SO_SNDBUF, 10000), 0);
  const timeval time{.tv_sec = 0, .tv_usec = 50000};
  EXPECT_EQ(calls().setsockopt(pair.client, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time), 0);
  const std::string much(32 << 20, 'm');
  const ssize_t first = send(pair.client, much);
  EXPECT_GT(first, 0);
  EXPECT_LT(first, static_cast<ssize_t>(much.size()));
  ssize_t more = 0;
  for (int i = 0; i < 100 && more >= 0; ++i) more = send(pair.client, much, MSG_DONTWAIT | MSG_NOSIGNAL);
  EXPECT_EQ(more, -1);
  EXPECT_EQ(errno_name(errno), "EAGAIN");
  EXPECT_EQ(poll_one(pair.client, POLLOUT, 0), 0);
}

TEST_P(TcpSockets, ReadNothingOnlyWhenThereIsSomething) {
  const auto pair = connected_pair();
  EXPECT_EQ(receive(pair.client, 0, MSG_DONTWAIT), "-EAGAIN");
  EXPECT_EQ(send(pair.server, "x"), 1);
  EXPECT_EQ(poll_one(pair.client, POLLIN), POLLIN);
  EXPECT_EQ(receive(pair.client, 0), "");
  EXPECT_EQ(receive(pair.client), "x");
  EXPECT_EQ(send(pair.client, ""), 0);
}

TEST_P(TcpSockets, KeepAnErrorForTheCallAfterTheLastOctets) {
  const auto pair = connected_pair();
  EXPECT_EQ(send(pair.client, "unread"), 6);
  EXPECT_EQ(send(pair.server, "data"), 4);
  EXPECT_EQ(poll_one(pair.client, POLLIN), POLLIN);
  EXPECT_EQ(poll_one(pair.server, POLLIN), POLLIN);
  close_now(pair.server);
  EXPECT_EQ(poll_one(pair.client, POLLRDHUP) & POLLERR, POLLERR);
  EXPECT_EQ(receive(pair.client, 10, MSG_WAITALL), "data");
  EXPECT_EQ(receive(pair.client, 10, MSG_WAITALL), "-ECONNRESET");
  EXPECT_EQ(receive(pair.client, 10, MSG_WAITALL), "");
}

TEST_P(TcpSockets, PeekWithoutTaking) {
  const auto pair = connected_pair();
  EXPECT_EQ(receive(pair.server, 10, MSG_PEEK | MSG_DONTWAIT), "-EAGAIN");
  EXPECT_EQ(send(pair.client, "peekaboo"), 8);
  EXPECT_EQ(receive(pair.server, 4, MSG_PEEK), "peek");
  EXPECT_EQ(receive(pair.server, 100, MSG_PEEK), "peekaboo");
  EXPECT_EQ(receive(pair.server, 4), "peek");
  EXPECT_EQ(receive(pair.server, 100), "aboo");
}

TEST_P(TcpSockets, PeekFromAnOffsetThatMoves) {
  const auto pair = connected_pair();
  const auto set_offset = [&](int offset) {
    return calls().setsockopt(pair.server, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof offset);
  };
  if (set_offset(1) != 0) GTEST_SKIP() << "of TCP since Linux 6.9";
  EXPECT_EQ(send(pair.client, "abcdef"), 6);
  EXPECT_EQ(receive(pair.server, 2, MSG_PEEK), "bc");
  EXPECT_EQ(receive(pair.server, 2, MSG_PEEK), "de");
  EXPECT_EQ(receive(pair.server, 2, MSG_PEEK), "f");
  EXPECT_EQ(receive(pair.server, 2, MSG_PEEK | MSG_DONTWAIT), "-EAGAIN");
  EXPECT_EQ(receive(pair.server, 4), "abcd") << "where it is read from is another matter";
  EXPECT_EQ(send(pair.client, "gh"), 2);
  EXPECT_EQ(receive(pair.server, 8, MSG_PEEK), "gh");
  EXPECT_EQ(set_offset(-1), 0);
  EXPECT_EQ(receive(pair.server, 8, MSG_PEEK), "efgh");
  EXPECT_EQ(receive(pair.server, 8, MSG_PEEK), "efgh");
}

TEST_P(TcpSockets, WaitForAllOfIt) {
  const auto pair = connected_pair();
  std::thread writer([&] {
    for (const char* part : {"one ", "two ", "three"}) {
      std::this_thread::sleep_for(milliseconds(10));
      EXPECT_GT(send(pair.client, part), 0);
    }
  });
  EXPECT_EQ(receive(pair.server, 13, MSG_WAITALL), "one two three");
  writer.join();
  EXPECT_EQ(send(pair.client, "rest"), 4);
  EXPECT_EQ(calls().shutdown(pair.client, SHUT_WR), 0);
  EXPECT_EQ(receive(pair.server, 13, MSG_WAITALL), "rest") << "the end of the stream ends the wait";
}

TEST_P(TcpSockets, ThrowAwayWithTrunc) {
  const auto pair = connected_pair();
  EXPECT_EQ(send(pair.client, "throw this, keep that"), 21);
  EXPECT_EQ(poll_one(pair.server, POLLIN), POLLIN);
  EXPECT_EQ(calls().recvfrom(pair.server, nullptr, 12, MSG_TRUNC, nullptr, nullptr), 12) << errno_name(errno);
  EXPECT_EQ(receive(pair.server), "keep that");
}

TEST_P(TcpSockets, ScatterAndGather) {
  const auto pair = connected_pair();
  char first[] = "scat", second[] = "", third[] = "tered";
  iovec pieces[] = {{first, 4}, {second, 0}, {third, 5}};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = 3;
  EXPECT_EQ(calls().sendmsg(pair.client, &message, MSG_NOSIGNAL), 9);
  char in_first[3] = "", in_second[20] = "";
  iovec places[] = {{in_first, 2}, {in_second, 20}};
  message = {};
  message.msg_iov = places;
  message.msg_iovlen = 2;
  EXPECT_EQ(calls().recvmsg(pair.server, &message, MSG_PEEK), 9);
  EXPECT_EQ(std::string(in_first, 2) + std::string(in_second, 7), "scattered");
  std::memset(in_second, 0, sizeof in_second);
  EXPECT_EQ(calls().recvmsg(pair.server, &message, 0), 9);
  EXPECT_EQ(std::string(in_first, 2) + std::string(in_second, 7), "scattered");
  EXPECT_EQ(message.msg_namelen, 0U);
  EXPECT_EQ(message.msg_flags, 0);
}

TEST_P(TcpSockets, CarryUrgentOctetsOutOfBand) {
  const auto pair = connected_pair();
  EXPECT_EQ(receive(pair.server, 1, MSG_OOB), "-EINVAL");
  EXPECT_EQ(send(pair.client, "abc"), 3);
  EXPECT_EQ(send(pair.client, "de!", MSG_OOB | MSG_NOSIGNAL), 3);
  EXPECT_EQ(send(pair.client, "fgh"), 3);
  EXPECT_EQ(poll_one(pair.server, POLLPRI), POLLPRI);
  EXPECT_EQ(receive(pair.server, 1, MSG_OOB), "!");
  EXPECT_EQ(receive(pair.server, 1, MSG_OOB), "-EINVAL");
  EXPECT_EQ(receive(pair.server), "abcde") << "reading stops at the mark";
  int at_mark = 0;
  EXPECT_EQ(calls().ioctl(pair.server, SIOCATMARK, &at_mark), 0);
  EXPECT_EQ(at_mark, 1);
  EXPECT_EQ(receive(pair.server), "fgh");
}

TEST_P(TcpSockets, KeepUrgentOctetsInLineIfAskedTo) {
  const auto pair = connected_pair();
  EXPECT_EQ(set_int(pair.server, SOL_SOCKET, SO_OOBINLINE, 1), 0);
  EXPECT_EQ(send(pair.client, "ab", MSG_OOB | MSG_NOSIGNAL), 2);
  EXPECT_EQ(poll_one(pair.server, POLLIN) & POLLIN, POLLIN);
  EXPECT_EQ(receive(pair.server), "a");
  EXPECT_EQ(receive(pair.server), "b");
  EXPECT_EQ(receive(pair.server, 1, MSG_OOB), "-EINVAL");
}

TEST_P(TcpSockets, MoreHoldsBackUntilLess) {
  const auto pair = connected_pair();
  EXPECT_EQ(set_int(pair.client, IPPROTO_TCP, TCP_NODELAY, 1), 0);
  EXPECT_EQ(send(pair.client, "head ", MSG_MORE | MSG_NOSIGNAL), 5);
  EXPECT_EQ(poll_one(pair.server, POLLIN, 30), 0);
  EXPECT_EQ(send(pair.client, "body"), 4);
  EXPECT_EQ(poll_one(pair.server, POLLIN), POLLIN);
  EXPECT_EQ(receive(pair.server), "head body");
}

TEST_P(TcpSockets, StopListeningWhenShutDown) {
  const int listening = listener();
  const std::uint16_t port = local_port(listening);
  std::thread stopper([&] {
    std::this_thread::sleep_for(milliseconds(30));
    EXPECT_EQ(calls().shutdown(listening, SHUT_RD), 0);
  });
  EXPECT_ERRNO(calls().accept4(listening, nullptr, nullptr, 0), EINVAL);
  stopper.join();
  const int client = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_ERRNO(connect_to(client, "127.0.0.1", port), ECONNREFUSED);
  EXPECT_EQ(local_port(listening), port) << "still bound";
  EXPECT_EQ(calls().listen(listening, 1), 0);
  if (is_kernel()) return;  // such a listener of Linux refuses what it is asked
  EXPECT_EQ(connect_to(client, "127.0.0.1", port), 0) << errno_name(errno);
}

TEST_P(TcpSockets, DisconnectToConnectElsewhere) {
  const auto pair = connected_pair();
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  EXPECT_EQ(calls().connect(pair.client, &nowhere, sizeof nowhere), 0);
  EXPECT_EQ(receive(pair.server), "-ECONNRESET");
  EXPECT_EQ(poll_one(pair.client, kAll, 0) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
  EXPECT_EQ(receive(pair.client), "-ECONNRESET");
  EXPECT_EQ(receive(pair.client), "-ENOTCONN");
  const int listening = listener();
  EXPECT_EQ(connect_to(pair.client, "127.0.0.1", local_port(listening)), 0) << errno_name(errno);
}

TEST_P(TcpSockets, AreFreeAgainAfterTimeWaitIfReuseIsAllowed) {
  const int listening = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_EQ(set_int(listening, SOL_SOCKET, SO_REUSEADDR, 1), 0);
  EXPECT_EQ(bind_to(listening, "127.0.0.1"), 0);
  EXPECT_EQ(calls().listen(listening, 1), 0);
  const std::uint16_t port = local_port(listening);
  const int client = socket_ok(AF_INET, SOCK_STREAM);
  ASSERT_EQ(connect_to(client, "127.0.0.1", port), 0);
  const int server = close_later(calls().accept4(listening, nullptr, nullptr, 0));
  close_now(server);  // this end goes to TIME-WAIT
  EXPECT_EQ(receive(client), "");
  close_now(client);
  close_now(listening);
  const int again = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_ERRNO(bind_to(again, "127.0.0.1", port), EADDRINUSE);
  EXPECT_EQ(set_int(again, SOL_SOCKET, SO_REUSEADDR, 1), 0);
  EXPECT_EQ(bind_to(again, "127.0.0.1", port), 0) << errno_name(errno);
  EXPECT_EQ(calls().listen(again, 1), 0);
}

TEST_P(TcpSockets, CarryMuchWithoutLoss) {
  const auto pair = connected_pair();
  std::string much(24 << 20, '\0');
  std::uint32_t state = 1;
  for (char& octet : much) octet = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  std::thread writer([&] {
    EXPECT_EQ(send(pair.client, much), static_cast<ssize_t>(much.size()));
    EXPECT_EQ(calls().shutdown(pair.client, SHUT_WR), 0);
  });
  std::string got(much.size() + 1, '\0');
  std::size_t size = 0;
  while (size < got.size()) {
    const ssize_t count =
        calls().recvfrom(pair.server, got.data() + size, std::min<std::size_t>(got.size() - size, 100000), 0,
                         nullptr, nullptr);
    ASSERT_GE(count, 0) << errno_name(errno);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  got.resize(size);
  writer.join();
  EXPECT_EQ(got.size(), much.size());
  EXPECT_TRUE(got == much);
}

// ---------------------------------------------------------------- threads

TEST_P(TcpSockets, ServeManyThreads) {
  constexpr int kClients = 8;
  constexpr int kRounds = 50;
  const int listening = listener("127.0.0.1", 64);
  std::vector<std::thread> threads;
  std::atomic<int> answered = 0;
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&] {  // a server
      const int server = calls().accept4(listening, nullptr, nullptr, 0);
      ASSERT_GE(server, 0) << errno_name(errno);
      while (true) {
        const std::string request = receive(server);
        if (request.empty()) break;
        ASSERT_EQ(send(server, request), static_cast<ssize_t>(request.size()));
      }
      calls().close(server);
    });
    threads.emplace_back([&, i] {  // a client
      const int client = calls().socket(AF_INET, SOCK_STREAM, 0);
      ASSERT_EQ(connect_to(client, "127.0.0.1", local_port(listening)), 0) << errno_name(errno);
      for (int round = 0; round < kRounds; ++round) {
        const std::string request = "client " + std::to_string(i) + " round " + std::to_string(round);
        ASSERT_EQ(send(client, request), static_cast<ssize_t>(request.size()));
        ASSERT_EQ(receive(client, request.size(), MSG_WAITALL), request);
        ++answered;
      }
      calls().close(client);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, kClients * kRounds);
}

TEST_P(TcpSockets, WakeWhoIsBlockedInAClosedSocket) {
  if (is_kernel()) GTEST_SKIP() << "on Linux they stay blocked; transom.h says that we differ";
  const auto pair = connected_pair();
  const int listening = listener();
  std::thread reader([&] { EXPECT_EQ(receive(pair.client), "-EBADF"); });
  std::thread accepter([&] { EXPECT_ERRNO(calls().accept4(listening, nullptr, nullptr, 0), EBADF); });
  std::this_thread::sleep_for(milliseconds(50));
  close_now(pair.client);
  close_now(listening);
  reader.join();
  accepter.join();
}

TEST_P(TcpSockets, PollManyAtOnce) {
  std::vector<Pair> pairs;
  for (int i = 0; i < 20; ++i) pairs.push_back(connected_pair());
  std::vector<pollfd> entries;
  for (const Pair& pair : pairs) entries.push_back({.fd = pair.server, .events = POLLIN, .revents = 0});
  EXPECT_EQ(calls().poll(entries.data(), entries.size(), 0), 0);
  std::thread writer([&] {
    std::this_thread::sleep_for(milliseconds(20));
    EXPECT_EQ(send(pairs[13].client, "!"), 1);
  });
  EXPECT_EQ(calls().poll(entries.data(), entries.size(), 5000), 1);
  EXPECT_EQ(entries[13].revents, POLLIN);
  writer.join();
}

}  // namespace
}  // namespace transom::sockets
