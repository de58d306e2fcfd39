// AF_PACKET: packet(7). Two stacks on a wire, and one alone with its loopback interface.
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>

#include "socket_api/c_stack.h"
#include "tests/unit/socket_api/datagram_socket_device.h"
#include "tests/unit/socket_api/sockets_under_test.h"

namespace transom::sockets {
namespace {

constexpr int kWire = 2;  // the number of the interface

struct Frame {
  std::string octets;
  sockaddr_ll from{};
  int flags = 0;
  tpacket_auxdata auxiliary{};
};

class PacketSockets : public testing::Test {
 protected:
  PacketSockets() : near_(config()), far_(config()), c_near_(near_), c_far_(far_) {
    auto [near_end, far_end] = DatagramSocketDevice::make_pair();
    set_up(near_, std::move(near_end), "10.9.0.1/24");
    set_up(far_, std::move(far_end), "10.9.0.2/24");
    EXPECT_TRUE(near_.wait_for_addresses(std::chrono::seconds(5)));
    EXPECT_TRUE(far_.wait_for_addresses(std::chrono::seconds(5)));
  }
  static StackConfig config() { return {}; }
  static void set_up(Stack& stack, std::unique_ptr<drivers::Device> device, const char* address) {
    const InterfaceId interface =
        stack.add_device(std::move(device), {.conflict_detection = link::ConflictDetection::quick()});
    EXPECT_TRUE(stack.add_address(interface, *IpPrefix::parse(address)));
  }

  static int socket(transom_stack& stack, int domain, int type, int protocol) {
    const int fd = transom_socket(&stack, domain, type, protocol);
    EXPECT_GE(fd, 0) << errno_name(errno);
    const timeval limit{.tv_sec = 2, .tv_usec = 0};
    EXPECT_EQ(transom_setsockopt(&stack, fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    return fd;
  }
  static int packet_socket(transom_stack& stack, int type, int protocol, int interface) {
    const int fd = socket(stack, AF_PACKET, type, 0);
    const sockaddr_ll address = on_interface(interface, protocol);
    EXPECT_EQ(transom_bind(&stack, fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0)
        << errno_name(errno);
    return fd;
  }
  static sockaddr_ll on_interface(int interface, int protocol) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(static_cast<std::uint16_t>(protocol));
    address.sll_ifindex = interface;
    return address;
  }
  static void set_int(transom_stack& stack, int fd, int level, int name, int value) {
    EXPECT_EQ(transom_setsockopt(&stack, fd, level, name, &value, sizeof value), 0) << errno_name(errno);
  }
  static std::optional<Frame> receive(transom_stack& stack, int fd, std::size_t size = 2000) {
    Frame frame;
    frame.octets.resize(size);
    iovec piece{frame.octets.data(), size};
    alignas(cmsghdr) char control[200] = {};
    msghdr message{};
    message.msg_name = &frame.from;
    message.msg_namelen = sizeof frame.from;
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = transom_recvmsg(&stack, fd, &message, 0);
    if (got < 0) return std::nullopt;
    frame.octets.resize(static_cast<std::size_t>(got));
    frame.flags = message.msg_flags;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level == SOL_PACKET && header->cmsg_type == PACKET_AUXDATA)
        std::memcpy(&frame.auxiliary, CMSG_DATA(header), sizeof frame.auxiliary);
    }
    return frame;
  }
  // The next that holds `text`.
  static std::optional<Frame> receive_with(transom_stack& stack, int fd, std::string_view text) {
    for (int i = 0; i < 1000; ++i) {
      auto frame = receive(stack, fd);
      if (!frame || frame->octets.find(text) != std::string::npos) return frame;
    }
    return std::nullopt;
  }
  static int udp(transom_stack& stack, const char* text, std::uint16_t port) {
    const int fd = socket(stack, AF_INET, SOCK_DGRAM, 0);
    const sockaddr_in address = ipv4(text, port);
    EXPECT_EQ(transom_bind(&stack, fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  static sockaddr_in ipv4(const char* text, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, text, &address.sin_addr);
    return address;
  }
  static void send_text(transom_stack& stack, int fd, std::string_view text, const char* to,
                        std::uint16_t port) {
    const sockaddr_in address = ipv4(to, port);
    EXPECT_EQ(transom_sendto(&stack, fd, text.data(), text.size(), 0,
                             reinterpret_cast<const sockaddr*>(&address), sizeof address),
              static_cast<ssize_t>(text.size()));
  }

  Stack near_;
  Stack far_;
  transom_stack c_near_;
  transom_stack c_far_;
};

const std::string kNearMac("\2\0\0\0\0\1", 6), kFarMac("\2\0\0\0\0\2", 6);

TEST_F(PacketSockets, SeeWhatGoesAndWhatComes) {
  const int all = packet_socket(c_near_, SOCK_RAW, ETH_P_ALL, kWire);
  const int ip = packet_socket(c_near_, SOCK_DGRAM, ETH_P_IP, kWire);
  const int near = udp(c_near_, "10.9.0.1", 1000);
  const int far = udp(c_far_, "10.9.0.2", 2000);
  send_text(c_near_, near, "going there", "10.9.0.2", 2000);
  char text[100];
  EXPECT_EQ(transom_recv(&c_far_, far, text, sizeof text, 0), 11);
  send_text(c_far_, far, "coming back", "10.9.0.1", 1000);

  const auto out = receive_with(c_near_, all, "going there");
  ASSERT_TRUE(out);
  EXPECT_EQ(out->from.sll_pkttype, PACKET_OUTGOING);
  EXPECT_EQ(out->octets.substr(0, 12), kFarMac + kNearMac);
  EXPECT_EQ(out->from.sll_ifindex, kWire);
  const auto in = receive_with(c_near_, all, "coming back");
  ASSERT_TRUE(in);
  EXPECT_EQ(in->from.sll_pkttype, PACKET_HOST);
  EXPECT_EQ(in->from.sll_family, AF_PACKET);
  EXPECT_EQ(ntohs(in->from.sll_protocol), ETH_P_IP);
  EXPECT_EQ(in->from.sll_hatype, ARPHRD_ETHER);
  EXPECT_EQ(in->from.sll_halen, 6);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(in->from.sll_addr), 6), kFarMac);
  EXPECT_EQ(in->octets.substr(0, 14), kNearMac + kFarMac + std::string("\x08\0", 2));

  const auto cooked = receive_with(c_near_, ip, "");
  ASSERT_TRUE(cooked);
  EXPECT_NE(cooked->octets.find("coming back"), std::string::npos)
      << "one protocol: what comes, not what goes";
  EXPECT_EQ(cooked->octets[0], 0x45) << "without the Ethernet header";
}

TEST_F(PacketSockets, SendFramesOfTheirOwn) {
  constexpr int kType = 0x88b5;  // IEEE 802: for experiments
  const int from = packet_socket(c_near_, SOCK_RAW, ETH_P_ALL, kWire);
  const int to = packet_socket(c_far_, SOCK_DGRAM, kType, kWire);
  const std::string frame = kFarMac + kNearMac + "\x88\xb5" + "a frame";
  EXPECT_EQ(transom_send(&c_near_, from, frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()));
  const auto first = receive(c_far_, to);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->octets.size(), 46U) << "padded to the shortest frame";
  EXPECT_TRUE(first->octets.starts_with("a frame"));
  EXPECT_EQ(first->from.sll_pkttype, PACKET_HOST);

  const int cooked = socket(c_near_, AF_PACKET, SOCK_DGRAM, 0);
  sockaddr_ll address = on_interface(kWire, kType);
  address.sll_halen = 6;
  std::memset(address.sll_addr, 0xff, 6);
  EXPECT_EQ(transom_sendto(&c_near_, cooked, "to all", 6, 0, reinterpret_cast<const sockaddr*>(&address),
                           sizeof address),
            6);
  const auto second = receive(c_far_, to);
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->octets.starts_with("to all"));
  EXPECT_EQ(second->from.sll_pkttype, PACKET_BROADCAST);
  const auto seen = receive_with(c_near_, from, "to all");
  ASSERT_TRUE(seen) << "others see what goes";
  EXPECT_EQ(seen->from.sll_pkttype, PACKET_OUTGOING);
}

TEST_F(PacketSockets, RefuseWhatCannotBeSent) {
  const int fd = packet_socket(c_near_, SOCK_RAW, ETH_P_ALL, kWire);
  const std::string frame(1515, 'x');
  EXPECT_ERRNO(transom_send(&c_near_, fd, frame.data(), 13, 0), EINVAL);
  EXPECT_ERRNO(transom_send(&c_near_, fd, frame.data(), 1515, 0), EMSGSIZE);
  const int nowhere = socket(c_near_, AF_PACKET, SOCK_RAW, 0);
  EXPECT_ERRNO(transom_send(&c_near_, nowhere, frame.data(), 60, 0), ENXIO);
  const int cooked = packet_socket(c_near_, SOCK_DGRAM, ETH_P_ALL, kWire);
  EXPECT_ERRNO(transom_send(&c_near_, cooked, frame.data(), 60, 0), EINVAL);
  const sockaddr_ll missing = on_interface(77, ETH_P_ALL);
  EXPECT_ERRNO(transom_bind(&c_near_, nowhere, reinterpret_cast<const sockaddr*>(&missing), sizeof missing),
               ENODEV);
  EXPECT_ERRNO(transom_socket(&c_near_, AF_PACKET, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
  EXPECT_ERRNO(
      transom_connect(&c_near_, nowhere, reinterpret_cast<const sockaddr*>(&missing), sizeof missing),
      EOPNOTSUPP);
  EXPECT_ERRNO(transom_shutdown(&c_near_, nowhere, SHUT_RDWR), EOPNOTSUPP);
}

TEST_F(PacketSockets, SeeTheLoopbackInterfaceAsEthernet) {
  const int raw = packet_socket(c_near_, SOCK_RAW, ETH_P_ALL, 1);
  const int fd = udp(c_near_, "127.0.0.1", 1000);
  send_text(c_near_, fd, "to myself", "127.0.0.1", 1000);
  for (const int type : {PACKET_OUTGOING, PACKET_HOST}) {
    const auto frame = receive(c_near_, raw);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->from.sll_pkttype, type);
    EXPECT_EQ(frame->from.sll_hatype, ARPHRD_LOOPBACK);
    EXPECT_EQ(frame->octets.substr(0, 14), std::string(12, '\0') + std::string("\x08\0", 2));
    EXPECT_EQ(frame->octets.substr(14 + 28), "to myself");
  }
  // And what is sent there comes in.
  const auto copy = receive(c_near_, raw);
  EXPECT_FALSE(copy) << "twice, and no more";
}

TEST_F(PacketSockets, TellMoreWhenAsked) {
  const int fd = packet_socket(c_near_, SOCK_RAW, ETH_P_ALL, 1);
  set_int(c_near_, fd, SOL_PACKET, PACKET_AUXDATA, 1);
  set_int(c_near_, fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
  const packet_mreq request{.mr_ifindex = 1, .mr_type = PACKET_MR_PROMISC, .mr_alen = 0, .mr_address = {}};
  EXPECT_EQ(transom_setsockopt(&c_near_, fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request), 0);
  const int own = udp(c_near_, "127.0.0.1", 1000);
  send_text(c_near_, own, "to myself", "127.0.0.1", 1000);
  const auto frame = receive(c_near_, fd, 20);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->flags & MSG_TRUNC, MSG_TRUNC);
  EXPECT_EQ(frame->auxiliary.tp_len, 14U + 28U + 9U);
  EXPECT_EQ(frame->auxiliary.tp_net, 14);
  EXPECT_TRUE(frame->auxiliary.tp_status & TP_STATUS_CSUMNOTREADY) << "nobody completes it on a loopback";
  tpacket_stats statistics{};
  socklen_t size = sizeof statistics;
  EXPECT_EQ(transom_getsockopt(&c_near_, fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &size), 0);
  EXPECT_EQ(statistics.tp_packets, 1U);
  EXPECT_EQ(transom_getsockopt(&c_near_, fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &size), 0);
  EXPECT_EQ(statistics.tp_packets, 0U) << "since the last look";
}

TEST_F(PacketSockets, DropWhatHasNoRoomAndCountIt) {
  const int fd = packet_socket(c_near_, SOCK_RAW, ETH_P_IP, 1);
  set_int(c_near_, fd, SOL_SOCKET, SO_RCVBUF, 4096);
  const int own = udp(c_near_, "127.0.0.1", 1000);
  for (int i = 0; i < 100; ++i) send_text(c_near_, own, std::string(1000, 'x'), "127.0.0.1", 1000);
  tpacket_stats statistics{};
  socklen_t size = sizeof statistics;
  EXPECT_EQ(transom_getsockopt(&c_near_, fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &size), 0);
  EXPECT_EQ(statistics.tp_packets, 100U);
  EXPECT_GT(statistics.tp_drops, 90U - 2);
  EXPECT_LT(statistics.tp_drops, 100U);
}

TEST_F(PacketSockets, AreFilteredByWhatIsInAndAroundAFrame) {
  // UDP datagrams that go out: what `outbound and udp` would be.
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 3),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 9),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0)};
  const sock_fprog program{.len = 6, .filter = code};
  const int fd = socket(c_near_, AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
  EXPECT_EQ(transom_setsockopt(&c_near_, fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0)
      << errno_name(errno);
  const int own = udp(c_near_, "127.0.0.1", 1000);
  send_text(c_near_, own, "once", "127.0.0.1", 1000);
  send_text(c_near_, own, "twice", "127.0.0.1", 1000);
  for (const char* const text : {"once", "twice"}) {
    const auto frame = receive(c_near_, fd);
    ASSERT_TRUE(frame);
    EXPECT_TRUE(frame->octets.ends_with(text));
    EXPECT_EQ(frame->from.sll_pkttype, PACKET_OUTGOING);
  }
  code[0].k = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_NLATTR);
  EXPECT_ERRNO(transom_setsockopt(&c_near_, fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program),
               EINVAL);
}

TEST_F(PacketSockets, NameTheInterfaceThatTheyAreBoundTo) {
  const int fd = packet_socket(c_near_, SOCK_RAW, ETH_P_IP, kWire);
  sockaddr_ll address{};
  socklen_t size = sizeof address;
  EXPECT_EQ(transom_getsockname(&c_near_, fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  EXPECT_EQ(address.sll_ifindex, kWire);
  EXPECT_EQ(address.sll_protocol, htons(ETH_P_IP));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(address.sll_addr), 6), kNearMac);
}

TEST_F(PacketSockets, AskAboutInterfaces) {
  const int fd = socket(c_near_, AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  request.ifr_ifindex = kWire;
  ASSERT_EQ(transom_ioctl(&c_near_, fd, SIOCGIFNAME, &request), 0);
  EXPECT_STREQ(request.ifr_name, "wire0");
  ASSERT_EQ(transom_ioctl(&c_near_, fd, SIOCGIFHWADDR, &request), 0);
  EXPECT_EQ(request.ifr_hwaddr.sa_family, ARPHRD_ETHER);
  EXPECT_EQ(std::string(request.ifr_hwaddr.sa_data, 6), kNearMac);
  ASSERT_EQ(transom_ioctl(&c_near_, fd, SIOCGIFMTU, &request), 0);
  EXPECT_EQ(request.ifr_mtu, 1500);
  ASSERT_EQ(transom_ioctl(&c_near_, fd, SIOCGIFADDR, &request), 0);
  sockaddr_in address{};
  std::memcpy(&address, &request.ifr_addr, sizeof address);
  EXPECT_EQ(ntohl(address.sin_addr.s_addr), 0x0a090001U);
  ASSERT_EQ(transom_ioctl(&c_near_, fd, SIOCGIFNETMASK, &request), 0);
  std::memcpy(&address, &request.ifr_netmask, sizeof address);
  EXPECT_EQ(ntohl(address.sin_addr.s_addr), 0xffffff00U);
  ASSERT_EQ(transom_ioctl(&c_near_, fd, SIOCGIFFLAGS, &request), 0);
  EXPECT_EQ(request.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_BROADCAST), IFF_UP | IFF_BROADCAST);
  ASSERT_EQ(transom_ioctl(&c_near_, fd, SIOCGIFINDEX, &request), 0);
  EXPECT_EQ(request.ifr_ifindex, kWire);
  std::array<ifreq, 4> list{};
  ifconf all{};
  all.ifc_len = sizeof list;
  all.ifc_req = list.data();
  ASSERT_EQ(transom_ioctl(&c_near_, fd, SIOCGIFCONF, &all), 0);
  EXPECT_EQ(all.ifc_len, static_cast<int>(2 * sizeof(ifreq)));
  EXPECT_STREQ(list[0].ifr_name, "lo");
  EXPECT_STREQ(list[1].ifr_name, "wire0");
  std::strcpy(request.ifr_name, "none");
  EXPECT_ERRNO(transom_ioctl(&c_near_, fd, SIOCGIFINDEX, &request), ENODEV);
}

}  // namespace
}  // namespace transom::sockets
