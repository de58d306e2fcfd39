// Plays both ends of a recorded flow at a device between two ports, and holds what comes out at one against
// what was put in at the other.
//
// A packet is put in when the packet of the other end that was recorded last before it has come out, or a
// later one, and the recorded thinking is over. It goes to where the other end's packets seem to come from: a
// device may translate. Where a device changes sequence numbers, what was added to those of a direction is
// learnt from its first packet; the other end then acknowledges what it has seen. A packet of TCP that is
// awaited in vain goes in again, but for Fidelity::kExact.
#pragma once

#include "drivers/replay/live_part.h"
#include "drivers/replay/live_setup.h"
#include "drivers/replay/stream_check.h"
#include "drivers/replay/transit_changes.h"
#include "drivers/replay/transit_script.h"

namespace transom::drivers::replay {

class TransitFlow final : public LivePart {
 public:
  // Puts a packet, from its IP header on, in at the port of `side`.
  using PutIn = std::function<void(std::size_t side, Bytes packet)>;

  // `ends`: those of the script as they are now. All but these outlive it.
  TransitFlow(const TransitScript& script, const LiveOptions& options, Pacing& pacing,
              const std::array<Endpoint, 2>& ends, PutIn put_in);

  void start(Instant now) override;
  void run(Instant now) override;
  Instant next_deadline() const override;
  LiveState state() const override { return state_; }

  // It came out at the other port than that of `side`, between these ends as they appear there.
  void came_out(std::size_t side, const Ends& seen, const Carried& out, Instant now);
  // Is one of those that were put in at `side` and have not come out?
  bool is_awaiting(std::size_t side, const Carried& out) const;
  // The same, with another sequence number, before any other packet of that side has come out.
  bool is_awaiting_shifted(std::size_t side, const Ends& seen, const Carried& out) const;
  // The device said that to `side` itself: an error that quotes a packet of it.
  void refused(std::size_t side, Instant now);

  // How the packets of `side` appear at the other port: source and destination.
  Ends seen(std::size_t side) const;
  // What the device adds to the sequence numbers of `side`; nullopt while nothing has come out.
  std::optional<std::uint32_t> shift(std::size_t side) const { return sides_[side].shift; }
  std::string awaited() const;
  const std::deque<std::string>& last_packets() const { return last_packets_; }
  const TransitScript& script() const { return script_; }
  const std::array<Endpoint, 2>& ends() const { return ends_; }

  Likeness likeness() const;                                  // the worst
  std::map<const Difference*, std::uint64_t> counts() const;  // also of what has not come out yet
  std::vector<std::string> lines() const;                     // the first packets that differ, in words
  // What was put in at `side`, beside what came out, in the order of the recording.
  std::vector<Rung> rungs(std::size_t side) const;
  std::size_t put_in() const { return put_in_; }
  std::size_t came_out() const { return came_out_; }
  std::uint64_t again() const { return again_; }  // put in again
  std::size_t left() const;                       // never put in

 private:
  struct Unit {
    Carried in;
    bool was_put_in = false, has_come_out = false;
    std::optional<PacketRecord> out;
    std::vector<const Difference*> differences;
  };
  struct Extra {             // came out, and is none of the units
    std::size_t before = 0;  // the unit that was awaited
    Rung rung;
  };
  struct Side {
    std::size_t next = 0;            // in `order`
    std::vector<std::size_t> order;  // of the script's packets
    std::vector<Unit> units;
    std::size_t low = 0;      // the first that has not come out
    std::size_t reached = 0;  // behind the last that has
    std::optional<Ends> seen;
    std::optional<std::uint32_t> shift;
    std::optional<SequenceOffsets> offsets;  // of what was put in
    std::vector<Extra> extras;
    StreamCheck stream;  // recorded: what was put in; actual: what came out
    Instant last_step{}, heard_at{};
  };

  // Before what is awaited goes in again; doubled each time, up to:
  static constexpr Duration kPatience = std::chrono::milliseconds(250);
  static constexpr Duration kMaxPatience = std::chrono::seconds(1);

  bool is_stream() const {
    return options_.fidelity == Fidelity::kStream && script_.protocol == IpProtocol::kTcp;
  }
  bool is_heard(const TransitPacket& packet) const;
  Instant due(std::size_t side) const;
  Instant stall_at() const;
  bool is_blocked(std::size_t side) const;
  bool wants_again(std::size_t side) const;
  void put_in(const TransitPacket& packet, Instant now);
  void put_in_again(Instant now);
  std::optional<std::size_t> find(const Side& from, const Carried& out) const;
  enum class Shifted : std::uint8_t { kText, kAny, kAnyAcknowledgment };
  std::optional<std::size_t> find_shifted(std::size_t side, const Carried& out, Shifted which) const;
  Carried in_numbers_put_in(std::size_t side, const Carried& out);
  PacketRecord record_of(std::size_t side, const Carried& carried, std::uint64_t number, Duration time) const;
  const Difference* missing(std::size_t side, std::size_t unit) const;
  void take_stream(Side& from, const Carried& out);
  void advance(Side& from);
  void count(const Difference& difference, std::string line);
  void note(std::string line, Instant now);
  void finish_if_done(Instant now);

  const TransitScript& script_;
  const LiveOptions options_;
  Pacing& pacing_;
  std::array<Endpoint, 2> ends_;
  PutIn put_in_call_;
  LiveState state_ = LiveState::kRunning;
  std::array<Side, 2> sides_;
  Instant anchor_ = kNever, last_progress_{}, again_at_ = kNever, linger_until_ = kNever;
  Duration patience_{};
  std::size_t put_in_ = 0, came_out_ = 0;
  std::uint64_t again_ = 0;
  std::map<const Difference*, std::uint64_t> counts_;
  std::vector<std::string> lines_;
  std::deque<std::string> last_packets_;
};

}  // namespace transom::drivers::replay
