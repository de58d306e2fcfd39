#include "drivers/replay/transit_script.h"

#include <algorithm>

#include "drivers/capture/edit/octets_in_place.h"
#include "drivers/replay/datagram_script.h"
#include "drivers/replay/fragment_joiner.h"
#include "drivers/replay/ip_octets.h"

namespace transom::drivers::replay {

namespace {

// A TCP segment that a device was to cut, cut to `mtu`.
std::vector<std::vector<std::uint8_t>> cut(Bytes segment, const PacketView& view, std::uint32_t mtu) {
  std::vector<std::vector<std::uint8_t>> pieces;
  const std::size_t headers = view.payload_offset;
  const std::size_t size = mtu - headers;
  for (std::size_t at = 0; at < view.payload.size(); at += size) {
    const Bytes text = view.payload.subspan(at, std::min(size, view.payload.size() - at));
    std::vector<std::uint8_t>& piece =
        pieces.emplace_back(segment.begin(), segment.begin() + static_cast<std::ptrdiff_t>(headers));
    piece.insert(piece.end(), text.begin(), text.end());
    const std::size_t tcp = view.transport_offset;
    wire::Writer(MutableBytes(piece).subspan(tcp + 4))
        .u32((view.tcp->sequence + static_cast<std::uint32_t>(at)).value());
    constexpr std::uint8_t kFinAndPush = 0x09, kCwr = 0x80;
    if (at + text.size() < view.payload.size()) piece[tcp + 13] &= static_cast<std::uint8_t>(~kFinAndPush);
    if (at > 0) piece[tcp + 13] &= static_cast<std::uint8_t>(~kCwr);
    if (view.family == IpFamily::kIpv4) {
      put_u16(piece, 2, static_cast<std::uint16_t>(piece.size()));
      put_u16(piece, 4, static_cast<std::uint16_t>(view.identification + pieces.size() - 1));
    } else {
      put_u16(piece, 4, static_cast<std::uint16_t>(piece.size() - wire::Ipv6Header::kSize));
    }
    fill_in_checksums(captured(piece), piece);
  }
  return pieces;
}

class ScriptWriter {
 public:
  ScriptWriter(const Scene& scene, std::size_t number, std::size_t first_port, Duration time,
               std::uint32_t mtu)
      : mtu_(mtu), begin_(time), last_(time) {
    const Flow& flow = scene.flows[number];
    script_.flow = number;
    script_.protocol = flow.protocol;
    script_.ends = {flow.ends[first_port], flow.ends[1 - first_port]};
    script_.begin = time - scene.begin;
    if (const auto facts = scene.tcp.find(number); facts != scene.tcp.end())
      for (std::size_t side = 0; side < 2; ++side)
        offsets_[side] = SequenceOffsets(
            facts->second.ends[side == 0 ? first_port : 1 - first_port].initial.value_or(SeqNum()));
  }

  void add(const CapturedPacket& packet, const PacketView& view) {
    const std::size_t side = view.source == script_.ends[0].address ? 0 : 1;
    if (side == 1 && view.source != script_.ends[1].address) return;  // a router's
    const std::size_t length = view.transport_offset - view.network_offset + view.transport_length;
    const Bytes kept = packet.octets.subspan(view.network_offset);
    std::vector<std::uint8_t> octets(
        kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(std::min(length, kept.size())));
    octets.resize(length);  // zeros stand in for what the snap length cut
    const auto whole = PacketView::parse(captured(octets));
    if (!whole) return;
    if (view.transport_checksum == ChecksumVerdict::kUnfilled || packet.is_cut())
      fill_in_checksums(captured(octets), octets);
    if (whole->tcp && octets.size() > mtu_ && !whole->payload.empty()) {
      ++script_.recut;
      for (std::vector<std::uint8_t>& piece : cut(octets, *whole, mtu_)) add(packet, side, std::move(piece));
      return;
    }
    add(packet, side, std::move(octets));
  }

  TransitScript finish() && { return std::move(script_); }

 private:
  void add(const CapturedPacket& packet, std::size_t side, std::vector<std::uint8_t> octets) {
    TransitPacket& made = script_.packets.emplace_back();
    made.number = packet.number;
    made.time = packet.time - begin_;
    made.think = std::max(packet.time - last_, Duration::zero());
    made.side = side;
    made.awaits = script_.units[1 - side].size();
    made.octets = std::move(octets);
    last_ = packet.time;
    add_to_unit(script_.packets.size() - 1);
  }

  void add_to_unit(std::size_t index) {
    TransitPacket& packet = script_.packets[index];
    const CapturedPacket whole = captured(packet.octets);
    const auto view = PacketView::parse(whole);
    std::vector<TransitUnit>& units = script_.units[packet.side];
    if (view && view->is_fragment) {
      const FragmentKey key(*view);
      std::vector<std::size_t>& pieces = pieces_[key];
      pieces.push_back(index);
      packet.unit = units.size();
      units.push_back({.packets = {index}});
      if (!joiner_.add(*view, behind_ip(whole, *view))) return;
      // All in the first one's place; those of the others stay empty.
      TransitUnit& unit = units[script_.packets[pieces.back()].unit];
      unit.is_joined = true;
      for (const std::size_t piece : pieces) {
        if (piece != index) units[script_.packets[piece].unit].packets.clear();
        script_.packets[piece].unit = packet.unit;
      }
      unit.packets = std::move(pieces);
      pieces_.erase(key);
      return;
    }
    packet.unit = units.size();
    TransitUnit& unit = units.emplace_back();
    unit.packets = {index};
    if (!view || !view->tcp) return;
    const wire::TcpHeader& header = *view->tcp;
    SequenceOffsets& offsets = offsets_[packet.side];
    unit.end = offsets.of(header.sequence) + view->sequence_length();
    if (!header.flags.rst) offsets.see(header.sequence + view->sequence_length());
    unit.is_pure_ack = header.flags.ack && view->sequence_length() == 0 && !header.flags.rst;
  }

  TransitScript script_;
  std::uint32_t mtu_;
  Duration begin_, last_;
  std::array<SequenceOffsets, 2> offsets_;
  FragmentJoiner joiner_;
  std::map<FragmentKey, std::vector<std::size_t>> pieces_;
};

}  // namespace

std::expected<std::map<std::size_t, TransitScript>, CaptureError> make_transit_scripts(CaptureReader& reader,
                                                                                       const Scene& scene,
                                                                                       const Cast& cast,
                                                                                       std::uint32_t mtu) {
  FlowTable table;
  std::map<std::size_t, ScriptWriter> writers;
  const auto read = for_each_placed(
      reader, table, [&](const CapturedPacket& packet, const PacketView& view, const Place& place) {
        std::size_t flow = place.flow;
        if (const auto quoted = quoted_by(view.protocol, behind_ip(packet, view)))
          flow = table.find(quoted->packet, quoted->view).value_or(flow);
        const auto ours = cast.ours(flow);
        const IpProtocol protocol = scene.flows[flow].protocol;
        const bool is_known =
            protocol == IpProtocol::kTcp || protocol == IpProtocol::kUdp || is_icmp(protocol);
        if (!ours || !is_known || view.destination.is_multicast()) return;
        if (view.protocol == IpProtocol::kIcmpv6 && view.fragment_offset == 0 && !view.payload.empty() &&
            view.payload[0] >= 130 && view.payload[0] <= 137)
          return;  // Neighbor Discovery and MLD stay on the link
        writers.try_emplace(flow, scene, flow, *ours, packet.time, mtu).first->second.add(packet, view);
      });
  if (!read) return std::unexpected(read.error());
  std::map<std::size_t, TransitScript> scripts;
  for (auto& [flow, writer] : writers) {
    TransitScript script = std::move(writer).finish();
    if (!script.packets.empty()) scripts.emplace(flow, std::move(script));
  }
  return scripts;
}

}  // namespace transom::drivers::replay
