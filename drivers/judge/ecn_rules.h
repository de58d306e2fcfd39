// Explicit congestion notification (RFC 3168), where it was agreed on in its classic form.
#pragma once

#include "drivers/judge/scene.h"

namespace transom::drivers::judge {

class EcnRules {
 public:
  void judge(const Scene& scene);

 private:
  struct OneSide {
    // Of who sends: what passed with a mark only, and where its last CWR ended.
    PositionRanges marked, unmarked;
    std::optional<Position> reduced_at;
    // The echo that it is to answer.
    std::optional<ReceiptProof> echo;
    std::optional<Position> heard_at;   // what was sent when it had surely received the echo
    std::optional<Position> round_end;  // the end of the flight behind that
  };
  void judge_marks(const Scene& scene);
  void judge_echo(const Scene& scene);
  void judge_answer(const Scene& scene);

  std::array<OneSide, 2> sides_;
};

}  // namespace transom::drivers::judge
