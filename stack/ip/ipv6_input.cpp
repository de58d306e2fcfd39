#include "stack/ip/ipv6_input.h"

#include <algorithm>

namespace transom::ip {

namespace {

using Problem = IcmpErrorMessage::Problem;

// RFC 8504 §5.3: more than any honest sender has.
constexpr int kMaxExtensionHeaders = 8;
constexpr int kMaxOptions = 8;
constexpr int kMaxPadding = 24;

constexpr std::size_t kPayloadLengthOffset = 4;

DropReason reason_for(wire::ParseError error) {
  return error == wire::ParseError::kBadVersion ? DropReason::kIpBadVersion : DropReason::kIpTruncated;
}

// ff00::/16 and ff01::/16 never leave a host.
bool is_beyond_wire(const IpAddress& group) { return (group.octets()[1] & 0x0fU) <= 1; }

std::size_t min_transport_header(IpProtocol protocol) {
  switch (protocol) {
    case IpProtocol::kTcp:
      return 20;
    case IpProtocol::kUdp:
    case IpProtocol::kIcmpv6:
      return 8;
    default:
      return 0;
  }
}

}  // namespace

void Ipv6Input::receive(link::Interface& interface, Packet packet) {
  context_.count(Counter::kIp6InReceives);
  context_.count(Counter::kIp6InOctets, packet.size());
  wire::Ipv6Header header;
  if (!parse(packet, header) || !accept_source(interface, header.source)) return;
  if (forwarding_.is_enabled() && !header.destination.is_multicast() &&
      !addresses_.is_local(header.destination)) {
    return forwarding_.forward(interface, header, std::move(packet));
  }
  if (!accept_destination(interface, header.destination)) return;
  const PacketInfo& info = packet.info();
  const bool to_unicast = !header.destination.is_multicast() && !info.link_broadcast && !info.link_multicast;
  if (header.destination.is_multicast()) context_.count(Counter::kIp6InMcastPkts);
  process(interface, to_unicast, false, std::move(packet));
}

void Ipv6Input::receive_own(link::Interface& interface, Packet packet) {
  wire::Ipv6Header header;
  if (!parse(packet, header) || !header.destination.is_multicast() ||
      !interface.is_member(header.destination))
    return;
  process(interface, false, false, std::move(packet));
}

// RFC 8200 §3. A payload length of 0 means none: jumbograms (RFC 2675) are for links with a larger MTU than
// any here. Takes off what the link has padded.
bool Ipv6Input::parse(Packet& packet, wire::Ipv6Header& header) const {
  wire::Reader reader(packet.head());
  const auto parsed = wire::Ipv6Header::parse_quoted(reader);
  if (!parsed) {
    context_.drop(reason_for(parsed.error()), Counter::kIp6InHdrErrors);
    return false;
  }
  const std::size_t total = wire::Ipv6Header::kSize + parsed->payload_length;
  if (total > packet.size()) {
    context_.drop(DropReason::kIpBadTotalLength, Counter::kIp6InTruncatedPkts);
    return false;
  }
  packet.trim_back(packet.size() - total);
  header = *parsed;
  return true;
}

// RFC 4291 §2.5.3, §2.5.5.2, §2.7. The unspecified address is judged later: NDP uses it.
bool Ipv6Input::accept_source(const link::Interface& interface, const IpAddress& source) const {
  const bool is_loopback = interface.type() == link::LinkType::kLoopback;
  if (source.is_v4() || source.is_multicast() || (source.is_loopback() && !is_loopback)) {
    context_.drop(DropReason::kIpMartianSource, Counter::kIp6InAddrErrors);
    return false;
  }
  if (!is_loopback && addresses_.is_local(source)) {
    context_.drop(DropReason::kIpOwnSource, Counter::kIp6InAddrErrors);
    return false;
  }
  return true;
}

bool Ipv6Input::accept_destination(const link::Interface& interface, const IpAddress& destination) const {
  const bool is_loopback = interface.type() == link::LinkType::kLoopback;
  if (destination.is_v4() || destination.is_unspecified() || (destination.is_loopback() && !is_loopback) ||
      (destination.is_multicast() && !is_loopback && is_beyond_wire(destination))) {
    context_.drop(DropReason::kIpMartianDestination, Counter::kIp6InAddrErrors);
    return false;
  }
  const bool takes_all = is_loopback || forwarding_.is_enabled();
  const bool is_ours = destination.is_multicast() ? interface.is_member(destination)
                                                  : interface.usable_address(destination) != nullptr ||
                                                        (takes_all && addresses_.is_local(destination));
  if (!is_ours) context_.drop(DropReason::kIpNotForUs, Counter::kIp6InAddrErrors);
  return is_ours;
}

void Ipv6Input::process(link::Interface& interface, bool to_unicast, bool is_reassembled, Packet packet) {
  wire::Ipv6Header header;
  if (!parse(packet, header)) return;
  Walk walk{.received = {.interface = interface,
                         .source = header.source,
                         .destination = header.destination,
                         .protocol = header.next_header,
                         .ttl = header.hop_limit,
                         .traffic_class = header.traffic_class,
                         .to_unicast = to_unicast,
                         .header_size = 0,
                         .fragmented = is_reassembled},
            .next = header.next_header};
  for (;;) {
    switch (walk.next) {
      case IpProtocol::kHopByHop:
      case IpProtocol::kDestinationOptions:
      case IpProtocol::kRouting:
        if (step_over(walk, packet) == Step::kDropped) return;
        break;
      case IpProtocol::kFragment: {
        Packet whole;
        if (take_fragment(walk, packet, is_reassembled, whole) == Step::kOn) break;
        // One level deep: a second fragment header is refused.
        if (whole) process(interface, to_unicast, true, std::move(whole));
        return;
      }
      default:
        walk.received.protocol = walk.next;
        walk.received.header_size = static_cast<std::uint16_t>(walk.offset);
        if (walk.offset > wire::Ipv6Header::kSize) {
          constexpr std::size_t kStart = wire::Ipv6Header::kSize;
          walk.received.options = Bytes(packet.head()).subspan(kStart, walk.offset - kStart);
          walk.received.first_header = header.next_header;
        }
        return delivery_.deliver(walk.received, walk.next_offset, std::move(packet));
    }
  }
}

Ipv6Input::Step Ipv6Input::step_over(Walk& walk, const Packet& packet) {
  if (++walk.headers > kMaxExtensionHeaders) return reject(walk, DropReason::kIpExtensionHeaderLimit, packet);
  // RFC 8200 §4.1: hop-by-hop options directly behind the fixed header, or nowhere.
  if (walk.next == IpProtocol::kHopByHop && walk.offset != wire::Ipv6Header::kSize) {
    return reject(walk, DropReason::kIpBadExtensionHeader, packet,
                  IcmpErrorMessage::parameter_problem(Problem::kNextHeader, walk.next_offset));
  }
  wire::Reader reader(packet.head().subspan(walk.offset));
  const auto header = wire::Ipv6ExtensionHeader::parse(reader);
  if (!header) return reject(walk, DropReason::kIpBadExtensionHeader, packet);
  const bool is_routing = walk.next == IpProtocol::kRouting;
  const Step step =
      is_routing ? check_routing(walk, header->body, packet) : check_options(walk, header->body, packet);
  walk.next = header->next_header;
  walk.next_offset = walk.offset;
  walk.offset += header->size;
  return step;
}

// RFC 8200 §4.2.
Ipv6Input::Step Ipv6Input::check_options(Walk& walk, Bytes options, const Packet& packet) {
  wire::Ipv6OptionWalk option_walk(options);
  wire::Ipv6Option option;
  while (option_walk.next(option)) {
    if (option.type == wire::Ipv6Option::kPad1 || option.type == wire::Ipv6Option::kPadN) {
      if (++walk.padding > kMaxPadding) return reject(walk, DropReason::kIpExtensionHeaderLimit, packet);
      continue;
    }
    if (++walk.options > kMaxOptions) return reject(walk, DropReason::kIpExtensionHeaderLimit, packet);
    if (option.type == wire::Ipv6Option::kRouterAlert) {  // RFC 2711: for routers, and of MLD
      walk.received.router_alert = true;
      continue;
    }
    const auto error = IcmpErrorMessage::parameter_problem(Problem::kOption, walk.offset + 2 + option.offset);
    switch (option.if_unknown()) {
      case wire::Ipv6Option::IfUnknown::kSkip:
        continue;
      case wire::Ipv6Option::IfUnknown::kDiscard:
        return reject(walk, DropReason::kIpUnknownOption, packet);
      case wire::Ipv6Option::IfUnknown::kDiscardAndReport:
        return reject(walk, DropReason::kIpUnknownOption, packet, error);
      case wire::Ipv6Option::IfUnknown::kDiscardAndReportUnicast:
        if (walk.received.destination.is_multicast())
          return reject(walk, DropReason::kIpUnknownOption, packet);
        return reject(walk, DropReason::kIpUnknownOption, packet, error);
    }
  }
  return option_walk.ok() ? Step::kOn : reject(walk, DropReason::kIpBadOptions, packet);
}

// RFC 8200 §4.4, RFC 5095: no type is known here, type 0 least of all. One that has nothing left to do is
// stepped over.
Ipv6Input::Step Ipv6Input::check_routing(Walk& walk, Bytes body, const Packet& packet) {
  const auto routing = wire::Ipv6RoutingHeader::parse(body);
  if (!routing) return reject(walk, DropReason::kIpBadExtensionHeader, packet);
  if (routing->segments_left == 0) return Step::kOn;
  constexpr std::size_t kTypeOffset = 2;
  return reject(walk, DropReason::kIpRoutingHeader, packet,
                IcmpErrorMessage::parameter_problem(Problem::kHeaderField, walk.offset + kTypeOffset));
}

Ipv6Input::Step Ipv6Input::take_fragment(Walk& walk, Packet& packet, bool is_reassembled, Packet& whole) {
  if (++walk.headers > kMaxExtensionHeaders) return reject(walk, DropReason::kIpExtensionHeaderLimit, packet);
  wire::Reader reader(packet.head().subspan(walk.offset));
  const auto header = wire::Ipv6FragmentHeader::parse(reader);
  // One fragment header per packet: neither inside a reassembled one nor behind an atomic one.
  if (!header || is_reassembled || walk.received.fragmented)
    return reject(walk, DropReason::kIpBadExtensionHeader, packet);
  if (header->offset == 0 && !header->more_fragments) {
    walk.received.fragmented = true;
    walk.next = header->next_header;
    walk.next_offset = walk.offset;
    walk.offset += wire::Ipv6FragmentHeader::kSize;
    return Step::kOn;
  }
  const Fragment fragment{.interface = walk.received.interface,
                          .source = walk.received.source,
                          .destination = walk.received.destination,
                          .identification = header->identification,
                          .protocol = header->next_header,
                          .offset = header->offset,
                          .more_fragments = header->more_fragments,
                          .ecn = static_cast<std::uint8_t>(walk.received.traffic_class & 3U),
                          .to_unicast = walk.received.to_unicast,
                          .header_size = walk.offset + wire::Ipv6FragmentHeader::kSize,
                          .next_header_offset = walk.next_offset};
  switch (Reassembly::check(fragment, packet.size())) {
    case Reassembly::Fault::kNone:
      break;
    case Reassembly::Fault::kEmpty:
      return reject(walk, DropReason::kFragmentMalformed, packet);
    case Reassembly::Fault::kLengthNotMultipleOf8:
      return reject(walk, DropReason::kFragmentMalformed, packet,
                    IcmpErrorMessage::parameter_problem(Problem::kHeaderField, kPayloadLengthOffset));
    case Reassembly::Fault::kEndsBeyondMaximum: {
      reassembly_.abandon(fragment);
      constexpr std::size_t kOffsetField = 2;
      return reject(walk, DropReason::kFragmentTooBig, packet,
                    IcmpErrorMessage::parameter_problem(Problem::kHeaderField, walk.offset + kOffsetField));
    }
  }
  // RFC 7112 §5, RFC 8200 §4.5: whoever looks at the first fragment must see what the packet is.
  if (fragment.offset == 0 && !has_whole_chain(fragment, packet)) {
    return reject(walk, DropReason::kFragmentFirstTooShort, packet,
                  IcmpErrorMessage::parameter_problem(Problem::kIncompleteChain, 0));
  }
  whole = reassembly_.add(fragment, std::move(packet));
  return Step::kDropped;
}

bool Ipv6Input::has_whole_chain(const Fragment& fragment, const Packet& packet) const {
  wire::Reader reader(packet.head().subspan(fragment.header_size));
  IpProtocol next = fragment.protocol;
  for (int i = 0; i <= kMaxExtensionHeaders; ++i) {
    const bool is_extension = next == IpProtocol::kHopByHop || next == IpProtocol::kRouting ||
                              next == IpProtocol::kDestinationOptions;
    if (!is_extension) return reader.remaining() >= min_transport_header(next);
    const auto header = wire::Ipv6ExtensionHeader::parse(reader);
    if (!header) return false;
    next = header->next_header;
  }
  return false;
}

Ipv6Input::Step Ipv6Input::reject(const Walk& walk, DropReason reason, const Packet& packet,
                                  std::optional<IcmpErrorMessage> error) {
  context_.drop(reason, Counter::kIp6InHdrErrors);
  if (error) errors_.send(*error, walk.received, packet);
  return Step::kDropped;
}

}  // namespace transom::ip
