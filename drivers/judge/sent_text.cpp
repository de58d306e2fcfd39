#include "drivers/judge/sent_text.h"

#include <algorithm>

namespace transom::drivers::judge {

namespace {
Position end_of(const std::pair<const Position, std::vector<std::uint8_t>>& piece) {
  return piece.first + static_cast<Position>(piece.second.size());
}
}  // namespace

void SentText::forget_first() {
  const std::size_t size = pieces_.begin()->second.size();
  size_ -= size;
  budget_->used -= size;
  pieces_.erase(pieces_.begin());
}

void SentText::forget_below(Position position) {
  while (!pieces_.empty() && end_of(*pieces_.begin()) <= position) forget_first();
}

void SentText::keep(Position begin, Bytes octets) {
  const Position end = begin + static_cast<Position>(octets.size());
  const auto keep_part = [&](Position from, Position to) {
    if (from >= to) return;
    const auto size = static_cast<std::size_t>(to - from);
    if (budget_->used + size > budget_->limit) return;
    const Bytes part = octets.subspan(static_cast<std::size_t>(from - begin), size);
    pieces_.emplace(from, std::vector<std::uint8_t>(part.begin(), part.end()));
    size_ += size;
    budget_->used += size;
  };
  Position at = begin;
  auto next = pieces_.upper_bound(begin);
  if (next != pieces_.begin()) at = std::max(at, end_of(*std::prev(next)));
  for (; next != pieces_.end() && next->first < end; ++next) {
    keep_part(at, next->first);
    at = std::max(at, end_of(*next));
  }
  keep_part(at, end);
  while (size_ > kMaxOctets) forget_first();
}

std::optional<Position> SentText::first_difference(Position begin, Bytes octets) const {
  const Position end = begin + static_cast<Position>(octets.size());
  auto piece = pieces_.upper_bound(begin);
  if (piece != pieces_.begin()) --piece;
  for (; piece != pieces_.end() && piece->first < end; ++piece) {
    const Position from = std::max(begin, piece->first), to = std::min(end, end_of(*piece));
    for (Position at = from; at < to; ++at) {
      if (octets[static_cast<std::size_t>(at - begin)] !=
          piece->second[static_cast<std::size_t>(at - piece->first)])
        return at;
    }
  }
  return std::nullopt;
}

}  // namespace transom::drivers::judge
