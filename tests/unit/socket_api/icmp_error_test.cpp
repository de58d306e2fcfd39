// What a router says of what sockets have sent: two stacks, the far one a router that knows no way on.
#include <linux/errqueue.h>

#include "socket_api/c_stack.h"
#include "tests/unit/socket_api/datagram_socket_device.h"
#include "tests/unit/socket_api/sockets_under_test.h"

namespace transom::sockets {
namespace {

struct Report {
  sock_extended_err error;
  sockaddr_in offender;
};

class BehindARouter : public testing::Test {
 protected:
  BehindARouter() : router_({.host = router_config()}), c_stack_(near_) {
    auto [near_end, far_end] = DatagramSocketDevice::make_pair();
    const InterfaceId interface = set_up(near_, std::move(near_end), "10.9.0.1/24");
    set_up(router_, std::move(far_end), "10.9.0.2/24");
    EXPECT_TRUE(near_.wait_for_addresses(std::chrono::seconds(5)));
    EXPECT_TRUE(router_.wait_for_addresses(std::chrono::seconds(5)));
    EXPECT_TRUE(near_.add_route({IpAddress::any(IpFamily::kIpv4), 0}, IpAddress::v4(10, 9, 0, 2), interface));
  }

  static HostConfig router_config() {
    HostConfig config;
    config.ip.forwarding = true;
    return config;
  }
  static InterfaceId set_up(Stack& stack, std::unique_ptr<drivers::Device> device, const char* address) {
    const InterfaceId interface =
        stack.add_device(std::move(device), {.conflict_detection = link::ConflictDetection::quick()});
    EXPECT_TRUE(stack.add_address(interface, *IpPrefix::parse(address)));
    return interface;
  }

  int socket(int type, int protocol = 0) {
    const int fd = transom_socket(&c_stack_, AF_INET, type, protocol);
    const int on = 1;
    EXPECT_EQ(transom_setsockopt(&c_stack_, fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on), 0);
    return fd;
  }
  static sockaddr_in beyond(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, "192.0.2.1", &address.sin_addr);
    return address;
  }
  // The next error that comes.
  Report wait_for_error(int fd, sockaddr_in& name) {
    pollfd entry{.fd = fd, .events = 0, .revents = 0};
    EXPECT_EQ(transom_poll(&c_stack_, &entry, 1, 5000), 1);
    EXPECT_EQ(entry.revents & POLLERR, POLLERR);
    alignas(cmsghdr) char control[100] = {};
    msghdr message{};
    message.msg_name = &name;
    message.msg_namelen = sizeof name;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    EXPECT_EQ(transom_recvmsg(&c_stack_, fd, &message, MSG_ERRQUEUE), 0);
    EXPECT_EQ(message.msg_flags & (MSG_ERRQUEUE | MSG_TRUNC), MSG_ERRQUEUE | MSG_TRUNC);
    Report report{};
    EXPECT_EQ(message.msg_controllen, CMSG_SPACE(sizeof report));
    std::memcpy(&report, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof report);
    return report;
  }
  static void expect_unreachable(const Report& report) {
    EXPECT_EQ(report.error.ee_errno, std::uint32_t{ENETUNREACH});
    EXPECT_EQ(report.error.ee_origin, SO_EE_ORIGIN_ICMP);
    EXPECT_EQ(report.error.ee_type, 3);
    EXPECT_EQ(report.error.ee_code, 0);
    EXPECT_EQ(ntohl(report.offender.sin_addr.s_addr), 0x0a090002U) << "the router";
  }

  Stack near_;
  Stack router_;
  transom_stack c_stack_;
};

TEST_F(BehindARouter, UdpIsToldWhoHasNoWay) {
  const int fd = socket(SOCK_DGRAM);
  const sockaddr_in to = beyond(53);
  EXPECT_EQ(transom_sendto(&c_stack_, fd, "text", 4, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
            4);
  sockaddr_in name{};
  expect_unreachable(wait_for_error(fd, name));
  EXPECT_EQ(name.sin_addr.s_addr, to.sin_addr.s_addr);
  EXPECT_EQ(name.sin_port, to.sin_port);
}

TEST_F(BehindARouter, UdpFindsTheRoutersOnItsWay) {
  const int fd = socket(SOCK_DGRAM);
  const int one = 1;
  EXPECT_EQ(transom_setsockopt(&c_stack_, fd, IPPROTO_IP, IP_TTL, &one, sizeof one), 0);
  const sockaddr_in to = beyond(33434);
  EXPECT_EQ(transom_sendto(&c_stack_, fd, "text", 4, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
            4);
  sockaddr_in name{};
  const Report report = wait_for_error(fd, name);
  EXPECT_EQ(report.error.ee_errno, std::uint32_t{EHOSTUNREACH});
  EXPECT_EQ(report.error.ee_type, 11) << "time exceeded";
  EXPECT_EQ(ntohl(report.offender.sin_addr.s_addr), 0x0a090002U);
}

TEST_F(BehindARouter, APingSocketIsToldTheSame) {
  const int fd = socket(SOCK_DGRAM, IPPROTO_ICMP);
  const sockaddr_in to = beyond(0);
  const char request[8] = {8, 0, 0, 0, 0, 0, 0, 1};
  EXPECT_EQ(transom_sendto(&c_stack_, fd, request, sizeof request, 0, reinterpret_cast<const sockaddr*>(&to),
                           sizeof to),
            8);
  sockaddr_in name{};
  expect_unreachable(wait_for_error(fd, name));
}

TEST_F(BehindARouter, ARawSocketIsToldTheSame) {
  const int fd = socket(SOCK_RAW, 253);
  const sockaddr_in to = beyond(0);
  EXPECT_EQ(
      transom_sendto(&c_stack_, fd, "raw text", 8, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to), 8);
  sockaddr_in name{};
  expect_unreachable(wait_for_error(fd, name));
  EXPECT_EQ(name.sin_addr.s_addr, to.sin_addr.s_addr);
}

}  // namespace
}  // namespace transom::sockets
