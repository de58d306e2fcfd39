// What TCP tells besides octets, and options that bear on how connections begin and end: tcp(7), socket(7).
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>

#include "socket_api/c_stack.h"
#include "tests/unit/socket_api/datagram_socket_device.h"
#include "tests/unit/socket_api/messages.h"

namespace transom::sockets {
namespace {

class TcpReports : public MessageTest {
 protected:
  // The next report of the error queue.
  struct Report {
    sock_extended_err error{};
    scm_timestamping times{};
    bool has_times = false;
  };
  std::optional<Report> next_report(int fd) {
    for (int i = 0; i < 200; ++i) {
      char octets[200];
      alignas(cmsghdr) char control[400];
      iovec piece{octets, sizeof octets};
      msghdr message{};
      message.msg_iov = &piece;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      if (calls().recvmsg(fd, &message, MSG_ERRQUEUE) < 0) {
        poll_one(fd, 0, 10);
        continue;
      }
      std::vector<char> all(control, control + message.msg_controllen);
      Report report;
      EXPECT_TRUE(find_control(all, IPPROTO_IP, IP_RECVERR, report.error));
      report.has_times = find_control(all, SOL_SOCKET, SCM_TIMESTAMPING, report.times);
      return report;
    }
    return std::nullopt;
  }
  static double seconds_since(const timespec& then) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<double>(now.tv_sec - then.tv_sec) +
           static_cast<double>(now.tv_nsec - then.tv_nsec) / 1e9;
  }
};
INSTANTIATE_BOTH(TcpReports);

TEST_P(TcpReports, TellWhenWritesWereSentAndAcknowledged) {
  const auto pair = connected_pair();
  const int flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE |
                    SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;
  EXPECT_EQ(send(pair.client, "before"), 6);
  EXPECT_EQ(receive(pair.server), "before");
  // Linux counts from what is acknowledged: be sure that all is.
  int unsent = 1;
  for (int i = 0; i < 1000 && unsent > 0; ++i) {
    EXPECT_EQ(calls().ioctl(pair.client, SIOCOUTQ, &unsent), 0);
    poll_one(pair.client, 0, 1);
  }
  EXPECT_EQ(set_int(pair.client, SOL_SOCKET, SO_TIMESTAMPING, flags), 0);
  EXPECT_EQ(get_int(pair.client, SOL_SOCKET, SO_TIMESTAMPING), flags);
  EXPECT_EQ(send(pair.client, "0123456789"), 10);
  EXPECT_EQ(receive(pair.server), "0123456789");
  for (const std::uint32_t type : {SCM_TSTAMP_SND, SCM_TSTAMP_ACK}) {
    const auto report = next_report(pair.client);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->error.ee_errno, std::uint32_t{ENOMSG});
    EXPECT_EQ(report->error.ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
    EXPECT_EQ(report->error.ee_info, type);
    EXPECT_EQ(report->error.ee_data, 9U) << "the last octet of the write";
    ASSERT_TRUE(report->has_times);
    EXPECT_GE(seconds_since(report->times.ts[0]), 0);
    EXPECT_LT(seconds_since(report->times.ts[0]), 60);
  }
  EXPECT_EQ(get_int(pair.client, SOL_SOCKET, SO_ERROR), 0) << "it is no error";
}

TEST_P(TcpReports, OfDatagramsAreNumbered) {
  const auto pair = connected("127.0.0.1");
  EXPECT_EQ(set_int(pair.client, SOL_SOCKET, SO_TIMESTAMPING,
                    SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID |
                        SOF_TIMESTAMPING_OPT_TSONLY),
            0);
  for (const std::uint32_t key : {0U, 1U}) {
    EXPECT_EQ(send(pair.client, "text"), 4);
    const auto report = next_report(pair.client);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->error.ee_info, std::uint32_t{SCM_TSTAMP_SND});
    EXPECT_EQ(report->error.ee_data, key);
  }
  EXPECT_ERRNO(set_int(pair.client, SOL_SOCKET, SO_TIMESTAMPING, 1 << 30), EINVAL);
  EXPECT_ERRNO(set_int(socket_ok(AF_INET, SOCK_STREAM), SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_OPT_ID),
               EINVAL);
}

TEST_P(TcpReports, TellWhenOctetsCame) {
  const auto pair = connected_pair();
  EXPECT_EQ(set_int(pair.server, SOL_SOCKET, SO_TIMESTAMPNS, 1), 0);
  EXPECT_EQ(set_int(pair.server, SOL_SOCKET, SO_TIMESTAMPING,
                    SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE),
            0);
  EXPECT_EQ(set_int(pair.server, IPPROTO_TCP, TCP_INQ, 1), 0);
  timespec time{};
  scm_timestamping times{};
  int left = 0;
  Message message;
  // The kernel begins to look at its clock a moment after it was asked to.
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(send(pair.client, "0123456789"), 10);
    EXPECT_EQ(poll_one(pair.server, POLLIN), POLLIN);
    message = receive_message(pair.server, 4, 400);
    if (find_control(message.control, SOL_SOCKET, SCM_TIMESTAMPNS, time)) break;
    EXPECT_EQ(receive(pair.server, 100), "456789");
    poll_one(pair.client, 0, 10);
  }
  ASSERT_TRUE(find_control(message.control, SOL_SOCKET, SCM_TIMESTAMPNS, time));
  EXPECT_LT(seconds_since(time), 60);
  ASSERT_TRUE(find_control(message.control, SOL_SOCKET, SCM_TIMESTAMPING, times));
  EXPECT_LT(seconds_since(times.ts[0]), 60);
  ASSERT_TRUE(find_control(message.control, IPPROTO_TCP, TCP_CM_INQ, left));
  EXPECT_EQ(left, 6);
  EXPECT_ERRNO(set_int(pair.server, IPPROTO_TCP, TCP_INQ, 2), EINVAL);
}

TEST_P(TcpReports, AcceptWaitsForData) {
  const int listening = listener();
  EXPECT_EQ(set_int(listening, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5), 0);
  EXPECT_EQ(get_int(listening, IPPROTO_TCP, TCP_DEFER_ACCEPT), 7) << "as many SYN-ACKs as fit: 1 + 2 + 4";
  const int client = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_EQ(connect_to(client, "127.0.0.1", local_port(listening)), 0);
  EXPECT_EQ(poll_one(listening, POLLIN, 100), 0);
  EXPECT_EQ(send(client, "data"), 4);
  EXPECT_EQ(poll_one(listening, POLLIN), POLLIN);
  const int server = close_later(calls().accept4(listening, nullptr, nullptr, 0));
  EXPECT_EQ(receive(server), "data");
  EXPECT_EQ(set_int(listening, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0), 0);
  EXPECT_EQ(get_int(listening, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
}

TEST_P(TcpReports, KeepTheSynOfAConnection) {
  const int listening = listener();
  EXPECT_EQ(set_int(listening, IPPROTO_TCP, TCP_SAVE_SYN, 1), 0);
  const int client = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_EQ(connect_to(client, "127.0.0.1", local_port(listening)), 0);
  const int server = close_later(calls().accept4(listening, nullptr, nullptr, 0));
  ASSERT_GE(server, 0);
  unsigned char headers[200] = {};
  socklen_t size = 10;
  EXPECT_ERRNO(calls().getsockopt(server, IPPROTO_TCP, TCP_SAVED_SYN, headers, &size), EINVAL);
  size = sizeof headers;
  EXPECT_EQ(calls().getsockopt(server, IPPROTO_TCP, TCP_SAVED_SYN, headers, &size), 0);
  ASSERT_GE(size, 40U);
  EXPECT_EQ(headers[0], 0x45);
  EXPECT_EQ(headers[9], IPPROTO_TCP);
  EXPECT_EQ(headers[20] * 256 + headers[21], local_port(client));
  EXPECT_EQ(size, 20U + (headers[32] >> 4) * 4U);
  EXPECT_EQ(headers[33] & 0x3f, 0x02) << "a SYN";
  size = sizeof headers;
  EXPECT_EQ(calls().getsockopt(server, IPPROTO_TCP, TCP_SAVED_SYN, headers, &size), 0);
  EXPECT_EQ(size, 0U) << "once";
}

TEST_P(TcpReports, HaveOptionsAsLinuxShowsThem) {
  const int fd = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_LINGER2), 60);
  EXPECT_EQ(set_int(fd, IPPROTO_TCP, TCP_LINGER2, 5), 0);
  EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_LINGER2), 5);
  EXPECT_EQ(set_int(fd, IPPROTO_TCP, TCP_LINGER2, -3), 0);
  EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_LINGER2), -1);
  EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP), 0);
  EXPECT_EQ(set_int(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, 1), 0);
  EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP), 1152);
  EXPECT_EQ(set_int(fd, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1), 0);
  EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS), 1);
  EXPECT_ERRNO(set_int(fd, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 2), EINVAL);
  EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_REPAIR), 0);
  EXPECT_EQ(set_int(fd, IPPROTO_IP, IP_MINTTL, 255), 0);
  EXPECT_EQ(get_int(fd, IPPROTO_IP, IP_MINTTL), 255);
  EXPECT_ERRNO(set_int(fd, IPPROTO_IP, IP_MINTTL, 256), EINVAL);
  EXPECT_EQ(get_int(fd, IPPROTO_IP, IP_FREEBIND), 0);
  EXPECT_EQ(get_int(fd, IPPROTO_IP, IP_TRANSPARENT), 0);
  const int v6 = socket_ok(AF_INET6, SOCK_STREAM);
  EXPECT_EQ(get_int(v6, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL), 1);
  EXPECT_EQ(set_int(v6, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0), 0);
  EXPECT_EQ(get_int(v6, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL), 0);
  EXPECT_EQ(set_int(v6, IPPROTO_IPV6, IPV6_MINHOPCOUNT, 200), 0);
  EXPECT_EQ(get_int(v6, IPPROTO_IPV6, IPV6_MINHOPCOUNT), 200);
}

TEST_P(TcpReports, AreDeafToWhoIsTooFarAway) {
  const int server = bound("127.0.0.1");
  const int client = bound("127.0.0.1");
  EXPECT_EQ(set_int(server, IPPROTO_IP, IP_MINTTL, 255), 0);
  EXPECT_EQ(send_to(client, "from afar", "127.0.0.1", local_port(server)), 9);
  EXPECT_EQ(set_int(client, IPPROTO_IP, IP_TTL, 255), 0);
  EXPECT_EQ(send_to(client, "from here", "127.0.0.1", local_port(server)), 9);
  // Linux looks at it for TCP alone.
  EXPECT_EQ(receive(server), is_kernel() ? "from afar" : "from here");

  const int listening = listener();
  EXPECT_EQ(set_int(listening, IPPROTO_IP, IP_MINTTL, 255), 0);
  const int near = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_EQ(set_int(near, IPPROTO_IP, IP_TTL, 255), 0);
  EXPECT_EQ(connect_to(near, "127.0.0.1", local_port(listening)), is_kernel() ? 0 : 0);
  const int far = socket_ok(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  EXPECT_ERRNO(connect_to(far, "127.0.0.1", local_port(listening)), EINPROGRESS);
  EXPECT_EQ(poll_one(far, POLLOUT, 100), 0);
}

TEST_P(TcpReports, MayBindWhatIsNotOurs) {
  const int fd = socket_ok(AF_INET, SOCK_DGRAM);
  EXPECT_ERRNO(bind_to(fd, "192.0.2.7"), EADDRNOTAVAIL);
  EXPECT_EQ(set_int(fd, IPPROTO_IP, IP_FREEBIND, 1), 0);
  EXPECT_EQ(bind_to(fd, "192.0.2.7"), 0);
  const int listening = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_EQ(set_int(listening, IPPROTO_IP, IP_FREEBIND, 1), 0);
  EXPECT_EQ(bind_to(listening, "192.0.2.7"), 0);
  EXPECT_EQ(calls().listen(listening, 1), 0);
}

TEST_P(TcpReports, LeaveWhatIsQueuedWhenReadingIsShut) {
  const auto pair = connected_pair();
  EXPECT_EQ(send(pair.client, "queued"), 6);
  EXPECT_EQ(poll_one(pair.server, POLLIN), POLLIN);
  EXPECT_EQ(calls().shutdown(pair.server, SHUT_RD), 0);
  EXPECT_EQ(receive(pair.server, 3), "que");
  EXPECT_EQ(receive(pair.server), "ued");
  EXPECT_EQ(receive(pair.server), "");
  EXPECT_EQ(send(pair.client, "more"), 4);
  for (int i = 0; i < 1000; ++i) {
    const std::string got = receive(pair.server);
    if (got.empty()) {
      poll_one(pair.client, 0, 1);
      continue;
    }
    EXPECT_EQ(got, "more");
    return;
  }
  FAIL() << "what came after it";
}

TEST_P(TcpReports, CarryOptionsOfIpv4WithDatagrams) {
  const auto pair = connected("127.0.0.1");
  const std::string alert("\x94\x04\0\0", 4);
  EXPECT_EQ(set_text(pair.client, IPPROTO_IP, IP_OPTIONS, alert), 0);
  EXPECT_EQ(set_int(pair.server, IPPROTO_IP, IP_RECVOPTS, 1), 0);
  EXPECT_EQ(send(pair.client, "text"), 4);
  Message message = receive_message(pair.server, 100, 200);
  EXPECT_EQ(message.octets, "text");
  std::array<char, 4> options{};
  ASSERT_TRUE(find_control(message.control, IPPROTO_IP, IP_RECVOPTS, options));
  EXPECT_EQ(std::string(options.data(), 4), alert);
  char shown[40];
  socklen_t size = sizeof shown;
  EXPECT_EQ(calls().getsockopt(pair.client, IPPROTO_IP, IP_OPTIONS, shown, &size), 0);
  EXPECT_EQ(std::string(shown, size), alert);
  EXPECT_ERRNO(set_text(pair.client, IPPROTO_IP, IP_OPTIONS, std::string(44, '\1')), EINVAL);
  EXPECT_EQ(set_text(pair.client, IPPROTO_IP, IP_OPTIONS, ""), 0);
}

}  // namespace
}  // namespace transom::sockets
