// Parts of a stream, as ranges that do not touch. Bounded: when there are too many, the two lowest are
// joined, which says more than was seen and so errs towards silence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace transom::drivers::judge {

// A place in a stream: octets from its beginning. The SYN is 0 and the first octet of text 1; where no SYN
// was seen, the first octet that was seen is 1. Does not wrap.
using Position = std::int64_t;

struct PositionRange {
  Position begin = 0, end = 0;
  friend bool operator==(const PositionRange&, const PositionRange&) = default;
};

class PositionRanges {
 public:
  static constexpr std::size_t kMaxRanges = 512;

  void add(Position begin, Position end);     // nothing when it is empty
  void remove(Position begin, Position end);  // likewise
  bool contains(Position begin, Position end) const;
  bool overlaps(Position begin, Position end) const;
  // The parts of [begin, end) that are not here.
  std::vector<PositionRange> missing(Position begin, Position end) const;
  Position total() const;
  bool empty() const { return ranges_.empty(); }
  std::size_t count() const { return ranges_.size(); }
  void clear() { ranges_.clear(); }
  std::vector<PositionRange> list() const;

 private:
  std::map<Position, Position> ranges_;  // begin, end
};

}  // namespace transom::drivers::judge
