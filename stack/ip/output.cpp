#include "stack/ip/output.h"

#include "stack/ip/extension_headers.h"
#include "stack/ip/fragmentation.h"
#include "stack/ip/ipv4_options.h"
#include "stack/ip/raw_output.h"

namespace transom::ip {

namespace {
constexpr std::size_t kMaxLength = 65535;  // of an IPv4 packet; of an IPv6 payload

std::size_t wire_size(const wire::Ipv4Header& header) { return header.size(); }
std::size_t wire_size(const wire::Ipv6Header&) { return wire::Ipv6Header::kSize; }
}  // namespace

Output::Output(Context& context, link::LinkLayer& link, const IpConfig& config, const Addresses& addresses,
               DestinationCache& destinations, const PathMtu& path_mtu, LoopCopy loop_copy)
    : context_(context),
      link_(link),
      config_(config),
      addresses_(addresses),
      destinations_(destinations),
      path_mtu_(path_mtu),
      loop_copy_(std::move(loop_copy)),
      identification_(context.random.key()) {}

Result<void> Output::send(Destination& destination, const IpAddress& source, IpProtocol protocol,
                          Packet packet, const SendOptions& options) {
  const bool is_v4 = destination.address.is_v4();
  context_.count(is_v4 ? Counter::kIpOutRequests : Counter::kIp6OutRequests);
  if (const auto usable = destinations_.refresh(destination); !usable) {
    context_.drop(DropReason::kIpNoRoute, is_v4 ? Counter::kIpOutNoRoutes : Counter::kIp6OutNoRoutes);
    return usable;
  }
  if (source != destination.source && !may_speak_from(destination, source)) {
    context_.drop(DropReason::kIpMartianSource, is_v4 ? Counter::kIpOutDiscards : Counter::kIp6OutDiscards);
    return std::unexpected(Error::kAddressNotAvailable);
  }
  return is_v4 ? send_ipv4(destination, source, protocol, std::move(packet), options)
               : send_ipv6(destination, source, protocol, std::move(packet), options);
}

Result<void> Output::send_with_header(Destination& destination, Packet packet) {
  const bool is_v4 = destination.address.is_v4();
  context_.count(is_v4 ? Counter::kIpOutRequests : Counter::kIp6OutRequests);
  if (const auto usable = destinations_.refresh(destination); !usable) {
    context_.drop(DropReason::kIpNoRoute, is_v4 ? Counter::kIpOutNoRoutes : Counter::kIp6OutNoRoutes);
    return usable;
  }
  if (packet.size() > destination.interface->mtu()) return too_long(is_v4);
  const Result<void> complete =
      is_v4 ? complete_ipv4_header(packet, destination.source, identification_.next_v4(destination))
            : (packet.head().size() >= wire::Ipv6Header::kSize ? Result<void>()
                                                               : std::unexpected(Error::kInvalidArgument));
  if (!complete) return complete;
  // What follows tells the families apart by it.
  if (packet.head()[0] >> 4 != (is_v4 ? 4 : 6)) return std::unexpected(Error::kInvalidArgument);
  transmit(destination, std::move(packet));
  return {};
}

// RFC 1122 §3.2.1.3: one of our own addresses, and 127/8 or ::1 only within the host.
bool Output::may_speak_from(const Destination& destination, const IpAddress& source) const {
  if (source.family() != destination.address.family()) return false;
  const bool stays = destination.interface->type() == link::LinkType::kLoopback;
  return addresses_.is_local(source) && (stays || !source.is_loopback());
}

// What goes out by the loopback interface comes back by itself.
bool Output::needs_copy(const Destination& destination, const SendOptions& options) {
  const bool comes_back = destination.interface->type() == link::LinkType::kLoopback;
  return options.loop && (!comes_back || options.stay_on_host);
}

template <typename Header>
void Output::loop_copy(Destination& destination, const Header& header, const Packet& payload) {
  if (!destination.is_multicast && !destination.is_broadcast) return;
  Packet copy = payload.clone();
  if (!copy) return;
  wire::Writer writer(copy.prepend(wire_size(header)));
  header.write(writer);
  copy.info().link_multicast = destination.is_multicast;
  copy.info().link_broadcast = destination.is_broadcast;
  loop_copy_(*destination.interface, std::move(copy));
}

Result<void> Output::send_ipv4(Destination& destination, const IpAddress& source, IpProtocol protocol,
                               Packet packet, const SendOptions& options) {
  wire::Ipv4Header header;
  header.options = options.ip_options;
  if (!header.options.empty() && !may_send_ipv4_options(header.options)) {
    context_.drop(DropReason::kIpBadOptions, Counter::kIpOutDiscards);
    return std::unexpected(Error::kInvalidArgument);
  }
  const std::size_t total = header.size() + packet.size();
  const std::uint16_t segment_size = packet.info().segment_size;
  const bool dont_fragment = options.dont_fragment && !destination.mtu_is_locked;
  const std::uint32_t mtu = path_mtu_.current(destination);
  if (total > kMaxLength || (total > mtu && segment_size == 0 && dont_fragment)) return too_long(true);

  header.traffic_class = options.traffic_class;
  header.total_length = static_cast<std::uint16_t>(total);
  header.dont_fragment = dont_fragment;
  header.ttl = options.ttl != 0 ? options.ttl : config_.default_ttl;
  header.protocol = protocol;
  header.source = source;
  header.destination = destination.address;
  const std::uint32_t packets =
      segment_size != 0 ? static_cast<std::uint32_t>(packet.size() / segment_size + 1) : 1;
  if (const auto chosen = identification_.chosen(
          {source, destination.address, protocol, dont_fragment, packet.head(), packets})) {
    header.identification = static_cast<std::uint16_t>(*chosen);
  } else if (segment_size != 0) {
    header.identification = Identification::next_run(destination, packets);
  } else if (!dont_fragment) {
    header.identification = identification_.next_v4(destination);
  }  // else zero: RFC 6864 §4.1, an atomic datagram needs none

  if (needs_copy(destination, options)) loop_copy(destination, header, packet);
  if (options.stay_on_host) return {};
  if (total > mtu && segment_size == 0) {
    complete_transport_checksum(packet);
    PacketQueue fragments;
    if (!fragment_ipv4(header, packet, mtu, fragments)) {
      context_.drop(DropReason::kNoBuffers, Counter::kIpFragFails);
      return std::unexpected(Error::kNoBuffers);
    }
    context_.count(Counter::kIpFragOKs);
    context_.count(Counter::kIpFragCreates, fragments.size());
    send_fragments(destination, std::move(fragments));
    return {};
  }
  wire::Writer writer(packet.prepend(header.size()));
  header.write(writer);
  transmit(destination, std::move(packet));
  return {};
}

Result<void> Output::send_ipv6(Destination& destination, const IpAddress& source, IpProtocol protocol,
                               Packet packet, const SendOptions& options) {
  ExtensionChain chain{.first = protocol};
  if (options.extension_headers != nullptr) {
    if (packet.size() + options.extension_headers->size() > kMaxLength) return too_long(false);
    const auto longer = prepend_extension_headers(packet, *options.extension_headers, protocol);
    if (!longer) {
      context_.drop(DropReason::kNoBuffers, Counter::kIp6OutDiscards);
      return std::unexpected(Error::kNoBuffers);
    }
    chain = *longer;
  }
  const std::size_t total = wire::Ipv6Header::kSize + packet.size();
  const bool is_super_segment = packet.info().segment_size != 0;
  const std::uint32_t mtu = path_mtu_.current(destination);
  if (packet.size() > kMaxLength || (total > mtu && !is_super_segment && options.dont_fragment))
    return too_long(false);

  wire::Ipv6Header header;
  header.traffic_class = options.traffic_class;
  header.flow_label = options.flow_label;
  header.payload_length = static_cast<std::uint16_t>(packet.size());
  header.next_header = chain.first;
  const std::uint8_t advertised = destination.interface->advertised().hop_limit;
  header.hop_limit = options.ttl != 0 ? options.ttl : advertised != 0 ? advertised : config_.default_ttl;
  header.source = source;
  header.destination = destination.address;
  if (needs_copy(destination, options)) loop_copy(destination, header, packet);
  if (options.stay_on_host) return {};
  if (total > mtu && !is_super_segment) {
    constexpr std::size_t kFragmentAtLeast = wire::Ipv6Header::kSize + wire::Ipv6FragmentHeader::kSize + 8;
    if (kFragmentAtLeast + chain.unfragmentable > mtu) return too_long(false);
    complete_transport_checksum(packet);
    std::optional<std::uint32_t> identification;
    if (options.extension_headers == nullptr)
      identification = identification_.chosen({source, destination.address, protocol, false, packet.head()});
    if (!identification) identification = identification_.next_v6(destination);
    PacketQueue fragments;
    if (!fragment_ipv6(header, *identification, packet, mtu, fragments, chain)) {
      context_.drop(DropReason::kNoBuffers, Counter::kIp6FragFails);
      return std::unexpected(Error::kNoBuffers);
    }
    context_.count(Counter::kIp6FragOKs);
    context_.count(Counter::kIp6FragCreates, fragments.size());
    send_fragments(destination, std::move(fragments));
    return {};
  }
  wire::Writer writer(packet.prepend(wire::Ipv6Header::kSize));
  header.write(writer);
  transmit(destination, std::move(packet));
  return {};
}

Result<void> Output::too_long(bool is_v4) {
  context_.drop(DropReason::kIpNeedsFragmentation, is_v4 ? Counter::kIpFragFails : Counter::kIp6FragFails);
  return std::unexpected(Error::kMessageTooLong);
}

void Output::send_fragments(Destination& destination, PacketQueue fragments) {
  while (Packet fragment = fragments.pop()) transmit(destination, std::move(fragment));
}

void Output::count_out(const Destination& destination, std::size_t octets) {
  const bool is_v4 = destination.address.is_v4();
  context_.count(is_v4 ? Counter::kIpExtOutOctets : Counter::kIp6OutOctets, octets);
  if (destination.is_multicast)
    context_.count(is_v4 ? Counter::kIpExtOutMcastPkts : Counter::kIp6OutMcastPkts);
  if (destination.is_broadcast) context_.count(Counter::kIpExtOutBcastPkts);
}

void Output::transmit(Destination& destination, Packet packet) {
  count_out(destination, packet.size());
  ++sending_;
  if (destination.is_multicast) {
    link_.send_multicast(*destination.interface, std::move(packet), destination.address);
  } else if (destination.is_broadcast) {
    link_.send_broadcast(*destination.interface, std::move(packet));
  } else {
    link_.send(*destination.interface, std::move(packet), destination.next_hop, &destination.neighbour);
  }
  --sending_;
}

}  // namespace transom::ip
