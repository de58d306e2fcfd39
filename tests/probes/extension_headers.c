/* Extension headers of IPv6: as options of a socket, as control messages, and as they are sent. */
#include <net/if.h>
#include <netpacket/packet.h>

#include "probe.h"

enum { kEtherIpv6 = 0x86dd, kMost = 4096 };

static const uint8_t kHop[8] = {0, 0, 0x1e, 4, 'h', 'o', 'p', '!'}; /* an option to be skipped: RFC 4727 */
static const uint8_t kDestination[16] = {0,   1,   0x1e, 12,  'd', 'e', 's', 't',
                                         'i', 'n', 'a',  't', 'i', 'o', 'n'};
static const uint8_t kSegments[24] = {0, 2, 4, 0,       0,
                                      0, 0, 0, [23] = 1}; /* RFC 8754: ::1, and no more to go */

static int udp6(void) { return MUST(socket(AF_INET6, SOCK_DGRAM, 0)); }

static long set_header(int fd, int option, const void* header, socklen_t size) {
  return setsockopt(fd, IPPROTO_IPV6, option, header, size);
}

static void say_header(const char* what, int fd, int option, socklen_t length) {
  uint8_t octets[64] = {0};
  errno = 0;
  const long result = getsockopt(fd, IPPROTO_IPV6, option, octets, &length);
  if (result < 0) return say_result(what, result, errno);
  char text[160] = "";
  for (socklen_t i = 0; i < length && i < sizeof octets; ++i) sprintf(text + 2 * i, "%02x", octets[i]);
  say("%s=%u:%s", what, length, text);
}

static void say_headers(struct msghdr* message) {
  for (struct cmsghdr* header = CMSG_FIRSTHDR(message); header != NULL;
       header = CMSG_NXTHDR(message, header)) {
    const size_t size = header->cmsg_len - CMSG_LEN(0);
    const uint8_t* const octets = CMSG_DATA(header);
    char text[128] = "";
    for (size_t i = 0; i < size && i < 24; ++i) sprintf(text + 2 * i, "%02x", octets[i]);
    say("%d/%d=%zu:%s", header->cmsg_level, header->cmsg_type, size, text);
  }
  if (message->msg_controllen == 0) say("none");
  if ((message->msg_flags & MSG_CTRUNC) != 0) say("ctrunc");
}

/* Receives one datagram, and says what control messages came with it. */
static void say_received(int fd, size_t control_size) {
  _Alignas(struct cmsghdr) char control[512];
  struct iovec piece = {room, sizeof room};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = control_size};
  await(fd, POLLIN);
  errno = 0;
  const long result = recvmsg(fd, &message, MSG_DONTWAIT);
  say_result("recvmsg", result, errno);
  if (result < 0) return;
  say_headers(&message);
}

struct control {
  _Alignas(struct cmsghdr) char octets[kMost];
  size_t size;
};

static void add_control(struct control* control, int type, const void* value, size_t size) {
  struct cmsghdr* const header = (struct cmsghdr*)(control->octets + control->size);
  *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(size), .cmsg_level = IPPROTO_IPV6, .cmsg_type = type};
  memcpy(CMSG_DATA(header), value, size);
  control->size += CMSG_SPACE(size);
}

static long send_with(int fd, struct control* control, const void* octets, size_t size, int flags) {
  struct iovec piece = {(void*)octets, size};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control->octets, .msg_controllen = control->size};
  return sendmsg(fd, &message, flags | MSG_NOSIGNAL);
}

static long send_one(int fd, int type, const void* value, size_t size) {
  struct control control = {.size = 0};
  add_control(&control, type, value, size);
  return send_with(fd, &control, "a", 1, 0);
}

/* A receiver that asks for all, and a sender connected to it. */
static void pair6(int* sender, int* receiver) {
  uint16_t port = 0;
  *receiver = udp_bound(AF_INET6, &port);
  MUST(set_int(*receiver, IPPROTO_IPV6, IPV6_RECVHOPOPTS, 1));
  MUST(set_int(*receiver, IPPROTO_IPV6, IPV6_RECVDSTOPTS, 1));
  MUST(set_int(*receiver, IPPROTO_IPV6, IPV6_RECVRTHDR, 1));
  *sender = udp6();
  MUST(connect_to(*sender, loopback(AF_INET6, port)));
}

static const int kSticky[] = {IPV6_HOPOPTS, IPV6_RTHDRDSTOPTS, IPV6_DSTOPTS};

PROBE(extension_flags) {
  static const int names[] = {IPV6_RECVHOPOPTS, IPV6_RECVDSTOPTS, IPV6_RECVRTHDR,
                              IPV6_2292HOPOPTS, IPV6_2292DSTOPTS, IPV6_2292RTHDR};
  const int fd = udp6();
  for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
    say_int("default", fd, IPPROTO_IPV6, names[i]);
    SAY("set", set_int(fd, IPPROTO_IPV6, names[i], 7));
    say_int("shows", fd, IPPROTO_IPV6, names[i]);
    SAY("short", setsockopt(fd, IPPROTO_IPV6, names[i], "\1", 1));
  }
  SAY("of-four", set_int(udp4(), IPPROTO_IPV6, IPV6_RECVHOPOPTS, 1));
}

PROBE(extension_sticky) {
  const int fd = udp6();
  for (size_t i = 0; i < 3; ++i) {
    const int name = kSticky[i];
    say_header("default", fd, name, 64);
    SAY("set", set_header(fd, name, kDestination, sizeof kDestination));
    say_header("shows", fd, name, 64);
    say_header("short", fd, name, 6);
    SAY("less", set_header(fd, name, kHop, sizeof kHop));
    say_header("shows", fd, name, 64);
    SAY("clear", set_header(fd, name, kHop, 0));
    say_header("shows", fd, name, 64);
  }
}

PROBE(extension_sticky_errors) {
  const int fd = udp6();
  static uint8_t large[2048] = {0, 254}, larger[2056] = {0, 255};
  for (size_t i = 0; i < 3; ++i) {
    const int name = kSticky[i];
    SAY("one", set_header(fd, name, kHop, 1));
    SAY("four", set_header(fd, name, kHop, 4));
    SAY("twelve", set_header(fd, name, kDestination, 12));
    SAY("says-more", set_header(fd, name, kDestination, 8));
    SAY("says-less", set_header(fd, name, (const uint8_t[16]){0}, 16));
    say_header("shows", fd, name, 64);
    SAY("longest", set_header(fd, name, large, 2040));
    large[1] = 253;
    SAY("longest", set_header(fd, name, large, 2040));
    SAY("longer", set_header(fd, name, large, 2048));
    SAY("longer", set_header(fd, name, larger, 2056));
    SAY("null", set_header(fd, name, NULL, 8));
    SAY("null-empty", set_header(fd, name, NULL, 0));
    say_header("shows", fd, name, 64);
  }
}

/* The octets are not looked at before they are sent, and then by who receives them. */
PROBE(extension_content) {
  int sender, receiver;
  pair6(&sender, &receiver);
  const uint8_t garbage[8] = {99, 0, 0x1e, 200, 1, 2, 3, 4}, to_be_dropped[8] = {0, 0, 0x5e, 4};
  SAY("garbage", set_header(sender, IPV6_DSTOPTS, garbage, sizeof garbage));
  SAY("send", send(sender, "a", 1, 0));
  SAY("unknown", set_header(sender, IPV6_DSTOPTS, to_be_dropped, sizeof to_be_dropped));
  SAY("send", send(sender, "a", 1, 0));
  settle();
  SAY("recv", recv(receiver, room, 8, MSG_DONTWAIT));
  say_error(sender);
}

static void say_routing(const char* what, int fd, const uint8_t* header, size_t size) {
  SAY(what, set_header(fd, IPV6_RTHDR, header, (socklen_t)size));
  SAY("as-control", send_one(fd, IPV6_RTHDR, header, size));
}

PROBE(extension_routing_types) {
  int fd, receiver;
  pair6(&fd, &receiver);
  uint8_t header[48] = {0, 2, 0, 1};
  say_routing("zero", fd, header, 24);
  header[2] = 3;
  say_routing("three", fd, header, 24);
  header[2] = 253;
  say_routing("experiment", fd, header, 24);
  header[2] = 4; /* RFC 8754 */
  header[3] = 0;
  say_routing("four", fd, header, 24);
  say_header("shows", fd, IPV6_RTHDR, 8);
  header[3] = 1;
  say_routing("left-beyond", fd, header, 24);
  header[4] = 1;
  say_routing("last-beyond", fd, header, 24);
  header[1] = 4;
  header[4] = 1;
  say_routing("two", fd, header, 40);
  say_routing("longer", fd, header, 48);
  header[1] = 5;
  header[40] = 5; /* a TLV: 6 octets of the 8 */
  header[41] = 6;
  say_routing("tlv", fd, header, 48);
  header[41] = 7;
  say_routing("tlv-beyond", fd, header, 48);
  say_routing("short", fd, header, 4);
  say_header("shows", fd, IPV6_RTHDR, 2);
  SAY("clear", set_header(fd, IPV6_RTHDR, header, 0));
  say_header("shows", fd, IPV6_RTHDR, 8);
}

PROBE(extension_received) {
  int sender, receiver;
  pair6(&sender, &receiver);
  MUST(set_header(sender, IPV6_HOPOPTS, kHop, sizeof kHop));
  MUST(set_header(sender, IPV6_DSTOPTS, kDestination, sizeof kDestination));
  SAY("send", send(sender, "a", 1, 0));
  say_received(receiver, 512);
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_RECVHOPOPTS, 0));
  SAY("send", send(sender, "a", 1, 0));
  say_received(receiver, 512);
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_RECVDSTOPTS, 0));
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_2292HOPOPTS, 1));
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_2292DSTOPTS, 1));
  SAY("send", send(sender, "a", 1, 0));
  say_received(receiver, 512);
}

/* What the receiver asks for when the datagram is there already. */
PROBE(extension_asked_for_late) {
  int sender, receiver;
  pair6(&sender, &receiver);
  MUST(set_header(sender, IPV6_DSTOPTS, kDestination, sizeof kDestination));
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_RECVDSTOPTS, 0));
  SAY("send", send(sender, "a", 1, 0));
  await(receiver, POLLIN);
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_RECVDSTOPTS, 1));
  say_received(receiver, 512);
}

PROBE(extension_truncated) {
  int sender, receiver;
  pair6(&sender, &receiver);
  MUST(set_header(sender, IPV6_DSTOPTS, kDestination, sizeof kDestination));
  SAY("send", send(sender, "a", 1, 0));
  say_received(receiver, CMSG_LEN(6));
}

PROBE(extension_peeked) {
  int sender, receiver;
  pair6(&sender, &receiver);
  SAY("send", send_one(sender, IPV6_DSTOPTS, kDestination, sizeof kDestination));
  await(receiver, POLLIN);
  _Alignas(struct cmsghdr) char control[64];
  struct iovec piece = {room, 8};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  SAY("peek", recvmsg(receiver, &message, MSG_PEEK));
  say_headers(&message);
  say_received(receiver, 512);
}

PROBE(extension_control) {
  int sender, receiver;
  pair6(&sender, &receiver);
  struct control control = {.size = 0};
  add_control(&control, IPV6_HOPOPTS, kHop, sizeof kHop);
  add_control(&control, IPV6_DSTOPTS, kDestination, sizeof kDestination);
  SAY("sendmsg", send_with(sender, &control, "a", 1, 0));
  say_received(receiver, 512);
  /* Control messages stand in place of all options of the socket. */
  MUST(set_header(sender, IPV6_HOPOPTS, kHop, sizeof kHop));
  SAY("sendmsg", send_one(sender, IPV6_DSTOPTS, kDestination, sizeof kDestination));
  say_received(receiver, 512);
  const int hops = 9;
  SAY("sendmsg", send_one(sender, IPV6_HOPLIMIT, &hops, sizeof hops));
  say_received(receiver, 512);
  SAY("old", send_one(sender, IPV6_2292DSTOPTS, kDestination, sizeof kDestination));
  say_received(receiver, 512);
}

PROBE(extension_control_errors) {
  int sender, receiver;
  pair6(&sender, &receiver);
  static const int types[] = {IPV6_HOPOPTS, IPV6_RTHDRDSTOPTS, IPV6_DSTOPTS, IPV6_2292HOPOPTS,
                              IPV6_2292DSTOPTS};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; ++i) {
    SAY("empty", send_one(sender, types[i], kHop, 0));
    SAY("one", send_one(sender, types[i], kHop, 1));
    SAY("short", send_one(sender, types[i], kDestination, 8));
    SAY("odd", send_one(sender, types[i], kHop, 12));
    struct control control = {.size = 0};
    add_control(&control, types[i], kHop, sizeof kHop);
    add_control(&control, types[i], kHop, sizeof kHop);
    SAY("twice", send_with(sender, &control, "a", 1, 0));
  }
  SAY("routing-empty", send_one(sender, IPV6_RTHDR, kHop, 0));
  SAY("recvhopopts", send_one(sender, IPV6_RECVHOPOPTS, kHop, 8));
}

/* Destination options for the stops of a routing header, without one. */
PROBE(extension_without_routing) {
  int sender, receiver;
  pair6(&sender, &receiver);
  SAY("set", set_header(sender, IPV6_RTHDRDSTOPTS, kDestination, sizeof kDestination));
  SAY("send", send(sender, "a", 1, 0));
  say_received(receiver, 512);
  SAY("as-control", send_one(sender, IPV6_RTHDRDSTOPTS, kDestination, sizeof kDestination));
  say_received(receiver, 512);
}

PROBE(extension_longest) {
  int sender, receiver;
  pair6(&sender, &receiver);
  static char octets[65536];
  MUST(set_header(sender, IPV6_HOPOPTS, kHop, sizeof kHop));
  SAY("too-long", send(sender, octets, 65536 - 16, 0));
  SAY("longest", send(sender, octets, 65535 - 16, 0)); /* in fragments */
  say_received(receiver, 512);
  MUST(set_header(sender, IPV6_DSTOPTS, kDestination, sizeof kDestination));
  SAY("shorter", send(sender, octets, 65535 - 48, 0)); /* too */
  say_received(receiver, 512);
  SAY("middle", send(sender, octets, 30000, 0));
  say_received(receiver, 512);
}

PROBE(extension_more) {
  int sender, receiver;
  pair6(&sender, &receiver);
  struct control control = {.size = 0};
  add_control(&control, IPV6_DSTOPTS, kDestination, sizeof kDestination);
  SAY("first", send_with(sender, &control, "ab", 2, MSG_MORE));
  SAY("second", send(sender, "c", 1, 0));
  say_received(receiver, 512);
}

PROBE(extension_to_mapped) {
  uint16_t port = 0;
  const int receiver = udp_bound(AF_INET, &port), fd = udp6();
  MUST(set_header(fd, IPV6_DSTOPTS, kDestination, sizeof kDestination));
  MUST(connect_to(fd, at6("::ffff:127.0.0.1", port)));
  SAY("send", send(fd, "a", 1, 0));
  await(receiver, POLLIN);
  SAY("recv", recv(receiver, room, 8, MSG_DONTWAIT));
}

PROBE(extension_of_stream) {
  const int fd = MUST(socket(AF_INET6, SOCK_STREAM, 0));
  SAY("flag", set_int(fd, IPPROTO_IPV6, IPV6_RECVDSTOPTS, 1));
  SAY("sticky", set_header(fd, IPV6_DSTOPTS, kDestination, sizeof kDestination));
  SAY("clear", set_header(fd, IPV6_DSTOPTS, kDestination, 0));
}

/* ------------------------------------------------------------------ raw and ping sockets */

PROBE(extension_of_raw) {
  const int fd = MUST(socket(AF_INET6, SOCK_RAW, 253)), receiver = MUST(socket(AF_INET6, SOCK_RAW, 253));
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_RECVHOPOPTS, 1));
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_RECVDSTOPTS, 1));
  MUST(set_header(fd, IPV6_HOPOPTS, kHop, sizeof kHop));
  MUST(connect_to(fd, loopback(AF_INET6, 0)));
  SAY("send", send(fd, "a", 1, 0));
  say_received(receiver, 512);
  SAY("sendmsg", send_one(fd, IPV6_DSTOPTS, kDestination, sizeof kDestination));
  say_received(receiver, 512);
  SAY("as-control", send_one(fd, IPV6_RTHDR, kSegments, sizeof kSegments));
  SAY("short", send_one(fd, IPV6_DSTOPTS, kDestination, 8));
  MUST(set_int(fd, IPPROTO_IPV6, IPV6_CHECKSUM, 2));
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_CHECKSUM, 2));
  SAY("checked", send(fd, "abcd", 4, 0));
  say_received(receiver, 512);
}

static uint16_t checksum_of(uint8_t protocol, const uint8_t* octets, size_t size) {
  uint32_t sum = 1 + 1 + protocol + (uint32_t)size; /* from ::1 to ::1 */
  for (size_t i = 0; i < size; ++i) sum += (uint32_t)octets[i] << (i % 2 == 0 ? 8 : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

/* A packet from ::1 to ::1 with these headers, made by hand. */
static long send_made(uint8_t first, const uint8_t* headers, size_t headers_size, uint8_t protocol,
                      uint8_t* octets, size_t size, size_t checksum_at) {
  const int fd = MUST(socket(AF_INET6, SOCK_RAW, IPPROTO_RAW));
  uint8_t packet[256] = {0x60, [4] = 0, [5] = (uint8_t)(headers_size + size), [6] = first, [7] = 5};
  packet[23] = packet[39] = 1;
  const uint16_t checksum = checksum_of(protocol, octets, size);
  octets[checksum_at] = (uint8_t)(checksum >> 8);
  octets[checksum_at + 1] = (uint8_t)checksum;
  memcpy(packet + 40, headers, headers_size);
  memcpy(packet + 40 + headers_size, octets, size);
  const union address to = loopback(AF_INET6, 0);
  return sendto(fd, packet, 40 + headers_size + size, 0, &to.any, size_of(&to));
}

/* All kinds, twice what may be: destination options, routing that has ended, destination options. */
PROBE(extension_all_received) {
  int sender, receiver;
  pair6(&sender, &receiver);
  uint8_t headers[48] = {60,  0,   0x1e, 4,  'h', 'o', 'p',  '!', 43,  0,   0x1e, 4,  's', 't',
                         'o', 'p', 60,   1,  253, 0,   1,    2,   3,   4,   5,    6,  7,   8,
                         9,   10,  11,   12, 17,  0,   0x1e, 4,   'd', 'e', 's',  't'};
  const uint16_t port = port_of(receiver);
  uint8_t datagram[9] = {(uint8_t)(port_of(sender) >> 8),
                         (uint8_t)port_of(sender),
                         (uint8_t)(port >> 8),
                         (uint8_t)port,
                         0,
                         9,
                         0,
                         0,
                         'a'};
  SAY("send", send_made(0, headers, 40, 17, datagram, sizeof datagram, 6));
  say_received(receiver, 512);
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_RECVDSTOPTS, 0));
  datagram[6] = datagram[7] = 0;
  SAY("send", send_made(0, headers, 40, 17, datagram, sizeof datagram, 6));
  say_received(receiver, 512);
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_RECVRTHDR, 0));
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_2292DSTOPTS, 1));
  MUST(set_int(receiver, IPPROTO_IPV6, IPV6_2292RTHDR, 1));
  datagram[6] = datagram[7] = 0;
  SAY("send", send_made(0, headers, 40, 17, datagram, sizeof datagram, 6));
  say_received(receiver, 512);
}

PROBE(extension_of_ping) {
  const int fd = MUST(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6));
  MUST(set_int(fd, IPPROTO_IPV6, IPV6_RECVDSTOPTS, 1));
  SAY("sticky", set_header(fd, IPV6_DSTOPTS, kDestination, sizeof kDestination));
  say_header("shows", fd, IPV6_DSTOPTS, 64);
  MUST(connect_to(fd, loopback(AF_INET6, 0)));
  const uint8_t request[8] = {128, 0, 0, 0, 0, 0, 0, 1};
  SAY("send", send(fd, request, sizeof request, 0));
  say_received(fd, 512);
  struct control control = {.size = 0};
  add_control(&control, IPV6_DSTOPTS, kDestination, sizeof kDestination);
  SAY("as-control", send_with(fd, &control, request, sizeof request, 0));
  say_received(fd, 512);
  SAY("short", send_one(fd, IPV6_DSTOPTS, kDestination, 8));
  const uint16_t identifier = port_of(fd);
  uint8_t headers[8] = {58, 0, 0x1e, 4, 'd', 'e', 's', 't'};
  uint8_t reply[8] = {129, 0, 0, 0, (uint8_t)(identifier >> 8), (uint8_t)identifier, 0, 2};
  SAY("reply", send_made(60, headers, sizeof headers, 58, reply, sizeof reply, 2));
  say_received(fd, 512);
}

/* ------------------------------------------------------------------ as they are sent */

/* The next packet that a packet socket sees with the payload that is looked for: destination and headers. */
static void say_packet(int watcher, char payload) {
  uint8_t packet[512];
  for (int i = 0; i < 50; ++i) {
    if (await(watcher, POLLIN) == 0) break;
    const ssize_t size = recv(watcher, packet, sizeof packet, MSG_DONTWAIT);
    if (size < 49 || packet[size - 1] != (uint8_t)payload) continue;
    char text[512] = "";
    for (ssize_t j = 24; j < size - 9; ++j)
      sprintf(text + strlen(text), j == 40 ? " %02x" : "%02x", packet[j]);
    return say("next=%d to=%s", packet[6], text);
  }
  say("unseen");
}

PROBE(extension_as_sent) {
  const int watcher = MUST(socket(AF_PACKET, SOCK_DGRAM, htons(kEtherIpv6)));
  struct sockaddr_ll lo = {.sll_family = AF_PACKET, .sll_protocol = htons(kEtherIpv6), .sll_ifindex = 1};
  MUST(bind(watcher, (struct sockaddr*)&lo, sizeof lo));
  const int fd = udp6();
  uint8_t segments[40] = {0, 4, 4, 1, 1, [23] = 77, [39] = 1}; /* by way of the second, ::1 */
  MUST(set_header(fd, IPV6_RTHDR, segments, sizeof segments));
  MUST(set_header(fd, IPV6_RTHDRDSTOPTS, kHop, sizeof kHop));
  MUST(set_header(fd, IPV6_DSTOPTS, kDestination, sizeof kDestination));
  MUST(set_header(fd, IPV6_HOPOPTS, kHop, sizeof kHop));
  const union address to = at6("::1", 9);
  SAY("sendto", sendto(fd, "R", 1, 0, &to.any, size_of(&to)));
  say_packet(watcher, 'R');
  MUST(set_header(fd, IPV6_RTHDR, segments, 0));
  SAY("sendto", sendto(fd, "D", 1, 0, &to.any, size_of(&to)));
  say_packet(watcher, 'D');
}
