#include "drivers/frame_damage.h"

#include "drivers/frame_layout.h"
#include "stack/link/segmentation.h"

namespace transom::drivers {

bool flip_bit(Packet& frame, link::LinkType type, std::uint64_t bit) {
  const auto ip_offset = ip_offset_of(frame.head(), type);
  if (!ip_offset || frame.size() - *ip_offset <= bit / 8) return false;
  // A checksum that was left for the device would be computed over the damage.
  (void)link::complete_checksum(frame, *ip_offset);
  const std::size_t position = *ip_offset + bit / 8;
  if (position >= frame.head().size()) {
    // The octets behind the head are not ours alone: the sender will retransmit from them.
    Packet whole = frame.clone();
    if (!whole) return false;
    frame = std::move(whole);
  }
  frame.head()[position] ^= static_cast<std::uint8_t>(1U << (bit % 8));
  frame.info().checksum = ChecksumState::kUnknown;
  return true;
}

}  // namespace transom::drivers
