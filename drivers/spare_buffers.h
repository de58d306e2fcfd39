// What a device that gets super-frames reads into, and how much at once.
//
// The length of a frame is not known before it is read: behind the head of a packet stand two spare 64 KiB
// buffers. A small frame costs a small buffer, a super-frame is not copied, and what a super-frame leaves of
// its buffer serves the next.
#pragma once

#include <array>

#include "stack/base/packet.h"

namespace transom::drivers {

// A call of receive() ends with the frame that reaches so many octets: no more than stays in the processor's
// cache until it is copied to the application.
inline constexpr std::size_t kBatchOctets = std::size_t{440} * 1024;

class SpareBuffers {
 public:
  // To be called before each read; with a pool that is exhausted there is less room.
  void refill(BufferPool& pool);
  // Where to read what does not fit the frame's head, one after the other.
  std::array<MutableBytes, 2> room() { return {spares_[0].writable(), spares_[1].writable()}; }
  std::size_t size() const { return spares_[0].room() + spares_[1].room(); }
  // So many octets were read, into the frame's head and then the room: the frame becomes them. False when it
  // takes no more.
  bool take(Packet& frame, std::size_t octets);

 private:
  // Empty slices, each in front of the unused rest of a buffer. The second takes what the first has no room
  // for.
  std::array<Slice, 2> spares_;
};

}  // namespace transom::drivers
