// Finds packets that a capture holds twice, because a mirror port or two capture points showed them twice:
// the same packet again within a few milliseconds, perhaps a router further (with another MAC, TTL and header
// checksum).
//
// What a sender repeats itself is no duplicate: another identification tells. Where there is none, bare
// acknowledgments and datagrams are not compared: they may look alike and be sent twice.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "drivers/capture/packet_view.h"

namespace transom::drivers {

class DuplicateFinder {
 public:
  // `view`: of the packet, nullopt when it is not IP. Remembers it.
  bool is_duplicate(const CapturedPacket& packet, const std::optional<PacketView>& view);

 private:
  static constexpr std::size_t kWindow = 64;  // packets
  static constexpr Duration kWithin = std::chrono::milliseconds(5);

  struct Seen {
    std::uint64_t hash = 0;
    Duration time = Duration::min();
  };
  std::array<Seen, kWindow> seen_{};
  std::size_t next_ = 0;
};

}  // namespace transom::drivers
