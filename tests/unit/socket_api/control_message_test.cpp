// Control messages, and several messages in one call.
#include <netinet/udp.h>

#include <ctime>

#include "tests/unit/socket_api/messages.h"

namespace transom::sockets {
namespace {

class ControlMessages : public MessageTest {};
INSTANTIATE_BOTH(ControlMessages);

TEST_P(ControlMessages, TellWhenADatagramCame) {
  const auto pair = connected("127.0.0.1");
  EXPECT_EQ(set_int(pair.server, SOL_SOCKET, SO_TIMESTAMPNS, 1), 0);
  EXPECT_EQ(get_int(pair.server, SOL_SOCKET, SO_TIMESTAMPNS), 1);
  EXPECT_EQ(get_int(pair.server, SOL_SOCKET, SO_TIMESTAMP), 0);
  EXPECT_EQ(send(pair.client, "one"), 3);
  Message message = receive_message(pair.server, 100, 200);
  timespec precise{};
  ASSERT_TRUE(find_control(message.control, SOL_SOCKET, SCM_TIMESTAMPNS, precise));
  EXPECT_GT(precise.tv_sec, 1'600'000'000) << "the time of day";

  EXPECT_EQ(set_int(pair.server, SOL_SOCKET, SO_TIMESTAMP, 1), 0);
  EXPECT_EQ(get_int(pair.server, SOL_SOCKET, SO_TIMESTAMPNS), 0) << "the last one counts";
  EXPECT_EQ(send(pair.client, "two"), 3);
  message = receive_message(pair.server, 100, 200);
  timeval coarse{};
  ASSERT_TRUE(find_control(message.control, SOL_SOCKET, SCM_TIMESTAMP, coarse));
  EXPECT_GE(coarse.tv_sec, precise.tv_sec);
  EXPECT_EQ(set_int(pair.server, SOL_SOCKET, SO_TIMESTAMP, 0), 0);
  EXPECT_EQ(send(pair.client, "three"), 5);
  EXPECT_EQ(receive_message(pair.server, 100, 200).control.size(), 0U);
}

TEST_P(ControlMessages, AreCutWithoutSpoilingTheDatagram) {
  const auto pair = connected("127.0.0.1");
  EXPECT_EQ(set_int(pair.server, IPPROTO_IP, IP_RECVTTL, 1), 0);
  EXPECT_EQ(set_int(pair.server, IPPROTO_IP, IP_PKTINFO, 1), 0);
  for (std::size_t room = 0; room <= CMSG_SPACE(sizeof(in_pktinfo)) + CMSG_SPACE(sizeof(int)); ++room) {
    EXPECT_EQ(send(pair.client, "whole"), 5);
    Message message = receive_message(pair.server, 100, room);
    EXPECT_EQ(message.octets, "whole");
    EXPECT_LE(message.control.size(), room);
    const bool all_fit = room >= CMSG_SPACE(sizeof(in_pktinfo)) + CMSG_LEN(sizeof(int));
    EXPECT_EQ((message.flags & MSG_CTRUNC) != 0, !all_fit) << room;
  }
}

TEST_P(ControlMessages, ChooseTheSourceAndTheClass) {
  const int server = bound("0.0.0.0");
  const int client = socket_ok(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(connect_to(client, "127.0.0.1", local_port(server)), 0);
  EXPECT_EQ(set_int(server, IPPROTO_IP, IP_RECVTOS, 1), 0);
  EXPECT_EQ(send_with(client, "classy", IPPROTO_IP, IP_TOS, 0x28), 6) << errno_name(errno);
  Message message = receive_message(server, 100, 100);
  std::uint8_t tos = 0;
  ASSERT_TRUE(find_control(message.control, IPPROTO_IP, IP_TOS, tos));
  EXPECT_EQ(tos, 0x28);
  EXPECT_EQ(send_with(client, "octet", IPPROTO_IP, IP_TOS, std::uint8_t{0x20}), 5) << errno_name(errno);
  EXPECT_EQ(receive(server), "octet");
  EXPECT_ERRNO(send_with(client, "x", IPPROTO_IP, IP_TTL, 0), EINVAL);
  EXPECT_ERRNO(send_with(client, "x", IPPROTO_IP, IP_TTL, 256), EINVAL);
  EXPECT_ERRNO(send_with(client, "x", SOL_SOCKET, 4711, 1), EINVAL);
  EXPECT_EQ(send_with(client, "stranger", IPPROTO_TCP, 1, 1), 8) << "a level that UDP does not look at";
  EXPECT_EQ(receive(server), "stranger");
}

TEST_P(ControlMessages, OfIpv6ChooseHopsAndClass) {
  const auto pair = connected("::1");
  EXPECT_EQ(set_int(pair.server, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1), 0);
  EXPECT_EQ(send_with(pair.client, "near", IPPROTO_IPV6, IPV6_HOPLIMIT, 3), 4) << errno_name(errno);
  Message message = receive_message(pair.server, 100, 100);
  int hops = 0;
  ASSERT_TRUE(find_control(message.control, IPPROTO_IPV6, IPV6_HOPLIMIT, hops));
  EXPECT_EQ(hops, 3);
  EXPECT_EQ(send_with(pair.client, "default", IPPROTO_IPV6, IPV6_HOPLIMIT, -1), 7);
  message = receive_message(pair.server, 100, 100);
  ASSERT_TRUE(find_control(message.control, IPPROTO_IPV6, IPV6_HOPLIMIT, hops));
  EXPECT_EQ(hops, 64);
  EXPECT_ERRNO(send_with(pair.client, "x", IPPROTO_IPV6, IPV6_HOPLIMIT, 256), EINVAL);
  EXPECT_ERRNO(send_with(pair.client, "x", IPPROTO_IPV6, IPV6_TCLASS, -2), EINVAL);
}

TEST_P(ControlMessages, OfIpAreIgnoredByTcp) {
  const auto pair = connected_pair();
  EXPECT_EQ(send_with(pair.client, "stream", IPPROTO_IP, IP_TTL, 0), 6) << errno_name(errno);
  EXPECT_EQ(receive(pair.server), "stream");
  EXPECT_ERRNO(send_with(pair.client, "x", SOL_SOCKET, 4711, 1), EINVAL);
}

// ---------------------------------------------------------------- sendmmsg, recvmmsg

class ManyMessages : public MessageTest {
 protected:
  struct Batch {
    explicit Batch(std::size_t count, std::size_t size = 100) : octets(count, std::string(size, '.')) {
      for (std::string& text : octets) pieces.push_back({text.data(), text.size()});
      for (iovec& piece : pieces) {
        mmsghdr& one = messages.emplace_back();
        one.msg_hdr.msg_iov = &piece;
        one.msg_hdr.msg_iovlen = 1;
      }
    }
    std::string text(std::size_t index) const { return octets[index].substr(0, messages[index].msg_len); }

    std::vector<std::string> octets;
    std::vector<iovec> pieces;
    std::vector<mmsghdr> messages;
  };
};
INSTANTIATE_BOTH(ManyMessages);

TEST_P(ManyMessages, PassInOneCall) {
  const auto pair = connected("127.0.0.1");
  Batch out(5, 7);
  for (std::size_t i = 0; i < 5; ++i) out.octets[i].back() = static_cast<char>('0' + i);
  EXPECT_EQ(calls().sendmmsg(pair.client, out.messages.data(), 5, 0), 5);
  EXPECT_EQ(out.messages[4].msg_len, 7U);
  Batch in(8);
  EXPECT_EQ(calls().recvmmsg(pair.server, in.messages.data(), 8, MSG_WAITFORONE, nullptr), 5);
  EXPECT_EQ(in.text(0), "......0");
  EXPECT_EQ(in.text(4), "......4");
  EXPECT_ERRNO(calls().recvmmsg(pair.server, in.messages.data(), 8, MSG_DONTWAIT, nullptr), EAGAIN);
}

TEST_P(ManyMessages, EndAtTheFirstThatFails) {
  const auto pair = connected("127.0.0.1");
  Batch out(3, 7);
  std::string too_long(70000, 'L');
  out.pieces[1] = {too_long.data(), too_long.size()};
  EXPECT_EQ(calls().sendmmsg(pair.client, out.messages.data(), 3, 0), 1);
  out.pieces[0] = out.pieces[1];
  EXPECT_ERRNO(calls().sendmmsg(pair.client, out.messages.data(), 3, 0), EMSGSIZE);
  EXPECT_EQ(receive(pair.server), ".......");
}

TEST_P(ManyMessages, LookAtTheTimeAfterEach) {
  const auto pair = connected("127.0.0.1");
  EXPECT_EQ(send(pair.client, "one"), 3);
  EXPECT_EQ(send(pair.client, "two"), 3);
  Batch in(8);
  timespec none{};
  EXPECT_EQ(calls().recvmmsg(pair.server, in.messages.data(), 8, 0, &none), 1);
  timespec wrong{.tv_sec = 0, .tv_nsec = -1};
  EXPECT_ERRNO(calls().recvmmsg(pair.server, in.messages.data(), 8, 0, &wrong), EINVAL);
  EXPECT_EQ(receive(pair.server), "two");
}

// ---------------------------------------------------------------- segments

class UdpSegments : public MessageTest {};
INSTANTIATE_BOTH(UdpSegments);

TEST_P(UdpSegments, AreCutFromOneCall) {
  const auto pair = connected("127.0.0.1");
  EXPECT_EQ(send_with(pair.client, "aaaabbbbcc", IPPROTO_UDP, UDP_SEGMENT, std::uint16_t{4}), 10)
      << errno_name(errno);
  EXPECT_EQ(receive(pair.server), "aaaa");
  EXPECT_EQ(receive(pair.server), "bbbb");
  EXPECT_EQ(receive(pair.server), "cc");
  EXPECT_EQ(set_int(pair.client, IPPROTO_UDP, UDP_SEGMENT, 5), 0);
  EXPECT_EQ(get_int(pair.client, IPPROTO_UDP, UDP_SEGMENT), 5);
  EXPECT_EQ(send(pair.client, "dddddeeeee"), 10);
  EXPECT_EQ(receive(pair.server), "ddddd");
  EXPECT_EQ(receive(pair.server), "eeeee");
  EXPECT_ERRNO(set_int(pair.client, IPPROTO_UDP, UDP_SEGMENT, 65536), EINVAL);
  EXPECT_ERRNO(send(pair.client, std::string(5 * 200, 'x')), EINVAL);  // too many
}

TEST_P(UdpSegments, AreJoinedWhenAskedFor) {
  const auto pair = connected("127.0.0.1");
  EXPECT_EQ(set_int(pair.server, IPPROTO_UDP, UDP_GRO, 1), 0);
  EXPECT_EQ(send_with(pair.client, "aaaabbbbcc", IPPROTO_UDP, UDP_SEGMENT, std::uint16_t{4}), 10);
  Message message = receive_message(pair.server, 100, 100);
  EXPECT_EQ(message.octets, "aaaabbbbcc");
  int size = 0;
  ASSERT_TRUE(find_control(message.control, IPPROTO_UDP, UDP_GRO, size));
  EXPECT_EQ(size, 4);
  EXPECT_EQ(send(pair.client, "single"), 6);
  message = receive_message(pair.server, 100, 100);
  EXPECT_EQ(message.octets, "single");
  EXPECT_EQ(message.control.size(), 0U);
}

TEST_P(UdpSegments, AreHeldBackByTheCork) {
  const auto pair = connected("127.0.0.1");
  EXPECT_EQ(set_int(pair.client, IPPROTO_UDP, UDP_CORK, 1), 0);
  EXPECT_EQ(send(pair.client, "one "), 4);
  EXPECT_EQ(send(pair.client, "datagram"), 8);
  EXPECT_EQ(receive(pair.server, 100, MSG_DONTWAIT), "-EAGAIN");
  EXPECT_EQ(set_int(pair.client, IPPROTO_UDP, UDP_CORK, 0), 0);
  EXPECT_EQ(receive(pair.server), "one datagram");
}

}  // namespace
}  // namespace transom::sockets
