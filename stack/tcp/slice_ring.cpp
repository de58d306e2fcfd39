#include "stack/tcp/slice_ring.h"

namespace transom::tcp {

void append_slice(Ring<Slice>& ring, BufferPool& pool, Slice slice) {
  constexpr std::size_t kSmallestShare = 4;
  if (slice.size() * kSmallestShare < slice.memory()) {
    while (!slice.empty()) {
      if (ring.empty() || ring.back().room() == 0) {
        Slice compact = pool.allocate_slice(BufferSize::kFrame);
        if (compact.room() == 0) break;
        ring.push_back(std::move(compact));
      }
      slice.trim_front(ring.back().append(slice.bytes()));
    }
  }
  if (!slice.empty()) ring.push_back(std::move(slice));
}

}  // namespace transom::tcp
