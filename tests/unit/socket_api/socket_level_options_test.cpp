// The options of level SOL_SOCKET that options_test.cpp does not have.
#include <linux/sock_diag.h>

#include <set>
#include <thread>

#include "tests/unit/socket_api/messages.h"

namespace transom::sockets {
namespace {

class SocketLevelOptions : public MessageTest {};
INSTANTIATE_BOTH(SocketLevelOptions);

TEST_P(SocketLevelOptions, AreKeptAsLinuxKeepsThem) {
  struct {
    int name, value, shown;
  } const kept[] = {{SO_DONTROUTE, 7, 1},    {SO_PRIORITY, 3, 3},         {SO_BUSY_POLL, 50, 50},
                    {SO_INCOMING_CPU, 0, 0}, {SO_SELECT_ERR_QUEUE, 1, 1}, {SO_RCVLOWAT, 17, 17},
                    {SO_RCVLOWAT, 0, 1},     {SO_NO_CHECK, 1, 1},         {SO_TIMESTAMP, 5, 1},
                    {SO_RXQ_OVFL, 1, 1},     {SO_PREFER_BUSY_POLL, 0, 0}, {SO_BINDTOIFINDEX, 1, 1}};
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    const int fd = socket_ok(AF_INET, type);
    for (const auto& option : kept) {
      EXPECT_EQ(set_int(fd, SOL_SOCKET, option.name, option.value), 0)
          << option.name << " " << errno_name(errno);
      EXPECT_EQ(get_int(fd, SOL_SOCKET, option.name), option.shown) << option.name;
      EXPECT_ERRNO(calls().setsockopt(fd, SOL_SOCKET, option.name, &option.value, 3), EINVAL);
    }
    EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_SNDLOWAT), 1);
    EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_INCOMING_NAPI_ID), 0);
    EXPECT_ERRNO(set_int(fd, SOL_SOCKET, SO_SNDLOWAT, 1), ENOPROTOOPT);
    EXPECT_ERRNO(set_int(fd, SOL_SOCKET, SO_BUSY_POLL, -1), EINVAL);
    EXPECT_ERRNO(set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, -1), EINVAL);
    const int one = 1;
    EXPECT_ERRNO(calls().setsockopt(fd, SOL_SOCKET, 12345, &one, 3), EINVAL);
    EXPECT_ERRNO(calls().setsockopt(fd, SOL_SOCKET, 12345, &one, 4), ENOPROTOOPT);
    EXPECT_ERRNO(calls().setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, nullptr, 4), EFAULT);
  }
}

TEST_P(SocketLevelOptions, GiveEverySocketACookieOfItsOwn) {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 3; ++i) {
    const int fd = socket_ok(AF_INET, SOCK_STREAM);
    std::uint64_t first = 0;
    std::uint64_t again = 0;
    socklen_t size = sizeof first;
    EXPECT_EQ(calls().getsockopt(fd, SOL_SOCKET, SO_COOKIE, &first, &size), 0);
    EXPECT_EQ(calls().getsockopt(fd, SOL_SOCKET, SO_COOKIE, &again, &size), 0);
    EXPECT_EQ(first, again);
    EXPECT_TRUE(seen.insert(first).second);
    size = 4;
    EXPECT_ERRNO(calls().getsockopt(fd, SOL_SOCKET, SO_COOKIE, &first, &size), EINVAL);
  }
}

TEST_P(SocketLevelOptions, ShowMemoryInNineWords) {
  const auto pair = connected("127.0.0.1");
  EXPECT_EQ(send(pair.client, std::string(1000, 'x')), 1000);
  EXPECT_EQ(poll_one(pair.server, POLLIN), POLLIN);
  std::array<std::uint32_t, 20> words{};
  socklen_t size = sizeof words;
  EXPECT_EQ(calls().getsockopt(pair.server, SOL_SOCKET, SO_MEMINFO, words.data(), &size), 0);
  EXPECT_EQ(size, 9 * sizeof(std::uint32_t));
  EXPECT_GE(words[SK_MEMINFO_RMEM_ALLOC], 1000U);
  EXPECT_EQ(words[SK_MEMINFO_RCVBUF],
            static_cast<std::uint32_t>(get_int(pair.server, SOL_SOCKET, SO_RCVBUF)));
  EXPECT_EQ(words[SK_MEMINFO_SNDBUF],
            static_cast<std::uint32_t>(get_int(pair.server, SOL_SOCKET, SO_SNDBUF)));
  EXPECT_EQ(words[SK_MEMINFO_DROPS], 0U);
  size = 6;
  EXPECT_EQ(calls().getsockopt(pair.server, SOL_SOCKET, SO_MEMINFO, words.data(), &size), 0);
  EXPECT_EQ(size, 6U);
}

TEST_P(SocketLevelOptions, TakeAPacingRateAsIntOrLong) {
  const int fd = socket_ok(AF_INET, SOCK_STREAM);
  std::uint64_t rate = 0;
  socklen_t size = sizeof rate;
  EXPECT_EQ(calls().getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &size), 0);
  EXPECT_EQ(size, sizeof rate);
  EXPECT_EQ(rate, UINT64_MAX);
  EXPECT_EQ(set_int(fd, SOL_SOCKET, SO_MAX_PACING_RATE, 123456), 0);
  EXPECT_EQ(calls().getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &size), 0);
  EXPECT_EQ(rate, 123456U);
  rate = std::uint64_t{1} << 40;
  EXPECT_EQ(calls().setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof rate), 0);
  std::uint32_t shown = 0;
  size = sizeof shown;
  EXPECT_EQ(calls().getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &shown, &size), 0);
  EXPECT_EQ(shown, UINT32_MAX) << "as much as fits";
}

TEST_P(SocketLevelOptions, WaitForSoManyOctets) {
  const auto pair = connected_pair();
  EXPECT_EQ(set_int(pair.server, SOL_SOCKET, SO_RCVLOWAT, 10), 0);
  EXPECT_EQ(send(pair.client, "12345"), 5);
  EXPECT_EQ(poll_one(pair.server, POLLIN, 50), 0) << "too little to be worth it";
  EXPECT_EQ(receive(pair.server, 100, MSG_DONTWAIT), "12345") << "who asks gets what is there";
  std::thread writer([&] {
    EXPECT_EQ(send(pair.client, "12345"), 5);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(send(pair.client, "67890"), 5);
  });
  EXPECT_EQ(receive(pair.server, 100), "1234567890");
  writer.join();
  EXPECT_EQ(send(pair.client, "end"), 3);
  EXPECT_EQ(calls().shutdown(pair.client, SHUT_WR), 0);
  EXPECT_EQ(poll_one(pair.server, POLLIN), POLLIN) << "no more will come";
  EXPECT_EQ(receive(pair.server, 100), "end");
}

TEST_P(SocketLevelOptions, KeepTheEcnBitsOfAStreamToTcp) {
  const int stream = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_EQ(set_int(stream, IPPROTO_IP, IP_TOS, 0x2b), 0);
  EXPECT_EQ(get_int(stream, IPPROTO_IP, IP_TOS), 0x28);
  const int datagram = socket_ok(AF_INET6, SOCK_DGRAM);
  EXPECT_EQ(set_int(datagram, IPPROTO_IPV6, IPV6_TCLASS, 0x2b), 0);
  EXPECT_EQ(get_int(datagram, IPPROTO_IPV6, IPV6_TCLASS), 0x2b);
}

TEST_P(SocketLevelOptions, TellWhereADatagramWasSentTo) {
  const auto pair = connected("127.0.0.1");
  EXPECT_EQ(set_int(pair.server, IPPROTO_IP, IP_RECVORIGDSTADDR, 1), 0);
  EXPECT_EQ(send(pair.client, "x"), 1);
  Message message = receive_message(pair.server, 10, 100);
  sockaddr_in destination{};
  ASSERT_TRUE(find_control(message.control, IPPROTO_IP, IP_ORIGDSTADDR, destination));
  EXPECT_EQ(ntohs(destination.sin_port), local_port(pair.server));
  EXPECT_EQ(ntohl(destination.sin_addr.s_addr), INADDR_LOOPBACK);
}

// ---------------------------------------------------------------- SO_REUSEPORT

class ReusedPorts : public MessageTest {
 protected:
  static constexpr std::size_t kSockets = 4;

  // Several sockets on one port.
  std::vector<int> share_a_port(int type) {
    std::vector<int> sockets;
    std::uint16_t port = 0;
    for (std::size_t i = 0; i < kSockets; ++i) {
      const int fd = socket_ok(AF_INET, type);
      EXPECT_EQ(set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1), 0);
      EXPECT_EQ(bind_to(fd, "127.0.0.1", port), 0) << errno_name(errno);
      port = local_port(fd);
      if (type == SOCK_STREAM) {
        EXPECT_EQ(calls().listen(fd, 100), 0) << errno_name(errno);
      }
      EXPECT_EQ(calls().fcntl(fd, F_SETFL, O_NONBLOCK), 0);
      sockets.push_back(fd);
    }
    return sockets;
  }
};
INSTANTIATE_BOTH(ReusedPorts);

TEST_P(ReusedPorts, ShareConnections) {
  const std::vector<int> listening = share_a_port(SOCK_STREAM);
  constexpr int kConnections = 80;
  for (int i = 0; i < kConnections; ++i) {
    const int client = socket_ok(AF_INET, SOCK_STREAM);
    EXPECT_EQ(connect_to(client, "127.0.0.1", local_port(listening[0])), 0) << errno_name(errno);
  }
  int total = 0;
  for (const int fd : listening) {
    int here = 0;
    while (close_later(calls().accept4(fd, nullptr, nullptr, 0)) >= 0) ++here;
    EXPECT_GT(here, 0) << "chance of 4 in 10^10 to get none";
    total += here;
  }
  EXPECT_EQ(total, kConnections);
}

TEST_P(ReusedPorts, ShareDatagramsBySource) {
  const std::vector<int> receiving = share_a_port(SOCK_DGRAM);
  const std::uint16_t port = local_port(receiving[0]);
  constexpr int kSenders = 80;
  for (int i = 0; i < kSenders; ++i) {
    const int sender = bound("127.0.0.1");
    EXPECT_EQ(send_to(sender, std::to_string(i), "127.0.0.1", port), std::to_string(i).size());
    EXPECT_EQ(send_to(sender, std::to_string(i), "127.0.0.1", port), std::to_string(i).size());
  }
  int total = 0;
  for (const int fd : receiving) {
    std::vector<std::string> here;
    for (std::string text; (text = receive(fd))[0] != '-';) here.push_back(text);
    total += static_cast<int>(here.size());
    EXPECT_GT(here.size(), 0U);
    ASSERT_EQ(here.size() % 2, 0U);
    for (std::size_t i = 0; i < here.size(); i += 2)
      EXPECT_EQ(here[i], here[i + 1]) << "one source, one socket";
  }
  EXPECT_EQ(total, 2 * kSenders);
}

TEST_P(ReusedPorts, GoOnWhenOneLeaves) {
  const std::vector<int> listening = share_a_port(SOCK_STREAM);
  const std::uint16_t port = local_port(listening[0]);
  for (std::size_t i = 0; i + 1 < listening.size(); ++i) close_now(listening[i]);
  for (int i = 0; i < 10; ++i) {
    const int client = socket_ok(AF_INET, SOCK_STREAM);
    EXPECT_EQ(connect_to(client, "127.0.0.1", port), 0) << errno_name(errno);
    EXPECT_GE(close_later(calls().accept4(listening.back(), nullptr, nullptr, 0)), 0) << errno_name(errno);
  }
}

}  // namespace
}  // namespace transom::sockets
