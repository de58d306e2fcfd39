// Timestamps never go back, and echo what has come (RFC 7323).
//
// The network may have changed the order of what passes. Of two segments of one end, that with the higher
// acknowledgment was sent later; so those are compared.
#pragma once

#include "drivers/judge/scene.h"

namespace transom::drivers::judge {

class TimestampRules {
 public:
  void judge(const Scene& scene);
  // No more segments come: what waits for evidence is not known.
  void end(Report& report);

 private:
  // An echo of what has not passed. Either the capture missed that, or it was never sent: then the peer, once
  // it has got the echo, still sends an earlier timestamp.
  struct Claim {
    Report::Place place;
    ReceiptProof proof;
    std::uint32_t echo = 0;
    std::string text{};
  };
  void judge_claim(const Scene& scene, std::uint32_t value);
  static void give_up(Report& report, const Claim& claim);

  std::array<std::optional<Claim>, 2> claims_;  // by who echoes

  // The latest value among segments that were surely sent before those at hand.
  class Clock {
   public:
    // How far `value` is behind; 0 when it is not.
    std::uint32_t lag(std::uint32_t value, std::optional<Position> ack, bool is_in_order);

   private:
    void join(std::optional<std::uint32_t>& latest, std::uint32_t value);
    std::optional<Position> level_;          // the furthest acknowledgment
    std::optional<std::uint32_t> at_level_;  // the latest value of segments with it
    std::optional<std::uint32_t> below_;     // and of those with less
  };
  std::array<Clock, 2> values_, echoes_;
};

}  // namespace transom::drivers::judge
