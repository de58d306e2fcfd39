// Parts of a stream, as ranges that do not touch. Bounded: when there are more than `limit`, the two lowest
// are joined, which says more than was seen and so errs towards silence.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "drivers/capture/stream_numbers.h"

namespace transom::drivers {

struct PositionRange {
  Position begin = 0, end = 0;
  friend bool operator==(const PositionRange&, const PositionRange&) = default;
};

class PositionRanges {
 public:
  static constexpr std::size_t kMaxRanges = 512;

  explicit PositionRanges(std::size_t limit = kMaxRanges) : limit_(limit) {}

  void add(Position begin, Position end);     // nothing when it is empty
  void remove(Position begin, Position end);  // likewise
  bool contains(Position begin, Position end) const;
  // Where what is here from `begin` on ends; `begin` when nothing is.
  Position end_of_run(Position begin) const;
  bool overlaps(Position begin, Position end) const;
  // The parts of [begin, end) that are not here.
  std::vector<PositionRange> missing(Position begin, Position end) const;
  Position total() const;
  bool empty() const { return ranges_.empty(); }
  std::size_t count() const { return ranges_.size(); }
  void clear() { ranges_.clear(); }
  std::vector<PositionRange> list() const;

 private:
  std::size_t limit_;
  std::map<Position, Position> ranges_;  // begin, end
};

}  // namespace transom::drivers
