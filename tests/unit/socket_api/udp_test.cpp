// Datagrams over the loopback interface, on Transom and on the kernel.
#include <thread>

#include "tests/unit/socket_api/messages.h"

namespace transom::sockets {
namespace {

class UdpSockets : public MessageTest {};
INSTANTIATE_BOTH(UdpSockets);

TEST_P(UdpSockets, CarryDatagramsWithTheirBounds) {
  for (const char* text : {"127.0.0.1", "::1"}) {
    const int server = bound(text);
    const int client = socket_ok(std::strchr(text, ':') != nullptr ? AF_INET6 : AF_INET, SOCK_DGRAM);
    EXPECT_EQ(send_to(client, "first", text, local_port(server)), 5);
    EXPECT_EQ(send_to(client, "", text, local_port(server)), 0);
    EXPECT_EQ(send_to(client, "third", text, local_port(server)), 5);
    EXPECT_NE(local_port(client), 0) << "bound by sending";
    char buffer[100];
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    EXPECT_EQ(calls().recvfrom(server, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size),
              5);
    EXPECT_EQ(text_of(from), text);
    EXPECT_EQ(port_of(from), local_port(client));
    EXPECT_EQ(receive(server), "");
    EXPECT_EQ(receive(server), "third");
    EXPECT_EQ(receive(server, 10, MSG_DONTWAIT), "-EAGAIN");
  }
}

TEST_P(UdpSockets, CarryTheLongestDatagram) {
  const auto pair = connected("127.0.0.1");
  const std::string longest(65507, 'L');
  EXPECT_EQ(send(pair.client, longest), 65507);
  EXPECT_EQ(receive(pair.server), longest);
  EXPECT_ERRNO(send(pair.client, longest + "!"), EMSGSIZE);
}

TEST_P(UdpSockets, HearOnlyTheirPeerWhenConnected) {
  const auto pair = connected("127.0.0.1");
  const int stranger = bound("127.0.0.1");
  EXPECT_EQ(send_to(stranger, "noise", "127.0.0.1", local_port(pair.client)), 5);
  EXPECT_EQ(send(pair.server, "signal"), 6);
  EXPECT_EQ(receive(pair.client), "signal");
  EXPECT_EQ(receive(pair.client, 10, MSG_DONTWAIT), "-EAGAIN");
  EXPECT_EQ(send_to(pair.client, "aside", "127.0.0.1", local_port(stranger)), 5);
  EXPECT_EQ(receive(stranger), "aside");

  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  EXPECT_EQ(calls().connect(pair.client, &nowhere, sizeof nowhere), 0);
  EXPECT_ERRNO(send(pair.client, "x"), EDESTADDRREQ);
}

TEST_P(UdpSockets, TellThatNobodyIsThere) {
  const int gone = bound("127.0.0.1");
  const int client = bound("127.0.0.1");
  EXPECT_EQ(connect_to(client, "127.0.0.1", local_port(gone)), 0);
  close_now(gone);
  EXPECT_EQ(send(client, "anybody?"), 8);
  EXPECT_EQ(poll_one(client, POLLIN), POLLERR);
  EXPECT_EQ(receive(client), "-ECONNREFUSED");
  EXPECT_EQ(receive(client, 10, MSG_DONTWAIT), "-EAGAIN");
  EXPECT_EQ(send(client, "anybody?"), 8);
  poll_one(client, POLLIN);
  EXPECT_EQ(get_int(client, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  EXPECT_EQ(get_int(client, SOL_SOCKET, SO_ERROR), 0);
  EXPECT_EQ(send(client, "anybody?"), 8);
  poll_one(client, POLLIN);
  EXPECT_ERRNO(send(client, "anybody?"), ECONNREFUSED);
  EXPECT_EQ(send(client, "anybody?"), 8);
}

TEST_P(UdpSockets, SayWhenADatagramWasCut) {
  const auto pair = connected("127.0.0.1");
  EXPECT_EQ(send(pair.client, "a long datagram"), 15);
  Message message = receive_message(pair.server, 6, 0, MSG_PEEK);
  EXPECT_EQ(message.octets, "a long");
  EXPECT_EQ(message.flags & MSG_TRUNC, MSG_TRUNC);
  char few[6];
  EXPECT_EQ(calls().recvfrom(pair.server, few, sizeof few, MSG_TRUNC, nullptr, nullptr), 15)
      << "the real length";
  EXPECT_EQ(receive(pair.server, 10, MSG_DONTWAIT), "-EAGAIN") << "the rest is gone";
}

TEST_P(UdpSockets, PeekAndCount) {
  const auto pair = connected("127.0.0.1");
  EXPECT_EQ(send(pair.client, "one"), 3);
  EXPECT_EQ(send(pair.client, "three"), 5);
  EXPECT_EQ(receive(pair.server, 100, MSG_PEEK), "one");
  int size = 0;
  EXPECT_EQ(calls().ioctl(pair.server, FIONREAD, &size), 0);
  EXPECT_EQ(size, 3) << "of the first datagram";
  EXPECT_EQ(receive(pair.server), "one");
  EXPECT_EQ(receive(pair.server), "three");
}

TEST_P(UdpSockets, JoinPiecesWithMore) {
  const auto pair = connected("127.0.0.1");
  EXPECT_EQ(send(pair.client, "one ", MSG_MORE), 4);
  EXPECT_EQ(send(pair.client, "datagram", 0), 8);
  EXPECT_EQ(receive(pair.server), "one datagram");
}

TEST_P(UdpSockets, SpeakIpv4AndIpv6WhenDualStack) {
  const int server = bound("::");
  const int four = bound("127.0.0.1");
  EXPECT_EQ(send_to(four, "four", "127.0.0.1", local_port(server)), 4);
  const Message message = receive_message(server, 100, 0);
  EXPECT_EQ(message.octets, "four");
  EXPECT_EQ(message.from, "::ffff:127.0.0.1");
  EXPECT_EQ(send_to(server, "answer", "::ffff:127.0.0.1", local_port(four)), 6) << errno_name(errno);
  EXPECT_EQ(receive(four), "answer");
  const int six = bound("::1");
  EXPECT_EQ(send_to(six, "six", "::1", local_port(server)), 3);
  EXPECT_EQ(receive_message(server, 100, 0).from, "::1");
}

TEST_P(UdpSockets, GiveControlMessagesThatWereAskedFor) {
  const auto pair = connected("127.0.0.1");
  EXPECT_EQ(set_int(pair.server, IPPROTO_IP, IP_PKTINFO, 1), 0);
  EXPECT_EQ(set_int(pair.server, IPPROTO_IP, IP_RECVTTL, 1), 0);
  EXPECT_EQ(set_int(pair.server, IPPROTO_IP, IP_RECVTOS, 1), 0);
  EXPECT_EQ(set_int(pair.client, IPPROTO_IP, IP_TTL, 42), 0);
  EXPECT_EQ(set_int(pair.client, IPPROTO_IP, IP_TOS, 0x48), 0);
  EXPECT_EQ(send(pair.client, "marked"), 6);
  Message message = receive_message(pair.server, 100, 200);
  EXPECT_EQ(message.flags, 0);
  in_pktinfo info{};
  int ttl = 0;
  std::uint8_t tos = 0;
  ASSERT_TRUE(find_control(message.control, IPPROTO_IP, IP_PKTINFO, info));
  EXPECT_EQ(info.ipi_ifindex, 1);
  EXPECT_EQ(ntohl(info.ipi_addr.s_addr), INADDR_LOOPBACK);
  ASSERT_TRUE(find_control(message.control, IPPROTO_IP, IP_TTL, ttl));
  EXPECT_EQ(ttl, 42);
  ASSERT_TRUE(find_control(message.control, IPPROTO_IP, IP_TOS, tos));
  EXPECT_EQ(tos, 0x48);

  EXPECT_EQ(send(pair.client, "marked"), 6);
  message = receive_message(pair.server, 100, CMSG_SPACE(sizeof(in_pktinfo)));
  EXPECT_EQ(message.flags & MSG_CTRUNC, MSG_CTRUNC) << "no room for the others";
}

TEST_P(UdpSockets, GiveControlMessagesOfIpv6) {
  const auto pair = connected("::1");
  EXPECT_EQ(set_int(pair.server, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1), 0);
  EXPECT_EQ(set_int(pair.server, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1), 0);
  EXPECT_EQ(set_int(pair.server, IPPROTO_IPV6, IPV6_RECVTCLASS, 1), 0);
  EXPECT_EQ(set_int(pair.client, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 17), 0);
  EXPECT_EQ(set_int(pair.client, IPPROTO_IPV6, IPV6_TCLASS, 0x20), 0);
  EXPECT_EQ(send(pair.client, "marked"), 6);
  Message message = receive_message(pair.server, 100, 200);
  in6_pktinfo info{};
  int number = 0;
  ASSERT_TRUE(find_control(message.control, IPPROTO_IPV6, IPV6_PKTINFO, info));
  EXPECT_EQ(info.ipi6_ifindex, 1U);
  EXPECT_TRUE(IN6_IS_ADDR_LOOPBACK(&info.ipi6_addr));
  ASSERT_TRUE(find_control(message.control, IPPROTO_IPV6, IPV6_HOPLIMIT, number));
  EXPECT_EQ(number, 17);
  ASSERT_TRUE(find_control(message.control, IPPROTO_IPV6, IPV6_TCLASS, number));
  EXPECT_EQ(number, 0x20);
}

TEST_P(UdpSockets, TakeControlMessagesForOneDatagram) {
  const auto pair = connected("127.0.0.1");
  EXPECT_EQ(set_int(pair.server, IPPROTO_IP, IP_RECVTTL, 1), 0);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  char text[] = "once";
  iovec piece{text, 4};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = IPPROTO_IP;
  header->cmsg_type = IP_TTL;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int ttl = 5;
  std::memcpy(CMSG_DATA(header), &ttl, sizeof ttl);
  EXPECT_EQ(calls().sendmsg(pair.client, &message, 0), 4) << errno_name(errno);
  Message got = receive_message(pair.server, 10, 100);
  int seen = 0;
  ASSERT_TRUE(find_control(got.control, IPPROTO_IP, IP_TTL, seen));
  EXPECT_EQ(seen, 5);

  header->cmsg_len = 3;
  EXPECT_ERRNO(calls().sendmsg(pair.client, &message, 0), EINVAL);
  header->cmsg_len = CMSG_LEN(sizeof(int));
  header->cmsg_type = 12345;
  EXPECT_ERRNO(calls().sendmsg(pair.client, &message, 0), EINVAL);
}

TEST_P(UdpSockets, EndReadingAndWritingWhenShutDown) {
  const auto pair = connected("127.0.0.1");
  EXPECT_EQ(calls().shutdown(pair.client, SHUT_WR), 0);
  EXPECT_ERRNO(send(pair.client, "x"), EPIPE);
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    EXPECT_EQ(calls().shutdown(pair.client, SHUT_RD), 0);
  });
  EXPECT_EQ(receive(pair.client), "");
  stopper.join();
  EXPECT_EQ(poll_one(pair.client, POLLIN | POLLRDHUP) & (POLLIN | POLLHUP | POLLRDHUP),
            POLLIN | POLLHUP | POLLRDHUP);
}

TEST_P(UdpSockets, BoundTwiceOnlyWithReuse) {
  const int first = bound("127.0.0.1");
  const int second = socket_ok(AF_INET, SOCK_DGRAM);
  EXPECT_ERRNO(bind_to(second, "127.0.0.1", local_port(first)), EADDRINUSE);
  EXPECT_ERRNO(bind_to(second, "0.0.0.0", local_port(first)), EADDRINUSE);
  EXPECT_EQ(set_int(second, SOL_SOCKET, SO_REUSEADDR, 1), 0);
  EXPECT_ERRNO(bind_to(second, "127.0.0.1", local_port(first)), EADDRINUSE);  // the first has not agreed
  const int third = socket_ok(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(set_int(third, SOL_SOCKET, SO_REUSEADDR, 1), 0);
  EXPECT_EQ(bind_to(third, "127.0.0.1"), 0);
  EXPECT_EQ(bind_to(second, "127.0.0.1", local_port(third)), 0) << errno_name(errno);
}

// ---------------------------------------------------------------- ping sockets

TEST_P(UdpSockets, PingSocketsHearTheirEcho) {
  if (is_kernel()) GTEST_SKIP() << "needs net.ipv4.ping_group_range";
  struct {
    int domain, protocol;
    const char* to;
    char request, reply;
  } const families[] = {{AF_INET, IPPROTO_ICMP, "127.0.0.1", 8, 0},
                        {AF_INET6, IPPROTO_ICMPV6, "::1", static_cast<char>(128), static_cast<char>(129)}};
  for (const auto& family : families) {
    const int fd = socket_ok(family.domain, SOCK_DGRAM, family.protocol);
    EXPECT_EQ(set_receive_timeout(fd, 2000), 0);
    std::string message(8, '\0');
    message[0] = family.request;
    message[7] = 3;
    message += "payload";
    EXPECT_ERRNO(send(fd, message), EDESTADDRREQ);
    EXPECT_EQ(send_to(fd, message, family.to, 0), 15) << errno_name(errno);
    const std::string reply = receive(fd);
    ASSERT_EQ(reply.size(), 15U) << reply;
    EXPECT_EQ(reply[0], family.reply);
    EXPECT_EQ(reply.substr(8), "payload");
    EXPECT_EQ((static_cast<std::uint8_t>(reply[4]) << 8) | static_cast<std::uint8_t>(reply[5]),
              local_port(fd));
    EXPECT_EQ(reply[7], 3);
    message[0] = 13;  // a timestamp request
    EXPECT_ERRNO(send_to(fd, message, family.to, 0), EINVAL);
    EXPECT_ERRNO(send_to(fd, "short", family.to, 0), EINVAL);
  }
}

}  // namespace
}  // namespace transom::sockets
