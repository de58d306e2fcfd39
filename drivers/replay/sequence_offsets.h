// Sequence numbers of one direction as offsets that do not wrap: 0 is the SYN, 1 the first octet. Two streams
// that start at different numbers can be compared by them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "stack/base/seq_num.h"

namespace transom::drivers::replay {

class SequenceOffsets {
 public:
  SequenceOffsets() = default;
  explicit SequenceOffsets(SeqNum initial) : last_(initial) {}

  // Of a number less than 2^31 from the highest that was seen; negative for what lies before the SYN.
  std::int64_t of(SeqNum number) const { return offset_ + (number - last_); }
  // The same, and remembers the highest.
  std::int64_t see(SeqNum number) {
    const std::int64_t offset = of(number);
    if (offset > offset_) {
      offset_ = offset;
      last_ = number;
    }
    return offset;
  }
  std::int64_t highest() const { return offset_; }
  SeqNum number_of(std::int64_t offset) const {
    return SeqNum(static_cast<std::uint32_t>(last_.value() + static_cast<std::uint64_t>(offset - offset_)));
  }

 private:
  SeqNum last_;
  std::int64_t offset_ = 0;  // of `last_`
};

}  // namespace transom::drivers::replay
