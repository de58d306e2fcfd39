// Makes recorded packets of datagrams those of now: addresses and ports, in packets that they quote, too, and
// the identification. All else stays, checksums keep their verdict.
#pragma once

#include <map>

#include "drivers/replay/datagram_script.h"
#include "drivers/replay/endpoint_changes.h"

namespace transom::drivers::replay {

class DatagramRewriter {
 public:
  // `identification`: of the first datagram in fragments; the others follow.
  DatagramRewriter(const DatagramScript& script, const Endpoint& ours, const Endpoint& theirs,
                   std::uint32_t identification)
      : recorded_ours_(script.ours),
        ours_(ours),
        changes_({script.ours, script.theirs}, {ours, theirs}),
        next_identification_(identification) {}

  // From the IP header on. The identification of an IPv4 packet that is no fragment is 0, to be filled in.
  // `asked`, `asks_now`: what the step answers to, as recorded and as it has come; nullptr and nothing where
  // there is none. What the answer repeats of it at the same place, as a number that the peer chose, it
  // repeats now.
  // `partner`: who step.partner is now; null where nobody is.
  std::vector<std::uint8_t> packet_of(const DatagramStep& step, const ExpectedDatagram* asked, Bytes asks_now,
                                      const Endpoint* partner);

 private:
  void identify(MutableBytes octets, const PacketView& view);
  static void repeat(MutableBytes octets, const PacketView& view, const ExpectedDatagram& question,
                     Bytes asks_now);

  Endpoint recorded_ours_, ours_;
  EndpointChanges changes_;
  std::uint32_t next_identification_;
  std::map<std::uint32_t, std::uint32_t> identifications_;  // recorded, of fragments: now
};

}  // namespace transom::drivers::replay
