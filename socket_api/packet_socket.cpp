#include "socket_api/packet_socket.h"

#include <linux/if_ether.h>
#include <net/if_arp.h>

#include <algorithm>

#include "socket_api/datagram.h"
#include "socket_api/option_value.h"
#include "stack/wire/ethernet.h"

namespace transom::sockets {

namespace {

using wire::EthernetHeader;

constexpr std::size_t kMaxMessage = 65535 + EthernetHeader::kSize + EthernetHeader::kTagSize;

std::uint16_t to_host(int network_order) {
  return wire::swap_network_order(static_cast<std::uint16_t>(network_order));
}

std::uint16_t hardware_type(const link::Interface& interface) {
  switch (interface.type()) {
    case link::LinkType::kEthernet:
      return ARPHRD_ETHER;
    case link::LinkType::kLoopback:
      return ARPHRD_LOOPBACK;
    case link::LinkType::kPointToPoint:
      break;
  }
  return ARPHRD_NONE;
}

std::uint8_t packet_type(Direction direction, const link::Interface& interface,
                         const MacAddress& destination) {
  if (direction == Direction::kOut) return PACKET_OUTGOING;
  if (interface.type() != link::LinkType::kEthernet || destination == interface.mac()) return PACKET_HOST;
  if (destination.is_broadcast()) return PACKET_BROADCAST;
  return destination.is_group() ? PACKET_MULTICAST : PACKET_OTHERHOST;
}

std::uint16_t protocol_of_ip(const Packet& packet) {
  return packet.head().empty() || packet.head()[0] >> 4 != 6 ? ETH_P_IP : ETH_P_IPV6;
}

// What the octets of a frame say of it.
struct Description {
  LinkAddress address;
  std::size_t header_size = 0;  // of the link layer, in the frame
};

Description describe(Direction direction, const link::Interface& interface, const Packet& frame) {
  Description result;
  LinkAddress& address = result.address;
  address.interface = interface.id();
  address.hardware_type = hardware_type(interface);
  EthernetHeader header;
  if (interface.type() == link::LinkType::kEthernet) {
    wire::Reader reader(frame.head());
    header = EthernetHeader::parse(reader).value_or(EthernetHeader{});
    result.header_size = std::min(header.size(), frame.head().size());
    address.protocol = static_cast<std::uint16_t>(header.type);
    if (address.protocol < ETH_P_802_3_MIN) address.protocol = ETH_P_802_2;
  } else {
    address.protocol = protocol_of_ip(frame);
  }
  address.packet_type = packet_type(direction, interface, header.destination);
  if (interface.type() != link::LinkType::kPointToPoint) {
    address.length = ETH_ALEN;
    std::ranges::copy(header.source.octets(), address.octets.begin());
  }
  return result;
}

}  // namespace

PacketSocket::PacketSocket(Session& session, int type, int protocol)
    : Socket({AF_PACKET, type, protocol}), clock_(session.loop()) {
  listen_for(session, to_host(protocol));
}

void PacketSocket::on_close(Session& session) { listen_for(session, 0); }

void PacketSocket::listen_for(Session& session, std::uint16_t protocol) {
  protocol_ = protocol;
  const bool before = std::exchange(is_listening_, protocol != 0);
  if (!before && is_listening_) session.host().link().add_tap(*this);
  if (before && !is_listening_) session.host().link().remove_tap(*this);
}

int PacketSocket::send_buffer(Session&) const {
  return settings_.send_buffer ? static_cast<int>(2 * *settings_.send_buffer)
                               : int{CopiedPackets::kDefaultLimit};
}
int PacketSocket::receive_buffer(Session&) const {
  return settings_.receive_buffer ? static_cast<int>(2 * *settings_.receive_buffer)
                                  : int{CopiedPackets::kDefaultLimit};
}

Readiness PacketSocket::readiness() const { return {.readable = !packets_.empty(), .writable = true}; }

Outcome<void> PacketSocket::bind(Session& session, const SocketAddress& address) {
  const LinkAddress& link = address.link;
  local_ = {};
  if (link.interface != InterfaceId::kAny) {
    const link::Interface* const interface = session.host().link().interface(link.interface);
    if (interface == nullptr) return fail(ENODEV);
    local_.interface = link.interface;
    local_.hardware_type = hardware_type(*interface);
    if (interface->type() != link::LinkType::kPointToPoint) {
      local_.length = ETH_ALEN;
      std::ranges::copy(interface->mac().octets(), local_.octets.begin());
    }
  }
  listen_for(session, link.protocol != 0 ? link.protocol : to_host(kind().protocol));
  return {};
}

Outcome<SocketAddress> PacketSocket::local_address() const {
  SocketAddress result;
  result.link = local_;
  result.link.protocol = protocol_;
  return result;
}

// ---------------------------------------------------------------- what comes

void PacketSocket::on_frame(Direction direction, const link::Interface& interface, const Packet& frame) {
  if (is_sending_ || (local_.interface != InterfaceId::kAny && local_.interface != interface.id())) return;
  // As Linux: who has asked for one protocol sees what comes, and not what goes.
  if (direction == Direction::kOut && (protocol_ != ETH_P_ALL || ignores_outgoing_)) return;
  const Description what = describe(direction, interface, frame);
  if (protocol_ != ETH_P_ALL && protocol_ != what.address.protocol) return;

  std::vector<std::uint8_t> scratch;
  Bytes octets = in_one_piece(frame, has_headers() ? 0 : what.header_size, scratch);
  std::size_t network_offset = has_headers() ? what.header_size : 0;
  std::vector<std::uint8_t> with_header;
  if (has_headers() && interface.type() == link::LinkType::kLoopback) {
    with_header.resize(EthernetHeader::kSize);
    wire::Writer writer(with_header);
    EthernetHeader header;
    header.type = static_cast<wire::EtherType>(what.address.protocol);
    header.write(writer);
    with_header.insert(with_header.end(), octets.begin(), octets.end());
    octets = with_header;
    network_offset = EthernetHeader::kSize;
  }
  std::size_t kept = octets.size();
  if (settings_.filter) {
    kept = settings_.filter->run(octets, {.protocol = what.address.protocol,
                                          .packet_type = what.address.packet_type,
                                          .interface = static_cast<std::uint32_t>(interface.id()),
                                          .hardware_type = what.address.hardware_type});
    if (kept == 0) return;
  }
  CopiedPacket copy{.octets = {octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(kept)},
                    .length = octets.size(),
                    .from = {},
                    .destination = {},
                    .interface = interface.id(),
                    .checksum = frame.info().checksum,
                    .network_offset = network_offset,
                    .arrival = clock_.now()};
  copy.from.link = what.address;
  ++counted_;
  const auto limit =
      settings_.receive_buffer ? 2 * std::size_t{*settings_.receive_buffer} : CopiedPackets::kDefaultLimit;
  if (packets_.push(std::move(copy), limit)) {
    on_input();
  } else {
    ++counted_drops_;
  }
}

void PacketSocket::write_auxiliary_data(const CopiedPacket& packet, Incoming& message) const {
  tpacket_auxdata data{};
  data.tp_status = TP_STATUS_USER;
  if (packet.checksum == ChecksumState::kPartial) data.tp_status |= TP_STATUS_CSUMNOTREADY;
  if (packet.checksum == ChecksumState::kVerified) data.tp_status |= TP_STATUS_CSUM_VALID;
  data.tp_len = static_cast<std::uint32_t>(packet.length);
  data.tp_snaplen = static_cast<std::uint32_t>(packet.octets.size());
  data.tp_net = static_cast<std::uint16_t>(packet.network_offset);
  put_control(message, SOL_PACKET, PACKET_AUXDATA, data);
}

Outcome<std::size_t> PacketSocket::receive(Session& session, Incoming& message) {
  constexpr int kKnown =
      MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_ERRQUEUE | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC | MSG_WAITALL;
  if ((message.flags & ~kKnown) != 0) return fail(EINVAL);
  if ((message.flags & MSG_ERRQUEUE) != 0) return fail(EAGAIN);
  const auto attempt = [&]() -> Outcome<std::size_t> {
    if (packets_.empty()) return fail(EAGAIN);
    const CopiedPacket& packet = packets_.front();
    message.from = packet.from;
    write_control(session, kind(), settings_,
                  {.destination = {}, .arrival = packet.arrival, .dropped = packet.dropped}, message);
    if (gives_auxiliary_data_) write_auxiliary_data(packet, message);
    const std::size_t size = scatter(message, packet.octets, Packet());
    if ((message.flags & MSG_PEEK) == 0) packets_.pop();
    return size;
  };
  return repeat(session, POLLIN, deadline(session, settings_.receive_timeout, message.flags), attempt);
}

// ---------------------------------------------------------------- what goes

Outcome<Packet> PacketSocket::compose(Session& session, link::Interface& interface, const Outgoing& message,
                                      std::uint16_t protocol) const {
  std::size_t size = 0;
  for (const Bytes& piece : message.pieces) size += piece.size();
  if (size > kMaxMessage) return fail(EMSGSIZE);
  const bool has_link_header = interface.type() != link::LinkType::kPointToPoint;
  const std::size_t header_size = has_headers() && has_link_header ? EthernetHeader::kSize : 0;
  if (size < header_size) return fail(EINVAL);

  const bool fits_frame = size + Packet::kHeadRoom <= BufferPool::capacity(BufferSize::kFrame);
  Packet packet =
      session.host().context().pool.allocate(fits_frame ? BufferSize::kFrame : BufferSize::kSuperFrame);
  if (!packet) return fail(ENOBUFS);
  if (packet.tail_room() < size) return fail(EMSGSIZE);
  MutableBytes rest = packet.append(size);
  for (const Bytes& piece : message.pieces) {
    std::ranges::copy(piece, rest.begin());
    rest = rest.subspan(piece.size());
  }
  std::size_t limit = interface.mtu() + header_size;
  if (header_size != 0) {
    wire::Reader reader(packet.head());
    const auto header = EthernetHeader::parse(reader);
    if (header && header->tag) limit += EthernetHeader::kTagSize;
  }
  if (size > limit) return fail(EMSGSIZE);
  if (interface.type() == link::LinkType::kLoopback) {  // which has the header for show only
    packet.trim_front(header_size);
  } else if (interface.type() == link::LinkType::kEthernet && !has_headers()) {
    if (!message.to || message.to->link.length < ETH_ALEN) return fail(EINVAL);
    EthernetHeader header;
    std::array<std::uint8_t, ETH_ALEN> to{};
    std::copy_n(message.to->link.octets.begin(), to.size(), to.begin());
    header.destination = MacAddress(to);
    header.source = interface.mac();
    header.type = static_cast<wire::EtherType>(protocol);
    wire::Writer writer(packet.prepend(EthernetHeader::kSize));
    header.write(writer);
  }
  // Who takes what we send at once wants an IP header there.
  if (interface.type() != link::LinkType::kEthernet && packet.head().empty()) return fail(EINVAL);
  return packet;
}

Outcome<std::size_t> PacketSocket::send(Session& session, const Outgoing& message) {
  if ((message.flags & MSG_OOB) != 0) return fail(EOPNOTSUPP);
  const bool names_interface = message.to && message.to->link.interface != InterfaceId::kAny;
  const InterfaceId id = message.to ? message.to->link.interface : local_.interface;
  link::Interface* const interface = session.host().link().interface(id);
  if (interface == nullptr) return fail(ENXIO);
  const std::uint16_t protocol = names_interface ? message.to->link.protocol : protocol_;
  auto packet = compose(session, *interface, message, protocol);
  if (!packet) return std::unexpected(packet.error());
  std::size_t size = 0;
  for (const Bytes& piece : message.pieces) size += piece.size();
  is_sending_ = true;
  const auto sent = session.host().link().send_frame(*interface, std::move(*packet));
  is_sending_ = false;
  if (!sent) return fail(sent.error());
  return size;
}

// ---------------------------------------------------------------- options

Outcome<void> PacketSocket::set_option(Session& session, int level, int name, Bytes value) {
  if (level == SOL_SOCKET) return Socket::set_option(session, level, name, value);
  if (level != SOL_PACKET) return fail(ENOPROTOOPT);
  switch (name) {
    case PACKET_ADD_MEMBERSHIP:
    case PACKET_DROP_MEMBERSHIP: {
      const auto request = read_option<packet_mreq>(value);
      if (!request) return std::unexpected(request.error());
      if (request->mr_alen > sizeof request->mr_address) return fail(EINVAL);
      const bool is_known = request->mr_ifindex > 0 && request->mr_ifindex <= UINT16_MAX &&
                            session.host().link().interface(static_cast<InterfaceId>(request->mr_ifindex));
      // Everything is heard anyway.
      return is_known || name == PACKET_DROP_MEMBERSHIP ? Outcome<void>() : fail(ENODEV);
    }
    case PACKET_AUXDATA:
    case PACKET_IGNORE_OUTGOING: {
      const auto on = read_option<int>(value);
      if (!on) return std::unexpected(on.error());
      (name == PACKET_AUXDATA ? gives_auxiliary_data_ : ignores_outgoing_) = *on != 0;
      return {};
    }
    default:
      return fail(ENOPROTOOPT);
  }
}

Outcome<std::size_t> PacketSocket::get_option(Session& session, int level, int name, MutableBytes out) {
  if (level == SOL_SOCKET) return Socket::get_option(session, level, name, out);
  if (level != SOL_PACKET) return fail(ENOPROTOOPT);
  switch (name) {
    case PACKET_STATISTICS: {  // since the last look
      const tpacket_stats statistics{.tp_packets = std::exchange(counted_, 0),
                                     .tp_drops = std::exchange(counted_drops_, 0)};
      return write_option(out, statistics);
    }
    case PACKET_AUXDATA:
      return write_bool_option(out, gives_auxiliary_data_);
    case PACKET_IGNORE_OUTGOING:
      return write_bool_option(out, ignores_outgoing_);
    default:
      return fail(ENOPROTOOPT);
  }
}

Outcome<int> PacketSocket::query(unsigned long request) const { return packets_.query(request); }

}  // namespace transom::sockets
