// One connection of a capture: follows both ends, and hands each segment to the rules.
#pragma once

#include <deque>

#include "drivers/judge/accurate_ecn_octets.h"
#include "drivers/judge/accurate_ecn_rules.h"
#include "drivers/judge/acknowledgment_rules.h"
#include "drivers/judge/challenge_rules.h"
#include "drivers/judge/congestion_rules.h"
#include "drivers/judge/ecn_rules.h"
#include "drivers/judge/form_rules.h"
#include "drivers/judge/judge_options.h"
#include "drivers/judge/opening_rules.h"
#include "drivers/judge/reset_rules.h"
#include "drivers/judge/retransmission_rules.h"
#include "drivers/judge/text_rules.h"
#include "drivers/judge/timestamp_rules.h"
#include "drivers/judge/window_rules.h"

namespace transom::drivers::judge {

class Connection {
 public:
  Connection(std::uint64_t number, const Endpoint& first, const Endpoint& second, const JudgeOptions& options,
             TextBudget& budget, std::optional<PreviousConnection> previous, Report::Sink sink);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // What a SYN is to this connection.
  enum class SynKind : std::uint8_t { kOwn, kNext, kForeign };
  SynKind kind_of_syn(const wire::TcpHeader& syn, Side side, Duration time) const;
  PreviousConnection as_previous(Side first_of_next) const;

  // A TCP segment from `side`. Returns the SYN of a connection that it opens in place of this one, if it
  // does: that one is to be begun with begin_with_syn(), and given the segment.
  std::optional<wire::TcpHeader> take(const CapturedPacket& packet, const PacketView& view, Side side);
  // A SYN that nobody has answered is followed by one with another number.
  void judge_new_number(const CapturedPacket& packet, const PacketView& view, Side side);
  void begin_with_syn(const wire::TcpHeader& syn, Duration time);
  // An ICMP error about a packet that `side` sent. `sequence`: the number that it quotes, of an error that
  // asks to give up.
  void take_icmp_error(const CapturedPacket& packet, Side side, std::optional<SeqNum> sequence);
  void end();

  const PassiveEndpoint& endpoint(Side side) const { return ends_[index_of(side)]; }
  Side side_of(const Endpoint& endpoint) const {
    return endpoint == ends_[0].address ? Side::kFirst : Side::kSecond;
  }
  std::uint64_t number() const { return number_; }
  Duration last_time() const { return summary_.last_time; }
  ConnectionSummary summary() const;

 private:
  Segment make_segment(const CapturedPacket& packet, const PacketView& view, Side side);
  void anchor(const PacketView& view, Side side);
  void judge(const Scene& scene);
  void take_damaged(const CapturedPacket& packet, const PacketView& view, Side side);
  void apply(const Segment& segment);
  void apply_syn(const Segment& segment);
  void apply_acknowledgment(const Segment& segment);
  void apply_states(const Segment& segment, SegmentEvent& event);
  bool is_copy(const Segment& segment);
  bool lies_outside(const Segment& segment) const;

  std::uint64_t number_;
  const JudgeOptions* options_;
  std::array<PassiveEndpoint, 2> ends_;
  Agreement agreed_;
  Report report_;
  ConnectionSummary summary_;

  struct Fingerprint {
    std::uint64_t hash = 0;
    Duration time{};
    bool has_identification = false;
  };
  std::array<std::deque<Fingerprint>, 2> passed_;
  struct Damaged {
    SeqNum sequence;
    std::uint32_t copies = 0;  // since one was not damaged
    Duration time{};
  };
  std::array<Damaged, 2> damaged_;
  std::optional<wire::TcpHeader> foreign_syn_;

  SegmentSizeRule sizes_;
  UrgentRule urgent_;
  TimestampRules timestamps_;
  OpeningRules opening_;
  AcknowledgmentRules acknowledgments_;
  DelayedAckRules delays_;
  WindowRules windows_;
  TextRules text_;
  ResetRules resets_;
  ChallengeRules challenges_;
  RetransmissionRules retransmissions_;
  CongestionRules congestion_;
  EcnRules ecn_;
  AccurateEcnRules accurate_ecn_;
  AccurateEcnOctets accurate_ecn_octets_;
};

}  // namespace transom::drivers::judge
