#include "stack/ip/icmp.h"

#include "stack/ip/quoted_packet.h"
#include "stack/wire/checksum.h"

namespace transom::ip {

namespace {

using wire::IcmpType;
using wire::Icmpv6Type;

// RFC 1122 §3.2.2.1; the codes of RFC 1812 §5.2.7.1 with them.
IcmpErrorKind kind_of_unreachable(std::uint8_t code) {
  constexpr std::uint8_t kPrecedenceViolation = 14, kPrecedenceCutoff = 15;
  switch (static_cast<wire::IcmpUnreachable>(code)) {
    case wire::IcmpUnreachable::kNetwork:
    case wire::IcmpUnreachable::kNetworkUnknown:
      return IcmpErrorKind::kNetworkUnreachable;
    case wire::IcmpUnreachable::kProtocol:
      return IcmpErrorKind::kProtocolUnreachable;
    case wire::IcmpUnreachable::kPort:
      return IcmpErrorKind::kPortUnreachable;
    case wire::IcmpUnreachable::kFragmentationNeeded:
      return IcmpErrorKind::kPacketTooBig;
    case wire::IcmpUnreachable::kNetworkProhibited:
    case wire::IcmpUnreachable::kHostProhibited:
    case wire::IcmpUnreachable::kAdminProhibited:
      return IcmpErrorKind::kProhibited;
    default:
      return code == kPrecedenceViolation || code == kPrecedenceCutoff ? IcmpErrorKind::kProhibited
                                                                       : IcmpErrorKind::kHostUnreachable;
  }
}

IcmpErrorKind kind_of_v4(const wire::IcmpHeader& header) {
  switch (static_cast<IcmpType>(header.type)) {
    case IcmpType::kDestinationUnreachable:
      return kind_of_unreachable(header.code);
    case IcmpType::kTimeExceeded:
      return IcmpErrorKind::kTimeExceeded;
    case IcmpType::kParameterProblem:
      return IcmpErrorKind::kParameterProblem;
    case IcmpType::kRedirect:
      return IcmpErrorKind::kRedirect;
    default:
      return IcmpErrorKind::kOther;
  }
}

// RFC 4443 §3.
IcmpErrorKind kind_of_v6_unreachable(std::uint8_t code) {
  constexpr std::uint8_t kPolicyFailed = 5, kRouteRejected = 6;
  switch (static_cast<wire::Icmpv6Unreachable>(code)) {
    case wire::Icmpv6Unreachable::kNoRoute:
      return IcmpErrorKind::kNetworkUnreachable;
    case wire::Icmpv6Unreachable::kProhibited:
      return IcmpErrorKind::kProhibited;
    case wire::Icmpv6Unreachable::kPort:
      return IcmpErrorKind::kPortUnreachable;
    default:
      return code == kPolicyFailed || code == kRouteRejected ? IcmpErrorKind::kProhibited
                                                             : IcmpErrorKind::kHostUnreachable;
  }
}

IcmpErrorKind kind_of_v6(const wire::IcmpHeader& header) {
  constexpr std::uint8_t kUnrecognisedNextHeader = 1;
  switch (static_cast<Icmpv6Type>(header.type)) {
    case Icmpv6Type::kDestinationUnreachable:
      return kind_of_v6_unreachable(header.code);
    case Icmpv6Type::kPacketTooBig:
      return IcmpErrorKind::kPacketTooBig;
    case Icmpv6Type::kTimeExceeded:
      return IcmpErrorKind::kTimeExceeded;
    case Icmpv6Type::kParameterProblem:
      return header.code == kUnrecognisedNextHeader ? IcmpErrorKind::kProtocolUnreachable
                                                    : IcmpErrorKind::kParameterProblem;
    default:
      return IcmpErrorKind::kOther;
  }
}

// The MTU that a report names. An old router names none (RFC 1191 §5): then the plateau below what was too
// big.
std::uint32_t reported_mtu(const wire::IcmpHeader& header, const QuotedPacket& quoted) {
  if (quoted.source.is_v6()) return header.rest;
  const std::uint32_t next_hop_mtu = header.rest & 0xffffU;
  return next_hop_mtu != 0 ? next_hop_mtu : plateau_below(quoted.total_length);
}

}  // namespace

Icmp::Icmp(Context& context, const IpConfig& config, link::LinkLayer& link, const Addresses& addresses,
           DestinationCache& destinations, const PathMtu& path_mtu, Redirects& redirects, Output& output,
           const Transports& transports, const RawReceivers& raw, IpLayer::EchoSockets& echo_sockets,
           Groups& groups)
    : context_(context),
      config_(config),
      link_(link),
      addresses_(addresses),
      destinations_(destinations),
      path_mtu_(path_mtu),
      redirects_(redirects),
      output_(output),
      transports_(transports),
      raw_(raw),
      echo_sockets_(echo_sockets),
      groups_(groups) {}

void Icmp::receive(const Received& received, Packet packet) {
  const bool is_v4 = received.source.is_v4();
  context_.count(is_v4 ? Counter::kIcmpInMsgs : Counter::kIcmp6InMsgs);
  wire::Reader reader(packet.head());
  const auto header = wire::IcmpHeader::parse(reader);
  if (!header) {
    return context_.drop(DropReason::kIcmpTruncated,
                         is_v4 ? Counter::kIcmpInErrors : Counter::kIcmp6InErrors);
  }
  if (!is_intact(received, packet)) {
    context_.count(is_v4 ? Counter::kIcmpInCsumErrors : Counter::kIcmp6InCsumErrors);
    return context_.drop(DropReason::kIcmpBadChecksum,
                         is_v4 ? Counter::kIcmpInErrors : Counter::kIcmp6InErrors);
  }
  if (is_v4) return receive_v4(received, *header, std::move(packet));
  receive_v6(received, *header, std::move(packet));
}

bool Icmp::is_intact(const Received& received, const Packet& packet) const {
  if (packet.info().checksum != ChecksumState::kUnknown) return true;
  wire::ChecksumSum sum;
  if (received.source.is_v6()) {  // RFC 4443 §2.3
    const auto length = static_cast<std::uint32_t>(packet.size());
    sum = wire::pseudo_header_sum(received.source, received.destination, IpProtocol::kIcmpv6, length);
  }
  wire::add_packet(sum, packet);
  return sum.checksum() == 0;
}

void Icmp::receive_v4(const Received& received, const wire::IcmpHeader& header, Packet packet) {
  switch (static_cast<IcmpType>(header.type)) {
    case IcmpType::kEchoRequest:
      context_.count(Counter::kIcmpInEchos);
      return answer_echo(received, header, std::move(packet));
    case IcmpType::kEchoReply:
      context_.count(Counter::kIcmpInEchoReps);
      return receive_reply(received, header, std::move(packet));
    case IcmpType::kDestinationUnreachable:
      context_.count(Counter::kIcmpInDestUnreachs);
      return receive_error(received, header, packet);
    case IcmpType::kTimeExceeded:
      context_.count(Counter::kIcmpInTimeExcds);
      return receive_error(received, header, packet);
    case IcmpType::kParameterProblem:
      context_.count(Counter::kIcmpInParmProbs);
      return receive_error(received, header, packet);
    case IcmpType::kSourceQuench:  // RFC 6633 §3
      return context_.drop(DropReason::kIcmpIgnored, Counter::kIcmpInSrcQuenchs);
    case IcmpType::kRedirect:
      context_.count(Counter::kIcmpInRedirects);
      return receive_error(received, header, packet);
  }
  // RFC 1122 §3.2.2: silently. Timestamps, information requests, address masks and router discovery among
  // them.
  context_.drop(DropReason::kIcmpUnknownType);
}

void Icmp::receive_v6(const Received& received, const wire::IcmpHeader& header, Packet packet) {
  switch (static_cast<Icmpv6Type>(header.type)) {
    case Icmpv6Type::kEchoRequest:
      context_.count(Counter::kIcmp6InEchos);
      return answer_echo(received, header, std::move(packet));
    case Icmpv6Type::kEchoReply:
      context_.count(Counter::kIcmp6InEchoReplies);
      return receive_reply(received, header, std::move(packet));
    case Icmpv6Type::kRouterSolicitation:
    case Icmpv6Type::kRouterAdvertisement:
    case Icmpv6Type::kNeighborSolicitation:
    case Icmpv6Type::kNeighborAdvertisement:
    case Icmpv6Type::kRedirect:
      if (!packet.linearize()) return context_.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
      return link_.receive_ndp(received.interface,
                               {received.source, received.destination, received.ttl, received.fragmented},
                               packet.head());
    case Icmpv6Type::kMldQuery:
    case Icmpv6Type::kMldReport:
    case Icmpv6Type::kMldDone:
    case Icmpv6Type::kMldv2Report:
      if (!packet.linearize()) return context_.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
      return groups_.receive_mld(received, packet.head());
    case Icmpv6Type::kDestinationUnreachable:
      context_.count(Counter::kIcmp6InDestUnreachs);
      break;
    case Icmpv6Type::kPacketTooBig:
      context_.count(Counter::kIcmp6InPktTooBigs);
      break;
    case Icmpv6Type::kTimeExceeded:
      context_.count(Counter::kIcmp6InTimeExcds);
      break;
    case Icmpv6Type::kParameterProblem:
      context_.count(Counter::kIcmp6InParmProblems);
      break;
    default:
      break;
  }
  // RFC 4443 §2.4(a), (b): unknown errors go up, unknown informational messages nowhere.
  constexpr std::uint8_t kFirstInformational = 128;
  if (header.type >= kFirstInformational) return context_.drop(DropReason::kIcmpUnknownType);
  receive_error(received, header, packet);
}

// RFC 792, RFC 1122 §3.2.2.6, RFC 4443 §4.2. The request's own buffer goes back.
void Icmp::answer_echo(const Received& received, const wire::IcmpHeader& request, Packet packet) {
  if (!config_.answer_echo) return context_.drop(DropReason::kIcmpIgnored);
  if (!received.to_unicast && !config_.answer_broadcast_echo)
    return context_.drop(DropReason::kIcmpBroadcastEcho);
  if (!addresses_.is_unicast(received.source)) return context_.drop(DropReason::kIpMartianSource);
  const bool is_v4 = received.source.is_v4();
  const auto destination = destinations_.get(
      received.source, received.source.is_link_local() ? received.interface.id() : InterfaceId::kAny);
  if (!destination) return context_.drop(DropReason::kIpNoRoute);
  const IpAddress source =
      addresses_.is_local(received.destination) ? received.destination : (*destination)->source;

  constexpr std::size_t kRoomForHeaders = 64;
  if (packet.head_room() < kRoomForHeaders) {
    Packet copy = packet.clone();
    if (!copy) return context_.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
    packet = std::move(copy);
  }
  packet.info() = {};
  const auto type = is_v4 ? static_cast<std::uint8_t>(IcmpType::kEchoReply)
                          : static_cast<std::uint8_t>(Icmpv6Type::kEchoReply);
  wire::IcmpHeader reply{type, 0, 0, request.rest};
  wire::Writer blank(packet.head());
  reply.write(blank);
  wire::ChecksumSum sum;
  if (!is_v4) {
    sum = wire::pseudo_header_sum(source, received.source, IpProtocol::kIcmpv6,
                                  static_cast<std::uint32_t>(packet.size()));
  }
  wire::add_packet(sum, packet);
  reply.checksum = sum.checksum();
  wire::Writer writer(packet.head());
  reply.write(writer);

  context_.count(is_v4 ? Counter::kIcmpOutMsgs : Counter::kIcmp6OutMsgs);
  context_.count(is_v4 ? Counter::kIcmpOutEchoReps : Counter::kIcmp6OutEchoReplies);
  const auto dscp = static_cast<std::uint8_t>(received.traffic_class &
                                              0xfcU);  // a reply is no more ECN-capable than we are
  (void)output_.send(**destination, source, is_v4 ? IpProtocol::kIcmp : IpProtocol::kIcmpv6,
                     std::move(packet), {.traffic_class = dscp});
}

void Icmp::receive_reply(const Received& received, const wire::IcmpHeader& header, Packet packet) {
  packet.trim_front(wire::IcmpHeader::kSize);
  if (!echo_sockets_.reply(received, header, std::move(packet))) context_.drop(DropReason::kIcmpIgnored);
}

void Icmp::receive_error(const Received& received, const wire::IcmpHeader& header, const Packet& packet) {
  const bool is_v4 = received.source.is_v4();
  if (!received.to_unicast) return context_.drop(DropReason::kIcmpIgnored);
  const auto quoted = parse_quoted_packet(packet.head().subspan(wire::IcmpHeader::kSize));
  constexpr std::size_t kMinTransport = 8;
  const bool is_usable = quoted && quoted->source.is_v4() == is_v4 && quoted->destination.is_v4() == is_v4 &&
                         quoted->is_first && quoted->transport.size() >= kMinTransport;
  if (!is_usable) {
    return context_.drop(DropReason::kIcmpQuoteMalformed,
                         is_v4 ? Counter::kIcmpInErrors : Counter::kIcmp6InErrors);
  }
  if (!addresses_.is_local(quoted->source)) return context_.drop(DropReason::kIcmpQuoteUnmatched);

  IcmpError error;
  error.kind = is_v4 ? kind_of_v4(header) : kind_of_v6(header);
  error.type = header.type;
  error.code = header.code;
  error.reporter = received.source;
  if (error.kind == IcmpErrorKind::kPacketTooBig) error.mtu = reported_mtu(header, *quoted);
  if (!deliver_error(error, *quoted)) return;
  if (error.kind == IcmpErrorKind::kRedirect) {
    constexpr std::uint8_t kLastCode = 3;
    if (header.code > kLastCode) return context_.drop(DropReason::kIcmpIgnored);
    // RFC 1122 §3.2.2.2: one for a network is taken as one for the host that it is about.
    redirects_.follow(received.interface, received.source, quoted->destination, IpAddress::v4(header.rest));
    return;
  }
  // TCP judges a report by more than we know, and calls IpLayer::learn_path_mtu itself.
  if (error.kind == IcmpErrorKind::kPacketTooBig && quoted->protocol != IpProtocol::kTcp)
    learn_path_mtu(error, received.interface.id());
}

bool Icmp::deliver_error(IcmpError& error, const QuotedPacket& quoted) {
  error.source = quoted.source;
  error.destination = quoted.destination;
  error.transport = quoted.transport;
  raw_.report(quoted.protocol, error);
  const bool is_echo = quoted.protocol == (quoted.source.is_v4() ? IpProtocol::kIcmp : IpProtocol::kIcmpv6);
  Transport* const transport = transports_.find(quoted.protocol);
  const bool is_used =
      is_echo ? echo_sockets_.error(error) : transport != nullptr && transport->icmp_error(error);
  if (!is_used && (is_echo || transport == nullptr)) context_.drop(DropReason::kIcmpQuoteUnmatched);
  return is_used;
}

void Icmp::learn_path_mtu(const IcmpError& error, InterfaceId interface) {
  // Whichever entries there are: for senders that let the route decide, and for those bound to this
  // interface.
  for (const InterfaceId bound : {InterfaceId::kAny, interface}) {
    const DestinationRef destination = destinations_.find(error.destination, bound);
    if (destination && destinations_.refresh(*destination)) path_mtu_.learn(*destination, error.mtu);
  }
}

}  // namespace transom::ip
