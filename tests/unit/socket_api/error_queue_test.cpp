// IP_RECVERR and MSG_ERRQUEUE.
#include <linux/errqueue.h>

#include "socket_api/c_stack.h"
#include "socket_api/error_queue.h"
#include "tests/unit/socket_api/datagram_socket_device.h"
#include "tests/unit/socket_api/messages.h"

namespace transom::sockets {
namespace {

struct Ipv4Report {
  sock_extended_err error;
  sockaddr_in offender;
};
struct Ipv6Report {
  sock_extended_err error;
  sockaddr_in6 offender;
};

class ErrorQueues : public MessageTest {
 protected:
  // A port where nobody is.
  std::uint16_t unused_port(const char* text) {
    const int fd = bound(text);
    const std::uint16_t port = local_port(fd);
    close_now(fd);
    return port;
  }
};
INSTANTIATE_BOTH(ErrorQueues);

TEST_P(ErrorQueues, KeepWhatTheNetworkSaid) {
  const std::uint16_t gone = unused_port("127.0.0.1");
  const int fd = bound("127.0.0.1");
  EXPECT_EQ(receive(fd, 100, MSG_ERRQUEUE), "-EAGAIN");
  EXPECT_EQ(set_int(fd, IPPROTO_IP, IP_RECVERR, 1), 0);
  EXPECT_EQ(send_to(fd, "anybody?", "127.0.0.1", gone), 8);
  EXPECT_EQ(poll_one(fd, POLLIN), POLLERR);
  EXPECT_EQ(receive(fd), "-ECONNREFUSED") << "a socket that is not connected hears of it too";
  EXPECT_EQ(poll_one(fd, 0, 0), POLLERR) << "there is still something to be read";

  Message message = receive_message(fd, 100, 200, MSG_ERRQUEUE);
  EXPECT_EQ(message.octets, "anybody?");
  EXPECT_EQ(message.from, "127.0.0.1");
  EXPECT_EQ(message.port, gone) << "where it was sent to";
  EXPECT_EQ(message.flags, MSG_ERRQUEUE);
  Ipv4Report report{};
  ASSERT_TRUE(find_control(message.control, IPPROTO_IP, IP_RECVERR, report));
  EXPECT_EQ(report.error.ee_errno, std::uint32_t{ECONNREFUSED});
  EXPECT_EQ(report.error.ee_origin, SO_EE_ORIGIN_ICMP);
  EXPECT_EQ(report.error.ee_type, 3);
  EXPECT_EQ(report.error.ee_code, 3);
  EXPECT_EQ(report.error.ee_info, 0U);
  EXPECT_EQ(report.offender.sin_family, AF_INET);
  EXPECT_EQ(ntohl(report.offender.sin_addr.s_addr), INADDR_LOOPBACK);
  EXPECT_EQ(receive(fd, 100, MSG_ERRQUEUE), "-EAGAIN");
  EXPECT_EQ(poll_one(fd, 0, 0), 0);
}

TEST_P(ErrorQueues, KeepWhatIcmpv6Said) {
  const std::uint16_t gone = unused_port("::1");
  const int fd = bound("::1");
  EXPECT_EQ(set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1), 0);
  EXPECT_EQ(send_to(fd, "anybody?", "::1", gone), 8);
  poll_one(fd, POLLIN);
  Message message = receive_message(fd, 4, 200, MSG_ERRQUEUE);
  EXPECT_EQ(message.octets, "anyb");
  EXPECT_EQ(message.flags, MSG_ERRQUEUE | MSG_TRUNC);
  EXPECT_EQ(message.from, "::1");
  Ipv6Report report{};
  ASSERT_TRUE(find_control(message.control, IPPROTO_IPV6, IPV6_RECVERR, report));
  EXPECT_EQ(report.error.ee_errno, std::uint32_t{ECONNREFUSED});
  EXPECT_EQ(report.error.ee_origin, SO_EE_ORIGIN_ICMP6);
  EXPECT_EQ(report.error.ee_type, 1);
  EXPECT_EQ(report.error.ee_code, 4);
  EXPECT_TRUE(IN6_IS_ADDR_LOOPBACK(&report.offender.sin6_addr));
  EXPECT_EQ(receive(fd, 100, MSG_DONTWAIT), "-EAGAIN") << "to read the error is to be told of it";
}

TEST_P(ErrorQueues, StayEmptyForWhoHasNotAsked) {
  const std::uint16_t gone = unused_port("127.0.0.1");
  const int fd = bound("127.0.0.1");
  EXPECT_EQ(connect_to(fd, "127.0.0.1", gone), 0);
  EXPECT_EQ(send(fd, "anybody?"), 8);
  EXPECT_EQ(poll_one(fd, POLLIN), POLLERR);
  EXPECT_EQ(receive(fd, 100, MSG_ERRQUEUE), "-EAGAIN");
  EXPECT_EQ(receive(fd), "-ECONNREFUSED");
}

// ---------------------------------------------------------------- Transom alone

TEST(ErrorQueue, KnowsTheErrnoOfEveryIcmpCode) {
  EXPECT_EQ(icmp_errno(true, 3, 0), ENETUNREACH);
  EXPECT_EQ(icmp_errno(true, 3, 1), EHOSTUNREACH);
  EXPECT_EQ(icmp_errno(true, 3, 4), EMSGSIZE);
  EXPECT_EQ(icmp_errno(true, 3, 7), EHOSTDOWN);
  EXPECT_EQ(icmp_errno(true, 3, 15), EHOSTUNREACH);
  EXPECT_EQ(icmp_errno(true, 3, 255), EHOSTUNREACH);
  EXPECT_EQ(icmp_errno(true, 11, 0), EHOSTUNREACH);
  EXPECT_EQ(icmp_errno(true, 12, 0), EPROTO);
  EXPECT_EQ(icmp_errno(false, 1, 1), EACCES);
  EXPECT_EQ(icmp_errno(false, 1, 255), EPROTO);
  EXPECT_EQ(icmp_errno(false, 2, 0), EMSGSIZE);
  EXPECT_EQ(icmp_errno(false, 3, 0), EHOSTUNREACH);
}

TEST(ErrorQueue, IsBounded) {
  Stack stack;
  Session session(stack);
  ErrorQueue queue;
  const std::vector<std::uint8_t> quoted(1000, 'q');
  const ip::IcmpError error{.kind = ip::IcmpErrorKind::kPortUnreachable,
                            .type = 3,
                            .code = 3,
                            .mtu = 0,
                            .reporter = IpAddress::v4(10, 0, 0, 1),
                            .source = IpAddress::v4(10, 0, 0, 2),
                            .destination = IpAddress::v4(10, 0, 0, 1),
                            .transport = quoted};
  for (int i = 0; i < 10000; ++i) queue.push(error, Port{7}, 8, session.now());
  int kept = 0;
  while (true) {
    Incoming message{.buffers = {}};
    if (!queue.receive(session, {AF_INET, SOCK_DGRAM, IPPROTO_UDP}, {}, message)) break;
    ++kept;
  }
  EXPECT_GT(kept, 10);
  EXPECT_LT(kept, 250);
}

TEST(ErrorQueue, HoldsThePathMtuOfADatagramThatWasTooLong) {
  auto [near_end, far_end] = DatagramSocketDevice::make_pair();
  Stack near;
  const InterfaceId interface = near.add_device(
      std::move(near_end), {.mtu = 1400, .conflict_detection = link::ConflictDetection::quick()});
  ASSERT_TRUE(near.add_address(interface, *IpPrefix::parse("10.9.0.1/24")));
  ASSERT_TRUE(near.wait_for_addresses(std::chrono::seconds(5)));
  transom_stack c_stack(near);
  const int fd = transom_socket(&c_stack, AF_INET, SOCK_DGRAM, 0);
  const int on = 1;
  const int never_fragment = IP_PMTUDISC_DO;
  EXPECT_EQ(transom_setsockopt(&c_stack, fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on), 0);
  EXPECT_EQ(transom_setsockopt(&c_stack, fd, IPPROTO_IP, IP_MTU_DISCOVER, &never_fragment, sizeof(int)), 0);
  sockaddr_in far{};
  far.sin_family = AF_INET;
  far.sin_port = htons(7);
  inet_pton(AF_INET, "10.9.0.2", &far.sin_addr);
  const std::string text(2000, 'x');
  EXPECT_EQ(transom_sendto(&c_stack, fd, text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&far),
                           sizeof far),
            -1);
  EXPECT_EQ(errno, EMSGSIZE);
  alignas(cmsghdr) char control[100];
  sockaddr_in name{};
  msghdr message{};
  message.msg_name = &name;
  message.msg_namelen = sizeof name;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  EXPECT_EQ(transom_recvmsg(&c_stack, fd, &message, MSG_ERRQUEUE), 0);
  Ipv4Report report;
  ASSERT_GE(message.msg_controllen, CMSG_LEN(sizeof report));
  std::memcpy(&report, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof report);
  EXPECT_EQ(report.error.ee_errno, std::uint32_t{EMSGSIZE});
  EXPECT_EQ(report.error.ee_origin, SO_EE_ORIGIN_LOCAL);
  EXPECT_EQ(report.error.ee_info, 1400U);
  EXPECT_EQ(report.offender.sin_family, AF_UNSPEC);
  EXPECT_EQ(name.sin_addr.s_addr, far.sin_addr.s_addr);
}

}  // namespace
}  // namespace transom::sockets
