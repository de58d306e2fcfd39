// A capture as a sequence diagram: a line for each segment, with the states of both ends beside it.
#pragma once

#include "drivers/judge/judge_options.h"

namespace transom::drivers::judge {

struct LadderStep {
  std::uint64_t connection = 0;
  std::uint64_t frame = 0;
  Duration time{};
  Side from = Side::kFirst;
  std::string text{};                   // "P. 1:1461 (1460) ack 1 win 501", numbers from the SYN on
  std::array<std::string, 2> states{};  // of the ends, by Side, where this segment has changed them
  bool is_repeat = false;               // a retransmission
  bool is_copy = false;                 // the packet before, once more
};

LadderStep step_of(const SegmentEvent& event);

struct LadderHead {
  std::uint64_t connection = 0;
  std::array<std::string, 2> ends{};  // by Side
};
LadderHead head_of(const SegmentEvent& event);

// A ladder in characters, as wide as `width` columns allow (at least 60).
class LadderText {
 public:
  explicit LadderText(std::size_t width = 100);
  std::string head(const LadderHead& head) const;
  // `origin`: what times are shown from. `mark`: a character in front of the line, a blank for none.
  std::string line(const LadderStep& step, Duration origin, char mark = ' ') const;
  // What concerns a step, below its line.
  std::string note(std::string_view text) const;

 private:
  std::size_t arrow_;  // columns between the two lines
};

}  // namespace transom::drivers::judge
