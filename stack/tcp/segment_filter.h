// What a user lets through of the segments that are for a connection or a listener (SO_ATTACH_FILTER). What
// is refused is as if it had been lost on its way.
#pragma once

#include "stack/base/packet.h"
#include "stack/ip/transport.h"

namespace transom::tcp {

class SegmentFilter {
 public:
  virtual ~SegmentFilter() = default;
  // How many octets of the segment, which starts at its TCP header, are kept: 0 refuses it. The header is
  // kept in any case.
  virtual std::size_t octets_to_keep(const ip::Received& received, const Packet& segment) = 0;
};

}  // namespace transom::tcp
