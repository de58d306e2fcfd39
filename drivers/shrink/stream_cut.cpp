#include "drivers/shrink/stream_cut.h"

#include "drivers/capture/edit/length_changes.h"
#include "drivers/capture/edit/packet_editor.h"

namespace transom::drivers {

namespace {

// What lies at `from` or behind it in the stream of `sender` moves back by `by`.
struct Shift {
  Endpoint sender, receiver;
  SeqNum from;
  std::uint32_t by;

  // The 32-bit number at `offset`, if the header is so long.
  void move(MutableBytes octets, std::size_t offset) const {
    if (offset + 4 > octets.size()) return;
    const MutableBytes field = octets.subspan(offset, 4);
    const SeqNum number(wire::Reader(field).u32());
    if (is_at_or_after(number, from)) wire::Writer(field).u32((number - by).value());
  }
};

void move_sack_blocks(const Shift& shift, MutableBytes octets, std::size_t begin, std::size_t end) {
  constexpr std::uint8_t kNoOperation = 1, kSack = 5;
  for (std::size_t at = begin; at + 1 < end && octets[at] != 0;) {
    const std::size_t length = octets[at] == kNoOperation ? 1 : octets[at + 1];
    if (length == 0 || at + length > end) return;
    for (std::size_t edge = at + 2; octets[at] == kSack && edge + 4 <= at + length; edge += 4)
      shift.move(octets, edge);
    at += length;
  }
}

KeptPacket shifted(const KeptPacket& kept, const Shift& shift) {
  const auto view = PacketView::parse(kept.packet());
  if (!view || !view->tcp) return kept;
  const Endpoint from{view->source, view->tcp->source_port};
  const Endpoint to{view->destination, view->tcp->destination_port};
  OwnedPacket changed = OwnedPacket::copy_of(kept.packet());
  constexpr std::size_t kSequence = 4, kAcknowledgment = 8;
  if (from == shift.sender && to == shift.receiver) {
    shift.move(changed.octets, view->transport_offset + kSequence);
  } else if (from == shift.receiver && to == shift.sender && view->tcp->flags.ack) {
    shift.move(changed.octets, view->transport_offset + kAcknowledgment);
    move_sack_blocks(shift, changed.octets, view->transport_offset + wire::TcpHeader::kMinSize,
                     view->payload_offset);
  } else {
    return kept;
  }
  fill_in_checksums(changed.packet, changed.octets);
  return KeptPacket(changed.packet);
}

std::optional<PacketView> segment_to_cut(const CapturedPacket& packet, std::uint32_t size) {
  auto view = PacketView::parse(packet);
  if (!view || !view->tcp || view->is_fragment || !view->has_whole_payload() || view->payload_length <= size)
    return std::nullopt;
  return view;
}

}  // namespace

std::vector<KeptPacket> cut_payload(std::span<const KeptPacket> packets, std::size_t place,
                                    std::uint32_t size) {
  const auto view = segment_to_cut(packets[place].packet(), size);
  if (!view) return {};
  std::vector<KeptPacket> result(packets.begin(), packets.end());
  OwnedPacket cut = OwnedPacket::copy_of(packets[place].packet());
  cut_to_length(cut, static_cast<std::uint32_t>(view->payload_offset - view->network_offset) + size);
  result[place] = KeptPacket(cut.packet);
  return result;
}

std::vector<KeptPacket> cut_stream(std::span<const KeptPacket> packets, std::size_t place,
                                   std::uint32_t size) {
  std::vector<KeptPacket> result = cut_payload(packets, place, size);
  if (result.empty()) return result;
  const auto view = PacketView::parse(packets[place].packet());
  const Shift shift{
      .sender = {view->source, view->tcp->source_port},
      .receiver = {view->destination, view->tcp->destination_port},
      .from = view->tcp->sequence + (view->sequence_length() - (view->tcp->flags.fin ? 1U : 0U)),
      .by = view->payload_length - size};
  for (std::size_t other = 0; other < result.size(); ++other)
    if (other != place) result[other] = shifted(result[other], shift);
  return result;
}

}  // namespace transom::drivers
