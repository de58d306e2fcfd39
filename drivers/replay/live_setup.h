// How a capture is played at a live peer.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "drivers/replay/pacing.h"
#include "stack/base/address.h"

namespace transom::drivers::replay {

enum class Fidelity : std::uint8_t {
  kStream,   // the octets and the turns: no duplicates, segments as large as fit
  kSegment,  // and the cuts, flags, order and duplicates
  kExact,    // and every pure ACK, also one that says nothing new
};

enum class When : std::uint8_t {
  kCausal,    // what it answers to has come, and the recorded thinking is over
  kRecorded,  // at recorded times, whatever has come
  kHybrid,    // at recorded times, but not before what it answers to has come
};

struct LiveOptions {
  Fidelity fidelity = Fidelity::kSegment;
  When when = When::kCausal;
  Duration stall = std::chrono::seconds(5);
};

struct LiveSetup {
  LiveOptions options;
  Speed speed;
  std::vector<IpAddress> local;        // of the Host, one of each family at most
  std::vector<IpAddress> peer;         // of a client: where to connect to; one of each family at most
  std::optional<Port> port;            // the server's, if not as recorded
  std::uint64_t loops = 1;             // -l; 0: for ever
  std::optional<std::uint64_t> limit;  // -L: packets
  std::optional<Duration> duration;

  std::optional<IpAddress> local_of(IpFamily family) const { return of_family(local, family); }
  std::optional<IpAddress> peer_of(IpFamily family) const { return of_family(peer, family); }
  // Where an opener connects from and to: in its family, or else in another.
  std::optional<std::pair<IpAddress, IpAddress>> ends_for(IpFamily family) const {
    auto to = peer_of(family);
    if (!to && !peer.empty()) to = peer.front();
    const auto from = to ? local_of(to->family()) : std::nullopt;
    return from ? std::optional(std::pair(*from, *to)) : std::nullopt;
  }

 private:
  static std::optional<IpAddress> of_family(const std::vector<IpAddress>& all, IpFamily family) {
    const auto found =
        std::ranges::find_if(all, [&](const IpAddress& address) { return address.family() == family; });
    return found != all.end() ? std::optional(*found) : std::nullopt;
  }
};

}  // namespace transom::drivers::replay
