// Octets received in order and not yet read by the user.
#pragma once

#include <cstdint>
#include <vector>

#include "stack/base/packet.h"
#include "stack/base/ring.h"
#include "stack/tcp/payload.h"

namespace transom::tcp {

class ReceiveQueue {
 public:
  std::uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void append(BufferPool& pool, Payload payload);
  void append(BufferPool& pool, Ring<Slice>& slices);  // takes them all
  // Copies up to out.size() octets, starting `skip` octets in. Returns how many.
  std::size_t copy(MutableBytes out, std::uint32_t skip = 0) const;
  void drop_front(std::uint32_t octets);
  // Moves the first `octets`, at most size(), behind `out`.
  void take(std::uint32_t octets, std::vector<Slice>& out);
  void clear();

 private:
  Ring<Slice> slices_;
  std::uint32_t size_ = 0;
};

}  // namespace transom::tcp
