// Sequence numbers of one direction as offsets that do not wrap: 0 is the SYN, 1 the first octet. Two streams
// that start at different numbers can be compared by them.
#pragma once

#include "drivers/capture/stream_numbers.h"

namespace transom::drivers::replay {

class SequenceOffsets {
 public:
  SequenceOffsets() : SequenceOffsets(SeqNum()) {}
  explicit SequenceOffsets(SeqNum initial) : numbers_(initial, 0) {}

  // Of a number less than 2^31 from the highest that was seen; negative for what lies before the SYN.
  Position of(SeqNum number) const { return numbers_.position(number); }
  // The same, and remembers the highest.
  Position see(SeqNum number) {
    const Position offset = of(number);
    if (offset > highest()) numbers_.anchor(number, offset);
    return offset;
  }
  Position highest() const { return numbers_.anchored_at(); }
  SeqNum number_of(Position offset) const { return numbers_.sequence(offset); }

 private:
  StreamNumbers numbers_;
};

}  // namespace transom::drivers::replay
