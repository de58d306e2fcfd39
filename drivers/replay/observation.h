// A capture as it is, with what a judge has found in it: of each flow the packets around each finding, so
// that a longer capture takes no more memory. It is read twice: by the judge, then here.
#pragma once

#include <deque>

#include "drivers/judge/judge.h"
#include "drivers/replay/flow_records.h"
#include "drivers/replay/flow_report.h"

namespace transom::drivers::replay {

struct ObservationOptions {
  std::optional<std::size_t> context =
      3;                          // packets of the flow kept around each finding; nullopt: all of them
  std::size_t max_flows = 65536;  // packets of later ones are counted alone
};

class Observation {
 public:
  // `judge` has seen all of the capture, and outlives this.
  Observation(const judge::Judge& judge, ObservationOptions options);

  void add(const CapturedPacket& packet);
  // Of each flow, as if all of it had happened once more: both ends are under test.
  std::vector<FlowReport> reports() &&;

  std::size_t kept() const { return kept_; }  // records, now
  std::uint64_t of_later_flows() const { return of_later_flows_; }

 private:
  struct Around {
    std::deque<FlowRecords::Placed> before;  // what would stand in front of a finding
    std::size_t behind = 0;                  // so many more are kept
    std::array<std::uint64_t, 2> left_out{};
  };

  const judge::Judge& judge_;
  ObservationOptions options_;
  std::vector<std::uint64_t> frames_;  // with findings
  FlowRecords records_;
  std::vector<Around> around_;  // by flow
  std::optional<Duration> begin_;
  std::size_t kept_ = 0;
  std::uint64_t of_later_flows_ = 0;
  bool is_found_in_part_ = false;  // something, in a fragment
};

}  // namespace transom::drivers::replay
