// Which faults a line has, and their text form: 'loss=1% reorder=2% dup=0.1% corrupt=0.1% truncate=0.1%
// delay=10ms jitter=2ms seed=7'.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "stack/base/time.h"

namespace transom::drivers {

// Probabilities are 0 to 1, for each frame and each direction independently.
struct FaultOptions {
  double loss = 0;
  double reorder = 0;    // held back until a few later frames have passed, or 2 ms
  double duplicate = 0;  // sent twice in a row
  double corrupt = 0;    // one bit is turned, anywhere from the IP header on
  double truncate = 0;   // cut at a random place
  Duration delay{};      // each direction
  Duration jitter{};     // delay varies evenly by up to this, both ways; it does not reorder
  std::uint64_t seed = 0;
};

// Words in any order, separated by blanks or commas. On failure: a line that names the bad word and what is
// known.
std::expected<FaultOptions, std::string> parse_fault_options(std::string_view text);

}  // namespace transom::drivers
