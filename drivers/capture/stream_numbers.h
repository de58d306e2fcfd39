// Sequence numbers as places in a stream.
#pragma once

#include <cstdint>

#include "stack/base/seq_num.h"

namespace transom::drivers {

// A place in a stream: octets from its beginning. The SYN is 0 and the first octet of text 1; where no SYN
// was seen, the first octet that was seen is 1. Does not wrap.
using Position = std::int64_t;

// Turns sequence numbers into positions and back; right within half the circle of the anchor, which whoever
// follows a stream takes along with it.
class StreamNumbers {
 public:
  StreamNumbers() = default;
  StreamNumbers(SeqNum sequence, Position position) { anchor(sequence, position); }

  bool is_anchored() const { return is_anchored_; }
  void anchor(SeqNum sequence, Position position) {
    sequence_ = sequence;
    position_ = position;
    is_anchored_ = true;
  }
  // Where the anchor is.
  Position anchored_at() const { return position_; }
  Position position(SeqNum sequence) const { return position_ + (sequence - sequence_); }
  SeqNum sequence(Position position) const {
    return sequence_ + static_cast<std::uint32_t>(position - position_);
  }
  void move_to(Position position) { anchor(sequence(position), position); }

 private:
  SeqNum sequence_;
  Position position_ = 0;
  bool is_anchored_ = false;
};

}  // namespace transom::drivers
