#include "stack/ip/icmp_errors.h"

#include <algorithm>

#include "stack/ip/quoted_packet.h"
#include "stack/wire/icmp.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"

namespace transom::ip {

namespace {

using wire::IcmpType;
using wire::Icmpv6Type;

template <typename Type, typename Code>
IcmpErrorMessage message(Type type, Code code, std::uint32_t rest = 0) {
  return {static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(code), rest};
}

// RFC 1812 §4.3.2.3 and RFC 4443 §2.4(c): the whole error fits a packet that every host takes.
constexpr std::size_t max_error_size(IpFamily family) { return family == IpFamily::kIpv4 ? 576 : 1280; }

void count_out(Context& context, IpFamily family, std::uint8_t type) {
  if (family == IpFamily::kIpv4) {
    context.count(Counter::kIcmpOutMsgs);
    context.count(Counter::kIcmpOutErrors);
    switch (static_cast<IcmpType>(type)) {
      case IcmpType::kTimeExceeded:
        return context.count(Counter::kIcmpOutTimeExcds);
      case IcmpType::kParameterProblem:
        return context.count(Counter::kIcmpOutParmProbs);
      default:
        return context.count(Counter::kIcmpOutDestUnreachs);
    }
  }
  context.count(Counter::kIcmp6OutMsgs);
  context.count(Counter::kIcmp6OutErrors);
  switch (static_cast<Icmpv6Type>(type)) {
    case Icmpv6Type::kTimeExceeded:
      return context.count(Counter::kIcmp6OutTimeExcds);
    case Icmpv6Type::kPacketTooBig:
      return context.count(Counter::kIcmp6OutPktTooBigs);
    case Icmpv6Type::kParameterProblem:
      return context.count(Counter::kIcmp6OutParmProblems);
    default:
      return context.count(Counter::kIcmp6OutDestUnreachs);
  }
}

}  // namespace

IcmpErrorMessage IcmpErrorMessage::port_unreachable(IpFamily family) {
  if (family == IpFamily::kIpv4)
    return message(IcmpType::kDestinationUnreachable, wire::IcmpUnreachable::kPort);
  return message(Icmpv6Type::kDestinationUnreachable, wire::Icmpv6Unreachable::kPort);
}

IcmpErrorMessage IcmpErrorMessage::protocol_unreachable(IpFamily family, std::uint32_t pointer) {
  if (family == IpFamily::kIpv4)
    return message(IcmpType::kDestinationUnreachable, wire::IcmpUnreachable::kProtocol);
  return parameter_problem(Problem::kNextHeader, pointer);  // RFC 8200 §4
}

IcmpErrorMessage IcmpErrorMessage::reassembly_timeout(IpFamily family) {
  constexpr std::uint8_t kReassembly = 1;
  if (family == IpFamily::kIpv4) return message(IcmpType::kTimeExceeded, kReassembly);
  return message(Icmpv6Type::kTimeExceeded, kReassembly);
}

IcmpErrorMessage IcmpErrorMessage::hop_limit_exceeded(IpFamily family) {
  constexpr std::uint8_t kInTransit = 0;
  if (family == IpFamily::kIpv4) return message(IcmpType::kTimeExceeded, kInTransit);
  return message(Icmpv6Type::kTimeExceeded, kInTransit);
}

IcmpErrorMessage IcmpErrorMessage::no_route(IpFamily family) {
  if (family == IpFamily::kIpv4)
    return message(IcmpType::kDestinationUnreachable, wire::IcmpUnreachable::kNetwork);
  return message(Icmpv6Type::kDestinationUnreachable, wire::Icmpv6Unreachable::kNoRoute);
}

IcmpErrorMessage IcmpErrorMessage::host_unreachable(IpFamily family) {
  if (family == IpFamily::kIpv4)
    return message(IcmpType::kDestinationUnreachable, wire::IcmpUnreachable::kHost);
  return message(Icmpv6Type::kDestinationUnreachable, wire::Icmpv6Unreachable::kAddress);
}

// RFC 1191 §4, RFC 4443 §3.2.
IcmpErrorMessage IcmpErrorMessage::too_big(IpFamily family, std::uint32_t mtu) {
  if (family == IpFamily::kIpv4)
    return message(IcmpType::kDestinationUnreachable, wire::IcmpUnreachable::kFragmentationNeeded,
                   std::min(mtu, 0xffffU));
  IcmpErrorMessage error = message(Icmpv6Type::kPacketTooBig, std::uint8_t{0}, mtu);
  error.even_to_multicast = true;
  return error;
}

IcmpErrorMessage IcmpErrorMessage::beyond_scope() {
  return message(Icmpv6Type::kDestinationUnreachable, wire::Icmpv6Unreachable::kBeyondScope);
}

IcmpErrorMessage IcmpErrorMessage::parameter_problem(Problem problem, std::size_t pointer) {
  IcmpErrorMessage error =
      message(Icmpv6Type::kParameterProblem, problem, static_cast<std::uint32_t>(pointer));
  error.even_to_multicast = problem == Problem::kOption;
  return error;
}

IcmpErrors::IcmpErrors(Context& context, const IpConfig& config, const Addresses& addresses,
                       DestinationCache& destinations, Output& output)
    : context_(context),
      addresses_(addresses),
      destinations_(destinations),
      output_(output),
      limiter_(context, config.icmp_errors_per_second, config.icmp_errors_per_destination) {}

// RFC 1122 §3.2.2 and RFC 4443 §2.4(e).
bool IcmpErrors::may_be_reported(const IcmpErrorMessage& message, const Received& cause,
                                 const Packet& original) const {
  if (!cause.to_unicast && !message.even_to_multicast) return false;
  if (!addresses_.is_unicast(cause.source)) return false;
  const auto quoted = parse_quoted_packet(original.head());
  if (!quoted) return true;
  if (cause.source.is_v4() && !quoted->is_first) return false;  // IPv6 reports fragments that cannot be right
  return !quoted->is_first || !is_icmp_error(*quoted);
}

void IcmpErrors::send(const IcmpErrorMessage& message, const Received& cause, const Packet& original) {
  if (!may_be_reported(message, cause, original)) return;
  const IpFamily family = cause.source.family();
  const bool is_v4 = family == IpFamily::kIpv4;
  switch (limiter_.may_send(cause.source)) {
    case RateLimiter::Verdict::kAllowed:
      break;
    case RateLimiter::Verdict::kTooManyToDestination:
      return context_.drop(DropReason::kIcmpRateLimited,
                           is_v4 ? Counter::kIcmpOutRateLimitHost : Counter::kIcmp6OutRateLimitHost);
    case RateLimiter::Verdict::kTooMany:
      return context_.drop(DropReason::kIcmpRateLimited);
  }
  const auto destination = destinations_.get(
      cause.source, cause.source.is_link_local() ? cause.interface.id() : InterfaceId::kAny);
  if (!destination) return;
  Packet packet = compose(message, family, original);
  if (!packet) return context_.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
  // RFC 1122 §3.3.4.2: from the address that was spoken to.
  const IpAddress source =
      addresses_.is_local(cause.destination) ? cause.destination : (*destination)->source;
  if (is_v4) {
    wire::write_icmp_checksum(packet.head());
  } else {
    wire::write_icmpv6_checksum(packet.head(), source, cause.source);
  }
  count_out(context_, family, message.type);
  (void)output_.send(**destination, source, is_v4 ? IpProtocol::kIcmp : IpProtocol::kIcmpv6,
                     std::move(packet), {});
}

Packet IcmpErrors::compose(const IcmpErrorMessage& message, IpFamily family, const Packet& original) const {
  Packet packet = context_.pool.allocate();
  if (!packet) return packet;
  const std::size_t headers =
      (family == IpFamily::kIpv4 ? wire::Ipv4Header::kMinSize : wire::Ipv6Header::kSize) +
      wire::IcmpHeader::kSize;
  const std::size_t quoted = std::min(original.size(), max_error_size(family) - headers);
  wire::Writer writer(packet.append(wire::IcmpHeader::kSize));
  wire::IcmpHeader{message.type, message.code, 0, message.rest}.write(writer);
  original.copy_out(0, packet.append(quoted));
  return packet;
}

}  // namespace transom::ip
