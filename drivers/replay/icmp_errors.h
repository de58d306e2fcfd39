// ICMP errors about TCP segments: recorded ones, made anew about segments of now.
#pragma once

#include "drivers/capture/packet_view.h"
#include "drivers/replay/endpoint_changes.h"

namespace transom::drivers::replay {

// What an error quotes, as far as it must (RFC 792: eight octets behind the IP header).
struct QuotedSegment {
  Endpoint from, to;
  SeqNum sequence;
  std::optional<SeqNum> acknowledgment;  // where so much is quoted, and the segment had one
};

// `message`: what stands behind the IP headers. nullopt for what is no error, and for errors about others.
std::optional<QuotedSegment> quoted_segment(IpProtocol protocol, Bytes message);

// The message `recorded` about the segment of now: other ends, and the numbers of `now`. Its checksum is to
// be filled in. Empty when the ends are of another family than the recorded ones.
std::vector<std::uint8_t> error_about(const QuotedSegment& now, const Ends& recorded_ends, const Ends& live,
                                      Bytes recorded);

// Whoever sends `message`, which is whole.
void fill_in_icmp_checksum(IpProtocol protocol, const IpAddress& from, const IpAddress& to,
                           MutableBytes message);

}  // namespace transom::drivers::replay
