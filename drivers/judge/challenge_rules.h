// Challenge ACKs that do not come (RFC 9293 §3.10.7.4, RFC 5961): what is in the window but not exact, a SYN
// within the connection and an acknowledgment of what was never sent each draw an ACK.
//
// They may be limited (RFC 5961 §7), so one that is missing says nothing. Who is asked again and again, with
// rests that no limit explains, says nothing at all, and then goes on with the connection, sends none.
#pragma once

#include "drivers/judge/scene.h"

namespace transom::drivers::judge {

class ChallengeRules {
 public:
  // Before the segment is applied.
  void judge(const Scene& scene);
  // A SYN that cannot belong to this connection came from the sender of `scene.segment`.
  void judge_foreign_syn(const Scene& scene) { provoke(scene, "a SYN within the connection"); }

 private:
  struct OneSide {  // of who is to answer
    std::uint32_t unanswered = 0;
    std::optional<Duration> asked_at;  // last
    std::string by;
    std::uint64_t frame = 0;
    bool is_over = false;  // a reset that may have been exact came to it, or it sent one
  };
  void provoke(const Scene& scene, std::string_view by);

  std::array<OneSide, 2> sides_;
};

}  // namespace transom::drivers::judge
