// What is wrong with what the stack does when packets are fed to it, as one list that can be compared: what
// of it stays when the capture is made smaller?
#pragma once

#include "drivers/capture/kept_packet.h"
#include "drivers/replay/feed_report.h"

namespace transom::drivers::replay {

// A rule of the judge that the stack breaks, a difference to the recording that no rule allows, or one of
// these two:
inline constexpr std::string_view kReadsOtherOctets = "other-octets-read", kStalls = "stalled";

struct FeedFailure {
  std::string id{};                // of a judge::Rule or a Difference, or one of the above
  std::string title{}, section{};  // of it
  Endpoint from, to;               // of the flow: the stack's end, and the other one
  std::string state{};             // that the stack's end was in, where the judge tells it

  bool is_same(const FeedFailure& other) const {
    return id == other.id && from == other.from && state == other.state;
  }
};

// What the judge finds comes first. The error says why the packets cannot be fed: none of their flows has
// such an end.
std::expected<std::vector<FeedFailure>, std::string> feed_failures(std::span<const KeptPacket> packets,
                                                                   const Role& role);

// The source of a GoogleTest case that feeds the packets and expects that this failure does not occur. `role`
// as Role::parse understands it.
std::string as_test(const FeedFailure& failure, std::span<const KeptPacket> packets, std::string_view role);

}  // namespace transom::drivers::replay
