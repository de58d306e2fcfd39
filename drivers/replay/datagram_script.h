// One end of recorded datagrams (UDP, ICMP) between two ends as a part to play: what it sent, packet for
// packet, each with how many of the peer's datagrams it had heard before, and how long it thought then. ICMP
// errors are of the flow whose packet they quote. What is said to a group, and its answers, is one part
// (GroupFlows).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "drivers/replay/cast.h"

namespace transom::drivers::replay {

// What a datagram says, whoever sends it again: without what is another in each run (checksums, identifiers
// of echoes, and of errors all but type, code and their number).
struct Saying {
  std::string kind;  // in words: "UDP", "ICMP type 8 code 0"
  std::vector<std::uint8_t> octets;
};
// `transport`: a whole datagram, behind its IP headers. nullopt for what is neither UDP nor ICMP, for what
// is malformed, and for what keeps a link running (Neighbor Discovery, MLD).
std::optional<Saying> saying_of(IpProtocol protocol, Bytes transport);

struct DatagramStep {
  std::uint64_t number = 0;           // of the packet in the capture
  Duration time{};                    // since the flow's first packet
  Duration think{};                   // since what was heard last, or its own packet before
  std::size_t awaits = 0;             // so many of `expected` had come
  std::vector<std::uint8_t> octets;   // from the IP header on
  bool is_cut = false;                // by the snap length: zeros stand in for what is missing
  std::optional<std::size_t> echoes;  // an echo reply: of this of `expected`
  bool is_part_of_echo = false;       // a later fragment of one
  bool is_fragment = false;
  bool is_error = false;            // it quotes a packet
  std::optional<Endpoint> partner;  // in a conversation with many: whom of them it goes to
  std::string kind;
};

struct ExpectedDatagram {
  std::uint64_t number = 0;
  Saying saying;
  std::vector<std::pair<std::size_t, std::size_t>> ignored;  // of its octets, not to be compared: begin, end

  bool is_ignored(std::size_t at) const;
  // The octets say the same, but for what is not to be compared.
  bool equals(Bytes octets) const;
};

struct DatagramScript {
  IpProtocol protocol{};
  Endpoint ours, theirs;
  // A conversation with many: whom it is asked of. Who asks is `ours` or `theirs`; where we ask, theirs is
  // the group, and anybody answers.
  std::optional<Endpoint> group;
  bool is_opener = false;
  Duration begin{};  // of the flow, since the beginning of the capture
  std::vector<DatagramStep> steps;
  std::vector<ExpectedDatagram> expected;

  bool is_echo() const { return protocol != IpProtocol::kUdp; }
};

// Of every flow of UDP, ICMP and IGMP that has one of our ends, by flow. `cast` places groups, too.
std::expected<std::map<std::size_t, DatagramScript>, CaptureError> make_datagram_scripts(
    CaptureReader& reader, const Scene& scene, const Cast& cast);

// The packet that an ICMP error quotes, taken apart; nullopt for other messages. `transport`: the message.
struct QuotedView {
  CapturedPacket packet;
  PacketView view;
};
std::optional<QuotedView> quoted_by(IpProtocol protocol, Bytes transport);

}  // namespace transom::drivers::replay
