#include "drivers/replay/last_packets.h"

#include <fmt/format.h>

namespace transom::drivers::replay {

void LastPackets::note(bool is_ours, const wire::TcpHeader& header, std::size_t octets,
                       const SequenceOffsets& own, const SequenceOffsets& other, Duration since) {
  std::string flags;
  if (header.flags.syn) flags += 'S';
  if (header.flags.fin) flags += 'F';
  if (header.flags.rst) flags += 'R';
  if (header.flags.psh) flags += 'P';
  if (header.flags.urg) flags += 'U';
  if (header.flags.ack) flags += '.';
  const std::int64_t begin = own.of(header.sequence);
  note(fmt::format("{} {} {}:{}({}) ack {} win {}", is_ours ? ">" : "<", flags, begin,
                   begin + static_cast<std::int64_t>(octets), octets,
                   header.flags.ack ? other.of(header.acknowledgment) : 0, header.window),
       since);
}

void LastPackets::note(std::string_view text, Duration since) {
  if (lines_.size() >= kKept) lines_.pop_front();
  lines_.push_back(fmt::format("{:>10.6f} {}", std::chrono::duration<double>(since).count(), text));
}

}  // namespace transom::drivers::replay
