// What a rule sees: a segment, the two ends as they were before it, and where to put what it finds.
#pragma once

#include "drivers/judge/report.h"
#include "drivers/judge/segment.h"

namespace transom::drivers::judge {

struct Scene {
  const Segment& segment;
  const PassiveEndpoint& from;  // who sends the segment
  const PassiveEndpoint& to;
  const Agreement& agreed;
  Report& report;
  bool is_complete = false;         // the user says that the capture missed nothing
  bool has_missed_nothing = false;  // the same; but what passed may have been lost behind it
  bool has_offload =
      true;  // super-packets may have been captured before they were cut, or after they were joined

  // What `from` has received is just what passed: nothing was lost behind the capture, nothing missed by it.
  bool shows_what_came() const { return from.is_captured_here || is_complete; }
  // What the other end has ever sent to `from` has passed. Who has not said its SYN yet may answer for a
  // connection of the same ends that was there before the capture.
  bool shows_what_was_sent() const { return is_complete || (has_missed_nothing && from.is_from_start()); }
};

}  // namespace transom::drivers::judge
