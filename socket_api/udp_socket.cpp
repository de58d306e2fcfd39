#include "socket_api/udp_socket.h"

#include <linux/sockios.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>

#include "socket_api/datagram.h"

namespace transom::sockets {

namespace {
constexpr std::size_t kMinBuffer = 2304;
constexpr std::size_t kMaxDatagram = 65535;
}  // namespace

UdpSocket::UdpSocket(Session& session, int domain)
    : Socket({domain, SOCK_DGRAM, IPPROTO_UDP}), udp_(session.host().udp().open(family_of(domain))) {
  udp_->set_listener(this);
}

void UdpSocket::on_close(Session&) { udp_.reset(); }

Readiness UdpSocket::readiness() const {
  if (!udp_) return {};
  Readiness ready = udp_->readiness();
  ready.readable = udp_->queued() > 0 || receive_shut_;  // as Linux: an error alone is POLLERR alone
  ready.read_hang_up |= receive_shut_;
  ready.hang_up |= receive_shut_ && send_shut_;
  return ready;
}

// ---------------------------------------------------------------- addresses

Outcome<void> UdpSocket::bind(Session& session, const SocketAddress& address) {
  if (is_bound()) return fail(EINVAL);
  const auto interface = check_bind(address);
  if (!interface) return std::unexpected(interface.error());
  const IpAddress& ip = address.endpoint.address;
  udp_->options().bound_interface = *interface;
  const auto bound = udp_->bind({.local = address.endpoint,
                                 .dual_stack = dual_stack() && ip.is_v6() && ip.is_unspecified(),
                                 .reuse_address = settings_.reuse_address,
                                 .reuse_port = settings_.reuse_port});
  if (!bound) {
    apply_settings(session);
    return fail(bound.error());
  }
  return {};
}

Outcome<void> UdpSocket::bind_if_needed(Session& session) {
  if (is_bound()) return {};
  return bind(session, {{IpAddress::any(family_of(domain())), Port::kNone}});
}

Outcome<void> UdpSocket::connect(Session& session, const SocketAddress& address) {
  const auto interface = check_destination(address);
  if (!interface) return std::unexpected(interface.error());
  if (const auto bound = bind_if_needed(session); !bound) return bound;
  prepare_for(address.endpoint.address.family());
  const InterfaceId before = std::exchange(udp_->options().bound_interface, *interface);
  if (const auto connected = udp_->connect(address.endpoint); !connected) {
    udp_->options().bound_interface = before;
    return fail(connected.error());
  }
  peer_interface_ = *interface;
  return {};
}

Outcome<void> UdpSocket::disconnect(Session& session) {
  udp_->disconnect();
  peer_interface_ = InterfaceId::kAny;
  apply_settings(session);
  return {};
}

Outcome<SocketAddress> UdpSocket::local_address() const {
  const Endpoint local = udp_->local();
  if (local.port == Port::kNone) return SocketAddress{{IpAddress::any(family_of(domain())), Port::kNone}};
  return SocketAddress{local, udp_->options().bound_interface};
}

Outcome<SocketAddress> UdpSocket::remote_address() const {
  const auto remote = udp_->remote();
  if (!remote) return fail(ENOTCONN);
  return SocketAddress{*remote, peer_interface_};
}

// ---------------------------------------------------------------- sending

void UdpSocket::prepare_for(IpFamily family) {
  const IpSettings::Family& ip = settings_.ip.of(family);
  udp::UdpOptions& options = udp_->options();
  options.ttl = settings_.ip.hops_or_default(family);
  options.traffic_class = static_cast<std::uint8_t>(ip.traffic_class);
  options.multicast_ttl = static_cast<std::uint8_t>(ip.multicast_hops);
  options.multicast_loop = ip.multicast_loop;
  options.multicast_interface = ip.multicast_interface;
  options.dont_fragment = ip.mtu_discover == IP_PMTUDISC_DO || ip.mtu_discover == IP_PMTUDISC_PROBE;
}

Outcome<std::size_t> UdpSocket::send(Session& session, const Outgoing& message) {
  if ((message.flags & MSG_OOB) != 0) return fail(EOPNOTSUPP);
  std::size_t size = 0;
  for (const Bytes& piece : message.pieces) size += piece.size();
  if (size + corked_.size() > kMaxDatagram) return fail(EMSGSIZE);
  if (send_shut_) return fail(EPIPE);
  if (!message.to && !udp_->remote()) return fail(EDESTADDRREQ);

  udp::SendTo parameters{.to = std::nullopt,
                         .source = message.control.source,
                         .interface = message.control.interface,
                         .ttl = message.control.hops,
                         .traffic_class = message.control.traffic_class};
  if (message.to) {
    if (message.to->endpoint.port == Port::kNone) return fail(EINVAL);
    const auto interface = check_destination(*message.to);
    if (!interface) return std::unexpected(interface.error());
    parameters.to = message.to->endpoint;
    if (parameters.interface == InterfaceId::kAny) parameters.interface = *interface;
  }
  if (const auto bound = bind_if_needed(session); !bound) return std::unexpected(bound.error());
  prepare_for(parameters.to.value_or(udp_->remote().value_or(Endpoint{})).address.family());

  if ((message.flags & MSG_MORE) != 0 || !corked_.empty()) {
    for (const Bytes& piece : message.pieces) corked_.insert(corked_.end(), piece.begin(), piece.end());
    if ((message.flags & MSG_MORE) != 0) return size;
    const std::vector<std::uint8_t> whole = std::exchange(corked_, {});
    const Bytes piece(whole);
    const auto sent = udp_->send({&piece, 1}, parameters);
    if (!sent) return fail(sent.error());
    return size;
  }
  const auto sent = udp_->send(message.pieces, parameters);
  if (!sent) return fail(sent.error());
  return *sent;
}

// ---------------------------------------------------------------- receiving

std::size_t UdpSocket::take(Incoming& message, const udp::Datagram& datagram) {
  const ReceiveControl control{.destination = datagram.destination,
                               .interface = datagram.interface,
                               .hops = datagram.ttl,
                               .traffic_class = datagram.traffic_class};
  message.from = SocketAddress{datagram.source, datagram.interface};
  bool is_truncated = false;
  message.control_size = write_control(settings_.ip, domain(), control, message.control, is_truncated);
  if (is_truncated) message.result_flags |= MSG_CTRUNC;
  return scatter(message, {}, datagram.payload);
}

Outcome<std::size_t> UdpSocket::receive(Session& session, Incoming& message) {
  if ((message.flags & MSG_OOB) != 0) return fail(EOPNOTSUPP);
  if ((message.flags & MSG_ERRQUEUE) != 0) return fail(EAGAIN);
  const auto attempt = [&]() -> Outcome<std::size_t> {
    if ((message.flags & MSG_PEEK) != 0) {
      if (const Error error = udp_->take_error(); error != Error::kNone) return fail(error);
      if (const udp::Datagram* datagram = udp_->peek()) return take(message, *datagram);
    } else if (const auto datagram = udp_->receive()) {
      return take(message, *datagram);
    } else if (datagram.error() != Error::kWouldBlock) {
      return fail(datagram.error());
    }
    if (receive_shut_) return 0;
    return fail(EAGAIN);
  };
  return repeat(session, POLLIN, deadline(session, settings_.receive_timeout, message.flags), attempt);
}

Outcome<void> UdpSocket::shutdown(Session&, int how) {
  if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) return fail(EINVAL);
  // As Linux: it counts even where it fails.
  receive_shut_ |= how != SHUT_WR;
  send_shut_ |= how != SHUT_RD;
  on_readiness();
  if (!udp_->remote()) return fail(ENOTCONN);
  return {};
}

// ---------------------------------------------------------------- options

void UdpSocket::apply_settings(Session&) {
  udp::UdpOptions& options = udp_->options();
  options.broadcast = settings_.broadcast;
  options.receive_errors = settings_.ip.of(family_of(domain())).receive_errors;
  options.bound_interface = settings_.interface != InterfaceId::kAny ? settings_.interface : peer_interface_;
  // As Linux: twice what was asked for, for the bookkeeping.
  if (settings_.send_buffer)
    options.send_buffer = std::max<std::size_t>(2 * std::size_t{*settings_.send_buffer}, 2 * kMinBuffer);
  if (settings_.receive_buffer)
    options.receive_buffer = std::max<std::size_t>(2 * std::size_t{*settings_.receive_buffer}, kMinBuffer);
}

Outcome<int> UdpSocket::query(unsigned long request) const {
  switch (request) {
    case FIONREAD: {
      const udp::Datagram* first = udp_->peek();
      return first == nullptr ? 0 : static_cast<int>(first->payload.size());
    }
    case SIOCOUTQ:
      return 0;  // what is sent has left
    default:
      return fail(ENOTTY);
  }
}

}  // namespace transom::sockets
