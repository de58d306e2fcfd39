// A golden record in its file: a run is held against it, and accepted in its place.
#pragma once

#include "tools/golden_record.h"

namespace transom::tools {

struct GoldenCheck {
  bool is_new = false;  // there was no record
  bool was_written = false;
  std::vector<GoldenDifference> differences;

  // All of them, a line each; what was written.
  std::string text(const std::string& path) const;
};

struct GoldenRun {
  std::string role;
  std::span<const drivers::replay::FlowReport> flows;
  std::optional<Masks> masks;  // of a record that is written; nullopt: as the old one's, or the standard ones
};

// `accepts`: writes the record where it is missing or differs. Throws Failure: kUsage for a file that is no
// golden record, or, unless it `accepts`, for none; kEnvironment where it cannot be written.
GoldenCheck check_golden(const std::string& path, const GoldenRun& run, bool accepts);

}  // namespace transom::tools
