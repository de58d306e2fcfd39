// The first flight and slow start (RFC 6928, RFC 5681 §3.1) as far as nothing was lost, and less in flight
// after a loss (§3.2).
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
      std::optional<std::uint32_t> timestamp{};  // of the first retransmission
    };
    std::optional<Recovery> recovery;
  };
  void judge_first_flight(const Scene& scene);
  void follow_recovery(const Scene& scene);
  void judge_reduction(const Scene& scene);

  std::array<OneSide, 2> sides_;
};

}  // namespace transom::drivers::judge
