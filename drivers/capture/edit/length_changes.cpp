#include "drivers/capture/edit/length_changes.h"

#include <algorithm>

#include "drivers/capture/edit/packet_editor.h"

namespace transom::drivers {

namespace {

void put_u16(std::vector<std::uint8_t>& octets, std::size_t offset, std::uint16_t value) {
  wire::Writer(MutableBytes(octets).subspan(offset)).u16(value);
}

// Makes the headers say that the packet has `transport` octets behind its IP headers.
void set_length(std::vector<std::uint8_t>& octets, const PacketView& view, std::size_t transport) {
  if (view.family == IpFamily::kIpv4) {
    const std::size_t header = view.transport_offset - view.network_offset;
    put_u16(octets, view.network_offset + 2, static_cast<std::uint16_t>(header + transport));
  } else {
    const std::size_t extensions = view.transport_offset - view.network_offset - wire::Ipv6Header::kSize;
    put_u16(octets, view.network_offset + 4, static_cast<std::uint16_t>(extensions + transport));
  }
  if (view.udp && !view.is_fragment)
    put_u16(octets, view.transport_offset + 4, static_cast<std::uint16_t>(transport));
}

constexpr std::uint8_t kEndOfOptions = 0, kNoOperation = 1;

struct TcpOption {
  std::uint8_t kind = 0;
  std::size_t begin = 0, end = 0;  // in the packet's octets
};

// Without padding; up to the first that is malformed.
std::vector<TcpOption> tcp_options(Bytes octets, const PacketView& view) {
  std::vector<TcpOption> options;
  if (!view.tcp || view.is_fragment || !view.has_whole_payload()) return options;
  for (std::size_t at = view.transport_offset + wire::TcpHeader::kMinSize; at < view.payload_offset;) {
    const std::uint8_t kind = octets[at];
    if (kind == kEndOfOptions) break;
    if (kind == kNoOperation) {
      ++at;
      continue;
    }
    if (at + 1 >= view.payload_offset) break;
    const std::size_t length = octets[at + 1];
    if (length < 2 || at + length > view.payload_offset) break;
    options.push_back({.kind = kind, .begin = at, .end = at + length});
    at += length;
  }
  return options;
}

}  // namespace

OwnedPacket OwnedPacket::copy_of(const CapturedPacket& packet) {
  OwnedPacket owned{packet, {packet.octets.begin(), packet.octets.end()}};
  owned.packet.octets = owned.octets;
  return owned;
}

void OwnedPacket::refresh(std::uint32_t original_length) {
  packet.octets = octets;
  packet.original_length = original_length;
}

void pad_to_length(OwnedPacket& packet) {
  // As a packet comes from a reader, it has been bounded; the length on the wire has not.
  constexpr std::uint32_t kMaxPacket = 262144;
  if (packet.packet.original_length > kMaxPacket) return;
  packet.octets.resize(packet.packet.original_length);
  packet.refresh(packet.packet.original_length);
}

void cut_to_length(OwnedPacket& packet, std::uint32_t mtu) {
  const auto view = PacketView::parse(packet.packet);
  if (!view) return;
  const std::size_t limit = std::min<std::size_t>(packet.octets.size(), view->network_offset + mtu);
  const std::size_t end = view->transport_offset + view->transport_length;
  if (end <= limit || limit <= view->transport_offset) return;
  packet.octets.resize(limit);
  set_length(packet.octets, *view, limit - view->transport_offset);
  packet.refresh(static_cast<std::uint32_t>(limit));
  fill_in_checksums(packet.packet, packet.octets);
}

std::vector<std::uint8_t> tcp_option_kinds(const CapturedPacket& packet) {
  std::vector<std::uint8_t> kinds;
  const auto view = PacketView::parse(packet);
  if (!view) return kinds;
  for (const TcpOption& option : tcp_options(packet.octets, *view)) kinds.push_back(option.kind);
  return kinds;
}

void drop_tcp_options(OwnedPacket& packet, std::uint8_t kind) {
  const auto view = PacketView::parse(packet.packet);
  if (!view) return;
  const Bytes before = packet.octets;
  const std::size_t options_begin = view->transport_offset + wire::TcpHeader::kMinSize;
  std::vector<std::uint8_t> options;
  std::size_t at = options_begin;
  for (const TcpOption& option : tcp_options(before, *view)) {
    if (option.kind != kind) continue;
    options.insert(options.end(), before.begin() + static_cast<std::ptrdiff_t>(at),
                   before.begin() + static_cast<std::ptrdiff_t>(option.begin));
    at = option.end;
  }
  if (at == options_begin) return;
  options.insert(options.end(), before.begin() + static_cast<std::ptrdiff_t>(at),
                 before.begin() + static_cast<std::ptrdiff_t>(view->payload_offset));
  const bool is_padding = std::ranges::all_of(
      options, [](std::uint8_t octet) { return octet == kEndOfOptions || octet == kNoOperation; });
  if (is_padding) options.clear();
  options.resize((options.size() + 3) / 4 * 4, kEndOfOptions);

  std::vector<std::uint8_t> octets(before.begin(),
                                   before.begin() + static_cast<std::ptrdiff_t>(options_begin));
  octets.insert(octets.end(), options.begin(), options.end());
  octets.insert(octets.end(), view->payload.begin(), view->payload.end());
  constexpr std::size_t kDataOffset = 12;
  std::uint8_t& data_offset = octets[view->transport_offset + kDataOffset];
  data_offset = static_cast<std::uint8_t>((data_offset & 0x0f) |
                                          ((wire::TcpHeader::kMinSize + options.size()) / 4) << 4);
  set_length(octets, *view, octets.size() - view->transport_offset);
  packet.octets = std::move(octets);
  packet.refresh(static_cast<std::uint32_t>(packet.octets.size()));
  fill_in_checksums(packet.packet, packet.octets);
}

std::vector<OwnedPacket> segments_of(const CapturedPacket& packet, const PacketView& view,
                                     std::uint32_t segment) {
  std::vector<OwnedPacket> segments;
  if (!view.tcp || view.is_fragment || segment == 0 || view.payload_length <= segment ||
      !view.has_whole_payload())
    return segments;
  constexpr std::size_t kFlags = 13;
  constexpr std::uint8_t kFin = 0x01, kPsh = 0x08, kCwr = 0x80;
  const Bytes headers = packet.octets.first(view.payload_offset);
  for (std::uint32_t at = 0; at < view.payload_length; at += segment) {
    const std::uint32_t size = std::min(segment, view.payload_length - at);
    OwnedPacket made{packet, {headers.begin(), headers.end()}};
    const Bytes part = view.payload.subspan(at, size);
    made.octets.insert(made.octets.end(), part.begin(), part.end());
    set_length(made.octets, view, made.octets.size() - view.transport_offset);
    if (view.family == IpFamily::kIpv4)
      put_u16(made.octets, view.network_offset + 4,
              static_cast<std::uint16_t>(view.identification + at / segment));
    wire::Writer(MutableBytes(made.octets).subspan(view.transport_offset + 4))
        .u32(view.tcp->sequence.value() + at);
    std::uint8_t& flags = made.octets[view.transport_offset + kFlags];
    if (at + size < view.payload_length) flags &= static_cast<std::uint8_t>(~(kFin | kPsh));
    if (at > 0) {
      flags &= static_cast<std::uint8_t>(~kCwr);
      made.packet.comments.clear();
    }
    made.refresh(static_cast<std::uint32_t>(made.octets.size()));
    fill_in_checksums(made.packet, made.octets);
    segments.push_back(std::move(made));
    segments.back().packet.octets = segments.back().octets;
  }
  return segments;
}

bool reduce_to_ip(OwnedPacket& packet) {
  const auto link = parse_link(packet.packet);
  if (!link || (link->ether_type != 0x0800 && link->ether_type != 0x86dd)) return false;
  packet.octets.erase(packet.octets.begin(),
                      packet.octets.begin() + static_cast<std::ptrdiff_t>(link->network_offset));
  packet.packet.link_type = LinkType::kRaw;
  packet.refresh(packet.packet.original_length - static_cast<std::uint32_t>(link->network_offset));
  return true;
}

}  // namespace transom::drivers
