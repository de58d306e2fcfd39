// The memory that an AF_XDP socket shares with the kernel (its UMEM), cut into frames: half of them are for
// what arrives, half for what is sent.
#pragma once

#include <xdp/xsk.h>

#include <expected>
#include <memory>
#include <optional>
#include <vector>

#include "stack/base/bytes.h"

namespace transom::drivers {

class XdpMemory {
 public:
  static constexpr std::uint32_t kFrames = 4096;

  // `frame_size`: 2048 or 4096. A negative errno.
  static std::expected<std::unique_ptr<XdpMemory>, int> make(std::uint32_t frame_size);
  ~XdpMemory();
  XdpMemory(const XdpMemory&) = delete;
  XdpMemory& operator=(const XdpMemory&) = delete;

  // Octets of a frame that arrives that find room: the kernel keeps some in front of them for itself.
  static std::size_t room(std::uint32_t frame_size) { return frame_size - XDP_PACKET_HEADROOM; }

  xsk_umem* get() const { return umem_; }
  MutableBytes at(std::uint64_t address, std::size_t octets) const { return {memory_ + address, octets}; }

  // Gives frames to the kernel, for what arrives.
  void give(std::uint64_t address);
  void give_first_half();

  // A frame to be sent; nothing when all are on their way.
  std::optional<std::uint64_t> take();
  void put_back(std::uint64_t address) { free_.push_back(address); }
  void reclaim_sent();

 private:
  XdpMemory() = default;

  std::uint8_t* memory_ = nullptr;
  std::size_t size_ = 0;
  std::uint32_t frame_size_ = 0;
  xsk_umem* umem_ = nullptr;
  xsk_ring_prod fill_{};
  xsk_ring_cons completed_{};
  std::vector<std::uint64_t> free_;  // of the half that is for sending
};

}  // namespace transom::drivers
