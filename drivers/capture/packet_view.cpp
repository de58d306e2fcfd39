#include "drivers/capture/packet_view.h"

#include <algorithm>

#include "stack/wire/checksum.h"
#include "stack/wire/ethernet.h"

namespace transom::drivers {

namespace {

constexpr std::uint16_t kIpv4Type = 0x0800;
constexpr std::uint16_t kIpv6Type = 0x86dd;

bool is_tag(std::uint16_t ether_type) {
  return ether_type == 0x8100 || ether_type == 0x88a8 || ether_type == 0x9100;
}

std::uint16_t ether_type_of_version(Bytes packet) {
  if (packet.empty()) return 0;
  return packet[0] >> 4 == 4 ? kIpv4Type : packet[0] >> 4 == 6 ? kIpv6Type : 0;
}

// AF_INET is 2 everywhere, AF_INET6 is not. The byte order of kNull is that of the machine that captured.
std::uint16_t ether_type_of_family(std::uint32_t family) {
  if (family > 0xffff) family = std::byteswap(family);
  if (family == 2) return kIpv4Type;
  return family == 10 || family == 24 || family == 28 || family == 30 ? kIpv6Type : 0;
}

// The walk from the network header to the payload, each step of which may find nothing more to look at.
class Parser {
 public:
  Parser(const CapturedPacket& packet, const LinkView& link) : packet_(packet), link_(link) {
    view_.network_offset = link.network_offset;
  }

  std::optional<PacketView> parse() {
    wire::Reader reader(packet_.octets.subspan(link_.network_offset));
    if (link_.ether_type == kIpv4Type ? !ipv4(reader) : link_.ether_type != kIpv6Type || !ipv6(reader))
      return std::nullopt;
    view_.transport_offset = link_.network_offset + reader.position();
    view_.payload_offset = view_.transport_offset;
    view_.payload_length = view_.transport_length;
    octets_ = packet_.octets.subspan(view_.transport_offset);
    octets_ = octets_.first(std::min<std::size_t>(octets_.size(), view_.transport_length));
    transport();
    const std::size_t header = view_.payload_offset - view_.transport_offset;
    view_.payload = octets_.subspan(std::min(header, octets_.size()));
    view_.payload = view_.payload.first(std::min<std::size_t>(view_.payload.size(), view_.payload_length));
    return view_;
  }

 private:
  // Octets that the link carried from the network header on.
  std::uint32_t on_wire() const {
    return packet_.original_length - static_cast<std::uint32_t>(link_.network_offset);
  }

  bool ipv4(wire::Reader& reader) {
    const Bytes octets = packet_.octets.subspan(link_.network_offset);
    const std::uint8_t version_and_length = reader.u8();
    const std::size_t header = std::size_t{version_and_length & 0x0fU} * 4;
    if (version_and_length >> 4 != 4 || header < wire::Ipv4Header::kMinSize || octets.size() < header)
      return false;
    view_.family = IpFamily::kIpv4;
    view_.traffic_class = reader.u8();
    std::uint32_t length = reader.u16();
    if (length == 0) length = on_wire();  // a super-packet
    if (length < header) return false;
    view_.identification = reader.u16();
    const std::uint16_t fragment = reader.u16();
    view_.dont_fragment = (fragment & 0x4000) != 0;
    fragment_of((fragment & 0x1fffU) * 8, (fragment & 0x2000) != 0);
    view_.hop_limit = reader.u8();
    view_.protocol = IpProtocol{reader.u8()};
    const std::uint16_t checksum = reader.u16();
    view_.source = wire::read_ipv4_address(reader);
    view_.destination = wire::read_ipv4_address(reader);
    reader.skip(header - wire::Ipv4Header::kMinSize);
    view_.transport_length = length - static_cast<std::uint32_t>(header);
    if (wire::Ipv4Header::has_valid_checksum(octets.first(header)))
      view_.network_checksum = ChecksumVerdict::kGood;
    else
      view_.network_checksum = checksum == 0 ? ChecksumVerdict::kUnfilled : ChecksumVerdict::kBad;
    return true;
  }

  bool ipv6(wire::Reader& reader) {
    const std::uint32_t first = reader.u32();
    if (first >> 28 != 6) return false;
    view_.family = IpFamily::kIpv6;
    view_.traffic_class = static_cast<std::uint8_t>(first >> 20);
    const std::uint32_t length = reader.u16();
    IpProtocol next{reader.u8()};
    view_.hop_limit = reader.u8();
    view_.source = wire::read_ipv6_address(reader);
    view_.destination = wire::read_ipv6_address(reader);
    if (!reader.ok()) return false;
    if (!extension_headers(reader, next)) return false;
    view_.protocol = next;
    const std::uint32_t behind_header =
        static_cast<std::uint32_t>(reader.position() - wire::Ipv6Header::kSize);
    // 0 is a jumbo payload (RFC 2675) or a super-packet.
    const std::uint32_t payload =
        length != 0 ? length : on_wire() - std::min<std::uint32_t>(on_wire(), wire::Ipv6Header::kSize);
    if (payload < behind_header) return false;
    view_.transport_length = payload - behind_header;
    return true;
  }

  // RFC 8200 §4.1: up to the first header that is none of them. Bounded by the octets at hand.
  bool extension_headers(wire::Reader& reader, IpProtocol& next) {
    while (true) {
      switch (next) {
        case IpProtocol::kHopByHop:
        case IpProtocol::kDestinationOptions:
        case IpProtocol::kRouting: {
          const bool is_routing = next == IpProtocol::kRouting;
          next = IpProtocol{reader.u8()};
          const std::size_t length = reader.u8();
          const Bytes body = reader.bytes(length * 8 + 6);
          // RFC 8200 §8.1: the sum is that of the final destination, which is not in the header yet.
          if (is_routing && reader.ok() && body[1] != 0) has_other_destination_ = true;
          break;
        }
        case IpProtocol::kAuthentication: {  // RFC 4302 §2.2: in units of four octets, less two
          next = IpProtocol{reader.u8()};
          const std::size_t length = reader.u8();
          reader.skip((length + 2) * 4 - 2);
          break;
        }
        case IpProtocol::kFragment: {
          next = IpProtocol{reader.u8()};
          reader.skip(1);
          const std::uint16_t fragment = reader.u16();
          view_.identification = reader.u32();
          if (!reader.ok()) return false;
          fragment_of(fragment & 0xfff8U, (fragment & 1U) != 0);
          // What stands in later fragments is no header.
          if (view_.fragment_offset != 0) return true;
          break;
        }
        default:
          return reader.ok();
      }
      if (!reader.ok()) return false;
    }
  }

  void fragment_of(unsigned offset, bool more) {
    view_.fragment_offset = static_cast<std::uint16_t>(offset);
    view_.more_fragments = more;
    view_.is_fragment = more || offset != 0;
  }

  void transport() {
    if (view_.fragment_offset != 0) return;
    wire::Reader reader(octets_);
    std::optional<std::uint16_t> checksum;
    std::uint32_t covered = view_.transport_length;
    bool has_pseudo_header = true;
    switch (view_.protocol) {
      case IpProtocol::kTcp: {
        if (const auto header = wire::TcpHeader::parse(reader)) {
          view_.tcp = *header;
          // By its data offset: unknown options are not in the header that was parsed.
          behind_header(reader.position());
        }
        // It covers a header that cannot be read, too.
        constexpr std::size_t kChecksum = wire::TcpHeader::kChecksumOffset;
        if (octets_.size() < kChecksum + 2) return;
        checksum = wire::Reader(octets_.subspan(kChecksum)).u16();
        break;
      }
      case IpProtocol::kUdp: {
        const auto header = wire::UdpHeader::parse(reader);
        if (!header) return;
        view_.udp = *header;
        // Fragments: the length is that of the whole datagram.
        if (!view_.is_fragment) covered = std::min<std::uint32_t>(covered, header->length);
        behind_header(wire::UdpHeader::kSize);
        view_.payload_length = covered - static_cast<std::uint32_t>(wire::UdpHeader::kSize);
        if (header->checksum == 0 && view_.family == IpFamily::kIpv4) {
          view_.transport_checksum = ChecksumVerdict::kAbsent;
          return;
        }
        if (header->length > view_.transport_length) return;
        checksum = header->checksum;
        break;
      }
      case IpProtocol::kIcmp:
      case IpProtocol::kIgmp:
      case IpProtocol::kIcmpv6:
        has_pseudo_header = view_.protocol == IpProtocol::kIcmpv6;
        reader.skip(2);
        checksum = reader.u16();
        if (!reader.ok()) return;
        break;
      default:
        return;
    }
    if (view_.is_fragment || has_other_destination_ || octets_.size() < covered) return;
    view_.transport_checksum = verdict(*checksum, octets_.first(covered), has_pseudo_header);
  }

  void behind_header(std::size_t size) {
    view_.payload_offset = view_.transport_offset + size;
    view_.payload_length = view_.transport_length - static_cast<std::uint32_t>(size);
  }

  ChecksumVerdict verdict(std::uint16_t field, Bytes covered, bool has_pseudo_header) const {
    wire::ChecksumSum sum;
    wire::ChecksumSum pseudo;
    if (has_pseudo_header) {
      const auto length = static_cast<std::uint32_t>(covered.size());
      pseudo = sum = wire::pseudo_header_sum(view_.source, view_.destination, view_.protocol, length);
    }
    sum.add(covered);
    if (sum.checksum() == 0) return ChecksumVerdict::kGood;
    if (!has_pseudo_header) return ChecksumVerdict::kBad;
    // Some devices want the length left out, to add that of each segment.
    const wire::ChecksumSum without_length =
        wire::pseudo_header_sum(view_.source, view_.destination, view_.protocol, 0);
    return field == pseudo.fold() || field == without_length.fold() ? ChecksumVerdict::kUnfilled
                                                                    : ChecksumVerdict::kBad;
  }

  const CapturedPacket& packet_;
  const LinkView link_;
  PacketView view_;
  Bytes octets_;  // from the transport header on, without what lies behind the packet
  bool has_other_destination_ = false;
};

}  // namespace

std::optional<LinkView> parse_link(const CapturedPacket& packet) {
  wire::Reader reader(packet.octets);
  LinkView link;
  switch (packet.link_type) {
    case LinkType::kEthernet:
      reader.skip(12);
      link.ether_type = reader.u16();
      break;
    case LinkType::kLinuxSll:
      reader.skip(14);
      link.ether_type = reader.u16();
      break;
    case LinkType::kLinuxSll2:
      link.ether_type = reader.u16();
      reader.skip(18);
      break;
    case LinkType::kNull:
    case LinkType::kLoop:
      link.ether_type = ether_type_of_family(reader.u32());
      break;
    case LinkType::kRaw:
      link.ether_type = ether_type_of_version(packet.octets);
      break;
    case LinkType::kIpv4:
      link.ether_type = kIpv4Type;
      break;
    case LinkType::kIpv6:
      link.ether_type = kIpv6Type;
      break;
    default:
      return std::nullopt;
  }
  while (reader.ok() && is_tag(link.ether_type)) {
    reader.skip(2);
    link.ether_type = reader.u16();
  }
  if (!reader.ok()) return std::nullopt;
  link.network_offset = reader.position();
  return link;
}

std::uint32_t PacketView::sequence_length() const {
  if (!tcp) return 0;
  return payload_length + (tcp->flags.syn ? 1 : 0) + (tcp->flags.fin ? 1 : 0);
}

std::optional<PacketView> PacketView::parse(const CapturedPacket& packet) {
  const auto link = parse_link(packet);
  if (!link) return std::nullopt;
  return Parser(packet, *link).parse();
}

}  // namespace transom::drivers
