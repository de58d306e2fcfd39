// Two devices joined in memory: what one sends, the other receives, after an optional delay. Frames cross by
// being moved, so both ends use one pool and one thread. A full wire takes no more frames: they stay queued
// at the sender. Loss and other trouble is the fault decorator's.
#pragma once

#include <utility>

#include "drivers/device.h"

namespace transom::drivers {

struct PairOptions {
  link::LinkType type = link::LinkType::kEthernet;
  std::uint32_t mtu = 1500;
  link::Offloads offloads{};       // granted ones let partial checksums and super-segments cross as they are
  Duration delay{};                // one way
  std::size_t queue_limit = 1024;  // frames on the way, each direction
  std::string name = "pair";       // the ends are called name0 and name1
};

// The first has the MAC address 02:00:00:00:00:01, the second 02:00:00:00:00:02. Either may be destroyed
// first.
std::pair<std::unique_ptr<Device>, std::unique_ptr<Device>> make_pair(const PairOptions& options);

// A device that receives what it has sent. Queue, delay and offloads as for a pair.
std::unique_ptr<Device> make_loopback(const PairOptions& options);

}  // namespace transom::drivers
