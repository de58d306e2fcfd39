#include "stack/link/link_layer.h"

#include "stack/link/address_book.h"
#include "stack/link/arp.h"
#include "stack/link/coalescing.h"
#include "stack/link/frame_sender.h"
#include "stack/link/ndp.h"
#include "stack/link/neighbour_cache.h"

namespace transom::link {

class LinkLayer::Implementation final : public NeighbourResolver {
 public:
  Implementation(Context& context, const LinkConfig& config)
      : context_(context),
        config_(config),
        sender_(context),
        arp_(context, sender_),
        ndp_(context, sender_),
        addresses_(context, arp_, ndp_) {}

  Interface& add_interface(const InterfaceConfig& config);
  NeighbourCache& neighbours_of(const Interface& interface) {
    return *caches_[static_cast<std::size_t>(interface.id()) - 1];
  }

  std::uint64_t see(Interface& interface, const Packet& frame);
  void receive(Interface& interface, Packet frame);
  void receive_ethernet(Interface& interface, Packet frame);
  void receive_ip(Interface& interface, Packet packet);
  void solicit(Interface& interface, const IpAddress& address, const MacAddress* known) override;
  void transmit(Interface& interface, Packet packet, const MacAddress& destination) override;
  void failed(Interface& interface, Packet packet) override;

  Context& context_;
  LinkConfig config_;
  NetworkReceiver* network_ = nullptr;
  FrameSender sender_;
  Arp arp_;
  Ndp ndp_;
  AddressBook addresses_;
  std::vector<std::unique_ptr<Interface>> interfaces_;
  std::vector<std::unique_ptr<NeighbourCache>> caches_;

 private:
  std::optional<DropReason> why_not_for_us(const Interface& interface, const wire::EthernetHeader& header,
                                           const Packet& frame) const;
  void discard(Interface& interface, DropReason reason);
};

// ---------------------------------------------------------------- interfaces

Interface& LinkLayer::Implementation::add_interface(const InterfaceConfig& config) {
  const auto id = static_cast<InterfaceId>(interfaces_.size() + 1);
  interfaces_.push_back(std::make_unique<Interface>(id, config));
  Interface& interface = *interfaces_.back();
  caches_.push_back(std::make_unique<NeighbourCache>(context_, config_, interface, *this));
  constexpr std::uint32_t kMinIpv6Mtu = 1280;
  if (config.type == LinkType::kEthernet && config.link_local && config.mtu >= kMinIpv6Mtu) {
    // RFC 4862 §5.3. It cannot be in use on an interface that is new.
    (void)addresses_.add(interface, {link_local_address(config.mac), 64});
  }
  return interface;
}

// ---------------------------------------------------------------- in

void LinkLayer::Implementation::discard(Interface& interface, DropReason reason) {
  ++interface.statistics().rx_dropped;
  context_.drop(reason, Counter::kLinkInDiscards);
}

// The reason to drop a frame for its Ethernet header alone.
std::optional<DropReason> LinkLayer::Implementation::why_not_for_us(const Interface& interface,
                                                                    const wire::EthernetHeader& header,
                                                                    const Packet& frame) const {
  if (header.source.is_group()) return DropReason::kFrameGroupSource;
  if (header.source == interface.mac()) return DropReason::kFrameOwnSource;
  if (!header.destination.is_group() && header.destination != interface.mac()) {
    return DropReason::kFrameNotForUs;
  }
  // One tag, and only a priority tag: we are on no VLAN. A second one is left for nobody (CVE-2021-27853).
  if (header.type == wire::EtherType::kVlan) return DropReason::kFrameNestedTag;
  if (header.tag && header.tag->id != 0) return DropReason::kFrameForeignTag;
  const std::size_t longest = interface.mtu() + header.size();
  if (frame.size() > longest && frame.info().segment_size == 0) return DropReason::kFrameTooLong;
  return std::nullopt;
}

// Counts a frame that has come in, and shows it to whoever wants to see it. Returns the event's id.
std::uint64_t LinkLayer::Implementation::see(Interface& interface, const Packet& frame) {
  context_.count(Counter::kLinkInFrames);
  ++interface.statistics().rx_packets;
  interface.statistics().rx_bytes += frame.size();
  const std::uint64_t event = context_.tell(
      PacketEvent{Direction::kIn, interface.id(), interface.type() == LinkType::kEthernet, frame});
  sender_.taps.show(Direction::kIn, interface, frame);
  return event;
}

void LinkLayer::Implementation::receive(Interface& interface, Packet frame) {
  if (interface.type() == LinkType::kEthernet) {
    receive_ethernet(interface, std::move(frame));
  } else {
    receive_ip(interface, std::move(frame));
  }
}

void LinkLayer::Implementation::receive_ethernet(Interface& interface, Packet frame) {
  wire::Reader reader(frame.head());
  const auto header = wire::EthernetHeader::parse(reader);
  if (!header) return discard(interface, DropReason::kFrameTooShort);
  if (const auto reason = why_not_for_us(interface, *header, frame)) return discard(interface, *reason);
  frame.info().link_broadcast = header->destination.is_broadcast();
  frame.info().link_multicast = header->destination.is_group() && !header->destination.is_broadcast();
  frame.trim_front(header->size());
  switch (header->type) {
    case wire::EtherType::kArp:
      return arp_.receive(interface, neighbours_of(interface), addresses_, frame.head());
    case wire::EtherType::kIpv4:
    case wire::EtherType::kIpv6: {
      // RFC 1122 §3.2.1.1: what the type says and what the version says must agree.
      const unsigned version = frame.head().empty() ? 0 : frame.head()[0] >> 4;
      if (version != (header->type == wire::EtherType::kIpv4 ? 4U : 6U)) {
        return discard(interface, DropReason::kIpBadVersion);
      }
      if (version == 6 && interface.ipv6_is_stopped()) return discard(interface, DropReason::kInterfaceDown);
      return network_->receive(interface, std::move(frame));
    }
    default:  // 802.3 lengths (RFC 1042) among them
      context_.count(Counter::kLinkInUnknownTypes);
      return discard(interface, DropReason::kFrameUnknownType);
  }
}

void LinkLayer::Implementation::receive_ip(Interface& interface, Packet packet) {
  const unsigned version = packet.head().empty() ? 0 : packet.head()[0] >> 4;
  if (version != 4 && version != 6) return discard(interface, DropReason::kIpBadVersion);
  // There is one peer. A packet that came back over the loopback may still say how it arrived before.
  packet.info().link_broadcast = packet.info().link_multicast = false;
  network_->receive(interface, std::move(packet));
}

// ---------------------------------------------------------------- NeighbourResolver

void LinkLayer::Implementation::solicit(Interface& interface, const IpAddress& address,
                                        const MacAddress* known) {
  if (address.is_v4()) {
    arp_.request(interface, address, known);
  } else {
    ndp_.solicit(interface, address, known);
  }
}

void LinkLayer::Implementation::transmit(Interface& interface, Packet packet, const MacAddress& destination) {
  sender_.send_ip(interface, std::move(packet), destination);
}

void LinkLayer::Implementation::failed(Interface& interface, Packet packet) {
  network_->neighbour_failed(interface, std::move(packet));
}

// ---------------------------------------------------------------- LinkLayer

LinkLayer::LinkLayer(Context& context, const LinkConfig& config)
    : implementation_(std::make_unique<Implementation>(context, config)) {}

LinkLayer::~LinkLayer() = default;

const LinkConfig& LinkLayer::config() const { return implementation_->config_; }
LinkConfig& LinkLayer::config() { return implementation_->config_; }

void LinkLayer::set_network(NetworkReceiver& network) { implementation_->network_ = &network; }

Interface& LinkLayer::add_interface(const InterfaceConfig& config) {
  return implementation_->add_interface(config);
}

Interface* LinkLayer::interface(InterfaceId id) {
  const auto number = static_cast<std::size_t>(id);
  return number >= 1 && number <= implementation_->interfaces_.size()
             ? implementation_->interfaces_[number - 1].get()
             : nullptr;
}

std::span<const std::unique_ptr<Interface>> LinkLayer::interfaces() const {
  return implementation_->interfaces_;
}

Result<void> LinkLayer::add_address(Interface& interface, const IpPrefix& address,
                                    const AddressTraits& traits) {
  return implementation_->addresses_.add(interface, address, traits);
}

void LinkLayer::set_deprecated(Interface& interface, const IpAddress& address, bool is_deprecated) {
  implementation_->addresses_.set_deprecated(interface, address, is_deprecated);
}

Result<void> LinkLayer::remove_address(Interface& interface, const IpAddress& address) {
  return implementation_->addresses_.remove(interface, address);
}

void LinkLayer::set_address_listener(std::function<void()> listener) {
  implementation_->addresses_.set_listener(std::move(listener));
}

void LinkLayer::receive(Interface& interface, Packet frame) {
  const CauseScope scope(implementation_->context_, implementation_->see(interface, frame));
  implementation_->receive(interface, std::move(frame));
}

void LinkLayer::receive(Interface& interface, PacketQueue& frames) {
  Packet frame = frames.pop();
  while (frame) {
    std::uint64_t seen = implementation_->see(interface, frame);
    SegmentRun run(implementation_->context_.pool, interface.ip_offset(), std::move(frame));
    while ((frame = frames.pop()) && interface.config().coalesce && run.join(frame))
      seen = implementation_->see(interface, frame);
    const CauseScope scope(implementation_->context_, seen);
    implementation_->receive(interface, std::move(run).take());
  }
}

void LinkLayer::send(Interface& interface, Packet packet, const IpAddress& next_hop,
                     NeighbourHandle* handle) {
  if (interface.type() != LinkType::kEthernet) {
    return implementation_->sender_.send_ip(interface, std::move(packet), MacAddress());
  }
  implementation_->neighbours_of(interface).send(std::move(packet), next_hop, handle);
}

void LinkLayer::send_multicast(Interface& interface, Packet packet, const IpAddress& group) {
  implementation_->sender_.send_ip(interface, std::move(packet), wire::multicast_mac(group));
}

void LinkLayer::send_broadcast(Interface& interface, Packet packet) {
  implementation_->sender_.send_ip(interface, std::move(packet), MacAddress::broadcast());
}

Result<void> LinkLayer::send_frame(Interface& interface, Packet frame) {
  return implementation_->sender_.send_frame(interface, std::move(frame));
}

void LinkLayer::add_tap(FrameTap& tap) { implementation_->sender_.taps.add(tap); }
void LinkLayer::remove_tap(FrameTap& tap) { implementation_->sender_.taps.remove(tap); }

void LinkLayer::receive_ndp(Interface& interface, const NdpContext& context, Bytes message) {
  if (interface.type() != LinkType::kEthernet) return;  // nothing to discover on such a link
  implementation_->ndp_.receive(interface, implementation_->neighbours_of(interface),
                                implementation_->addresses_, *implementation_->network_, context, message);
}

void LinkLayer::solicit_routers(Interface& interface) {
  if (interface.type() == LinkType::kEthernet) implementation_->ndp_.solicit_routers(interface);
}

void LinkLayer::confirm_reachable(Interface& interface, const IpAddress& next_hop, NeighbourHandle* handle) {
  if (interface.type() == LinkType::kEthernet)
    implementation_->neighbours_of(interface).confirm(next_hop, handle);
}

void LinkLayer::suspect(Interface& interface, const IpAddress& next_hop) {
  if (interface.type() == LinkType::kEthernet) implementation_->neighbours_of(interface).suspect(next_hop);
}

std::vector<NeighbourInfo> LinkLayer::neighbours() const {
  std::vector<NeighbourInfo> all;
  for (const auto& cache : implementation_->caches_) cache->list(all);
  return all;
}

Result<void> LinkLayer::set_permanent(Interface& interface, const IpAddress& address, const MacAddress& mac) {
  if (interface.type() != LinkType::kEthernet || mac.is_group() || address.is_multicast()) {
    return std::unexpected(Error::kInvalidArgument);
  }
  if (!implementation_->neighbours_of(interface).set_permanent(address, mac)) {
    return std::unexpected(Error::kNoBuffers);
  }
  return {};
}

Result<void> LinkLayer::forget(Interface& interface, const IpAddress& address) {
  if (!implementation_->neighbours_of(interface).forget(address))
    return std::unexpected(Error::kAddressNotAvailable);
  return {};
}

}  // namespace transom::link
