// Appending received octets to a queue of slices without letting tiny segments hold large buffers.
#pragma once

#include "stack/base/packet.h"
#include "stack/base/ring.h"

namespace transom::tcp {

// A slice that fills less than a quarter of its buffer is copied to the free end of the last one, or to
// fresh small buffers: what a peer can make us hold is at most four times what it sent. (When the pool is
// exhausted the rest is kept as it is.)
void append_received(Ring<Slice>& ring, BufferPool& pool, Slice slice);

}  // namespace transom::tcp
