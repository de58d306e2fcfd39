// Runs one case: reads its capture, has it judged and replayed where the case says so, and holds what came
// out against what is expected. Deterministic: the same folder gives the same result.
#pragma once

#include "tools/suite_case.h"

namespace transom::tools {

struct CaseResult {
  enum class Status : std::uint8_t { kPassed, kFailed, kSkipped };

  std::string name;
  Status status = Status::kPassed;
  std::string reason;         // why it was skipped
  std::vector<Check> checks;  // of each check, in the order in which they were made
  std::uint64_t packets = 0;
  std::string notes;  // what was accepted of it

  std::size_t failures() const;
};

// More packets than this in one case, or one that reads for ever, is a mistake.
inline constexpr std::size_t kMaxSuitePackets = 1'000'000;

// `accepts`: its golden record, if it has one, is written anew where it differs.
CaseResult run_case(const SuiteCase& one, bool accepts);

}  // namespace transom::tools
