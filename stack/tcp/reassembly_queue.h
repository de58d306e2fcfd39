// Octets received out of order: a sorted list of runs, each contiguous, with holes between them.
//
//   rcv_nxt     hole      run 0        hole     run 1
//      |......................|=============|.........|=======|
//
// What is held is never replaced: where a new segment overlaps, the octets that came first stay (RFC 9293
// §3.10.7.4 leaves the choice; keeping the first is what hosts that drop inconsistent retransmissions do).
// Bounded in octets and in runs; when full, the data furthest from rcv_nxt goes first, since it will be sent
// again anyway.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "stack/base/ring.h"
#include "stack/base/seq_num.h"
#include "stack/tcp/payload.h"
#include "stack/wire/tcp.h"

namespace transom::tcp {

class ReassemblyQueue {
 public:
  struct Inserted {
    std::uint32_t added = 0;                   // octets that are new
    std::optional<wire::SackBlock> duplicate;  // the first range that was held already (D-SACK, RFC 2883)
  };

  bool empty() const { return runs_.empty(); }
  std::uint32_t size() const { return size_; }

  // `sequence` is beyond rcv_nxt. `limit`: octets that may be held.
  Inserted insert(BufferPool& pool, SeqNum sequence, Payload payload, std::uint32_t limit);

  // The first run, if it starts at or before `next`: it leaves the queue, trimmed to start at `next`. Empty
  // payload otherwise.
  struct Run {
    SeqNum begin;
    SeqNum end;
    Ring<Slice> slices;
  };
  std::optional<Run> take_contiguous(SeqNum next);

  // The blocks to report, the run of the latest arrival first, then those reported before (RFC 2018 §4).
  std::size_t sack_blocks(std::span<wire::SackBlock> out) const;

  void clear();

 private:
  static constexpr std::size_t kMaxRuns = 512;

  std::size_t first_run_ending_after(SeqNum sequence) const;
  void place(BufferPool& pool, std::size_t index, SeqNum sequence, Payload piece);
  void drop_last_run();
  void touch(SeqNum inside);

  std::vector<Run> runs_;
  std::array<SeqNum, wire::TcpOptions::kMaxSackBlocks>
      recent_{};  // a sequence number inside each recent block
  std::uint8_t recent_count_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace transom::tcp
