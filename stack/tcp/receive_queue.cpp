#include "stack/tcp/receive_queue.h"

#include <algorithm>
#include <cstring>

#include "stack/tcp/slice_ring.h"

namespace transom::tcp {

void ReceiveQueue::append(BufferPool& pool, Payload payload) {
  size_ += payload.size();
  payload.drain([&](Slice slice) { append_slice(slices_, pool, std::move(slice)); });
}

void ReceiveQueue::append(BufferPool& pool, Ring<Slice>& slices) {
  while (!slices.empty()) {
    size_ += static_cast<std::uint32_t>(slices.front().size());
    append_slice(slices_, pool, std::move(slices.front()));
    slices.pop_front();
  }
}

std::size_t ReceiveQueue::copy(MutableBytes out, std::uint32_t skip) const {
  std::size_t copied = 0;
  std::size_t to_skip = skip;
  for (std::size_t i = 0; i < slices_.size() && copied < out.size(); ++i) {
    const Bytes bytes = slices_[i].bytes();
    if (to_skip >= bytes.size()) {
      to_skip -= bytes.size();
      continue;
    }
    const std::size_t here = std::min(bytes.size() - to_skip, out.size() - copied);
    std::memcpy(out.data() + copied, bytes.data() + to_skip, here);
    copied += here;
    to_skip = 0;
  }
  return copied;
}

void ReceiveQueue::drop_front(std::uint32_t octets) {
  size_ -= octets;
  while (octets > 0) {
    Slice& first = slices_.front();
    if (first.size() > octets) {
      first.trim_front(octets);
      return;
    }
    octets -= static_cast<std::uint32_t>(first.size());
    slices_.pop_front();
  }
}

void ReceiveQueue::take(std::uint32_t octets, std::vector<Slice>& out) {
  size_ -= octets;
  while (octets > 0) {
    Slice& first = slices_.front();
    if (first.size() > octets) {
      out.push_back(first.subslice(0, octets));
      first.trim_front(octets);
      return;
    }
    octets -= static_cast<std::uint32_t>(first.size());
    out.push_back(std::move(first));
    slices_.pop_front();
  }
}

void ReceiveQueue::clear() {
  slices_.clear();
  size_ = 0;
}

}  // namespace transom::tcp
