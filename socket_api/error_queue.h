// IP_RECVERR and IPV6_RECVERR: the errors about what a socket has sent, kept for recvmsg() with MSG_ERRQUEUE
// until they are read: ip(7). Reports about what was sent, of SO_TIMESTAMPING and MSG_ZEROCOPY, come the same
// way. Errors come from the network (ICMP), or from here (a datagram that is longer than the path MTU).
// Bounded: what comes when it is full is not kept.
#pragma once

#include <ctime>

#include <linux/errqueue.h>  // which needs <ctime>

#include <deque>
#include <vector>

#include "socket_api/socket.h"
#include "stack/ip/icmp_error_listener.h"

namespace transom::sockets {

class ErrorQueue {
 public:
  // `header_size` octets of the quoted packet's transport header are left out of what is kept of it.
  void push(const ip::IcmpError& error, Port port, std::size_t header_size, Instant now);
  void push_too_long(const SocketAddress& destination, std::uint32_t mtu, Instant now);
  // A report of SO_TIMESTAMPING: SCM_TSTAMP_...; `key` numbers what was sent.
  void push_timestamp(std::uint32_t type, std::uint32_t key, Instant when);
  // MSG_ZEROCOPY: the octets of the call with this number may be used again. They were copied.
  void push_copied(std::uint32_t number, Instant now);
  bool empty() const { return entries_.empty(); }

  // The oldest as recvmsg() gives it: what is kept of the datagram, where it was sent to, and the control
  // message. EAGAIN without one.
  Outcome<std::size_t> receive(Session& session, const SocketKind& kind, const SocketSettings& settings,
                               Incoming& message);

 private:
  struct Entry {
    sock_extended_err error{};
    IpAddress offender;  // who sent the ICMP message; unspecified for an error from here
    SocketAddress destination;
    std::vector<std::uint8_t> datagram;
    Instant arrival{};
  };
  static constexpr std::size_t kMaxMemory = 212992;  // as the receive queue of a UDP socket

  static std::size_t memory_of(const Entry& entry) { return sizeof entry + entry.datagram.size(); }
  void push(Entry entry);

  std::deque<Entry> entries_;
  std::size_t memory_ = 0;
};

// The errno of an ICMP error as Linux has it. `is_v4`: ICMP, otherwise ICMPv6.
int icmp_errno(bool is_v4, std::uint8_t type, std::uint8_t code);

}  // namespace transom::sockets
