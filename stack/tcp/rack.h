// RACK (RFC 8985 §6): a segment is lost when one that was sent later has been delivered, and enough time has
// passed for the two to have changed places on the way.
//
//   sent     t1      t2      t3      t4
//            A       B       C       D         the peer reports C
//            overtaken       |       not yet   A and B are lost at t1 (t2) + RTT of C + reordering window
//
// Time, not sequence numbers: so a lost retransmission is found like any other loss, and three duplicate ACKs
// are not needed. This class knows the latest delivery and the reordering window; the scoreboard knows the
// segments.
#pragma once

#include "stack/base/seq_num.h"
#include "stack/base/time.h"
#include "stack/tcp/rtt_estimator.h"

namespace transom::tcp {

class Rack {
 public:
  // A segment was delivered that had been sent at `sent`. Only the latest sent counts (§6.2, step 2).
  void on_delivered(Instant sent, SeqNum end, Instant now) {
    if (has_overtaken(sent, end)) return;
    sent_ = sent;
    end_ = end;
    rtt_ = now - sent;
    is_valid_ = true;
  }
  // Something below the highest delivered number arrived by its first transmission (step 3).
  void on_reordering() { reordering_seen_ = true; }
  // The peer reported a duplicate: a retransmission was not needed. The window widens once per round trip
  // (step 4).
  void on_duplicate_reported(SeqNum una, SeqNum nxt);
  void on_recovery_end();

  // How long to wait for the overtaken. `is_certain`: recovery goes on, or three segments were reported
  // already; without reordering so far there is no reason to wait then.
  Duration reordering_window(const RttEstimator& rtt, bool is_certain) const;

  // Was this transmission overtaken by the latest delivery?
  bool has_overtaken(Instant sent, SeqNum end) const {
    return is_valid_ && (sent < sent_ || (sent == sent_ && is_before(end, end_)));
  }
  // The same for a retransmission. Its number says nothing about when within an instant it was sent.
  bool has_overtaken(Instant sent) const { return is_valid_ && sent < sent_; }
  // When a transmission that was overtaken counts as lost.
  Instant deadline(Instant sent, Duration window) const { return sent + rtt_ + window; }
  // When all that were overtaken so far do.
  Instant last_deadline(Duration window) const { return deadline(sent_, window); }

 private:
  static constexpr std::uint8_t kPersist = 16;  // recoveries after which the window shrinks again

  Instant sent_{};  // of the delivered segment that was sent last
  Duration rtt_{};  // of that segment
  SeqNum end_;
  SeqNum round_end_;       // the window widens again when this is acknowledged
  bool is_valid_ = false;  // something was delivered
  bool in_round_ = false;
  bool reordering_seen_ = false;
  std::uint8_t window_factor_ = 1;
  std::uint8_t persist_ = kPersist;
};

}  // namespace transom::tcp
