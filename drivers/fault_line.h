// One direction of a faulty link: what is put in comes out late, in another order, damaged, twice, or not at
// all. A pure function of its options, its seed and the calls made.
//
//   put ─► lost? ─► duplicated? ─► corrupted? truncated? ─► held back? ─► delay queue ─► take
#pragma once

#include <deque>
#include <vector>

#include "drivers/fault_options.h"
#include "stack/base/packet.h"
#include "stack/base/random.h"
#include "stack/link/interface.h"

namespace transom::drivers {

struct FaultStatistics {
  std::uint64_t frames = 0;  // put in
  std::uint64_t lost = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t corrupted = 0;
  std::uint64_t truncated = 0;
  std::uint64_t overflowed = 0;  // dropped because the delay queue was full
  std::uint64_t passed = 0;      // taken out

  friend bool operator==(const FaultStatistics&, const FaultStatistics&) = default;
};

class FaultLine {
 public:
  // Lines of one seed but another number are independent of each other.
  FaultLine(const FaultOptions& options, std::uint64_t number, link::LinkType type);

  // A frame as it is on the wire: no super-frame, no partial checksum.
  void put(Packet frame, Instant now);
  // Moves what is due by `now` to `out`, at most `limit` frames. Returns how many.
  std::size_t take(PacketQueue& out, std::size_t limit, Instant now);
  // When take() will have something; kNever when the line is empty.
  Instant next_deadline() const;

  const FaultStatistics& statistics() const { return statistics_; }

 private:
  struct Held {
    Packet frame;
    std::uint64_t to_pass;  // frames that still have to overtake it
    Instant deadline;
  };
  struct Delayed {
    Packet frame;
    Instant departure;
  };

  void damage_and_queue(Packet frame, Instant now);
  bool corrupt(Packet& frame);
  bool truncate(Packet& frame);
  void enqueue(Packet frame, Instant now);
  void release_held(Instant now, bool one_has_passed);

  FaultOptions options_;
  link::LinkType type_;
  Random random_;
  std::vector<Held> held_;
  std::deque<Delayed> delayed_;  // departures never decrease
  FaultStatistics statistics_;
};

}  // namespace transom::drivers
