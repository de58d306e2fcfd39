// What came of a feed, flow by flow.
#pragma once

#include "drivers/replay/comparison.h"
#include "drivers/replay/feed.h"

namespace transom::drivers::replay {

struct FlowReport {
  std::size_t number = 0;
  Flow flow;
  std::size_t ours = 0;  // which end
  bool is_tcp = false;
  TcpOutcome tcp;
  Comparison comparison;             // of what our end sent
  std::vector<PacketRecord> theirs;  // as recorded
  std::int64_t acknowledged = 0;     // of their octets, by the recorded end: those that ours must have read

  bool octets_are_equal() const;
  Likeness likeness() const;
};

// Collects what feed() tells.
class FeedRecorder final : public FeedListener {
 public:
  void recorded(std::optional<std::size_t> flow, const PacketRecord& record) override;
  void happened(std::optional<std::size_t> flow, const PacketRecord& record, const CapturedPacket& packet,
                const PacketView* view) override;

  // Of the flows that have one of our ends, in their order. Empties the recorder.
  std::vector<FlowReport> reports(const Scene& scene, const Cast& cast, FeedOutcome& outcome);

 private:
  struct Records {
    std::vector<PacketRecord> ours_recorded, ours_actual, theirs;
  };
  std::map<std::size_t, Records> flows_;
};

}  // namespace transom::drivers::replay
