// The smallest capture that still shows what a larger one does.
//
// First the packets of other connections go, then whatever packets are not needed (minimise.h); then TCP
// options, payload and the time between packets. All of that again, until nothing can go. What "still shows"
// means is asked of the caller: a judge of the packets, or a stack that is fed with them.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "drivers/capture/kept_packet.h"
#include "stack/base/address.h"

namespace transom::drivers {

using StillShows = std::function<bool(const std::vector<KeptPacket>&)>;

struct ShrinkOptions {
  std::size_t tries = 20000;  // how often `shows` is asked at the most
  // The two ends that it is about: their packets are tried alone first.
  std::optional<std::pair<Endpoint, Endpoint>> between{};
};

// Empty when even all of them do not show it.
std::vector<KeptPacket> shrink(std::vector<KeptPacket> packets, const ShrinkOptions& options,
                               const StillShows& shows);

}  // namespace transom::drivers
