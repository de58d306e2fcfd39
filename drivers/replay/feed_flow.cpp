#include "drivers/replay/feed_flow.h"

#include <fmt/format.h>

#include <algorithm>

namespace transom::drivers::replay {

bool FeedFlow::may_go(const HeldPacket& packet) const {
  if (facts == nullptr || is_stalled || !packet.view || !packet.view->tcp) return true;
  if (packet.side == *ours || !packet.view->tcp->flags.ack || !outcome.is_playable) return true;
  const std::int64_t acknowledged = recorded[*ours].of(packet.view->tcp->acknowledgment);
  return std::min(acknowledged, recorded_end) <= sent_end;
}

std::string FeedFlow::awaited(const HeldPacket& packet) const {
  return fmt::format("packet {} acknowledges {}, but only {} was sent", packet.captured.number,
                     recorded[*ours].of(packet.view->tcp->acknowledgment), sent_end);
}

bool FeedFlow::is_acceptable(const PacketView& view, const PacketRecord& record) {
  const wire::TcpHeader& header = *view.tcp;
  if (header.flags.rst || view.transport_checksum == ChecksumVerdict::kBad) return false;
  const std::int64_t oldest =
      recorded_end - std::max<std::int64_t>(facts->ends[1 - *ours].largest_window, 65535);
  if (header.flags.ack && (record.acknowledgment > recorded_end || record.acknowledgment < oldest))
    return false;                   // RFC 5961 §5
  if (header.options.timestamps) {  // RFC 7323 §5
    const std::uint32_t value = header.options.timestamps->value;
    if (timestamp && static_cast<std::int32_t>(value - *timestamp) < 0) return false;
    timestamp = value;
  }
  return true;
}

PacketRecord FeedFlow::record_of(std::size_t side, const CapturedPacket& packet, const PacketView& view,
                                 SequenceOffsets& own, const SequenceOffsets& other) const {
  if (!view.tcp || facts == nullptr) return make_record(packet, view, 0, 0, 0);
  const wire::TcpHeader& header = *view.tcp;
  const std::int64_t sequence = own.of(header.sequence);
  // Sequence numbers of resets may be anything.
  if (!header.flags.rst) own.see(header.sequence + view.sequence_length());
  const std::int64_t acknowledgment = header.flags.ack ? other.of(header.acknowledgment) : 0;
  return make_record(packet, view, sequence, acknowledgment, facts->scale(side));
}

// In the order of the recording: what the Host sends by itself, as an answer, is still waiting there.
std::optional<std::uint32_t> FeedFlow::datagram_identification(const HeldPacket* playing) {
  constexpr std::size_t kFarthest = 64;
  const auto take = [&](const HeldPacket& packet) {
    repeated = packet.captured.number;
    const bool has_one = packet.view->family == IpFamily::kIpv4 || packet.view->is_fragment;
    return has_one ? std::optional(packet.view->identification) : std::nullopt;
  };
  if (playing != nullptr && playing->captured.number > repeated) return take(*playing);
  for (std::size_t i = 0; i < waiting.size() && i < kFarthest; ++i) {
    const HeldPacket& packet = *waiting[i];
    if (packet.side == ours && packet.view && packet.view->fragment_offset == 0 &&
        packet.captured.number > repeated)
      return take(packet);
  }
  return std::nullopt;
}

std::optional<std::uint32_t> FeedFlow::segment_identification(const wire::TcpHeader& header,
                                                              std::uint32_t packets) {
  if (!numbering) return std::nullopt;
  return numbering->next(facts->kind_of(*ours, header.flags, sent.of(header.sequence),
                                        recorded[1 - *ours].of(header.acknowledgment)),
                         packets);
}

void FeedFlow::write_rest(const HeldPacket& first) {
  constexpr Duration kOneWrite = std::chrono::milliseconds(1);
  if (first.view->payload_length == 0 || first.view->tcp->flags.psh) return;
  const SequenceOffsets& offsets = recorded[*ours];
  for (const auto& packet : waiting) {
    if (packet->side != *ours || !packet->view || !packet->view->tcp ||
        packet->captured.time - first.captured.time > kOneWrite)
      return;
    const std::int64_t begin = offsets.of(packet->view->tcp->sequence);
    if (begin != player->written() || packet->view->payload_length == 0) return;
    player->write_ahead(begin, *packet->view);
    if (packet->view->tcp->flags.psh) return;
  }
}

const HeldPacket* FeedFlow::wanted_ahead() const {
  constexpr std::int64_t kFull = 2 * 1460;
  constexpr std::size_t kFarthest = 64;
  if (!player->is_established() || right_edge - player->written() >= kFull) return nullptr;
  for (std::size_t i = 0; i < waiting.size() && i < kFarthest; ++i) {
    const HeldPacket& packet = *waiting[i];
    if (packet.side != *ours || !packet.view || !packet.view->tcp || packet.view->payload_length <= 1)
      continue;
    const std::int64_t begin = recorded[*ours].of(packet.view->tcp->sequence);
    const std::int64_t end = begin + packet.view->payload_length;
    if (end <= player->written()) continue;
    return begin == player->written() && end > right_edge ? &packet : nullptr;
  }
  return nullptr;
}

bool FeedFlow::find_ahead(std::int64_t begin, MutableBytes out) const {
  const SequenceOffsets& offsets = recorded[*ours];
  std::vector<bool> known(out.size());
  std::size_t missing = out.size();
  for (const auto& packet : waiting) {
    if (packet->side != *ours || !packet->view || !packet->view->tcp) continue;
    const std::int64_t at = offsets.of(packet->view->tcp->sequence) - begin;
    const auto end = std::min(at + static_cast<std::int64_t>(packet->view->payload.size()),
                              static_cast<std::int64_t>(out.size()));
    for (std::int64_t to = std::max<std::int64_t>(at, 0); to < end; ++to) {
      const auto index = static_cast<std::size_t>(to);
      if (known[index]) continue;
      known[index] = true;
      out[index] = packet->view->payload[static_cast<std::size_t>(to - at)];
      if (--missing == 0) return true;
    }
  }
  return false;
}

}  // namespace transom::drivers::replay
