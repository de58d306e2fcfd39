// An 802.1Q tag that the kernel has taken out of a frame and handed over beside it.
#pragma once

#include <cstdint>

#include "stack/base/packet.h"

namespace transom::drivers {

struct StrippedTag {
  std::uint16_t type = 0x8100;
  std::uint16_t control = 0;
};

// Puts it back, behind the two MAC addresses. False when the frame is too short to have them.
bool insert_tag(Packet& frame, const StrippedTag& tag);

}  // namespace transom::drivers
