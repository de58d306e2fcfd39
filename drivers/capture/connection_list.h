// The TCP connections of a capture, as far as their beginnings and ends can be seen: which there are, and
// what of each is missing. Takes a bounded amount of memory: connections that have ended are forgotten
// first.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "drivers/capture/packet_view.h"

namespace transom::drivers {

struct SeenConnection {
  std::uint64_t first_packet = 0;  // its number
  std::uint64_t number = 0;        // from 1, in the order of their first packets
  // Of the side with the lower endpoint, then of the other.
  std::array<std::uint64_t, 2> packets{};
  std::array<bool, 2> has_syn{}, has_fin{};
  std::array<std::optional<std::uint16_t>, 2> maximum_segment_size;  // as each announced
  bool has_reset = false;

  bool is_one_sided() const { return packets[0] == 0 || packets[1] == 0; }
  // A capture may miss one of the SYNs only when it misses that whole side.
  bool has_handshake() const { return has_syn[0] || has_syn[1]; }
  bool has_end() const {
    return has_reset || (has_fin[0] && has_fin[1]) || (is_one_sided() && (has_fin[0] || has_fin[1]));
  }
};

class ConnectionList {
 public:
  // Told of each connection when no more of it is expected.
  using Ended = std::function<void(const SeenConnection&)>;
  explicit ConnectionList(Ended ended = {}) : ended_(std::move(ended)) {}

  struct Place {
    SeenConnection& connection;
    std::size_t side;  // which of the two sides sent the packet
  };
  // Of a packet with a TCP header.
  Place take(const CapturedPacket& packet, const PacketView& view);
  // Tells of all that are left.
  void finish();
  std::uint64_t count() const { return count_; }

 private:
  static constexpr std::size_t kMaxConnections = 100'000;
  using Key = std::pair<Endpoint, Endpoint>;

  void end(const SeenConnection& connection) const {
    if (ended_) ended_(connection);
  }
  void make_room();

  Ended ended_;
  std::map<Key, SeenConnection> connections_;
  std::uint64_t count_ = 0;
};

}  // namespace transom::drivers
