// SYN cookies (RFC 4987 §3.6): when the SYN queue is full, the answer to a SYN is packed into the sequence
// number of the SYN-ACK, and nothing is kept.
//
//     sequence number:  | time 5 | MSS index 3 |        keyed hash 24         |     time counts 64 s
//     timestamp value:  |        clock, upper 26 bits        | ECN | SACK | window scale 4 |
//
// Window scale, SACK and ECN survive when the peer uses timestamps, since it echoes ours; without them all
// are off.
#pragma once

#include <optional>

#include "stack/tcp/connection.h"

namespace transom::tcp {

class SynCookies {
 public:
  static constexpr Duration kLifetime = std::chrono::seconds(128);

  explicit SynCookies(const Secrets& secrets) : secrets_(secrets) {}

  SeqNum make(const FourTuple& tuple, SeqNum irs, std::uint16_t peer_mss, Instant now) const;
  // The timestamp of the SYN-ACK, which carries what was negotiated.
  std::uint32_t timestamp(const FourTuple& tuple, const Negotiated& negotiated, Instant now) const;
  // What the final ACK of the handshake brings back, as far as it is among `ours`, the options that we offer;
  // nullopt when the cookie is not ours, or too old.
  std::optional<Negotiated> check(const Segment& ack, const wire::TcpOptions& ours, Instant now) const;

 private:
  std::uint32_t hash(const FourTuple& tuple, SeqNum irs, std::uint64_t period, std::uint32_t mss_index) const;

  const Secrets& secrets_;
};

}  // namespace transom::tcp
