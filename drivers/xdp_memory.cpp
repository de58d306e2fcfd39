#include "drivers/xdp_memory.h"

#include <sys/mman.h>

#include <cerrno>

namespace transom::drivers {

std::expected<std::unique_ptr<XdpMemory>, int> XdpMemory::make(std::uint32_t frame_size) {
  std::unique_ptr<XdpMemory> made(new XdpMemory);
  made->frame_size_ = frame_size;
  made->size_ = std::size_t{kFrames} * frame_size;
  void* const memory = mmap(nullptr, made->size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return std::unexpected(-errno);
  made->memory_ = static_cast<std::uint8_t*>(memory);
  const xsk_umem_config config{.fill_size = kFrames / 2,
                               .comp_size = kFrames / 2,
                               .frame_size = frame_size,
                               .frame_headroom = 0,
                               .flags = 0};
  const int error =
      xsk_umem__create(&made->umem_, memory, made->size_, &made->fill_, &made->completed_, &config);
  if (error != 0) {
    made->umem_ = nullptr;
    return std::unexpected(error);
  }
  for (std::uint32_t i = kFrames / 2; i < kFrames; ++i) made->free_.push_back(std::uint64_t{i} * frame_size);
  return made;
}

XdpMemory::~XdpMemory() {
  if (umem_ != nullptr) xsk_umem__delete(umem_);
  if (memory_ != nullptr) munmap(memory_, size_);
}

void XdpMemory::give(std::uint64_t address) {
  std::uint32_t index = 0;
  if (xsk_ring_prod__reserve(&fill_, 1, &index) != 1) return;  // as many places as frames: there is one
  *xsk_ring_prod__fill_addr(&fill_, index) = address / frame_size_ * frame_size_;
  xsk_ring_prod__submit(&fill_, 1);
}

void XdpMemory::give_first_half() {
  for (std::uint32_t i = 0; i < kFrames / 2; ++i) give(std::uint64_t{i} * frame_size_);
}

std::optional<std::uint64_t> XdpMemory::take() {
  if (free_.empty()) return std::nullopt;
  const std::uint64_t address = free_.back();
  free_.pop_back();
  return address;
}

void XdpMemory::reclaim_sent() {
  std::uint32_t index = 0;
  const std::uint32_t count = xsk_ring_cons__peek(&completed_, kFrames / 2, &index);
  for (std::uint32_t i = 0; i < count; ++i)
    free_.push_back(*xsk_ring_cons__comp_addr(&completed_, index + i));
  xsk_ring_cons__release(&completed_, count);
}

}  // namespace transom::drivers
