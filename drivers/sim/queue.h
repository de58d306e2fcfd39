// What waits in front of a link: a queueing discipline, with the names and parameters of tc(8).
//
//   pfifo    limit PACKETS                                              tc-bfifo(8)
//   bfifo    limit OCTETS
//   red      limit OCTETS min OCTETS max OCTETS probability P ecn       Floyd and Jacobson 1993; tc-red(8)
//   codel    limit PACKETS target TIME interval TIME ce_threshold TIME ecn              RFC 8289
//   fq_codel ... flows COUNT quantum OCTETS                                             RFC 8290
//   pie      limit PACKETS target TIME tupdate TIME alpha A beta B ecn                  RFC 8033
//   dualpi2  limit PACKETS target TIME tupdate TIME alpha A beta B coupling_factor K step_thresh TIME
//                                                                                       RFC 9332
//
// A limit counts what waits, not the packet that is being sent and not what is on the wire. A discipline that
// may mark does so instead of dropping, where the packet says that its ends understand the mark.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "stack/base/packet.h"
#include "stack/base/random.h"
#include "stack/base/ring.h"
#include "stack/link/interface.h"

namespace transom::drivers::sim {

struct QueueStatistics {
  std::uint64_t queued = 0;         // packets taken
  std::uint64_t dropped_full = 0;   // no room
  std::uint64_t dropped_early = 0;  // by decision of the discipline
  std::uint64_t marked = 0;         // with "congestion experienced"
  std::uint64_t max_octets = 0;     // the longest it has been
};

// A packet and when it came.
struct Waiting {
  Packet packet;
  Instant since{};
  std::uint32_t octets = 0;
};

class Queue {
 public:
  virtual ~Queue() = default;

  virtual void put(Packet packet, Instant now) = 0;
  // The next to send; others may be dropped on the way to it. Empty when nothing is left.
  virtual Packet take(Instant now) = 0;

  std::size_t packets() const { return packets_; }
  std::uint64_t octets() const { return octets_; }
  const QueueStatistics& statistics() const { return statistics_; }

 protected:
  explicit Queue(link::LinkType type) : type_(type) {}

  link::LinkType type() const { return type_; }
  Waiting enter(Packet packet, Instant now);
  Packet leave(Waiting waiting);  // to be sent, or dropped by the caller
  // A mark in place of a drop. False: the packet cannot carry one.
  bool mark(Packet& packet);
  void drop_early(Waiting waiting);
  void count_full() { ++statistics_.dropped_full; }
  void count_early() { ++statistics_.dropped_early; }

 private:
  link::LinkType type_;
  std::size_t packets_ = 0;
  std::uint64_t octets_ = 0;
  QueueStatistics statistics_;
};

// From tc's words, as in "codel limit 1000 target 5ms ecn". On failure: a line that names the bad word and
// what is known.
std::expected<std::unique_ptr<Queue>, std::string> make_queue(std::string_view words, link::LinkType type,
                                                              const Seed& seed);

}  // namespace transom::drivers::sim
