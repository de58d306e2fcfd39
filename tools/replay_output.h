// What a replay of any role gives in the end: text or JSON, HTML, JUnit, the golden record, and the exit
// status.
#pragma once

#include "tools/replay_options.h"
#include "tools/replay_report.h"

namespace transom::tools {

// --fail-on: from where on a verdict is too bad.
drivers::replay::Likeness bar_of(const ReplayOptions& options);

// The capture once more, each packet with what was found of it as a comment. `findings`: in the order of
// their packets.
void copy_with_findings(const std::string& input, const std::string& output,
                        const std::vector<drivers::judge::Finding>& findings);

// Writes all that the options ask for. True when nothing is at or above the bar, and all is as in the golden
// record.
bool put_out(const ReplayOptions& options, const ReplayReport& report);

}  // namespace transom::tools
