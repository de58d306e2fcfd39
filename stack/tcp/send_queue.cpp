#include "stack/tcp/send_queue.h"

#include <algorithm>
#include <cstring>

#include "stack/tcp/slice_ring.h"

namespace transom::tcp {

namespace {
// Octets of text that are rather copied behind the headers: a device takes one piece for less than two.
constexpr std::uint32_t kShortText = 128;
}  // namespace

std::size_t SendQueue::append(BufferPool& pool, Bytes octets) {
  std::size_t taken = 0;
  while (taken < octets.size()) {
    const Bytes rest = octets.subspan(taken);
    std::size_t here = slices_.empty() ? 0 : slices_.back().append(rest);
    if (here == 0) {
      // A short message costs a small buffer, a stream large ones.
      const bool is_short = slices_.empty() && rest.size() <= BufferPool::capacity(BufferSize::kFrame);
      Slice slice = pool.allocate_slice(is_short ? BufferSize::kFrame : BufferSize::kSuperFrame);
      here = slice.append(rest);
      if (here == 0) break;
      slices_.push_back(std::move(slice));
    }
    taken += here;
  }
  size_ += static_cast<std::uint32_t>(taken);
  return taken;
}

void SendQueue::append(BufferPool& pool, Slice octets) {
  size_ += static_cast<std::uint32_t>(octets.size());
  append_slice(slices_, pool, std::move(octets));
}

void SendQueue::seek(std::uint32_t offset) {
  while (offset < cursor_offset_) {
    --cursor_;
    cursor_offset_ -= static_cast<std::uint32_t>(slices_[cursor_].size());
  }
  while (cursor_ + 1 < slices_.size() && offset >= cursor_offset_ + slices_[cursor_].size()) {
    cursor_offset_ += static_cast<std::uint32_t>(slices_[cursor_].size());
    ++cursor_;
  }
}

std::size_t SendQueue::attach(Packet& packet, std::uint32_t offset, std::uint32_t length) {
  seek(offset);
  std::size_t attached = 0;
  std::size_t within = offset - cursor_offset_;
  for (std::size_t i = cursor_; attached < length && i < slices_.size(); ++i) {
    const std::size_t here = std::min<std::size_t>(slices_[i].size() - within, length - attached);
    if (length <= kShortText) {
      std::memcpy(packet.append(here).data(), slices_[i].bytes().data() + within, here);
    } else if (!packet.append_slice(slices_[i].subslice(within, here))) {
      break;
    }
    attached += here;
    within = 0;
  }
  return attached;
}

void SendQueue::drop_front(std::uint32_t octets) {
  size_ -= octets;
  cursor_offset_ = cursor_offset_ > octets ? cursor_offset_ - octets : 0;
  while (octets > 0) {
    Slice& first = slices_.front();
    if (first.size() > octets) {
      first.trim_front(octets);
      break;
    }
    octets -= static_cast<std::uint32_t>(first.size());
    slices_.pop_front();
    if (cursor_ > 0) --cursor_;
  }
  if (cursor_ == 0) cursor_offset_ = 0;
}

void SendQueue::clear() {
  slices_.clear();
  size_ = cursor_ = cursor_offset_ = 0;
}

}  // namespace transom::tcp
