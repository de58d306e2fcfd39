#include "stack/tcp/slice_ring.h"

namespace transom::tcp {

void append_received(Ring<Slice>& ring, BufferPool& pool, Slice slice) {
  constexpr std::size_t kSmallestShare = 4;
  if (slice.size() * kSmallestShare < slice.memory()) {
    if (!ring.empty() && ring.back().room() >= slice.size()) {
      ring.back().append(slice.bytes());
      return;
    }
    Slice compact = pool.allocate_slice(BufferSize::kFrame);
    if (compact.room() >= slice.size()) {
      compact.append(slice.bytes());
      ring.push_back(std::move(compact));
      return;
    }
  }
  ring.push_back(std::move(slice));
}

}  // namespace transom::tcp
