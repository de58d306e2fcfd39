#include "drivers/replay/feed_host.h"

#include <algorithm>

#include "drivers/congestion_plugin.h"

namespace transom::drivers::replay {

namespace {
const MacAddress kOurMac({2, 0, 0, 0, 0, 1});
const MacAddress kPeerMac({2, 0, 0, 0, 0, 2});
constexpr std::size_t kBacklog = 4096;
}  // namespace

FeedHost::FeedHost(const Scene& scene, const Cast& cast, const FeedHostOptions& options)
    : scene_(scene),
      cast_(cast),
      our_mac_(our_mac()),
      has_ethernet_(our_mac_.has_value()),
      neighbours_(their_macs(), a_peer_mac()),
      host_(pool_, config(options)) {
  link::InterfaceConfig interface;
  interface.name = "replay";
  interface.type = has_ethernet_ ? link::LinkType::kEthernet : link::LinkType::kPointToPoint;
  interface.mac = our_mac_.value_or(MacAddress());
  interface.mtu = mtu();
  interface.conflict_detection.enabled = false;
  interface.link_local = false;
  interface.transmit_limit = 1 << 16;
  interface_ = host_.add_interface(interface);
  for (const IpAddress& address : cast_.our_addresses())
    (void)host_.add_address(interface_, {address, prefix_of(address)});
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6})
    (void)host_.add_route({IpAddress::any(family), 0}, std::nullopt, interface_);
  if (!options.congestion_control.empty()) {
    const auto chosen = choose_congestion_control(host_.tcp(), options.congestion_control);
    if (chosen) host_.tcp().set_standard_congestion_control(**chosen);
  }
  host_.set_observer(options.observer);
}

HostConfig FeedHost::config(const FeedHostOptions& options) {
  HostConfig config;
  config.seed = seed_from_number(options.seed);
  config.ip.report_groups = false;
  config.ip.icmp_errors_per_second = 1'000'000;
  config.link.max_pending_packets = 64;
  return config;
}

std::map<IpAddress, MacAddress> FeedHost::their_macs() const {
  std::map<IpAddress, MacAddress> macs;
  for (const auto& [address, mac] : scene_.macs)
    if (!cast_.is_ours(address)) macs.emplace(address, mac);
  return macs;
}

MacAddress FeedHost::a_peer_mac() const {
  for (const IpAddress& address : cast_.their_addresses())
    if (const auto found = scene_.macs.find(address); found != scene_.macs.end()) return found->second;
  return kPeerMac;
}

// Where the capture has none, as our end only got broadcasts, any will do.
std::optional<MacAddress> FeedHost::our_mac() const {
  if (scene_.link_type != LinkType::kEthernet || scene_.has_tags) return std::nullopt;
  for (const auto* macs : {&scene_.macs, &scene_.sent_to}) {
    for (const IpAddress& address : cast_.our_addresses()) {
      const auto found = macs->find(address);
      if (found != macs->end()) return found->second.is_zero() ? std::nullopt : std::optional(found->second);
    }
  }
  return kOurMac;
}

// Of a network whose broadcast address was seen; else of one host.
std::uint8_t FeedHost::prefix_of(const IpAddress& address) const {
  for (const IpAddress& broadcast : scene_.broadcasts) {
    for (std::uint8_t length = 30; address.is_v4() && length >= 8; --length) {
      const IpPrefix prefix{address, length};
      if (prefix.directed_broadcast() == broadcast) return length;
    }
  }
  return static_cast<std::uint8_t>(address.bits());
}

// What lets our ends announce the MSS that they announced, and send what they sent.
std::uint32_t FeedHost::mtu() const {
  std::uint32_t mtu = 0;
  for (const auto& [number, facts] : scene_.tcp) {
    const auto ours = cast_.ours(number);
    if (!ours || !facts.ends[*ours].syn_options.maximum_segment_size) continue;
    const std::uint32_t headers = scene_.flows[number].ends[0].address.is_v4() ? 40 : 60;
    mtu = std::max(mtu, *facts.ends[*ours].syn_options.maximum_segment_size + headers);
  }
  if (mtu == 0) mtu = 1500;
  return std::min(std::max({mtu, scene_.longest[0], scene_.longest[1]}), 65535U);
}

bool FeedHost::receive(const CapturedPacket& packet, const PacketView* view, Instant now) {
  Bytes octets = packet.octets;
  if (!has_ethernet_ && view != nullptr) octets = octets.subspan(view->network_offset);
  Packet frame = pool_.copy_of(octets);
  if (!frame) return false;
  if (!has_ethernet_ && packet.link_type == LinkType::kEthernet && packet.octets.size() >= 6) {
    const bool is_group = (packet.octets[0] & 1U) != 0;
    frame.info().link_broadcast = is_group && packet.octets[0] == 0xff;
    frame.info().link_multicast = is_group && packet.octets[0] != 0xff;
  }
  if (view != nullptr && view->transport_checksum == ChecksumVerdict::kUnfilled)
    frame.info().checksum = transom::ChecksumState::kVerified;
  host_.receive(interface_, std::move(frame), now);
  return true;
}

std::optional<CapturedPacket> FeedHost::next_sent(Packet& packet, Instant now) {
  PacketQueue& queue = host_.transmit_queue(interface_);
  while (!queue.empty()) {
    packet = queue.pop();
    if (!packet.linearize()) continue;
    if (has_ethernet_) {
      if (const auto answer = neighbours_.answer_to(packet.head())) {
        host_.receive(interface_, pool_.copy_of(*answer), now);
        continue;
      }
    }
    CapturedPacket captured;
    captured.number = ++sent_;
    captured.time = scene_.begin + now.time_since_epoch();
    captured.link_type = has_ethernet_ ? LinkType::kEthernet : LinkType::kRaw;
    captured.octets = packet.head();
    captured.original_length = static_cast<std::uint32_t>(packet.head().size());
    captured.is_outgoing = true;
    return captured;
  }
  return std::nullopt;
}

void FeedHost::open_port(const Endpoint& local) {
  if (listeners_.contains(local)) return;
  auto hold = host_.tcp().bind({.local = local, .reuse_address = true});
  if (!hold) return;
  if (auto listener = host_.tcp().listen(*hold, kBacklog, {})) listeners_.emplace(local, *listener);
}

void FeedHost::close_port(const Endpoint& local) {
  const auto found = listeners_.find(local);
  if (found == listeners_.end()) return;
  found->second->close();
  listeners_.erase(found);
}

tcp::Listener* FeedHost::listener_of(const Endpoint& local) const {
  const auto found = listeners_.find(local);
  return found != listeners_.end() ? found->second : nullptr;
}

}  // namespace transom::drivers::replay
