#include "drivers/capture/kept_packet.h"

#include <algorithm>

namespace transom::drivers {

KeptPacket::KeptPacket(const CapturedPacket& packet)
    : octets_(std::make_shared<const std::vector<std::uint8_t>>(packet.octets.begin(), packet.octets.end())),
      packet_(packet) {
  packet_.octets = *octets_;
}

KeptPacket::KeptPacket(std::uint64_t number, Duration time, LinkType link_type,
                       std::vector<std::uint8_t> octets, std::uint32_t original_length)
    : octets_(std::make_shared<const std::vector<std::uint8_t>>(std::move(octets))) {
  packet_.number = number;
  packet_.time = time;
  packet_.link_type = link_type;
  packet_.octets = *octets_;
  packet_.original_length = std::max(original_length, static_cast<std::uint32_t>(octets_->size()));
}

}  // namespace transom::drivers
