// Collects what came of a feed.
#pragma once

#include "drivers/judge/judge.h"
#include "drivers/replay/flow_report.h"

namespace transom::drivers::replay {

// Collects what feed() tells, and judges what happened.
class FeedRecorder final : public FeedListener {
 public:
  explicit FeedRecorder(const Cast& cast) : judge_(options_of(cast)) {}

  void recorded(std::optional<std::size_t> flow, const PacketRecord& record) override;
  void happened(std::optional<std::size_t> flow, const PacketRecord& record, const CapturedPacket& packet,
                const PacketView* view) override;

  // Of the flows that have one of our ends, in their order. Empties the recorder.
  std::vector<FlowReport> reports(const Scene& scene, const Cast& cast, FeedOutcome& outcome);

 private:
  struct Records {
    std::vector<PacketRecord> ours_recorded, ours_actual, theirs;
    std::optional<SeqNum> initial;
  };
  static judge::JudgeOptions options_of(const Cast& cast);

  std::map<std::size_t, Records> flows_;
  judge::Judge judge_;
  std::uint64_t happened_ = 0;
};

}  // namespace transom::drivers::replay
