// The last segments of a connection in lines for a person, with numbers from the beginning of each stream.
#pragma once

#include <deque>
#include <string>

#include "drivers/replay/sequence_offsets.h"
#include "stack/base/time.h"
#include "stack/wire/tcp.h"

namespace transom::drivers::replay {

class LastPackets {
 public:
  // `since`: the connection's beginning. `own` and `other` count the two directions of the sender's view.
  void note(bool is_ours, const wire::TcpHeader& header, std::size_t octets, const SequenceOffsets& own,
            const SequenceOffsets& other, Duration since);
  // Something else, in words.
  void note(std::string_view text, Duration since);
  const std::deque<std::string>& lines() const { return lines_; }

 private:
  static constexpr std::size_t kKept = 10;
  std::deque<std::string> lines_;
};

}  // namespace transom::drivers::replay
