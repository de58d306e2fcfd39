#include "drivers/replay/transit_report.h"

#include <fmt/format.h>

#include <algorithm>

namespace transom::drivers::replay {

namespace {

Comparison comparison_of(const TransitFlow& flow, std::size_t side) {
  Comparison comparison;
  comparison.rungs = flow.rungs(side);
  comparison.same = static_cast<std::uint64_t>(
      std::ranges::count_if(comparison.rungs, [](const Rung& rung) { return rung.differences.empty(); }));
  return comparison;
}

}  // namespace

FlowReport report_of(const TransitFlow& flow) {
  FlowReport report;
  report.number = flow.script().flow;
  report.flow = {flow.script().protocol, flow.ends()};
  report.comparison = comparison_of(flow, 0);
  report.comparison.counts = flow.counts();  // of both directions, and of what no packet shows
  report.peer = comparison_of(flow, 1);
  report.least = flow.likeness();
  const Ends seen = flow.seen(0);
  if (seen.ours != flow.ends()[0] || seen.theirs != flow.ends()[1])
    report.notes.push_back(fmt::format("at port 2: {} - {}", seen.ours, seen.theirs));
  for (std::size_t side = 0; side < 2; ++side)
    if (const auto shift = flow.shift(side).value_or(0); shift != 0)
      report.notes.push_back(fmt::format("added to the sequence numbers of port {}: {}", side + 1,
                                         static_cast<std::int32_t>(shift)));
  report.notes.push_back(fmt::format("put in {} packets, came out {}; {} put in again, {} not put in",
                                     flow.put_in(), flow.came_out(), flow.again(), flow.left()));
  if (flow.state() == LiveState::kDone) return report;
  report.notes.push_back("awaited: " + flow.awaited());
  for (const std::string& line : flow.last_packets()) report.notes.push_back("  " + line);
  return report;
}

}  // namespace transom::drivers::replay
