// Resets: where they point, and who believes them (RFC 9293 §3.5.2, RFC 5961 §3).
#pragma once

#include "drivers/judge/scene.h"

namespace transom::drivers::judge {

class ResetRules {
 public:
  void judge(const Scene& scene);

 private:
  struct OneSide {
    // Of who was sent a reset: within its window, but not where the next segment begins.
    std::optional<std::uint64_t> challenged_by;  // the frame
    bool closes_first = false;                   // its FIN was sent before it had the peer's
    // Since when it has to wait until the network has forgotten the connection.
    std::optional<Duration> waits_since;
    // Of who has sent a reset at the end of its own stream.
    std::optional<Position> reset_at;
  };
  void judge_reset(const Scene& scene);
  void follow_close(const Scene& scene);
  void judge_time_wait(const Scene& scene);

  std::array<OneSide, 2> sides_;
};

}  // namespace transom::drivers::judge
