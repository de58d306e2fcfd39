/* The socket calls of Transom, for C and C++.
 *
 * Each function is the POSIX call of its name with a stack in front, takes the same structures and constants
 * (<sys/socket.h>, <netinet/in.h>, <netinet/tcp.h>, <poll.h>, <sys/epoll.h>), returns what that returns, and
 * sets errno as Linux does. What is different is said here.
 *
 * - Descriptors are small numbers of one stack. They are not descriptors of the kernel: read(), select(),
 * epoll and dup() of the system do not know them, and they are not inherited over fork() or exec(). To wait
 * for both kinds together, see transom_epoll_ctl_kernel() and transom_epoll_descriptor().
 * - Writing to a connection that cannot be written gives EPIPE and never the signal SIGPIPE, with or without
 * MSG_NOSIGNAL.
 * - No call fails with EINTR. A call that was interrupted by a signal handler goes on.
 * - Closing a descriptor wakes the threads that are blocked in it; they get EBADF. (On Linux they stay
 * blocked.)
 * - A closed socket's port, TIME-WAIT and the rest of the connection live on in the stack, until
 * transom_stack_destroy().
 * - Ports below 1024, and ICMP, raw and packet sockets need no privilege.
 * - All functions may be called by any thread.
 *
 * An application that includes this links with libtransom (C++ runtime included): pkg-config --libs transom.
 */
#ifndef TRANSOM_SOCKET_API_TRANSOM_H
#define TRANSOM_SOCKET_API_TRANSOM_H

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ a stack */

typedef struct transom_stack transom_stack;

/* What a stack is made of. Zero everything that is not wanted: `struct transom_config config = {0};`. Without
 * any of `tap`, `tun`, `packet` and `xdp` the stack has its loopback interface alone. Lists end with a null
 * pointer. */
struct transom_config {
  const char* tap;              /* name of a TAP device; made if it is missing, gone with the stack then */
  const char* tun;              /* or of a TUN device */
  const char* const* addresses; /* "10.9.0.2/24", "fd00::2/64": of the stack's end of the device */
  const char* const* gateways;  /* "10.9.0.1": default routes, one per family */
  const char* const*
      kernel_addresses; /* "10.9.0.1/24": what the kernel's end gets. Either way it is brought up */
  const char* mac;      /* "02:00:00:00:00:02"; null: made up */
  unsigned mtu;         /* 0: the device's */
  int no_offload;       /* not 0: frames of MTU size with complete checksums only */
  const char* pcap;     /* a file that gets everything that passes the device */
  const char* fault;    /* "loss=1% reorder=2% delay=10ms seed=7" */
  uint64_t seed;        /* of all that is random; 0: from the system. A known seed is not secure */
  int dhcp;             /* not 0: an IPv4 address, routes and name servers from a DHCP server */
  int slaac;            /* not 0: the same of IPv6, from the routers of the link (not on TUN, both) */
  unsigned
      busy_poll; /* microseconds that a waiting call looks at the device before it sleeps, at most; 0: none */
  const char* packet; /* or an Ethernet interface that exists and is up, by a packet ring: docs/devices.md */
  const char* xdp;    /* the same by AF_XDP */
};

/* Makes a stack, and waits until its addresses are usable (about 60 ms). Null on failure: then errno says
 * why, and so does a line in `error`, which has `error_size` octets of room and may be null. */
transom_stack* transom_stack_create(const struct transom_config* config, char* error, size_t error_size);

/* Waits until the peers have everything that was written to connections which are closed by now, or shut down
 * for writing: the kernel would go on sending after a program's end, a stack cannot. ETIMEDOUT after
 * `timeout` milliseconds. */
int transom_stack_drain(transom_stack* stack, int timeout);

/* Closes all its sockets, gives the lease of DHCP back, waits for nothing, and takes the device down. No
 * other call may be in progress. */
void transom_stack_destroy(transom_stack* stack);

/* Makes a congestion control known that TCP_CONGESTION can name then: a shared object, by its path or by its
 * name (NAME.so in a directory of the environment variable TRANSOM_CONGESTION_PATH). It stays loaded until
 * the program ends. 0, or -1 with EINVAL and a line in `error`, which may be null.
 * docs/congestion-control.md. */
int transom_load_congestion_control(transom_stack* stack, const char* name_or_path, char* error,
                                    size_t error_size);

/* ------------------------------------------------------------------ names */

/* How names are found, as resolv.conf(5) says it elsewhere. Zero what is not wanted. The machine's own
 * resolv.conf does not count. Lists end with a null pointer. */
struct transom_resolver {
  const char* const*
      servers; /* "10.9.0.1", "10.9.0.1:5353", "[fd09::1]:53"; null: those of DHCP and routers */
  const char* const* search; /* search domains; null: those of DHCP and routers */
  unsigned ndots;            /* a name with fewer dots is tried in the search domains first; 0: 1 */
  unsigned timeout;          /* milliseconds for the first answer; 0: 2000 */
  unsigned attempts;         /* of each server; 0: 3 */
  const char* hosts_file;    /* null: /etc/hosts; "": none */
};
int transom_set_resolver(transom_stack* stack, const struct transom_resolver* resolver);

/* getaddrinfo(3) and getnameinfo(3), over the sockets of the stack: numbers, the hosts file, then the DNS
 * (c-ares: UDP, and TCP for what does not fit). 0, or an EAI_ value for gai_strerror(): EAI_NONAME when there
 * is no such name or it has no address, EAI_AGAIN when no server has answered (or none is known), EAI_FAIL,
 * EAI_SERVICE, EAI_FAMILY, EAI_ADDRFAMILY, EAI_SOCKTYPE, EAI_BADFLAGS, EAI_MEMORY, EAI_OVERFLOW. Sorted by
 * RFC 6724; that IPv4 or IPv6 is not there at all is known only with AI_ADDRCONFIG. As glibc, but: no raw
 * sockets in the list, nothing is cached, and AI_IDN is not known. Free the list with transom_freeaddrinfo().
 * Include <netdb.h>. */
struct addrinfo;
int transom_getaddrinfo(transom_stack* stack, const char* node, const char* service,
                        const struct addrinfo* hints, struct addrinfo** result);
void transom_freeaddrinfo(struct addrinfo* result);
/* NI_NUMERICHOST NI_NUMERICSERV NI_NAMEREQD NI_DGRAM; NI_NOFQDN does nothing. */
int transom_getnameinfo(transom_stack* stack, const struct sockaddr* address, socklen_t length, char* host,
                        socklen_t host_size, char* service, socklen_t service_size, int flags);

/* A TCP connection to a name: its addresses of both families in turn, each 250 ms after the one before or as
 * soon as that has failed; the first to answer is used (RFC 8305). Blocks, for at most `timeout` milliseconds
 * after the name was found; negative: as long as it takes. A descriptor, or -1: `lookup_error`, if not null,
 * is then an EAI_ value when the name was not found (errno: EHOSTUNREACH), or 0 and errno is that of the last
 * attempt (of one that had a route, if any had), or ETIMEDOUT. */
int transom_connect_by_name(transom_stack* stack, const char* node, unsigned short port, int timeout,
                            int* lookup_error);

/* ------------------------------------------------------------------ sockets */

/* domain: AF_INET, AF_INET6 (takes IPv4 too, as IPv4-mapped addresses, unless IPV6_V6ONLY is set). type:
 * SOCK_STREAM, SOCK_DGRAM, SOCK_RAW; with SOCK_NONBLOCK; SOCK_CLOEXEC is ignored. protocol: 0, or the
 * protocol of the type, or for SOCK_DGRAM IPPROTO_ICMP or IPPROTO_ICMPV6: a ping socket. For SOCK_RAW any
 * protocol but 0: raw(7), with IP_HDRINCL, ICMP_FILTER, ICMP6_FILTER and IPV6_CHECKSUM. EAFNOSUPPORT,
 * ESOCKTNOSUPPORT, EPROTONOSUPPORT, EINVAL, EMFILE.
 *
 * AF_PACKET: packet(7), SOCK_RAW and SOCK_DGRAM, with PACKET_AUXDATA, PACKET_STATISTICS,
 * PACKET_IGNORE_OUTGOING and PACKET_ADD_MEMBERSHIP (without effect: everything is heard). No rings
 * (PACKET_RX_RING) and no fan-out. A VLAN tag is left in the frame.
 *
 * SO_ATTACH_FILTER, SO_DETACH_FILTER and SO_LOCK_FILTER: not of ping sockets (EOPNOTSUPP). Offsets from
 * SKF_NET_OFF and SKF_LL_OFF are refused. What a filter of TCP refuses, or cuts off, is as if it were lost.
 */
int transom_socket(transom_stack* stack, int domain, int type, int protocol);

/* EINVAL when already bound, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT. Port 0: one is chosen. A link-local
 * address needs sin6_scope_id, which is the number of an interface of the stack: 1 is the loopback interface,
 * 2 the device. */
int transom_bind(transom_stack* stack, int fd, const struct sockaddr* address, socklen_t length);

/* Binds to a chosen port first, if need be. The backlog is at most 4096. EOPNOTSUPP, EINVAL, EADDRINUSE. */
int transom_listen(transom_stack* stack, int fd, int backlog);

/* flags: SOCK_NONBLOCK, which is not inherited; SOCK_CLOEXEC. SO_RCVTIMEO limits the wait. EINVAL when not
 * listening, or no more; EAGAIN. */
int transom_accept4(transom_stack* stack, int fd, struct sockaddr* address, socklen_t* length, int flags);
int transom_accept(transom_stack* stack, int fd, struct sockaddr* address, socklen_t* length);

/* Non-blocking: EINPROGRESS; then POLLOUT and SO_ERROR, or another connect(), tell the outcome. After a
 * failure the socket can connect again. AF_UNSPEC disconnects. SO_SNDTIMEO limits the wait. EALREADY,
 * EISCONN, ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL. */
int transom_connect(transom_stack* stack, int fd, const struct sockaddr* address, socklen_t length);

/* flags: MSG_DONTWAIT, MSG_NOSIGNAL, MSG_MORE, MSG_OOB (TCP). A stream takes everything before it returns,
 * unless it may not wait or an error or SO_SNDTIMEO ends it: then the number taken so far. ENOTCONN is never
 * given for TCP: as on Linux it is EPIPE. EDESTADDRREQ, EMSGSIZE, EAGAIN, ECONNRESET. */
ssize_t transom_send(transom_stack* stack, int fd, const void* buffer, size_t size, int flags);
/* The address is ignored for TCP, as on Linux, but with MSG_FASTOPEN (RFC 7413): then it is connect() and
 * send() in one, with data in the SYN once the server has given a cookie. Without blocking it is EINPROGRESS
 * when there is no cookie: nothing was taken then. EISCONN, EALREADY, EINVAL, EOPNOTSUPP. */
ssize_t transom_sendto(transom_stack* stack, int fd, const void* buffer, size_t size, int flags,
                       const struct sockaddr* to, socklen_t length);
/* Control messages, of UDP and ICMP sockets: IP_PKTINFO, IP_TTL, IP_TOS, IPV6_PKTINFO, IPV6_HOPLIMIT,
 * IPV6_TCLASS, IPV6_DONTFRAG, UDP_SEGMENT (at most 64 datagrams). EINVAL for one that is malformed, or
 * unknown in a level that the socket has; other levels are ignored. */
ssize_t transom_sendmsg(transom_stack* stack, int fd, const struct msghdr* message, int flags);

/* Returns how many were sent, with the length of each in msg_len; an error only if the first fails. At most
 * 1024. (struct mmsghdr needs _GNU_SOURCE.) */
struct mmsghdr;
int transom_sendmmsg(transom_stack* stack, int fd, struct mmsghdr* messages, unsigned count, int flags);

/* flags: MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL, MSG_TRUNC (also for TCP: throws the octets away), MSG_OOB
 * (TCP), MSG_ERRQUEUE. 0 is the end of a stream, or an empty datagram. ENOTCONN, EAGAIN, ECONNRESET,
 * ECONNREFUSED (connected UDP), ETIMEDOUT. */
ssize_t transom_recv(transom_stack* stack, int fd, void* buffer, size_t size, int flags);
ssize_t transom_recvfrom(transom_stack* stack, int fd, void* buffer, size_t size, int flags,
                         struct sockaddr* from, socklen_t* length);
/* Control messages of UDP, ICMP and raw sockets as asked for by SO_TIMESTAMP, SO_TIMESTAMPNS, SO_RXQ_OVFL,
 * IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, UDP_GRO. With
 * MSG_ERRQUEUE: the oldest error that IP_RECVERR or IPV6_RECVERR has kept, as a control message of that name
 * (struct sock_extended_err and the address of who sent the ICMP message), with the datagram as far as it was
 * quoted and where it was sent to; or a report of SO_TIMESTAMPING (SO_EE_ORIGIN_TIMESTAMPING, without
 * payload). Never waits. Of TCP: SO_TIMESTAMP and its like (when the latest data came), TCP_INQ, and the
 * error queue, which has every ICMP error about the connection; Linux's has those of its handshake. */
ssize_t transom_recvmsg(transom_stack* stack, int fd, struct msghdr* message, int flags);
/* Also MSG_WAITFORONE: does not wait after the first. The timeout (null: none) is looked at after each
 * message, so a wait for the next one is not cut short: as on Linux. At most 1024. */
int transom_recvmmsg(transom_stack* stack, int fd, struct mmsghdr* messages, unsigned count, int flags,
                     struct timespec* timeout);

/* After SHUT_RD of a connection, as on Linux, what is queued and what still comes can be read; then the end,
 * without a wait. SHUT_RD on a listening socket ends the listening: blocked accepts get EINVAL. ENOTCONN,
 * EINVAL. */
int transom_shutdown(transom_stack* stack, int fd, int how);

/* The connection is finished in the background; unread octets reset it. With SO_LINGER on: 0 resets,
 * otherwise waits up to that long until the peer has everything, also on a non-blocking socket, as Linux. */
int transom_close(transom_stack* stack, int fd);

int transom_getsockname(transom_stack* stack, int fd, struct sockaddr* address, socklen_t* length);
int transom_getpeername(transom_stack* stack, int fd, struct sockaddr* address, socklen_t* length);

/* docs/socket-options.md says of each option what it does and where that is not what Linux does. In short:
 *
 * SOL_SOCKET: those of socket(7). Buffers: twice what was set is shown, as on Linux; for TCP what was set is
 * the octets of payload, up to 16 MiB. What is not set TCP tunes: 512 KiB to 4 MiB to send, 128 KiB to 6 MiB
 * to receive. SO_TIMESTAMPING: software times of what comes (all sockets) and goes (UDP, TCP), in the error
 * queue. SO_REUSEPORT: sockets that share a port share what arrives, by a keyed hash of both ends. Kept and
 * shown, without effect: SO_DONTROUTE SO_PRIORITY SO_MARK SO_BUSY_POLL SO_PREFER_BUSY_POLL SO_INCOMING_CPU
 * SO_SELECT_ERR_QUEUE SO_BSDCOMPAT.
 *
 * IPPROTO_TCP: those of tcp(7), TCP_CONGESTION with parameters too ("cubic:beta=0.8"); not TCP_REPAIR
 * (EPERM), TCP_ULP (ENOENT), TCP_MD5SIG, TCP_ZEROCOPY_RECEIVE. TCP_INFO: struct transom_tcp_info.
 *
 * IPPROTO_UDP: UDP_CORK, UDP_SEGMENT (segments that are longer than the path MTU are fragmented, not
 * refused), UDP_GRO (joins what waits in the queue).
 *
 * IPPROTO_IP, IPPROTO_IPV6: those of ip(7) and ipv6(7) that bear on what a host sends and receives,
 * IP_OPTIONS (not of TCP), IP_MINTTL and IPV6_MINHOPCOUNT, IP_RECVERR and IPV6_RECVERR among them, and the
 * extension headers of RFC 3542 (not sent by TCP and ping sockets); not flow labels of one's own and
 * IP_TRANSPARENT (EPERM). Groups:
 * IP_ADD_MEMBERSHIP and its like, source filters, and MCAST_... of both levels (RFC 3678): at most 20
 * memberships of IPv4 and 64 of IPv6, of 10 and 64 sources; routers are told by IGMPv3 and MLDv2, or older.
 * IP_BIND_ADDRESS_NO_PORT is kept, but a port is chosen all the same.
 *
 * SOL_RAW, SOL_PACKET: see transom_socket().
 *
 * Others: ENOPROTOOPT. A listening socket's are inherited by what it accepts. */
int transom_setsockopt(transom_stack* stack, int fd, int level, int name, const void* value,
                       socklen_t length);

int transom_getsockopt(transom_stack* stack, int fd, int level, int name, void* value, socklen_t* length);

/* What TCP_INFO gives, as much of it as there is room for. The first 512 octets are Linux's struct tcp_info
 * with its fields up to Linux 6.12, and zeros behind them; who knows that one uses that one. Sizes named
 * segments are octets over the MSS, rounded up, as the stack counts octets. */
struct transom_tcp_info {
  uint8_t tcpi_state;
  uint8_t tcpi_ca_state;
  uint8_t tcpi_retransmits; /* timeouts in a row */
  uint8_t tcpi_probes;
  uint8_t tcpi_backoff;
  uint8_t tcpi_options;
  uint8_t tcpi_wscale;         /* bits 0 to 3: tcpi_snd_wscale, 4 to 7: tcpi_rcv_wscale */
  uint8_t tcpi_flags;          /* bit 0: tcpi_delivery_rate_app_limited, 1 and 2: tcpi_fastopen_client_fail */
  uint32_t tcpi_rto, tcpi_ato; /* microseconds */
  uint32_t tcpi_snd_mss, tcpi_rcv_mss;
  uint32_t tcpi_unacked, tcpi_sacked, tcpi_lost, tcpi_retrans, tcpi_fackets;                 /* segments */
  uint32_t tcpi_last_data_sent, tcpi_last_ack_sent, tcpi_last_data_recv, tcpi_last_ack_recv; /* ms ago */
  uint32_t tcpi_pmtu;
  uint32_t tcpi_rcv_ssthresh;                /* octets: the receive buffer */
  uint32_t tcpi_rtt, tcpi_rttvar;            /* microseconds */
  uint32_t tcpi_snd_ssthresh, tcpi_snd_cwnd; /* segments */
  uint32_t tcpi_advmss, tcpi_reordering;
  uint32_t tcpi_rcv_rtt;   /* microseconds, as the receiver measures it */
  uint32_t tcpi_rcv_space; /* octets that were read in a round trip, at most */
  uint32_t tcpi_total_retrans;
  uint64_t tcpi_pacing_rate, tcpi_max_pacing_rate; /* octets per second; all bits set: no limit */
  uint64_t tcpi_bytes_acked, tcpi_bytes_received;
  uint32_t tcpi_segs_out, tcpi_segs_in;
  uint32_t tcpi_notsent_bytes;
  uint32_t tcpi_min_rtt; /* microseconds */
  uint32_t tcpi_data_segs_in, tcpi_data_segs_out;
  uint64_t tcpi_delivery_rate;                                     /* octets per second */
  uint64_t tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited; /* microseconds */
  uint32_t tcpi_delivered, tcpi_delivered_ce;                      /* segments */
  uint64_t tcpi_bytes_sent, tcpi_bytes_retrans;
  uint32_t tcpi_dsack_dups, tcpi_reord_seen;
  uint32_t tcpi_rcv_ooopack;
  uint32_t tcpi_snd_wnd, tcpi_rcv_wnd; /* octets */
  uint32_t tcpi_rehash;
  uint16_t tcpi_total_rto, tcpi_total_rto_recoveries;
  uint32_t tcpi_total_rto_time; /* milliseconds */
  uint8_t tcpi_reserved[264];
  /* Transom's own. Microseconds: what kept the sender from sending more. These four, tcpi_rwnd_limited and
   * tcpi_sndbuf_limited add up to tcpi_busy_time; with transom_idle, to the age of the connection. */
  uint64_t transom_cwnd_limited;
  uint64_t transom_recovery_limited; /* by the congestion window, while losses are repaired */
  uint64_t transom_pacing_limited;
  uint64_t transom_app_limited;                               /* everything that was written is on its way */
  uint64_t transom_idle;                                      /* and acknowledged */
  uint64_t transom_cwnd, transom_ssthresh, transom_in_flight; /* octets */
  uint32_t transom_sndbuf, transom_rcvbuf;                    /* octets of payload, at present */
};

/* All descriptors are of this stack (negative ones are skipped). timeout in milliseconds, -1: none. */
int transom_poll(transom_stack* stack, struct pollfd* descriptors, nfds_t count, int timeout);

/* ------------------------------------------------------------------ epoll */

/* A descriptor of this stack. transom_close() closes it; threads that wait on it then get EBADF. flags: 0 or
 * EPOLL_CLOEXEC, which is ignored. EINVAL, EMFILE. */
int transom_epoll_create1(transom_stack* stack, int flags);

/* operation: EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL; `fd` is of this stack, a socket or another epoll
 * (at most 5 deep). Events: EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP, EPOLLRDNORM, EPOLLWRNORM; EPOLLERR and
 * EPOLLHUP always; with EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE (accepted, but all epolls of a socket hear of
 * an event, as Linux permits). A socket leaves by being closed. Reading or writing a part does not count as
 * an edge: the arrival of more does, and so does room after EAGAIN. EBADF, EEXIST, ENOENT, EINVAL, ELOOP,
 * EFAULT. */
int transom_epoll_ctl(transom_stack* stack, int epfd, int operation, int fd, struct epoll_event* event);

/* The same for a descriptor of the kernel, to be waited for together with sockets. It is watched by an epoll
 * of the kernel inside, with the kernel's rules and errors (EPERM for a regular file). An epoll that has such
 * descriptors cannot be watched by another epoll: EINVAL; transom_poll() takes it. */
int transom_epoll_ctl_kernel(transom_stack* stack, int epfd, int operation, int kernel_fd,
                             struct epoll_event* event);

/* Waits for up to `timeout` milliseconds, -1: for ever; returns the number of events, 0 after the timeout.
 * The cost depends on how many descriptors are ready, not on how many are watched. Several threads may wait:
 * each readiness wakes one. EBADF, EINVAL, EFAULT. */
int transom_epoll_wait(transom_stack* stack, int epfd, struct epoll_event* events, int count, int timeout);

/* The same with nanoseconds (null: for ever), and with the signals that are blocked meanwhile (null: no
 * change); handlers run, but never end the wait. EINVAL for a time that is none. */
int transom_epoll_pwait2(transom_stack* stack, int epfd, struct epoll_event* events, int count,
                         const struct timespec* timeout, const sigset_t* mask);

/* For event loops of others (select, poll, epoll of the kernel, libuv, asyncio): a descriptor of the kernel
 * that is readable while transom_epoll_wait() would not have to wait. It may be readable a little too long:
 * call transom_epoll_wait() with timeout 0 until that returns 0. Watch it level-triggered, do not read it, do
 * not close it: it goes with the epoll. EBADF, EINVAL, EMFILE of the kernel. */
int transom_epoll_descriptor(transom_stack* stack, int epfd);

/* ------------------------------------------------------------------ others */

/* F_GETFL, F_SETFL: O_NONBLOCK. F_GETFD, F_SETFD do nothing. Others: EINVAL. */
int transom_fcntl(transom_stack* stack, int fd, int command, ...);
/* FIONBIO, FIONREAD, SIOCATMARK, SIOCOUTQ, SIOCOUTQNSD, with an int *. Of netdevice(7), with a struct ifreq
 * *, SIOCGIFNAME SIOCGIFINDEX SIOCGIFFLAGS SIOCGIFADDR SIOCGIFNETMASK SIOCGIFBRDADDR SIOCGIFDSTADDR
 * SIOCGIFMTU SIOCGIFHWADDR SIOCGIFMETRIC SIOCGIFTXQLEN, and SIOCGIFCONF with a struct ifconf *. Others:
 * ENOTTY. */
int transom_ioctl(transom_stack* stack, int fd, unsigned long request, ...);

#ifdef __cplusplus
}
#endif

#endif
