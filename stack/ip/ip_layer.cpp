#include "stack/ip/ip_layer.h"

#include "stack/base/ring.h"
#include "stack/ip/delivery.h"
#include "stack/ip/echo_sockets.h"
#include "stack/ip/forwarding.h"
#include "stack/ip/groups.h"
#include "stack/ip/icmp.h"
#include "stack/ip/icmp_errors.h"
#include "stack/ip/ipv4_input.h"
#include "stack/ip/ipv6_input.h"
#include "stack/ip/output.h"
#include "stack/ip/quoted_packet.h"
#include "stack/ip/raw_receivers.h"
#include "stack/ip/reassembly.h"
#include "stack/ip/redirects.h"
#include "stack/ip/router_discovery.h"
#include "stack/ip/routing.h"
#include "stack/wire/icmp.h"

namespace transom::ip {

// The parts, each built on those before it.
class IpLayer::Implementation {
 public:
  Implementation(Context& the_context, link::LinkLayer& the_link, const IpConfig& the_config)
      : context(the_context),
        link(the_link),
        config(the_config),
        addresses(link, routes),
        routing(context, link, routes, addresses),
        destinations(context, routes, routing, config.max_destinations),
        router_discovery(context, link, routes),
        redirects(context, config, addresses, destinations),
        path_mtu(context, config.path_mtu_timeout, config.min_path_mtu_v4),
        output(
            context, link, config, addresses, destinations, path_mtu,
            [this](link::Interface& interface, Packet packet) { receive_own(interface, std::move(packet)); }),
        errors(context, config, addresses, destinations, output),
        forwarding(context, config, addresses, destinations, output, errors),
        echo_sockets(context),
        groups(context, link, config),
        icmp(context, config, link, addresses, destinations, path_mtu, redirects, output, transports, raw,
             echo_sockets, groups),
        delivery(context, transports, raw, icmp, errors),
        reassembly(context, config, errors),
        ipv4(context, addresses, forwarding, reassembly, delivery),
        ipv6(context, addresses, forwarding, reassembly, delivery, errors) {
    transports.add(IpProtocol::kIgmp, groups);
  }

  void receive(link::Interface& interface, Packet packet) {
    if (packet.head().empty()) return context.drop(DropReason::kIpTruncated, Counter::kIpInHdrErrors);
    if (packet.head()[0] >> 4 == 6) return ipv6.receive(interface, std::move(packet));
    ipv4.receive(interface, std::move(packet));
  }
  void receive_own(link::Interface& interface, Packet packet) {
    if (packet.head()[0] >> 4 == 6) return ipv6.receive_own(interface, std::move(packet));
    ipv4.receive_own(interface, std::move(packet));
  }

  // RFC 1122 §3.2.2.1, RFC 4861 §7.2.2: as if a router had said "host unreachable".
  void report_unreachable(link::Interface& interface, const Packet& packet) {
    const auto quoted = parse_quoted_packet(packet.head());
    if (!quoted) return;
    const bool is_v4 = quoted->source.is_v4();
    for (const InterfaceId bound : {InterfaceId::kAny, interface.id()}) {
      const DestinationRef destination = destinations.find(quoted->destination, bound);
      if (!destination || redirects.give_up(*destination)) continue;
      if (destination->next_hop != quoted->destination)
        routing.gateway_failed(interface, destination->next_hop);
    }
    forwarding.report_unreachable(interface, *quoted, packet);
    if (!quoted->is_first) return;
    IcmpError error;
    error.kind = IcmpErrorKind::kHostUnreachable;
    error.type = is_v4 ? static_cast<std::uint8_t>(wire::IcmpType::kDestinationUnreachable)
                       : static_cast<std::uint8_t>(wire::Icmpv6Type::kDestinationUnreachable);
    error.code = is_v4 ? static_cast<std::uint8_t>(wire::IcmpUnreachable::kHost)
                       : static_cast<std::uint8_t>(wire::Icmpv6Unreachable::kAddress);
    error.reporter = quoted->source;
    icmp.deliver_error(error, *quoted);
  }

  // The link layer may give a packet up while it is being handed to it. A transport is told only when it is
  // out of send() again.
  void report_later(link::Interface& interface, Packet packet) {
    constexpr std::size_t kMaxFailed = 64;
    if (failed.size() >= kMaxFailed) return context.drop(DropReason::kNeighbourFailed);
    failed.push_back({&interface, std::move(packet)});
    failed_timer.start(context.timers, context.now);
  }
  void report_failed() {
    while (!failed.empty()) {
      const Failed first = std::move(failed.front());
      failed.pop_front();
      report_unreachable(*first.interface, first.packet);
    }
  }

  Context& context;
  link::LinkLayer& link;
  IpConfig config;
  RouteTable routes;
  Transports transports;
  RawReceivers raw;
  Addresses addresses;
  Routing routing;
  DestinationCache destinations;
  RouterDiscovery router_discovery;
  Redirects redirects;
  PathMtu path_mtu;
  Output output;
  IcmpErrors errors;
  Forwarding forwarding;
  EchoSockets echo_sockets;
  Groups groups;
  Icmp icmp;
  Delivery delivery;
  Reassembly reassembly;
  Ipv4Input ipv4;
  Ipv6Input ipv6;

  std::vector<std::function<void()>> address_listeners;

  struct Failed {
    link::Interface* interface = nullptr;
    Packet packet;
  };
  Ring<Failed> failed;
  Timer failed_timer{call_member<&Implementation::report_failed>, this};
};

IpLayer::IpLayer(Context& context, link::LinkLayer& link, const IpConfig& config)
    : implementation_(std::make_unique<Implementation>(context, link, config)) {
  link.set_network(*this);
  link.set_address_listener([this] {
    implementation_->addresses.update();
    implementation_->groups.follow_addresses();
    implementation_->router_discovery.follow_addresses();
    for (const auto& listener : implementation_->address_listeners) listener();
  });
  implementation_->addresses.update();
}

IpLayer::~IpLayer() = default;

void IpLayer::register_transport(IpProtocol protocol, Transport& transport) {
  implementation_->transports.add(protocol, transport);
}

const IpConfig& IpLayer::config() const { return implementation_->config; }
IpConfig& IpLayer::config() { return implementation_->config; }

RouteTable& IpLayer::routes() { return implementation_->routes; }
const RouteTable& IpLayer::routes() const { return implementation_->routes; }
bool IpLayer::is_local(const IpAddress& address) const {
  return implementation_->addresses.is_local(address);
}
bool IpLayer::is_unicast(const IpAddress& address) const {
  return implementation_->addresses.is_unicast(address);
}

Result<DestinationRef> IpLayer::destination(const IpAddress& address, InterfaceId bound) {
  return implementation_->destinations.get(address, bound);
}
bool IpLayer::refresh(Destination& destination) {
  return implementation_->destinations.refresh(destination).has_value();
}
std::uint32_t IpLayer::path_mtu(Destination& destination) {
  return implementation_->path_mtu.current(destination);
}
bool IpLayer::learn_path_mtu(Destination& destination, std::uint32_t mtu) {
  return implementation_->path_mtu.learn(destination, mtu);
}

Result<void> IpLayer::send(Destination& destination, const IpAddress& source, IpProtocol protocol,
                           Packet packet, const SendOptions& options) {
  return implementation_->output.send(destination, source, protocol, std::move(packet), options);
}

void IpLayer::choose_identifications(ChosenIdentifications* chosen) {
  implementation_->output.choose_identifications(chosen);
}

void IpLayer::confirm_reachable(Destination& destination) {
  if (destination.is_local || destination.is_multicast || destination.is_broadcast) return;
  implementation_->link.confirm_reachable(*destination.interface, destination.next_hop,
                                          &destination.neighbour);
}

void IpLayer::suspect(Destination& destination) {
  if (destination.is_local || destination.is_multicast || destination.is_broadcast) return;
  implementation_->link.suspect(*destination.interface, destination.next_hop);
}

void IpLayer::send_port_unreachable(const Received& received, Packet& packet) {
  packet.prepend(received.header_size);
  implementation_->errors.send(IcmpErrorMessage::port_unreachable(received.source.family()), received,
                               packet);
  packet.trim_front(received.header_size);
}

void IpLayer::receive(link::Interface& interface, Packet packet) {
  implementation_->receive(interface, std::move(packet));
}

void IpLayer::neighbour_failed(link::Interface& interface, Packet packet) {
  if (implementation_->output.is_sending())
    return implementation_->report_later(interface, std::move(packet));
  implementation_->report_unreachable(interface, packet);
}

bool IpLayer::redirected(link::Interface& interface, const IpAddress& router, const IpAddress& destination,
                         const IpAddress& target) {
  return implementation_->redirects.follow(interface, router, destination, target);
}

bool IpLayer::router_advertised(link::Interface& interface, const IpAddress& router,
                                const wire::RouterAdvertisement& advertisement) {
  return implementation_->router_discovery.receive(interface, router, advertisement);
}

RouterDiscovery& IpLayer::router_discovery() { return implementation_->router_discovery; }
const RouterDiscovery& IpLayer::router_discovery() const { return implementation_->router_discovery; }

void IpLayer::add_address_listener(std::function<void()> listener) {
  implementation_->address_listeners.push_back(std::move(listener));
}

Groups& IpLayer::groups() { return implementation_->groups; }
RawReceivers& IpLayer::raw_receivers() { return implementation_->raw; }
Result<void> IpLayer::send_with_header(Destination& destination, Packet packet) {
  return implementation_->output.send_with_header(destination, std::move(packet));
}

IpLayer::EchoSockets& IpLayer::echo_sockets() { return implementation_->echo_sockets; }

}  // namespace transom::ip
