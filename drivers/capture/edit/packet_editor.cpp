#include "drivers/capture/edit/packet_editor.h"

#include <algorithm>

#include "drivers/capture/edit/octets_in_place.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ethernet.h"

namespace transom::drivers {

namespace {

constexpr unsigned kMaxDepth = 3;  // of packets that quote packets

// Where the checksum of a transport header is, from its start.
std::optional<std::size_t> checksum_field(IpProtocol protocol) {
  switch (protocol) {
    case IpProtocol::kTcp:
      return wire::TcpHeader::kChecksumOffset;
    case IpProtocol::kUdp:
      return 6;
    case IpProtocol::kIcmp:
    case IpProtocol::kIgmp:
    case IpProtocol::kIcmpv6:
      return 2;
    default:
      return std::nullopt;
  }
}

bool has_pseudo_header(IpProtocol protocol) {
  return protocol == IpProtocol::kTcp || protocol == IpProtocol::kUdp || protocol == IpProtocol::kIcmpv6;
}

// RFC 1624 §3: HC' = ~(~HC + ~m + m'), where m is all that the checksum covers and can be seen.
std::uint16_t updated(std::uint16_t field, std::uint16_t before, std::uint16_t after) {
  wire::ChecksumSum sum;
  sum.add_u16(static_cast<std::uint16_t>(~field));
  sum.add_u16(static_cast<std::uint16_t>(~before));
  sum.add_u16(after);
  return sum.checksum();
}

// What a transport checksum covers, before and after a change.
class CoveredSum {
 public:
  CoveredSum(const PacketView& view, std::size_t field) : view_(view), field_(field) {}

  std::uint16_t of(Bytes packet, const IpAddress& source, const IpAddress& destination) const {
    wire::ChecksumSum sum;
    if (has_pseudo_header(view_.protocol))
      sum = wire::pseudo_header_sum(source, destination, view_.protocol, view_.transport_length);
    // A checksum of partial packets that only covers the pseudo header.
    if (view_.transport_checksum == ChecksumVerdict::kUnfilled) return sum.fold();
    // UDP may end before its packet does.
    const std::size_t length =
        view_.udp ? view_.payload_length + wire::UdpHeader::kSize : view_.transport_length;
    Bytes covered = packet.subspan(view_.transport_offset);
    covered = covered.first(std::min(covered.size(), length));
    sum.add(covered.first(field_));
    sum.add(covered.subspan(field_ + 2));
    return sum.fold();
  }

 private:
  const PacketView& view_;
  std::size_t field_;
};

}  // namespace

void PacketEditor::change_address(MutableBytes octets, std::size_t offset, std::size_t size, bool is_source) {
  if (offset + size > octets.size()) return;
  const IpAddress address = address_at(octets, offset, size);
  put_address(octets, offset, size, is_source ? changes_.source(address) : changes_.destination(address));
}

void PacketEditor::change_addresses(MutableBytes octets, std::size_t offset, std::size_t size,
                                    bool is_source) {
  for (; offset + size <= octets.size(); offset += size) change_address(octets, offset, size, is_source);
}

void PacketEditor::change_mac(MutableBytes octets, std::size_t offset, bool is_source) {
  constexpr std::size_t kMac = 6;
  if (offset + kMac > octets.size()) return;
  wire::Reader reader(Bytes(octets).subspan(offset));
  const MacAddress mac = wire::read_mac(reader);
  wire::Writer writer(octets.subspan(offset));
  wire::write_mac(writer, is_source ? changes_.source_mac(mac) : changes_.destination_mac(mac));
}

void PacketEditor::edit(const CapturedPacket& packet, MutableBytes octets) {
  const auto link = parse_link(packet);
  if (!link) return;
  const auto before = PacketView::parse(packet);
  link_header(packet.link_type, octets);
  const MutableBytes behind_link = octets.subspan(link->network_offset);
  constexpr std::uint16_t kArp = 0x0806;
  if (link->ether_type == kArp) return arp(behind_link);
  if (!before) return changes_.unknown(behind_link);
  ip(behind_link, packet.original_length - static_cast<std::uint32_t>(link->network_offset));
  // What pads a short frame may be left over from another one.
  const std::size_t end = before->transport_offset + before->transport_length;
  if (end < octets.size()) changes_.unknown(octets.subspan(end));
  // The MAC address of a group follows from its IP address.
  if (packet.link_type != LinkType::kEthernet || !before->destination.is_multicast()) return;
  wire::Reader reader(packet.octets);
  CapturedPacket changed = packet;
  changed.octets = octets;
  const auto after = PacketView::parse(changed);
  if (!after || wire::read_mac(reader) != wire::multicast_mac(before->destination)) return;
  wire::Writer writer(octets);
  wire::write_mac(writer, wire::multicast_mac(after->destination));
}

void PacketEditor::link_header(LinkType type, MutableBytes octets) {
  constexpr std::size_t kCooked1Address = 6, kCooked2Address = 12;
  switch (type) {
    case LinkType::kEthernet:
      change_mac(octets, 0, false);
      change_mac(octets, 6, true);
      return;
    case LinkType::kLinuxSll:
      if (u16_at(octets, 4) == 6) change_mac(octets, kCooked1Address, true);
      return;
    case LinkType::kLinuxSll2:
      if (octets[11] == 6) change_mac(octets, kCooked2Address, true);
      return;
    default:
      return;
  }
}

// RFC 826
void PacketEditor::arp(MutableBytes octets) {
  constexpr std::array<std::uint8_t, 6> kEthernetAndIpv4{0, 1, 8, 0, 6, 4};
  if (octets.size() < 28 || !std::equal(kEthernetAndIpv4.begin(), kEthernetAndIpv4.end(), octets.begin()))
    return changes_.unknown(octets);
  change_mac(octets, 8, true);
  change_address(octets, 14, 4, true);
  change_mac(octets, 18, false);
  change_address(octets, 24, 4, false);
  changes_.unknown(octets.subspan(28));
}

bool PacketEditor::ip(MutableBytes octets, std::uint32_t on_wire) {
  CapturedPacket packet;
  packet.link_type = LinkType::kRaw;
  packet.octets = octets;
  packet.original_length = on_wire;
  const auto view = PacketView::parse(packet);
  if (!view || depth_ >= kMaxDepth) return false;
  before_.reset();
  after_.reset();
  const auto field = checksum_field(view->protocol);
  const std::size_t place = view->transport_offset + field.value_or(0);
  const bool has_checksum = field && view->fragment_offset == 0 && *field + 2 <= view->transport_length &&
                            place + 2 <= octets.size() &&
                            view->transport_checksum != ChecksumVerdict::kAbsent;
  const CoveredSum covered(*view, field.value_or(0));
  extension_headers(octets, view->transport_offset);
  const IpAddress last_before = before_.value_or(view->destination);
  const std::optional<IpAddress> last_after = after_;
  // Before anything that is covered is changed.
  const std::uint16_t sum_before = has_checksum ? covered.of(octets, view->source, last_before) : 0;
  network_header(octets, *view);
  transport(octets, *view);
  if (!has_checksum) return true;
  const std::size_t size = view->family == IpFamily::kIpv4 ? 4 : 16;
  const std::size_t source_offset = size == 4 ? 12 : 8;
  const IpAddress source = address_at(octets, source_offset, size);
  const IpAddress destination = last_after.value_or(address_at(octets, source_offset + size, size));
  const std::uint16_t sum_after = covered.of(octets, source, destination);
  std::uint16_t value = u16_at(octets, place);
  if (view->transport_checksum == ChecksumVerdict::kUnfilled) {
    value = static_cast<std::uint16_t>(~updated(static_cast<std::uint16_t>(~value), sum_before, sum_after));
  } else {
    value = updated(value, sum_before, sum_after);
    if (value == 0 && view->protocol == IpProtocol::kUdp)
      value = 0xffff;  // RFC 768: 0 says that there is none
  }
  put_u16(octets, place, value);
  return true;
}

void PacketEditor::network_header(MutableBytes octets, const PacketView& view) {
  const IpAddress before = view.destination;
  if (view.family == IpFamily::kIpv4) {
    const std::size_t header = std::size_t{octets[0] & 0xfU} * 4;
    const MutableBytes whole = octets.first(header);
    const std::uint16_t field = u16_at(octets, 10);
    wire::ChecksumSum sum_before, sum_after;
    sum_before.add(whole.first(10));
    sum_before.add(whole.subspan(12));
    octets[1] = changes_.traffic_class(octets[1]);
    octets[8] = changes_.hop_limit(octets[8]);
    change_address(octets, 12, 4, true);
    change_address(octets, 16, 4, false);
    ipv4_options(whole.subspan(wire::Ipv4Header::kMinSize));
    sum_after.add(whole.first(10));
    sum_after.add(whole.subspan(12));
    if (view.network_checksum != ChecksumVerdict::kUnfilled)
      put_u16(octets, 10, updated(field, sum_before.fold(), sum_after.fold()));
    return;
  }
  const std::uint8_t traffic_class = changes_.traffic_class(view.traffic_class);
  octets[0] = static_cast<std::uint8_t>((octets[0] & 0xf0U) | traffic_class >> 4U);
  octets[1] = static_cast<std::uint8_t>((octets[1] & 0x0fU) | (traffic_class & 0xfU) << 4U);
  octets[7] = changes_.hop_limit(octets[7]);
  change_address(octets, 8, 16, true);
  change_address(octets, 24, 16, false);
  // RFC 4861 §4.3: a solicitation goes to the group that follows from what it asks for.
  const MutableBytes message = octets.subspan(view.transport_offset);
  constexpr std::uint8_t kNeighbourSolicitation = 135;
  if (view.protocol != IpProtocol::kIcmpv6 || message.size() < 24 || message[0] != kNeighbourSolicitation)
    return;
  const IpAddress target = address_at(message, 8, 16);
  if (before == solicited_node_multicast(target))
    put_address(octets, 24, 16, solicited_node_multicast(changes_.destination(target)));
}

// Record route and the source routes hold addresses, and so may timestamps.
void PacketEditor::ipv4_options(MutableBytes options) {
  for (std::size_t at = 0; at < options.size();) {
    const std::uint8_t type = options[at];
    if (type == wire::Ipv4Option::kEndOfList) return;
    if (type == wire::Ipv4Option::kNoOperation) {
      ++at;
      continue;
    }
    if (at + 2 > options.size() || options[at + 1] < 2 || at + options[at + 1] > options.size()) return;
    const MutableBytes option = options.subspan(at, options[at + 1]);
    if (type == wire::Ipv4Option::kRecordRoute || type == wire::Ipv4Option::kLooseSourceRoute ||
        type == wire::Ipv4Option::kStrictSourceRoute) {
      change_addresses(option, 3, 4, false);
    } else if (type != wire::Ipv4Option::kRouterAlert) {
      changes_.unknown(option.subspan(std::min<std::size_t>(option.size(), 4)));
    }
    at += option.size();
  }
}

// The routing headers among them: RFC 8200 §4.4, RFC 8754 §2.
void PacketEditor::extension_headers(MutableBytes octets, std::size_t end) {
  if (octets[0] >> 4 != 6) return;
  IpProtocol next{octets[6]};
  std::size_t at = wire::Ipv6Header::kSize;
  while (at + 8 <= end) {
    const std::size_t size = next == IpProtocol::kFragment         ? 8
                             : next == IpProtocol::kAuthentication ? (octets[at + 1] + 2U) * 4U
                                                                   : (octets[at + 1] + 1U) * 8U;
    if (at + size > end) return;
    const MutableBytes header = octets.subspan(at, size);
    if (next == IpProtocol::kRouting && header.size() >= 24) {
      // All but segment routing, which counts them the other way round, go to the last of them at last.
      constexpr std::uint8_t kSegmentRouting = 4;
      const std::size_t last = header[2] == kSegmentRouting ? 8 : header.size() - 16;
      const bool has_segments_left = header[3] != 0;
      if (has_segments_left) before_ = address_at(header, last, 16);
      change_addresses(header, 8, 16, false);
      if (has_segments_left) after_ = address_at(header, last, 16);
    }
    next = IpProtocol{header[0]};
    at += size;
  }
}

void PacketEditor::change_payload(MutableBytes payload, std::uint32_t place, bool keeps_sum) {
  if (payload.empty()) return;
  if (!keeps_sum || !changes_.changes_payload()) return changes_.payload(payload, place);
  const std::uint16_t before = [&] {
    wire::ChecksumSum sum;
    sum.add(payload);
    return sum.fold();
  }();
  changes_.payload(payload, place);
  // Two octets make up for the change of all: the checksum is in a fragment that has gone by, or has not been
  // seen. In very short pieces they would be the secret itself.
  constexpr std::size_t kEnough = 8;
  if (payload.size() < kEnough) return;
  const std::size_t last = payload.size() / 2 * 2 - 2;
  payload[last] = payload[last + 1] = 0;
  wire::ChecksumSum without;
  without.add(payload);
  wire::ChecksumSum missing;
  missing.add_u16(before);
  missing.add_u16(static_cast<std::uint16_t>(~without.fold()));
  put_u16(payload, last, missing.fold());
}

void PacketEditor::transport(MutableBytes octets, const PacketView& view) {
  MutableBytes all = octets.subspan(view.transport_offset);
  all = all.first(std::min<std::size_t>(all.size(), view.transport_length));
  if (view.fragment_offset != 0) return change_payload(all, view.fragment_offset, true);
  const auto ports = [&] {
    if (all.size() < 4) return;
    put_u16(all, 0, changes_.port(u16_at(all, 0)));
    put_u16(all, 2, changes_.port(u16_at(all, 2)));
  };
  switch (view.protocol) {
    case IpProtocol::kTcp: {
      ports();
      if (all.size() < wire::TcpHeader::kMinSize) return;
      // Options stay, whether they can be read or not: they tell of the sender, not of what was said.
      const std::size_t header = std::size_t{all[12] / 16U} * 4;
      const bool is_header = header >= wire::TcpHeader::kMinSize && header <= view.transport_length;
      constexpr std::uint8_t kSyn = 2;
      const std::uint32_t sequence = wire::Reader(all.subspan(4)).u32() + ((all[13] & kSyn) != 0 ? 1 : 0);
      return change_payload(behind(all, is_header ? header : wire::TcpHeader::kMinSize), sequence,
                            view.is_fragment);
    }
    case IpProtocol::kUdp:
      ports();
      return change_payload(behind(all, wire::UdpHeader::kSize), 0, view.is_fragment);
    case IpProtocol::kIcmp:
      return icmp(all);
    case IpProtocol::kIgmp:
      return igmp(all);
    case IpProtocol::kIcmpv6:
      return icmpv6(all);
    default:
      return change_payload(all, 0, view.is_fragment);
  }
}

void fill_in_checksums(const CapturedPacket& packet, MutableBytes octets) {
  CapturedPacket now = packet;
  now.octets = octets;
  const auto view = PacketView::parse(now);
  if (!view) return;
  if (view->family == IpFamily::kIpv4) {
    const MutableBytes header =
        octets.subspan(view->network_offset, std::size_t{octets[view->network_offset] & 0xfU} * 4);
    put_u16(header, 10, 0);
    put_u16(header, 10, wire::checksum(header));
  }
  const auto field = checksum_field(view->protocol);
  if (!field || view->transport_checksum == ChecksumVerdict::kUnknown ||
      view->transport_checksum == ChecksumVerdict::kAbsent)
    return;
  const std::uint32_t length = view->udp
                                   ? view->payload_length + static_cast<std::uint32_t>(wire::UdpHeader::kSize)
                                   : view->transport_length;
  const MutableBytes covered = octets.subspan(view->transport_offset, length);
  put_u16(covered, *field, 0);
  wire::ChecksumSum sum;
  if (has_pseudo_header(view->protocol))
    sum = wire::pseudo_header_sum(view->source, view->destination, view->protocol, length);
  sum.add(covered);
  const std::uint16_t value = sum.checksum();
  put_u16(covered, *field, value == 0 && view->protocol == IpProtocol::kUdp ? 0xffff : value);
}

}  // namespace transom::drivers
