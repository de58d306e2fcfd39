// MSG_FASTOPEN and the TCP_FASTOPEN options. The kernel that judges has its client's half switched on, as is
// the default (net.ipv4.tcp_fastopen), and its server's off: what needs both is tested of Transom alone.
#include "tests/unit/socket_api/sockets_under_test.h"

namespace transom::sockets {
namespace {

// tcpi_fastopen_client_fail of <linux/tcp.h>, which cannot be had beside <netinet/tcp.h>.
enum ClientFailure { kNone, kNoCookie, kDataIgnored, kSynLost };

class FastOpenSockets : public BothTest {
 protected:
  int set(int fd, int name, int value) { return set_int(fd, IPPROTO_TCP, name, value); }
  int get(int fd, int name) { return get_int(fd, IPPROTO_TCP, name); }
  int set_key(int fd, std::string_view key) {
    return calls().setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, key.data(),
                              static_cast<socklen_t>(key.size()));
  }
  std::string get_key(int fd, std::size_t room = 64) {
    std::string key(room, '\0');
    auto size = static_cast<socklen_t>(room);
    EXPECT_EQ(calls().getsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, key.data(), &size), 0)
        << errno_name(errno);
    key.resize(size);
    return key;
  }
  std::array<std::uint8_t, 8> info_of(int fd) {  // the octets in front
    std::array<std::uint8_t, 8> octets{};
    socklen_t size = octets.size();
    EXPECT_EQ(calls().getsockopt(fd, IPPROTO_TCP, TCP_INFO, octets.data(), &size), 0);
    return octets;
  }
  bool had_syn_data(int fd) { return (info_of(fd)[5] & TCPI_OPT_SYN_DATA) != 0; }
  int client_failure(int fd) { return info_of(fd)[7] >> 1 & 3; }
  int accept_from(int listening) {
    const int fd = calls().accept4(listening, nullptr, nullptr, 0);
    EXPECT_GE(fd, 0) << errno_name(errno);
    return close_later(fd);
  }
  int stream(int flags = 0) { return socket_ok(AF_INET, SOCK_STREAM | flags); }
};
INSTANTIATE_BOTH(FastOpenSockets);

TEST_P(FastOpenSockets, KeepTheirOptions) {
  const int fd = stream();
  EXPECT_EQ(get(fd, TCP_FASTOPEN), 0);
  EXPECT_EQ(get(fd, TCP_FASTOPEN_CONNECT), 0);
  EXPECT_EQ(get(fd, TCP_FASTOPEN_NO_COOKIE), 0);
  EXPECT_EQ(set(fd, TCP_FASTOPEN, 5), 0) << errno_name(errno);
  EXPECT_EQ(get(fd, TCP_FASTOPEN), 5);
  EXPECT_EQ(set(fd, TCP_FASTOPEN, 1 << 30), 0);
  EXPECT_EQ(get(fd, TCP_FASTOPEN), 4096) << "net.core.somaxconn";
  EXPECT_EQ(set(fd, TCP_FASTOPEN_CONNECT, 1), 0) << errno_name(errno);
  EXPECT_EQ(get(fd, TCP_FASTOPEN_CONNECT), 1);
  EXPECT_EQ(set(fd, TCP_FASTOPEN_NO_COOKIE, 1), 0) << errno_name(errno);
  EXPECT_EQ(get(fd, TCP_FASTOPEN_NO_COOKIE), 1);
  EXPECT_ERRNO(set(fd, TCP_FASTOPEN, -1), EINVAL);
  EXPECT_ERRNO(set(fd, TCP_FASTOPEN_CONNECT, 2), EINVAL);
  EXPECT_ERRNO(set(fd, TCP_FASTOPEN_NO_COOKIE, -1), EINVAL);
  const auto [client, server] = connected_pair("127.0.0.1");
  for (const int connected : {client, server}) {
    EXPECT_ERRNO(set(connected, TCP_FASTOPEN, 1), EINVAL);
    EXPECT_ERRNO(set(connected, TCP_FASTOPEN_CONNECT, 1), EINVAL);
    EXPECT_ERRNO(set(connected, TCP_FASTOPEN_NO_COOKIE, 1), EINVAL);
  }
  EXPECT_EQ(set(listener("127.0.0.1"), TCP_FASTOPEN, 7), 0) << errno_name(errno);
}

TEST_P(FastOpenSockets, TakeOneKeyOrTwo) {
  const int fd = stream();
  const std::string one = "0123456789abcdef";
  const std::string two = one + "ghijklmnopqrstuv";
  EXPECT_EQ(set_key(fd, one), 0) << errno_name(errno);
  EXPECT_EQ(get_key(fd), one);
  EXPECT_EQ(set_key(fd, two), 0) << errno_name(errno);
  EXPECT_EQ(get_key(fd), two);
  EXPECT_EQ(get_key(fd, 5), "01234");
  EXPECT_ERRNO(set_key(fd, "short"), EINVAL);
  EXPECT_ERRNO(set_key(fd, two + "x"), EINVAL);
}

TEST_P(FastOpenSockets, ConnectAndSendInOneCallWithoutACookie) {
  const int listening = listener("127.0.0.1");
  const int client = stream();
  EXPECT_EQ(send_to(client, "question", "127.0.0.1", local_port(listening), MSG_FASTOPEN), 8);
  EXPECT_EQ(receive(accept_from(listening), 100), "question");
  EXPECT_ERRNO(send_to(client, "x", "127.0.0.1", local_port(listening), MSG_FASTOPEN), EISCONN);
  EXPECT_EQ(send_to(client, "more", "127.0.0.1", local_port(listening), 0), 4);
}

TEST_P(FastOpenSockets, SendWithoutAnAddressIsInvalid) {
  EXPECT_ERRNO(calls().sendto(stream(), "x", 1, MSG_FASTOPEN, nullptr, 0), EINVAL);
}

TEST_P(FastOpenSockets, TellARefusal) {
  const int listening = listener("127.0.0.1");
  const std::uint16_t port = local_port(listening);
  close_now(listening);
  const int client = stream();
  EXPECT_ERRNO(send_to(client, "question", "127.0.0.1", port, MSG_FASTOPEN), ECONNREFUSED);
}

TEST_P(FastOpenSockets, WithoutBlockingAndWithoutACookieTakeNothing) {
  const int listening = listener("127.0.0.1");
  const int client = stream(SOCK_NONBLOCK);
  EXPECT_ERRNO(send_to(client, "question", "127.0.0.1", local_port(listening), MSG_FASTOPEN), EINPROGRESS);
  EXPECT_EQ(poll_one(client, POLLOUT, 1000), POLLOUT);
  EXPECT_EQ(calls().sendto(client, "later", 5, 0, nullptr, 0), 5);
  EXPECT_EQ(receive(accept_from(listening), 100), "later");
}

TEST_P(FastOpenSockets, LetTheSynWaitForTheFirstData) {
  const int listening = listener("127.0.0.1");
  const int client = stream(SOCK_NONBLOCK);
  EXPECT_EQ(set(client, TCP_FASTOPEN_CONNECT, 1), 0);
  EXPECT_EQ(set(client, TCP_FASTOPEN_NO_COOKIE, 1), 0);
  EXPECT_EQ(connect_to(client, "127.0.0.1", local_port(listening)), 0) << errno_name(errno);
  EXPECT_ERRNO(connect_to(client, "127.0.0.1", local_port(listening)), EISCONN);
  EXPECT_EQ(poll_one(client, POLLOUT | POLLIN, 0), POLLOUT);
  EXPECT_EQ(poll_one(listening, POLLIN, 0), 0) << "nothing was sent";
  EXPECT_EQ(calls().sendto(client, "question", 8, 0, nullptr, 0), 8);
  EXPECT_EQ(receive(accept_from(listening), 100), "question");
}

TEST_P(FastOpenSockets, WithoutBlockingTakeWhatFitsTheSyn) {
  const int listening = listener("127.0.0.1");
  const int client = stream(SOCK_NONBLOCK);
  EXPECT_EQ(set(client, TCP_FASTOPEN_NO_COOKIE, 1), 0);
  const std::string much(100000, 'x');
  const ssize_t taken = send_to(client, much, "127.0.0.1", local_port(listening), MSG_FASTOPEN);
  EXPECT_GT(taken, 400) << errno_name(errno);
  EXPECT_LT(taken, 100000);
  EXPECT_EQ(poll_one(client, POLLOUT, 1000), POLLOUT);
  EXPECT_EQ(receive(accept_from(listening), 100000, MSG_DONTWAIT).size(), static_cast<std::size_t>(taken));
}

TEST_P(FastOpenSockets, BlockingSendAllOfIt) {
  const int listening = listener("127.0.0.1");
  const int client = stream();
  EXPECT_EQ(set(client, TCP_FASTOPEN_NO_COOKIE, 1), 0);
  const std::string much(100000, 'x');
  EXPECT_EQ(send_to(client, much, "127.0.0.1", local_port(listening), MSG_FASTOPEN), 100000);
  EXPECT_EQ(receive(accept_from(listening), much.size(), MSG_WAITALL), much);
}

TEST_P(FastOpenSockets, SaveTheRoundTripOnceTheServerHasGivenACookie) {
  if (is_kernel()) GTEST_SKIP() << "needs net.ipv4.tcp_fastopen=3; see tests/interop";
  const int listening = listener("127.0.0.1");
  const std::uint16_t port = local_port(listening);
  EXPECT_EQ(set(listening, TCP_FASTOPEN, 16), 0);
  const int first = stream();
  EXPECT_EQ(send_to(first, "one", "127.0.0.1", port, MSG_FASTOPEN), 3);
  EXPECT_FALSE(had_syn_data(first));
  EXPECT_EQ(client_failure(first), kNoCookie);
  EXPECT_EQ(receive(accept_from(listening), 100), "one");
  const int second = stream();
  EXPECT_EQ(set(second, TCP_FASTOPEN_CONNECT, 1), 0);
  EXPECT_EQ(connect_to(second, "127.0.0.1", port), 0);
  EXPECT_EQ(calls().sendto(second, "two", 3, 0, nullptr, 0), 3);
  const int accepted = accept_from(listening);
  EXPECT_EQ(receive(accepted, 100), "two");
  EXPECT_TRUE(had_syn_data(second));
  EXPECT_TRUE(had_syn_data(accepted));
  EXPECT_EQ(client_failure(second), kNone);
  // A change of keys is noticed, and costs one round trip.
  EXPECT_EQ(set_key(listening, "0123456789abcdef"), 0);
  const int third = stream();
  EXPECT_EQ(send_to(third, "three", "127.0.0.1", port, MSG_FASTOPEN), 5);
  EXPECT_EQ(client_failure(third), kDataIgnored);
  EXPECT_EQ(receive(accept_from(listening), 100), "three");
  const int fourth = stream();
  EXPECT_EQ(send_to(fourth, "four", "127.0.0.1", port, MSG_FASTOPEN), 4);
  EXPECT_TRUE(had_syn_data(fourth));
}

}  // namespace
}  // namespace transom::sockets
