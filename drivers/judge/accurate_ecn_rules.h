// Accurate ECN (RFC 9768): what the handshake says of the marks of its own packets, and what the counter of
// marked packets, of which each segment carries the lowest three bits, can be.
//
// What an end has received, and how it was marked, is known where the capture was taken at it. Its count lies
// between the marked text that it has acknowledged and all marked packets that passed; three bits tell it as
// long as these are less than eight apart.
#pragma once

#include <deque>

#include "drivers/judge/scene.h"

namespace transom::drivers::judge {

class AccurateEcnRules {
 public:
  void judge(const Scene& scene);

 private:
  struct Marked {
    Position begin = 0, end = 0;
  };
  struct OneSide {
    std::uint8_t syn_marks = 0;  // a bit for each value of the ECN field on its SYNs
    std::uint64_t syns = 0;
    bool has_answered = false;  // the first segment behind its SYN has passed
    bool is_given_up = false;   // its count is not followed any more
    // Marked packets that passed, and those that it may have been when a device joined them; of text that
    // is not acknowledged, where it lies.
    std::uint64_t marked = 0, marked_if_joined = 0;
    std::deque<Marked> text;
    // Of who counts them: those that it has acknowledged, and what it has counted at the least.
    std::uint64_t acknowledged = 0, least = 0;
  };
  static constexpr std::size_t kMaxText = 4096;

  void see(const Scene& scene);
  void judge_syn_ack(const Scene& scene);
  void judge_answer(const Scene& scene);
  void judge_count(const Scene& scene);

  std::array<OneSide, 2> sides_;
};

}  // namespace transom::drivers::judge
