// One flow of a capture that is fed: its packets that are not due yet, and how far each end is, in the
// recording and now.
#pragma once

#include <deque>
#include <memory>

#include "drivers/replay/feed.h"
#include "drivers/replay/tcp_player.h"

namespace transom::drivers::replay {

// A packet of the capture that outlives the reader's buffer.
struct HeldPacket {
  std::vector<std::uint8_t> octets;
  CapturedPacket captured;
  std::optional<PacketView> view;
  std::size_t side = 0;

  explicit HeldPacket(const CapturedPacket& packet)
      : octets(packet.octets.begin(), packet.octets.end()), captured(packet) {
    captured.octets = octets;
    view = PacketView::parse(captured);
  }
};

struct FeedFlow {
  std::deque<std::unique_ptr<HeldPacket>> waiting;
  Duration shift{};  // so much later than recorded
  std::optional<std::size_t> ours;
  Instant blocked_since = kNever;
  bool is_stalled = false;
  std::uint64_t repeated = 0;  // of ours: the last whose identification was sent again
  // --- TCP
  const TcpFacts* facts = nullptr;
  std::unique_ptr<TcpPlayer> player;
  std::array<SequenceOffsets, 2> recorded;  // by side
  std::int64_t recorded_end = 0;            // of ours, so far
  SequenceOffsets sent;                     // of the Host
  std::int64_t sent_end = 0;
  std::int64_t fed_ack = 0;                // the highest that was fed
  std::optional<std::uint32_t> timestamp;  // of theirs, the latest
  std::int64_t right_edge = 0;             // that the peer has offered
  std::optional<IdentificationNumbering> numbering;
  TcpOutcome outcome;

  bool is_blocked() const { return blocked_since != kNever; }

  // Has the Host sent what the packet acknowledges? Not more than the recorded end had sent: what was never
  // sent is not waited for.
  bool may_go(const HeldPacket& packet) const;
  std::string awaited(const HeldPacket& packet) const;

  // Would a receiver take its text? Of what an attacker puts between, or what was damaged, it does not.
  bool is_acceptable(const PacketView& view, const PacketRecord& record);

  // A packet of `side`; `own` counts its direction and remembers it, `other` what it acknowledges.
  PacketRecord record_of(std::size_t side, const CapturedPacket& packet, const PacketView& view,
                         SequenceOffsets& own, const SequenceOffsets& other) const;

  // Which identification the Host's next datagram has; not of TCP. `playing`: of ours, now. nullopt: the
  // recording does not tell.
  std::optional<std::uint32_t> datagram_identification(const HeldPacket* playing);
  // The same of a segment.
  std::optional<std::uint32_t> segment_identification(const wire::TcpHeader& header, std::uint32_t packets);

  // --- Looking ahead in what is waiting; within Host::enter() and leave()
  // What followed `first` without an answer in between was one write: PSH goes to its last segment, as
  // recorded.
  void write_rest(const HeldPacket& first);
  // The recorded stack had more to send than the window let through, and probed for room: ours must have it,
  // too. Where so, the next such packet.
  const HeldPacket* wanted_ahead() const;
  // TcpPlayer::Finder.
  bool find_ahead(std::int64_t begin, MutableBytes out) const;
};

}  // namespace transom::drivers::replay
