// What has to stay of a finding while the capture around it is made smaller: rule, verdict, end and state.
#pragma once

#include <span>

#include "drivers/capture/kept_packet.h"
#include "drivers/judge/judge.h"

namespace transom::drivers::judge {

struct Signature {
  const Rule* rule = nullptr;
  Verdict verdict = Verdict::kViolation;
  Endpoint from;
  std::string state{};

  static Signature of(const Finding& finding);
  bool is_of(const Finding& finding) const;
  // Whether a judge of the packets finds it.
  bool is_found_in(std::span<const KeptPacket> packets, const JudgeOptions& options) const;
};

std::vector<Finding> judge_all(std::span<const KeptPacket> packets, const JudgeOptions& options);

// The source of a GoogleTest case that judges the packets and expects the finding.
std::string as_test(const Signature& wanted, std::span<const KeptPacket> packets,
                    const JudgeOptions& options);

}  // namespace transom::drivers::judge
