// What came of a replay for one flow, whatever the role was.
#pragma once

#include <map>
#include <string>

#include "drivers/judge/finding.h"
#include "drivers/replay/comparison.h"
#include "drivers/replay/feed.h"

namespace transom::drivers::replay {

Likeness likeness_of(judge::Verdict verdict);

struct FlowReport {
  std::size_t number = 0;  // in the capture
  Flow flow;               // its ends in the run
  std::size_t ours = 0;    // which end
  bool is_tcp = false;
  TcpOutcome tcp;
  Comparison comparison;             // of what our end sent
  std::optional<Comparison> peer{};  // of what the peer sent, where it was not we who sent it
  std::vector<PacketRecord> theirs;  // as recorded, where there is no `peer`
  // In what happened, about the ends that are under test: who only plays what was recorded is not.
  std::vector<judge::Finding> findings;
  std::optional<SeqNum> initial;  // that our end used
  // Of their octets, by the recorded end: those that ours must have read. nullopt: all of them, no more.
  std::optional<std::int64_t> acknowledged = 0;
  Likeness least = Likeness::kSame;                // the likeness is at least so
  std::vector<std::string> notes{};                // what else there is to say, for people
  std::map<std::string, std::uint64_t> numbers{};  // and for programs

  bool octets_are_equal() const;
  Likeness likeness() const;
};

}  // namespace transom::drivers::replay
