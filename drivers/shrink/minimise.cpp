#include "drivers/shrink/minimise.h"

#include <algorithm>

namespace transom::drivers {

std::vector<std::size_t> minimise(std::vector<std::size_t> all,
                                  const std::function<bool(const std::vector<std::size_t>&)>& suffices) {
  std::size_t piece = std::max<std::size_t>(all.size() / 2, 1);
  while (!all.empty()) {
    bool has_shrunk = false;
    for (std::size_t at = 0; at < all.size();) {
      std::vector<std::size_t> without = all;
      const auto begin = without.begin() + static_cast<std::ptrdiff_t>(at);
      const std::size_t size = std::min(piece, all.size() - at);
      without.erase(begin, begin + static_cast<std::ptrdiff_t>(size));
      if (suffices(without)) {
        all = std::move(without);
        has_shrunk = true;
      } else {
        at += size;
      }
    }
    if (piece == 1 && !has_shrunk) break;
    piece = std::max<std::size_t>(piece / 2, 1);
  }
  return all;
}

}  // namespace transom::drivers
