// The least of many things that is still enough (delta debugging: Zeller and Hildebrandt, "Simplifying and
// Isolating Failure-Inducing Input", 2002).
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace transom::drivers {

// What of `all` suffices, in its order: none of them can be left out alone. Pieces are left out that become
// ever smaller. `suffices` holds for `all`; it need not hold for more of what it holds for.
std::vector<std::size_t> minimise(std::vector<std::size_t> all,
                                  const std::function<bool(const std::vector<std::size_t>&)>& suffices);

}  // namespace transom::drivers
