#include "drivers/spare_buffers.h"

#include <algorithm>
#include <utility>

namespace transom::drivers {

namespace {
// Below this a spare buffer's rest is not worth an entry in readv().
constexpr std::size_t kMinRoom = 4096;
}  // namespace

void SpareBuffers::refill(BufferPool& pool) {
  if (spares_[0].room() < kMinRoom) spares_[0] = std::exchange(spares_[1], Slice());
  for (Slice& spare : spares_) {
    if (spare.room() < kMinRoom) spare = pool.allocate_slice(BufferSize::kSuperFrame);
  }
}

bool SpareBuffers::take(Packet& frame, std::size_t octets) {
  const std::size_t head = frame.head().size();
  if (octets < head) {
    frame.trim_back(head - octets);
    return true;
  }
  octets -= head;
  for (Slice& spare : spares_) {
    const std::size_t here = std::min(octets, spare.room());
    if (here == 0) continue;
    spare.claim(here);
    if (!frame.append_slice(spare.subslice(0, here))) return false;
    spare.trim_front(here);
    octets -= here;
  }
  return octets == 0;
}

}  // namespace transom::drivers
