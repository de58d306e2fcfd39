/* sendmsg, recvmsg, sendmmsg, recvmmsg, and control messages. */
#include "probe.h"

static struct msghdr message_of(struct iovec* piece, void* control, size_t control_size) {
  return (struct msghdr){
      .msg_iov = piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = control_size};
}

static void say_control(struct msghdr* message) {
  for (struct cmsghdr* header = CMSG_FIRSTHDR(message); header != NULL;
       header = CMSG_NXTHDR(message, header)) {
    int value = 0;
    const size_t size = header->cmsg_len - CMSG_LEN(0);
    memcpy(&value, CMSG_DATA(header), size < sizeof value ? size : sizeof value);
    const int is_plain =
        (header->cmsg_level == IPPROTO_IP && (header->cmsg_type == IP_TTL || header->cmsg_type == IP_TOS)) ||
        (header->cmsg_level == IPPROTO_IPV6 &&
         (header->cmsg_type == IPV6_HOPLIMIT || header->cmsg_type == IPV6_TCLASS));
    say("cmsg=%d/%d/%zu", header->cmsg_level, header->cmsg_type, size);
    if (is_plain) say("value=%d", value);
  }
  say("flags=%x", (unsigned)message->msg_flags);
}

PROBE(message_pktinfo_ttl_tos) {
  int one, other;
  udp_pair(&one, &other);
  MUST(set_int(other, IPPROTO_IP, IP_PKTINFO, 1));
  MUST(set_int(other, IPPROTO_IP, IP_RECVTTL, 1));
  MUST(set_int(other, IPPROTO_IP, IP_RECVTOS, 1));
  MUST(set_int(one, IPPROTO_IP, IP_TTL, 9));
  MUST(send(one, "a", 1, 0));
  await(other, POLLIN);
  char control[256];
  struct iovec piece = {room, 8};
  struct msghdr message = message_of(&piece, control, sizeof control);
  SAY("recvmsg", recvmsg(other, &message, 0));
  say_control(&message);
}

PROBE(message_six_pktinfo_hops_class) {
  uint16_t port = 0;
  const int receiver = udp_bound(AF_INET6, &port), fd = MUST(socket(AF_INET6, SOCK_DGRAM, 0));
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_RECVTCLASS, 1));
  MUST(connect_to(fd, loopback(AF_INET6, port)));
  MUST(send(fd, "a", 1, 0));
  await(receiver, POLLIN);
  char control[256];
  struct iovec piece = {room, 8};
  struct msghdr message = message_of(&piece, control, sizeof control);
  SAY("recvmsg", recvmsg(receiver, &message, 0));
  say_control(&message);
}

PROBE(message_mapped_control) {
  uint16_t port = 0;
  const int six = MUST(socket(AF_INET6, SOCK_DGRAM, 0));
  MUST(bind_to(six, at6("::", 0)));
  port = port_of(six);
  MUST(set_int(six, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
  const int fd = udp4();
  MUST(connect_to(fd, loopback(AF_INET, port)));
  MUST(send(fd, "a", 1, 0));
  await(six, POLLIN);
  char control[256];
  struct iovec piece = {room, 8};
  struct msghdr message = message_of(&piece, control, sizeof control);
  SAY("recvmsg", recvmsg(six, &message, 0));
  say_control(&message);
}

PROBE(message_timestamp) {
  int one, other;
  udp_pair(&one, &other);
  MUST(set_int(other, SOL_SOCKET, SO_TIMESTAMP, 1));
  MUST(send(one, "a", 1, 0));
  await(other, POLLIN);
  char control[256];
  struct iovec piece = {room, 8};
  struct msghdr message = message_of(&piece, control, sizeof control);
  SAY("recvmsg", recvmsg(other, &message, 0));
  say_control(&message);
}

PROBE(message_control_truncated) {
  int one, other;
  udp_pair(&one, &other);
  MUST(set_int(other, IPPROTO_IP, IP_PKTINFO, 1));
  MUST(send(one, "a", 1, 0));
  MUST(send(one, "a", 1, 0));
  await(other, POLLIN);
  settle();
  char control[20];
  struct iovec piece = {room, 8};
  struct msghdr message = message_of(&piece, control, sizeof control);
  SAY("recvmsg", recvmsg(other, &message, 0));
  say("control=%zu flags=%x", message.msg_controllen, (unsigned)message.msg_flags);
  message = message_of(&piece, NULL, 0);
  SAY("none", recvmsg(other, &message, 0));
  say("control=%zu flags=%x", message.msg_controllen, (unsigned)message.msg_flags);
}

static long send_control(int fd, int level, int type, const void* value, size_t size, size_t claimed) {
  _Alignas(struct cmsghdr) char control[256] = {0};
  struct iovec piece = {"a", 1};
  struct msghdr message = message_of(&piece, control, CMSG_SPACE(size));
  struct cmsghdr* const header = CMSG_FIRSTHDR(&message);
  *header = (struct cmsghdr){.cmsg_len = claimed, .cmsg_level = level, .cmsg_type = type};
  memcpy(CMSG_DATA(header), value, size);
  return sendmsg(fd, &message, MSG_NOSIGNAL);
}

PROBE(message_send_control) {
  int one, other;
  udp_pair(&one, &other);
  const int ttl = 7, zero = 0, tos = 0x20, large = 300;
  SAY("ttl", send_control(one, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl, CMSG_LEN(sizeof ttl)));
  SAY("ttl-zero", send_control(one, IPPROTO_IP, IP_TTL, &zero, sizeof zero, CMSG_LEN(sizeof zero)));
  SAY("ttl-large", send_control(one, IPPROTO_IP, IP_TTL, &large, sizeof large, CMSG_LEN(sizeof large)));
  SAY("tos", send_control(one, IPPROTO_IP, IP_TOS, &tos, sizeof tos, CMSG_LEN(sizeof tos)));
  SAY("unknown", send_control(one, IPPROTO_IP, 199, &ttl, sizeof ttl, CMSG_LEN(sizeof ttl)));
  SAY("other-level", send_control(one, 77, 1, &ttl, sizeof ttl, CMSG_LEN(sizeof ttl)));
  SAY("too-long", send_control(one, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl, 999));
  SAY("too-short", send_control(one, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl, 3));
  struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(0x7f000003)};
  SAY("pktinfo", send_control(one, IPPROTO_IP, IP_PKTINFO, &info, sizeof info, CMSG_LEN(sizeof info)));
  info.ipi_spec_dst.s_addr = htonl(0x0a4d0001);
  SAY("foreign", send_control(one, IPPROTO_IP, IP_PKTINFO, &info, sizeof info, CMSG_LEN(sizeof info)));
}

PROBE(message_pktinfo_source) {
  uint16_t port = 0;
  const int receiver = udp_bound(AF_INET, &port), fd = udp4();
  MUST(connect_to(fd, loopback(AF_INET, port)));
  close(fd);
  const int sender = udp4();
  _Alignas(struct cmsghdr) char control[64] = {0};
  union address to = loopback(AF_INET, port), from = {0};
  struct iovec piece = {"a", 1};
  struct msghdr message = message_of(&piece, control, CMSG_SPACE(sizeof(struct in_pktinfo)));
  message.msg_name = &to;
  message.msg_namelen = size_of(&to);
  struct cmsghdr* const header = CMSG_FIRSTHDR(&message);
  *header = (struct cmsghdr){
      .cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
  const struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(0x7f000003)};
  memcpy(CMSG_DATA(header), &info, sizeof info);
  SAY("sendmsg", sendmsg(sender, &message, 0));
  await(receiver, POLLIN);
  socklen_t length = sizeof from;
  SAY("recvfrom", recvfrom(receiver, room, 8, MSG_DONTWAIT, &from.any, &length));
  say_address("from", &from.any, length);
}

PROBE(message_on_stream) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  const int ttl = 7;
  SAY("ip", send_control(client, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl, CMSG_LEN(sizeof ttl)));
  SAY("socket-level", send_control(client, SOL_SOCKET, 199, &ttl, sizeof ttl, CMSG_LEN(sizeof ttl)));
  SAY("malformed", send_control(client, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl, 3));
}

PROBE(message_gathered) {
  int one, other;
  udp_pair(&one, &other);
  struct iovec out[] = {{"ab", 2}, {"cde", 3}};
  char first[3] = "", second[8] = "";
  struct iovec in[] = {{first, 2}, {second, 7}};
  struct msghdr message = {.msg_iov = out, .msg_iovlen = 2};
  SAY("sendmsg", sendmsg(one, &message, 0));
  await(other, POLLIN);
  message = (struct msghdr){.msg_iov = in, .msg_iovlen = 2};
  SAY("recvmsg", recvmsg(other, &message, 0));
  say("got=%s,%s", first, second);
  message = (struct msghdr){.msg_iov = NULL, .msg_iovlen = 0};
  SAY("empty", sendmsg(one, &message, 0));
  await(other, POLLIN);
  SAY("recv", recvmsg(other, &message, MSG_DONTWAIT));
}

PROBE(message_many) {
  int one, other;
  udp_pair(&one, &other);
  struct iovec pieces[] = {{"a", 1}, {"bc", 2}, {"def", 3}};
  struct mmsghdr out[3] = {0}, in[5] = {0};
  struct iovec rooms[5];
  for (int i = 0; i < 3; ++i) out[i].msg_hdr = message_of(&pieces[i], NULL, 0);
  for (int i = 0; i < 5; ++i) {
    rooms[i] = (struct iovec){room + 100 * i, 100};
    in[i].msg_hdr = message_of(&rooms[i], NULL, 0);
  }
  SAY("sendmmsg", sendmmsg(one, out, 3, 0));
  say("lengths=%u,%u,%u", out[0].msg_len, out[1].msg_len, out[2].msg_len);
  await(other, POLLIN);
  settle();
  SAY("recvmmsg", recvmmsg(other, in, 5, MSG_WAITFORONE, NULL));
  say("lengths=%u,%u,%u", in[0].msg_len, in[1].msg_len, in[2].msg_len);
  SAY("none", recvmmsg(other, in, 5, MSG_DONTWAIT, NULL));
  SAY("zero", sendmmsg(one, out, 0, 0));
  SAY("receive-zero", recvmmsg(other, in, 0, MSG_DONTWAIT, NULL));
}

PROBE(message_many_timeout) {
  int one, other;
  udp_pair(&one, &other);
  struct iovec piece = {room, 8};
  struct mmsghdr in[2] = {{.msg_hdr = message_of(&piece, NULL, 0)}, {.msg_hdr = message_of(&piece, NULL, 0)}};
  struct timespec wrong = {.tv_nsec = -1}, none = {0};
  SAY("wrong", recvmmsg(other, in, 2, 0, &wrong));
  MUST(send(one, "a", 1, 0));
  await(other, POLLIN);
  SAY("one", recvmmsg(other, in, 2, 0, &none));
}

PROBE(message_many_partly) {
  int one, other;
  udp_pair(&one, &other);
  static char large[65536];
  struct iovec pieces[] = {{"a", 1}, {large, sizeof large}, {"b", 1}};
  struct mmsghdr out[3] = {0};
  for (int i = 0; i < 3; ++i) out[i].msg_hdr = message_of(&pieces[i], NULL, 0);
  SAY("second-fails", sendmmsg(one, out, 3, 0));
  SAY("first-fails", sendmmsg(one, out + 1, 2, 0));
}

PROBE(message_many_on_stream) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  struct iovec pieces[] = {{"ab", 2}, {"cd", 2}};
  struct mmsghdr out[2] = {{.msg_hdr = message_of(&pieces[0], NULL, 0)},
                           {.msg_hdr = message_of(&pieces[1], NULL, 0)}};
  SAY("sendmmsg", sendmmsg(client, out, 2, MSG_NOSIGNAL));
  await(server, POLLIN);
  settle();
  struct iovec in_piece = {room, 3};
  struct mmsghdr in[3] = {{.msg_hdr = message_of(&in_piece, NULL, 0)},
                          {.msg_hdr = message_of(&in_piece, NULL, 0)},
                          {.msg_hdr = message_of(&in_piece, NULL, 0)}};
  SAY("recvmmsg", recvmmsg(server, in, 3, MSG_DONTWAIT, NULL));
  say("lengths=%u,%u", in[0].msg_len, in[1].msg_len);
}

PROBE(message_name_of_peer) {
  uint16_t port = 0;
  const int receiver = udp_bound(AF_INET, &port), fd = udp4();
  MUST(connect_to(fd, loopback(AF_INET, port)));
  MUST(send(fd, "a", 1, 0));
  await(receiver, POLLIN);
  union address from = {0};
  struct iovec piece = {room, 8};
  struct msghdr message = message_of(&piece, NULL, 0);
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  SAY("recvmsg", recvmsg(receiver, &message, 0));
  say("length=%u", message.msg_namelen);
  say_address("from", &from.any, message.msg_namelen);
  message.msg_namelen = (socklen_t)-1;
  SAY("negative", recvmsg(receiver, &message, MSG_DONTWAIT));
}

PROBE(message_segments) { /* UDP_SEGMENT and UDP_GRO */
  uint16_t port = 0;
  const int receiver = udp_bound(AF_INET, &port), fd = udp4();
  MUST(connect_to(fd, loopback(AF_INET, port)));
  const uint16_t size = 4;
  _Alignas(struct cmsghdr) char control[64] = {0};
  struct iovec piece = {"aaaabbbbcc", 10};
  struct msghdr message = message_of(&piece, control, CMSG_SPACE(sizeof size));
  struct cmsghdr* const header = CMSG_FIRSTHDR(&message);
  *header = (struct cmsghdr){
      .cmsg_len = CMSG_LEN(sizeof size), .cmsg_level = IPPROTO_UDP, .cmsg_type = UDP_SEGMENT};
  memcpy(CMSG_DATA(header), &size, sizeof size);
  SAY("sendmsg", sendmsg(fd, &message, 0));
  await(receiver, POLLIN);
  settle();
  for (int i = 0; i < 4; ++i) SAY("recv", recv(receiver, room, 64, MSG_DONTWAIT));
}

PROBE(message_ipv4_options) { /* of datagrams, and of raw sockets */
  static const uint8_t alert[4] = {148, 4, 0, 0};
  uint16_t port = 0;
  const int receivers[] = {udp_bound(AF_INET, &port), MUST(socket(AF_INET, SOCK_RAW, 253))};
  const int senders[] = {udp4(), MUST(socket(AF_INET, SOCK_RAW, 253))};
  for (int i = 0; i < 2; ++i) {
    MUST(set_int(receivers[i], IPPROTO_IP, IP_RECVOPTS, 1));
    MUST(setsockopt(senders[i], IPPROTO_IP, IP_OPTIONS, alert, sizeof alert));
    MUST(connect_to(senders[i], loopback(AF_INET, port)));
    SAY("send", send(senders[i], "a", 1, 0));
    await(receivers[i], POLLIN);
    char control[256];
    struct iovec piece = {room, 64};
    struct msghdr message = message_of(&piece, control, sizeof control);
    SAY("recvmsg", recvmsg(receivers[i], &message, MSG_DONTWAIT));
    say_control(&message);
  }
}
