// Accurate ECN feedback (RFC 9768): the receiver counts the packets that came with "congestion experienced",
// and each segment carries the lowest three bits of that count in the flags AE, CWR and ECE (the ACE field).
// The sender so learns how many were marked, not only that some were. The TCP option of §3.2.3, which counts
// octets, is not sent and not needed.
//
//   SYN      AE CWR ECE = 111            "I can"
//   SYN-ACK  how the SYN's IP header was marked:  010 not, 011 ECT(1), 100 ECT(0), 110 CE
//   ACK      how the SYN-ACK's was, in the same way; from then on the count, which begins at 5
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "stack/wire/tcp.h"

namespace transom::tcp {

// The lower two bits of the traffic class.
enum class EcnMark : std::uint8_t { kNotCapable = 0, kCapable1 = 1, kCapable0 = 2, kCongestion = 3 };

inline EcnMark ecn_mark_of(std::uint8_t traffic_class) { return static_cast<EcnMark>(traffic_class & 3); }

inline std::uint8_t ace_of(const wire::TcpFlags& flags) {
  return static_cast<std::uint8_t>((flags.ae ? 4 : 0) | (flags.cwr ? 2 : 0) | (flags.ece ? 1 : 0));
}
inline void set_ace(wire::TcpFlags& flags, std::uint8_t value) {
  flags.ae = (value & 4) != 0;
  flags.cwr = (value & 2) != 0;
  flags.ece = (value & 1) != 0;
}

// §3.1.1, table 2 and §3.2.2.1, table 3: how a handshake packet says how the other's was marked.
inline std::uint8_t handshake_ace(EcnMark mark) {
  constexpr std::uint8_t kEncoded[] = {0b010, 0b011, 0b100, 0b110};
  return kEncoded[static_cast<std::size_t>(mark)];
}

// A SYN that asks, and a SYN-ACK that agrees. What no client says today, a later one may (§3.1.3): all but
// the classic kind counts as 111.
inline bool asks_for_accurate_ecn(const wire::TcpFlags& syn) {
  return ace_of(syn) != 0b000 && ace_of(syn) != 0b011;
}
inline bool agrees_to_accurate_ecn(const wire::TcpFlags& syn_ack) {
  const std::uint8_t ace = ace_of(syn_ack);
  return ace >= 0b010 && ace <= 0b110;  // 101 is reserved for use with this; 000, 001 and 111 are not it
}

class AccurateEcn {
 public:
  // `peer_syn`: how the IP header of the peer's SYN or SYN-ACK was marked. `is_active`: we sent the SYN, and
  // `peer_ace` is what its SYN-ACK said of it.
  void start(EcnMark peer_syn, bool is_active, std::uint8_t peer_ace) {
    received_ = kInitial + (peer_syn == EcnMark::kCongestion ? 1U : 0U);
    syn_ack_mark_ = peer_syn;
    says_handshake_ = is_active;
    expects_handshake_ = !is_active;
    if (is_active) sent_ = kInitial + (peer_ace == handshake_ace(EcnMark::kCongestion) ? 1U : 0U);
  }

  // A packet in the window. True when an ACK is due at once: marks begin or end, or two are not acknowledged
  // (§3.2.2.5.1).
  bool on_packet(EcnMark mark, bool has_text) {
    const bool is_marked = mark == EcnMark::kCongestion;
    if (is_marked) ++received_;
    if (!has_text) return false;
    const bool has_changed = is_marked != last_was_marked_;
    last_was_marked_ = is_marked;
    return has_changed || (is_marked && received_ - acknowledged_ >= 2);
  }

  // The SYN-ACK again: the answer must be the first ACK again.
  void repeat_handshake() { says_handshake_ = true; }

  // An acceptable acknowledgment of `segments` newly acknowledged: how many packets were marked.
  std::uint32_t on_acknowledgment(const wire::TcpFlags& flags, std::uint32_t segments) {
    const std::uint8_t ace = ace_of(flags);
    if (expects_handshake_) {
      expects_handshake_ = false;
      if (ace == 0) is_disabled_ = true;  // §3.2.2.4: a middlebox zeroes the field
      sent_ = kInitial + (ace == handshake_ace(EcnMark::kCongestion) ? 1U : 0U);
      return 0;
    }
    std::uint32_t marked = (ace - sent_) & kMask;
    // §3.2.2.5.2: the count may have gone round. The safe assumption is that it has, as often as the number
    // of packets lets it.
    if (marked > 0 && segments > kMask) marked = segments - ((segments - marked) & kMask);
    sent_ += marked;
    return marked;
  }

  // Sets the field; returns whether data may be sent as capable.
  bool prepare(wire::TcpFlags& flags) {
    set_ace(flags,
            says_handshake_ ? handshake_ace(syn_ack_mark_) : static_cast<std::uint8_t>(received_ & kMask));
    says_handshake_ = false;
    acknowledged_ = received_;
    return !is_disabled_;
  }

 private:
  static constexpr std::uint32_t kInitial = 5;
  static constexpr std::uint32_t kMask = 7;

  std::uint32_t received_ = kInitial;      // r.cep
  std::uint32_t acknowledged_ = kInitial;  // of that, what the peer was told
  std::uint32_t sent_ = kInitial;          // s.cep
  EcnMark syn_ack_mark_ = EcnMark::kNotCapable;
  bool says_handshake_ = false;
  bool expects_handshake_ = false;
  bool last_was_marked_ = false;
  bool is_disabled_ = false;
};

}  // namespace transom::tcp
