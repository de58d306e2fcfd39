// What came of a run at a live peer, or of none: what passed at our end, held against the capture, both ends
// of each flow, and judged.
#pragma once

#include <set>

#include "drivers/judge/judge.h"
#include "drivers/replay/flow_records.h"
#include "drivers/replay/flow_report.h"

namespace transom::drivers::replay {

// A flow of a run, as whoever played it knows it.
struct RunFlow {
  std::size_t recorded = 0;  // its number in the capture
  std::size_t ours = 0;      // which of its ends there
  Flow actual{};             // ends[ours] was ours
  TcpOutcome outcome{};
  bool is_partial = false;          // it was broken off on purpose: what is missing is no fault
  std::array<bool, 2> is_tested{};  // whom rules are held against: a stack; by end
};

class RunRecorder {
 public:
  explicit RunRecorder(judge::JudgeOptions options) : judge_(std::move(options)) {}

  // What passes at our end, in its order.
  void take(const CapturedPacket& packet);
  std::uint64_t received() const { return received_; }  // packets
  std::uint64_t sent() const { return sent_; }
  Duration duration() const { return last_ - first_; }

  // In the order of what passed, whose packets are counted from 1; of both ends.
  const std::vector<judge::Finding>& findings() const { return judge_.findings(); }

  // No more packets come. One report for each of `flows`.
  std::vector<FlowReport> reports(const FlowRecords& recorded, std::vector<RunFlow> flows);

 private:
  FlowReport report(const FlowRecords& recorded, RunFlow flow) const;

  judge::Judge judge_;
  FlowRecords happened_;
  std::uint64_t received_ = 0, sent_ = 0;
  Duration first_{}, last_{};
};

}  // namespace transom::drivers::replay
