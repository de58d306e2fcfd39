// What came of an exchange of datagrams, in the words of all replays: what our end sent and what the peer
// said, each beside what was recorded.
#pragma once

#include "drivers/replay/datagram_exchange.h"
#include "drivers/replay/flow_report.h"

namespace transom::drivers::replay {

// `number`: of the flow in the capture; `ours`: which of its ends there. `is_partial`: it was broken off on
// purpose, what is missing is no fault.
FlowReport report_of(const DatagramExchange& exchange, std::size_t number, std::size_t ours, bool is_partial);

}  // namespace transom::drivers::replay
