#include "socket_api/socket.h"

#include <algorithm>

#include "socket_api/icmp_socket.h"
#include "socket_api/packet_socket.h"
#include "socket_api/raw_socket.h"
#include "socket_api/tcp_socket.h"
#include "socket_api/udp_socket.h"

namespace transom::sockets {

// ---------------------------------------------------------------- readiness

void Socket::on_readiness() { announce(static_cast<short>(~0)); }

void Socket::on_input() { announce(POLLIN | POLLRDNORM | POLLPRI | POLLERR | POLLHUP | POLLRDHUP); }

void Socket::on_room() { announce(POLLOUT | POLLWRNORM | POLLERR | POLLHUP); }

namespace {

// A blocked call.
class BlockedCall final : public Watcher {
 public:
  BlockedCall(Socket& socket, short interest, Waiter& waiter) : Watcher(socket, interest), waiter_(waiter) {}
  void on_ready(short) override { waiter_.wake(); }

 private:
  Waiter& waiter_;
};

}  // namespace

Instant Socket::deadline(const Session& session, Duration timeout, int flags) const {
  if (settings_.is_non_blocking || (flags & MSG_DONTWAIT) != 0) return Instant::min();
  return timeout == Duration::max() ? kNever : session.now() + timeout;
}

bool Socket::wait_for(Session& session, short events, Instant deadline) {
  if (session.now() >= deadline) return false;
  // Ready, and yet the call could not be served (the stack is short of memory, perhaps): no news is to be
  // expected.
  constexpr Duration kRetry = std::chrono::milliseconds(10);
  const bool is_ready = (this->events() & events) != 0;
  Waiter waiter(session.loop());
  BlockedCall blocked(*this, events, waiter);
  session.wait(waiter, is_ready ? std::min(deadline, session.now() + kRetry) : deadline);
  return waiter.is_woken() || session.now() < deadline;
}

// ---------------------------------------------------------------- life

Outcome<std::shared_ptr<Socket>> Socket::create(Session& session, const SocketKind& kind) {
  constexpr int kProtocolEnd = 256;
  if (kind.domain == AF_PACKET) {
    if (kind.type != SOCK_RAW && kind.type != SOCK_DGRAM) return fail(ESOCKTNOSUPPORT);
    return std::make_shared<PacketSocket>(session, kind.type, kind.protocol);
  }
  if (kind.domain != AF_INET && kind.domain != AF_INET6) return fail(EAFNOSUPPORT);
  if (kind.type < 0 || kind.type > SOCK_PACKET || kind.protocol < 0 || kind.protocol >= kProtocolEnd)
    return fail(EINVAL);
  const int icmp = kind.domain == AF_INET ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
  const auto is = [&kind](int protocol) { return kind.protocol == 0 || kind.protocol == protocol; };
  switch (kind.type) {
    case SOCK_STREAM:
      if (!is(IPPROTO_TCP)) return fail(EPROTONOSUPPORT);
      return std::make_shared<TcpSocket>(kind.domain);
    case SOCK_DGRAM:
      if (kind.protocol == icmp) return std::make_shared<IcmpSocket>(kind.domain);
      if (!is(IPPROTO_UDP)) return fail(EPROTONOSUPPORT);
      return std::make_shared<UdpSocket>(session, kind.domain);
    case SOCK_RAW:
      if (kind.protocol == 0) return fail(EPROTONOSUPPORT);
      return std::make_shared<RawSocket>(session, kind.domain, kind.protocol);
    default:
      return fail(ESOCKTNOSUPPORT);
  }
}

Socket::~Socket() = default;

void Socket::on_closing(Session& session) {
  on_close(session);
  settings_.ip.groups.reset();
}

Outcome<void> Socket::listen(Session&, int) { return fail(EOPNOTSUPP); }
Outcome<Socket::Accepted> Socket::accept(Session&) { return fail(EOPNOTSUPP); }

// ---------------------------------------------------------------- addresses

Outcome<InterfaceId> Socket::check_bind(const SocketAddress& address) const {
  const IpAddress& ip = address.endpoint.address;
  if (domain() == AF_INET6 && ip.is_v4() && settings_.ip.v6_only) return fail(EINVAL);
  if (!ip.is_v6() || !ip.is_link_local()) return settings_.interface;
  const InterfaceId interface = address.scope != InterfaceId::kAny ? address.scope : settings_.interface;
  if (interface == InterfaceId::kAny) return fail(EINVAL);  // RFC 4007 §6: which link?
  return interface;
}

Outcome<InterfaceId> Socket::check_destination(const SocketAddress& address) const {
  const IpAddress& ip = address.endpoint.address;
  if (domain() == AF_INET6 && ip.is_v4() && settings_.ip.v6_only) return fail(ENETUNREACH);
  if (!ip.is_v6() || !ip.is_link_local()) return settings_.interface;
  const InterfaceId interface = address.scope != InterfaceId::kAny ? address.scope : settings_.interface;
  if (interface == InterfaceId::kAny) return fail(EINVAL);
  return interface;
}

}  // namespace transom::sockets
