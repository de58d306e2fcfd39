// One run: builds the network of a Scenario, lets its parties talk, and looks after every event whether what
// must always hold does. Towards the end the network becomes a good one, so that everything must end.
#pragma once

#include <deque>
#include <memory>

#include "tests/adversarial/judge.h"
#include "tests/adversarial/scenario.h"

namespace transom::test {

struct Outcome {
  std::optional<Violation> violation{};
  std::vector<std::string> last_events{};  // when they were to be kept
  std::uint64_t connections = 0, octets = 0, packets = 0, steps = 0;
  std::uint64_t hash = 0;
};

// `keep_events`: how many of the last events to tell of.
Outcome run_scenario(const Scenario& scenario, std::size_t keep_events = 0);

}  // namespace transom::test
