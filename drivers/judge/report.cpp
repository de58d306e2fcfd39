#include "drivers/judge/report.h"

namespace transom::drivers::judge {

Report::Place::Place(const Segment& segment)
    : side(segment.side), frame(segment.frame()), time(segment.time()), is_verified(segment.is_verified()) {}

void Report::add(const Rule& rule, Verdict verdict, bool only_if_complete, const Place& place,
                 std::string text) {
  if (++counts_[{&rule, place.side, verdict}] > kKept) {
    ++left_out_;
    return;
  }
  const PassiveEndpoint& who = (*ends_)[index_of(place.side)];
  sink_({.finding = {.rule = &rule,
                     .verdict = verdict,
                     .frame = place.frame,
                     .time = place.time,
                     .connection = connection_,
                     .side = place.side,
                     .from = who.address,
                     .to = (*ends_)[index_of(other(place.side))].address,
                     .state = who.state_text(),
                     .text = std::move(text)},
         .doubts = {.is_incomplete = only_if_complete, .is_damaged = !place.is_verified}});
}

}  // namespace transom::drivers::judge
