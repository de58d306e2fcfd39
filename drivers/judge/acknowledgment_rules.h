// Nobody acknowledges or reports what has not come, or takes it back (RFC 9293 §3.4, RFC 2018, RFC 2883); and
// acknowledgments are not put off too long (RFC 9293 §3.8.6.3).
#pragma once

#include "drivers/judge/unseen_text.h"

namespace transom::drivers::judge {

class AcknowledgmentRules {
 public:
  void judge(const Scene& scene);
  void end(Report& report) { unseen_.end(report); }

 private:
  void judge_number(const Scene& scene);
  void judge_blocks(const Scene& scene);
  void judge_reneging(const Scene& scene);

  UnseenText unseen_;
};

// Whether the first SACK block reports what came twice (RFC 2883 §4).
bool has_duplicate_block(const Segment& segment, const StreamNumbers& numbers);

// RFC 9293 §3.8.6.3, MUST-58, SHLD-18. Only where the capture was taken at the end that acknowledges:
// elsewhere nobody can tell how long the way was.
class DelayedAckRules {
 public:
  void judge(const Scene& scene);

 private:
  struct OneSide {                    // of who is to acknowledge
    std::optional<Position> awaited;  // the end of text that came in order
    Duration since{};
    std::uint64_t acknowledgments = 0, rare = 0;
  };
  void text_came(const Scene& scene);
  std::array<OneSide, 2> sides_;
};

}  // namespace transom::drivers::judge
