// The identification of datagrams that may be fragmented: a keyed permutation of a counter, per destination.
//
// No value repeats to one destination until all have been used (RFC 6864 §4.3), and none tells anything about
// the next, or about those to others (RFC 7739 §5, algorithm of §5.4): not to the destination itself either.
#pragma once

#include <cstdint>
#include <optional>

#include "stack/base/siphash.h"
#include "stack/ip/chosen_identifications.h"
#include "stack/ip/destination.h"

namespace transom::ip {

class Identification {
 public:
  explicit Identification(const SipKey& key) : key_(key) {}

  // Outlives the layer, or is taken away before (nullptr).
  void choose(ChosenIdentifications* chosen) { chosen_ = chosen; }
  std::optional<std::uint32_t> chosen(const OutgoingDatagram& datagram) const {
    return chosen_ != nullptr ? chosen_->identification(datagram) : std::nullopt;
  }

  std::uint16_t next_v4(Destination& destination) const;
  std::uint32_t next_v6(Destination& destination) const;
  // The first of `count` consecutive values, for a TCP super-segment that will be cut below.
  static std::uint16_t next_run(Destination& destination, std::uint32_t count);

 private:
  std::uint32_t permute(std::uint32_t value, int half_bits, const IpAddress& tweak) const;

  SipKey key_;
  ChosenIdentifications* chosen_ = nullptr;
};

}  // namespace transom::ip
