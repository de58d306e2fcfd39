// Group membership messages as text, for assertions: "TO_EX 239.1.2.3 {10.0.0.1}", "report 239.1.2.3". The
// frame around them is checked on the way: TTL 1, router alert, destination and checksum.
#pragma once

#include <string>
#include <vector>

#include "tests/support/host_on_ethernet.h"

namespace transom::test {

// Of each membership message among the frames, in order; of a report one line for each record. `source` is
// who must have sent them, if anybody.
std::vector<std::string> membership_lines(const std::vector<SentFrame>& frames,
                                          const std::optional<IpAddress>& source = std::nullopt);

}  // namespace transom::test
