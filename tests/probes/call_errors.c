/* What each call refuses, and how. */
#include <sys/stat.h>

#include "probe.h"

PROBE(error_socket_kinds) {
  SAY("domain", socket(99, SOCK_STREAM, 0));
  SAY("type", socket(AF_INET, 77, 0));
  SAY("rdm", socket(AF_INET, SOCK_RDM, 0));
  SAY("seqpacket", socket(AF_INET, SOCK_SEQPACKET, IPPROTO_TCP));
  SAY("udp-stream", socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
  SAY("tcp-datagram", socket(AF_INET6, SOCK_DGRAM, IPPROTO_TCP));
  SAY("protocol", socket(AF_INET, SOCK_STREAM, 300));
  SAY("negative", socket(AF_INET, SOCK_STREAM, -1));
  SAY("flags", socket(AF_INET, SOCK_STREAM | 0x10000000, 0));
}

PROBE(error_closed_descriptor) {
  const int fd = tcp4();
  SAY("close", close(fd));
  SAY("again", close(fd));
  SAY("bind", bind_to(fd, loopback(AF_INET, 0)));
  SAY("listen", listen(fd, 1));
  SAY("accept", accept(fd, NULL, NULL));
  SAY("connect", connect_to(fd, loopback(AF_INET, 1)));
  SAY("send", send(fd, "a", 1, MSG_NOSIGNAL));
  SAY("recv", recv(fd, room, 1, 0));
  SAY("shutdown", shutdown(fd, SHUT_RDWR));
  SAY("setsockopt", set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1));
  say_error(fd);
  say_name("getsockname", fd, 0);
  int value = 0;
  SAY("ioctl", ioctl(fd, FIONREAD, &value));
  SAY("fcntl", fcntl(fd, F_GETFL));
}

PROBE_OF_PROCESS(error_not_a_socket) {
  int ends[2];
  MUST(pipe(ends));
  SAY("bind", bind_to(ends[0], loopback(AF_INET, 0)));
  SAY("listen", listen(ends[0], 1));
  SAY("accept", accept(ends[0], NULL, NULL));
  SAY("connect", connect_to(ends[0], loopback(AF_INET, 1)));
  SAY("send", send(ends[1], "a", 1, MSG_NOSIGNAL));
  SAY("recv", recv(ends[0], room, 1, 0));
  SAY("shutdown", shutdown(ends[0], SHUT_RDWR));
  say_error(ends[0]);
  say_name("getsockname", ends[0], 0);
}

PROBE(error_bind_arguments) {
  union address address = loopback(AF_INET, 0);
  SAY("short", bind(tcp4(), &address.any, 15));
  SAY("long", bind(tcp4(), &address.any, sizeof address));
  SAY("too-long", bind(tcp4(), &address.any, 129));
  SAY("family", bind_to(tcp4(), loopback(AF_INET6, 0)));
  address.any.sa_family = AF_UNSPEC;
  SAY("unspec", bind(tcp4(), &address.any, 16));
  address = at4("0.0.0.0", 0);
  address.any.sa_family = AF_UNSPEC;
  SAY("unspec-any", bind(tcp4(), &address.any, 16));
  const int six = MUST(socket(AF_INET6, SOCK_STREAM, 0));
  SAY("four-on-six", bind_to(six, loopback(AF_INET, 0)));
  address = loopback(AF_INET6, 0);
  SAY("six-short", bind(six, &address.any, 24));
  SAY("null", bind(tcp4(), NULL, 16));
}

PROBE(error_bind_addresses) {
  SAY("foreign", bind_to(tcp4(), at4("10.77.0.1", 0)));
  SAY("broadcast", bind_to(tcp4(), at4("255.255.255.255", 0)));
  SAY("multicast", bind_to(tcp4(), at4("224.0.0.5", 0)));
  SAY("udp-multicast", bind_to(udp4(), at4("224.0.0.5", 0)));
  SAY("udp-broadcast", bind_to(udp4(), at4("255.255.255.255", 0)));
  SAY("loopback-net", bind_to(tcp4(), at4("127.9.9.9", 0)));
  const int six = MUST(socket(AF_INET6, SOCK_STREAM, 0));
  SAY("six-foreign", bind_to(six, at6("fd77::1", 0)));
  SAY("link-local-unscoped", bind_to(six, at6("fe80::1", 0)));
}

PROBE(error_bind_twice) {
  const int fd = tcp4();
  SAY("first", bind_to(fd, loopback(AF_INET, 0)));
  SAY("second", bind_to(fd, loopback(AF_INET, 0)));
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("connected", bind_to(client, loopback(AF_INET, 0)));
  SAY("accepted", bind_to(server, loopback(AF_INET, 0)));
}

PROBE(error_listen_states) {
  SAY("udp", listen(udp4(), 1));
  const int fd = tcp4();
  SAY("unbound", listen(fd, 1));
  say_name("name", fd, 0);
  SAY("again", listen(fd, 5));
  SAY("negative", listen(fd, -1));
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("connected", listen(client, 1));
  SAY("accepted", listen(server, 1));
}

PROBE(error_accept_states) {
  SAY("fresh", accept(tcp4(), NULL, NULL));
  SAY("udp", accept(udp4(), NULL, NULL));
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("connected", accept(client, NULL, NULL));
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port);
  SAY("flags", accept4(listening, NULL, NULL, 1));
  set_non_blocking(listening);
  SAY("none", accept(listening, NULL, NULL));
}

PROBE(error_accept_address) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port);
  union address from = {0};
  socklen_t length = 4;
  MUST(connect_to(tcp4(), loopback(AF_INET, port)));
  say("short=%s", accept(listening, &from.any, &length) >= 0 ? "accepted" : error_name(errno));
  say("length=%u family=%d", length, from.any.sa_family);
  MUST(connect_to(tcp4(), loopback(AF_INET, port)));
  length = (socklen_t)-1;
  say("negative=%s", accept(listening, &from.any, &length) >= 0 ? "accepted" : error_name(errno));
  MUST(connect_to(tcp4(), loopback(AF_INET, port)));
  length = sizeof from;
  say("full=%s", accept(listening, &from.any, &length) >= 0 ? "accepted" : error_name(errno));
  say_address("from", &from.any, length);
}

PROBE(error_connect_arguments) {
  union address address = loopback(AF_INET, 1);
  SAY("short", connect(tcp4(), &address.any, 15));
  SAY("tiny", connect(tcp4(), &address.any, 1));
  SAY("family", connect_to(tcp4(), loopback(AF_INET6, 1)));
  const int six = MUST(socket(AF_INET6, SOCK_STREAM, 0));
  SAY("four-on-six", connect_to(six, loopback(AF_INET, 1)));
  SAY("null", connect(tcp4(), NULL, 16));
}

PROBE(error_connect_addresses) {
  SAY("no-route", connect_to(tcp4(), at4("10.77.0.1", 9)));
  SAY("multicast", connect_to(tcp4(), at4("224.0.0.5", 9)));
  SAY("broadcast", connect_to(tcp4(), at4("255.255.255.255", 9)));
  const int six = MUST(socket(AF_INET6, SOCK_STREAM, 0));
  SAY("six-no-route", connect_to(six, at6("2001:db8::1", 9)));
  const int other = MUST(socket(AF_INET6, SOCK_STREAM, 0));
  SAY("six-multicast", connect_to(other, at6("ff02::5", 9)));
  const int local = MUST(socket(AF_INET6, SOCK_STREAM, 0));
  SAY("link-local-unscoped", connect_to(local, at6("fe80::1", 9)));
}

PROBE(error_connect_port_zero) {
  SAY("tcp", connect_to(tcp4(), loopback(AF_INET, 0)));
  const int fd = udp4();
  SAY("udp", connect_to(fd, loopback(AF_INET, 0)));
  SAY("send", send(fd, "a", 1, MSG_NOSIGNAL));
}

PROBE(error_connect_states) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port);
  SAY("listening", connect_to(listening, loopback(AF_INET, port)));
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("connected", connect_to(client, loopback(AF_INET, port)));
  SAY("accepted", connect_to(server, loopback(AF_INET, port)));
  shutdown(client, SHUT_RDWR);
  SAY("shut", connect_to(client, loopback(AF_INET, port)));
}

PROBE(error_send_fresh) {
  SAY("tcp", send(tcp4(), "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
  SAY("tcp-empty", send(tcp4(), "a", 0, MSG_NOSIGNAL | MSG_DONTWAIT));
  const union address to = loopback(AF_INET, 9);
  SAY("tcp-to", sendto(tcp4(), "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT, &to.any, size_of(&to)));
  SAY("udp", send(udp4(), "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
}

PROBE(error_receive_fresh) {
  SAY("tcp", recv(tcp4(), room, 1, MSG_DONTWAIT));
  SAY("tcp-empty", recv(tcp4(), room, 0, MSG_DONTWAIT));
  SAY("udp", recv(udp4(), room, 1, MSG_DONTWAIT));
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port);
  SAY("listening", recv(listening, room, 1, MSG_DONTWAIT));
  SAY("listening-send", send(listening, "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
}

PROBE(error_shutdown_states) {
  SAY("fresh", shutdown(tcp4(), SHUT_RDWR));
  SAY("how", shutdown(tcp4(), 7));
  SAY("udp", shutdown(udp4(), SHUT_RDWR));
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port);
  SAY("listening-write", shutdown(listening, SHUT_WR));
  SAY("listening-read", shutdown(listening, SHUT_RD));
  SAY("again", shutdown(listening, SHUT_RD));
  SAY("listen", listen(listening, 4));
}

PROBE(error_options) {
  const int fd = tcp4();
  char octet = 1;
  int value = 1;
  socklen_t length = sizeof value;
  SAY("short", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &octet, 1));
  SAY("unknown", set_int(fd, SOL_SOCKET, 999, 1));
  SAY("level", set_int(fd, 999, 1, 1));
  SAY("tcp-unknown", set_int(fd, IPPROTO_TCP, 999, 1));
  SAY("null", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, NULL, 4));
  SAY("read-only", set_int(fd, SOL_SOCKET, SO_TYPE, 1));
  SAY("get-unknown", getsockopt(fd, SOL_SOCKET, 999, &value, &length));
  SAY("get-level", getsockopt(fd, 999, 1, &value, &length));
  length = (socklen_t)-1;
  SAY("get-negative", getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length));
  length = 0;
  SAY("get-empty", getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length));
  length = 2;
  value = 0;
  SAY("get-short", getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length));
  say("length=%u value=%d", length, value);
  SAY("tcp-on-udp", set_int(udp4(), IPPROTO_TCP, TCP_NODELAY, 1));
  SAY("udp-on-tcp", set_int(fd, IPPROTO_UDP, UDP_CORK, 1));
  SAY("six-on-four", set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  SAY("four-on-six", set_int(MUST(socket(AF_INET6, SOCK_STREAM, 0)), IPPROTO_IP, IP_TTL, 5));
}

PROBE(error_null_buffers) {
  int client, server;
  tcp_pair(AF_INET, &client, &server);
  SAY("send", send(client, NULL, 4, MSG_NOSIGNAL));
  SAY("send-empty", send(client, NULL, 0, MSG_NOSIGNAL));
  MUST(send(server, "data", 4, 0));
  await(client, POLLIN);
  SAY("recv", recv(client, NULL, 4, 0));
  SAY("still-there", recv(client, room, 8, 0));
  SAY("sendmsg", sendmsg(client, NULL, MSG_NOSIGNAL));
  SAY("recvmsg", recvmsg(client, NULL, MSG_DONTWAIT));
}

PROBE(error_name_lengths) {
  const int fd = tcp4();
  MUST(bind_to(fd, loopback(AF_INET, 0)));
  union address address = {0};
  socklen_t length = 4;
  SAY("short", getsockname(fd, &address.any, &length));
  say("length=%u address=%u", length, address.v4.sin_addr.s_addr);
  length = (socklen_t)-1;
  SAY("negative", getsockname(fd, &address.any, &length));
  length = 0;
  SAY("zero", getsockname(fd, NULL, &length));
  say("length=%u", length);
  SAY("null-length", getsockname(fd, &address.any, NULL));
}

PROBE(error_ioctl_unknown) {
  int value = 0;
  SAY("tcp", ioctl(tcp4(), 0x1234, &value));
  SAY("udp", ioctl(udp4(), 0x1234, &value));
}

PROBE_OF_PROCESS(error_file_calls) {
  const int fd = tcp4();
  struct stat status;
  SAY("fstat", fstat(fd, &status));
  say("is-socket=%d", S_ISSOCK(status.st_mode));
  SAY("lseek", lseek(fd, 0, SEEK_SET));
  SAY("pread", pread(fd, room, 1, 0));
  SAY("ftruncate", ftruncate(fd, 0));
  SAY("fsync", fsync(fd));
  char path[32], link[64] = "";
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  MUST(readlink(path, link, sizeof link - 1));
  say("link=%.7s", link);
  SAY("isatty", isatty(fd) == 0 ? -1 : 1);
}
