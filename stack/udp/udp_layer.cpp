#include "stack/udp/udp_layer.h"

#include "stack/udp/core.h"
#include "stack/wire/checksum.h"
#include "stack/wire/udp.h"

namespace transom::udp {

namespace {

// RFC 768; RFC 1122 §4.1.3.4; RFC 8200 §8.1. nullopt when the checksum is as it should be.
std::optional<DropReason> checksum_fault(const ip::Received& received, const wire::UdpHeader& header,
                                         const Packet& packet) {
  if (packet.info().checksum == ChecksumState::kPartial) return std::nullopt;  // never left this machine
  if (header.checksum == 0) {
    if (received.source.is_v4()) return std::nullopt;  // the sender computed none
    return DropReason::kUdpZeroChecksum;
  }
  if (packet.info().checksum == ChecksumState::kVerified) return std::nullopt;
  wire::ChecksumSum sum =
      wire::pseudo_header_sum(received.source, received.destination, IpProtocol::kUdp, header.length);
  wire::add_packet(sum, packet);
  if (sum.checksum() == 0) return std::nullopt;
  return DropReason::kUdpBadChecksum;
}

// A short datagram in a large buffer would fill a receive queue all by itself.
Packet compact(Packet packet) {
  const bool fits_frame = packet.size() + Packet::kHeadRoom <= BufferPool::capacity(BufferSize::kFrame);
  if (!fits_frame || packet.memory() <= BufferPool::capacity(BufferSize::kSuperFrame)) return packet;
  Packet copy = packet.clone();
  return copy ? std::move(copy) : std::move(packet);
}

bool passes_filter(SocketState& socket, Packet& packet) {
  if (socket.filter == nullptr) return true;
  const std::size_t kept = socket.filter->octets_to_keep(packet);
  if (kept < wire::UdpHeader::kSize) return false;
  if (kept < packet.size()) packet.trim_back(packet.size() - kept);
  return true;
}

// The packet starts at its UDP header.
void enqueue(Core& core, SocketState& socket, const Flow& flow, const ip::Received& received, Packet packet) {
  const bool is_v4 = received.source.is_v4();
  if (received.ttl < (is_v4 ? socket.options.min_hops_v4 : socket.options.min_hops_v6))
    return core.context.drop(DropReason::kBelowMinimumHops);
  // As Linux: it counts as one that had no room.
  if (!passes_filter(socket, packet)) {
    ++socket.dropped;
    return core.context.drop(DropReason::kFiltered, is_v4 ? Counter::kUdpInErrors : Counter::kUdp6InErrors);
  }
  packet.trim_front(wire::UdpHeader::kSize);
  std::vector<std::uint8_t> ip_options(received.options.begin(), received.options.end());
  packet = compact(std::move(packet));  // the view of the options goes with it
  const std::size_t memory = packet.memory() + ip_options.size();
  if (!socket.queue.empty() && socket.queued_memory + memory > socket.options.receive_buffer) {
    ++socket.dropped;
    core.context.count(is_v4 ? Counter::kUdpRcvbufErrors : Counter::kUdp6RcvbufErrors);
    return core.context.drop(DropReason::kUdpReceiveQueueFull,
                             is_v4 ? Counter::kUdpInErrors : Counter::kUdp6InErrors);
  }
  core.context.count(is_v4 ? Counter::kUdpInDatagrams : Counter::kUdp6InDatagrams);
  socket.queued_memory += memory;
  socket.queue.push_back({.source = flow.remote,
                          .destination = received.destination,
                          .interface = flow.interface,
                          .ttl = received.ttl,
                          .traffic_class = received.traffic_class,
                          .arrival = core.context.now,
                          .dropped = socket.dropped,
                          .ip_options = std::move(ip_options),
                          .first_header = received.first_header,
                          .payload = std::move(packet)});
  socket.notify_input();
}

void deliver_to_all(Core& core, const Flow& flow, const ip::Received& received, Packet packet) {
  SocketState* last = nullptr;
  const IpAddress& to = received.destination;
  core.demux.for_each(flow, [&](SocketState& socket) {
    const ip::GroupMember* const groups = socket.options.groups;
    if (to.is_multicast() && groups != nullptr && !groups->accepts(flow.interface, to, received.source))
      return;
    if (last != nullptr) {
      if (Packet copy = packet.clone()) {
        enqueue(core, *last, flow, received, std::move(copy));
      } else {
        core.context.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
      }
    }
    last = &socket;
  });
  if (last != nullptr) return enqueue(core, *last, flow, received, std::move(packet));
  core.context.drop(DropReason::kUdpNoPort,
                    either(received.source, Counter::kUdpIgnoredMulti, Counter::kUdp6IgnoredMulti));
}

Error error_for(ip::IcmpErrorKind kind) {
  return kind == ip::IcmpErrorKind::kParameterProblem ? Error::kProtocolUnreachable : ip::error_of(kind);
}

}  // namespace

UdpLayer::UdpLayer(Context& context, ip::IpLayer& ip) : core_(std::make_unique<Core>(context, ip)) {
  ip.register_transport(IpProtocol::kUdp, *this);
}

UdpLayer::~UdpLayer() {
  for (SocketState* socket : core_->sockets) {
    socket->core = nullptr;
    socket->peer = {};
    socket->queue.clear();
    socket->queued_memory = 0;
  }
}

std::unique_ptr<UdpSocket> UdpLayer::open(IpFamily family) {
  auto state = std::make_unique<SocketState>();
  state->core = core_.get();
  state->family = family;
  state->local.address = IpAddress::any(family);
  core_->sockets.insert(state.get());
  return std::unique_ptr<UdpSocket>(new UdpSocket(std::move(state)));
}

std::vector<UdpSocketInfo> UdpLayer::sockets() const {
  std::vector<UdpSocketInfo> infos;
  for (const SocketState* socket : core_->sockets) {
    if (!socket->is_bound) continue;
    std::size_t octets = 0;
    for (std::size_t i = 0; i < socket->queue.size(); ++i) octets += socket->queue[i].payload.size();
    infos.push_back({socket->local, socket->remote, octets, socket->dropped});
  }
  return infos;
}

void UdpLayer::receive(const ip::Received& received, Packet packet) {
  Context& context = core_->context;
  const Counter errors = either(received.source, Counter::kUdpInErrors, Counter::kUdp6InErrors);
  wire::Reader reader(packet.head());
  const auto header = wire::UdpHeader::parse(reader);
  if (!header) {
    const bool is_short = header.error() == wire::ParseError::kTruncated;
    return context.drop(is_short ? DropReason::kUdpTruncated : DropReason::kUdpBadLength, errors);
  }
  if (header->length > packet.size()) return context.drop(DropReason::kUdpBadLength, errors);
  packet.trim_back(packet.size() - header->length);
  if (const auto fault = checksum_fault(received, *header, packet)) {
    context.count(either(received.source, Counter::kUdpInCsumErrors, Counter::kUdp6InCsumErrors));
    return context.drop(*fault, errors);
  }
  if (header->destination_port == Port::kNone) return context.drop(DropReason::kUdpPortZero, errors);

  const Flow flow{{received.destination, header->destination_port},
                  {received.source, header->source_port},
                  received.interface.id()};
  if (!received.to_unicast) return deliver_to_all(*core_, flow, received, std::move(packet));
  SocketState* const socket = core_->demux.find(flow);
  if (socket == nullptr) {
    context.drop(DropReason::kUdpNoPort,
                 either(received.source, Counter::kUdpNoPorts, Counter::kUdp6NoPorts));
    return core_->ip.send_port_unreachable(received, packet);
  }
  enqueue(*core_, *socket, flow, received, std::move(packet));
}

bool UdpLayer::icmp_error(const ip::IcmpError& error) {
  wire::Reader reader(error.transport);
  const auto local = static_cast<Port>(reader.u16());
  const auto remote = static_cast<Port>(reader.u16());
  SocketState* const socket =
      reader.ok() ? core_->demux.find({{error.source, local}, {error.destination, remote}, InterfaceId::kAny})
                  : nullptr;
  if (socket == nullptr) {
    core_->context.drop(DropReason::kIcmpQuoteUnmatched);
    return false;
  }
  if (error.kind == ip::IcmpErrorKind::kRedirect) return true;
  const bool hears_all = socket->options.receive_errors;
  const bool is_wanted = socket->remote || hears_all;
  const bool is_news =
      error.kind != ip::IcmpErrorKind::kPacketTooBig || socket->options.dont_fragment || hears_all;
  if (socket->error_listener != nullptr) socket->error_listener->on_icmp_error(error);
  if (is_wanted && is_news) {
    socket->pending_error = error_for(error.kind);
    socket->notify();
  }
  return true;
}

}  // namespace transom::udp
