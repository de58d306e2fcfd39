// The first flight and slow start (RFC 6928, RFC 5681 §3.1), as far as nothing was lost.
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
  };
  std::array<OneSide, 2> sides_;
};

}  // namespace transom::drivers::judge
