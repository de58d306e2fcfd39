// SOCK_RAW: raw(7). The kernel is asked too, where it lets us.
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>

#include "tests/unit/socket_api/messages.h"

namespace transom::sockets {
namespace {

constexpr int kProtocol = 253;  // RFC 3692: for experiments

class RawSockets : public MessageTest {
 protected:
  void SetUp() override {
    if (!is_kernel()) return;
    const int fd = calls().socket(AF_INET, SOCK_RAW, kProtocol);
    if (fd < 0) GTEST_SKIP() << "the kernel gives raw sockets to root alone";
    close_later(fd);
  }
  int raw(int domain, int protocol) {
    const int fd = socket_ok(domain, SOCK_RAW, protocol);
    EXPECT_EQ(set_receive_timeout(fd, 2000), 0);
    return fd;
  }
  // Of this test alone: others may run beside it, on the kernel's loopback.
  std::string text() const {
    return fmt::format("{} of {}", testing::UnitTest::GetInstance()->current_test_info()->name(), getpid());
  }
  std::string receive_ours(int fd, std::size_t header) {
    for (int i = 0; i < 1000; ++i) {
      const std::string got = receive(fd);
      if (got.size() < header || got.find(text()) == std::string::npos) {
        if (got.starts_with("-E")) return got;
        continue;
      }
      return got;
    }
    return "nothing of ours";
  }
  static std::string ipv4_header(std::uint8_t protocol) {
    std::string header(20, '\0');
    header[0] = 0x45;
    header[2] = '\x7f';  // wrong on purpose
    header[8] = 33;
    header[9] = static_cast<char>(protocol);
    header[16] = 127;
    header[19] = 1;
    return header;
  }
};
INSTANTIATE_BOTH(RawSockets);

TEST_P(RawSockets, AreGivenTheHeaderOfIpv4) {
  const int receiver = raw(AF_INET, kProtocol);
  const int sender = raw(AF_INET, kProtocol);
  EXPECT_EQ(send_to(sender, text(), "127.0.0.1", 0), static_cast<ssize_t>(text().size()));
  for (const int fd : {receiver, sender}) {  // each its copy
    const std::string packet = receive_ours(fd, 20);
    ASSERT_EQ(packet.size(), 20 + text().size()) << packet;
    EXPECT_EQ(packet[0], 0x45);
    EXPECT_EQ(static_cast<unsigned char>(packet[9]), kProtocol);
    EXPECT_EQ(packet.substr(12, 8), std::string("\x7f\0\0\1\x7f\0\0\1", 8));
    EXPECT_EQ(packet.substr(20), text());
  }
}

TEST_P(RawSockets, AreGivenWhatIsBehindTheHeaderOfIpv6) {
  const int receiver = raw(AF_INET6, kProtocol);
  const int sender = raw(AF_INET6, kProtocol);
  EXPECT_EQ(send_to(sender, text(), "::1", 0), static_cast<ssize_t>(text().size()));
  EXPECT_EQ(receive_ours(receiver, 0), text());
  EXPECT_ERRNO(send_to(sender, text(), "::1", 17), EINVAL);  // the port would be the protocol
  EXPECT_EQ(send_to(sender, text(), "::1", kProtocol), static_cast<ssize_t>(text().size()));
}

TEST_P(RawSockets, NeedAProtocol) {
  EXPECT_ERRNO(calls().socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
  EXPECT_ERRNO(calls().socket(AF_INET6, SOCK_RAW, 0), EPROTONOSUPPORT);
  EXPECT_ERRNO(calls().socket(AF_INET, SOCK_RAW, 1000), EINVAL);
}

TEST_P(RawSockets, ShowTheProtocolInPlaceOfThePort) {
  const int fd = raw(AF_INET, kProtocol);
  EXPECT_EQ(local_port(fd), kProtocol);
  EXPECT_EQ(bind_to(fd, "127.0.0.1", 7), 0);
  EXPECT_EQ(local_port(fd), kProtocol);
  EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_TYPE), SOCK_RAW);
  EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_PROTOCOL), kProtocol);
  EXPECT_ERRNO(bind_to(fd, "192.0.2.1"), EADDRNOTAVAIL);
  EXPECT_ERRNO(calls().listen(fd, 1), EOPNOTSUPP);
}

TEST_P(RawSockets, HearOnlyTheirPeerOnceConnected) {
  const int fd = raw(AF_INET, kProtocol);
  EXPECT_ERRNO(send(fd, text()), EDESTADDRREQ);
  EXPECT_EQ(connect_to(fd, "127.0.0.1", 9), 0);
  const int stranger = raw(AF_INET, kProtocol);
  EXPECT_EQ(bind_to(stranger, "127.0.0.2"), 0);
  EXPECT_GT(send_to(stranger, "from elsewhere", "127.0.0.1", 0), 0);
  EXPECT_EQ(send(fd, text()), static_cast<ssize_t>(text().size()));
  EXPECT_EQ(receive(fd).substr(20), text());
}

TEST_P(RawSockets, MakeHeadersOfTheirOwn) {
  const int receiver = raw(AF_INET, kProtocol);
  const int sender = raw(AF_INET, IPPROTO_RAW);
  EXPECT_EQ(get_int(sender, IPPROTO_IP, IP_HDRINCL), 1);
  EXPECT_EQ(get_int(receiver, IPPROTO_IP, IP_HDRINCL), 0);
  const std::string packet = ipv4_header(kProtocol) + text();
  EXPECT_EQ(send_to(sender, packet, "127.0.0.1", 0), static_cast<ssize_t>(packet.size()));
  const std::string got = receive_ours(receiver, 20);
  ASSERT_EQ(got.size(), packet.size());
  EXPECT_EQ(got[8], 33) << "the time to live is ours";
  EXPECT_EQ(static_cast<unsigned char>(got[2]) * 256 + static_cast<unsigned char>(got[3]),
            static_cast<int>(got.size()))
      << "the length is filled in";
  EXPECT_NE(got.substr(10, 2), std::string(2, '\0')) << "and the checksum";
  EXPECT_EQ(got.substr(12, 4), std::string("\x7f\0\0\1", 4)) << "and the source";
  EXPECT_EQ(set_int(receiver, IPPROTO_IP, IP_HDRINCL, 1), 0);
  EXPECT_EQ(send_to(receiver, packet, "127.0.0.1", 0), static_cast<ssize_t>(packet.size()));
  EXPECT_ERRNO(send_to(sender, "short", "127.0.0.1", 0), EINVAL);
}

TEST_P(RawSockets, HaveTheOptionOfHeadersAlone) {
  const int fd = socket_ok(AF_INET, SOCK_DGRAM);
  EXPECT_ERRNO(set_int(fd, IPPROTO_IP, IP_HDRINCL, 1), ENOPROTOOPT);
}

TEST_P(RawSockets, SeePingAndItsAnswer) {
  const int fd = raw(AF_INET, IPPROTO_ICMP);
  EXPECT_EQ(connect_to(fd, "127.0.0.1", 0), 0);
  std::string request = std::string("\x08\0\0\0\x77\x77\0\1", 8) + text();
  std::uint32_t sum = 0;
  std::string even = request + std::string(request.size() % 2, '\0');
  for (std::size_t i = 0; i < even.size(); i += 2)
    sum += static_cast<unsigned char>(even[i]) * 256U + static_cast<unsigned char>(even[i + 1]);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = ~(sum + (sum >> 16));
  request[2] = static_cast<char>(sum >> 8);
  request[3] = static_cast<char>(sum);
  icmp_filter filter{.data = ~(1U << ICMP_ECHOREPLY)};
  EXPECT_EQ(calls().setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof filter), 0);
  EXPECT_EQ(send(fd, request), static_cast<ssize_t>(request.size()));
  const std::string answer = receive_ours(fd, 28);
  ASSERT_GT(answer.size(), 28U) << answer;
  EXPECT_EQ(answer[20], ICMP_ECHOREPLY) << "the request is filtered out";
  EXPECT_EQ(answer.substr(28), text());
  icmp_filter shown{};
  socklen_t size = sizeof shown;
  EXPECT_EQ(calls().getsockopt(fd, SOL_RAW, ICMP_FILTER, &shown, &size), 0);
  EXPECT_EQ(shown.data, filter.data);
  EXPECT_ERRNO(set_int(raw(AF_INET, kProtocol), SOL_RAW, ICMP_FILTER, 0), EOPNOTSUPP);
}

TEST_P(RawSockets, GetTheChecksumOfIcmpv6FromTheStack) {
  const int fd = raw(AF_INET6, IPPROTO_ICMPV6);
  EXPECT_EQ(get_int(fd, SOL_RAW, 7), 2) << "IPV6_CHECKSUM";
  icmp6_filter filter{};
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
  EXPECT_EQ(calls().setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter), 0);
  const std::string request = std::string("\x80\0\0\0\x77\x78\0\1", 8) + text();
  EXPECT_EQ(send_to(fd, request, "::1", 0), static_cast<ssize_t>(request.size()));
  const std::string answer = receive_ours(fd, 8);
  ASSERT_GT(answer.size(), 8U) << answer;
  EXPECT_EQ(static_cast<unsigned char>(answer[0]), ICMP6_ECHO_REPLY);
}

TEST_P(RawSockets, ComputeAndCheckAChecksumWhereTheyAreTold) {
  const int with = raw(AF_INET6, kProtocol);
  const int without = raw(AF_INET6, kProtocol);
  EXPECT_EQ(get_int(with, SOL_RAW, 7), -1);
  EXPECT_ERRNO(set_int(with, SOL_RAW, 7, 3), EINVAL);  // odd
  EXPECT_EQ(set_int(with, SOL_RAW, 7, 4), 0);
  EXPECT_EQ(send_to(without, "0123456789 unsummed " + text(), "::1", 0) > 0, true);
  EXPECT_EQ(send_to(with, std::string("0123\0\0", 6) + text(), "::1", 0) > 0, true);
  const std::string got = receive_ours(with, 6);
  EXPECT_EQ(got.find("unsummed"), std::string::npos) << "a wrong checksum";
  EXPECT_NE(got.substr(4, 2), std::string(2, '\0'));
  EXPECT_NE(receive_ours(without, 6).find("unsummed"), std::string::npos);
  EXPECT_ERRNO(send_to(with, "0123", "::1", 0), EINVAL);  // too short for it
}

TEST_P(RawSockets, TellHowThePacketCame) {
  const int fd = raw(AF_INET, kProtocol);
  EXPECT_EQ(set_int(fd, IPPROTO_IP, IP_PKTINFO, 1), 0);
  EXPECT_EQ(set_int(fd, IPPROTO_IP, IP_RECVTTL, 1), 0);
  EXPECT_EQ(connect_to(fd, "127.0.0.1", 0), 0);
  EXPECT_EQ(set_int(fd, IPPROTO_IP, IP_TTL, 7), 0);
  EXPECT_GT(send(fd, text()), 0);
  pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
  EXPECT_EQ(calls().poll(&entry, 1, 2000), 1);
  int waiting = 0;
  EXPECT_EQ(calls().ioctl(fd, FIONREAD, &waiting), 0);
  EXPECT_EQ(waiting, static_cast<int>(20 + text().size()));
  Message message = receive_message(fd, 10, 200);
  EXPECT_EQ(message.flags, MSG_TRUNC);
  EXPECT_EQ(message.from, "127.0.0.1");
  EXPECT_EQ(message.port, 0);
  in_pktinfo info{};
  int ttl = 0;
  ASSERT_TRUE(find_control(message.control, IPPROTO_IP, IP_PKTINFO, info));
  EXPECT_EQ(info.ipi_ifindex, 1);
  ASSERT_TRUE(find_control(message.control, IPPROTO_IP, IP_TTL, ttl));
  EXPECT_EQ(ttl, 7);
}

TEST_P(RawSockets, AreFiltered) {
  const int fd = raw(AF_INET, kProtocol);
  // The first octet behind the IP header is 'A', and then 24 octets are kept.
  sock_filter code[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20),
                        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'A', 0, 1), BPF_STMT(BPF_RET | BPF_K, 24),
                        BPF_STMT(BPF_RET | BPF_K, 0)};
  const sock_fprog program{.len = 4, .filter = code};
  EXPECT_EQ(calls().setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
  EXPECT_EQ(connect_to(fd, "127.0.0.1", 0), 0);
  EXPECT_GT(send(fd, "Bad"), 0);
  EXPECT_GT(send(fd, "A good one"), 0);
  EXPECT_EQ(receive(fd).substr(20), "A go");
  EXPECT_EQ(set_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 1), 0);
  EXPECT_ERRNO(set_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 0), EPERM);
  EXPECT_ERRNO(set_int(fd, SOL_SOCKET, SO_DETACH_FILTER, 0), EPERM);
  EXPECT_ERRNO(calls().setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), EPERM);
}

TEST_P(RawSockets, RefuseFiltersThatMightNotEnd) {
  const int fd = raw(AF_INET, kProtocol);
  EXPECT_ERRNO(set_int(fd, SOL_SOCKET, SO_DETACH_FILTER, 0), ENOENT);
  sock_filter code[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20)};
  const sock_fprog program{.len = 1, .filter = code};
  EXPECT_ERRNO(calls().setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), EINVAL);
  EXPECT_ERRNO(calls().setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, 3), EINVAL);
  const sock_fprog nothing{.len = 0, .filter = code};
  EXPECT_ERRNO(calls().setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &nothing, sizeof nothing), EINVAL);
}

TEST_P(RawSockets, FilterDatagramsToo) {
  const auto pair = connected("127.0.0.1");
  // Longer than 20 octets with its UDP header, or it is dropped.
  sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 20, 0, 1),
                        BPF_STMT(BPF_RET | BPF_K, 18), BPF_STMT(BPF_RET | BPF_K, 0)};
  const sock_fprog program{.len = 4, .filter = code};
  EXPECT_EQ(calls().setsockopt(pair.server, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
  EXPECT_GT(send(pair.client, "short"), 0);
  EXPECT_GT(send(pair.client, "long enough for it"), 0);
  EXPECT_EQ(receive(pair.server), "long enoug");
  EXPECT_EQ(receive(pair.server, 100, MSG_DONTWAIT), "-EAGAIN");
  EXPECT_EQ(set_int(pair.server, SOL_SOCKET, SO_DETACH_FILTER, 0), 0);
  EXPECT_GT(send(pair.client, "short"), 0);
  EXPECT_EQ(receive(pair.server), "short");
}

TEST_P(RawSockets, KeepTheHostFromSayingThatTheProtocolIsUnreachable) {
  const int errors = raw(AF_INET, IPPROTO_ICMP);
  const int sender = raw(AF_INET, IPPROTO_RAW);
  const std::string packet = ipv4_header(254) + text();
  {
    const int receiver = raw(AF_INET, 254);
    EXPECT_GT(send_to(sender, packet + " wanted", "127.0.0.1", 0), 0);
    EXPECT_NE(receive_ours(receiver, 20).find("wanted"), std::string::npos);
    close_now(receiver);
  }
  EXPECT_GT(send_to(sender, packet, "127.0.0.1", 0), 0);
  const std::string error = receive_ours(errors, 28);
  ASSERT_GT(error.size(), 28U) << error;
  EXPECT_EQ(error[20], ICMP_DEST_UNREACH);
  EXPECT_EQ(error[21], ICMP_PROT_UNREACH);
  EXPECT_EQ(error.find("wanted"), std::string::npos) << "this is about the second";
}

// As on Linux. A traceroute that sends its probes at once counts on it.
TEST_P(RawSockets, SendInSpiteOfAnErrorThatWaitsUnlessTheHeaderIsTheirs) {
  const int sender = raw(AF_INET, IPPROTO_UDP);
  EXPECT_EQ(set_int(sender, IPPROTO_IP, IP_RECVERR, 1), 0);
  EXPECT_EQ(connect_to(sender, "127.0.0.1", 0), 0);
  const std::string to_nobody{"\x04\xd2\0\x09\0\x08\0\0", 8};  // UDP, ports 1234 and 9
  EXPECT_EQ(send(sender, to_nobody), 8);
  EXPECT_NE(poll_one(sender, 0) & POLLERR, 0);
  EXPECT_EQ(send(sender, to_nobody), 8);
  EXPECT_EQ(get_int(sender, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  EXPECT_EQ(send(sender, to_nobody), 8);
  EXPECT_NE(poll_one(sender, 0) & POLLERR, 0);
  EXPECT_EQ(set_int(sender, IPPROTO_IP, IP_HDRINCL, 1), 0);
  EXPECT_ERRNO(send(sender, ipv4_header(IPPROTO_UDP) + to_nobody), ECONNREFUSED);
}

TEST_P(RawSockets, OfIpv4AndIpv6AreApart) {
  const int v4 = raw(AF_INET, kProtocol);
  const int v6 = raw(AF_INET6, kProtocol);
  EXPECT_GT(send_to(v4, text(), "127.0.0.1", 0), 0);
  EXPECT_EQ(receive_ours(v4, 20).substr(20), text());
  EXPECT_EQ(set_receive_timeout(v6, 1), 0);
  EXPECT_EQ(receive_ours(v6, 0), "-EAGAIN");
}

}  // namespace
}  // namespace transom::sockets
