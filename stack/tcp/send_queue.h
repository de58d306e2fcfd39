// The octets that the user has written and the peer has not acknowledged, as slices of pooled buffers.
//
//      una                                 end
//       |------------ octets ---------------|
//       [ slice ][     slice     ][ slice ..room
//
// Segments reference ranges of it; a retransmission is the same octets again. Offsets count from the
// first octet held.
#pragma once

#include <cstdint>

#include "stack/base/packet.h"
#include "stack/base/ring.h"

namespace transom::tcp {

class SendQueue {
 public:
  std::uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Copies octets to the end. Returns how many; fewer only when the pool is exhausted.
  std::size_t append(BufferPool& pool, Bytes octets);
  // The slice itself becomes the end, unless it is short (slice_ring.h).
  void append(BufferPool& pool, Slice octets);

  // Puts [offset, offset + length) behind `packet`: references, or what is short itself. Returns how many
  // octets fitted its slices.
  std::size_t attach(Packet& packet, std::uint32_t offset, std::uint32_t length);

  // The peer has these.
  void drop_front(std::uint32_t octets);
  void clear();

 private:
  // Finds the slice that holds `offset`: starts from the last one found, so that sequential sending is O(1).
  void seek(std::uint32_t offset);

  Ring<Slice> slices_;
  std::uint32_t size_ = 0;
  std::uint32_t cursor_ = 0;         // index of a slice
  std::uint32_t cursor_offset_ = 0;  // offset of its first octet
};

}  // namespace transom::tcp
