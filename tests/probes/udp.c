/* Datagrams: addresses, connections that are none, errors of the network, sizes. */
#include <time.h>

#include <linux/errqueue.h>
#include <linux/filter.h>

#include "probe.h"

#define ANY_PORT at4("0.0.0.0", 0)

static long send_to(int fd, union address to, const void* octets, size_t size) {
  return sendto(fd, octets, size, MSG_NOSIGNAL, &to.any, size_of(&to));
}

PROBE(udp_send_errors) {
  const int fd = udp4();
  SAY("no-destination", send(fd, "a", 1, 0));
  SAY("no-destination-empty", send(fd, "a", 0, 0));
  SAY("port-zero", send_to(fd, loopback(AF_INET, 0), "a", 1));
  SAY("no-route", send_to(fd, at4("10.77.0.1", 9), "a", 1));
  SAY("broadcast", send_to(fd, at4("255.255.255.255", 9), "a", 1));
  SAY("family", send_to(fd, loopback(AF_INET6, 9), "a", 1));
  union address to = loopback(AF_INET, 9);
  SAY("short", sendto(fd, "a", 1, 0, &to.any, 4));
  SAY("oob", sendto(fd, "a", 1, MSG_OOB, &to.any, size_of(&to)));
  to.any.sa_family = AF_UNSPEC;
  SAY("unspec", sendto(fd, "a", 1, 0, &to.any, size_of(&to)));
  SAY("any", send_to(fd, at4("0.0.0.0", 9), "a", 1));
}

PROBE(udp_largest) {
  uint16_t port = 0;
  const int receiver = udp_bound(AF_INET, &port), fd = udp4();
  static char octets[65536];
  SAY("too-long", send_to(fd, loopback(AF_INET, port), octets, 65508));
  SAY("longest", send_to(fd, loopback(AF_INET, port), octets, 65507));
  await(receiver, POLLIN);
  SAY("recv", recv(receiver, room, sizeof room, MSG_DONTWAIT));
  const int six = MUST(socket(AF_INET6, SOCK_DGRAM, 0));
  SAY("six-too-long", send_to(six, loopback(AF_INET6, port), octets, 65528));
}

PROBE(udp_connect_errors) {
  SAY("broadcast", connect_to(udp4(), at4("255.255.255.255", 9)));
  SAY("no-route", connect_to(udp4(), at4("10.77.0.1", 9)));
  SAY("multicast", connect_to(udp4(), at4("224.0.0.5", 9)));
  SAY("family", connect_to(udp4(), loopback(AF_INET6, 9)));
  SAY("any", connect_to(udp4(), at4("0.0.0.0", 9)));
}

PROBE(udp_hears_its_peer_only) {
  uint16_t port = 0, other_port = 0;
  const int fd = udp_bound(AF_INET, &port), peer = udp_bound(AF_INET, &other_port), stranger = udp4();
  MUST(connect_to(fd, loopback(AF_INET, other_port)));
  SAY("stranger", send_to(stranger, loopback(AF_INET, port), "s", 1));
  settle();
  SAY("recv", recv(fd, room, 8, MSG_DONTWAIT));
  SAY("peer", send_to(peer, loopback(AF_INET, port), "p", 1));
  await(fd, POLLIN);
  SAY("recv", recv(fd, room, 8, MSG_DONTWAIT));
  const struct sockaddr none = {.sa_family = AF_UNSPEC};
  MUST(connect(fd, &none, sizeof none));
  MUST(send_to(stranger, loopback(AF_INET, port), "s", 1));
  await(fd, POLLIN);
  SAY("disconnected", recv(fd, room, 8, MSG_DONTWAIT));
}

PROBE(udp_connected_sends_elsewhere) {
  int one, other;
  uint16_t port = 0;
  udp_pair(&one, &other);
  const int third = udp_bound(AF_INET, &port);
  SAY("sendto", send_to(one, loopback(AF_INET, port), "a", 1));
  await(third, POLLIN);
  SAY("recv", recv(third, room, 8, MSG_DONTWAIT));
  SAY("send", send(one, "ab", 2, 0));
  await(other, POLLIN);
  SAY("recv", recv(other, room, 8, MSG_DONTWAIT));
}

PROBE(udp_connect_again) {
  int one, other;
  uint16_t port = 0;
  udp_pair(&one, &other);
  const int third = udp_bound(AF_INET, &port);
  SAY("connect", connect_to(one, loopback(AF_INET, port)));
  MUST(send(one, "a", 1, 0));
  await(third, POLLIN);
  SAY("recv", recv(third, room, 8, MSG_DONTWAIT));
}

PROBE(udp_refused_on_receive) {
  const int fd = udp4();
  MUST(connect_to(fd, loopback(AF_INET, unused_port(SOCK_DGRAM))));
  SAY("send", send(fd, "a", 1, 0));
  await(fd, POLLERR);
  SAY("recv", recv(fd, room, 8, MSG_DONTWAIT));
  SAY("again", recv(fd, room, 8, MSG_DONTWAIT));
}

PROBE(udp_refused_on_send) {
  const int fd = udp4();
  MUST(connect_to(fd, loopback(AF_INET, unused_port(SOCK_DGRAM))));
  MUST(send(fd, "a", 1, 0));
  await(fd, POLLERR);
  SAY("send", send(fd, "a", 1, 0));
  SAY("again", send(fd, "a", 1, 0));
}

PROBE(udp_refused_on_recvfrom) {
  const int fd = udp4();
  MUST(connect_to(fd, loopback(AF_INET, unused_port(SOCK_DGRAM))));
  MUST(send(fd, "a", 1, 0));
  await(fd, POLLERR);
  union address from = {0};
  socklen_t length = sizeof from;
  SAY("recvfrom", recvfrom(fd, room, 8, MSG_DONTWAIT, &from.any, &length));
  SAY("again", recvfrom(fd, room, 8, MSG_DONTWAIT, &from.any, &length));
}

PROBE(udp_refused_in_so_error) {
  const int fd = udp4();
  MUST(connect_to(fd, loopback(AF_INET, unused_port(SOCK_DGRAM))));
  MUST(send(fd, "a", 1, 0));
  settle();
  say_error(fd);
  say_error(fd);
  SAY("recv", recv(fd, room, 8, MSG_DONTWAIT));
}

PROBE(udp_refused_wakes_receiver) {
  const int fd = udp4();
  MUST(connect_to(fd, loopback(AF_INET, unused_port(SOCK_DGRAM))));
  const struct timeval soon = {.tv_sec = 1};
  MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
  MUST(send(fd, "a", 1, 0));
  SAY("recv", recv(fd, room, 8, 0));
}

PROBE(udp_unconnected_is_not_told) {
  const int fd = udp4();
  const union address to = loopback(AF_INET, unused_port(SOCK_DGRAM));
  MUST(send_to(fd, to, "a", 1));
  settle();
  SAY("send", send_to(fd, to, "a", 1));
  SAY("recv", recv(fd, room, 8, MSG_DONTWAIT));
  say_error(fd);
}

PROBE(udp_error_queue) {
  const int fd = udp4();
  MUST(set_int(fd, IPPROTO_IP, IP_RECVERR, 1));
  MUST(send_to(fd, loopback(AF_INET, unused_port(SOCK_DGRAM)), "quoted", 6));
  say_events("poll", (unsigned short)await(fd, POLLERR));
  char control[512];
  union address name = {0};
  struct iovec piece = {room, 64};
  struct msghdr message = {.msg_name = &name,
                           .msg_namelen = sizeof name,
                           .msg_iov = &piece,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof control};
  SAY("recvmsg", recvmsg(fd, &message, MSG_ERRQUEUE));
  say("flags=%x", (unsigned)message.msg_flags);
  const struct cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header != NULL) {
    struct sock_extended_err error;
    memcpy(&error, CMSG_DATA(header), sizeof error);
    say("level=%d type=%d errno=%s origin=%d icmp=%d/%d", header->cmsg_level, header->cmsg_type,
        error_name((int)error.ee_errno), error.ee_origin, error.ee_type, error.ee_code);
  }
  SAY("again", recvmsg(fd, &message, MSG_ERRQUEUE));
  say_error(fd);
}

PROBE(udp_error_unread_in_queue) {
  const int fd = udp4();
  MUST(set_int(fd, IPPROTO_IP, IP_RECVERR, 1));
  MUST(send_to(fd, loopback(AF_INET, unused_port(SOCK_DGRAM)), "a", 1));
  await(fd, POLLERR);
  SAY("recv", recv(fd, room, 8, MSG_DONTWAIT));
  SAY("again", recv(fd, room, 8, MSG_DONTWAIT));
  say_events("poll", (unsigned short)await(fd, POLLERR));
}

PROBE(udp_zero_copy) {
  int one, other;
  udp_pair(&one, &other);
  SAY("without", send(one, "a", 1, MSG_ZEROCOPY));
  MUST(set_int(one, SOL_SOCKET, SO_ZEROCOPY, 1));
  for (int i = 0; i < 2; ++i) SAY("send", send(one, "abc", 3, MSG_ZEROCOPY));
  SAY("plain", send(one, "a", 1, 0));
  for (int i = 0; i < 4; ++i) {
    await(other, POLLIN);
    MUST(recv(other, room, 8, 0));
  }
  await(one, POLLERR);
  settle();
  char control[512];
  struct msghdr message = {.msg_control = control, .msg_controllen = sizeof control};
  SAY("recvmsg", recvmsg(one, &message, MSG_ERRQUEUE));
  const struct cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header != NULL) {
    struct sock_extended_err error;
    memcpy(&error, CMSG_DATA(header), sizeof error);
    say("level=%d type=%d errno=%u origin=%d code=%d calls=%u-%u", header->cmsg_level, header->cmsg_type,
        error.ee_errno, error.ee_origin, error.ee_code, error.ee_info, error.ee_data);
  }
  message.msg_controllen = sizeof control;
  SAY("again", recvmsg(one, &message, MSG_ERRQUEUE));
  SAY("send", send(one, "a", 1, 0));
}

PROBE(udp_empty_datagram) {
  int one, other;
  udp_pair(&one, &other);
  SAY("send", send(one, "", 0, 0));
  say_events("poll", (unsigned short)await(other, POLLIN));
  int size = -1;
  MUST(ioctl(other, FIONREAD, &size));
  say("fionread=%d", size);
  SAY("recv", recv(other, room, 8, MSG_DONTWAIT));
  SAY("again", recv(other, room, 8, MSG_DONTWAIT));
}

PROBE(udp_truncation) {
  int one, other;
  udp_pair(&one, &other);
  for (int i = 0; i < 4; ++i) MUST(send(one, "0123456789", 10, 0));
  await(other, POLLIN);
  settle();
  SAY("short", recv(other, room, 4, 0));
  SAY("trunc", recv(other, room, 4, MSG_TRUNC));
  struct iovec piece = {room, 4};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  SAY("recvmsg", recvmsg(other, &message, 0));
  say("flags=%x", (unsigned)message.msg_flags);
  SAY("zero", recv(other, room, 0, 0));
  SAY("none", recv(other, room, 4, MSG_DONTWAIT));
}

PROBE(udp_peek) {
  int one, other;
  udp_pair(&one, &other);
  MUST(send(one, "first", 5, 0));
  MUST(send(one, "second", 6, 0));
  await(other, POLLIN);
  settle();
  int size = 0;
  MUST(ioctl(other, FIONREAD, &size));
  say("fionread=%d", size);
  SAY("peek", recv(other, room, 2, MSG_PEEK));
  SAY("peek-trunc", recv(other, room, 2, MSG_PEEK | MSG_TRUNC));
  SAY("wait-all", recv(other, room, 8, MSG_WAITALL));
  SAY("next", recv(other, room, 8, MSG_DONTWAIT));
}

PROBE(udp_from) {
  uint16_t port = 0;
  const int receiver = udp_bound(AF_INET, &port), fd = udp4();
  MUST(send_to(fd, loopback(AF_INET, port), "a", 1));
  MUST(send_to(fd, loopback(AF_INET, port), "a", 1));
  await(receiver, POLLIN);
  settle();
  union address from = {0};
  socklen_t length = sizeof from;
  SAY("recvfrom", recvfrom(receiver, room, 8, 0, &from.any, &length));
  say_address("from", &from.any, length);
  say("same-port=%d", ntohs(from.v4.sin_port) == port_of(fd));
  length = 4;
  SAY("short", recvfrom(receiver, room, 8, MSG_DONTWAIT, &from.any, &length));
  say("length=%u", length);
}

PROBE(udp_six_and_four) {
  uint16_t four_port = 0;
  const int six = MUST(socket(AF_INET6, SOCK_DGRAM, 0)), four = udp_bound(AF_INET, &four_port);
  MUST(bind_to(six, at6("::", 0)));
  SAY("to-six", send_to(four, loopback(AF_INET, port_of(six)), "a", 1));
  await(six, POLLIN);
  union address from = {0};
  socklen_t length = sizeof from;
  SAY("recvfrom", recvfrom(six, room, 8, MSG_DONTWAIT, &from.any, &length));
  say_address("from", &from.any, length);
  SAY("to-mapped", send_to(six, at6("::ffff:127.0.0.1", four_port), "a", 1));
  SAY("to-four", send_to(six, loopback(AF_INET, four_port), "a", 1));
  await(four, POLLIN);
  SAY("recv", recv(four, room, 8, MSG_DONTWAIT));
  MUST(set_int(six, SOL_SOCKET, SO_BROADCAST, 1));
}

PROBE(udp_v6only) {
  const int six = MUST(socket(AF_INET6, SOCK_DGRAM, 0)), four = udp4();
  MUST(set_int(six, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  MUST(bind_to(six, at6("::", 0)));
  SAY("send-mapped", send_to(six, at6("::ffff:127.0.0.1", 9), "a", 1));
  MUST(connect_to(four, loopback(AF_INET, port_of(six))));
  MUST(send(four, "a", 1, 0));
  say_events("refused", (unsigned short)await(four, POLLERR));
  const int mapped = MUST(socket(AF_INET6, SOCK_DGRAM, 0));
  MUST(set_int(mapped, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  SAY("bind-mapped", bind_to(mapped, at6("::ffff:127.0.0.1", 0)));
}

PROBE(udp_six_connected_to_mapped) {
  uint16_t port = 0;
  const int four = udp_bound(AF_INET, &port), six = MUST(socket(AF_INET6, SOCK_DGRAM, 0));
  SAY("connect", connect_to(six, at6("::ffff:127.0.0.1", port)));
  say_name("name", six, 0);
  say_name("peer", six, 1);
  MUST(send(six, "a", 1, 0));
  await(four, POLLIN);
  SAY("recv", recv(four, room, 8, MSG_DONTWAIT));
}

PROBE(udp_shutdown) {
  int one, other;
  udp_pair(&one, &other);
  SAY("write", shutdown(one, SHUT_WR));
  SAY("send", send(one, "a", 1, MSG_NOSIGNAL));
  SAY("read", shutdown(one, SHUT_RD));
  SAY("recv", recv(one, room, 8, 0));
  SAY("again", recv(one, room, 8, MSG_DONTWAIT));
}

PROBE(udp_shutdown_with_data) {
  int one, other;
  udp_pair(&one, &other);
  MUST(send(other, "data", 4, 0));
  await(one, POLLIN);
  SAY("shutdown", shutdown(one, SHUT_RD));
  SAY("recv", recv(one, room, 8, MSG_DONTWAIT));
  SAY("end", recv(one, room, 8, MSG_DONTWAIT));
}

PROBE(udp_to_itself) {
  uint16_t port = 0;
  const int fd = udp_bound(AF_INET, &port);
  MUST(connect_to(fd, loopback(AF_INET, port)));
  SAY("send", send(fd, "a", 1, 0));
  await(fd, POLLIN);
  SAY("recv", recv(fd, room, 8, MSG_DONTWAIT));
}

PROBE(udp_full_buffer_drops) {
  uint16_t port = 0;
  const int receiver = udp_bound(AF_INET, &port), fd = udp4();
  MUST(set_int(receiver, SOL_SOCKET, SO_RCVBUF, 4096));
  static const char octets[1000];
  int sent = 0, received = 0;
  for (int i = 0; i < 200; ++i)
    sent += send_to(fd, loopback(AF_INET, port), octets, sizeof octets) == sizeof octets;
  settle();
  while (recv(receiver, room, sizeof room, MSG_DONTWAIT) > 0) ++received;
  say("sent=%d some=%d lost=%d", sent, received > 0, received < 200);
}

PROBE(udp_more) {
  int one, other;
  udp_pair(&one, &other);
  SAY("first", send(one, "ab", 2, MSG_MORE));
  SAY("second", send(one, "cde", 3, 0));
  await(other, POLLIN);
  SAY("recv", recv(other, room, 8, MSG_DONTWAIT));
  MUST(set_int(one, IPPROTO_UDP, UDP_CORK, 1));
  MUST(send(one, "ab", 2, 0));
  MUST(send(one, "cd", 2, 0));
  settle();
  SAY("corked", recv(other, room, 8, MSG_DONTWAIT));
  MUST(set_int(one, IPPROTO_UDP, UDP_CORK, 0));
  await(other, POLLIN);
  SAY("released", recv(other, room, 8, MSG_DONTWAIT));
}

PROBE(udp_receive_timeout) {
  uint16_t port = 0;
  const int fd = udp_bound(AF_INET, &port);
  const struct timeval soon = {.tv_usec = 50000};
  MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
  SAY("recv", recv(fd, room, 8, 0));
}

PROBE(udp_fresh_receive_binds_nothing) {
  const int fd = udp4();
  SAY("recv", recv(fd, room, 8, MSG_DONTWAIT));
  say_name("name", fd, 0);
}

PROBE(udp_multicast_loop) {
  const int receiver = udp4(), fd = udp4(), deaf = udp4();
  const struct ip_mreq group = {.imr_multiaddr.s_addr = htonl(0xe0000177),
                                .imr_interface.s_addr = htonl(INADDR_LOOPBACK)};
  MUST(bind_to(receiver, ANY_PORT));
  SAY("join", setsockopt(receiver, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
  SAY("again", setsockopt(receiver, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
  MUST(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &group.imr_interface, sizeof group.imr_interface));
  SAY("send", send_to(fd, at4("224.0.1.119", port_of(receiver)), "a", 1));
  await(receiver, POLLIN);
  SAY("recv", recv(receiver, room, 8, MSG_DONTWAIT));
  MUST(set_int(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0));
  SAY("send", send_to(fd, at4("224.0.1.119", port_of(receiver)), "a", 1));
  settle();
  SAY("recv", recv(receiver, room, 8, MSG_DONTWAIT));
  SAY("leave", setsockopt(receiver, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof group));
  SAY("leave-again", setsockopt(receiver, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof group));
  close(deaf);
}

PROBE(udp_membership_errors) {
  const int fd = udp4();
  struct ip_mreq group = {.imr_multiaddr.s_addr = htonl(0x0a000001),
                          .imr_interface.s_addr = htonl(INADDR_LOOPBACK)};
  SAY("not-multicast", setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
  group.imr_multiaddr.s_addr = htonl(0xe0000177);
  group.imr_interface.s_addr = htonl(0x0a4d0001);
  SAY("no-interface", setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
  SAY("not-member", setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof group));
  SAY("short", setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, 4));
  group.imr_interface.s_addr = htonl(INADDR_LOOPBACK);
  SAY("tcp", setsockopt(tcp4(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
}

PROBE(udp_reuse_unicast_goes_to_last) {
  const int one = udp4(), other = udp4(), fd = udp4();
  MUST(set_int(one, SOL_SOCKET, SO_REUSEADDR, 1));
  MUST(set_int(other, SOL_SOCKET, SO_REUSEADDR, 1));
  MUST(bind_to(one, loopback(AF_INET, 0)));
  MUST(bind_to(other, loopback(AF_INET, port_of(one))));
  MUST(send_to(fd, loopback(AF_INET, port_of(one)), "a", 1));
  settle();
  SAY("first", recv(one, room, 8, MSG_DONTWAIT));
  SAY("last", recv(other, room, 8, MSG_DONTWAIT));
}

PROBE(udp_specific_before_any) {
  const int any = udp4(), specific = udp4(), fd = udp4();
  MUST(set_int(any, SOL_SOCKET, SO_REUSEADDR, 1));
  MUST(set_int(specific, SOL_SOCKET, SO_REUSEADDR, 1));
  MUST(bind_to(any, ANY_PORT));
  MUST(bind_to(specific, loopback(AF_INET, port_of(any))));
  MUST(send_to(fd, loopback(AF_INET, port_of(any)), "a", 1));
  MUST(send_to(fd, at4("127.0.0.2", port_of(any)), "ab", 2));
  settle();
  SAY("specific", recv(specific, room, 8, MSG_DONTWAIT));
  SAY("any", recv(any, room, 8, MSG_DONTWAIT));
}

PROBE(ping_socket) {
  const int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
  if (fd < 0) give_up("socket");
  const unsigned char request[] = {8, 0, 0, 0, 0, 0, 0, 1, 'p', 'i', 'n', 'g'};
  const unsigned char reply[] = {0, 0, 0, 0, 0, 0, 0, 1};
  SAY("send", send_to(fd, loopback(AF_INET, 0), request, sizeof request));
  await(fd, POLLIN);
  unsigned char answer[64] = {0};
  SAY("recv", recv(fd, answer, sizeof answer, MSG_DONTWAIT));
  say("type=%d sequence=%d", answer[0], answer[7]);
  SAY("reply", send_to(fd, loopback(AF_INET, 0), reply, sizeof reply));
  SAY("short", send_to(fd, loopback(AF_INET, 0), request, 4));
  say_name("name", fd, 0);
}

/* Of all instructions, how many a filter may begin with; and that none of them does harm. */
PROBE(udp_filter_instructions) {
  int one, other, allowed = 0, is_higher_refused = 1;
  udp_pair(&one, &other);
  for (unsigned code = 0; code < 0x200; ++code) {
    struct sock_filter program[] = {
        {0, 0, 0, 1}, {2, 0, 0, 0}, {2, 0, 0, 1}, {(uint16_t)code, 0, 0, 1}, {6, 0, 0, 0xffff}};
    const struct sock_fprog filter = {5, program};
    if (setsockopt(other, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0) continue;
    ++allowed;
    if (code > 0xff) is_higher_refused = 0;
    MUST(send(one, "0123456789", 10, 0));
  }
  say("allowed=%d higher-refused=%d", allowed, is_higher_refused);
}
