#include <algorithm>
#include <bit>

#include "stack/ip/extension_headers.h"
#include "stack/udp/core.h"
#include "stack/wire/checksum.h"
#include "stack/wire/udp.h"

namespace transom::udp {

namespace {

constexpr std::size_t kMaxPayloadV4 = 65507;
constexpr std::size_t kMaxPayloadV6 = 65527;
constexpr std::size_t kChecksumOffset = 6;

void set_endpoints(SocketState& socket, const Endpoint& local, const std::optional<Endpoint>& remote) {
  if (socket.is_bound) socket.core->demux.remove(socket);
  socket.local = local;
  socket.remote = remote;
  socket.is_bound = true;
  socket.core->demux.add(socket);
}

void unbind(SocketState& socket) {
  socket.core->demux.remove(socket);
  socket.is_bound = false;
  socket.local = {IpAddress::any(socket.family), Port::kNone};
}

Result<void> bind_to_chosen_port(SocketState& socket) {
  if (socket.is_bound) return {};
  socket.dual_stack = socket.family == IpFamily::kIpv6;
  const IpAddress any = IpAddress::any(socket.family);
  const auto port = socket.core->demux.choose_port(socket, any);
  if (!port) return std::unexpected(Error::kWouldBlock);  // as Linux: EAGAIN
  set_endpoints(socket, {any, *port}, socket.remote);
  return {};
}

// Whether the socket, bound as it is, may speak to this address at all.
Result<void> check_family(const SocketState& socket, const IpAddress& remote) {
  if (socket.family == IpFamily::kIpv4 && remote.is_v6()) return std::unexpected(Error::kAddressFamily);
  if (!socket.is_bound) return {};
  const bool is_any = !socket.has_own_address;
  const bool matches = socket.local.address.family() == remote.family() || (is_any && socket.dual_stack);
  if (!matches) return std::unexpected(Error::kNetworkUnreachable);
  return {};
}

// RFC 1122 §3.2.1.3 forbids sending to the unspecified address; programs that do mean this host, as on Linux
// and BSD.
IpAddress meant_by(const IpAddress& address) {
  return address.is_unspecified() ? IpAddress::loopback(address.family()) : address;
}

InterfaceId interface_for(const SocketState& socket, const IpAddress& to, InterfaceId requested) {
  if (requested != InterfaceId::kAny) return requested;
  if (socket.options.bound_interface != InterfaceId::kAny) return socket.options.bound_interface;
  return to.is_multicast() ? socket.options.multicast_interface : InterfaceId::kAny;
}

Result<ip::DestinationRef> find_way(const SocketState& socket, const IpAddress& to, InterfaceId requested) {
  auto way = socket.core->ip.destination(to, interface_for(socket, to, requested));
  if (way && (*way)->is_broadcast && !socket.options.broadcast) return std::unexpected(Error::kAccessDenied);
  return way;
}

std::uint32_t flow_label(const SipKey& key, const Endpoint& from, const Endpoint& to) {
  const auto a = std::bit_cast<std::array<std::uint64_t, 2>>(from.address.octets());
  const auto b = std::bit_cast<std::array<std::uint64_t, 2>>(to.address.octets());
  const std::uint64_t words[] = {a[0], a[1], b[0], b[1],
                                 std::uint64_t{to_number(from.port)} << 16 | to_number(to.port)};
  return static_cast<std::uint32_t>(siphash_words(key, words) % 0xfffff) + 1;  // RFC 6437 §3: not zero
}

// The datagram from its UDP header on, its checksum begun; an empty packet when there is no memory.
Packet compose(SocketState& socket, const Endpoint& from, const Endpoint& to, std::span<const Bytes> pieces,
               std::size_t octets) {
  const std::size_t size = wire::UdpHeader::kSize + octets;
  const bool fits_frame = size + Packet::kHeadRoom <= BufferPool::capacity(BufferSize::kFrame);
  Packet packet =
      socket.core->context.pool.allocate(fits_frame ? BufferSize::kFrame : BufferSize::kSuperFrame);
  if (!packet) return packet;
  wire::UdpHeader header{from.port, to.port, static_cast<std::uint16_t>(size), 0};
  const bool has_checksum = to.address.is_v6() || !socket.options.no_checksum;
  if (has_checksum) {
    header.checksum =
        wire::pseudo_header_sum(from.address, to.address, IpProtocol::kUdp, static_cast<std::uint32_t>(size))
            .fold();
    packet.info().checksum = ChecksumState::kPartial;
    packet.info().checksum_field = kChecksumOffset;
  }
  wire::Writer writer(packet.append(size));
  header.write(writer);
  for (const Bytes piece : pieces) writer.bytes(piece);
  return packet;
}

ip::SendOptions send_options(const SocketState& socket, const ip::Destination& way,
                             const SendTo& parameters) {
  const UdpOptions& options = socket.options;
  const std::uint8_t ttl = parameters.ttl.value_or(way.is_multicast ? options.multicast_ttl : options.ttl);
  return {.ttl = ttl,
          .traffic_class = parameters.traffic_class.value_or(options.traffic_class),
          .dont_fragment = options.dont_fragment,
          .ip_options = options.ip_options,
          .loop = way.is_broadcast || (way.is_multicast && options.multicast_loop),
          .stay_on_host = way.is_multicast && ttl == 0};
}

}  // namespace

UdpSocket::UdpSocket(std::unique_ptr<SocketState> state) : state_(std::move(state)) {}

UdpSocket::~UdpSocket() {
  if (state_->core == nullptr) return;
  if (state_->is_bound) unbind(*state_);
  state_->core->sockets.erase(state_.get());
}

Result<void> UdpSocket::bind(const BindRequest& request) {
  SocketState& socket = *state_;
  if (socket.core == nullptr || socket.is_bound) return std::unexpected(Error::kInvalidArgument);
  Endpoint local = request.local;
  if (socket.family == IpFamily::kIpv4 && local.address.is_v6())
    return std::unexpected(Error::kAddressFamily);
  const ip::IpLayer& ip = socket.core->ip;
  // A group address is nobody's own: what is sent there may be received all the same.
  const bool may_bind = local.address.is_unspecified() || ip.is_local(local.address) ||
                        local.address.is_multicast() || request.may_be_foreign ||
                        (local.address.is_v4() && !ip.is_unicast(local.address));
  if (!may_bind) return std::unexpected(Error::kAddressNotAvailable);
  socket.dual_stack = request.dual_stack && local.address.is_v6();
  socket.reuse_address = request.reuse_address;
  socket.reuse_port = request.reuse_port;
  if (local.port == Port::kNone) {
    const auto port = socket.core->demux.choose_port(socket, local.address);
    if (!port) return std::unexpected(Error::kAddressInUse);
    local.port = *port;
  } else if (socket.core->demux.conflicts(socket, local)) {
    return std::unexpected(Error::kAddressInUse);
  }
  socket.has_own_port = true;
  socket.has_own_address = !local.address.is_unspecified();
  set_endpoints(socket, local, std::nullopt);
  return {};
}

Result<void> UdpSocket::connect(const Endpoint& remote) {
  SocketState& socket = *state_;
  if (socket.core == nullptr) return std::unexpected(Error::kNetworkUnreachable);
  const Endpoint peer{meant_by(remote.address), remote.port};
  if (const auto allowed = check_family(socket, peer.address); !allowed) return allowed;
  auto way = find_way(socket, peer.address, InterfaceId::kAny);
  if (!way) return std::unexpected(way.error());
  if (const auto bound = bind_to_chosen_port(socket); !bound) return bound;
  const IpAddress source = socket.has_own_address ? socket.local.address : (*way)->source;
  set_endpoints(socket, {source, socket.local.port}, peer);
  socket.peer = std::move(*way);
  socket.pending_error = Error::kNone;
  return {};
}

void UdpSocket::disconnect() {
  SocketState& socket = *state_;
  if (socket.core == nullptr || !socket.remote) return;
  socket.peer = {};
  if (!socket.has_own_port) {
    unbind(socket);
    socket.remote.reset();
    return;
  }
  // What connect() chose is undone; an address that bind() gave stays.
  const IpAddress any =
      socket.dual_stack || socket.local.address.is_v6() ? IpAddress() : IpAddress::any(IpFamily::kIpv4);
  set_endpoints(socket, {socket.has_own_address ? socket.local.address : any, socket.local.port},
                std::nullopt);
}

Result<std::size_t> UdpSocket::send(std::span<const Bytes> pieces, const SendTo& parameters) {
  SocketState& socket = *state_;
  if (socket.core == nullptr) return std::unexpected(Error::kNetworkUnreachable);
  if (const Error error = take_error(); error != Error::kNone) return std::unexpected(error);
  if (!parameters.to && !socket.remote) return std::unexpected(Error::kDestinationRequired);
  Endpoint to = parameters.to.value_or(socket.remote.value_or(Endpoint{}));
  if (to.port == Port::kNone) return std::unexpected(Error::kInvalidArgument);  // nobody listens on port 0
  to.address = meant_by(to.address);
  if (const auto allowed = check_family(socket, to.address); !allowed)
    return std::unexpected(allowed.error());

  std::size_t octets = 0;
  for (const Bytes piece : pieces) octets += piece.size();
  const std::size_t max_payload = to.address.is_v4() ? kMaxPayloadV4 : kMaxPayloadV6;
  if (octets > std::min(max_payload, socket.options.send_buffer))
    return std::unexpected(Error::kMessageTooLong);
  if (const auto bound = bind_to_chosen_port(socket); !bound) return std::unexpected(bound.error());

  const ip::RoutedHeaders headers(parameters.extension_headers.get(), to.address);
  const bool is_to_peer = socket.peer && !parameters.to && parameters.interface == InterfaceId::kAny &&
                          headers.first_stop() == to.address;
  auto way = is_to_peer ? Result<ip::DestinationRef>(socket.peer)
                        : find_way(socket, headers.first_stop(), parameters.interface);
  if (!way) return std::unexpected(way.error());
  if (!socket.core->ip.refresh(**way)) return std::unexpected(Error::kNetworkUnreachable);

  const bool may_speak_from_local =
      !socket.local.address.is_unspecified() && socket.core->ip.is_unicast(socket.local.address);
  const IpAddress own = may_speak_from_local && socket.local.address.family() == to.address.family()
                            ? socket.local.address
                            : (*way)->source;
  const Endpoint from{parameters.source.value_or(own), socket.local.port};
  if (from.address.family() != to.address.family()) return std::unexpected(Error::kInvalidArgument);
  Packet packet = compose(socket, from, to, pieces, octets);
  if (!packet) {
    socket.core->context.count(either(to.address, Counter::kUdpSndbufErrors, Counter::kUdp6SndbufErrors));
    return std::unexpected(Error::kNoBuffers);
  }
  ip::SendOptions options = send_options(socket, **way, parameters);
  options.extension_headers = headers.headers();
  if (to.address.is_v6() && socket.options.auto_flow_label)
    options.flow_label = flow_label(socket.core->flow_label_key, from, to);
  const auto sent = socket.core->ip.send(**way, from.address, IpProtocol::kUdp, std::move(packet), options);
  if (!sent) return std::unexpected(sent.error());
  socket.core->context.count(either(to.address, Counter::kUdpOutDatagrams, Counter::kUdp6OutDatagrams));
  return octets;
}

Result<Datagram> UdpSocket::receive() {
  if (const Error error = take_error(); error != Error::kNone) return std::unexpected(error);
  SocketState& socket = *state_;
  if (socket.queue.empty()) return std::unexpected(Error::kWouldBlock);
  Datagram datagram = std::move(socket.queue.front());
  socket.queue.pop_front();
  socket.queued_memory -= datagram.payload.memory() + datagram.ip_options.size();
  return datagram;
}

const Datagram* UdpSocket::peek() const { return state_->queue.empty() ? nullptr : &state_->queue.front(); }
Datagram* UdpSocket::peek(std::size_t place) {
  return place < state_->queue.size() ? &state_->queue[place] : nullptr;
}
std::size_t UdpSocket::queued() const { return state_->queue.size(); }
std::size_t UdpSocket::queued_memory() const { return state_->queued_memory; }

Endpoint UdpSocket::local() const { return state_->local; }
std::optional<Endpoint> UdpSocket::remote() const { return state_->remote; }
UdpOptions& UdpSocket::options() { return state_->options; }
Error UdpSocket::take_error() { return std::exchange(state_->pending_error, Error::kNone); }

Readiness UdpSocket::readiness() const {
  const bool has_error = state_->pending_error != Error::kNone;
  return {.readable = has_error || !state_->queue.empty(), .writable = true, .error = has_error};
}

void UdpSocket::set_listener(ReadinessListener* listener) { state_->listener = listener; }
void UdpSocket::set_filter(DatagramFilter* filter) { state_->filter = filter; }
void UdpSocket::set_error_listener(ip::IcmpErrorListener* listener) { state_->error_listener = listener; }
std::uint64_t UdpSocket::dropped() const { return state_->dropped; }

}  // namespace transom::udp
