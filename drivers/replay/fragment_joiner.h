// Joins captured fragments to the datagrams that they are of (RFC 791 §3.2, RFC 8200 §4.5). Bounded: what has
// waited longest is forgotten.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "drivers/capture/packet_view.h"

namespace transom::drivers::replay {

// Which datagram a fragment is of.
struct FragmentKey {
  IpAddress source, destination;
  IpProtocol protocol;
  std::uint32_t identification;

  explicit FragmentKey(const PacketView& view)
      : source(view.source),
        destination(view.destination),
        protocol(view.protocol),
        identification(view.identification) {}
  friend auto operator<=>(const FragmentKey&, const FragmentKey&) = default;
};

class FragmentJoiner {
 public:
  // What follows the IP headers of a datagram, when the packet makes it whole; at once for one that is no
  // fragment. `transport`: what was captured behind the packet's IP headers. nullopt for what was cut, too.
  std::optional<std::vector<std::uint8_t>> add(const PacketView& view, Bytes transport);

 private:
  static constexpr std::size_t kMaxDatagrams = 1024;
  static constexpr std::size_t kMaxSize = 65535;

  struct Pieces {
    std::map<std::size_t, std::vector<std::uint8_t>> by_offset;
    std::optional<std::size_t> end;
  };

  std::map<FragmentKey, Pieces> unfinished_;
  std::deque<FragmentKey> order_;
};

// What was captured behind the IP headers of `packet`.
inline Bytes behind_ip(const CapturedPacket& packet, const PacketView& view) {
  const Bytes rest =
      packet.octets.subspan(std::min<std::size_t>(view.transport_offset, packet.octets.size()));
  return rest.first(std::min<std::size_t>(rest.size(), view.transport_length));
}

}  // namespace transom::drivers::replay
