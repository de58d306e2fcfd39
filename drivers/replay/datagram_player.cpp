#include "drivers/replay/datagram_player.h"

#include <algorithm>

#include "stack/wire/icmp.h"

namespace transom::drivers::replay {

namespace {
constexpr std::size_t kMaxSockets = 4096;
constexpr std::size_t kMaxFragments = 1024;
}  // namespace

void DatagramPlayer::open(const Scene& scene, const Cast& cast) {
  for (std::size_t number = 0; number < scene.flows.size() && sockets_.size() < kMaxSockets; ++number) {
    const Flow& flow = scene.flows[number];
    const auto ours = cast.ours(number);
    if (flow.protocol != IpProtocol::kUdp || !ours) continue;
    const Endpoint& local = flow.ends[*ours];
    if (local.port == Port::kNone || scene.udp_refused.contains({local.address, local.port})) continue;
    if (sockets_.contains(local)) continue;
    auto socket = host_.udp().open(local.address.family());
    socket->options().broadcast = scene.broadcasts.contains(flow.ends[1 - *ours].address);
    if (socket->bind({.local = local, .reuse_address = true})) sockets_.emplace(local, std::move(socket));
  }
}

void DatagramPlayer::on_recorded(const CapturedPacket& packet, const PacketView& view) {
  if (view.transport_offset > packet.octets.size()) return;
  Bytes transport = packet.octets.subspan(view.transport_offset);
  transport = transport.first(std::min<std::size_t>(transport.size(), view.transport_length));
  if (!view.is_fragment) return send(view, transport);
  const FragmentKey key{view.source, view.destination, view.identification};
  if (!fragments_.contains(key) && fragments_.size() >= kMaxFragments) fragments_.erase(fragments_.begin());
  Fragments& fragments = fragments_[key];
  fragments.pieces.try_emplace(view.fragment_offset, transport.begin(), transport.end());
  if (view.fragment_offset == 0) {
    fragments.first = view;
    fragments.has_first = true;
  }
  if (!view.more_fragments) fragments.length = std::size_t{view.fragment_offset} + view.transport_length;
  if (!fragments.length || !fragments.has_first) return;
  std::vector<std::uint8_t> whole;
  for (const auto& [offset, octets] : fragments.pieces) {
    if (offset > whole.size()) return;  // not all are there
    if (offset + octets.size() <= whole.size()) continue;
    whole.insert(whole.end(), octets.begin() + static_cast<std::ptrdiff_t>(whole.size() - offset),
                 octets.end());
  }
  if (whole.size() < *fragments.length) return;
  const PacketView first = fragments.first;
  fragments_.erase(key);
  send(first, whole);
}

void DatagramPlayer::send(const PacketView& view, Bytes transport) {
  if (view.udp && transport.size() >= wire::UdpHeader::kSize)
    return send_udp(view, transport.subspan(wire::UdpHeader::kSize));
  send_echo(view, transport);
}

void DatagramPlayer::send_udp(const PacketView& view, Bytes payload) {
  const auto socket = sockets_.find({view.source, view.udp->source_port});
  if (socket == sockets_.end()) return;
  socket->second->options().ttl = view.hop_limit;
  socket->second->options().dont_fragment = view.dont_fragment;
  const auto sent = socket->second->send(
      {&payload, 1}, {.to = Endpoint{view.destination, view.udp->destination_port}, .source = view.source});
  ++(sent ? sent_ : refused_);
}

void DatagramPlayer::send_echo(const PacketView& view, Bytes message) {
  wire::Reader reader(message);
  const auto header = wire::IcmpHeader::parse(reader);
  const bool is_v4 = view.protocol == IpProtocol::kIcmp;
  if (!header || (!is_v4 && view.protocol != IpProtocol::kIcmpv6) || header->type != (is_v4 ? 8 : 128))
    return;
  const auto key = std::pair(view.family, header->identifier());
  auto found = echoes_.find(key);
  if (found == echoes_.end()) {
    if (echoes_.size() >= kMaxSockets) return;
    found =
        echoes_.emplace(key, std::make_unique<ip::EchoSocket>(host_.ip(), view.family, header->identifier()))
            .first;
  }
  const auto sent =
      found->second->send(view.destination, header->sequence(), reader.rest(), {.ttl = view.hop_limit});
  ++(sent ? sent_ : refused_);
}

void DatagramPlayer::read() {
  for (const auto& [local, socket] : sockets_) {
    while (socket->readiness().readable && socket->receive()) ++received_;
  }
  for (const auto& [key, socket] : echoes_) {
    while (socket->readiness().readable && socket->receive()) ++received_;
  }
}

}  // namespace transom::drivers::replay
