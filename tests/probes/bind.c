/* Who may have which port: conflicts of addresses, families, SO_REUSEADDR and SO_REUSEPORT. */
#include "probe.h"

/* Two sockets of `type`: the first binds to `one`, the second to the same port of `other`, after `option` (if
 * any) was set as told. */
static void try_both(const char* what, int type, union address one, union address other, int option,
                     int first_has, int second_has, int v6_only) {
  const int first = MUST(socket(one.any.sa_family, type, 0)),
            second = MUST(socket(other.any.sa_family, type, 0));
  if (option != 0 && first_has) MUST(set_int(first, SOL_SOCKET, option, 1));
  if (option != 0 && second_has) MUST(set_int(second, SOL_SOCKET, option, 1));
  if (v6_only && one.any.sa_family == AF_INET6) MUST(set_int(first, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  if (v6_only && other.any.sa_family == AF_INET6) MUST(set_int(second, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  MUST(bind_to(first, one));
  const uint16_t port = htons(port_of(first));
  if (other.any.sa_family == AF_INET6)
    other.v6.sin6_port = port;
  else
    other.v4.sin_port = port;
  SAY(what, bind_to(second, other));
}

static void try_addresses(const char* what, union address one, union address other) {
  char text[64];
  snprintf(text, sizeof text, "tcp-%s", what);
  try_both(text, SOCK_STREAM, one, other, 0, 0, 0, 0);
  snprintf(text, sizeof text, "udp-%s", what);
  try_both(text, SOCK_DGRAM, one, other, 0, 0, 0, 0);
}

#define ANY4 at4("0.0.0.0", 0)
#define ANY6 at6("::", 0)
#define ONE4 at4("127.0.0.1", 0)
#define TWO4 at4("127.0.0.2", 0)
#define ONE6 at6("::1", 0)
#define MAPPED at6("::ffff:127.0.0.1", 0)

PROBE(bind_same_address) { try_addresses("same", ONE4, ONE4); }
PROBE(bind_other_address) { try_addresses("other", ONE4, TWO4); }
PROBE(bind_any_then_one) { try_addresses("any-one", ANY4, ONE4); }
PROBE(bind_one_then_any) { try_addresses("one-any", ONE4, ANY4); }
PROBE(bind_six_any_then_four_any) { try_addresses("any6-any4", ANY6, ANY4); }
PROBE(bind_four_any_then_six_any) { try_addresses("any4-any6", ANY4, ANY6); }
PROBE(bind_six_any_then_four_one) { try_addresses("any6-one4", ANY6, ONE4); }
PROBE(bind_six_one_then_four_one) { try_addresses("one6-one4", ONE6, ONE4); }
PROBE(bind_mapped_then_four) { try_addresses("mapped-one4", MAPPED, ONE4); }
PROBE(bind_four_then_mapped) { try_addresses("one4-mapped", ONE4, MAPPED); }
PROBE(bind_four_any_then_six_one) { try_addresses("any4-one6", ANY4, ONE6); }

PROBE(bind_v6only_beside_four) {
  try_both("tcp", SOCK_STREAM, ANY6, ANY4, 0, 0, 0, 1);
  try_both("tcp-reverse", SOCK_STREAM, ANY4, ANY6, 0, 0, 0, 1);
  try_both("udp", SOCK_DGRAM, ANY6, ANY4, 0, 0, 0, 1);
  try_both("six-twice", SOCK_STREAM, ANY6, ONE6, 0, 0, 0, 1);
}

PROBE(bind_reuseaddr_tcp) {
  try_both("both", SOCK_STREAM, ONE4, ONE4, SO_REUSEADDR, 1, 1, 0);
  try_both("first", SOCK_STREAM, ONE4, ONE4, SO_REUSEADDR, 1, 0, 0);
  try_both("second", SOCK_STREAM, ONE4, ONE4, SO_REUSEADDR, 0, 1, 0);
  try_both("any-one", SOCK_STREAM, ANY4, ONE4, SO_REUSEADDR, 1, 1, 0);
  try_both("six-four", SOCK_STREAM, ANY6, ANY4, SO_REUSEADDR, 1, 1, 0);
}

PROBE(bind_reuseaddr_udp) {
  try_both("both", SOCK_DGRAM, ONE4, ONE4, SO_REUSEADDR, 1, 1, 0);
  try_both("first", SOCK_DGRAM, ONE4, ONE4, SO_REUSEADDR, 1, 0, 0);
  try_both("second", SOCK_DGRAM, ONE4, ONE4, SO_REUSEADDR, 0, 1, 0);
  try_both("six-four", SOCK_DGRAM, ANY6, ANY4, SO_REUSEADDR, 1, 1, 0);
}

PROBE(bind_reuseport) {
  try_both("tcp-both", SOCK_STREAM, ONE4, ONE4, SO_REUSEPORT, 1, 1, 0);
  try_both("tcp-first", SOCK_STREAM, ONE4, ONE4, SO_REUSEPORT, 1, 0, 0);
  try_both("tcp-second", SOCK_STREAM, ONE4, ONE4, SO_REUSEPORT, 0, 1, 0);
  try_both("udp-both", SOCK_DGRAM, ONE4, ONE4, SO_REUSEPORT, 1, 1, 0);
  try_both("udp-first", SOCK_DGRAM, ONE4, ONE4, SO_REUSEPORT, 1, 0, 0);
}

PROBE(bind_reuseaddr_beside_listener) {
  const int one = tcp4(), other = tcp4();
  MUST(set_int(one, SOL_SOCKET, SO_REUSEADDR, 1));
  MUST(set_int(other, SOL_SOCKET, SO_REUSEADDR, 1));
  MUST(bind_to(one, ONE4));
  MUST(listen(one, 1));
  SAY("bind", bind_to(other, loopback(AF_INET, port_of(one))));
}

PROBE(bind_reuseaddr_then_both_listen) {
  const int one = tcp4(), other = tcp4();
  MUST(set_int(one, SOL_SOCKET, SO_REUSEADDR, 1));
  MUST(set_int(other, SOL_SOCKET, SO_REUSEADDR, 1));
  MUST(bind_to(one, ONE4));
  SAY("bind", bind_to(other, loopback(AF_INET, port_of(one))));
  SAY("first", listen(one, 1));
  SAY("second", listen(other, 1));
}

PROBE(bind_reuseport_both_listen) {
  const int one = tcp4(), other = tcp4();
  MUST(set_int(one, SOL_SOCKET, SO_REUSEPORT, 1));
  MUST(set_int(other, SOL_SOCKET, SO_REUSEPORT, 1));
  MUST(bind_to(one, ONE4));
  SAY("bind", bind_to(other, loopback(AF_INET, port_of(one))));
  SAY("first", listen(one, 64));
  SAY("second", listen(other, 64));
  for (int i = 0; i < 40; ++i) MUST(connect_to(tcp4(), loopback(AF_INET, port_of(one))));
  settle();
  set_non_blocking(one), set_non_blocking(other);
  int to_one = 0, to_other = 0;
  while (accept(one, NULL, NULL) >= 0) ++to_one;
  while (accept(other, NULL, NULL) >= 0) ++to_other;
  say("shared=%d all=%d", to_one > 0 && to_other > 0, to_one + to_other);
}

PROBE(bind_port_of_closed_listener_with_connection) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port), client = tcp4();
  MUST(connect_to(client, loopback(AF_INET, port)));
  MUST(accept(listening, NULL, NULL));
  close(listening);
  settle();
  SAY("plain", bind_to(tcp4(), loopback(AF_INET, port)));
  const int reusing = tcp4();
  MUST(set_int(reusing, SOL_SOCKET, SO_REUSEADDR, 1));
  SAY("reuseaddr", bind_to(reusing, loopback(AF_INET, port)));
}

PROBE(bind_port_of_closed_reusing_listener_with_connection) {
  const int listening = tcp4(), client = tcp4();
  MUST(set_int(listening, SOL_SOCKET, SO_REUSEADDR, 1));
  MUST(bind_to(listening, ONE4));
  MUST(listen(listening, 1));
  const uint16_t port = port_of(listening);
  MUST(connect_to(client, loopback(AF_INET, port)));
  MUST(accept(listening, NULL, NULL));
  close(listening);
  settle();
  const int reusing = tcp4();
  MUST(set_int(reusing, SOL_SOCKET, SO_REUSEADDR, 1));
  SAY("bind", bind_to(reusing, loopback(AF_INET, port)));
  SAY("listen", listen(reusing, 1));
}

PROBE(bind_in_time_wait) {
  uint16_t port = 0;
  const int listening = listener(AF_INET, &port), client = tcp4();
  MUST(connect_to(client, loopback(AF_INET, port)));
  const int server = MUST(accept(listening, NULL, NULL));
  close(listening);
  close(server); /* the side that closes first gets the TIME-WAIT */
  await(client, POLLRDHUP);
  close(client);
  settle();
  SAY("plain", bind_to(tcp4(), loopback(AF_INET, port)));
  const int reusing = tcp4();
  MUST(set_int(reusing, SOL_SOCKET, SO_REUSEADDR, 1));
  SAY("reuseaddr", bind_to(reusing, loopback(AF_INET, port)));
  SAY("listen", listen(reusing, 1));
}

PROBE(bind_after_close) {
  uint16_t port = 0;
  close(listener(AF_INET, &port));
  settle();
  SAY("bind", bind_to(tcp4(), loopback(AF_INET, port)));
}

PROBE(bind_port_zero) {
  const int one = tcp4(), other = tcp4();
  MUST(bind_to(one, ONE4));
  MUST(bind_to(other, ONE4));
  say("chosen=%d different=%d", port_of(one) >= 1024, port_of(one) != port_of(other));
}

PROBE(bind_low_port) { SAY("bind", bind_to(tcp4(), at4("127.0.0.1", 81))); }

PROBE(bind_tcp_and_udp_apart) {
  const int stream = tcp4(), datagrams = udp4();
  MUST(bind_to(stream, ONE4));
  SAY("bind", bind_to(datagrams, loopback(AF_INET, port_of(stream))));
}

PROBE(name_in_each_state) {
  const int fd = tcp4();
  say_name("fresh", fd, 0);
  say_name("fresh-peer", fd, 1);
  MUST(bind_to(fd, at4("0.0.0.0", 0)));
  say_name("bound", fd, 0);
  MUST(listen(fd, 4));
  say_name("listening", fd, 0);
  say_name("listening-peer", fd, 1);
  const int client = tcp4();
  MUST(connect_to(client, loopback(AF_INET, port_of(fd))));
  const int server = MUST(accept(fd, NULL, NULL));
  say_name("client", client, 0);
  say_name("server", server, 0);
  say_name("server-peer", server, 1);
}

PROBE(name_six) {
  const int fd = MUST(socket(AF_INET6, SOCK_STREAM, 0));
  say_name("fresh", fd, 0);
  MUST(bind_to(fd, ANY6));
  say_name("bound", fd, 0);
  MUST(listen(fd, 4));
  MUST(connect_to(tcp4(), loopback(AF_INET, port_of(fd))));
  const int server = MUST(accept(fd, NULL, NULL));
  say_name("accepted", server, 0);
  say_name("peer", server, 1);
}

PROBE(name_udp) {
  const int fd = udp4();
  say_name("fresh", fd, 0);
  uint16_t port = 0;
  udp_bound(AF_INET, &port);
  MUST(connect_to(fd, loopback(AF_INET, port)));
  say_name("connected", fd, 0);
  say_name("peer", fd, 1);
  const struct sockaddr none = {.sa_family = AF_UNSPEC};
  SAY("disconnect", connect(fd, &none, sizeof none));
  say_name("after", fd, 0);
  say_name("peer", fd, 1);
  const int sender = udp4();
  const union address to = loopback(AF_INET, port);
  MUST(sendto(sender, "a", 1, 0, &to.any, size_of(&to)));
  say_name("sender", sender, 0);
}

PROBE(name_udp_bound_disconnect) {
  const int fd = udp4();
  MUST(bind_to(fd, ANY4));
  const uint16_t before = port_of(fd);
  MUST(connect_to(fd, loopback(AF_INET, 9)));
  say_name("connected", fd, 0);
  const struct sockaddr none = {.sa_family = AF_UNSPEC};
  MUST(connect(fd, &none, sizeof none));
  say_name("after", fd, 0);
  say("same-port=%d", port_of(fd) == before);
}
