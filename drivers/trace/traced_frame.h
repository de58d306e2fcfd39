// The frame of a PacketEvent, as octets: with an Ethernet header, of zeros where there was none, and with
// the checksum that was left to the device, as it will be on the wire.
#pragma once

#include <vector>

#include "stack/base/observer.h"

namespace transom::drivers {

// `frame` is replaced. Super-segments have no checksum of their own: theirs stays unfilled.
void copy_traced_frame(const PacketEvent& packet, std::vector<std::uint8_t>& frame);

}  // namespace transom::drivers
