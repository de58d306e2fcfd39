// The first flight and slow start (RFC 6928, RFC 5681 §3.1) as far as nothing was lost, less in flight after
// a loss (§3.2), and no growth behind it that is faster than slow start.
#pragma once

#include "drivers/judge/scene.h"

namespace transom::drivers::judge {

class CongestionRules {
 public:
  void judge(const Scene& scene);

 private:
  struct OneSide {         // of who sends
    bool is_over = false;  // something was lost, or there was a finding
    Position first_flight = 0;
    bool is_acknowledged = false;

    // A fast recovery: what was in flight when it began, and what ends it.
    std::uint32_t duplicates = 0;  // acknowledgments since the last that was new
    struct Recovery {
      Position flight = 0, until = 0;
      bool is_over = false;                      // then `until` ends the round trip behind it
      bool shows_window = false;                 // the peer's window was not the limit
      std::optional<std::uint32_t> timestamp{};  // of the first retransmission
    };
    std::optional<Recovery> recovery;

    // Behind a recovery, until the next loss: what was in flight at the most when it began, and what was
    // acknowledged when it was over.
    struct Growth {
      Position flight = 0, acknowledged = 0;
    };
    std::optional<Growth> growth;
    Position largest_flight = 0;
  };
  void judge_first_flight(const Scene& scene);
  void follow_recovery(const Scene& scene);
  void judge_reduction(const Scene& scene);
  void judge_growth(const Scene& scene, OneSide& side, Position flight);

  std::array<OneSide, 2> sides_;
};

}  // namespace transom::drivers::judge
