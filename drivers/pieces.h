// Octets as readv(), writev() and their kin take them.
#pragma once

#include <sys/uio.h>

#include <array>

#include "stack/base/packet.h"

namespace transom::drivers {

inline iovec piece(MutableBytes octets) { return {octets.data(), octets.size()}; }
// To be written only: the kernel's struct is the same for both directions.
inline iovec piece(Bytes octets) { return {const_cast<std::uint8_t*>(octets.data()), octets.size()}; }

// Of a frame that is sent, and of a header that may stand in front of it.
struct FramePieces {
  void add(iovec one) { all[count++] = one; }
  void add(const Packet& frame) {
    add(piece(frame.head()));
    for (const Slice& slice : frame.tail()) add(piece(slice.bytes()));
  }

  std::array<iovec, 2 + Packet::kMaxTail> all{};
  std::size_t count = 0;
};

}  // namespace transom::drivers
