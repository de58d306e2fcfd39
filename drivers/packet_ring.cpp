#include "drivers/packet_ring.h"

#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace transom::drivers {

namespace {

constexpr std::size_t kSlotSize = 2048;
constexpr std::size_t kSlots = 4096;
constexpr std::size_t kBlockSize = 1 << 16;
constexpr std::size_t kRingSize = kSlotSize * kSlots;

// The kernel writes it when the slot is filled, we when it is empty again.
std::uint32_t status_of(const std::uint8_t* slot) {
  std::uint32_t& status = *reinterpret_cast<std::uint32_t*>(const_cast<std::uint8_t*>(slot));
  return std::atomic_ref(status).load(std::memory_order_acquire);
}

}  // namespace

std::expected<PacketRing, int> PacketRing::make(int socket) {
  static_assert(offsetof(tpacket2_hdr, tp_status) == 0);
  const int version = TPACKET_V2;
  const int on = 1;
  const tpacket_req request{.tp_block_size = kBlockSize,
                            .tp_block_nr = kRingSize / kBlockSize,
                            .tp_frame_size = kSlotSize,
                            .tp_frame_nr = kSlots};
  if (setsockopt(socket, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0 ||
      setsockopt(socket, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) != 0 ||
      setsockopt(socket, SOL_PACKET, PACKET_COPY_THRESH, &on, sizeof on) != 0 ||
      setsockopt(socket, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) != 0)
    return std::unexpected(errno);
  void* const memory = mmap(nullptr, kRingSize, PROT_READ | PROT_WRITE, MAP_SHARED, socket, 0);
  if (memory == MAP_FAILED) return std::unexpected(errno);
  return PacketRing(static_cast<std::uint8_t*>(memory));
}

PacketRing::PacketRing(PacketRing&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)), next_(other.next_) {}

PacketRing::~PacketRing() {
  if (memory_ != nullptr) munmap(memory_, kRingSize);
}

std::optional<PacketRing::Slot> PacketRing::front() const {
  const std::uint8_t* const place = memory_ + next_ * kSlotSize;
  const std::uint32_t status = status_of(place);
  if ((status & TP_STATUS_USER) == 0) return std::nullopt;
  tpacket2_hdr header{};
  std::memcpy(&header, place, sizeof header);
  Slot slot;
  slot.octets = {place + header.tp_mac, header.tp_snaplen};
  if (header.tp_mac >= sizeof slot.offload)
    std::memcpy(&slot.offload, place + header.tp_mac - sizeof slot.offload, sizeof slot.offload);
  slot.is_in_queue = (status & TP_STATUS_COPY) != 0;
  slot.is_cut = !slot.is_in_queue && header.tp_snaplen < header.tp_len;
  if ((status & TP_STATUS_VLAN_VALID) != 0) {
    slot.tag = StrippedTag{.control = header.tp_vlan_tci};
    if ((status & TP_STATUS_VLAN_TPID_VALID) != 0) slot.tag->type = header.tp_vlan_tpid;
  }
  return slot;
}

void PacketRing::pop() {
  std::uint32_t& status = *reinterpret_cast<std::uint32_t*>(memory_ + next_ * kSlotSize);
  std::atomic_ref(status).store(TP_STATUS_KERNEL, std::memory_order_release);
  next_ = (next_ + 1) % kSlots;
}

}  // namespace transom::drivers
