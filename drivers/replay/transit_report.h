// What came of a flow through a device, in the words of all replays: what was put in at a port, beside what
// came out at the other. The end at the first port counts as ours.
#pragma once

#include "drivers/replay/flow_report.h"
#include "drivers/replay/transit_flow.h"

namespace transom::drivers::replay {

FlowReport report_of(const TransitFlow& flow);

}  // namespace transom::drivers::replay
