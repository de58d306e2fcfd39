// Nobody sends beyond the window that was offered, or takes a window back (RFC 9293 §3.8.6).
#pragma once

#include "drivers/judge/scene.h"

namespace transom::drivers::judge {

class WindowRules {
 public:
  void judge(const Scene& scene);

 private:
  struct OneSide {
    // Of who offers.
    std::uint32_t silly_openings = 0;
    // Of who sends.
    std::vector<Duration> probes;  // of a closed window, the latest at the back
    std::uint32_t tiny = 0;        // tiny segments in a row
  };
  void judge_text(const Scene& scene);
  void judge_offer(const Scene& scene);
  void judge_probes(const Scene& scene);
  void judge_tinygrams(const Scene& scene);

  std::array<OneSide, 2> sides_;
};

}  // namespace transom::drivers::judge
