// Small things that the probes (tests/probes) have found to differ, on Transom and on the kernel.
#include <thread>

#include "tests/unit/socket_api/messages.h"

namespace transom::sockets {
namespace {

class SmallBehaviours : public MessageTest {
 protected:
  void wait_for(int fd, short events) { EXPECT_EQ(poll_one(fd, events) & events, events); }
};
INSTANTIATE_BOTH(SmallBehaviours);

TEST_P(SmallBehaviours, AllOf127IsTheHost) {
  const int receiver = socket_ok(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(bind_to(receiver, "0.0.0.0"), 0);
  EXPECT_EQ(send_to(bound("127.0.0.1"), "other", "127.7.8.9", local_port(receiver)), 5);
  EXPECT_EQ(receive(receiver), "other");
  const int from_another = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_EQ(bind_to(from_another, "127.0.0.5"), 0);
  EXPECT_EQ(connect_to(from_another, "127.0.0.1", local_port(listener())), 0);
}

TEST_P(SmallBehaviours, AnUrgentOctetAloneIsNotReadable) {
  const auto [client, server] = connected_pair();
  EXPECT_EQ(send(client, "u", MSG_OOB), 1);
  wait_for(server, POLLPRI);
  EXPECT_EQ(poll_one(server, POLLIN | POLLPRI, 0), POLLPRI);
  EXPECT_EQ(receive(server, 1, MSG_OOB), "u");
  EXPECT_EQ(poll_one(server, POLLIN | POLLPRI, 0), 0);
  EXPECT_EQ(send(client, "x"), 1);
  wait_for(server, POLLIN);
  EXPECT_EQ(receive(server), "x");
}

TEST_P(SmallBehaviours, AnUrgentOctetInLineIsReadable) {
  const auto [client, server] = connected_pair();
  EXPECT_EQ(set_int(server, SOL_SOCKET, SO_OOBINLINE, 1), 0);
  EXPECT_EQ(send(client, "u", MSG_OOB), 1);
  wait_for(server, POLLPRI | POLLIN);
  EXPECT_EQ(receive(server), "u");
}

TEST_P(SmallBehaviours, AResetBehindTheEndOfTheStreamIsForWritersOnly) {
  const auto [client, server] = connected_pair();
  EXPECT_EQ(send(server, "last"), 4);
  close_now(server);
  wait_for(client, POLLRDHUP);
  EXPECT_EQ(send(client, "late"), 4);  // is answered by a reset
  wait_for(client, POLLHUP);
  EXPECT_EQ(receive(client), "last");
  EXPECT_EQ(receive(client), "");
  EXPECT_EQ(receive(client), "");
  EXPECT_ERRNO(send(client, "late"), EPIPE);
}

TEST_P(SmallBehaviours, ShutdownEndsABlockedConnectWithAReset) {
  const int full = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_EQ(bind_to(full, "127.0.0.1"), 0);
  EXPECT_EQ(calls().listen(full, 0), 0);
  const std::uint16_t port = local_port(full);
  for (int i = 0; i < 3; ++i) {
    const int filler = socket_ok(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
    connect_to(filler, "127.0.0.1", port);
    poll_one(filler, POLLOUT, 50);
  }
  const int fd = socket_ok(AF_INET, SOCK_STREAM);
  std::thread connecting([&] { EXPECT_ERRNO(connect_to(fd, "127.0.0.1", port), ECONNRESET); });
  while (poll_one(fd, POLLOUT, 0) != 0) std::this_thread::yield();  // POLLOUT and POLLHUP until it connects
  EXPECT_EQ(calls().shutdown(fd, SHUT_RDWR), 0);
  connecting.join();
}

TEST_P(SmallBehaviours, FamiliesThatLinuxLetsPass) {
  sockaddr_storage any = address("0.0.0.0", 0);
  any.ss_family = AF_UNSPEC;
  EXPECT_EQ(calls().bind(socket_ok(AF_INET, SOCK_STREAM), reinterpret_cast<sockaddr*>(&any), 16), 0);
  any = address("127.0.0.1", 0);
  any.ss_family = AF_UNSPEC;
  EXPECT_ERRNO(calls().bind(socket_ok(AF_INET, SOCK_STREAM), reinterpret_cast<sockaddr*>(&any), 16),
               EAFNOSUPPORT);

  const int receiver = bound("127.0.0.1");
  sockaddr_storage to = address("127.0.0.1", local_port(receiver));
  const int six = socket_ok(AF_INET6, SOCK_DGRAM);
  EXPECT_EQ(calls().sendto(six, "six", 3, 0, reinterpret_cast<sockaddr*>(&to), 16), 3);
  EXPECT_EQ(receive(receiver), "six");
  to.ss_family = AF_UNSPEC;
  const int four = socket_ok(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(calls().sendto(four, "four", 4, 0, reinterpret_cast<sockaddr*>(&to), 16), 4);
  EXPECT_EQ(receive(receiver), "four");
}

TEST_P(SmallBehaviours, LengthsOfAddressesAreChecked) {
  const int fd = socket_ok(AF_INET, SOCK_STREAM);
  const sockaddr_storage any = address("127.0.0.1", 0);
  char room[200] = {};
  std::memcpy(room, &any, sizeof any);
  EXPECT_ERRNO(calls().bind(fd, reinterpret_cast<sockaddr*>(room), 129), EINVAL);
  EXPECT_EQ(calls().bind(fd, reinterpret_cast<sockaddr*>(room), 128), 0);
  socklen_t length = 0;
  EXPECT_EQ(calls().getsockname(fd, nullptr, &length), 0);
  EXPECT_EQ(length, sizeof(sockaddr_in));
  const int datagrams = bound("127.0.0.1");
  sockaddr_storage from{};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = static_cast<socklen_t>(-1);
  EXPECT_ERRNO(calls().recvmsg(datagrams, &message, MSG_DONTWAIT), EINVAL);
}

TEST_P(SmallBehaviours, AUdpSocketThatIsShutEndsOnlyCallsThatWait) {
  const auto pair = connected("127.0.0.1");
  EXPECT_EQ(calls().shutdown(pair.client, SHUT_RD), 0);
  EXPECT_EQ(receive(pair.client), "");
  EXPECT_EQ(receive(pair.client, 10, MSG_DONTWAIT), "-EAGAIN");
}

TEST_P(SmallBehaviours, ErrorsOfWhatIsNotThere) {
  const int fd = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_EQ(receive(fd, 1, MSG_OOB), "-EINVAL");
  EXPECT_EQ(receive(listener(), 1, MSG_OOB), "-ENOTCONN");
  int value = 0;
  socklen_t length = sizeof value;
  EXPECT_ERRNO(calls().getsockopt(fd, 999, 1, &value, &length), EOPNOTSUPP);
  EXPECT_ERRNO(calls().getsockopt(socket_ok(AF_INET6, SOCK_STREAM), 999, 1, &value, &length), ENOPROTOOPT);
}

}  // namespace
}  // namespace transom::sockets
