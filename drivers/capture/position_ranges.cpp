#include "drivers/capture/position_ranges.h"

#include <algorithm>

namespace transom::drivers {

void PositionRanges::add(Position begin, Position end) {
  if (begin >= end) return;
  auto next = ranges_.upper_bound(begin);
  if (next != ranges_.begin() && std::prev(next)->second >= begin) {
    --next;
    begin = next->first;
    end = std::max(end, next->second);
    next = ranges_.erase(next);
  }
  while (next != ranges_.end() && next->first <= end) {
    end = std::max(end, next->second);
    next = ranges_.erase(next);
  }
  ranges_.emplace_hint(next, begin, end);
  if (ranges_.size() > limit_ && ranges_.size() > 1) {
    const auto second = std::next(ranges_.begin());
    ranges_.begin()->second = second->second;
    ranges_.erase(second);
  }
}

void PositionRanges::remove(Position begin, Position end) {
  if (begin >= end) return;
  auto at = ranges_.upper_bound(begin);
  if (at != ranges_.begin()) --at;
  while (at != ranges_.end() && at->first < end) {
    const PositionRange old{at->first, at->second};
    if (old.end <= begin) {
      ++at;
      continue;
    }
    at = ranges_.erase(at);
    if (old.begin < begin) ranges_.emplace(old.begin, begin);
    if (old.end > end) ranges_.emplace(end, old.end);
  }
}

bool PositionRanges::contains(Position begin, Position end) const {
  if (begin >= end) return true;
  const auto next = ranges_.upper_bound(begin);
  return next != ranges_.begin() && std::prev(next)->second >= end;
}

Position PositionRanges::end_of_run(Position begin) const {
  const auto next = ranges_.upper_bound(begin);
  return next == ranges_.begin() ? begin : std::max(begin, std::prev(next)->second);
}

bool PositionRanges::overlaps(Position begin, Position end) const {
  if (begin >= end) return false;
  const auto next = ranges_.lower_bound(end);
  return next != ranges_.begin() && std::prev(next)->second > begin;
}

std::vector<PositionRange> PositionRanges::missing(Position begin, Position end) const {
  std::vector<PositionRange> holes;
  if (begin >= end) return holes;
  auto at = ranges_.upper_bound(begin);
  if (at != ranges_.begin()) begin = std::max(begin, std::prev(at)->second);
  for (; at != ranges_.end() && at->first < end; ++at) {
    if (at->first > begin) holes.push_back({begin, at->first});
    begin = at->second;
  }
  if (begin < end) holes.push_back({begin, end});
  return holes;
}

Position PositionRanges::total() const {
  Position total = 0;
  for (const auto& [begin, end] : ranges_) total += end - begin;
  return total;
}

std::vector<PositionRange> PositionRanges::list() const {
  std::vector<PositionRange> list;
  for (const auto& [begin, end] : ranges_) list.push_back({begin, end});
  return list;
}

}  // namespace transom::drivers
