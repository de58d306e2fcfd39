#include "drivers/replay/alignment.h"

#include <algorithm>

namespace transom::drivers::replay {

namespace {

using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;
constexpr std::size_t kPiece = 512;  // of each sequence, compared at a time

// The longest common subsequence by the table of its lengths.
void align_piece(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b, std::size_t a_begin,
                 std::size_t b_begin, std::vector<std::uint16_t>& table, Pairs& pairs) {
  const std::size_t width = b.size() + 1;
  table.assign((a.size() + 1) * width, 0);
  for (std::size_t i = a.size(); i-- > 0;) {
    for (std::size_t j = b.size(); j-- > 0;) {
      table[i * width + j] = a[i] == b[j] ? static_cast<std::uint16_t>(table[(i + 1) * width + j + 1] + 1)
                                          : std::max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j]) {
      pairs.emplace_back(a_begin + i++, b_begin + j++);
    } else if (table[(i + 1) * width + j] >= table[i * width + j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
}

}  // namespace

Pairs align(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b) {
  Pairs pairs;
  std::vector<std::uint16_t> table;
  std::size_t i = 0, j = 0;
  for (;;) {
    while (i < a.size() && j < b.size() && a[i] == b[j]) pairs.emplace_back(i++, j++);
    if (i == a.size() || j == b.size()) return pairs;
    const auto a_piece = a.subspan(i, std::min(kPiece, a.size() - i));
    const auto b_piece = b.subspan(j, std::min(kPiece, b.size() - j));
    const bool is_last = a_piece.size() == a.size() - i && b_piece.size() == b.size() - j;
    const std::size_t before = pairs.size();
    align_piece(a_piece, b_piece, i, j, table, pairs);
    if (is_last) return pairs;
    // Only the first half is settled: what belongs to the rest may lie beyond the piece.
    const auto settled = std::find_if(
        pairs.begin() + static_cast<std::ptrdiff_t>(before), pairs.end(),
        [&](const auto& pair) { return pair.first >= i + kPiece / 2 || pair.second >= j + kPiece / 2; });
    pairs.erase(settled == pairs.end() ? settled : settled + 1, pairs.end());
    if (pairs.size() > before) {
      i = pairs.back().first + 1;
      j = pairs.back().second + 1;
    } else {
      i += a_piece.size() / 2;
      j += b_piece.size() / 2;
    }
  }
}

}  // namespace transom::drivers::replay
