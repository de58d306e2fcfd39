// A captured packet that stays when its reader goes on.
#pragma once

#include <memory>

#include "drivers/capture/captured_packet.h"

namespace transom::drivers {

// Copies share the octets, which nobody changes.
class KeptPacket {
 public:
  explicit KeptPacket(const CapturedPacket& packet);
  // A packet that was not cut, or whose length on the wire is `original_length`.
  KeptPacket(std::uint64_t number, Duration time, LinkType link_type, std::vector<std::uint8_t> octets,
             std::uint32_t original_length = 0);

  // Good as long as this one or a copy of it.
  const CapturedPacket& packet() const { return packet_; }
  void move_to(Duration time) { packet_.time = time; }

 private:
  std::shared_ptr<const std::vector<std::uint8_t>> octets_;
  CapturedPacket packet_;
};

}  // namespace transom::drivers
