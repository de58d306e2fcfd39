// One end of a recorded TCP connection as a part to play: its segments in their order, each with what it had
// heard before and how long it thought then. Everything is in offsets of the two streams, none in sequence
// numbers.
#pragma once

#include <map>
#include <vector>

#include "drivers/replay/cast.h"

namespace transom::drivers::replay {

struct ScriptStep {
  std::uint64_t number = 0;  // of the packet in the capture
  Duration time{};           // since the connection's first packet
  Duration think{};          // since the packet that it waited for, or its own one before; no network time
  wire::TcpFlags flags;
  std::int64_t begin = 0, end = 0;  // what it carries of our stream: SYN and FIN count
  std::int64_t awaits = 0;          // so much of the peer's stream had come: what it acknowledges
  std::int64_t right_edge = 0;      // of the window that it offers, in the peer's stream
  std::int64_t echoes = 0;          // the peer's segment whose timestamp it echoes ended here
  std::uint16_t urgent = 0;
  std::vector<FragmentRange> fragments;  // that it was cut into; none: it was whole
  // Not of TCP: an ICMP error about a segment of the peer's at awaits - 1, and in it the place in our stream
  // that the segment acknowledged. From ICMP's header on.
  std::vector<std::uint8_t> error;
  std::optional<std::int64_t> error_quotes_ack;

  bool is_pure_ack() const { return begin == end && flags.ack && !flags.rst; }
};

struct TcpScript {
  Endpoint ours, theirs;
  bool is_opener = false;
  Duration begin{};  // of the connection, since the beginning of the capture
  TcpEnd us, peer;
  std::uint8_t scale = 0;  // of our windows
  std::vector<ScriptStep> steps;
  std::vector<std::uint8_t> stream;                            // our octets; the first has offset 1
  std::vector<std::uint8_t> expected;                          // theirs
  std::vector<std::pair<std::int64_t, std::int64_t>> ignored;  // of theirs, not to be compared: begin, end
  bool peer_closes = false;                                    // a FIN of theirs was recorded
  bool is_unreachable = false;                                 // our SYN drew an ICMP error, and nothing else
  std::uint64_t made_up = 0;  // octets of ours that the capture does not have, zeros
  Duration round_trip{};      // from the handshake
  // `octets` of theirs at `position`; those that are not to be compared as they were recorded.
  std::vector<std::uint8_t> with_mask(std::int64_t position, Bytes octets) const;
  Duration network_time{};  // that is in the recorded thinking of ours, as the capture was taken elsewhere
};

// Of every TCP connection that has one of our ends and begins with a handshake, by flow.
std::expected<std::map<std::size_t, TcpScript>, CaptureError> make_scripts(CaptureReader& reader,
                                                                           const Scene& scene,
                                                                           const Cast& cast);

}  // namespace transom::drivers::replay
