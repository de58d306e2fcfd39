// The receive ring of a packet socket: slots in memory that the kernel fills and we empty, without a system
// call for a frame (TPACKET_V2).
//
//   |<- tpacket2_hdr | address ->|<- gap ->|<- VnetHeader ->|<- frame, as far as it fits ->|   x kSlots
//
// A slot holds a frame of MTU 1500. Of a longer one it holds the beginning, and the whole waits in the
// socket's queue (PACKET_COPY_THRESH): so a super-frame is copied once, into a buffer of ours, as from a TAP
// device. TPACKET_V3 packs frames of any length, but hands over whole blocks, the last one after a
// millisecond: too late for somebody who waits for an answer.
#pragma once

#include <expected>
#include <optional>

#include "drivers/vlan_tag.h"
#include "drivers/vnet_header.h"
#include "stack/base/bytes.h"

namespace transom::drivers {

class PacketRing {
 public:
  struct Slot {
    VnetHeader offload{};
    Bytes octets;              // valid until pop()
    bool is_in_queue = false;  // these are only its beginning: the whole is the next in the socket's queue
    bool is_cut = false;       // these are only its beginning, and the rest is lost
    std::optional<StrippedTag> tag;
  };

  // Of a packet socket that is not bound yet; it must outlive the ring. errno.
  static std::expected<PacketRing, int> make(int socket);

  PacketRing(PacketRing&& other) noexcept;
  PacketRing& operator=(PacketRing&&) = delete;
  ~PacketRing();

  // The next frame; nothing when none has come.
  std::optional<Slot> front() const;
  void pop();  // gives the slot back to the kernel

 private:
  explicit PacketRing(std::uint8_t* memory) : memory_(memory) {}

  std::uint8_t* memory_;
  std::size_t next_ = 0;
};

}  // namespace transom::drivers
