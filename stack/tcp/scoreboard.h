// What has been sent and not yet acknowledged, transmission by transmission: when it was sent, whether the
// peer has reported it (SACK, RFC 2018), and whether it counts as lost (RFC 8985).
//
//      snd_una                                                        snd_nxt
//        | sent | lost | retransmitted | sacked | sacked | sent | ... |
//
// in_flight() is RFC 6675's "pipe": what is thought to be in the network. Entries are at least one MSS long
// unless they were sent shorter, so a peer's SACK blocks cannot split them beyond that (CVE-2019-11477 to
// 11479).
//
// First transmissions lie in the order of time anyway. Retransmissions do not, so they have a queue of their
// own: finding what is lost looks at the oldest of either kind and never at all.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

#include "stack/base/ring.h"
#include "stack/base/seq_num.h"
#include "stack/base/time.h"
#include "stack/tcp/delivery_rate.h"
#include "stack/tcp/rack.h"
#include "stack/wire/tcp.h"

namespace transom::tcp {

struct SentSegment {
  SeqNum begin;
  std::uint32_t length = 0;  // in sequence space; a FIN counts one
  Instant sent{};            // the latest transmission
  RateStamp rate{};          // of the latest transmission
  bool fin = false;          // its last number is a FIN
  bool sacked = false;
  bool lost = false;                // and not yet retransmitted
  bool ever_retransmitted = false;  // its RTT is ambiguous (Karn)

  SeqNum end() const { return begin + length; }
};

class Scoreboard {
 public:
  // What an acknowledgment brought.
  struct Delivered {
    std::uint32_t acked = 0;  // numbers newly acknowledged cumulatively
    std::uint32_t newly_delivered =
        0;  // of those and of the newly SACKed, what had not been delivered before
    std::optional<Instant>
        sent;  // when the latest of the never retransmitted ones among them was sent: for the RTT
    bool any_retransmitted = false;
    bool reordered = false;         // one that was sent once arrived after others sent later
    std::optional<Instant> latest;  // when the latest of all of them was sent, as far as that is certain
    SeqNum latest_end;              // and where that one ends
    std::optional<Instant> newest;  // the same whether certain or not
    RateStamp rate{};               // of that one

    void add(const Delivered& more);
  };
  struct Losses {
    std::uint32_t octets = 0;  // declared lost now, between `begin` and `end`
    SeqNum begin, end;
    std::uint32_t retransmissions = 0;  // numbers among them that had been sent again
    bool reneged = false;               // the peer has taken a report back
    bool some_wait = false;             // overtaken, but may still come within the reordering window
  };

  bool empty() const { return segments_.empty(); }
  std::uint32_t outstanding() const { return outstanding_; }
  std::uint32_t in_flight() const;
  std::uint32_t sacked() const { return sacked_; }
  std::uint32_t sacked_segments(std::uint32_t mss) const { return std::max(sacked_entries_, sacked_ / mss); }
  bool has_lost() const { return lost_ > 0; }
  std::uint32_t lost() const { return lost_; }  // and not yet retransmitted
  std::uint32_t retransmitted() const;          // and not delivered; looks at every entry
  bool front_was_retransmitted() const { return !empty() && segments_.front().ever_retransmitted; }

  std::uint64_t total_lost() const { return total_lost_; }  // octets ever declared lost

  void on_sent(SeqNum begin, std::uint32_t length, bool fin, const RateStamp& rate, Instant now);

  // `plausible`: what was sent again later than this cannot have been answered yet; its first transmission
  // was (RFC 8985 §6.2, step 1).
  Delivered acknowledge(SeqNum ack, Instant plausible);
  // Marks what the blocks report. `mss`: blocks within an entry count in whole segments. Invalid blocks (RFC
  // 2018 §5; outside of what is outstanding) are ignored.
  Delivered apply_sacks(std::span<const wire::SackBlock> blocks, std::uint32_t mss, Instant plausible);
  // Without SACK: one more duplicate ACK says that one more segment has arrived somewhere (RFC 5681 §3.2). In
  // a row of them no more is believed than was outstanding at the first: what they have released cannot have
  // been answered yet, and who sends more of them wants a burst (§3.2, step 4).
  void on_duplicate_ack(std::uint32_t mss);
  void reset_duplicate_acks() { reno_delivered_ = reno_credible_ = 0; }

  // Declares lost what was overtaken for longer than `window` (RFC 8985 §6.2, step 5).
  Losses detect_losses(const Rack& rack, Duration window, Instant now);
  // Declares the first outstanding segment lost (NewReno: third duplicate ACK, partial ACK). At most `mss`
  // numbers of it.
  Losses mark_front_lost(std::uint32_t mss);
  // After a timeout: everything that was not SACKed is lost. A SACKed first segment means that the peer has
  // taken its report back (reneged, RFC 2018 §8): then nothing it reported counts.
  Losses mark_all_lost();

  // The first lost range not yet retransmitted, at most `limit` numbers; nullopt when there is none.
  std::optional<SentSegment> next_lost(std::uint32_t limit);
  // The last segment, at most `mss` numbers of it: what a loss probe sends again (RFC 8985 §7.3).
  SentSegment last(std::uint32_t mss) const;
  void on_retransmitted(SeqNum begin, std::uint32_t length, const RateStamp& rate, Instant now);
  // The latest losses are no loss by congestion: they do not count in total_lost().
  void discount_losses(std::uint32_t octets) { total_lost_ -= octets; }
  // Nothing of what counts as lost is: the recovery was a mistake.
  void forget_losses();

  // Entries longer than the MSS that the path has turned out to have are lost for sure (RFC 1191 §6.5).
  Losses mark_longer_than_lost(std::uint32_t mss);

  const SentSegment& front() const { return segments_.front(); }

 private:
  std::size_t find(SeqNum sequence) const;  // the entry that holds it, or the first behind
  void split(std::size_t index, std::uint32_t length);
  void set_lost(SentSegment& segment, Losses& losses);
  void set_sacked(SentSegment& segment, Delivered& delivered, Instant plausible);
  void note_delivery(const SentSegment& segment, Delivered& delivered, Instant plausible) const;

  struct Retransmission {
    SeqNum begin;
    SeqNum end;
    Instant sent{};
  };

  Ring<SentSegment> segments_;
  Ring<Retransmission> retransmissions_;  // in the order of time
  std::uint32_t outstanding_ = 0;
  std::uint32_t sacked_ = 0;
  std::uint32_t sacked_entries_ = 0;
  std::uint32_t lost_ = 0;  // lost and not retransmitted
  std::uint64_t total_lost_ = 0;
  std::uint32_t reno_delivered_ = 0;  // by duplicate ACKs
  std::uint32_t reno_credible_ = 0;   // the most that those since the last acknowledgment may vouch for
  SeqNum highest_sacked_;             // end of the highest SACKed entry; valid while sacked_ > 0
  SeqNum lost_from_;                  // no entry before it is lost; valid while lost_ > 0
  SeqNum judged_to_;  // no first transmission before it is open: each was delivered, lost or sent again
};

}  // namespace transom::tcp
