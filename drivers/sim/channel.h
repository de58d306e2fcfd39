// One direction of a link.
//
//   put ─► packet faults ─► longer than the MTU? ─► queue ─► transmitter ─► lost? corrupted? ─► wire ─► take
//                                                            (rate or trace)     duplicated?    (delay)
//
// A packet's time on the way is its wait in the queue, its length over the rate, and the delay; the next one
// is sent while the first is on the wire. What is lost on the wire has used the rate. A packet's length is
// that of the frame: with its Ethernet header where the link has one, without preamble and check sequence.
#pragma once

#include <functional>
#include <optional>

#include "drivers/sim/loss_model.h"
#include "drivers/sim/packet_fault.h"
#include "drivers/sim/queue.h"

namespace transom::drivers::sim {

// When a link may deliver, as recorded by mahimahi: milliseconds, each an opportunity for 1504 octets; after
// the last it begins again. What is left of an opportunity when the queue is empty is wasted.
struct DeliveryTrace {
  std::vector<std::uint64_t> milliseconds;  // never decreasing; the last is the period

  static std::expected<DeliveryTrace, std::string> parse(std::string_view text);
};

// From this time on.
struct ChannelChange {
  Instant at;
  std::optional<std::uint64_t> rate{};
  std::optional<Duration> delay{};
  std::optional<Duration> jitter{};
  std::optional<LossModel> loss{};
  std::optional<bool> up{};
  std::optional<std::uint32_t> mtu{};  // as ChannelOptions::mtu
};

struct ChannelOptions {
  std::uint64_t rate = 0;  // bit/s; 0: without limit
  Duration delay{};
  Duration jitter{};         // each packet's delay varies evenly by up to this, either way; that may reorder
  bool keeps_order = false;  // a jittered packet waits for those before it
  LossModel loss{};
  double reorder = 0;             // sent without delay, and so ahead of others (tc-netem(8))
  std::uint64_t reorder_gap = 1;  // of this many packets only the last is a candidate
  double duplicate = 0;
  double corrupt = 0;     // one bit is turned
  std::uint32_t mtu = 0;  // longer IP packets vanish without a word; 0: none do
  std::string queue = "pfifo limit 1000";
  DeliveryTrace trace{};  // in place of a rate, when it is not empty
  std::vector<PacketFault> faults{};
  std::vector<ChannelChange> changes{};  // in the order of their times
};

struct ChannelStatistics {
  std::uint64_t entered = 0;
  std::uint64_t sent = 0, sent_octets = 0;  // by the transmitter
  std::uint64_t delivered = 0, delivered_octets = 0;
  std::uint64_t lost = 0;     // on the wire
  std::uint64_t faulted = 0;  // dropped by a packet fault
  std::uint64_t too_long = 0;
  std::uint64_t corrupted = 0, duplicated = 0, reordered = 0;
};

class Channel {
 public:
  // An error in the words of `options.queue`.
  static std::expected<std::unique_ptr<Channel>, std::string> make(const ChannelOptions& options,
                                                                   link::LinkType type, const Seed& seed);

  void put(Packet packet, Instant now);
  // Moves what has arrived to `out`, and lets the transmitter go on.
  void take(PacketQueue& out, Instant now);
  // When take() is to be called; kNever when the channel is empty.
  Instant next_deadline() const;

  const ChannelStatistics& statistics() const { return statistics_; }
  const Queue& queue() const { return *queue_; }
  std::uint64_t rate() const { return options_.rate; }

 private:
  struct InFlight {
    Instant arrival;
    Packet packet;
  };
  Channel(const ChannelOptions& options, link::LinkType type, const Seed& seed, std::unique_ptr<Queue> queue);

  void enqueue(Packet packet, Instant now);
  void apply_changes(Instant now);
  void release_held(Instant now);
  void serve(Instant now);
  Duration time_to_send(std::uint64_t octets);
  Instant next_opportunity(Instant now, std::uint64_t octets);
  void depart(Packet packet, Instant at);
  void fly(Packet packet, Instant departure);

  ChannelOptions options_;
  link::LinkType type_;
  Random random_;
  std::unique_ptr<Queue> queue_;
  LossProcess loss_;
  PacketFaults faults_;
  std::size_t next_change_ = 0;
  bool is_up_ = true;
  bool is_backlogged_ = false;            // packets wait for the transmitter
  Instant free_at_{};                     // when the transmitter has finished
  std::uint64_t remainder_ = 0;           // of the last division by the rate: no time is lost to rounding
  std::uint64_t opportunity_ = 0;         // the next of the trace, counted through all periods
  std::uint64_t opportunity_octets_ = 0;  // left of the one before
  std::uint64_t since_reordered_ = 0;
  Ring<InFlight> held_;    // by packet faults, in order of release
  Ring<InFlight> flight_;  // in order of arrival
  ChannelStatistics statistics_;
};

}  // namespace transom::drivers::sim
