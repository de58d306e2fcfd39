#include "drivers/sim/queue.h"

#include <algorithm>

#include "drivers/sim/ip_view.h"

namespace transom::drivers::sim {

Waiting Queue::enter(Packet packet, Instant now) {
  const auto octets = static_cast<std::uint32_t>(packet.size());
  ++packets_;
  octets_ += octets;
  ++statistics_.queued;
  statistics_.max_octets = std::max(statistics_.max_octets, octets_);
  return {std::move(packet), now, octets};
}

Packet Queue::leave(Waiting waiting) {
  --packets_;
  octets_ -= waiting.octets;
  return std::move(waiting.packet);
}

bool Queue::mark(Packet& packet) {
  if (!mark_congestion(packet, type_)) return false;
  ++statistics_.marked;
  return true;
}

void Queue::drop_early(Waiting waiting) {
  leave(std::move(waiting)).reset();
  count_early();
}

}  // namespace transom::drivers::sim
