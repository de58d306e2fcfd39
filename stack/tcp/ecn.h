// Explicit congestion notification for both directions of one connection, in one of three kinds:
//
//   classic (RFC 3168 §6.1)
//     data, ECT(0)  ───────►  a router sets CE  ───────►  the receiver says ECE in every ACK ...
//     the sender halves, once per round trip, and says CWR with its next new data  ───────►  ... until it
//     comes
//   DCTCP (RFC 8257 §3)
//     agreed on like the classic kind; the receiver's ECE says of each segment whether it was marked
//   accurate (RFC 9768)
//     see accurate_ecn.h
#pragma once

#include "stack/base/seq_num.h"
#include "stack/tcp/accurate_ecn.h"
#include "stack/tcp/congestion/congestion_control.h"

namespace transom::tcp {

// What a host does about ECN when it opens connections; the values of Linux's tcp_ecn. A congestion control
// that lives by marks asks for the accurate kind, and agrees to it, whatever the mode.
enum class EcnMode : std::uint8_t {
  kOff = 0,
  kRequest = 1,          // ask for the classic kind, and agree to it
  kAgree = 2,            // agree to it when asked
  kRequestAccurate = 3,  // ask for the accurate kind, and agree to both
  kAgreeAccurate = 5,    // agree to both
};

enum class EcnKind : std::uint8_t { kNone, kClassic, kAccurate };

// What two SYNs came to.
struct EcnAgreement {
  EcnKind kind = EcnKind::kNone;
  EcnMark peer_syn = EcnMark::kNotCapable;  // how the IP header of the peer's SYN was marked
};

// The flags of a SYN that asks, and of the SYN-ACK that agrees (RFC 3168 §6.1.1). A SYN that asks for
// accurate ECN as well takes this for an answer.
inline bool asks_for_ecn(const wire::TcpFlags& syn) { return syn.ece && syn.cwr; }
inline bool agrees_to_ecn(const wire::TcpFlags& syn_ack) {
  return syn_ack.ece && !syn_ack.cwr && !syn_ack.ae;
}

// What our SYN asks for.
inline EcnKind ecn_to_request(EcnMode mode, EcnUse use) {
  if (mode == EcnMode::kRequestAccurate || use != EcnUse::kAsHost) return EcnKind::kAccurate;
  return mode == EcnMode::kRequest ? EcnKind::kClassic : EcnKind::kNone;
}
// What we agree to, of what the peer's SYN asks for.
inline EcnKind ecn_to_agree(EcnMode mode, EcnUse use, const wire::TcpFlags& syn) {
  const bool has_use = use != EcnUse::kAsHost;
  if (mode == EcnMode::kOff && !has_use) return EcnKind::kNone;
  const bool may_be_accurate =
      has_use || mode == EcnMode::kRequestAccurate || mode == EcnMode::kAgreeAccurate;
  if (may_be_accurate && asks_for_accurate_ecn(syn)) return EcnKind::kAccurate;
  return asks_for_ecn(syn) ? EcnKind::kClassic : EcnKind::kNone;
}
// The flags of our SYN and of our SYN-ACK.
inline void set_syn_flags(wire::TcpFlags& flags, EcnKind asked) {
  if (asked != EcnKind::kNone) flags.ece = flags.cwr = true;
  flags.ae = asked == EcnKind::kAccurate;
}
inline void set_syn_ack_flags(wire::TcpFlags& flags, const EcnAgreement& agreed) {
  if (agreed.kind == EcnKind::kAccurate) return set_ace(flags, handshake_ace(agreed.peer_syn));
  flags.ece = agreed.kind == EcnKind::kClassic;
}

class Ecn {
 public:
  // What an acknowledgment says of the path.
  struct Echo {
    bool must_reduce = false;           // for a sender that counts no marks: at most once per window of data
    std::uint32_t marked_segments = 0;  // for one that does; UINT32_MAX: all that it acknowledges
  };

  // `agreed`: on one of the kinds. `syn_ack`: the flags of the peer's, if we opened actively.
  Ecn(const EcnAgreement& agreed, EcnUse use, bool is_active, const wire::TcpFlags& syn_ack)
      : kind_(agreed.kind), use_(use) {
    if (kind_ == EcnKind::kAccurate) accurate_.start(agreed.peer_syn, is_active, ace_of(syn_ack));
  }
  // Whether a super-segment must repeat the CWR flag in each of its segments: it is part of a number.
  bool repeats_cwr() const { return kind_ == EcnKind::kAccurate; }
  void on_syn_ack_again() { accurate_.repeat_handshake(); }

  // --- what comes in
  // A segment in the window. True when it calls for an ACK at once.
  bool on_segment(EcnMark mark, const wire::TcpFlags& flags, bool has_text) {
    if (kind_ == EcnKind::kAccurate) return accurate_.on_packet(mark, has_text);
    if (!has_text) return false;
    const bool was_echoing = echoing_;
    if (is_dctcp()) {  // RFC 8257 §3.2
      echoing_ = mark == EcnMark::kCongestion;
      return echoing_ != was_echoing;
    }
    if (flags.cwr) echoing_ = false;  // RFC 3168 §6.1.3
    if (mark == EcnMark::kCongestion) echoing_ = true;
    return echoing_ && !was_echoing;
  }

  // An acceptable acknowledgment that moves SND.UNA by about `segments`.
  Echo on_acknowledgment(const wire::TcpFlags& flags, std::uint32_t segments, SeqNum una, SeqNum nxt) {
    Echo echo;
    if (kind_ == EcnKind::kAccurate) {
      echo.marked_segments = accurate_.on_acknowledgment(flags, segments);
    } else {
      echo.marked_segments = flags.ece ? UINT32_MAX : 0;
    }
    if (echo.marked_segments == 0 || use_ != EcnUse::kAsHost) return echo;
    if (is_reducing(una)) return echo;  // RFC 3168 §6.1.2
    on_reduction(nxt);
    echo.must_reduce = true;
    return echo;
  }
  // The window was reduced, for this or another reason.
  void on_reduction(SeqNum nxt) {
    reduced_ = say_reduced_ = true;
    reduction_end_ = nxt;
  }

  bool is_reducing(SeqNum una) const { return reduced_ && is_before(una, reduction_end_); }

  // --- what goes out
  // Sets the flags of a segment; returns the mark for its IP header. New data only is marked as capable: not
  // retransmissions, probes or pure ACKs (RFC 3168 §6.1.4, §6.1.5, §6.1.6).
  EcnMark prepare(wire::TcpFlags& flags, bool is_new_data) {
    const EcnMark capable = use_ == EcnUse::kEct1 ? EcnMark::kCapable1 : EcnMark::kCapable0;
    if (kind_ == EcnKind::kAccurate) {
      const bool may_be_capable = accurate_.prepare(flags);
      return is_new_data && may_be_capable ? capable : EcnMark::kNotCapable;
    }
    flags.ece = echoing_;
    if (!is_new_data) return EcnMark::kNotCapable;
    flags.cwr = say_reduced_;
    say_reduced_ = false;
    return capable;
  }

 private:
  bool is_dctcp() const { return kind_ == EcnKind::kClassic && use_ != EcnUse::kAsHost; }

  EcnKind kind_;
  EcnUse use_;
  bool echoing_ = false;      // classic: what arrives was marked, and the peer has not said CWR
  bool reduced_ = false;      // ever
  bool say_reduced_ = false;  // with the next new data
  SeqNum reduction_end_;      // snd_nxt at the last reduction
  AccurateEcn accurate_;
};

}  // namespace transom::tcp
