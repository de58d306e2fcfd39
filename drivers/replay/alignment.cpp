#include "drivers/replay/alignment.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

namespace transom::drivers::replay {

namespace {

using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;
constexpr std::size_t kPiece = 512;  // of each sequence, compared at a time
constexpr std::size_t kWordBits = 64;

// The longest common subsequence of two pieces.
//
// The table of lengths has T(i, j) for what is left of both from i and j on. Two neighbours in a row differ
// by 0 or 1, so a row is a word of bits, and the row above it follows by a few operations on all bits at once
// (H. Hyyrö, Bit-parallel LCS-length computation revisited, 2004): the table costs 64 times less than number
// by number.
class PieceAligner {
 public:
  // Appends the pairs, each with `a_begin` and `b_begin` added.
  void align(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b, std::size_t a_begin,
             std::size_t b_begin, Pairs& pairs) {
    find_places(b);
    fill_rows(a, b.size());
    std::size_t i = 0, j = 0;
    std::size_t here = length_at(0, b.size()), below = length_at(1, b.size());  // T(i, j), T(i + 1, j)
    while (i < a.size() && j < b.size()) {
      const std::size_t left = b.size() - 1 - j;
      if (a[i] == b[j]) {
        pairs.emplace_back(a_begin + i++, b_begin + j++);
        here = length_at(i, left);
        below = length_at(i + 1, left);
      } else if (below >= here - step_at(i, left)) {
        ++i;
        here = below;
        below = length_at(i + 1, left + 1);
      } else {
        ++j;
        here -= step_at(i, left);
        below -= step_at(i + 1, left);
      }
    }
  }

 private:
  // Bit p stands for the element of b that has p others behind it.
  using Row = std::array<std::uint64_t, kPiece / kWordBits>;
  struct Slot {
    std::uint64_t key = 0;
    std::uint32_t round = 0;  // that it was filled in
    std::uint16_t place = 0;  // in places_
  };
  static constexpr std::size_t kSlots = 4 * kPiece;

  // The slot of the key, or the empty one where it belongs.
  Slot& slot_of(std::uint64_t key) {
    std::size_t at = key * 0x9e3779b97f4a7c15ULL >> 53;
    while (slots_[at].round == round_ && slots_[at].key != key) at = (at + 1) % kSlots;
    return slots_[at];
  }

  void find_places(std::span<const std::uint64_t> b) {
    ++round_;
    words_ = (b.size() + kWordBits - 1) / kWordBits;
    std::uint16_t count = 0;
    for (std::size_t j = 0; j < b.size(); ++j) {
      Slot& slot = slot_of(b[j]);
      if (slot.round != round_) {
        slot = {b[j], round_, count};
        std::fill_n(places_[count++].begin(), words_, 0);
      }
      const std::size_t bit = b.size() - 1 - j;
      places_[slot.place][bit / kWordBits] |= std::uint64_t{1} << bit % kWordBits;
    }
  }

  // rows_[i] has a bit where T(i, j) is one more than T(i, j + 1).
  void fill_rows(std::span<const std::uint64_t> a, std::size_t width) {
    rows_.resize(std::max(rows_.size(), a.size() + 2));
    rows_[a.size()].fill(0);
    rows_[a.size() + 1].fill(0);
    for (std::size_t i = a.size(); i-- > 0;) {
      const Slot& slot = slot_of(a[i]);
      if (slot.round != round_) {
        std::copy_n(rows_[i + 1].begin(), words_, rows_[i].begin());
        continue;
      }
      const Row& match = places_[slot.place];
      std::uint64_t carry = 0;
      for (std::size_t word = 0; word < words_; ++word) {
        const std::uint64_t same = ~rows_[i + 1][word];
        const std::uint64_t hits = same & match[word];
        const std::uint64_t sum = same + hits, total = sum + carry;
        carry = (sum < same ? 1U : 0U) | (total < sum ? 1U : 0U);
        rows_[i][word] = ~(total | (same & ~match[word]));
      }
      // Beyond the piece nothing is the same.
      if (width % kWordBits != 0)
        rows_[i][words_ - 1] &= ~std::uint64_t{0} >> (kWordBits - width % kWordBits);
    }
  }

  // T(i, j) where `left` elements of b are left from j on.
  std::size_t length_at(std::size_t i, std::size_t left) const {
    std::size_t length = 0, word = 0;
    for (; left >= kWordBits; left -= kWordBits)
      length += static_cast<std::size_t>(std::popcount(rows_[i][word++]));
    if (left > 0) length += static_cast<std::size_t>(std::popcount(rows_[i][word] << (kWordBits - left)));
    return length;
  }
  std::size_t step_at(std::size_t i, std::size_t bit) const {
    return rows_[i][bit / kWordBits] >> bit % kWordBits & 1U;
  }

  std::size_t words_ = 0;
  std::uint32_t round_ = 0;
  std::vector<Slot> slots_ = std::vector<Slot>(kSlots);
  std::vector<Row> places_ = std::vector<Row>(kPiece);
  std::vector<Row> rows_;
};

}  // namespace

Pairs align(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b) {
  Pairs pairs;
  std::optional<PieceAligner> aligner;
  std::size_t i = 0, j = 0;
  for (;;) {
    while (i < a.size() && j < b.size() && a[i] == b[j]) pairs.emplace_back(i++, j++);
    if (i == a.size() || j == b.size()) return pairs;
    if (!aligner) aligner.emplace();
    const auto a_piece = a.subspan(i, std::min(kPiece, a.size() - i));
    const auto b_piece = b.subspan(j, std::min(kPiece, b.size() - j));
    const bool is_last = a_piece.size() == a.size() - i && b_piece.size() == b.size() - j;
    const std::size_t before = pairs.size();
    aligner->align(a_piece, b_piece, i, j, pairs);
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
