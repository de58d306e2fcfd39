// Appending octets to a queue of slices without letting short ones hold large buffers.
#pragma once

#include "stack/base/packet.h"
#include "stack/base/ring.h"

namespace transom::tcp {

// A slice that fills less than a quarter of its buffer is copied to the free end of the last one, or to
// fresh small buffers: what a peer can make us hold is at most four times what it sent, and a user at
// most four times what it wrote. (When the pool is exhausted the rest is kept as it is.)
void append_slice(Ring<Slice>& ring, BufferPool& pool, Slice slice);

}  // namespace transom::tcp
