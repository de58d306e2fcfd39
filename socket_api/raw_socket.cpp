#include "socket_api/raw_socket.h"

#include <algorithm>

#include "socket_api/datagram.h"
#include "stack/ip/raw_output.h"
#include "stack/wire/checksum.h"

namespace transom::sockets {

namespace {

constexpr std::size_t kMaxMessage = 65535;
constexpr std::size_t kIcmpv6ChecksumOffset = 2;

// RFC 1122 §3.2.1.3 forbids sending to the unspecified address; programs that do mean this host.
IpAddress meant_by(const IpAddress& address) {
  return address.is_unspecified() ? IpAddress::loopback(address.family()) : address;
}

}  // namespace

RawSocket::RawSocket(Session& session, int domain, int protocol)
    : Socket({domain, SOCK_RAW, protocol}),
      clock_(session.loop()),
      local_(IpAddress::any(family_of(domain))),
      header_included_(protocol == IPPROTO_RAW) {
  // RFC 3542 §3.1: of ICMPv6 the kernel always does it.
  if (is_icmp() && domain == AF_INET6) checksum_offset_ = kIcmpv6ChecksumOffset;
  session.host().ip().raw_receivers().add(family(), this->protocol(), *this);
}

void RawSocket::on_close(Session& session) {
  session.host().ip().raw_receivers().remove(family(), protocol(), *this);
}

bool RawSocket::is_icmp() const {
  return kind().protocol == (domain() == AF_INET ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6});
}

int RawSocket::send_buffer(Session&) const {
  return settings_.send_buffer ? static_cast<int>(2 * *settings_.send_buffer)
                               : int{CopiedPackets::kDefaultLimit};
}
int RawSocket::receive_buffer(Session&) const {
  return settings_.receive_buffer ? static_cast<int>(2 * *settings_.receive_buffer)
                                  : int{CopiedPackets::kDefaultLimit};
}

Readiness RawSocket::readiness() const {
  Readiness ready;
  ready.error = error_ != Error::kNone || !errors_.empty();
  ready.readable = !packets_.empty() || receive_shut_;
  ready.writable = true;
  ready.read_hang_up = receive_shut_;
  ready.hang_up = receive_shut_ && send_shut_;
  return ready;
}

// ---------------------------------------------------------------- addresses

Outcome<void> RawSocket::bind(Session& session, const SocketAddress& address) {
  const IpAddress& ip = address.endpoint.address;
  if (peer_) return fail(EINVAL);
  const auto interface = check_bind(address);
  if (!interface) return std::unexpected(interface.error());
  if (ip.family() != family() && !ip.is_unspecified()) return fail(EADDRNOTAVAIL);
  const ip::IpLayer& layer = session.host().ip();
  const bool may_bind =
      ip.is_unspecified() || layer.is_local(ip) || ip.is_multicast() || (ip.is_v4() && !layer.is_unicast(ip));
  if (!may_bind) return fail(EADDRNOTAVAIL);
  local_ = ip;
  settings_.interface = *interface;
  return {};
}

Outcome<void> RawSocket::connect(Session& session, const SocketAddress& address) {
  const auto interface = check_destination(address);
  if (!interface) return std::unexpected(interface.error());
  const IpAddress to = meant_by(address.endpoint.address);
  if (to.family() != family()) return fail(ENETUNREACH);
  const auto way = session.host().ip().destination(to, *interface);
  if (!way) return fail(way.error());
  if ((*way)->is_broadcast && !settings_.broadcast) return fail(EACCES);
  if (local_.is_unspecified()) local_ = (*way)->source;
  peer_ = SocketAddress{{to, address.endpoint.port}, *interface};
  return {};
}

Outcome<void> RawSocket::disconnect(Session&) {
  if (peer_) local_ = IpAddress::any(family());
  peer_.reset();
  return {};
}

// As Linux: the protocol stands in place of the port.
Outcome<SocketAddress> RawSocket::local_address() const {
  return SocketAddress{{local_, static_cast<Port>(kind().protocol)}, settings_.interface};
}

Outcome<SocketAddress> RawSocket::remote_address() const {
  if (!peer_) return fail(ENOTCONN);
  return *peer_;
}

// ---------------------------------------------------------------- what comes

bool RawSocket::is_for_us(const ip::Received& received) const {
  if (settings_.interface != InterfaceId::kAny && settings_.interface != received.interface.id())
    return false;
  if (!local_.is_unspecified() && local_ != received.destination) return false;
  return !peer_ || peer_->endpoint.address == received.source;
}

// `octets`: the ICMP message.
bool RawSocket::blocks_icmp_type(const ip::Received& received, Bytes octets) const {
  if (!is_icmp() || octets.empty()) return false;
  const unsigned type = octets[0];
  constexpr unsigned kWord = 32;
  if (received.source.is_v4() && type >= kWord) return false;
  return (icmp_filter_[type / kWord] >> (type % kWord) & 1U) != 0;
}

bool RawSocket::has_right_checksum(const ip::Received& received, const Packet& packet) const {
  if (domain() != AF_INET6 || checksum_offset_ < 0 || packet.info().checksum != ChecksumState::kUnknown)
    return true;
  const auto length = static_cast<std::uint32_t>(packet.size() - received.header_size);
  wire::ChecksumSum sum = wire::pseudo_header_sum(received.source, received.destination, protocol(), length);
  wire::add_packet(sum, packet, received.header_size);
  return sum.checksum() == 0;
}

bool RawSocket::on_packet(const ip::Received& received, const Packet& packet) {
  if (!is_for_us(received)) return false;
  std::vector<std::uint8_t> scratch;
  const Bytes whole = in_one_piece(packet, 0, scratch);
  const Bytes behind_header = whole.subspan(std::min<std::size_t>(received.header_size, whole.size()));
  const auto& least = settings_.ip.of(family()).min_hops;
  if (blocks_icmp_type(received, behind_header) || received.ttl < least || receive_shut_) return true;
  if (!has_right_checksum(received, packet)) return true;
  const Bytes octets = domain() == AF_INET ? whole : behind_header;
  std::size_t kept = octets.size();
  if (settings_.filter) {
    const std::uint16_t type = domain() == AF_INET ? 0x0800 : 0x86dd;
    kept = settings_.filter->run(
        octets, {.protocol = type, .interface = static_cast<std::uint32_t>(received.interface.id())});
    if (kept == 0) return true;
  }
  CopiedPacket copy{.octets = {octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(kept)},
                    .length = octets.size(),
                    .from = {{received.source, Port::kNone}, received.interface.id()},
                    .destination = received.destination,
                    .interface = received.interface.id(),
                    .hops = received.ttl,
                    .traffic_class = received.traffic_class,
                    .ip_options = {received.options.begin(), received.options.end()},
                    .first_header = received.first_header,
                    .arrival = clock_.now()};
  const auto limit =
      settings_.receive_buffer ? 2 * std::size_t{*settings_.receive_buffer} : CopiedPackets::kDefaultLimit;
  if (packets_.push(std::move(copy), limit)) on_input();
  return true;
}

void RawSocket::on_icmp_error(const ip::IcmpError& error) {
  if (error.kind == ip::IcmpErrorKind::kRedirect) return;
  if (peer_ && peer_->endpoint.address != error.destination) return;
  if (!local_.is_unspecified() && local_ != error.source) return;
  const IpSettings::Family& ip = settings_.ip.of(family());
  // As Linux: an unconnected socket hears of errors only if it has asked to.
  if (!peer_ && !ip.receive_errors) return;
  if (error.kind == ip::IcmpErrorKind::kPacketTooBig && ip.mtu_discover == IP_PMTUDISC_DONT) return;
  if (ip.receive_errors) errors_.push(error, Port::kNone, 0, clock_.now());
  error_ = error_of(error.kind);
  on_readiness();
}

Outcome<std::size_t> RawSocket::receive(Session& session, Incoming& message) {
  if ((message.flags & MSG_OOB) != 0) return fail(EOPNOTSUPP);
  if ((message.flags & MSG_ERRQUEUE) != 0) {
    const auto report = errors_.receive(session, kind(), settings_, message);
    if (report && errors_.empty()) error_ = Error::kNone;  // has been told of
    return report;
  }
  const auto attempt = [&]() -> Outcome<std::size_t> {
    if (const Error error = take_error(); error != Error::kNone) return fail(error);
    if (packets_.empty()) return receive_shut_ ? Outcome<std::size_t>(0) : fail(EAGAIN);
    const CopiedPacket& packet = packets_.front();
    message.from = packet.from;
    write_control(session, kind(), settings_,
                  {.destination = packet.destination,
                   .interface = packet.interface,
                   .hops = packet.hops,
                   .traffic_class = packet.traffic_class,
                   .arrival = packet.arrival,
                   .dropped = packet.dropped,
                   .ip_options = packet.ip_options,
                   .first_header = packet.first_header},
                  message);
    const std::size_t size = scatter(message, packet.octets, Packet());
    if ((message.flags & MSG_PEEK) == 0) packets_.pop();
    return size;
  };
  return repeat(session, POLLIN, deadline(session, settings_.receive_timeout, message.flags), attempt);
}

// ---------------------------------------------------------------- what goes

Outcome<Packet> RawSocket::compose(Session& session, const Outgoing& message, std::size_t size) const {
  Packet packet = session.host().context().pool.allocate(
      size + Packet::kHeadRoom <= BufferPool::capacity(BufferSize::kFrame) ? BufferSize::kFrame
                                                                           : BufferSize::kSuperFrame);
  if (!packet) return fail(ENOBUFS);
  if (packet.tail_room() < size) return fail(EMSGSIZE);
  MutableBytes rest = packet.append(size);
  for (const Bytes& piece : message.pieces) {
    std::ranges::copy(piece, rest.begin());
    rest = rest.subspan(piece.size());
  }
  return packet;
}

Outcome<std::size_t> RawSocket::send(Session& session, const Outgoing& message) {
  if ((message.flags & MSG_OOB) != 0) return fail(EOPNOTSUPP);
  if (send_shut_) return fail(EPIPE);
  std::size_t size = 0;
  for (const Bytes& piece : message.pieces) size += piece.size();
  if (size > kMaxMessage) return fail(EMSGSIZE);
  std::optional<SocketAddress> to = message.to ? message.to : peer_;
  if (!to) return fail(EDESTADDRREQ);
  if (domain() == AF_INET6 && message.to) {
    // As Linux: where other sockets have the port, the protocol may stand.
    const int number = to_number(to->endpoint.port);
    if (number != 0 && number != kind().protocol) return fail(EINVAL);
  }
  to->endpoint.address = meant_by(to->endpoint.address);
  if (to->endpoint.address.family() != family()) return fail(ENETUNREACH);
  if (send_tells_error()) {
    if (const Error error = take_error(); error != Error::kNone) return fail(error);
  }
  auto packet = compose(session, message, size);
  if (!packet) return std::unexpected(packet.error());
  if (const auto sent = send_packet(session, *to, message.control, std::move(*packet)); !sent)
    return std::unexpected(sent.error());
  return size;
}

Outcome<void> RawSocket::send_packet(Session& session, const SocketAddress& to, const SendControl& control,
                                     Packet packet) {
  ip::IpLayer& layer = session.host().ip();
  const IpSettings::Family& ip = settings_.ip.of(family());
  const IpAddress& address = to.endpoint.address;
  const auto checked = check_destination(to);
  if (!checked) return std::unexpected(checked.error());
  InterfaceId interface = control.interface != InterfaceId::kAny ? control.interface : *checked;
  if (interface == InterfaceId::kAny && address.is_multicast()) interface = ip.multicast_interface;
  const std::shared_ptr<const ip::ExtensionHeaders> extensions =
      control.extension_headers ? control.extension_headers : settings_.ip.extension_headers;
  const ip::RoutedHeaders headers(header_included_ ? nullptr : extensions.get(), address);
  const auto way = layer.destination(headers.first_stop(), interface);
  if (!way) return fail(way.error());
  ip::Destination& destination = **way;
  if (destination.is_broadcast && !settings_.broadcast) return fail(EACCES);

  const auto sent = [&]() -> Result<void> {
    if (header_included_) return layer.send_with_header(destination, std::move(packet));
    const bool has_own = !local_.is_unspecified() && layer.is_local(local_);
    const IpAddress source = control.source.value_or(has_own ? local_ : destination.source);
    if (domain() == AF_INET6 && checksum_offset_ >= 0) {
      const auto written = ip::write_checksum_at(packet, static_cast<std::size_t>(checksum_offset_), source,
                                                 address, protocol());
      if (!written) return written;
    }
    const auto hops = destination.is_multicast ? static_cast<std::uint8_t>(ip.multicast_hops)
                                               : settings_.ip.hops_or_default(family());
    const std::uint8_t ttl = control.hops.value_or(hops);
    const bool may_not_fragment = ip.mtu_discover == IP_PMTUDISC_DO || ip.mtu_discover == IP_PMTUDISC_PROBE;
    return layer.send(
        destination, source, protocol(), std::move(packet),
        {.ttl = ttl,
         .traffic_class = control.traffic_class.value_or(static_cast<std::uint8_t>(ip.traffic_class)),
         .dont_fragment = control.dont_fragment.value_or(may_not_fragment),
         .ip_options = settings_.ip.ipv4_options,
         .extension_headers = headers.headers(),
         .loop = destination.is_broadcast || (destination.is_multicast && ip.multicast_loop),
         .stay_on_host = destination.is_multicast && ttl == 0});
  }();
  if (sent) return {};
  if (sent.error() == Error::kMessageTooLong && ip.receive_errors) {
    errors_.push_too_long({{address, Port::kNone}}, layer.path_mtu(destination), session.now());
    on_readiness();
  }
  return fail(sent.error());
}

Outcome<void> RawSocket::shutdown(Session&, int how) {
  const auto done = shut_sides(how, peer_.has_value(), receive_shut_, send_shut_);
  on_readiness();
  return done;
}

Outcome<int> RawSocket::query(unsigned long request) const { return packets_.query(request); }

}  // namespace transom::sockets
