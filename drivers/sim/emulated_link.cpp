#include "drivers/sim/emulated_link.h"

#include <algorithm>

namespace transom::drivers::sim {

std::expected<std::unique_ptr<EmulatedLink>, std::string> EmulatedLink::make(
    std::array<std::unique_ptr<Device>, 2> devices, const Options& options) {
  const link::LinkType type = devices[0]->properties().type;
  if (devices[1]->properties().type != type)
    return std::unexpected("the ends of a link are of one type: two TAP devices or two TUN devices");
  Random random(options.seed);
  std::unique_ptr<EmulatedLink> link(new EmulatedLink());
  for (std::size_t i = 0; i < 2; ++i) {
    auto channel = Channel::make(i == 0 ? options.forth : options.back, type, random.key());
    if (!channel) return std::unexpected(channel.error());
    link->channels_[i] = std::move(*channel);
  }
  link->devices_ = std::move(devices);
  return link;
}

void EmulatedLink::serve(Instant now) {
  constexpr std::size_t kBatch = 64;
  for (std::size_t i = 0; i < 2; ++i) {
    PacketQueue arrived;
    // At most so many at a time, so that the other direction has its turn.
    devices_[i]->receive(pool_, arrived, kBatch, now);
    while (Packet frame = arrived.pop()) channels_[i]->put(std::move(frame), now);
    PacketQueue& out = waiting_[1 - i];
    channels_[i]->take(out, now);
    devices_[1 - i]->transmit(out, now);
    for (; out.size() > kMaxWaiting; ++overflows_) out.pop().reset();
  }
}

Instant EmulatedLink::next_deadline() const {
  Instant next = kNever;
  for (std::size_t i = 0; i < 2; ++i)
    next = std::min({next, channels_[i]->next_deadline(), devices_[i]->next_deadline()});
  return next;
}

}  // namespace transom::drivers::sim
