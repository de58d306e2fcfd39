// The inside of Packet and Slice: the block that both point into, and what is done with it so often that it
// must not be a call. Included by packet.h, at its end.
#pragma once

#include <cassert>

#include "stack/base/packet.h"

namespace transom {

namespace detail {

// The front of every block. The octets follow it in memory.
struct Buffer {
  BufferPool* pool = nullptr;
  Buffer* next = nullptr;  // in a PacketQueue or in the free list
  BufferSize size = BufferSize::kFrame;
  std::uint8_t tail_count = 0;
  std::uint32_t references = 0;
  std::uint32_t capacity = 0;
  std::uint32_t used = 0;  // octets before this may be referenced by slices; appending starts here
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  PacketInfo info;
  std::array<Slice, Packet::kMaxTail> tail;

  std::uint8_t* data() { return reinterpret_cast<std::uint8_t*>(this + 1); }
};

}  // namespace detail

inline Slice::Slice(const Slice& other) : buffer_(other.buffer_), begin_(other.begin_), size_(other.size_) {
  if (buffer_ != nullptr) ++buffer_->references;
}

inline Slice::~Slice() {
  if (buffer_ != nullptr) BufferPool::release(buffer_);
}

inline Bytes Slice::bytes() const {
  if (buffer_ == nullptr) return {};
  return {buffer_->data() + begin_, size_};
}

inline void Slice::trim_front(std::size_t octets) {
  assert(octets <= size_);
  begin_ += static_cast<std::uint32_t>(octets);
  size_ -= static_cast<std::uint32_t>(octets);
}

inline void Slice::trim_back(std::size_t octets) {
  assert(octets <= size_);
  size_ -= static_cast<std::uint32_t>(octets);
}

inline PacketInfo& Packet::info() { return buffer_->info; }

inline const PacketInfo& Packet::info() const { return buffer_->info; }

inline Bytes Packet::head() const {
  return {buffer_->data() + buffer_->begin, buffer_->end - buffer_->begin};
}

inline MutableBytes Packet::head() {
  return {buffer_->data() + buffer_->begin, buffer_->end - buffer_->begin};
}

inline std::span<const Slice> Packet::tail() const { return {buffer_->tail.data(), buffer_->tail_count}; }

inline std::size_t Packet::size() const {
  if (buffer_ == nullptr) return 0;
  std::size_t total = buffer_->end - buffer_->begin;
  for (const Slice& slice : tail()) total += slice.size();
  return total;
}

inline std::size_t Packet::head_room() const { return buffer_->begin; }

inline std::size_t Packet::tail_room() const {
  return buffer_->tail_count != 0 ? 0 : buffer_->capacity - buffer_->end;
}

inline MutableBytes Packet::prepend(std::size_t octets) {
  assert(octets <= head_room());
  buffer_->begin -= static_cast<std::uint32_t>(octets);
  return {buffer_->data() + buffer_->begin, octets};
}

inline MutableBytes Packet::append(std::size_t octets) {
  assert(octets <= tail_room());
  MutableBytes added(buffer_->data() + buffer_->end, octets);
  buffer_->end += static_cast<std::uint32_t>(octets);
  return added;
}

inline void Packet::trim_front(std::size_t octets) {
  assert(octets <= head().size());
  buffer_->begin += static_cast<std::uint32_t>(octets);
}

inline void PacketQueue::push(Packet packet) {
  detail::Buffer* buffer = std::exchange(packet.buffer_, nullptr);
  buffer->next = nullptr;
  (last_ == nullptr ? first_ : last_->next) = buffer;
  last_ = buffer;
  ++size_;
}

inline Packet PacketQueue::pop() {
  if (first_ == nullptr) return {};
  detail::Buffer* buffer = first_;
  first_ = std::exchange(buffer->next, nullptr);
  if (first_ == nullptr) last_ = nullptr;
  --size_;
  return Packet(buffer);
}

}  // namespace transom
