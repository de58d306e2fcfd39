#include "drivers/replay/segment_joiner.h"

#include "drivers/capture/edit/octets_in_place.h"
#include "drivers/replay/ip_octets.h"
#include "stack/wire/checksum.h"

namespace transom::drivers::replay {

namespace {

// The header of a packet that is no fragment, with `length` octets behind it. IPv6: without extension
// headers.
std::vector<std::uint8_t> whole_header(Bytes first, std::size_t length) {
  const bool is_v4 = first[0] >> 4 == 4;
  const std::size_t size = is_v4 ? (first[0] & 0xfU) * std::size_t{4} : wire::Ipv6Header::kSize;
  std::vector<std::uint8_t> header(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(size));
  if (!is_v4) {
    put_u16(header, 4, static_cast<std::uint16_t>(length));
    header[6] = static_cast<std::uint8_t>(IpProtocol::kTcp);
    return header;
  }
  put_u16(header, 2, static_cast<std::uint16_t>(size + length));
  put_u16(header, 6, 0);
  put_u16(header, 10, 0);
  put_u16(header, 10, wire::checksum(header));
  return header;
}

}  // namespace

std::optional<JoinedSegment> SegmentJoiner::add(const CapturedPacket& packet, const PacketView& view) {
  const FragmentKey key(view);
  if (!unfinished_.contains(key) && unfinished_.size() >= kMaxSegments) unfinished_.clear();
  Pieces& pieces = unfinished_[key];
  const std::size_t begin = view.fragment_offset;
  if (pieces.fragments.size() < kMaxFragments)
    pieces.fragments.push_back({begin, begin + view.transport_length, view.more_fragments});
  if (view.tcp) {
    const Bytes header =
        packet.octets.subspan(view.network_offset, view.transport_offset - view.network_offset);
    pieces.ip_header.assign(header.begin(), header.end());
  }
  const auto transport = joiner_.add(view, behind_ip(packet, view));
  if (!transport) return std::nullopt;
  const Pieces complete = std::move(pieces);
  unfinished_.erase(key);
  constexpr std::size_t kMaxLength = 65535;
  if (complete.ip_header.empty() || complete.ip_header.size() + transport->size() > kMaxLength)
    return std::nullopt;
  JoinedSegment segment;
  segment.octets = whole_header(complete.ip_header, transport->size());
  segment.octets.insert(segment.octets.end(), transport->begin(), transport->end());
  segment.packet = captured(segment.octets);
  segment.packet.number = packet.number;
  segment.packet.time = packet.time;
  segment.packet.interface = packet.interface;
  segment.packet.is_outgoing = packet.is_outgoing;
  const auto whole = PacketView::parse(segment.packet);
  if (!whole || !whole->tcp) return std::nullopt;
  segment.view = *whole;
  segment.fragments = complete.fragments;
  return segment;
}

}  // namespace transom::drivers::replay
