// A case's capture, fed to this project's stack in the place of one of its ends.
//
// "differences" from the recording: id, section, title, verdict ("legal", "unknown", "violation"), flow (from
// 1), frame (of the capture; absent: the stack sent what was not recorded), recorded and actual (as text).
// "events": what the stack decided, with the fields of docs/trace.md.
#pragma once

#include "tools/suite_case.h"

namespace transom::tools {

struct SuiteReplay {
  std::vector<Check>
      checks;  // that it ran, that it differs no more than the case allows, that octets are equal
  Records differences, events;
  std::string notes;  // what was accepted
};

// `with_events`: they are many, and only wanted where they are asked for. `accepts`: its golden record is
// written anew where it differs.
SuiteReplay replay_case(const SuiteCase& one, bool with_events, bool accepts);

}  // namespace transom::tools
