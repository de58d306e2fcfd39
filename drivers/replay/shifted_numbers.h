// Devices that change sequence numbers: a firewall that adds a constant to those of one direction, chosen per
// connection, and takes it off again from what acknowledges them.
#pragma once

#include <cstdint>

#include "stack/base/bytes.h"

namespace transom::drivers::replay {

// Adds to the sequence number, and to the acknowledgment and the SACK blocks, of a TCP segment. Its checksum
// keeps its verdict. What has no whole header is left alone.
void shift_numbers(MutableBytes segment, std::uint32_t sequence, std::uint32_t acknowledgment);

}  // namespace transom::drivers::replay
