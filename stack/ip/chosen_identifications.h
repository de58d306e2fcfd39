// Identifications that are not left to chance, for a run that must repeat another one: the replay of a
// capture (see tcp::ChosenNumbers).
#pragma once

#include <cstdint>
#include <optional>

#include "stack/base/address.h"
#include "stack/base/bytes.h"

namespace transom::ip {

// One that has an identification: each of IPv4, of IPv6 what goes in fragments.
struct OutgoingDatagram {
  IpAddress source, destination;
  IpProtocol protocol;
  bool dont_fragment = false;  // IPv4: DF
  Bytes transport;             // its header, and perhaps some of what follows
  std::uint32_t packets = 1;   // a super-segment: what it will be cut into at most, with numbers in a row
};

// Asked once per datagram that a transport sends.
class ChosenIdentifications {
 public:
  // nullopt leaves it to the stack. Of IPv4 the lower 16 bits count.
  virtual std::optional<std::uint32_t> identification(const OutgoingDatagram& datagram) = 0;

 protected:
  ~ChosenIdentifications() = default;
};

}  // namespace transom::ip
