#include "stack/base/packet.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

namespace transom {

using detail::Buffer;

namespace {

constexpr std::size_t kFrameBlock = 2048;
constexpr std::size_t kSuperFramePayload = 65536;
constexpr std::size_t kFramesPerSlab = 256;
constexpr std::size_t kSuperFramesPerSlab = 16;

constexpr std::size_t block_size(BufferSize size) {
  if (size == BufferSize::kFrame) return kFrameBlock;
  constexpr std::size_t kAlign = 64;
  const std::size_t raw = sizeof(Buffer) + Packet::kHeadRoom + kSuperFramePayload;
  return (raw + kAlign - 1) / kAlign * kAlign;
}

constexpr std::size_t index_of(BufferSize size) { return static_cast<std::size_t>(size); }

}  // namespace

// ---------------------------------------------------------------- Slice

Slice Slice::subslice(std::size_t offset, std::size_t length) const {
  assert(offset + length <= size_);
  Slice part = *this;
  part.begin_ += static_cast<std::uint32_t>(offset);
  part.size_ = static_cast<std::uint32_t>(length);
  return part;
}

std::size_t Slice::memory() const { return buffer_ == nullptr ? 0 : block_size(buffer_->size); }

std::size_t Slice::room() const {
  if (buffer_ == nullptr || begin_ + size_ != buffer_->used) return 0;
  return buffer_->capacity - buffer_->used;
}

std::size_t Slice::append(Bytes octets) {
  const std::size_t taken = std::min(octets.size(), room());
  if (taken == 0) return 0;
  std::memcpy(buffer_->data() + buffer_->used, octets.data(), taken);
  buffer_->used += static_cast<std::uint32_t>(taken);
  size_ += static_cast<std::uint32_t>(taken);
  return taken;
}

MutableBytes Slice::writable() {
  const std::size_t octets = room();
  if (octets == 0) return {};
  return {buffer_->data() + buffer_->used, octets};
}

void Slice::claim(std::size_t octets) {
  assert(octets <= room());
  if (octets == 0) return;
  buffer_->used += static_cast<std::uint32_t>(octets);
  size_ += static_cast<std::uint32_t>(octets);
}

// ---------------------------------------------------------------- Packet

void Packet::reset() {
  if (buffer_ == nullptr) return;
  for (std::size_t i = 0; i < buffer_->tail_count; ++i) buffer_->tail[i] = Slice();
  buffer_->tail_count = 0;
  BufferPool::release(std::exchange(buffer_, nullptr));
}

bool Packet::append_slice(Slice slice) {
  if (slice.empty()) return true;
  if (buffer_->tail_count == kMaxTail) return false;
  buffer_->tail[buffer_->tail_count++] = std::move(slice);
  return true;
}

void Packet::trim_back(std::size_t octets) {
  assert(octets <= size());
  while (octets > 0 && buffer_->tail_count > 0) {
    Slice& last = buffer_->tail[buffer_->tail_count - 1U];
    const std::size_t here = std::min(octets, last.size());
    last.trim_back(here);
    octets -= here;
    if (last.empty()) {
      last = Slice();
      --buffer_->tail_count;
    }
  }
  buffer_->end -= static_cast<std::uint32_t>(octets);
}

bool Packet::copy_out(std::size_t offset, MutableBytes out) const {
  if (offset > size() || out.size() > size() - offset) return false;
  const auto copy_from = [&](Bytes part) {
    if (offset >= part.size()) {
      offset -= part.size();
      return;
    }
    const std::size_t here = std::min(out.size(), part.size() - offset);
    if (here > 0) std::memcpy(out.data(), part.data() + offset, here);
    out = out.subspan(here);
    offset = 0;
  };
  copy_from(head());
  for (const Slice& slice : tail()) copy_from(slice.bytes());
  return true;
}

bool Packet::linearize() {
  if (buffer_->tail_count == 0) return true;
  Packet whole = buffer_->pool->allocate(size() + kHeadRoom <= BufferPool::capacity(BufferSize::kFrame)
                                             ? BufferSize::kFrame
                                             : BufferSize::kSuperFrame);
  if (!whole || whole.tail_room() < size()) return false;
  copy_out(0, whole.append(size()));
  whole.info() = info();
  *this = std::move(whole);
  return true;
}

Packet Packet::clone() const {
  Packet copy = buffer_->pool->allocate(size() + kHeadRoom <= BufferPool::capacity(BufferSize::kFrame)
                                            ? BufferSize::kFrame
                                            : BufferSize::kSuperFrame);
  if (!copy || copy.tail_room() < size()) return {};
  copy_out(0, copy.append(size()));
  copy.info() = info();
  return copy;
}

std::size_t Packet::into_slices(std::span<Slice, kMaxTail + 1> out) {
  std::size_t count = 0;
  Buffer* buffer = std::exchange(buffer_, nullptr);
  std::array<Slice, kMaxTail> tail = std::move(buffer->tail);
  const std::size_t tail_count = std::exchange(buffer->tail_count, std::uint8_t{0});
  // The packet's own reference becomes the first slice's.
  Slice first(buffer, buffer->begin, buffer->end - buffer->begin);
  buffer->used = buffer->capacity;  // received octets are never appended to
  if (!first.empty()) out[count++] = std::move(first);
  for (std::size_t i = 0; i < tail_count; ++i) out[count++] = std::move(tail[i]);
  return count;
}

std::size_t Packet::memory() const {
  std::size_t total = block_size(buffer_->size);
  for (const Slice& slice : tail()) total += slice.memory();
  return total;
}

BufferPool& Packet::pool() const { return *buffer_->pool; }

// ---------------------------------------------------------------- PacketQueue

void PacketQueue::push_front(Packet packet) {
  Buffer* buffer = std::exchange(packet.buffer_, nullptr);
  buffer->next = first_;
  first_ = buffer;
  if (last_ == nullptr) last_ = buffer;
  ++size_;
}

void PacketQueue::splice(PacketQueue& other) {
  if (other.empty()) return;
  (last_ == nullptr ? first_ : last_->next) = other.first_;
  last_ = other.last_;
  size_ += other.size_;
  other.first_ = other.last_ = nullptr;
  other.size_ = 0;
}

void PacketQueue::clear() {
  while (!empty()) pop();
}

// ---------------------------------------------------------------- BufferPool

struct BufferPool::Store {
  std::size_t limit = 0;
  std::size_t in_use = 0;
  std::size_t total = 0;
  Buffer* free = nullptr;
  std::vector<std::unique_ptr<std::byte[]>> slabs;

  void grow(BufferPool* pool, BufferSize size) {
    const std::size_t per_slab = size == BufferSize::kFrame ? kFramesPerSlab : kSuperFramesPerSlab;
    const std::size_t count = std::min(per_slab, limit - total);
    if (count == 0) return;
    const std::size_t block = block_size(size);
    auto slab = std::make_unique_for_overwrite<std::byte[]>(count * block);
    for (std::size_t i = count; i-- > 0;) {
      auto* buffer = new (slab.get() + i * block) Buffer;
      buffer->pool = pool;
      buffer->size = size;
      buffer->capacity = static_cast<std::uint32_t>(block - sizeof(Buffer));
      buffer->next = free;
      free = buffer;
    }
    total += count;
    slabs.push_back(std::move(slab));
  }
};

BufferPool::BufferPool() : BufferPool(Limits{}) {}

BufferPool::BufferPool(Limits limits) {
  stores_[index_of(BufferSize::kFrame)] = std::make_unique<Store>();
  stores_[index_of(BufferSize::kFrame)]->limit = limits.frames;
  stores_[index_of(BufferSize::kSuperFrame)] = std::make_unique<Store>();
  stores_[index_of(BufferSize::kSuperFrame)]->limit = limits.super_frames;
}

BufferPool::~BufferPool() { assert(in_use(BufferSize::kFrame) == 0 && in_use(BufferSize::kSuperFrame) == 0); }

Buffer* BufferPool::take(BufferSize size) {
  Store& store = *stores_[index_of(size)];
  if (store.free == nullptr) store.grow(this, size);
  if (store.free == nullptr) {
    ++exhausted_;
    return nullptr;
  }
  Buffer* buffer = store.free;
  store.free = std::exchange(buffer->next, nullptr);
  ++store.in_use;
  buffer->references = 1;
  buffer->used = 0;
  return buffer;
}

void BufferPool::release(Buffer* buffer) {
  if (--buffer->references > 0) return;
  Store& store = *buffer->pool->stores_[index_of(buffer->size)];
  buffer->next = store.free;
  store.free = buffer;
  --store.in_use;
}

Packet BufferPool::allocate(BufferSize size, std::size_t head_room) {
  Buffer* buffer = take(size);
  if (buffer == nullptr) return {};
  assert(head_room <= buffer->capacity);
  buffer->begin = buffer->end = static_cast<std::uint32_t>(head_room);
  buffer->info = PacketInfo{};
  return Packet(buffer);
}

Packet BufferPool::copy_of(Bytes octets, std::size_t head_room) {
  const bool small = octets.size() + head_room <= capacity(BufferSize::kFrame);
  const BufferSize size = small ? BufferSize::kFrame : BufferSize::kSuperFrame;
  if (octets.size() + head_room > capacity(size)) return {};
  Packet packet = allocate(size, head_room);
  if (packet && !octets.empty())
    std::memcpy(packet.append(octets.size()).data(), octets.data(), octets.size());
  return packet;
}

Slice BufferPool::allocate_slice(BufferSize size) {
  Buffer* buffer = take(size);
  if (buffer == nullptr) return {};
  return Slice(buffer, 0, 0);
}

std::size_t BufferPool::in_use(BufferSize size) const { return stores_[index_of(size)]->in_use; }

bool BufferPool::is_scarce() const {
  return std::ranges::any_of(stores_, [](const auto& store) { return store->in_use / 3 > store->limit / 4; });
}

std::size_t BufferPool::capacity(BufferSize size) { return block_size(size) - sizeof(Buffer); }

}  // namespace transom
