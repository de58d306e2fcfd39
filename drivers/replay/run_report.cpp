#include "drivers/replay/run_report.h"

#include <algorithm>

namespace transom::drivers::replay {

namespace {

std::vector<judge::Finding> findings_about(const judge::Judge& judge, const Flow& flow,
                                           const std::array<bool, 2>& is_tested) {
  std::vector<judge::Finding> found;
  for (const judge::Finding& finding : judge.findings()) {
    for (std::size_t end = 0; end < 2; ++end) {
      if (is_tested[end] && finding.from == flow.ends[end] && finding.to == flow.ends[1 - end])
        found.push_back(finding);
    }
  }
  return found;
}

}  // namespace

void RunRecorder::take(const CapturedPacket& packet) {
  if (received_ + sent_ == 0) first_ = packet.time;
  last_ = packet.time;
  ++(packet.is_outgoing.value_or(false) ? sent_ : received_);
  judge_.take(packet);
  if (const auto view = PacketView::parse(packet)) happened_.add(packet, *view, packet.time - first_);
}

FlowReport RunRecorder::report(const FlowRecords& recorded, RunFlow flow) const {
  FlowReport report;
  report.number = flow.recorded;
  report.flow = flow.actual;
  report.ours = flow.ours;
  report.is_tcp = flow.actual.protocol == IpProtocol::kTcp;
  report.tcp = std::move(flow.outcome);
  if (!flow.is_partial) report.acknowledged = std::nullopt;
  report.findings = findings_about(judge_, flow.actual, flow.is_tested);
  static const FlowRecords::Entry kNothing;
  const FlowRecords::Entry* const found = happened_.find(flow.actual);
  const FlowRecords::Entry& actual = found != nullptr ? *found : kNothing;
  const FlowRecords::Entry& then = recorded.flows()[flow.recorded];
  // By address of the run; who was heard first may be another than in the capture.
  const std::size_t ours = actual.flow.ends[0] == flow.actual.ends[flow.ours] ? 0 : 1;
  report.initial = actual.initial[ours];
  const bool has_failed = !report.tcp.stall.empty();
  ComparisonContext context{.has_failed = has_failed, .has_ended_well = !has_failed && !flow.is_partial};
  report.comparison = compare(then.sent[flow.ours], actual.sent[ours], context);
  // Whether the octets of a stream are the right ones is known of the stream as a whole, with its masks.
  context.compares_octets = report.tcp.received.different() > 0;
  context.may_close = true;
  report.peer = compare(then.sent[1 - flow.ours], actual.sent[1 - ours], context);
  return report;
}

std::vector<FlowReport> RunRecorder::reports(const FlowRecords& recorded, std::vector<RunFlow> flows) {
  judge_.end();
  std::vector<FlowReport> reports;
  for (RunFlow& flow : flows) reports.push_back(report(recorded, std::move(flow)));
  return reports;
}

}  // namespace transom::drivers::replay
