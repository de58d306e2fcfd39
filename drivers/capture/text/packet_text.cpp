#include "drivers/capture/text/packet_text.h"

#include "drivers/capture/text/printer.h"

namespace transom::drivers {

SequenceBases::Pair SequenceBases::look_up(const Endpoint& from, const Endpoint& to, std::uint32_t sequence,
                                           std::uint32_t acknowledgment, bool is_syn) {
  if (bases_.size() >= kMaxConnections) bases_.clear();
  const bool is_up = from < to;
  const auto [entry, is_new] =
      bases_.try_emplace(is_up ? std::pair(from, to) : std::pair(to, from), std::array<std::uint32_t, 2>{});
  std::uint32_t& own = entry->second[is_up ? 0 : 1];
  std::uint32_t& peer = entry->second[is_up ? 1 : 0];
  if (is_new || is_syn) {
    own = sequence;
    peer = acknowledgment - 1;
  }
  return {own, peer, is_new || is_syn};
}

std::string PacketText::line(const CapturedPacket& packet) {
  Printer printer(style_, bases_);
  printer.packet(packet);
  return printer.take();
}

}  // namespace transom::drivers
