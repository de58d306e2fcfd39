// What a device did to a packet on its way, and which rule allows that.
#pragma once

#include <vector>

#include "drivers/replay/comparison.h"

namespace transom::drivers::replay {

// A datagram as it was put in, or as it came out: with the header of its first fragment.
struct Carried {
  IpProtocol protocol{};
  std::vector<std::uint8_t> header;     // IP's, with extension headers
  std::vector<std::uint8_t> transport;  // whole
  std::size_t packets = 1;              // fragments
  bool is_fragment = false;             // and it was not joined: `transport` is a piece
};

// The same datagram, but for what devices translate: addresses, ports, identifiers of echoes, checksums.
bool is_same(const Carried& in, const Carried& out);
// The same place of a connection, perhaps with other octets or options; never of other protocols.
bool is_alike(const Carried& in, const Carried& out);

// The same segment of TCP, but for its sequence number and what else is_same() passes over; perhaps but for
// what it acknowledges, too.
bool is_shifted(const Carried& in, const Carried& out, bool may_acknowledge_other = false);
// What was added to the sequence number of a segment; not of one without a whole header.
std::uint32_t shift_of(const Carried& in, const Carried& out);

// How `out` differs from `in`. `is_acknowledging_shifted`: the device changes the sequence numbers of the
// other direction, and that has been taken off what `out` acknowledges.
std::vector<const Difference*> changes_of(const Carried& in, const Carried& out,
                                          bool is_acknowledging_shifted = false);

// What no pair of packets shows.
extern const Difference kTransitLost;        // was not let through
extern const Difference kTransitAckMissing;  // a pure acknowledgment was not
extern const Difference kTransitAdded;       // nobody had put it in
extern const Difference kTransitTwice;       // came out again
extern const Difference kTransitRefused;     // an ICMP error, or a reset, of the device itself
extern const Difference kTransitRemapped;    // another translation in mid-conversation
extern const Difference kTransitOrder;       // overtook another one of its conversation
extern const Difference kTransitShifted;     // sequence numbers are all as much higher
extern const Difference kTransitReshifted;   // or this one is not
extern const Difference kTransitOctets;      // other octets of the stream (fidelity stream)

}  // namespace transom::drivers::replay
