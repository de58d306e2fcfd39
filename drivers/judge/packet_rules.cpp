#include "drivers/judge/packet_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "drivers/capture/icmp_error.h"
#include "stack/wire/checksum.h"
#include "stack/wire/icmp.h"

namespace transom::drivers::judge {

namespace {

std::uint64_t hash_of(Bytes octets) {  // FNV-1a
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::uint8_t octet : octets) hash = (hash ^ octet) * 0x100000001b3;
  return hash;
}

// RFC 1122 §3.2.1.3: what no host may have as its own address.
bool is_no_host(const IpAddress& address) { return address.is_multicast() || address.is_limited_broadcast(); }

bool is_whole(const CapturedPacket& packet, const PacketView& view) {
  return !packet.is_cut() && packet.octets.size() >= view.transport_offset + view.transport_length;
}

}  // namespace

void PacketRules::judge(const CapturedPacket& packet, const PacketView& view) {
  judge_header(packet, view);
  if (view.network_checksum == ChecksumVerdict::kBad) return;
  if (view.is_fragment) judge_fragment(packet, view);
  if (view.fragment_offset != 0) return;
  switch (view.protocol) {
    case IpProtocol::kTcp:
      judge_tcp_form(packet, view);
      judge_isn(packet, view);
      break;
    case IpProtocol::kUdp:
      judge_udp(packet, view);
      break;
    case IpProtocol::kIcmp:
    case IpProtocol::kIcmpv6:
      judge_icmp(packet, view);
      break;
    default:
      break;
  }
}

void PacketRules::judge_header(const CapturedPacket& packet, const PacketView& view) {
  if (view.network_checksum == ChecksumVerdict::kBad) {
    hooks_.found(rule::kIpChecksum, Verdict::kUnknown, packet, view, "damaged on the way, or sent so");
    return;
  }
  if (!packet.is_cut() && packet.octets.size() < view.transport_offset + view.transport_length)
    hooks_.found(rule::kIpLength, Verdict::kViolation, packet, view,
                 fmt::format("{} octets of {} are there", packet.octets.size() - view.network_offset,
                             view.transport_offset - view.network_offset + view.transport_length));
  if (view.hop_limit == 0) hooks_.found(rule::kTtlZero, Verdict::kViolation, packet, view, "0 hops");
  if (is_no_host(view.source))
    hooks_.found(rule::kSourceAddress, Verdict::kViolation, packet, view,
                 fmt::format("from {}", view.source));
  const bool same_ports = !view.tcp || view.tcp->source_port == view.tcp->destination_port;
  if (view.source == view.destination && !view.source.is_loopback() && view.tcp && same_ports)
    hooks_.found(rule::kSameEndpoints, Verdict::kLegal, packet, view,
                 fmt::format("{} to itself", view.source));
}

void PacketRules::judge_fragment(const CapturedPacket& packet, const PacketView& view) {
  const Position begin = view.fragment_offset, end = begin + view.transport_length;
  if (view.family == IpFamily::kIpv4 && view.dont_fragment)
    hooks_.found(rule::kFragmentDf, Verdict::kLegal, packet, view, fmt::format("fragment {}:{}", begin, end));
  if (view.more_fragments && view.transport_length % 8 != 0)
    hooks_.found(rule::kFragmentLength, Verdict::kViolation, packet, view,
                 fmt::format("{} octets", view.transport_length));
  if (end > 65535)
    hooks_.found(rule::kFragmentBeyondEnd, Verdict::kViolation, packet, view, fmt::format("up to {}", end));

  const Datagram key{view.source, view.destination, view.identification, view.protocol};
  auto found = datagrams_.find(key);
  constexpr std::chrono::seconds kReassembly{60};
  if (found != datagrams_.end() && packet.time - found->second.time > kReassembly) found->second = {};
  if (found == datagrams_.end()) {
    if (datagrams_.size() >= kMaxDatagrams) {
      datagrams_.erase(order_.front());
      order_.pop_front();
    }
    order_.push_back(key);
    found = datagrams_.emplace(key, Fragments{}).first;
  }
  Fragments& fragments = found->second;
  if (fragments.seen.empty()) fragments.time = packet.time;
  if (fragments.end && end > *fragments.end)
    hooks_.found(rule::kFragmentBeyondEnd, Verdict::kViolation, packet, view,
                 fmt::format("up to {}, the last one ended at {}", end, *fragments.end));
  for (const PositionRange& other : fragments.seen) {
    if (other == PositionRange{begin, end}) return;  // the network may double a packet
    if (begin >= other.end || other.begin >= end) continue;
    // RFC 5722 forbids it for IPv6; with IPv4 the identification may have come round.
    hooks_.found(rule::kFragmentOverlap,
                 view.family == IpFamily::kIpv6 ? Verdict::kViolation : Verdict::kLegal, packet, view,
                 fmt::format("{}:{} and {}:{}", other.begin, other.end, begin, end));
    break;
  }
  if (!view.more_fragments && !fragments.end) fragments.end = end;
  if (fragments.seen.size() < kMaxFragments) fragments.seen.push_back({begin, end});
}

void PacketRules::judge_tcp_form(const CapturedPacket& packet, const PacketView& view) {
  if (view.tcp || view.is_fragment || !is_whole(packet, view) ||
      view.transport_length < wire::TcpHeader::kMinSize)
    return;
  const Bytes segment = packet.octets.subspan(view.transport_offset, view.transport_length);
  wire::ChecksumSum sum =
      wire::pseudo_header_sum(view.source, view.destination, view.protocol, view.transport_length);
  sum.add(segment);
  if (sum.checksum() != 0) return;  // damaged, perhaps
  const unsigned offset = (segment[12] >> 4) * 4U;
  const bool is_offset = offset < wire::TcpHeader::kMinSize || offset > segment.size();
  hooks_.found(rule::kMalformed, Verdict::kViolation, packet, view,
               is_offset ? fmt::format("data offset {} in a segment of {}", offset, segment.size())
                         : "an option has an impossible length");
}

// RFC 6528 §3: the numbers of two connections have nothing to do with each other. Three are no accident.
void PacketRules::judge_isn(const CapturedPacket& packet, const PacketView& view) {
  if (!view.tcp || !view.tcp->flags.syn || view.transport_checksum == ChecksumVerdict::kBad) return;
  auto found = std::ranges::find_if(initial_numbers_, [&](const InitialNumber& known) {
    return known.source == view.source && known.number == view.tcp->sequence;
  });
  if (found == initial_numbers_.end()) {
    if (initial_numbers_.size() >= kMaxInitialNumbers) initial_numbers_.pop_front();
    initial_numbers_.push_back({view.source, view.tcp->sequence, {}});
    found = std::prev(initial_numbers_.end());
  }
  const std::pair connection{view.tcp->source_port, Endpoint{view.destination, view.tcp->destination_port}};
  constexpr std::size_t kNoAccident = 3;
  if (found->connections.size() >= kNoAccident ||
      std::ranges::find(found->connections, connection) != found->connections.end())
    return;
  found->connections.push_back(connection);
  if (found->connections.size() == kNoAccident)
    hooks_.found(rule::kIsnRepeats, Verdict::kLegal, packet, view,
                 fmt::format("{} is the number of {} connections", found->number.value(), kNoAccident));
}

void PacketRules::judge_udp(const CapturedPacket& packet, const PacketView& view) {
  if (!view.udp) return;
  if (!view.is_fragment && view.udp->length > view.transport_length) {
    hooks_.found(rule::kUdpLength, Verdict::kViolation, packet, view,
                 fmt::format("{} in {} octets", view.udp->length, view.transport_length));
    return;
  }
  if (view.udp->length < wire::UdpHeader::kSize)
    hooks_.found(rule::kUdpLength, Verdict::kViolation, packet, view, fmt::format("{}", view.udp->length));
  if (view.family == IpFamily::kIpv6 && view.udp->checksum == 0)
    hooks_.found(rule::kUdpNoChecksum, Verdict::kLegal, packet, view, "the checksum is 0");
  else if (view.transport_checksum == ChecksumVerdict::kBad)
    hooks_.found(rule::kUdpChecksum, Verdict::kUnknown, packet, view, "damaged on the way, or sent so");
}

void PacketRules::judge_icmp(const CapturedPacket& packet, const PacketView& view) {
  if (view.transport_checksum == ChecksumVerdict::kBad) {
    hooks_.found(rule::kIcmpChecksum, Verdict::kUnknown, packet, view, "damaged on the way, or sent so");
    return;
  }
  if (view.is_fragment || packet.octets.size() < view.transport_offset + wire::IcmpHeader::kSize) return;
  wire::Reader reader(packet.octets.subspan(view.transport_offset));
  const auto header = wire::IcmpHeader::parse(reader);
  if (!header) return;
  const bool is_v4 = view.protocol == IpProtocol::kIcmp;
  const std::size_t there = std::min<std::size_t>(
      reader.remaining(), view.transport_length - std::min<std::uint32_t>(view.transport_length, 8));
  if (is_icmp_error(view.protocol, header->type)) {
    judge_icmp_error(packet, view, reader.bytes(there));
    if ((is_v4 && header->type == 3 && header->code == 4) || (!is_v4 && header->type == 2))
      judge_mtu(packet, view, is_v4 ? header->rest & 0xffff : header->rest);
  } else {
    judge_echo(packet, view, header->type, header->rest);
  }
}

void PacketRules::judge_mtu(const CapturedPacket& packet, const PacketView& view, std::uint32_t mtu) {
  // RFC 1191 §4 lets old routers say 0; RFC 791 and RFC 8200 have 68 and 1280 octets pass everywhere.
  const std::uint32_t smallest = view.protocol == IpProtocol::kIcmp ? 68 : 1280;
  if (mtu < smallest) hooks_.found(rule::kIcmpMtu, Verdict::kLegal, packet, view, fmt::format("MTU {}", mtu));
}

void PacketRules::judge_icmp_error(const CapturedPacket& packet, const PacketView& view, Bytes quote) {
  CapturedPacket quoted;
  quoted.link_type = LinkType::kRaw;
  quoted.octets = quote;
  quoted.original_length = static_cast<std::uint32_t>(std::max<std::size_t>(quote.size(), 65535));
  const auto inner = PacketView::parse(quoted);
  const bool is_v4 = view.protocol == IpProtocol::kIcmp;
  const std::size_t needed = is_v4 ? 8 : 0;
  if (is_whole(packet, view) && (!inner || quote.size() < inner->transport_offset + needed)) {
    // RFC 4443: as much as fits; a packet shorter than that is quoted whole.
    if (inner && quote.size() >= inner->transport_offset + inner->transport_length) return;
    // Even where its headers are not whole, which may be what the error is about.
    constexpr std::size_t kHeader = 40;
    if (!is_v4 && quote.size() >= kHeader &&
        quote.size() >= kHeader + (std::size_t{quote[4]} << 8 | quote[5]))
      return;
    hooks_.found(rule::kIcmpQuote, Verdict::kViolation, packet, view, fmt::format("{} octets", quote.size()));
    return;
  }
  if (!inner) return;
  if (inner->fragment_offset != 0)
    hooks_.found(rule::kIcmpAboutFragment, Verdict::kViolation, packet, view,
                 fmt::format("about a fragment at {}", inner->fragment_offset));
  const std::uint8_t type = quote[0 + std::min(inner->transport_offset, quote.size() - 1)];
  wire::Reader message(packet.octets.subspan(view.transport_offset));
  const std::uint8_t own_type = message.u8();
  const std::uint8_t own_code = message.u8();
  const bool inner_is_icmp =
      inner->protocol == (is_v4 ? IpProtocol::kIcmp : IpProtocol::kIcmpv6) && inner->fragment_offset == 0;
  constexpr std::uint8_t kRedirect = 5, kTooBig = 2, kParameterProblem = 4;
  if (inner_is_icmp && quote.size() > inner->transport_offset && is_icmp_error(view.protocol, type) &&
      !(is_v4 && own_type == kRedirect))
    hooks_.found(rule::kIcmpAboutError, Verdict::kViolation, packet, view,
                 fmt::format("about an ICMP error of type {}", type));
  // RFC 4443 §2.4 (e.3) lets two of ICMPv6 answer what went to a group.
  const bool may_answer_group =
      !is_v4 && (own_type == kTooBig || (own_type == kParameterProblem && own_code == 2));
  if ((inner->destination.is_multicast() || inner->destination.is_limited_broadcast()) && !may_answer_group)
    hooks_.found(rule::kIcmpAboutGroup, Verdict::kViolation, packet, view,
                 fmt::format("about a packet to {}", inner->destination));
  else if (is_no_host(inner->source) || (inner->source.is_unspecified() && !is_v4))
    hooks_.found(rule::kIcmpAboutGroup, Verdict::kViolation, packet, view,
                 fmt::format("about a packet from {}", inner->source));
  if (inner->protocol != IpProtocol::kTcp || inner->fragment_offset != 0) return;
  wire::Reader ports(quote.subspan(std::min(inner->transport_offset, quote.size())));
  const Port from{ports.u16()}, to{ports.u16()};
  const SeqNum sequence(ports.u32());
  // RFC 1122 §4.2.3.9: protocol and port unreachable, and fragmentation needed.
  const bool is_hard = is_v4 ? own_type == 3 && own_code >= 2 && own_code <= 4
                             : (own_type == 1 && own_code == 4) || own_type == kTooBig;
  if (ports.ok())
    hooks_.icmp_error(packet, {inner->source, from}, {inner->destination, to}, sequence, is_hard);
}

void PacketRules::judge_echo(const CapturedPacket& packet, const PacketView& view, std::uint8_t type,
                             std::uint32_t rest) {
  const bool is_v4 = view.protocol == IpProtocol::kIcmp;
  const bool is_request = type == (is_v4 ? 8 : 128), is_reply = type == (is_v4 ? 0 : 129);
  if ((!is_request && !is_reply) || !is_whole(packet, view)) return;
  const Bytes data = packet.octets.subspan(view.transport_offset, view.transport_length).subspan(8);
  const Echo echo{view.source, view.destination, rest, hash_of(data),
                  static_cast<std::uint32_t>(data.size())};
  if (is_request) {
    if (echoes_.size() >= kMaxEchoes) echoes_.pop_front();
    echoes_.push_back(echo);
    return;
  }
  bool was_asked = false;
  for (const Echo& request : echoes_) {
    if (request.rest != rest || request.source != view.destination || request.destination != view.source)
      continue;
    if (request.hash == echo.hash && request.length == echo.length) return;
    was_asked = true;
  }
  if (was_asked)
    hooks_.found(rule::kEchoReply, Verdict::kViolation, packet, view,
                 fmt::format("{} octets, which are not those of the request", data.size()));
}

}  // namespace transom::drivers::judge
