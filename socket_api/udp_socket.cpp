#include "socket_api/udp_socket.h"

#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>

#include "socket_api/copied_packets.h"
#include "socket_api/datagram.h"
#include "socket_api/option_value.h"
#include "stack/wire/udp.h"

namespace transom::sockets {

namespace {
constexpr std::size_t kMinBuffer = 2304;
constexpr std::size_t kMaxDatagram = 65535;
constexpr std::size_t kMaxSegments = 64;  // UDP_MAX_SEGMENTS
}  // namespace

UdpSocket::UdpSocket(Session& session, int domain)
    : Socket({domain, SOCK_DGRAM, IPPROTO_UDP}),
      udp_(session.host().udp().open(family_of(domain))),
      clock_(session.loop()) {
  udp_->set_listener(this);
  udp_->set_error_listener(this);
}

void UdpSocket::on_close(Session&) { udp_.reset(); }

Readiness UdpSocket::readiness() const {
  if (!udp_) return {};
  Readiness ready = udp_->readiness();
  ready.readable = udp_->queued() > 0 || receive_shut_;  // as Linux: an error alone is POLLERR alone
  ready.error |= !errors_.empty();
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
                                 .reuse_port = settings_.reuse_port,
                                 .may_be_foreign = settings_.ip.free_bind});
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

void UdpSocket::prepare_for(IpFamily family, const SendControl& control) {
  const IpSettings::Family& ip = settings_.ip.of(family);
  udp::UdpOptions& options = udp_->options();
  options.ttl = settings_.ip.hops_or_default(family);
  options.traffic_class = static_cast<std::uint8_t>(ip.traffic_class);
  options.multicast_ttl = static_cast<std::uint8_t>(ip.multicast_hops);
  options.multicast_loop = ip.multicast_loop;
  options.multicast_interface = ip.multicast_interface;
  options.dont_fragment = control.dont_fragment.value_or(ip.mtu_discover == IP_PMTUDISC_DO ||
                                                         ip.mtu_discover == IP_PMTUDISC_PROBE);
}

Outcome<std::size_t> UdpSocket::send(Session& session, const Outgoing& message) {
  const auto sent = send_or_cork(session, message);
  if (sent && *sent > 0 && settings_.zero_copy && (message.flags & MSG_ZEROCOPY) != 0) {
    errors_.push_copied(copies_++, session.now());
    on_readiness();
  }
  return sent;
}

Outcome<std::size_t> UdpSocket::send_or_cork(Session& session, const Outgoing& message) {
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
                         .traffic_class = message.control.traffic_class,
                         .extension_headers = settings_.ip.extension_headers};
  if (message.control.extension_headers) parameters.extension_headers = message.control.extension_headers;
  if (message.to) {
    if (message.to->endpoint.port == Port::kNone) return fail(EINVAL);
    const auto interface = check_destination(*message.to);
    if (!interface) return std::unexpected(interface.error());
    parameters.to = message.to->endpoint;
    if (parameters.interface == InterfaceId::kAny) parameters.interface = *interface;
  }
  if (const auto bound = bind_if_needed(session); !bound) return std::unexpected(bound.error());
  prepare_for(parameters.to.value_or(udp_->remote().value_or(Endpoint{})).address.family(), message.control);

  const bool more = cork_ || (message.flags & MSG_MORE) != 0;
  if (more || is_corked_) {
    if (!std::exchange(is_corked_, true)) corked_to_ = parameters;
    for (const Bytes& piece : message.pieces) corked_.insert(corked_.end(), piece.begin(), piece.end());
    if (more) return size;
    const auto sent = flush_corked(session);
    if (!sent) return std::unexpected(sent.error());
    return size;
  }
  return send_octets(session, message.pieces, message.control.segment.value_or(segment_), parameters);
}

Outcome<void> UdpSocket::flush_corked(Session& session) {
  if (!std::exchange(is_corked_, false)) return {};
  const std::vector<std::uint8_t> whole = std::exchange(corked_, {});
  const Bytes piece(whole);
  const auto sent = send_octets(session, {&piece, 1}, segment_, corked_to_);
  if (!sent) return std::unexpected(sent.error());
  return {};
}

Outcome<std::size_t> UdpSocket::send_octets(Session& session, std::span<const Bytes> pieces,
                                            std::size_t segment, const udp::SendTo& parameters) {
  if (segment != 0) return send_segments(pieces, segment, parameters);
  const auto sent = udp_->send(pieces, parameters);
  if (sent) {
    report_sent();
    return *sent;
  }
  if (sent.error() == Error::kMessageTooLong) note_too_long(session, parameters);
  return fail(sent.error());
}

Outcome<std::size_t> UdpSocket::send_segments(std::span<const Bytes> pieces, std::size_t segment,
                                              const udp::SendTo& parameters) {
  std::vector<std::uint8_t> whole;
  for (const Bytes& piece : pieces) whole.insert(whole.end(), piece.begin(), piece.end());
  if (whole.size() > segment * kMaxSegments) return fail(EINVAL);
  std::size_t sent = 0;
  do {
    const Bytes one = Bytes(whole).subspan(sent, std::min(segment, whole.size() - sent));
    const auto done = udp_->send({&one, 1}, parameters);
    // What has left has left: the rest is lost, as a network may lose it.
    if (!done) return sent > 0 ? Outcome<std::size_t>(whole.size()) : fail(done.error());
    sent += one.size();
  } while (sent < whole.size());
  return sent;
}

// ---------------------------------------------------------------- errors

void UdpSocket::on_icmp_error(const ip::IcmpError& error) {
  const IpSettings::Family& ip = settings_.ip.of(error.destination.family());
  if (!ip.receive_errors) return;
  if (error.kind == ip::IcmpErrorKind::kPacketTooBig && ip.mtu_discover == IP_PMTUDISC_DONT) return;
  wire::Reader reader(error.transport);
  reader.skip(2);
  const auto port = static_cast<Port>(reader.u16());
  errors_.push(error, port, wire::UdpHeader::kSize, clock_.now());
}

std::size_t UdpSocket::octets_to_keep(const Packet& datagram) {
  std::vector<std::uint8_t> scratch;
  return settings_.filter->run(in_one_piece(datagram, 0, scratch), {});
}

// What leaves the stack is handed to the device at once: both times are now.
void UdpSocket::report_sent() {
  constexpr unsigned kSent = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED;
  if ((settings_.timestamping & kSent) == 0) return;
  const std::uint32_t key = (settings_.timestamping & SOF_TIMESTAMPING_OPT_ID) != 0 ? timestamp_key_++ : 0;
  if ((settings_.timestamping & SOF_TIMESTAMPING_TX_SCHED) != 0)
    errors_.push_timestamp(SCM_TSTAMP_SCHED, key, clock_.now());
  if ((settings_.timestamping & SOF_TIMESTAMPING_TX_SOFTWARE) != 0)
    errors_.push_timestamp(SCM_TSTAMP_SND, key, clock_.now());
  on_readiness();
}

// As Linux: an unconnected IPv4 socket is told the address alone.
void UdpSocket::note_too_long(Session& session, const udp::SendTo& parameters) {
  const Endpoint to = parameters.to.value_or(udp_->remote().value_or(Endpoint{}));
  if (!settings_.ip.of(to.address.family()).receive_errors) return;
  ip::IpLayer& ip = session.host().ip();
  const auto way = ip.destination(to.address, parameters.interface);
  if (!way) return;
  const bool has_port = to.address.is_v6() || udp_->remote();
  errors_.push_too_long({{to.address, has_port ? to.port : Port::kNone}}, ip.path_mtu(**way), session.now());
  on_readiness();
}

// ---------------------------------------------------------------- receiving

std::size_t UdpSocket::take_packets(Session& session, Incoming& message, const udp::Datagram& first,
                                    std::span<const Packet> payloads, std::size_t segment) {
  const ReceiveControl control{.destination = first.destination,
                               .port = udp_->local().port,
                               .interface = first.interface,
                               .hops = first.ttl,
                               .traffic_class = first.traffic_class,
                               .arrival = first.arrival,
                               .dropped = first.dropped,
                               .ip_options = first.ip_options,
                               .first_header = first.first_header,
                               .segment = static_cast<int>(segment)};
  message.from = SocketAddress{first.source, first.interface};
  write_control(session, kind(), settings_, control, message);
  return scatter(message, {}, payloads);
}

std::size_t UdpSocket::take(Session& session, Incoming& message, const udp::Datagram& datagram) {
  return take_packets(session, message, datagram, {&datagram.payload, 1}, 0);
}

// As Linux: goes on in the datagram in which the last look ended, or behind it.
std::optional<std::size_t> UdpSocket::look_ahead(Session& session, Incoming& message) {
  auto offset = static_cast<std::size_t>(settings_.peek_offset);
  std::size_t place = 0;
  udp::Datagram* datagram = udp_->peek(place);
  while (datagram != nullptr && offset >= datagram->payload.size() && (offset > 0 || datagram->was_seen)) {
    offset -= datagram->payload.size();
    datagram = udp_->peek(++place);
  }
  if (datagram == nullptr) return std::nullopt;
  const std::size_t whole = datagram->payload.size();
  if (whole == 0) datagram->was_seen = true;
  std::vector<std::uint8_t> rest(whole - offset);
  (void)datagram->payload.copy_out(offset, rest);
  std::size_t room = 0;
  for (const MutableBytes& buffer : message.buffers) room += buffer.size();
  const std::size_t copied = std::min(room, rest.size());
  (void)take_packets(session, message, *datagram, {}, 0);
  (void)scatter(message, rest, std::span<const Packet>());
  if (room <= rest.size() && room < whole) message.result_flags |= MSG_TRUNC;
  const std::size_t told = (message.flags & MSG_TRUNC) != 0 ? whole : copied;
  peek_on(told);
  return told;
}

// UDP_GRO: those that follow, of the same flow and size, with it. The last may be shorter.
std::size_t UdpSocket::take_all_alike(Session& session, Incoming& message, udp::Datagram first) {
  const std::size_t segment = first.payload.size();
  std::size_t total = segment;
  std::vector<Packet> payloads;
  payloads.push_back(std::move(first.payload));
  while (segment > 0 && payloads.size() < kMaxSegments && payloads.back().size() == segment) {
    const udp::Datagram* const next = udp_->peek();
    const bool is_alike = next != nullptr && next->source == first.source &&
                          next->destination == first.destination && next->interface == first.interface &&
                          next->ttl == first.ttl && next->traffic_class == first.traffic_class &&
                          next->first_header == first.first_header && next->ip_options == first.ip_options;
    if (!is_alike || next->payload.size() == 0 || next->payload.size() > segment ||
        total + next->payload.size() > kMaxDatagram)
      break;
    auto taken = udp_->receive();
    if (!taken) break;
    total += taken->payload.size();
    payloads.push_back(std::move(taken->payload));
  }
  return take_packets(session, message, first, payloads, payloads.size() > 1 ? segment : 0);
}

Outcome<std::size_t> UdpSocket::receive(Session& session, Incoming& message) {
  if ((message.flags & MSG_OOB) != 0) return fail(EOPNOTSUPP);
  if ((message.flags & MSG_ERRQUEUE) != 0) {
    const auto report = errors_.receive(session, kind(), settings_, message);
    if (report && errors_.empty()) (void)udp_->take_error();  // has been told of
    return report;
  }
  const Instant limit = deadline(session, settings_.receive_timeout, message.flags);
  const auto attempt = [&]() -> Outcome<std::size_t> {
    if ((message.flags & MSG_PEEK) != 0) {
      if (const Error error = udp_->take_error(); error != Error::kNone) return fail(error);
      if (settings_.peek_offset >= 0) {
        if (const auto seen = look_ahead(session, message)) return *seen;
      } else if (const udp::Datagram* datagram = udp_->peek()) {
        return take(session, message, *datagram);
      }
    } else if (auto datagram = udp_->receive()) {
      const std::size_t size =
          join_ ? take_all_alike(session, message, std::move(*datagram)) : take(session, message, *datagram);
      peek_back(size);
      return size;
    } else if (datagram.error() != Error::kWouldBlock) {
      return fail(datagram.error());
    }
    if (receive_shut_ && limit > session.now()) return 0;  // as Linux: who does not wait is not told
    return fail(EAGAIN);
  };
  return repeat(session, POLLIN, limit, attempt);
}

Outcome<void> UdpSocket::shutdown(Session&, int how) {
  const auto done = shut_sides(how, udp_->remote().has_value(), receive_shut_, send_shut_);
  on_readiness();
  return done;
}

// ---------------------------------------------------------------- options

void UdpSocket::apply_settings(Session&) {
  udp::UdpOptions& options = udp_->options();
  options.broadcast = settings_.broadcast;
  options.no_checksum = settings_.no_checksum;
  options.auto_flow_label = settings_.ip.auto_flow_label;
  options.groups = settings_.ip.groups.get();
  options.min_hops_v4 = static_cast<std::uint8_t>(settings_.ip.ipv4.min_hops);
  options.min_hops_v6 = static_cast<std::uint8_t>(settings_.ip.ipv6.min_hops);
  options.ip_options = settings_.ip.ipv4_options;
  udp_->set_filter(settings_.filter ? this : nullptr);
  options.receive_errors = settings_.ip.ipv4.receive_errors || settings_.ip.ipv6.receive_errors;
  options.bound_interface = settings_.interface != InterfaceId::kAny ? settings_.interface : peer_interface_;
  // As Linux: twice what was asked for, for the bookkeeping.
  if (settings_.send_buffer)
    options.send_buffer = std::max<std::size_t>(2 * std::size_t{*settings_.send_buffer}, 2 * kMinBuffer);
  if (settings_.receive_buffer)
    options.receive_buffer = std::max<std::size_t>(2 * std::size_t{*settings_.receive_buffer}, kMinBuffer);
}

Outcome<void> UdpSocket::set_option(Session& session, int level, int name, Bytes value) {
  if (level != IPPROTO_UDP) return Socket::set_option(session, level, name, value);
  const auto number = read_option<int>(value);
  if (!number) return std::unexpected(number.error());
  switch (name) {
    case UDP_CORK:
      cork_ = *number != 0;
      return cork_ ? Outcome<void>() : flush_corked(session);
    case UDP_SEGMENT:
      if (*number < 0 || *number > UINT16_MAX) return fail(EINVAL);
      segment_ = static_cast<std::uint16_t>(*number);
      return {};
    case UDP_GRO:
      join_ = *number != 0;
      return {};
    default:
      return fail(ENOPROTOOPT);
  }
}

Outcome<std::size_t> UdpSocket::get_option(Session& session, int level, int name, MutableBytes out) {
  if (level != IPPROTO_UDP) return Socket::get_option(session, level, name, out);
  switch (name) {
    case UDP_CORK:
      return write_bool_option(out, cork_);
    case UDP_SEGMENT:
      return write_int_option(out, segment_);
    case UDP_GRO:
      return write_bool_option(out, join_);
    default:
      return fail(ENOPROTOOPT);
  }
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
