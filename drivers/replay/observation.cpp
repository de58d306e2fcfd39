#include "drivers/replay/observation.h"

#include <algorithm>
#include <utility>

namespace transom::drivers::replay {

Observation::Observation(const judge::Judge& judge, ObservationOptions options)
    : judge_(judge), options_(options) {
  for (const judge::Finding& finding : judge.findings()) frames_.push_back(finding.frame);
  std::ranges::sort(frames_);
}

void Observation::add(const CapturedPacket& packet) {
  if (!begin_) begin_ = packet.time;
  const auto view = PacketView::parse(packet);
  if (!view) return;
  if (around_.size() >= options_.max_flows && records_.begins_flow(packet, *view)) {
    ++of_later_flows_;
    return;
  }
  bool is_found = std::ranges::binary_search(frames_, packet.number);
  auto placed = records_.place(packet, *view, packet.time - *begin_);
  around_.resize(records_.flows().size());
  if (!placed) {  // a fragment of a segment that is not whole yet
    is_found_in_part_ = is_found_in_part_ || is_found;
    return;
  }
  if (view->is_fragment && view->protocol == IpProtocol::kTcp)
    is_found = std::exchange(is_found_in_part_, false) || is_found;
  Around& around = around_[placed->flow];
  const auto keep = [&](const FlowRecords::Placed& one) {
    records_.keep(one);
    ++kept_;
  };
  if (!options_.context) return keep(*placed);
  if (is_found) {
    kept_ -= around.before.size();
    for (const FlowRecords::Placed& one : around.before) keep(one);
    around.before.clear();
    keep(*placed);
    around.behind = *options_.context;
  } else if (around.behind > 0) {
    keep(*placed);
    --around.behind;
  } else {
    around.before.push_back(std::move(*placed));
    ++kept_;
    if (around.before.size() <= *options_.context) return;
    ++around.left_out[around.before.front().side];
    around.before.pop_front();
    --kept_;
  }
}

std::vector<FlowReport> Observation::reports() && {
  std::map<std::pair<Endpoint, Endpoint>, std::vector<const judge::Finding*>> findings;  // from, to
  for (const judge::Finding& finding : judge_.findings())
    findings[{finding.from, finding.to}].push_back(&finding);
  std::vector<FlowReport> reports;
  for (const FlowRecords::Entry& entry : records_.flows()) {
    FlowReport& report = reports.emplace_back();
    report.number = reports.size() - 1;
    report.flow = entry.flow;
    report.is_tcp = entry.flow.protocol == IpProtocol::kTcp;
    report.tcp.is_playable = true;
    report.comparison = compare(entry.sent[0], entry.sent[0]);
    report.peer = compare(entry.sent[1], entry.sent[1]);
    Around& around = around_[report.number];
    for (const FlowRecords::Placed& one : around.before) ++around.left_out[one.side];
    report.comparison.left_out = around.left_out[0];
    report.peer->left_out = around.left_out[1];
    report.initial = entry.initial[0];
    for (std::size_t end = 0; end < 2; ++end) {
      const auto found = findings.find({entry.flow.ends[end], entry.flow.ends[1 - end]});
      if (found == findings.end()) continue;
      for (const judge::Finding* finding : found->second) report.findings.push_back(*finding);
    }
    std::ranges::stable_sort(report.findings, {}, &judge::Finding::frame);
    for (const judge::Finding& finding : report.findings)
      report.least = std::max(report.least, likeness_of(finding.verdict));
  }
  return reports;
}

}  // namespace transom::drivers::replay
