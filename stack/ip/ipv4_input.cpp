#include "stack/ip/ipv4_input.h"

#include <optional>

#include "stack/ip/ipv4_options.h"

namespace transom::ip {

namespace {

constexpr std::size_t kProtocolOffset = 9;

DropReason reason_for(wire::ParseError error) {
  switch (error) {
    case wire::ParseError::kBadVersion:
      return DropReason::kIpBadVersion;
    case wire::ParseError::kBadLength:
      return DropReason::kIpBadHeaderLength;
    default:
      return DropReason::kIpTruncated;
  }
}

// RFC 1858 §3, RFC 3128: fragments of TCP that no sender makes, only those who want to get past a filter.
bool is_tiny_fragment(const wire::Ipv4Header& header) {
  constexpr std::size_t kMinTcpHeader = 20;
  if (header.protocol != IpProtocol::kTcp) return false;
  return header.fragment_offset == 8 ||
         (header.fragment_offset == 0 && header.payload_size() < kMinTcpHeader);
}

bool has_router_alert(Bytes options) {
  wire::Ipv4OptionWalk walk(options);
  wire::Ipv4Option option;
  while (walk.next(option)) {
    if (option.type == wire::Ipv4Option::kRouterAlert) return true;
  }
  return false;
}

}  // namespace

void Ipv4Input::receive(link::Interface& interface, Packet packet) {
  context_.count(Counter::kIpInReceives);
  context_.count(Counter::kIpExtInOctets, packet.size());
  wire::Ipv4Header header;
  if (!parse(packet, header) || !accept_source(interface, header)) return;
  const Addressed whom = addressed(interface, header);
  if (whom == Addressed::kToOthers && forwarding_.is_enabled()) {
    if (header.options.empty() || accept_options(header.options))
      forwarding_.forward(interface, header, std::move(packet));
    return;
  }
  if (!accept_destination(interface, header, packet.info(), whom)) return;
  const bool to_unicast =
      whom == Addressed::kToUs && !packet.info().link_broadcast && !packet.info().link_multicast;
  process(interface, header, to_unicast, std::move(packet));
}

void Ipv4Input::receive_own(link::Interface& interface, Packet packet) {
  wire::Ipv4Header header;
  if (!parse(packet, header) || addressed(interface, header) != Addressed::kToGroup) return;
  process(interface, header, false, std::move(packet));
}

// RFC 1122 §3.2.1.1, §3.2.1.2. Takes off what the link has padded.
bool Ipv4Input::parse(Packet& packet, wire::Ipv4Header& header) const {
  wire::Reader reader(packet.head());
  const auto parsed = wire::Ipv4Header::parse_quoted(reader);
  if (!parsed) {
    drop_header_error(reason_for(parsed.error()));
    return false;
  }
  if (parsed->total_length > packet.size()) {
    context_.count(Counter::kIpExtInTruncatedPkts);
    context_.drop(DropReason::kIpBadTotalLength);
    return false;
  }
  if (!wire::Ipv4Header::has_valid_checksum(packet.head().first(reader.position()))) {
    context_.count(Counter::kIpExtInCsumErrors);
    drop_header_error(DropReason::kIpBadChecksum);
    return false;
  }
  packet.trim_back(packet.size() - parsed->total_length);
  header = *parsed;
  return true;
}

// RFC 1122 §3.2.1.3, RFC 1812 §5.3.7: a source that is one host, and not this one. Packets come in flows, so
// the last verdict is remembered for as long as our addresses stay.
bool Ipv4Input::accept_source(const link::Interface& interface, const wire::Ipv4Header& header) {
  const IpAddress& source = header.source;
  const AcceptedSource asked{source, interface.id(), addresses_.generation()};
  if (asked == last_accepted_) return true;
  const bool is_loopback = interface.type() == link::LinkType::kLoopback;
  // A switch that asks for members has no address of its own (RFC 4541 §2.1.1).
  const bool is_igmp_from_nobody = header.protocol == IpProtocol::kIgmp && source == IpAddress::v4(0);
  if ((is_reserved(source) && !is_igmp_from_nobody) || source.is_multicast() ||
      interface.is_directed_broadcast(source) || (source.is_loopback() && !is_loopback)) {
    context_.drop(DropReason::kIpMartianSource, Counter::kIpInAddrErrors);
    return false;
  }
  if (!is_loopback && addresses_.is_local(source)) {
    context_.drop(DropReason::kIpOwnSource, Counter::kIpInAddrErrors);
    return false;
  }
  if (!is_igmp_from_nobody) last_accepted_ = asked;
  return true;
}

Ipv4Input::Addressed Ipv4Input::addressed(const link::Interface& interface,
                                          const wire::Ipv4Header& header) const {
  const IpAddress& destination = header.destination;
  if (interface.usable_address(destination) != nullptr) return Addressed::kToUs;
  if (destination.is_multicast())
    return interface.is_member(destination) ? Addressed::kToGroup : Addressed::kToOthers;
  if (destination.is_limited_broadcast() || interface.is_directed_broadcast(destination))
    return Addressed::kToGroup;
  const bool is_loopback = interface.type() == link::LinkType::kLoopback;  // all of 127/8 is ours there
  const bool takes_all = is_loopback || (forwarding_.is_enabled() && !destination.is_loopback());
  const bool is_ours = takes_all && addresses_.is_local(destination);
  return is_ours ? Addressed::kToUs : Addressed::kToOthers;
}

bool Ipv4Input::accept_destination(const link::Interface& interface, const wire::Ipv4Header& header,
                                   const PacketInfo& info, Addressed addressed) const {
  const IpAddress& destination = header.destination;
  if (destination.is_loopback() && interface.type() != link::LinkType::kLoopback) {
    context_.drop(DropReason::kIpMartianDestination, Counter::kIpInAddrErrors);
    return false;
  }
  if (addressed == Addressed::kToOthers) {
    context_.drop(DropReason::kIpNotForUs, Counter::kIpInAddrErrors);
    return false;
  }
  if (addressed == Addressed::kToUs) {
    if (!info.link_broadcast) return true;
    context_.drop(DropReason::kIpUnicastInLinkBroadcast, Counter::kIpInDiscards);  // RFC 1122 §3.3.6
    return false;
  }
  context_.count(destination.is_multicast() ? Counter::kIpExtInMcastPkts : Counter::kIpExtInBcastPkts);
  return true;
}

// Nothing is ever copied out of any.
bool Ipv4Input::accept_options(Bytes options) const {
  switch (judge_ipv4_options(options)) {
    case Ipv4OptionsVerdict::kLegal:
      return true;
    case Ipv4OptionsVerdict::kSourceRoute:
      drop_header_error(DropReason::kIpSourceRouted);
      return false;
    case Ipv4OptionsVerdict::kMalformed:
      break;
  }
  drop_header_error(DropReason::kIpBadOptions);
  return false;
}

void Ipv4Input::process(link::Interface& interface, const wire::Ipv4Header& header, bool to_unicast,
                        Packet packet) {
  if (!header.options.empty() && !accept_options(header.options)) return;
  if (header.is_fragment()) {
    packet = reassemble(interface, header, to_unicast, std::move(packet));
    if (!packet) return;
    wire::Ipv4Header whole;
    // Not a fragment any more: this goes one level deep.
    if (parse(packet, whole)) process(interface, whole, to_unicast, std::move(packet));
    return;
  }
  const Received received{.interface = interface,
                          .source = header.source,
                          .destination = header.destination,
                          .protocol = header.protocol,
                          .ttl = header.ttl,
                          .traffic_class = header.traffic_class,
                          .to_unicast = to_unicast,
                          .header_size = static_cast<std::uint16_t>(header.size()),
                          .router_alert = has_router_alert(header.options),
                          .options = header.options};
  delivery_.deliver(received, kProtocolOffset, std::move(packet));
}

Packet Ipv4Input::reassemble(link::Interface& interface, const wire::Ipv4Header& header, bool to_unicast,
                             Packet packet) {
  const Fragment fragment{.interface = interface,
                          .source = header.source,
                          .destination = header.destination,
                          .identification = header.identification,
                          .protocol = header.protocol,
                          .offset = header.fragment_offset,
                          .more_fragments = header.more_fragments,
                          .ecn = static_cast<std::uint8_t>(header.traffic_class & 3U),
                          .to_unicast = to_unicast,
                          .header_size = header.size()};
  std::optional<DropReason> reason;
  switch (Reassembly::check(fragment, packet.size())) {
    case Reassembly::Fault::kNone:
      break;
    case Reassembly::Fault::kEmpty:
    case Reassembly::Fault::kLengthNotMultipleOf8:
      reason = DropReason::kFragmentMalformed;
      break;
    case Reassembly::Fault::kEndsBeyondMaximum:  // ping of death: the whole is worth nothing
      reason = DropReason::kFragmentTooBig;
      reassembly_.abandon(fragment);
      break;
  }
  if (!reason && is_tiny_fragment(header)) reason = DropReason::kFragmentFirstTooShort;
  if (reason) {
    context_.drop(*reason, Counter::kIpReasmFails);
    return {};
  }
  return reassembly_.add(fragment, std::move(packet));
}

}  // namespace transom::ip
