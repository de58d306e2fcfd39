// Was the recovery a mistake? Three signs say that nothing had been lost, only late:
//
// - Eifel (RFC 3522): the first ACK after a retransmission echoes a timestamp older than it, that of the
// original.
// - D-SACK (RFC 3708): the peer reports each retransmission as a duplicate.
// - F-RTO (RFC 5682): after a timeout data is acknowledged that was not sent again. Where the first ACK tells
//   nothing, new data is sent instead of old, and the second decides.
//
// The answer (RFC 4015) is the caller's: the windows go back to what they were.
#pragma once

#include <cstdint>
#include <optional>

#include "stack/base/time.h"

namespace transom::tcp {

class SpuriousRecovery {
 public:
  void start(bool is_timeout) {
    *this = {};
    watching_ = true;
    is_timeout_ = is_timeout;
  }

  void on_retransmitted(std::uint32_t octets, Instant now) {
    if (!watching_) return;
    if (retransmitted_ == 0) first_retransmission_ = now;
    awaits_second_ack_ = false;
    retransmitted_ += octets;
  }
  // The peer has got `octets` twice.
  void on_duplicate_reported(std::uint32_t octets) { duplicates_ += octets; }

  struct Ack {
    std::optional<Instant>
        echoed_before{};  // what it answers was sent before this; nullopt without timestamps
    bool moved_una = false;
    bool delivered_original = false;  // something that was sent only once
  };
  // True when the recovery was for nothing: once.
  bool is_spurious(const Ack& ack) {
    if (!watching_ || retransmitted_ == 0) return false;
    bool spurious = duplicates_ >= retransmitted_;
    if (awaits_second_ack_) {  // RFC 5682 §2.1, step 3
      awaits_second_ack_ = false;
      spurious = spurious || (ack.moved_una && ack.delivered_original);
    }
    if (ack.moved_una && !first_ack_seen_) {
      first_ack_seen_ = true;
      spurious = spurious || (ack.echoed_before && *ack.echoed_before <= first_retransmission_) ||
                 (is_timeout_ && ack.delivered_original);
      awaits_second_ack_ = is_timeout_ && !spurious && !ack.echoed_before;
    }
    if (spurious) watching_ = false;
    return spurious;
  }
  // RFC 5682 §2.1, step 2: what was lost, if anything, waits until the next ACK has told.
  bool wants_new_data() const { return awaits_second_ack_; }

 private:
  bool watching_ = false;
  bool is_timeout_ = false;
  bool first_ack_seen_ = false;
  bool awaits_second_ack_ = false;
  std::uint32_t retransmitted_ = 0;  // octets
  std::uint32_t duplicates_ = 0;
  Instant first_retransmission_{};
};

}  // namespace transom::tcp
