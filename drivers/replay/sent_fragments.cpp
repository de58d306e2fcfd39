#include "drivers/replay/sent_fragments.h"

#include "stack/ip/fragmentation.h"

namespace transom::drivers::replay {

namespace {

struct Piece {
  IpAddress from, to;
  IpProtocol protocol;
  FragmentRange range;
  std::uint32_t identification;
};

std::vector<std::uint8_t> packet_of(const Piece& piece, Bytes octets) {
  std::vector<std::uint8_t> packet(wire::Ipv6Header::kSize + wire::Ipv6FragmentHeader::kSize);
  wire::Writer writer(packet);
  if (piece.from.is_v4()) {
    wire::Ipv4Header header;
    header.total_length = static_cast<std::uint16_t>(wire::Ipv4Header::kMinSize + octets.size());
    // 0 would be filled in by the Host, another one for each.
    header.identification = static_cast<std::uint16_t>(piece.identification % 0xffff + 1);
    header.more_fragments = piece.range.has_more;
    header.fragment_offset = static_cast<std::uint16_t>(piece.range.begin);
    header.protocol = piece.protocol;
    header.source = piece.from;
    header.destination = piece.to;
    header.write(writer);
    packet.resize(header.size());
  } else {
    wire::Ipv6Header header;
    header.payload_length = static_cast<std::uint16_t>(wire::Ipv6FragmentHeader::kSize + octets.size());
    header.next_header = IpProtocol::kFragment;
    header.source = piece.from;
    header.destination = piece.to;
    header.write(writer);
    wire::Ipv6FragmentHeader{.next_header = piece.protocol,
                             .offset = static_cast<std::uint16_t>(piece.range.begin),
                             .more_fragments = piece.range.has_more,
                             .identification = piece.identification}
        .write(writer);
  }
  packet.insert(packet.end(), octets.begin(), octets.end());
  return packet;
}

}  // namespace

void send_fragments(Host& host, ip::Destination& destination, const IpAddress& from, IpProtocol protocol,
                    Packet datagram, std::span<const FragmentRange> fragments) {
  ip::complete_transport_checksum(datagram);
  std::vector<std::uint8_t> octets(datagram.size());
  datagram.copy_out(0, octets);
  const auto identification = static_cast<std::uint32_t>(host.context().random.next());
  for (const FragmentRange& recorded : fragments) {
    if (recorded.begin >= octets.size()) continue;
    FragmentRange range = recorded;
    range.end = recorded.has_more ? std::min(recorded.end, octets.size()) : octets.size();
    range.has_more = range.end < octets.size();
    const Piece piece{from, destination.address, protocol, range, identification};
    Packet packet = host.context().pool.copy_of(
        packet_of(piece, Bytes(octets).subspan(range.begin, range.end - range.begin)));
    if (packet) (void)host.ip().send_with_header(destination, std::move(packet));
  }
}

}  // namespace transom::drivers::replay
