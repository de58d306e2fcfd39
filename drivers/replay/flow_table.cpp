#include "drivers/replay/flow_table.h"

#include "stack/wire/icmp.h"

namespace transom::drivers::replay {

std::pair<Endpoint, Endpoint> ends_of(const CapturedPacket& packet, const PacketView& view) {
  Endpoint source{view.source, Port::kNone}, destination{view.destination, Port::kNone};
  if (view.tcp) {
    source.port = view.tcp->source_port;
    destination.port = view.tcp->destination_port;
  } else if (view.udp) {
    source.port = view.udp->source_port;
    destination.port = view.udp->destination_port;
  } else if (const auto identifier = echo_identifier(packet, view)) {
    source.port = destination.port = Port{*identifier};
  }
  return {source, destination};
}

std::optional<std::uint16_t> echo_identifier(const CapturedPacket& packet, const PacketView& view) {
  if (!is_icmp(view.protocol)) return std::nullopt;
  if (view.fragment_offset != 0 || view.transport_offset > packet.octets.size()) return std::nullopt;
  wire::Reader reader(packet.octets.subspan(view.transport_offset));
  const auto header = wire::IcmpHeader::parse(reader);
  if (!header) return std::nullopt;
  const bool is_echo = view.protocol == IpProtocol::kIcmp ? header->type == 8 || header->type == 0
                                                          : header->type == 128 || header->type == 129;
  return is_echo ? std::optional(header->identifier()) : std::nullopt;
}

Place FlowTable::place(const CapturedPacket& packet, const PacketView& view) {
  const FragmentKey fragment{view.source, view.destination, view.protocol, view.identification};
  if (view.is_fragment && view.fragment_offset != 0) {
    if (const auto found = fragments_.find(fragment); found != fragments_.end()) return found->second;
  }
  const auto [source, destination] = ends_of(packet, view);
  const Place result = place(view.protocol, source, destination, view.tcp ? &*view.tcp : nullptr);
  if (view.is_fragment && view.fragment_offset == 0) {
    if (fragments_.size() >= kMaxFragments) fragments_.erase(fragments_.begin());
    fragments_.insert_or_assign(fragment, result);
  }
  return result;
}

std::optional<std::size_t> FlowTable::find(const CapturedPacket& packet, const PacketView& view) const {
  if (view.is_fragment && view.fragment_offset != 0) {
    const auto found = fragments_.find({view.source, view.destination, view.protocol, view.identification});
    return found != fragments_.end() ? std::optional(found->second.flow) : std::nullopt;
  }
  const auto [source, destination] = ends_of(packet, view);
  return find({view.protocol, {source, destination}});
}

std::optional<std::size_t> FlowTable::find(const Flow& flow) const {
  const auto found = current_.find(
      {flow.protocol, std::min(flow.ends[0], flow.ends[1]), std::max(flow.ends[0], flow.ends[1])});
  return found != current_.end() ? std::optional(found->second.flow) : std::nullopt;
}

bool FlowTable::begins_flow(const CapturedPacket& packet, const PacketView& view) const {
  if (view.is_fragment && view.fragment_offset != 0 && find(packet, view)) return false;
  const auto [source, destination] = ends_of(packet, view);
  const auto found =
      current_.find({view.protocol, std::min(source, destination), std::max(source, destination)});
  return found == current_.end() || begins_again(found->second, source, view.tcp ? &*view.tcp : nullptr);
}

bool FlowTable::begins_again(const Current& current, const Endpoint& source,
                             const wire::TcpHeader* tcp) const {
  if (tcp == nullptr || !tcp->flags.syn || tcp->flags.ack || !current.is_over()) return false;
  return current.syn[flows_[current.flow].ends[0] == source ? 0 : 1] != tcp->sequence;
}

Place FlowTable::place(IpProtocol protocol, const Endpoint& source, const Endpoint& destination,
                       const wire::TcpHeader* tcp) {
  const Key key{protocol, std::min(source, destination), std::max(source, destination)};
  auto found = current_.find(key);
  if (found != current_.end() && begins_again(found->second, source, tcp)) {
    current_.erase(found);
    found = current_.end();
  }
  if (found == current_.end()) {
    found = current_.emplace(key, Current{.flow = flows_.size(), .syn = {}}).first;
    flows_.push_back({protocol, {source, destination}});
  }
  Current& current = found->second;
  const Place place{current.flow, flows_[current.flow].ends[0] == source ? 0U : 1U};
  if (tcp != nullptr) {
    if (tcp->flags.syn && !current.syn[place.side]) current.syn[place.side] = tcp->sequence;
    if (tcp->flags.fin) current.fin[place.side] = true;
    if (tcp->flags.rst) current.was_reset = true;
  }
  return place;
}

}  // namespace transom::drivers::replay
