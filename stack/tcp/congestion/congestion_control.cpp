#include "stack/tcp/congestion/congestion_control.h"

#include <algorithm>

namespace transom::tcp {

std::uint64_t initial_window(std::uint32_t mss, bool syn_was_lost) {
  if (syn_was_lost) return mss;
  return std::min<std::uint64_t>(std::uint64_t{10} * mss,
                                 std::max<std::uint64_t>(std::uint64_t{2} * mss, 14600));
}

}  // namespace transom::tcp
