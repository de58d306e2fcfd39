// Explicit congestion notification (RFC 3168 §6.1), for both directions of one connection.
//
//   data, ECT(0)  ───────►  a router sets CE  ───────►  the receiver says ECE in every ACK ...
//   the sender halves, once per round trip, and says CWR with its next new data  ───────►  ... until CWR
//   arrives
#pragma once

#include <cstdint>

#include "stack/base/seq_num.h"
#include "stack/wire/tcp.h"

namespace transom::tcp {

// The lower two bits of the traffic class.
enum class EcnMark : std::uint8_t { kNotCapable = 0, kCapable1 = 1, kCapable0 = 2, kCongestion = 3 };

inline EcnMark ecn_mark_of(std::uint8_t traffic_class) { return static_cast<EcnMark>(traffic_class & 3); }

// What a host does about ECN when it opens connections; the values of Linux's tcp_ecn.
enum class EcnMode : std::uint8_t {
  kOff = 0,
  kRequest = 1,  // ask for it, and agree to it
  kAgree = 2,    // agree to it when asked
};

// The flags of a SYN that asks, and of the SYN-ACK that agrees (§6.1.1). A SYN that asks for accurate ECN as
// well (RFC 9768) takes this for an answer.
inline bool asks_for_ecn(const wire::TcpFlags& syn) { return syn.ece && syn.cwr; }
inline bool agrees_to_ecn(const wire::TcpFlags& syn_ack) {
  return syn_ack.ece && !syn_ack.cwr && !syn_ack.ae;
}

class Ecn {
 public:
  void enable() { enabled_ = true; }
  bool is_enabled() const { return enabled_; }

  // --- what comes in
  // A segment with text. True when it was the first marked one after a CWR: answer at once.
  bool on_text(EcnMark mark, const wire::TcpFlags& flags) {
    if (!enabled_) return false;
    const bool was_echoing = echoing_;
    if (flags.cwr) echoing_ = false;  // §6.1.3
    if (mark == EcnMark::kCongestion) echoing_ = true;
    return echoing_ && !was_echoing;
  }
  // An acceptable acknowledgment. True when it calls for a reduction: at most once per window of data
  // (§6.1.2).
  bool on_acknowledgment(const wire::TcpFlags& flags, SeqNum una, SeqNum nxt) {
    if (!enabled_ || !flags.ece) return false;
    if (reduced_ && is_before(una, reduction_end_)) return false;
    on_reduction(nxt);
    return true;
  }
  // The window was reduced, for this or another reason.
  void on_reduction(SeqNum nxt) {
    reduced_ = say_reduced_ = enabled_;
    reduction_end_ = nxt;
  }

  // --- what goes out
  // Sets the flags of a segment; returns the mark for its IP header. New data only is marked as capable: not
  // retransmissions, probes or pure ACKs (§6.1.4, §6.1.5, §6.1.6).
  EcnMark prepare(wire::TcpFlags& flags, bool is_new_data) {
    if (!enabled_) return EcnMark::kNotCapable;
    flags.ece = echoing_;
    if (!is_new_data) return EcnMark::kNotCapable;
    flags.cwr = say_reduced_;
    say_reduced_ = false;
    return EcnMark::kCapable0;
  }

 private:
  bool enabled_ = false;
  bool echoing_ = false;      // what arrives was marked, and the peer has not said CWR
  bool reduced_ = false;      // ever
  bool say_reduced_ = false;  // with the next new data
  SeqNum reduction_end_;      // snd_nxt at the last reduction
};

}  // namespace transom::tcp
