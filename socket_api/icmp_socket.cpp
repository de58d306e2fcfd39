#include "socket_api/icmp_socket.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <vector>

#include "socket_api/datagram.h"
#include "stack/wire/cursor.h"

namespace transom::sockets {

namespace {

constexpr std::size_t kHeaderSize = 8;  // RFC 792, RFC 4443 §4: type, code, checksum, identifier, sequence
constexpr std::size_t kMaxMessage = 65535;
constexpr int kDefaultBuffer = 212992;
constexpr std::uint8_t kIpv4Request = 8, kIpv4Reply = 0;
constexpr std::uint8_t kIpv6Request = 128, kIpv6Reply = 129;

}  // namespace

void IcmpSocket::open(Session& session, std::uint16_t identifier) {
  echo_ = std::make_unique<ip::EchoSocket>(session.host().ip(), family_of(domain()), identifier);
  echo_->set_listener(this);
  echo_->set_error_listener(this);
  clock_ = &session.loop();
}

void IcmpSocket::on_close(Session&) {
  next_.reset();
  echo_.reset();
}

int IcmpSocket::send_buffer(Session&) const {
  return settings_.send_buffer ? static_cast<int>(2 * *settings_.send_buffer) : kDefaultBuffer;
}
int IcmpSocket::receive_buffer(Session&) const {
  return settings_.receive_buffer ? static_cast<int>(2 * *settings_.receive_buffer) : kDefaultBuffer;
}

Readiness IcmpSocket::readiness() const {
  Readiness ready;
  ready.error = error_ != Error::kNone || !errors_.empty();
  ready.readable = next_.has_value() || (echo_ && echo_->readiness().readable) || receive_shut_;
  ready.writable = true;
  ready.read_hang_up = receive_shut_;
  ready.hang_up = receive_shut_ && send_shut_;
  return ready;
}

Outcome<void> IcmpSocket::bind(Session& session, const SocketAddress& address) {
  if (echo_) return fail(EINVAL);
  const IpAddress& ip = address.endpoint.address;
  if (ip.family() != family_of(domain()) && !ip.is_unspecified()) return fail(EINVAL);
  if (!ip.is_unspecified() && !session.host().ip().is_local(ip)) return fail(EADDRNOTAVAIL);
  open(session, to_number(address.endpoint.port));
  local_ = ip;
  return {};
}

Outcome<void> IcmpSocket::connect(Session& session, const SocketAddress& address) {
  const auto interface = check_destination(address);
  if (!interface) return std::unexpected(interface.error());
  if (!echo_) open(session, 0);
  peer_ = address;
  peer_->endpoint.port = Port::kNone;
  return {};
}

Outcome<void> IcmpSocket::disconnect(Session&) {
  peer_.reset();
  return {};
}

Outcome<SocketAddress> IcmpSocket::local_address() const {
  const Port port = echo_ ? static_cast<Port>(echo_->identifier()) : Port::kNone;
  return SocketAddress{{local_.is_unspecified() ? IpAddress::any(family_of(domain())) : local_, port}};
}

Outcome<SocketAddress> IcmpSocket::remote_address() const {
  if (!peer_) return fail(ENOTCONN);
  return *peer_;
}

Outcome<std::size_t> IcmpSocket::send(Session& session, const Outgoing& message) {
  if ((message.flags & MSG_OOB) != 0) return fail(EOPNOTSUPP);
  if (send_shut_) return fail(EPIPE);
  std::vector<std::uint8_t> whole;
  for (const Bytes& piece : message.pieces) {
    if (whole.size() + piece.size() > kMaxMessage) return fail(EMSGSIZE);
    whole.insert(whole.end(), piece.begin(), piece.end());
  }
  if (whole.size() < kHeaderSize) return fail(EINVAL);
  const std::optional<SocketAddress> to = message.to ? message.to : peer_;
  if (!to) return fail(EDESTADDRREQ);
  const IpFamily family = family_of(domain());
  if (to->endpoint.address.family() != family) return fail(EINVAL);
  const auto interface = check_destination(*to);
  if (!interface) return std::unexpected(interface.error());

  wire::Reader reader(whole);
  const std::uint8_t type = reader.u8();
  const std::uint8_t code = reader.u8();
  reader.skip(4);  // checksum and identifier are the stack's
  const std::uint16_t sequence = reader.u16();
  if (type != (family == IpFamily::kIpv4 ? kIpv4Request : kIpv6Request) || code != 0) return fail(EINVAL);

  if (!echo_) open(session, 0);
  const IpSettings::Family& ip = settings_.ip.of(family);
  const ip::SendOptions options{
      .ttl = message.control.hops.value_or(settings_.ip.hops_or_default(family)),
      .traffic_class = message.control.traffic_class.value_or(static_cast<std::uint8_t>(ip.traffic_class)),
      .dont_fragment = ip.mtu_discover == IP_PMTUDISC_DO || ip.mtu_discover == IP_PMTUDISC_PROBE};
  const InterfaceId bound =
      message.control.interface != InterfaceId::kAny ? message.control.interface : *interface;
  const auto sent =
      echo_->send(to->endpoint.address, sequence, Bytes(whole).subspan(kHeaderSize), options, bound);
  if (!sent) {
    if (sent.error() == Error::kMessageTooLong && ip.receive_errors) {
      ip::IpLayer& layer = session.host().ip();
      if (const auto way = layer.destination(to->endpoint.address, bound); way)
        errors_.push_too_long({{to->endpoint.address, Port::kNone}}, layer.path_mtu(**way), session.now());
      on_readiness();
    }
    return fail(sent.error());
  }
  return whole.size();
}

void IcmpSocket::on_icmp_error(const ip::IcmpError& error) {
  const IpSettings::Family& ip = settings_.ip.of(family_of(domain()));
  if (error.kind == ip::IcmpErrorKind::kPacketTooBig && ip.mtu_discover == IP_PMTUDISC_DONT) return;
  // As Linux: an unconnected socket hears of errors only if it has asked to.
  if (!peer_ && !ip.receive_errors) return;
  if (ip.receive_errors) errors_.push(error, Port::kNone, 0, clock_->now());
  error_ = error_of(error.kind);
  on_readiness();
}

bool IcmpSocket::fetch() {
  while (!next_ && echo_) {
    auto reply = echo_->receive();
    if (!reply) return false;
    const bool is_from_elsewhere = peer_ && reply->source != peer_->endpoint.address;
    if (!is_from_elsewhere) next_ = std::move(*reply);
  }
  return next_.has_value();
}

std::size_t IcmpSocket::take(Session& session, Incoming& message, const ip::EchoSocket::Reply& reply) {
  std::array<std::uint8_t, kHeaderSize> header{};
  wire::Writer writer(header);
  writer.u8(domain() == AF_INET ? kIpv4Reply : kIpv6Reply);
  writer.u8(0);
  writer.u16(0);  // the checksum has been verified and means nothing any more
  writer.u16(echo_->identifier());
  writer.u16(reply.sequence);
  message.from = SocketAddress{{reply.source, Port::kNone}, settings_.interface};
  const ReceiveControl control{
      .destination = local_.is_unspecified() ? IpAddress::any(family_of(domain())) : local_,
      .interface = settings_.interface,
      .hops = reply.ttl,
      .traffic_class = reply.traffic_class,
      .arrival = reply.arrival,
      .ip_options = reply.ip_options,
      .first_header = reply.first_header};
  write_control(session, kind(), settings_, control, message);
  return scatter(message, header, reply.payload);
}

Outcome<std::size_t> IcmpSocket::receive(Session& session, Incoming& message) {
  if ((message.flags & MSG_OOB) != 0) return fail(EOPNOTSUPP);
  if ((message.flags & MSG_ERRQUEUE) != 0) {
    const auto report = errors_.receive(session, kind(), settings_, message);
    if (report && errors_.empty()) error_ = Error::kNone;  // has been told of
    return report;
  }
  const auto attempt = [&]() -> Outcome<std::size_t> {
    const bool has_reply = fetch();
    if (const Error error = take_error(); error != Error::kNone) return fail(error);
    if (!has_reply) return receive_shut_ ? Outcome<std::size_t>(0) : fail(EAGAIN);
    const std::size_t size = take(session, message, *next_);
    if ((message.flags & MSG_PEEK) == 0) next_.reset();
    return size;
  };
  return repeat(session, POLLIN, deadline(session, settings_.receive_timeout, message.flags), attempt);
}

Outcome<void> IcmpSocket::shutdown(Session&, int how) {
  const auto done = shut_sides(how, peer_.has_value(), receive_shut_, send_shut_);
  on_readiness();
  return done;
}

Outcome<int> IcmpSocket::query(unsigned long request) const {
  if (request != FIONREAD) return fail(ENOTTY);
  return next_ && next_->payload ? static_cast<int>(kHeaderSize + next_->payload.size()) : 0;
}

}  // namespace transom::sockets
