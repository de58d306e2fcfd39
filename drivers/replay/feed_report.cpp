#include "drivers/replay/feed_report.h"

namespace transom::drivers::replay {

// What passes towards our ends has arrived, as they are where this was taken; and nothing else has.
judge::JudgeOptions FeedRecorder::options_of(const Cast& cast) {
  judge::JudgeOptions options;
  options.is_complete = true;
  options.captured_at.assign(cast.our_addresses().begin(), cast.our_addresses().end());
  return options;
}

void FeedRecorder::recorded(std::optional<std::size_t> flow, const PacketRecord& record) {
  if (!flow) return;
  Records& records = flows_[*flow];
  (record.is_ours ? records.ours_recorded : records.theirs).push_back(record);
}

void FeedRecorder::happened(std::optional<std::size_t> flow, const PacketRecord& record,
                            const CapturedPacket& packet, const PacketView* view) {
  CapturedPacket numbered = packet;
  numbered.number = ++happened_;
  judge_.take(numbered);
  if (!flow || !record.is_ours) return;
  Records& records = flows_[*flow];
  records.ours_actual.push_back(record);
  records.ours_actual.back().number = happened_;
  if (view != nullptr && view->tcp && view->tcp->flags.syn) records.initial = view->tcp->sequence;
}

std::vector<FlowReport> FeedRecorder::reports(const Scene& scene, const Cast& cast, FeedOutcome& outcome) {
  judge_.end();
  std::vector<FlowReport> reports;
  for (std::size_t number = 0; number < scene.flows.size(); ++number) {
    const auto ours = cast.ours(number);
    if (!ours) continue;
    Records& records = flows_[number];
    FlowReport report;
    report.number = number;
    report.flow = scene.flows[number];
    report.ours = *ours;
    if (const auto found = outcome.tcp.find(number); found != outcome.tcp.end()) {
      report.is_tcp = true;
      report.tcp = std::move(found->second);
      const TcpEnd& end = scene.tcp.at(number).ends[*ours];
      const TcpEnd& other = scene.tcp.at(number).ends[1 - *ours];
      // The peer's FIN is none of the octets.
      report.acknowledged = end.acknowledged - (other.fin && end.acknowledged > *other.fin ? 1 : 0);
    }
    if (!report.is_tcp || report.tcp.is_playable) {
      // A reset that ended the recorded connection, too, is no failure.
      const bool was_reset =
          report.tcp.error == Error::kConnectionReset && !scene.tcp.at(number).ends[*ours].outlived_reset;
      report.comparison = compare(
          records.ours_recorded, records.ours_actual,
          {.has_failed = (report.tcp.error != Error::kNone && !was_reset) || !report.tcp.stall.empty(),
           .compares_identifications = true});
    }
    report.theirs = std::move(records.theirs);
    report.initial = records.initial;
    for (const judge::Finding& finding : judge_.findings()) {
      if (finding.from == report.flow.ends[*ours] && finding.to == report.flow.ends[1 - *ours])
        report.findings.push_back(finding);
    }
    reports.push_back(std::move(report));
  }
  flows_.clear();
  return reports;
}

}  // namespace transom::drivers::replay
