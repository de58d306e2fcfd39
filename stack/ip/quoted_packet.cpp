#include "stack/ip/quoted_packet.h"

#include "stack/wire/icmp.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"

namespace transom::ip {

namespace {

constexpr int kMaxExtensionHeaders = 8;

std::optional<QuotedPacket> parse_quoted_ipv4(wire::Reader& reader) {
  const auto header = wire::Ipv4Header::parse_quoted(reader);
  if (!header) return std::nullopt;
  QuotedPacket packet{header->source,       header->destination,          header->protocol,
                      header->total_length, header->fragment_offset == 0, reader.rest()};
  if (packet.transport.size() > header->payload_size())
    packet.transport = packet.transport.first(header->payload_size());
  return packet;
}

std::optional<QuotedPacket> parse_quoted_ipv6(wire::Reader& reader) {
  const auto header = wire::Ipv6Header::parse_quoted(reader);
  if (!header) return std::nullopt;
  const std::uint32_t total_length = std::uint32_t{wire::Ipv6Header::kSize} + header->payload_length;
  QuotedPacket packet{header->source, header->destination, header->next_header, total_length, true, {}};
  for (int i = 0; i < kMaxExtensionHeaders; ++i) {
    switch (packet.protocol) {
      case IpProtocol::kHopByHop:
      case IpProtocol::kRouting:
      case IpProtocol::kDestinationOptions: {
        const auto extension = wire::Ipv6ExtensionHeader::parse(reader);
        if (!extension) return std::nullopt;
        packet.protocol = extension->next_header;
        break;
      }
      case IpProtocol::kFragment: {
        const auto fragment = wire::Ipv6FragmentHeader::parse(reader);
        if (!fragment) return std::nullopt;
        packet.protocol = fragment->next_header;
        packet.is_first = fragment->offset == 0;
        if (packet.is_first) break;
        [[fallthrough]];
      }
      default:
        packet.transport = reader.rest();
        return packet;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<QuotedPacket> parse_quoted_packet(Bytes octets) {
  if (octets.empty()) return std::nullopt;
  wire::Reader reader(octets);
  return octets[0] >> 4 == 4 ? parse_quoted_ipv4(reader) : parse_quoted_ipv6(reader);
}

bool is_icmp_error(const QuotedPacket& packet) {
  if (packet.transport.empty()) return false;
  const std::uint8_t type = packet.transport[0];
  if (packet.protocol == IpProtocol::kIcmpv6) {
    constexpr std::uint8_t kFirstInformational = 128;
    return type < kFirstInformational || type == static_cast<std::uint8_t>(wire::Icmpv6Type::kRedirect);
  }
  if (packet.protocol != IpProtocol::kIcmp) return false;
  switch (static_cast<wire::IcmpType>(type)) {
    case wire::IcmpType::kDestinationUnreachable:
    case wire::IcmpType::kSourceQuench:
    case wire::IcmpType::kRedirect:
    case wire::IcmpType::kTimeExceeded:
    case wire::IcmpType::kParameterProblem:
      return true;
    default:
      return false;
  }
}

}  // namespace transom::ip
