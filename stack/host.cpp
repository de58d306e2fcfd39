#include "stack/host.h"

#include <algorithm>

namespace transom {

Host::Host(BufferPool& pool, const HostConfig& config)
    : context_(pool, config.seed, config.start),
      link_(context_, config.link),
      ip_(context_, link_, config.ip),
      udp_(context_, ip_),
      tcp_(context_, ip_, config.tcp) {
  link::InterfaceConfig loopback;
  loopback.name = "lo";
  loopback.type = link::LinkType::kLoopback;
  loopback.mtu = 65535;
  loopback.offloads = {.checksum = true, .segment_ipv4 = true, .segment_ipv6 = true};
  loopback.conflict_detection.enabled = false;
  loopback.link_local = false;
  loopback_ = &link_.add_interface(loopback);
  (void)link_.add_address(*loopback_, {IpAddress::loopback(IpFamily::kIpv4), 8});
  (void)link_.add_address(*loopback_, {IpAddress::loopback(IpFamily::kIpv6), 128});
}

Host::~Host() = default;

InterfaceId Host::add_interface(const link::InterfaceConfig& config) {
  return link_.add_interface(config).id();
}

Result<void> Host::add_address(InterfaceId interface, const IpPrefix& address) {
  link::Interface* const found = link_.interface(interface);
  if (found == nullptr) return std::unexpected(Error::kNoSuchDevice);
  return link_.add_address(*found, address);
}

Result<void> Host::add_route(const IpPrefix& prefix, std::optional<IpAddress> gateway, InterfaceId interface,
                             std::uint32_t metric) {
  if (link_.interface(interface) == nullptr) return std::unexpected(Error::kNoSuchDevice);
  ip_.routes().add({.prefix = prefix.network(),
                    .gateway = gateway,
                    .interface = interface,
                    .metric = metric,
                    .source = std::nullopt});
  return {};
}

Result<link::Interface*> Host::ethernet(InterfaceId interface) {
  link::Interface* const found = link_.interface(interface);
  if (found == nullptr) return std::unexpected(Error::kNoSuchDevice);
  if (found->type() != link::LinkType::kEthernet) return std::unexpected(Error::kNotSupported);
  return found;
}

Result<void> Host::autoconfigure(InterfaceId interface, const ip::AutoconfigurationOptions& options) {
  const auto found = ethernet(interface);
  if (!found) return std::unexpected(found.error());
  ip_.router_discovery().start(**found, options);
  return {};
}

Result<void> Host::start_dhcp(InterfaceId interface, const dhcp::Config& config) {
  if (const auto found = ethernet(interface); !found) return std::unexpected(found.error());
  if (dhcp(interface) != nullptr) return {};
  dhcp_clients_.push_back(std::make_unique<dhcp::Client>(context_, link_, ip_, udp_, interface, config));
  ip_.add_address_listener([client = dhcp_clients_.back().get()] { client->follow_addresses(); });
  return {};
}

dhcp::Client* Host::dhcp(InterfaceId interface) {
  for (const auto& client : dhcp_clients_) {
    if (client->interface() == interface) return client.get();
  }
  return nullptr;
}

ip::DnsConfiguration Host::dns() {
  ip::DnsConfiguration all;
  const auto add = [](auto& list, const auto& items) {
    for (const auto& item : items) {
      if (std::ranges::find(list, item) == list.end()) list.push_back(item);
    }
  };
  for (const auto& client : dhcp_clients_) {
    if (!client->lease()) continue;
    add(all.servers, client->lease()->dns_servers);
    add(all.search_domains, client->lease()->search_domains);
  }
  for (const auto& interface : link_.interfaces()) {
    const ip::DnsConfiguration heard = ip_.router_discovery().dns(interface->id());
    add(all.servers, heard.servers);
    add(all.search_domains, heard.search_domains);
  }
  return all;
}

void Host::receive(InterfaceId interface, PacketQueue& frames, Instant now) {
  enter(now);
  if (link::Interface* const found = link_.interface(interface)) link_.receive(*found, frames);
  leave();
}

void Host::receive(InterfaceId interface, Packet frame, Instant now) {
  PacketQueue frames;
  frames.push(std::move(frame));
  receive(interface, frames, now);
}

void Host::advance(Instant now) {
  enter(now);
  context_.timers.advance(context_.now);
  leave();
}

Instant Host::next_deadline() const {
  if (!loopback_->transmit_queue().empty()) return context_.now;
  return context_.timers.next_deadline();
}

PacketQueue& Host::transmit_queue(InterfaceId interface) {
  return link_.interface(interface)->transmit_queue();
}

void Host::enter(Instant now) { context_.now = std::max(context_.now, now); }

void Host::leave() {
  tcp_.flush();
  loop_back();
}

void Host::set_observer(Observer* observer) { context_.observer = observer; }

void Host::loop_back() {
  // A conversation with oneself could go on for ever; what is left after this many packets waits for the next
  // call.
  constexpr int kMaxPackets = 1024;
  for (int i = 0; i < kMaxPackets; ++i) {
    Packet packet = loopback_->transmit_queue().pop();
    if (!packet) {
      tcp_.flush();
      if (loopback_->transmit_queue().empty()) return;
      continue;
    }
    link_.receive(*loopback_, std::move(packet));
  }
}

}  // namespace transom
